//! Whether two plans do the same: all that would be written, under a key of this installation.

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
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(b"plan\0");
        mac.update(&text);
        self.seal = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        self
    }
}

fn sent<'a>(plan: &'a SecretsPlan, fingerprints: &'a BTreeMap<String, String>) -> BTreeMap<&'a str, Option<&'a str>> {
    let is_sent = |state| matches!(state, SecretState::Create | SecretState::Update | SecretState::NeedsYes);
    let names = plan.names.iter().filter(|(_, state)| is_sent(*state)).map(|(name, _)| name.as_str());
    names.map(|name| (name, fingerprints.get(name).map(String::as_str))).collect()
}
