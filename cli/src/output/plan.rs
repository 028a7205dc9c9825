//! A plan, as text.

use standin_core::event::Notice;
use standin_core::plan::{
    ActionsGuardPlan, CodePlan, GuardReason, Plan, Planned, SecretSource, SecretState, SecretsPlan, VariableState,
    VariablesPlan, WorkflowState, WorkflowsPlan,
};
use standin_core::state::store::DecisionChoice;

use super::lines::action_words;

/// The lines of one mirror's plan.
pub fn lines(plan: &Plan) -> Vec<String> {
    let mut text = vec![format!("[{}] {} → {}", plan.mirror, plan.source, plan.repo)];
    for reason in &plan.guard {
        text.push(format!("  ⏸  {reason}: nothing at all is changed there before --yes"));
    }
    aspect(&mut text, "📦 Code", plan.code.as_ref(), code);
    aspect(&mut text, "🔐 Secrets", plan.secrets.as_ref(), secrets);
    aspect(&mut text, "📋 Variables", plan.variables.as_ref(), variables);
    aspect(&mut text, "🚦 Workflows", plan.workflows.as_ref(), workflows);
    notices(&mut text, &plan.notices);
    text
}

fn aspect<P>(text: &mut Vec<String>, title: &str, planned: Option<&Planned<P>>, show: impl Fn(&mut Vec<String>, &P)) {
    match planned {
        None => {}
        Some(Planned::Failed(error)) => {
            text.push(format!("  {title}: ❌ {}", error.message));
            text.push(format!("     → {}", error.hint));
        }
        Some(Planned::Ready(plan)) => {
            text.push(format!("  {title}"));
            let before = text.len();
            show(text, plan);
            if text.len() == before {
                text.push("     in step".to_owned());
            }
        }
    }
}

fn notices(text: &mut Vec<String>, notices: &[Notice]) {
    for notice in notices {
        text.push(format!("     ⚠️  {}", notice.message));
        if !notice.hint.is_empty() {
            text.push(format!("        → {}", notice.hint));
        }
    }
}

fn code(text: &mut Vec<String>, plan: &CodePlan) {
    for change in &plan.refs.changes {
        let tips = match (&change.old, &change.new) {
            (Some(old), Some(new)) => format!("{} → {}", old.short(), new.short()),
            (None, Some(new)) => new.short().to_owned(),
            (Some(old), None) => format!("{} (saved first)", old.short()),
            (None, None) => String::new(),
        };
        text.push(format!("     {} {} {tips}", action_words(change.action), change.name));
    }
    if plan.set_default_branch
        && let Some(branch) = &plan.default_branch
    {
        text.push(format!("     make {} the default branch", branch.short()));
    }
    for divergence in &plan.refs.diverged {
        let state = match divergence.decision.as_ref().map(|decision| decision.choice) {
            Some(DecisionChoice::Leave) => "left as it is, as you decided".to_owned(),
            Some(DecisionChoice::Take) => "taken to the source, as you decided".to_owned(),
            Some(DecisionChoice::Overwrite) => "overwritten by the next sync, as you decided".to_owned(),
            None => {
                format!("diverged: decide with `standin resolve MIRROR {} overwrite|take|leave`", divergence.name)
            }
        };
        text.push(format!("     ⏸  {} {}: {state}", divergence.name, divergence.mirror_tip.short()));
    }
    for left in &plan.refs.left_alone {
        text.push(format!("     leave alone {} {} (only on the mirror)", left.name, left.oid.short()));
    }
    for conflict in &plan.refs.conflicts {
        let in_the_way: Vec<String> = conflict.in_the_way.iter().map(|name| format!("`{name}`")).collect();
        text.push(format!(
            "     ⚠️  {} cannot be made: {} on the mirror is in the way",
            conflict.name,
            in_the_way.join(", ")
        ));
        text.push("        → git keeps refs like files, so one cannot be a folder of the other.".to_owned());
    }
    for reason in &plan.guard {
        text.push(format!("     ⏸  {}: needs --yes", guard_words(reason)));
    }
    if let Some(lfs) = &plan.lfs {
        text.push(format!("     ⚠️  {} LFS objects ({} bytes) stay behind", lfs.objects, lfs.bytes));
    }
    notices(text, &plan.notices);
}

