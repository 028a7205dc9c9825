# What one look at the master says: `verdict` (well, down, gone or unknown) and `detail`; `cause` is heartbeat where nothing
# but that is wrong.

cause=reach

judged() {
  verdict=$1 detail=$2
}

# not_readable WHAT: for an answer that is not 200 and says nothing about the master's health.
not_readable() {
  if [[ $status == 401 ]]; then
    judged unknown "MASTER_TOKEN is not accepted ($(words)): make a new one and set it with \`standin sentinel install --tokens\`"
  elif is_limited; then
    judged unknown "the host limits MASTER_TOKEN's requests ($(words))"
  elif is_barred; then
    judged unknown "$1 could not be read, as the host keeps MASTER_TOKEN out ($(words)): have it let in, or set another with \`standin sentinel install --tokens\`"
  else
    judged unknown "$1 could not be read ($(words)): MASTER_TOKEN needs the permission Contents (read)"
  fi
}

look() { # watch|recover
  ask master GET "repos/$MASTER_PATH"
  [[ $status != 200 ]] || note_expiry master
  case $status in
    200) ;;
    000 | 5??) judged down "$MASTER_SLUG: $(words)"; return ;;
    403 | 404 | 451)
      if is_barred; then not_readable "$MASTER_SLUG"; else look_for_proof; fi
      return
      ;;
    *) not_readable "$MASTER_SLUG"; return ;;
  esac
  local name branch
  name=$(jq -r '.default_branch // empty' "$work/body")
  [[ -n $name ]] || { judged unknown "$MASTER_API_URL does not answer as GitHub does"; return; }
  branch=$(in_url "$name")
  ask master GET "repos/$MASTER_PATH/git/ref/heads/$branch"
  if [[ $status == 200 ]]; then
    head=$(jq -r '.object.sha' "$work/body")
    ask master GET "repos/$MASTER_PATH/git/commits/$head"
  fi
  case $status in
    200) ;;
    000 | 5??) judged down "$MASTER_SLUG answers, but its branch $name cannot be read ($(words))"; return ;;
    409) judged down "$MASTER_SLUG is empty"; return ;;
    *) not_readable "the branch $name of $MASTER_SLUG"; return ;;
  esac
  if [[ $1 == recover || -z $HEARTBEAT_PATH ]]; then
    judged well "$MASTER_SLUG answers"
  else
    look_at_heartbeat
  fi
}

# The master's repository is not there for this token: gone, or is it the token?
look_for_proof() {
  local answer
  if is_limited; then
    not_readable "$MASTER_SLUG"
    return
  fi
  answer=$(words)
  ask master GET user
  case $status in
    200) judged gone "$MASTER_SLUG is gone ($answer), and MASTER_TOKEN is valid" ;;
    *) judged unknown "$MASTER_SLUG: $answer, and MASTER_TOKEN is not proven valid ($(words)): the token may have lost its rights" ;;
  esac
}

look_at_heartbeat() {
  local field seconds age
  accept=application/vnd.github.raw+json ask master GET \
    "repos/$MASTER_PATH/contents/$(in_url "$HEARTBEAT_PATH")?ref=$head"
  case $status in
    200) ;;
    000 | 5??) judged down "$HEARTBEAT_PATH of $MASTER_SLUG: $(words)"; return ;;
    404)
      if is_barred; then not_readable "$HEARTBEAT_PATH of $MASTER_SLUG"; else heartbeat_unreadable "it is not there"; fi
      return
      ;;
    *) not_readable "$HEARTBEAT_PATH of $MASTER_SLUG"; return ;;
  esac
  if ! jq -e . "$work/body" >/dev/null 2>&1; then
    heartbeat_unreadable "it is not JSON"
    return
  fi
  if ! field=$(jq -er --arg field "$HEARTBEAT_FIELD" \
    'getpath($field | split(".")) | if type == "string" or type == "number" then tostring else error end' \
    "$work/body" 2>/dev/null); then
    heartbeat_unreadable "it has no field $HEARTBEAT_FIELD"
    return
  fi
  if ! seconds=$(seconds_of "$field"); then
    heartbeat_unreadable "$HEARTBEAT_FIELD is not a time ($(plain "$field"))"
    return
  fi
  age=$((now - seconds))
  if ((age < -HEARTBEAT_MAX_AGE)); then
    judged unknown "the heartbeat of $MASTER_SLUG is in the future: $(iso "$seconds")"
  elif ((age > HEARTBEAT_MAX_AGE)); then
    stale "the heartbeat of $MASTER_SLUG is stale: $(iso "$seconds"), $((age / 60)) minutes ago"
  else
    remember '.heartbeat_seen_iso = $now' --arg now "$now_iso"
    judged well "$MASTER_SLUG answers, its heartbeat is $((age < 0 ? 0 : age / 60)) minutes old"
  fi
}

