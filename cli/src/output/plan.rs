//! A plan as text: what core tells, a line each.

use standin_core::event::Notice;
use standin_core::plan::{Ask, Plan, PlannedChange, Section};
use standin_core::state::model::{Aspect, MirrorId};
use standin_core::state::store::{Change, ChangeAction};

use super::lines::change_words;

/// The lines of one mirror's plan.
pub fn lines(plan: &Plan) -> Vec<String> {
    let mut text = vec![format!("[{}] {} → {}", plan.mirror, plan.from, plan.to), format!("  {}", plan.summary)];
    for ask in &plan.asks {
        asked(&mut text, &plan.mirror, ask, "nothing at all is changed there before --yes");
    }
    plan.sections.iter().for_each(|part| section(&mut text, &plan.mirror, part));
    notices(&mut text, &plan.notices);
    text
}

fn section(text: &mut Vec<String>, mirror: &MirrorId, section: &Section) {
    let title = match section.aspect {
        Aspect::Code => "📦 Code",
        Aspect::Secrets => "🔐 Secrets",
        Aspect::Variables => "📋 Variables",
        Aspect::Workflows => "🚦 Workflows",
    };
    if let Some(error) = &section.failure {
        text.push(format!("  {title}: ❌ {}", error.message));
        text.push(format!("     → {}", error.advice()));
        return;
    }
    text.push(format!("  {title}"));
    if section.is_in_step() {
        text.push("     in step".to_owned());
    }
    text.extend(section.changes.iter().map(change));
    for ask in &section.asks {
        asked(text, mirror, ask, "needs --yes");
    }
    notices(text, &section.impossible);
    // That all of it is in step was said.
    let facts = section.facts.iter().filter(|fact| !(section.is_in_step() && fact.ends_with(" in step")));
    text.extend(facts.map(|fact| format!("     · {fact}")));
    notices(text, &section.notices);
}

fn change(planned: &PlannedChange) -> String {
    let Change { action, before, after, .. } = &planned.change;
    let mut text = format!("     {}", change_words(&planned.change));
    let short = |tip: &String| tip.chars().take(12).collect::<String>();
    match (before, after) {
        (Some(before), Some(after)) => text.push_str(&format!(" {} → {}", short(before), short(after))),
        (Some(one), None) | (None, Some(one)) if *action != ChangeAction::Fence => {
            text.push_str(&format!(" {}", short(one)));
        }
        _ => {}
    }
    if let Some(note) = &planned.note {
        text.push_str(&format!(" ({note})"));
    }
    text
}

/// A question: what answers it, or what was answered.
fn asked(text: &mut Vec<String>, mirror: &MirrorId, ask: &Ask, yes: &str) {
    let words = ask.words.trim_end_matches('.');
    match ask.takes_yes() {
        true => text.push(format!("     ⏸  {words}: {yes}")),
        false => text.push(format!("     ⏸  {words}")),
    }
    text.extend(ask.facts.iter().map(|fact| format!("        {fact}")));
    if ask.waits() && !ask.takes_yes() {
        text.push(format!("        → decide with `standin resolve {mirror} {} take|overwrite|leave`", ask.id));
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
