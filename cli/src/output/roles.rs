//! Changes of master in text: the plan before, the end after.

use jiff::Timestamp;
use standin_core::engine::RoleOutcome;
use standin_core::event::RoleChangeEnd;
use standin_core::roles::preview::RolePlan;

use super::lines::notice_lines;
use super::tables::ago;

/// What a change of master would do.
pub fn plan(plan: &RolePlan) -> Vec<String> {
    let mut text = vec![format!("[{}] {}", plan.mirror, plan.headline)];
    let synced = plan.last_sync_iso.map_or_else(|| "never".to_owned(), |at| ago(at, Timestamp::now()));
    text.push(format!("  Standby last synced: {synced}; epoch {} → {}", plan.epoch, plan.epoch_after));
    if let Some(commits) = plan.missing_commits.filter(|commits| *commits > 0) {
        text.push(format!("  Commits of the default branch not there yet: {commits}"));
    }
    list(&mut text, "Branches and tags not there yet", &plan.missing_refs);
    list(&mut text, "Secrets missing there", &plan.missing_secrets);
    list(&mut text, "Variables missing there", &plan.missing_variables);
    list(&mut text, "Workflows missing there", &plan.missing_workflows);
    list(&mut text, "Workflows that will run there", &plan.enables);
    if let Some(home) = &plan.hand_back {
        let refs: Vec<String> = home
            .refs
            .iter()
            .filter(|home| home.is_to_be_pushed())
            .map(|home| match &home.at {
                Some(at) if *at != home.name => format!("{} as {at} ({} commits)", home.name, home.commits),
                _ => format!("{} ({} commits)", home.name, home.commits),
            })
            .collect();
        list(&mut text, "Comes home", &refs);
        let variables: Vec<String> = home.variables.iter().map(|variable| variable.name.clone()).collect();
        list(&mut text, "Variables that differ", &variables);
        let secrets: Vec<String> = home.secrets.iter().map(|secret| secret.name.clone()).collect();
        list(&mut text, "Secrets written on the standby", &secrets);
        for notice in &home.notices {
            text.extend(notice_lines("  ", notice));
        }
    }
    list(&mut text, "Never travels", &plan.never_travels);
    text.push("  Steps:".to_owned());
    text.extend(plan.steps.iter().enumerate().map(|(index, step)| format!("    {:2}. {step}", index + 1)));
    for notice in &plan.notices {
        text.extend(notice_lines("  ", notice));
    }
    for blocker in &plan.blockers {
        text.push(format!("  ❌ {}", blocker.message));
        text.push(format!("     → {}", blocker.advice()));
    }
    text
}

fn list(text: &mut Vec<String>, title: &str, names: &[String]) {
    if !names.is_empty() {
        text.push(format!("  {title}: {}", names.join(", ")));
    }
}

/// How it ended.
pub fn outcome(outcome: &RoleOutcome) -> Vec<String> {
    let RoleOutcome { mirror, headline, seconds, .. } = outcome;
    let mut text = vec![match outcome.end {
        RoleChangeEnd::Done => format!("[{mirror}] ✅ {headline}: done in {seconds:.1} s"),
        RoleChangeEnd::RolledBack => format!("[{mirror}] ↩ {headline}: taken back; everything is as before"),
        RoleChangeEnd::Open => format!("[{mirror}] ⏸ {headline}: stopped, and open for every machine to see"),
    }];
    if let Some(error) = &outcome.error {
        text.push(format!("  ❌ {}", error.message));
        text.push(format!("     → {}", error.advice()));
    }
    text
}
