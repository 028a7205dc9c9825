# What is remembered between checks: the variable SENTINEL_STATE, one JSON document.

set_variable() { # NAME VALUE
  local tried
  jq -n --arg name "$1" --arg value "$2" '{name: $name, value: $value}' >"$work/send"
  for tried in 1 2 3; do
    ask own PATCH "repos/$own/actions/variables/$1" "$work/send"
    [[ $status != 404 ]] || ask own POST "repos/$own/actions/variables" "$work/send"
    [[ $status != 20? ]] || return 0
    is_ill || return 1
    # The answer was lost: the variable tells what became of it.
    ask own GET "repos/$own/actions/variables/$1"
    [[ $status != 200 || $(jq -r '.value' "$work/body") != "$2" ]] || return 0
    sleep "$tried"
  done
  return 1
}

load_memory() {
  ask own GET "repos/$own/actions/variables/SENTINEL_STATE"
  case $status in
    200) jq -e '.value | fromjson | objects' "$work/body" >"$work/memory.json" 2>/dev/null ||
      { annotate warning "SENTINEL_STATE could not be read and begins anew."; printf '{}' >"$work/memory.json"; } ;;
    404) printf '{}' >"$work/memory.json" ;;
    *) fail "The variable SENTINEL_STATE of $own could not be read ($(words)). STANDIN_TOKEN needs the permission Variables (read and write)." ;;
  esac
  # Counts are of one master alone, and of numbers alone. Version 1 took a policy that kept the token out for a master that is
  # gone: of its counts only those of a master that was down stay.
  jq --arg master "$MASTER_SLUG" '
    def number: if type == "number" and . >= 0 then floor else 0 end;
    (if .master == $master then . else {} end) | (if .version == 2 then . else .failures = .down | .first_failure_iso = .first_down_iso end) | {
      version: 2, master: $master, failures: (.failures | number), down: (.down | number),
      kind: (.kind // null), first_failure_iso: (.first_failure_iso // null), first_down_iso: (.first_down_iso // null),
      last_counted_iso: (.last_counted_iso // null), last_check_iso: (.last_check_iso // null),
      good_checks: (.good_checks | number), last_verdict: (.last_verdict // null), detail: (.detail // null),
      heartbeat_seen_iso: (.heartbeat_seen_iso // null), cause: (.cause // null), is_told: (.is_told // false), run: (.run // null),
      standin_token_expires: (.standin_token_expires // null), master_token_expires: (.master_token_expires // null),
      api_sunset: (.api_sunset // null)
    }' "$work/memory.json" >"$work/memory.next"
  mv "$work/memory.next" "$work/memory.json"
}

# remember FILTER [jq options]: changes the document; `save_memory` sends it.
remember() {
  local filter=$1
  shift
  jq "$@" "$filter" "$work/memory.json" >"$work/memory.next"
  mv "$work/memory.next" "$work/memory.json"
}

recall() {
  jq -r ".$1 // empty" "$work/memory.json"
}

save_memory() {
  set_variable SENTINEL_STATE "$(jq -c . "$work/memory.json")" ||
    fail "The variable SENTINEL_STATE of $own could not be written ($(words)). STANDIN_TOKEN needs the permission Variables (read and write)."
}

note_expiry() { # standin|master
  local end seconds
  end=$(header github-authentication-token-expiration)
  [[ -n $end ]] || { remember ".$1_token_expires = null"; return 0; }
  seconds=$(date --utc --date "$end" +%s 2>/dev/null) || return 0
  remember ".$1_token_expires = \$until" --arg until "$(iso "$seconds")"
  if ((seconds - now < 14 * 24 * 3600)); then
    annotate warning "${1^^}_TOKEN ends at $(iso "$seconds"). Make a new one and set it with \`standin sentinel install --tokens\`."
  fi
}

# The host tells when it ends the version of its API that is spoken here. It is said once for each such date.
note_sunset() { # DATE
  local end
  [[ -n $1 ]] && end=$(date --utc --date "$1" +%s 2>/dev/null) || return 0
  end=$(iso "$end")
  [[ $(recall api_sunset) != "$end" ]] || return 0
  remember '.api_sunset = $until' --arg until "$end"
  annotate notice "The host ends version $api_version of its API, which this sentinel speaks, at $end. By then a newer Standin must have rendered it anew: \`standin sentinel install\`."
}

# An issue where STANDIN_TOKEN may write one, else a warning on the run's page.
tell() { # TITLE TEXT
  jq -n --arg title "$1" --arg body "$2" '{title: $title, body: $body}' >"$work/send"
  ask own POST "repos/$own/issues" "$work/send"
  if [[ $status == 201 ]]; then say "$1. $2"; else annotate warning "$1. $2"; fi
}
