# SLAVE to TEMPORARY_MASTER: the fence first, then the workflows, the role, and the fence again.

new_change() { # KIND OLD NEW
  jq -n --arg id "$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')" --arg kind "$1" --arg old "$2" --arg new "$3" \
    --arg own "$own_slug" --argjson epoch "$(of_fence .epoch)" --slurpfile workflows "$4" \
    '{id: $id, kind: $kind, old: $old, new: $new, epoch: $epoch, direction: "forward", workflows: {($own): $workflows[0]}}'
}

# The workflows that the master had running; where that was never read, those that were held here.
wanted_workflows() {
  jq -c 'if (.master_workflows // {} | length) > 0 then .master_workflows else .held // {} end
    | [to_entries[] | select(.value == "active") | .key]' "$work/fence.json"
}

promote() {
  local mine
  list_workflows
  # Switching on what is on changes nothing, and shows that the token may.
  mine=$(jq -r --arg path "$sentinel" '[.[] | select(.path == $path) | .id][0] // empty' "$work/listed")
  [[ -n $mine ]] || fail "$sentinel is not among the workflows of $own."
  ask own PUT "repos/$own/actions/workflows/$mine/enable"
  [[ $status == 204 ]] || fail "STANDIN_TOKEN may not switch workflows on ($(words)): it needs the permission Actions (read and write). Nothing was changed."
  jq --argjson wanted "$(wanted_workflows)" \
    '[.[] | select(.path as $path | $wanted | index($path)) | {key: .path, value: .state}] | from_entries' \
    "$work/workflows.json" >"$work/before.json"
  new_change failover "$MASTER_SLUG" "$own_slug" "$work/before.json" >"$work/change.json"
  annotate warning "$MASTER_SLUG is $(recall kind) since $(recall first_failure_iso): $own becomes TEMPORARY_MASTER."
  move_fence "Promote $own_slug: $MASTER_SLUG is $(recall kind)" '
    .epoch += 1 | .master = $own | .temporary = true
    | .open_change = {kind: "role_change", writer: $writer, since_iso: $now,
        settings: ($change[0] + (if .open_change.kind == "actions_off" then {was_open: .open_change} else {} end))}' \
    --arg own "$own_slug" --slurpfile change "$work/change.json"
  say "The fence says so: epoch $(of_fence .epoch)."
  finish_promotion
}

# From the raised fence on; each step looks first, so that a later check may go on where this one was stopped.
finish_promotion() {
  local wanted id path failed=0
  wanted=$(wanted_workflows)
  list_workflows
  jq -r --argjson wanted "$wanted" '.[]
    | select(.state != "active" and (.path as $path | $wanted | index($path))) | [.id, .path] | @tsv' \
    "$work/workflows.json" >"$work/to-switch"
  while IFS=$'\t' read -r id path; do
    switch enable "$id" "$path" || failed=1
  done <"$work/to-switch"
  set_role TEMPORARY_MASTER
  ((failed == 0)) || fail "Some workflows of $own are not switched on yet. The next check tries again."
  still_ours
  move_fence "Promoted $own_slug" '
    .open_change = (.open_change.settings.was_open // null)
    | .held |= ((. // {}) | with_entries(select(.key as $path | $wanted | index($path) | not)))' --argjson wanted "$wanted"
  remember '.good_checks = 0 | .failures = 0 | .down = 0 | .first_failure_iso = null | .first_down_iso = null
    | .last_counted_iso = null | .kind = null | .is_told = false | .last_verdict = "promoted" | .last_check_iso = $now' --arg now "$now_iso"
  save_memory
  tell "$own is TEMPORARY_MASTER" "$MASTER_SLUG could not be used any more ($(recall detail)), so this repository took over at epoch $(of_fence .epoch). It hands back when $MASTER_SLUG is well again, or by \`standin demote MIRROR\`."
}
