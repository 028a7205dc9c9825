//! `mirror remove`: what stays is shown; cleaned away where that is wished.

use std::collections::BTreeSet;

use standin_core::leaving::{Cleaning, Leaving, LeftKind};
use standin_core::setup::MirrorChange;
use standin_core::{Code, Error, Result};

use super::mirror_edit::{Answer, request, say, told};
use super::quiet_engine;
use crate::arguments::{Global, MirrorRemoveArguments};
use crate::output::{self, Exit, lines, mirrors};

/// `standin mirror remove`
pub async fn remove(global: &Global, arguments: &MirrorRemoveArguments) -> Result<Exit> {
    let engine = quiet_engine(global)?;
    let MirrorRemoveArguments { mirror, clean, writing } = arguments;
    let draft = engine.mirror_draft(&request(global, *writing, MirrorChange::Remove { mirror: mirror.clone() }))?;
    let leaving = engine.mirror_leaving(Some(&draft.repository), mirror).await?;
    let clean = chosen(&leaving, clean.as_deref())?;
    if !global.json {
        mirrors::leaving(&leaving, &clean).iter().for_each(|line| lines::print(line));
    }
    let question = if clean.is_empty() { "Take it out?" } else { "Clean that away, and take it out?" };
    let answer = say(&draft, *writing, global.json, question)?;
    let removed = match answer {
        Answer::Yes => Some(engine.mirror_remove(&draft, &clean).await?),
        Answer::Shown | Answer::Waits => None,
    };
    if global.json {
        output::json(&serde_json::json!({
            "draft": draft,
            "leaving": leaving,
            "clean": clean,
            "written": removed.is_some(),
            "removed": removed,
        }));
        return Ok(if answer == Answer::Waits { Exit::Decision } else { Exit::Well });
    }
    for what in removed.iter().flat_map(|removed| &removed.cleaned) {
        lines::print(&format!("cleaned away: {what}"));
    }
    told(&draft, answer, false, "removed", &[])
}

/// What is to be cleaned away: all that is offered, or what is named.
fn chosen(leaving: &Leaving, clean: Option<&[LeftKind]>) -> Result<BTreeSet<LeftKind>> {
    let named = match clean {
        None => return Ok(BTreeSet::new()),
        // Nobody said yes to what could not be seen.
        Some([]) => {
            if let Some(error) = &leaving.unseen {
                return Err(error
                    .clone()
                    .during("what stays at the mirror cannot be seen, and so not be cleaned away"));
            }
            return Ok(leaving.offered().collect());
        }
        Some(named) => named,
    };
    let by_hand = leaving.left.iter().find(|left| left.cleaning == Cleaning::ByHand && named.contains(&left.what));
    match by_hand {
        Some(left) => {
            Err(Error::new(Code::Usage, format!("{} is never cleaned away by Standin", left.detail), left.hint.clone()))
        }
        None => Ok(named.iter().copied().collect()),
    }
}