/// Why a plan waits for confirmation, in words.
fn guard_words(reason: &GuardReason) -> String {
    match reason {
        GuardReason::ManyRefs { affected, total } => format!("rewrites or deletes {affected} of {total} refs"),
        GuardReason::AllBranches { branches } => format!("rewrites or deletes all {branches} branches"),
        GuardReason::DefaultBranch { name } => format!("rewrites or deletes the default branch {}", name.short()),
        GuardReason::SourceEmpty => "the source is empty".to_owned(),
        GuardReason::SourceReplaced { before, now } => {
            format!("the source is another repository than before (id {now}, was {before})")
        }
        GuardReason::PrivateToPublic => "the source is private and the mirror is public".to_owned(),
        GuardReason::PrivateToUnknown { host } => {
            format!("the source is private and {host} does not tell who may read the mirror")
        }
        GuardReason::FirstContact { .. } => reason.to_string(),
    }
}

fn secrets(text: &mut Vec<String>, plan: &SecretsPlan) {
    for (name, state) in &plan.names {
        let words = match state {
            SecretState::InStep => continue,
            SecretState::Create => "create",
            SecretState::Update => "update",
            SecretState::NeedsYes => "⏸  new name: needs --yes once for",
            SecretState::MissingHere => "⚠️  no value here for",
            SecretState::Unusable => "⚠️  cannot be sent:",
            SecretState::OnlyOnMirror => "leave alone (only on the mirror)",
        };
        let from = plan.sources.get(name).map_or_else(String::new, |from| format!(" (from {})", source_words(*from)));
        text.push(format!("     {words} {name}{from}"));
    }
    let from_vault = |name: &String| plan.sources.get(name) == Some(&SecretSource::Vault);
    let kept: Vec<&str> = plan
        .names
        .iter()
        .filter(|(name, state)| *state == SecretState::InStep && from_vault(name))
        .map(|(name, _)| name.as_str())
        .collect();
    if !kept.is_empty() {
        text.push(format!("     in step, from {}: {}", source_words(SecretSource::Vault), kept.join(", ")));
    }
    notices(text, &plan.notices);
}

/// Where a value comes from, in words.
pub fn source_words(source: SecretSource) -> &'static str {
    match source {
        SecretSource::Env => "`.env`",
        SecretSource::Vault => "the vault",
    }
}

fn variables(text: &mut Vec<String>, plan: &VariablesPlan) {
    for (name, state) in &plan.names {
        let words = match state {
            VariableState::InStep => continue,
            VariableState::Create => "create",
            VariableState::Update => "update",
            VariableState::MissingHere => "⚠️  no value here or at the source for",
            VariableState::Unusable => "⚠️  cannot be sent:",
            VariableState::OnlyOnMirror => "leave alone (only on the mirror)",
        };
        text.push(format!("     {words} {name}"));
    }
    notices(text, &plan.notices);
}

fn workflows(text: &mut Vec<String>, plan: &WorkflowsPlan) {
    match plan.guard {
        ActionsGuardPlan::NotNeeded => {}
        ActionsGuardPlan::SwitchOff => {
            text.push("     switch Actions off around the push, restore them after".to_owned())
        }
        ActionsGuardPlan::AlreadyOff => text.push("     Actions are off and stay off".to_owned()),
        ActionsGuardPlan::NotAllowed => {
            text.push(
                "     ⚠️  Actions cannot be switched off with this token: a workflow may start before it is held"
                    .to_owned(),
            );
        }
    }
    for (path, state) in &plan.listed {
        match state {
            WorkflowState::ToHold => text.push(format!("     hold {path}")),
            WorkflowState::ToRelease => text.push(format!("     release {path}")),
            WorkflowState::Active | WorkflowState::Held | WorkflowState::DisabledByOthers => {}
        }
    }
    for path in &plan.expected {
        text.push(format!("     hold {path} when it has arrived"));
    }
    notices(text, &plan.notices);
}
