# TEMPORARY_MASTER to SLAVE: the commits made here are parked first, then the fence, the workflows, the role.

park_one() { # KIND NAME SHA
  local name="$1/standin/handback-$epoch/$2" at
  for at in "$name" "$name-${3:0:12}"; do
    jq -n --arg ref "$at" --arg sha "$3" '{ref: $ref, sha: $sha}' >"$work/send"
    ask own POST "repos/$own/git/refs" "$work/send"
    if [[ $status == 201 ]]; then
      say "$2 (${3:0:12}) is kept as ${at#refs/*/}."
    else
      # It is there already, or the answer was lost.
      ask own GET "repos/$own/git/ref/$(in_url "${at#refs/}")"
      [[ $status == 200 && $(jq -r '.object.sha' "$work/body") == "$3" ]] || continue
    fi
    printf '%s %s\n' "$3" "$at" >>"$work/parked"
    return 0
  done
  fail "${1#refs/}/$2 could not be kept as ${name#refs/*/} ($(words)). Where it changes workflow files, STANDIN_TOKEN needs the permission Workflows (read and write). Nothing was handed back."
}

# Whether the master's branches, as listed, contain a commit.
master_contains() { # SHA SAME_NAMED_TIP
  jq -e --arg sha "$1" 'any(.[]; .object.sha == $sha)' "$work/master-heads" >/dev/null && return 0
  [[ $verdict == well ]] || return 1
  local base
  for base in "$2" "$head"; do
    [[ $base != - ]] || continue
    ask master GET "repos/$MASTER_PATH/compare/$base...$1?per_page=1"
    case $status in
      200) [[ $(jq -r '.status' "$work/body") != behind && $(jq -r '.status' "$work/body") != identical ]] || return 0 ;;
      404 | 422) ;;
      *) stop "It could not be found out what $MASTER_SLUG has of this repository's commits ($(words)). The next check tries again." ;;
    esac
  done
  return 1
}

# Keeps every tip that the master does not have under a name of its own; moves and removes nothing.
park() {
  local what ref sha there
  for what in heads tags; do
    list_tips "$what" || stop "Branches and tags could not be compared with $MASTER_SLUG ($(words)). The next check tries again."
  done
  : >"$work/parked"
  while IFS=$'\t' read -r ref sha there; do
    master_contains "$sha" "$there" || park_one refs/heads "${ref#refs/heads/}" "$sha"
  done <"$work/unknown-heads"
  while IFS=$'\t' read -r ref sha there; do
    park_one refs/tags "${ref#refs/tags/}" "$sha"
  done <"$work/unknown-tags"
}

