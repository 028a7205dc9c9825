//! What a plan asks a person.

use serde::{Deserialize, Serialize};
use standin_state::model::{AskId, MirrorId};
use standin_state::store::DecisionChoice;
use ts_rs::TS;

use super::words::{counted, ref_words, sentence};
use super::{Divergence, GuardReason};

/// Something that a plan does not do by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Ask {
    /// What names it, for [`crate::engine::Engine::resolve`]: of a ref that diverged, its full name.
    pub id: AskId,
    /// What it is about.
    pub topic: AskTopic,
    /// The question, as a sentence.
    pub words: String,
    /// What there is to know about it, a phrase each.
    pub facts: Vec<String>,
    /// The answers there are, the recommended one first; none where it takes a plain yes (`--yes`).
    pub choices: Vec<Choice>,
    /// The answer that was given already and holds; `None` waits.
    pub decided: Option<DecisionChoice>,
}

/// What an ask is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum AskTopic {
    /// The mirror may be a stranger's.
    FirstContact,
    /// What would be done looks like a mistake at the source.
    Guard,
    /// Secrets that were never sent to this mirror.
    NewNames,
    /// Something changed on the mirror that did not come from the source.
    Diverged,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Choice {
    /// The answer.
    pub choice: DecisionChoice,
    /// The word on its button.
    pub label: String,
    /// What it does.
    pub words: String,
}

impl Ask {
    /// Whether nobody has answered it.
    pub fn waits(&self) -> bool {
        self.decided.is_none()
    }

    /// Whether `--yes` answers it.
    pub fn takes_yes(&self) -> bool {
        self.choices.is_empty()
    }

    pub(crate) fn of_guard(reason: &GuardReason) -> Self {
        let topic = match reason {
            GuardReason::FirstContact { .. } => AskTopic::FirstContact,
            _ => AskTopic::Guard,
        };
        Self { topic, ..Self::yes(reason.id(), AskTopic::Guard, format!("{}.", sentence(&reason.to_string()))) }
    }

    /// A question that takes a plain yes.
    pub(super) fn yes(id: &str, topic: AskTopic, words: String) -> Self {
        let id = id.parse().unwrap_or_else(|_| unreachable!("the words of this file are ids"));
        Self { id, topic, words, facts: Vec::new(), choices: Vec::new(), decided: None }
    }

    pub(super) fn of_divergence(mirror: &MirrorId, divergence: &Divergence) -> Self {
        let name = &divergence.name;
        let source = divergence.source_tip.as_ref();
        let at_source = source.map_or_else(|| "gone at the source".to_owned(), |tip| format!("{} there", tip.short()));
        let count = |commits: Option<u64>, place: &str| {
            commits.map(|commits| {
                format!("{} only {place}", counted(usize::try_from(commits).unwrap_or(usize::MAX), "commit"))
            })
        };
        let decided = divergence.decision.as_ref().map(|decision| decision.choice);
        let only = [count(divergence.ahead, "on the mirror"), count(divergence.behind, "at the source")];
        Self {
            id: name.into(),
            topic: AskTopic::Diverged,
            words: format!(
                "{} is {} on the mirror, which did not come from the source ({at_source}).",
                sentence(&ref_words(name)),
                divergence.mirror_tip.short()
            ),
            facts: only.into_iter().flatten().chain(decided.map(decided_words)).collect(),
            choices: choices(mirror, divergence),
            decided,
        }
    }
}

fn decided_words(choice: DecisionChoice) -> String {
    let words = match choice {
        DecisionChoice::Leave => "left as it is, as you decided",
        DecisionChoice::Take => "taken to the source, as you decided",
        DecisionChoice::Overwrite => "overwritten by the next sync, as you decided",
    };
    words.to_owned()
}

fn choices(mirror: &MirrorId, divergence: &Divergence) -> Vec<Choice> {
    let choice = |choice, label: &str, words: String| Choice { choice, label: label.to_owned(), words };
    let kept = format!("rescue/{mirror}/{}", divergence.name.short().trim_start_matches("refs/"));
    vec![
        choice(
            DecisionChoice::Take,
            "Take",
            format!("Rescue the mirror's tip and bring it to the source as `{kept}`. Nothing on the mirror changes."),
        ),
        choice(
            DecisionChoice::Overwrite,
            "Overwrite",
            match divergence.source_tip {
                Some(_) => "Put the source's tip there. The mirror's is rescued first and can be restored.".to_owned(),
                None => "Delete it there, as at the source. The mirror's tip is rescued first and can be restored."
                    .to_owned(),
            },
        ),
        choice(
            DecisionChoice::Leave,
            "Leave",
            "Change nothing there until that tip moves again. All else goes on.".to_owned(),
        ),
    ]
}
