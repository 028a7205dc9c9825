//! Who writes: a name for this installation that stays the same.

use standin_state::config::Source;
use standin_state::model::Site;
use standin_state::store::Fact;

use crate::Result;
use crate::context::SourceContext;
use crate::outside;

/// The writer as it stands in the fence: `user@host` for a person, and a random id made once, so that two machines
/// of the same name are told apart.
///
/// # Errors
/// What the store reports.
pub fn writer(source: &SourceContext) -> Result<String> {
    Ok(format!("{} ({})", outside::person(&source.outside.environment), installation(source)?))
}

/// The source as it stands in the fence as master. A folder is one only together with the installation that it belongs
/// to: two machines may well have the same path.
///
/// # Errors
/// What the store reports.
pub fn master(source: &SourceContext) -> Result<Site> {
    let shown = source.repository.source.display();
    match &source.repository.source {
        Source::Path(_) => Ok(format!("{}:{shown}", installation(source)?).into()),
        Source::GitHub(_) | Source::Url(_) => Ok(shown.into()),
    }
}

/// The id of this installation, made once.
fn installation(source: &SourceContext) -> Result<String> {
    let memory = source.memory();
    if let Some(id) = memory.get(Fact::Installation)? {
        return Ok(id);
    }
    let id = format!("{:08x}", rand::random::<u32>());
    memory.set(Fact::Installation, &id)?;
    Ok(id)
}
