//! Comparing what should be on the mirror with what is there.

use std::collections::{BTreeMap, BTreeSet};

use standin_state::config::{NamePatterns, Source, is_pattern, stays_home};
use standin_state::model::Role;

use super::ROLE;
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::github::{NAME_RULE, VALUE_LIMIT, is_name};
use crate::plan::{VariableState, VariablesPlan};
use crate::{Error, Result};

/// Plans the variables: one list request, and one of the source for all mirrors of a sync where values come from there.
///
/// # Errors
/// What keeps a list from being read.
pub async fn plan(ctx: &MirrorContext) -> Result<VariablesPlan> {
    let (slug, client) = ctx.github()?;
    let (listed, wanted) = tokio::try_join!(client.variables(slug), wanted(ctx))?;
    let on_mirror: BTreeMap<String, String> =
        listed.into_iter().map(|variable| (variable.name.to_ascii_uppercase(), variable.value)).collect();
    Ok(compare(&on_mirror, wanted))
}

/// The names that the configuration wants and the mirror lacks: what can be said while the source cannot be asked.
///
/// # Errors
/// What keeps the mirror's list from being read.
pub async fn lacking(ctx: &MirrorContext) -> Result<Vec<String>> {
    let (slug, client) = ctx.github()?;
    let configured = &ctx.repository().variables;
    let listed: BTreeSet<String> =
        client.variables(slug).await?.into_iter().map(|variable| variable.name.to_ascii_uppercase()).collect();
    let plain = configured.patterns.iter().filter(|pattern| !is_pattern(pattern));
    let wanted: BTreeSet<String> = configured
        .values
        .keys()
        .chain(plain)
        .map(|name| name.to_ascii_uppercase())
        .filter(|name| !stays_home(name))
        .collect();
    Ok(wanted.difference(&listed).cloned().collect())
}

/// What should be on the mirror.
#[derive(Default)]
struct Wanted {
    values: BTreeMap<String, String>,
    missing: BTreeSet<String>,
    notices: Vec<Notice>,
}

async fn wanted(ctx: &MirrorContext) -> Result<Wanted> {
    let repository = ctx.repository();
    let configured = &repository.variables;
    let mut wanted = Wanted::default();
    for (name, value) in &configured.values {
        wanted.add(name, value);
    }
    let plain: Vec<&String> = configured.patterns.iter().filter(|pattern| !is_pattern(pattern)).collect();
    let all_here = plain.len() == configured.patterns.len()
        && plain.iter().all(|name| wanted.values.contains_key(&name.to_ascii_uppercase()));
    // With a list of names that all have their values here, the source need not be asked.
    if configured.patterns.is_empty() || !all_here {
        let patterns = NamePatterns::new(&configured.patterns);
        for (name, value) in from_source(ctx, &mut wanted.notices).await? {
            let asked_for = configured.patterns.is_empty() || patterns.matches(&name);
            if asked_for && !wanted.values.contains_key(&name.to_ascii_uppercase()) {
                wanted.add(&name, &value);
            }
        }
    }
    for name in plain {
        let upper = name.to_ascii_uppercase();
        if !stays_home(&upper) && !wanted.values.contains_key(&upper) {
            wanted.missing.insert(upper);
        }
    }
    Ok(wanted)
}

impl Wanted {
    fn add(&mut self, name: &str, value: &str) {
        if !stays_home(name) {
            self.values.insert(name.to_ascii_uppercase(), value.to_owned());
        }
    }
}

/// The source's own Actions variables; none, and a notice, where it has none that can be read.
async fn from_source(ctx: &MirrorContext, notices: &mut Vec<Notice>) -> Result<Vec<(String, String)>> {
    let Source::GitHub(slug) = &ctx.repository().source else { return Ok(Vec::new()) };
    let Some(client) = &ctx.source.github else {
        notices.push(Notice {
            message: format!("without a token for the source, the variables of {slug} cannot be read"),
            hint: "Store one with `standin token set source`, or list the variables and their values in `.env`."
                .to_owned(),
        });
        return Ok(Vec::new());
    };
    let variables = client.source_variables(slug).await.map_err(Error::at_source)?;
    Ok(variables.iter().map(|variable| (variable.name.clone(), variable.value.clone())).collect())
}

