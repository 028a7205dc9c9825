//! `import`: an upstream kept here, from its URL to the first fetch.

use standin_core::engine::SyncRequest;
use standin_core::state::config::{Import, Imported};
use standin_core::{Result, start as core_start};

use super::{background, consent, sync};
use crate::arguments::{Global, ImportArguments};
use crate::output::{Exit, lines, live};
use crate::start;

/// `standin import URL`
pub async fn import(global: &Global, arguments: &ImportArguments) -> Result<Exit> {
    let wanted = Import {
        url: arguments.url.clone(),
        id: arguments.id.clone(),
        path: arguments.path.as_deref().map(std::path::absolute).transpose().ok().flatten(),
        refs: arguments.refs.clone(),
        interval: arguments.interval.clone(),
        timeout: arguments.timeout.clone(),
    };
    let Imported { repository, mirror, file, is_new } =
        core_start::import(&start::options(global), &core_start::environment(), &wanted)?;
    if !global.json {
        let verb = if is_new { "wrote" } else { "it stands already in" };
        lines::print(&format!("{repository}: {verb} {}", file.display()));
    } else if arguments.background {
        lines::complain(&format!("{repository} stands in {}", file.display()));
    }
    let of_it = Global { repository: Some(repository.clone()), ..global.clone() };
    if arguments.background {
        return background::begin(&of_it, &[mirror], &[], &[]).await;
    }
    let engine = consent::engine(&of_it, live::listener(global.json))?;
    let request =
        SyncRequest { repository: Some(repository.clone()), mirrors: vec![mirror.clone()], ..SyncRequest::default() };
    let exit = sync::follow(&engine, request).await?;
    if exit == Exit::Well && !global.json {
        let report = engine.status(Some(&repository))?;
        let copy = report.iter().flat_map(|report| &report.mirrors).find(|known| known.id == mirror);
        if let Some(path) = copy.and_then(|known| known.pulled.path.as_ref()) {
            lines::print(&format!(
                "Clone it with `git clone {path}`; `standin sync --repository {repository}` pulls again."
            ));
        }
    }
    Ok(exit)
}
