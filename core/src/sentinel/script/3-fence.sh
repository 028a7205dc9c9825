# The fence: refs/standin/fence, a chain of commits that says who is master. It is moved by compare-and-swap alone.

same() {
  local one=${1,,} other=${2,,}
  one=${one#https://github.com/} other=${other#https://github.com/}
  [[ ${one%.git} == "${other%.git}" ]]
}

# read_fence WHO SLUG FILE: leaves the document in FILE, `seen_commit` and `seen_tree`. 1: there is none, 2: unreadable.
read_fence() {
  local who=$1 slug=$2
  ask "$who" GET "repos/$slug/git/ref/standin/fence"
  [[ $status == 200 ]] || {
    [[ $status == 404 || $status == 409 ]] && ! is_barred && return 1
    return 2
  }
  seen_commit=$(jq -r '.object.sha' "$work/body")
  ask "$who" GET "repos/$slug/git/commits/$seen_commit"
  [[ $status == 200 ]] || return 2
  seen_tree=$(jq -r '.tree.sha' "$work/body")
  ask "$who" GET "repos/$slug/git/trees/$seen_tree"
  [[ $status == 200 ]] || return 2
  local blob
  blob=$(jq -r '.tree[] | select(.path == "fence.json" and .type == "blob") | .sha' "$work/body")
  [[ -n $blob ]] || return 2
  accept=application/vnd.github.raw+json ask "$who" GET "repos/$slug/git/blobs/$blob"
  [[ $status == 200 ]] || return 2
  jq -e 'select(.version == 1 and .epoch >= 1 and .epoch < 9007199254740992 and .sequence >= 1
    and .sequence < 9007199254740992 and (.master | type == "string") and (.writer | type == "string"))' \
    "$work/body" >"$3" 2>/dev/null || return 2
}

load_fence() {
  local result=0
  read_fence own "$own" "$work/fence.json" || result=$?
  case $result in
    0) fence=$seen_commit fence_tree=$seen_tree ;;
    1) stop "$own has no fence: it was never in step with $MASTER_SLUG. Run \`standin sync\` once." ;;
    *) fail "The fence of $own could not be read ($(words)). Nothing is done." ;;
  esac
}

of_fence() {
  jq -r "$1 // empty" "$work/fence.json"
}

# Every other writer moves the fence first: as long as it stands where we left it, the next step is ours to take.
still_ours() {
  ask own GET "repos/$own/git/ref/standin/fence"
  [[ $status == 200 ]] || fail "The fence of $own could not be read again ($(words)). The next check goes on from here."
  [[ $(jq -r '.object.sha' "$work/body") == "$fence" ]] ||
    stop "Somebody else moved the fence of $own. This check ends here; the next one reads it again."
}

# move_fence MESSAGE FILTER [jq options]: one step on from where it was read, or not at all.
move_fence() {
  local message=$1 filter=$2 tree next
  shift 2
  jq --arg writer "$writer" --arg now "$now_iso" "$@" \
    ".sequence += 1 | .writer = \$writer | .time_iso = \$now | $filter" "$work/fence.json" >"$work/fence.next"
  jq -n --rawfile content "$work/fence.next" --arg base "$fence_tree" \
    '{base_tree: $base, tree: [{path: "fence.json", mode: "100644", type: "blob", content: $content}]}' >"$work/send"
  ask own POST "repos/$own/git/trees" "$work/send"
  [[ $status == 201 ]] || fail "The fence could not be written ($(words)). STANDIN_TOKEN needs the permission Contents (read and write)."
  tree=$(jq -r '.sha' "$work/body")
  jq -n --arg message "$message" --arg tree "$tree" --arg parent "$fence" \
    '{message: $message, tree: $tree, parents: [$parent]}' >"$work/send"
  ask own POST "repos/$own/git/commits" "$work/send"
  [[ $status == 201 ]] || fail "The fence could not be written ($(words)). STANDIN_TOKEN needs the permission Contents (read and write)."
  next=$(jq -r '.sha' "$work/body")
  jq -n --arg sha "$next" '{sha: $sha, force: false}' >"$work/send"
  ask own PATCH "repos/$own/git/refs/standin/fence" "$work/send"
  if is_ill; then
    # The answer was lost: the fence tells what became of it.
    ask own GET "repos/$own/git/ref/standin/fence"
    [[ $status == 200 && $(jq -r '.object.sha' "$work/body") == "$next" ]] ||
      fail "It is not known whether the fence moved ($(words)). The next check reads it and goes on from there."
  elif [[ $status == 409 || $status == 422 ]]; then
    stop "Somebody else moved the fence of $own at the same moment. This check ends here; the next one reads it again."
  elif [[ $status != 200 ]]; then
    fail "The fence could not be moved ($(words)). STANDIN_TOKEN needs the permission Contents (read and write)."
  fi
  mv "$work/fence.next" "$work/fence.json"
  fence=$next fence_tree=$tree
}

is_ours() { # the change that is open is the sentinel's own
  [[ $(of_fence .open_change.kind) == role_change && $(of_fence .open_change.writer) == "sentinel@$own_slug (run "* ]]
}

change_is() { # KIND
  [[ $(of_fence .open_change.settings.kind) == "$1" ]]
}

change_age() {
  local since
  since=$(seconds_of "$(of_fence .open_change.since_iso)") || { printf '0'; return; }
  printf '%s' "$((now - since))"
}

set_role() {
  still_ours
  set_variable MIRROR_ROLE "$1" || fail "MIRROR_ROLE of $own could not be set ($(words)). The next check goes on from here."
  say "MIRROR_ROLE is $1."
}

list_workflows() {
  all own "repos/$own/actions/workflows" workflows "$work/listed" ||
    fail "The workflows of $own could not be listed ($(words)). STANDIN_TOKEN needs the permission Actions (read and write)."
  jq --arg own_file "$sentinel" '[.[] | {id, path, state}
    | select((.path | startswith(".github/workflows/")) and .path != $own_file and .state != "deleted")]' \
    "$work/listed" >"$work/workflows.json"
}

# switch enable|disable ID PATH
switch() {
  local refused is=on
  [[ $1 == enable ]] || is=off
  still_ours
  ask own PUT "repos/$own/actions/workflows/$2/$1"
  refused=$(words)
  ask own GET "repos/$own/actions/workflows/$2"
  if [[ $status == 200 ]] && jq -e --arg is "$is" '(.state == "active") == ($is == "on")' "$work/body" >/dev/null; then
    say "$3 is switched $is."
    return 0
  fi
  annotate warning "$3 could not be switched $is ($refused)."
  return 1
}
