# One check.

main() {
  if [[ -z $standin_token && -z $master_token ]]; then
    stop "The sentinel is not set up here: the secrets STANDIN_TOKEN and MASTER_TOKEN are missing. \`standin sentinel install --tokens\` sets them."
  fi
  [[ -n $standin_token ]] || fail "The secret STANDIN_TOKEN is missing. Set it with \`standin sentinel install --tokens\`."
  [[ -n $master_token ]] || fail "The secret MASTER_TOKEN is missing. Set it with \`standin sentinel install --tokens\`."
  keep_token own "$standin_token"
  keep_token master "$master_token"
  unset standin_token master_token
  ! same "$own_slug" "$MASTER_SLUG" || stop "This is $MASTER_SLUG itself: there is nothing to watch."

  # The control: where our own repository cannot be read, nothing can be said about another.
  ask own GET "repos/$own"
  if is_ill; then
    annotate warning "The own repository cannot be read ($(words)): GitHub itself is ill, or the network. This check counts for nothing."
    exit 0
  fi
  is_limited && { annotate warning "The host limits STANDIN_TOKEN's requests. This check counts for nothing."; exit 0; }
  [[ $status == 200 ]] || fail "STANDIN_TOKEN cannot read $own ($(words)). This check counts for nothing. Set a new one with \`standin sentinel install --tokens\`."
  # The host's clock, which all of it goes by.
  now=$(header date)
  [[ -n $now ]] || fail "The host did not say what time it is."
  now=$(date --utc --date "$now" +%s) || fail "The host did not say what time it is."
  now_iso=$(iso "$now")
  local expiry sunset
  expiry=$(header github-authentication-token-expiration)
  sunset=$(header sunset)
  load_fence
  load_memory
  printf 'github-authentication-token-expiration: %s\n' "$expiry" >"$work/headers"
  note_expiry standin
  note_sunset "$sunset"

  if same "$(of_fence .master)" "$own_slug"; then
    as_master
  elif same "$(of_fence .master)" "$MASTER_SLUG"; then
    as_slave
  else
    stop "The fence names $(plain "$(of_fence .master)") as master, neither $own_slug nor $MASTER_SLUG: this sentinel has no say. Render it anew with \`standin sentinel install\`."
  fi
}

# Stops where somebody else is changing a role here.
give_way() {
  [[ $(of_fence .open_change.kind) != role_change ]] || is_ours ||
    (($(change_age) >= 3600)) ||
    stop "$(plain "$(of_fence .open_change.writer)") is changing the role of $own since $(plain "$(of_fence .open_change.since_iso)"). This check does nothing."
}

as_slave() {
  if is_ours && change_is demote; then
    say "An earlier check began to hand back: going on."
    finish_recovery
    return
  fi
  give_way
  look watch
  say "$detail."
  [[ $verdict != unknown ]] || annotate warning "It cannot be told whether the master is well: $detail. This check counts for nothing."
  count
  [[ $verdict == unknown ]] || remember '.cause = $cause' --arg cause "$cause"
  save_memory
  if [[ $verdict == gone && $GONE_COUNTS != true ]]; then
    annotate warning "$detail. This does not count, as \`gone_counts\` is off: decide with \`standin promote MIRROR\`."
    return 0
  fi
  [[ $verdict == down || $verdict == gone ]] || return 0
  annotate warning "The master fails: $detail ($(recall down) down, $(recall failures) in all, since $(recall first_failure_iso))."
  if is_due; then
    promote
  elif [[ $verdict == gone && $(recall is_told) != true ]]; then
    remember '.is_told = true'
    save_memory
    tell "$MASTER_SLUG is gone" "$detail. After $((2 * THRESHOLD)) such checks this repository takes over by itself; \`standin promote MIRROR\` does it at once."
  fi
}

as_master() {
  if [[ $(of_fence .temporary) != true ]]; then
    stop "$own is the master: there is nothing to watch."
  fi
  if [[ $(of_fence .open_change.kind) == role_change ]] && change_is failover; then
    give_way
    say "A promotion was begun by $(plain "$(of_fence .open_change.writer)"): going on."
    # From now on it is ours: whoever began it stops at its next step.
    is_ours || move_fence "Take over the promotion of $own_slug" '.open_change.writer = $writer'
    finish_promotion
    return
  fi
  [[ $(of_fence .open_change.kind) != role_change ]] ||
    stop "$(plain "$(of_fence .open_change.writer)") is handing back. \`standin status\` tells how to go on."
  # A master that answers is well: its heartbeat may be old, as its work is done here. Where nothing else was wrong with it, it
  # must beat again.
  if [[ $(recall cause) == heartbeat ]]; then look watch; else look recover; fi
  say "$detail."
  count
  save_memory
  if [[ $verdict != well ]]; then
    say "$own stays TEMPORARY_MASTER."
  elif [[ $AUTO_DEMOTION != true ]]; then
    annotate notice "$MASTER_SLUG is well again ($(recall good_checks) checks). Hand back with \`standin demote MIRROR\`."
  elif (($(recall good_checks) < 2)); then
    say "$MASTER_SLUG is well again; one more such check, and $own hands back."
  else
    recover
  fi
}

main
