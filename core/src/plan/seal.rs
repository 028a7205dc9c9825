//! Whether two plans do the same: all that would be written, under a key of this installation. And whether a plan that was written
//! as JSON is still as it was made here: all that it shows, under the same key.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::Sha256;

use super::{CodePlan, Details, Plan, RefsPlan, SecretState, SecretsPlan, VariablesPlan, WorkflowsPlan};

/// What of a section decides what is written. A yes is no part of it: with it or without, the plan is the same.
#[derive(Serialize)]
enum Written<'a> {
    Code {
        plan: CodePlan,
    },
    /// With the fingerprint of each value that is sent, or would be after a yes.
    Secrets {
        fingerprints: BTreeMap<&'a str, Option<&'a str>>,
    },
    Variables {
        plan: VariablesPlan,
        values: &'a BTreeMap<String, String>,
    },
    Workflows {
        plan: WorkflowsPlan,
        allowed: &'a [String],
    },
    Failed {
        message: &'a str,
    },
}

impl Plan {
    /// The same, sealed. `fingerprints` are of the values of secrets, by name.
    pub(crate) fn sealed(mut self, key: &[u8; 32], fingerprints: &BTreeMap<String, String>) -> Self {
        let written: Vec<Written<'_>> = self
            .sections
            .iter()
            .map(|section| match (&section.details, &section.failure) {
                (Some(Details::Code(plan)), _) => Written::Code {
                    plan: CodePlan {
                        behind: 0,
                        lfs: None,
                        notices: Vec::new(),
                        // What is not touched may come and go.
                        refs: RefsPlan { left_alone: Vec::new(), unchanged: 0, ..plan.refs.clone() },
                        ..CodePlan::clone(plan)
                    },
                },
                (Some(Details::Secrets(plan)), _) => Written::Secrets { fingerprints: sent(plan, fingerprints) },
                (Some(Details::Variables(plan)), _) => Written::Variables {
                    plan: VariablesPlan { notices: Vec::new(), ..plan.clone() },
                    values: &plan.values,
                },
                (Some(Details::Workflows(plan)), _) => Written::Workflows {
                    plan: WorkflowsPlan { notices: Vec::new(), ..plan.clone() },
                    allowed: &plan.allowed,
                },
                (None, error) => Written::Failed { message: error.as_ref().map_or("", |error| error.message.as_str()) },
            })
            .collect();
        let all = (&self.repository, &self.mirror, self.kind, &self.from, &self.to, &self.asks, written);
        let text = serde_json::to_vec(&all).unwrap_or_else(|error| unreachable!("a plan is plain data: {error}"));
        self.seal = code(key, b"plan\0", &text);
        let shown = self.shown(key);
        self.seal = format!("{}.{shown}", self.seal);
        self
    }

    /// Whether a sync by this plan and by one with that seal would write the same.
    pub(crate) fn writes_as(&self, seal: &str) -> bool {
        written(&self.seal) == written(seal)
    }

    /// Whether the plan is as it was when it was sealed: nothing was taken out of it, and nothing put in.
    pub(crate) fn is_as_sealed(&self, key: &[u8; 32]) -> bool {
        let bare = Self { seal: written(&self.seal).to_owned(), ..self.clone() };
        self.seal.split_once('.').is_some_and(|(_, shown)| shown == bare.shown(key))
    }

    fn shown(&self, key: &[u8; 32]) -> String {
        let text = serde_json::to_vec(self).unwrap_or_else(|error| unreachable!("a plan is plain data: {error}"));
        code(key, b"shown\0", &text)
    }
}

/// The part of a seal that is of what would be written.
fn written(seal: &str) -> &str {
    seal.split_once('.').map_or(seal, |(written, _)| written)
}

fn code(key: &[u8; 32], what: &[u8], text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(what);
    mac.update(text);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sent<'a>(plan: &'a SecretsPlan, fingerprints: &'a BTreeMap<String, String>) -> BTreeMap<&'a str, Option<&'a str>> {
    let is_sent = |state| matches!(state, SecretState::Create | SecretState::Update | SecretState::NeedsYes);
    let names = plan.names.iter().filter(|(_, state)| is_sent(*state)).map(|(name, _)| name.as_str());
    names.map(|name| (name, fingerprints.get(name).map(String::as_str))).collect()
}
