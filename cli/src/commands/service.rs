//! `service`: `watch` as something that the operating system keeps running.

use standin_core::Result;
use standin_core::service::watcher::Addresses;
use standin_core::service::{ServiceReport, ServiceState};

use super::quiet_engine;
use crate::arguments::{Global, ServiceCommand, WatchArguments};
use crate::output::{self, Exit, lines};
use crate::start;

/// `standin service`
pub async fn service(global: &Global, command: &ServiceCommand) -> Result<Exit> {
    let engine = quiet_engine(global)?;
    let report = match command {
        ServiceCommand::Install(WatchArguments { listen, metrics }) => {
            engine.install_service(&start::this_program()?, Addresses { listen: *listen, metrics: *metrics }).await?
        }
        ServiceCommand::Remove => engine.remove_service().await?,
        ServiceCommand::Status => engine.service_status().await?,
    };
    if global.json {
        output::json(&report);
    } else {
        told(&report).iter().for_each(|line| lines::print(line));
    }
    let is_ill = report.state == ServiceState::Changed || report.runs == Some(false) || !report.is_heard;
    Ok(if is_ill { Exit::Failed } else { Exit::Well })
}

fn told(report: &ServiceReport) -> Vec<String> {
    let (file, supervisor) = (report.file.display(), report.supervisor.words());
    let mut text = vec![match (report.state, report.runs) {
        (ServiceState::Absent, _) => format!("no service of Standin's is installed ({file} is not there)"),
        (ServiceState::Installed, Some(true)) => format!("the service is installed ({file}), and {supervisor} runs it"),
        (ServiceState::Installed, Some(false)) => format!("the service is installed ({file}), and does not run"),
        (ServiceState::Installed, None) => format!("the service is installed ({file})"),
        (ServiceState::Changed, _) => format!("{file} is not as it was written"),
    }];
    text.push(match &report.schedule_kept_by {
        Some(holder) => format!("  the schedule is kept by {holder}"),
        None => "  nobody keeps the schedule now".to_owned(),
    });
    for notice in &report.notices {
        text.push(format!("  note: {}", notice.message));
        if !notice.hint.is_empty() {
            text.push(format!("        {}", notice.hint));
        }
    }
    text
}
