//! `status`, `health`, `history`: what is known and what is found by looking.

use jiff::Timestamp;
use standin_core::Result;
use standin_core::activity;
use standin_core::state::model::{Health, RepositoryReport, RunId};
use standin_core::state::store::{AuditFilter, RunFilter};

use super::{looking_engine, quiet_engine};
use crate::arguments::{Global, HealthArguments, HistoryArguments, StatusArguments};
use crate::output::{self, Exit, lines, tables};

/// `standin status`
pub fn status(global: &Global, arguments: &StatusArguments) -> Result<Exit> {
    let engine = looking_engine(global)?;
    let mut reports = match arguments.all {
        true => engine.status(None)?,
        false => engine.status(Some(&engine.configured(None)?.id))?,
    };
    // Among others it is told with them; alone it is all that there is to tell.
    if let (false, [RepositoryReport { error: Some(error), .. }]) = (arguments.all, reports.as_slice()) {
        return Err(error.clone());
    }
    if let Some(wanted) = &arguments.mirror {
        for report in &mut reports {
            report.mirrors.retain(|mirror| mirror.id == *wanted);
        }
        reports.retain(|report| !report.mirrors.is_empty());
        if reports.is_empty() {
            return Err(standin_core::Error::new(
                standin_core::Code::NotFound,
                format!("there is no mirror {wanted}"),
                "`standin mirror list` lists them.",
            ));
        }
    }
    let exit = Exit::of_reports(&reports, arguments.mirror.as_ref());
    if global.json {
        return Ok(exit.max(match (arguments.all, reports.as_slice()) {
            (false, [report]) => output::json(report),
            _ => output::json(&serde_json::json!({ "repositories": reports })),
        }));
    }
    let now = Timestamp::now();
    for (index, report) in reports.iter().enumerate() {
        if index > 0 {
            lines::print("");
        }
        tables::status(report, now).iter().for_each(|line| lines::print(line));
    }
    Ok(exit)
}

/// `standin health`
pub async fn health(global: &Global, arguments: &HealthArguments) -> Result<Exit> {
    let engine = quiet_engine(global)?;
    let reports = engine.health(None, arguments.mirror.as_ref()).await?;
    if global.json {
        output::json(&reports);
    } else {
        for report in &reports {
            tables::health(report).iter().for_each(|line| lines::print(line));
        }
    }
    let failed = reports.iter().any(|report| report.worst() == Health::Failed);
    let known = engine.status(Some(&engine.configured(None)?.id))?;
    let exit = Exit::of_reports(&known, arguments.mirror.as_ref());
    Ok(if failed { Exit::Failed } else { exit })
}

/// `standin history`
pub fn history(global: &Global, arguments: &HistoryArguments) -> Result<Exit> {
    let engine = looking_engine(global)?;
    if arguments.audit {
        let filter = AuditFilter {
            repository: global.repository.clone(),
            mirror: arguments.mirror.clone(),
            limit: arguments.limit,
        };
        let entries = engine.audit(&filter)?;
        if global.json {
            return Ok(output::json(&entries));
        }
        tables::audit(&entries).iter().for_each(|line| lines::print(line));
        return Ok(Exit::Well);
    }
    if let Some(id) = &arguments.run {
        let id: RunId = id.parse().map_err(|error: standin_core::state::model::NameError| {
            standin_core::Error::new(
                standin_core::Code::Usage,
                error.to_string(),
                "`standin history` lists the runs with their ids.",
            )
        })?;
        let run = engine.run(&id)?;
        if global.json {
            return Ok(output::json(&run));
        }
        tables::run(&run).iter().for_each(|line| lines::print(line));
        return Ok(Exit::Well);
    }
    let filter = RunFilter {
        repository: global.repository.clone(),
        mirror: arguments.mirror.clone(),
        status: arguments.status,
        trigger: arguments.trigger,
        limit: arguments.limit,
        changes: if arguments.csv { usize::MAX } else { 0 },
        ..RunFilter::default()
    };
    let runs = engine.history(&filter)?;
    if arguments.csv {
        lines::print(activity::csv(&runs).trim_end());
        return Ok(Exit::Well);
    }
    if global.json {
        return Ok(output::json(&runs));
    }
    tables::runs(&runs, Timestamp::now()).iter().for_each(|line| lines::print(line));
    Ok(Exit::Well)
}