fn compare(on_mirror: &BTreeMap<String, String>, wanted: Wanted) -> VariablesPlan {
    let Wanted { values, missing, mut notices } = wanted;
    let mut names: BTreeMap<String, VariableState> =
        on_mirror.keys().map(|name| (name.clone(), VariableState::OnlyOnMirror)).collect();
    names.extend(missing.into_iter().map(|name| (name, VariableState::MissingHere)));
    let mut to_write = BTreeMap::new();
    let role = (ROLE.to_owned(), Role::Slave.as_str().to_owned());
    for (name, value) in values.into_iter().chain([role]) {
        let state = match on_mirror.get(&name) {
            Some(there) if *there == value => VariableState::InStep,
            _ if unusable(&name, &value, &mut notices) => VariableState::Unusable,
            Some(_) => VariableState::Update,
            None => VariableState::Create,
        };
        if matches!(state, VariableState::Create | VariableState::Update) {
            to_write.insert(name.clone(), value);
        }
        names.insert(name, state);
    }
    VariablesPlan { names: names.into_iter().collect(), notices, values: to_write }
}

/// Whether the host would not take this variable; says why.
fn unusable(name: &str, value: &str, notices: &mut Vec<Notice>) -> bool {
    let notice = if !is_name(name) {
        Notice { message: format!("{name} cannot be the name of a variable"), hint: NAME_RULE.to_owned() }
    } else if value.is_empty() {
        Notice {
            message: format!("{name} is empty, which the host does not take for a variable"),
            hint: "Give it a value, or take it off the list.".to_owned(),
        }
    } else if value.len() > VALUE_LIMIT {
        Notice {
            message: format!("{name} has {} bytes; a variable may have {VALUE_LIMIT}", value.len()),
            hint: "Keep the large value in the repository.".to_owned(),
        }
    } else {
        return false;
    };
    notices.push(notice);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_what_differs_is_written_and_the_role_is_kept() {
        let wanted = Wanted { values: map(&[("A", "1"), ("B", "2"), ("C", "3")]), ..Wanted::default() };
        let plan = compare(&map(&[("A", "1"), ("B", "old"), ("X", "theirs"), (ROLE, "MASTER")]), wanted);
        let states: Vec<(&str, VariableState)> =
            plan.names.iter().map(|(name, state)| (name.as_str(), *state)).collect();
        assert_eq!(
            states,
            [
                ("A", VariableState::InStep),
                ("B", VariableState::Update),
                ("C", VariableState::Create),
                (ROLE, VariableState::Update),
                ("X", VariableState::OnlyOnMirror),
            ]
        );
        assert_eq!(plan.values, map(&[("B", "2"), ("C", "3"), (ROLE, "SLAVE")]));
    }

    #[test]
    fn what_belongs_to_one_repository_does_not_travel() {
        let mut wanted = Wanted::default();
        for name in ["MIRROR_ROLE", "mirror_x", "SENTINEL_STATE", "STANDIN_TOKEN", "master_token", "DEPLOY_MODE"] {
            wanted.add(name, "v");
        }
        assert_eq!(wanted.values, map(&[("DEPLOY_MODE", "v")]));
    }

    #[test]
    fn what_the_host_would_not_take_is_said_before_it_is_sent() {
        let long = "x".repeat(VALUE_LIMIT + 1);
        let wanted = Wanted { values: map(&[("A-B", "1"), ("EMPTY", ""), ("LONG", &long)]), ..Wanted::default() };
        let plan = compare(&map(&[(ROLE, "SLAVE")]), wanted);
        assert_eq!(plan.notices.len(), 3);
        assert!(plan.values.is_empty());
    }
}
