//! Who writes: a name for this installation that stays the same.

use crate::Result;
use crate::outside::Outside;
use crate::run::SourceContext;

/// The writer as it stands in the fence: `user@host` for a person, and a random id made once, so that two machines
/// of the same name are told apart.
///
/// # Errors
/// What the store reports.
pub fn writer(source: &SourceContext) -> Result<String> {
    let repository = &source.repository.id;
    let id = match source.store.fact(repository, None, "writer")? {
        Some(id) => id,
        None => {
            let id = format!("{:08x}", rand::random::<u32>());
            source.store.set_fact(repository, None, "writer", Some(&id))?;
            id
        }
    };
    Ok(format!("{} ({id})", person(&source.outside)))
}

/// `user@host`, from the environment and the system.
fn person(outside: &Outside) -> String {
    let variable = |names: &[&str]| {
        names.iter().filter_map(|name| outside.environment.get(*name)).find(|value| !value.is_empty()).cloned()
    };
    let user = variable(&["USER", "LOGNAME", "USERNAME"]).unwrap_or_else(|| "somebody".to_owned());
    format!("{user}@{}", gethostname::gethostname().to_string_lossy())
}