# list_tips heads|tags: those here that are others there, into a file: name, tip here, tip there. Where the master cannot be
# read, what it had when the last push was made stands for it.
list_tips() {
  if [[ $verdict == well ]]; then
    all master "repos/$MASTER_PATH/git/matching-refs/$1" . "$work/master-$1" || return 1
  else
    jq '[.refs // {} | to_entries[] | {ref: .key, object: {sha: .value}}]' "$work/fence.json" >"$work/master-$1"
  fi
  all own "repos/$own/git/matching-refs/$1" . "$work/own-$1" || return 1
  jq -rn --arg prefix "refs/$1/" --slurpfile here "$work/own-$1" --slurpfile there "$work/master-$1" '
    ($there[0] | map({key: .ref, value: .object.sha}) | from_entries) as $theirs
    | $here[0][] | select((.ref | startswith($prefix)) and (.ref | startswith($prefix + "standin/handback-") | not))
    | select($theirs[.ref] != .object.sha) | [.ref, .object.sha, ($theirs[.ref] // "-")] | @tsv' >"$work/unknown-$1"
}

recover() {
  local result=0
  read_fence master "$MASTER_PATH" "$work/elsewhere.json" || result=$?
  ((result != 2)) || stop "The fence of $MASTER_SLUG could not be read ($(words)). The next check tries again."
  ((result == 1)) || ! is_elsewhere || stop "$MASTER_SLUG is no longer the master: its fence names $(plain "$(jq -r '.master' "$work/elsewhere.json")"). Decide with \`standin demote MIRROR\`."
  epoch=$(of_fence .epoch)
  park
  list_workflows
  jq --argjson keep "$KEEP_ACTIVE" '[.[] | select(.state == "active"
      and ((.path as $path | $keep | index($path)) or (.path | ltrimstr(".github/workflows/") as $name | $keep | index($name)) | not))
    | {key: .path, value: .state}] | from_entries' "$work/workflows.json" >"$work/before.json"
  new_change demote "$own_slug" "$MASTER_SLUG" "$work/before.json" >"$work/change.json"
  annotate notice "$MASTER_SLUG is well again: $own hands back."
  move_fence "Hand back to $MASTER_SLUG" '
    .epoch += 1 | .master = $master | del(.temporary) | .held = ((.held // {}) + $change[0].workflows[$own])
    | .open_change = {kind: "role_change", writer: $writer, since_iso: $now, settings: ($change[0] + {old_is_temporary: true})}' \
    --arg master "$MASTER_SLUG" --arg own "$own_slug" --slurpfile change "$work/change.json"
  finish_recovery
}

# From the raised fence on; each step looks first, so that a later check may go on where this one was stopped.
finish_recovery() {
  local id path failed=0
  epoch=$(of_fence .open_change.settings.epoch)
  list_workflows
  jq -r --slurpfile fence "$work/fence.json" --arg own "$own_slug" '.[]
    | select(.state == "active" and ($fence[0].open_change.settings.workflows[$own] // {})[.path]) | [.id, .path] | @tsv' \
    "$work/workflows.json" >"$work/to-switch"
  while IFS=$'\t' read -r id path; do
    switch disable "$id" "$path" || failed=1
  done <"$work/to-switch"
  set_role SLAVE
  ((failed == 0)) || fail "Some workflows of $own are not switched off yet. The next check tries again."
  # What was pushed here between the first look and the fence is kept as well.
  look recover
  park
  still_ours
  move_fence "Handed back to $MASTER_SLUG" '.open_change = null'
  remember '.good_checks = 0 | .cause = null | .last_verdict = "handed_back" | .detail = $detail | .last_check_iso = $now' \
    --arg detail "handed back to $MASTER_SLUG" --arg now "$now_iso"
  save_memory
  if [[ -s $work/parked ]]; then
    tell "$own is SLAVE again, and has commits for $MASTER_SLUG" "They are on the branches and tags \`standin/handback-$epoch/…\` of this repository. \`standin demote MIRROR\` brings them home."
  else
    say "$own is SLAVE again. $MASTER_SLUG has every commit of it."
  fi
  after_recovery
}

with_git() { # own|master ARGUMENTS: git with that token, which it asks for and finds in no argument and no variable
  GIT_ASKPASS="$work/askpass" SENTINEL_TOKEN_FILE="$work/$1.token" GIT_TERMINAL_PROMPT=0 GIT_CONFIG_GLOBAL=/dev/null \
    GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=Standin GIT_AUTHOR_EMAIL=sentinel@standin.invalid GIT_COMMITTER_NAME=Standin \
    GIT_COMMITTER_EMAIL=sentinel@standin.invalid GIT_AUTHOR_DATE="@$now +0000" GIT_COMMITTER_DATE="@$now +0000" \
    timeout 300 git --git-dir="$work/pull.git" -c credential.helper= -c core.hooksPath=/dev/null "${@:2}"
}

# The latest of the master, where a fast-forward brings it; and, where that is allowed, the parked commits to the master.
# What cannot be done here is left to the next sync.
after_recovery() {
  printf '#!/usr/bin/env bash\ncase $1 in Username*) printf x-access-token ;; *) cat "$SENTINEL_TOKEN_FILE" ;; esac\n' >"$work/askpass"
  chmod 700 "$work/askpass"
  here=$GITHUB_SERVER_URL/$own.git there=$MASTER_SERVER_URL/$MASTER_PATH.git
  if ! git init --quiet --bare "$work/pull.git" ||
    ! with_git own fetch --quiet "$here" '+refs/heads/*:refs/own/heads/*' '+refs/tags/standin/*:refs/own/tags/standin/*' \
      '+refs/standin/fence:refs/own/fence'; then
    annotate notice "The code could not be fetched; the next sync brings the latest of $MASTER_SLUG."
    return 0
  fi
  if [[ $WRITE_TO_MASTER == true && -s $work/parked ]]; then
    hand_over || annotate warning "The parked commits could not be pushed to $MASTER_SLUG: \`standin demote MIRROR\` brings them home."
  fi
  pull || annotate notice "The latest of $MASTER_SLUG was not pulled; the next sync brings it."
}

hand_over() {
  local sha name specs=()
  while read -r sha name; do specs+=("$sha:$name"); done <"$work/parked"
  with_git master push --quiet "$there" "${specs[@]}" && say "The parked commits are on $MASTER_SLUG too."
}

pull() {
  local ref mine theirs tree commit specs=() leases=()
  with_git master fetch --quiet "$there" '+refs/heads/*:refs/master/heads/*' || return 1
  [[ $(with_git own rev-parse refs/own/fence) == "$fence" ]] || return 1
  cp "$work/fence.json" "$work/pulled.json"
  while read -r theirs ref; do
    ref=${ref#refs/master/}
    mine=$(with_git own rev-parse --quiet --verify "refs/own/$ref") || continue
    [[ $mine != "$theirs" ]] || continue
    with_git own merge-base --is-ancestor "$mine" "$theirs" || continue
    # A workflow file that is new here could run before it is held: a sync knows how to bring it.
    with_git own diff --quiet "$mine" "$theirs" -- .github/workflows || continue
    specs+=("$theirs:refs/$ref") leases+=("--force-with-lease=refs/$ref:$mine")
    jq --arg ref "refs/$ref" --arg oid "$theirs" '.refs[$ref] = $oid' "$work/pulled.json" >"$work/pulled.next"
    mv "$work/pulled.next" "$work/pulled.json"
  done < <(with_git own for-each-ref --format='%(objectname) %(refname)' refs/master/heads)
  ((${#specs[@]} > 0)) || { say "There is nothing to pull."; return 0; }
  # The fence moves in the same push, so that nobody's later move is overrun.
  tree=$(jq --arg writer "$writer" --arg now "$now_iso" '.sequence += 1 | .writer = $writer | .time_iso = $now' "$work/pulled.json" |
    with_git own hash-object -w --stdin | xargs printf '100644 blob %s\tfence.json\n' | with_git own mktree)
  commit=$(with_git own commit-tree -p "$fence" -m "Pull from $MASTER_SLUG" "$tree")
  with_git own push --quiet --atomic "${leases[@]}" "--force-with-lease=refs/standin/fence:$fence" "$here" \
    "${specs[@]}" "$commit:refs/standin/fence" || return 1
  say "Pulled the latest of $MASTER_SLUG: ${specs[*]#*:}."
}