# A heartbeat that cannot be read says nothing, as it may never have been one. One that was read before, and whose file
# nobody has committed since for too long, is as good as stale.
heartbeat_unreadable() {
  local why="$HEARTBEAT_PATH of $MASTER_SLUG is no heartbeat: $1" date seconds
  if [[ -n $(recall heartbeat_seen_iso) ]]; then
    ask master GET "repos/$MASTER_PATH/commits?path=$(jq -rn --arg path "$HEARTBEAT_PATH" '$path | @uri')&sha=$head&per_page=1"
    date=$(jq -r '.[0].commit.committer.date // empty' "$work/body" 2>/dev/null) || date=
    if [[ $status == 200 ]] && seconds=$(seconds_of "$date") && ((now - seconds > HEARTBEAT_MAX_AGE)); then
      stale "$why, and it was last committed $(((now - seconds) / 60)) minutes ago"
      return
    fi
  fi
  judged unknown "$why"
}

# A master that handed over stops beating too: its own fence tells, unless the token is kept out of it.
stale() {
  local result=0
  read_fence master "$MASTER_PATH" "$work/elsewhere.json" || result=$?
  if ((result == 0)) && is_elsewhere; then
    judged unknown "$MASTER_SLUG is no longer the master: $(plain "$(jq -r '.master' "$work/elsewhere.json")") is (epoch $(jq -r '.epoch' "$work/elsewhere.json")). Run \`standin sync\` from there."
  elif ((result == 2)) && [[ $status == 401 || $status == 403 || $status == 429 || -n $(header x-github-sso) ]]; then
    not_readable "the fence of $MASTER_SLUG"
  else
    judged down "$1"
    cause=heartbeat
  fi
}

# The master's own fence names somebody else, at a higher epoch than ours.
is_elsewhere() {
  local master
  master=$(jq -r '.master' "$work/elsewhere.json")
  ! same "$master" "$MASTER_SLUG" && ! same "$master" "$own_slug" &&
    (($(jq -r '.epoch' "$work/elsewhere.json") > $(of_fence .epoch)))
}

# Counts this look. A failure soon after the last counted one adds nothing; after a long silence the count begins anew. Looks
# that could tell nothing are silence too: the master may have been well meanwhile.
count() {
  local last first kind=$verdict
  last=$(seconds_of "$(recall last_counted_iso)") || last=$now
  remember '.last_check_iso = $now | .last_verdict = $verdict | .detail = $detail | .run = $run' \
    --arg now "$now_iso" --arg verdict "$verdict" --arg detail "$detail" --arg run "$run"
  case $verdict in
    well)
      remember '.failures = 0 | .down = 0 | .kind = null | .first_failure_iso = null | .first_down_iso = null
        | .last_counted_iso = null | .is_told = false | .good_checks += 1'
      return
      ;;
    unknown) return ;;
    gone) [[ $GONE_COUNTS == true ]] || return 0 ;;
  esac
  remember '.good_checks = 0'
  first=$(seconds_of "$(recall first_failure_iso)") || first=$now
  if ((now - last > 2 * THRESHOLD * INTERVAL || first > now)); then
    remember '.failures = 0 | .down = 0 | .first_failure_iso = null | .first_down_iso = null | .last_counted_iso = null'
  fi
  last=$(seconds_of "$(recall last_counted_iso)") || last=0
  if ((now - last < INTERVAL / 3)); then
    say "It is too soon after the last failure to count this one."
    return
  fi
  remember '.failures += 1 | .kind = $kind | .first_failure_iso = (.first_failure_iso // $now) | .last_counted_iso = $now
    | if $kind == "down" then .down += 1 | .first_down_iso = (.first_down_iso // $now) else . end' \
    --arg kind "$kind" --arg now "$now_iso"
}

# lasted KEY COUNT: since then at least as long as so many checks take; schedules come late, by up to half an interval.
lasted() {
  local first
  first=$(seconds_of "$(recall "$1")") || return 1
  ((now - first >= ($2 - 1) * INTERVAL - INTERVAL / 2))
}

is_due() {
  [[ $verdict == down ]] && (($(recall down) >= THRESHOLD)) && lasted first_down_iso "$THRESHOLD" && return 0
  [[ $GONE_COUNTS == true ]] && (($(recall failures) >= 2 * THRESHOLD)) && lasted first_failure_iso $((2 * THRESHOLD))
}
