//! `hook`: the git hook, put into its place, taken away, looked at.

use standin_core::Result;
use standin_core::triggers::hook::{HookReport, HookState};

use super::quiet_engine;
use crate::arguments::{Global, HookCommand};
use crate::output::{self, Exit, lines};

/// `standin hook`
pub async fn hook(global: &Global, command: &HookCommand) -> Result<Exit> {
    let engine = quiet_engine(global)?;
    let report = match command {
        HookCommand::Install { in_work_tree } => engine.install_hook(None, *in_work_tree).await?,
        HookCommand::Remove => engine.remove_hook(None).await?,
        HookCommand::Status => engine.hook_status(None).await?,
    };
    if global.json {
        output::json(&report);
    } else {
        told(&report).iter().for_each(|line| lines::print(line));
    }
    Ok(if report.works == Some(false) { Exit::Failed } else { Exit::Well })
}

fn told(report: &HookReport) -> Vec<String> {
    let file = report.file.display();
    let mut text = vec![match (report.state, report.works) {
        (HookState::Absent, _) => format!("no hook of Standin's is in {}", report.repository),
        (HookState::Installed, Some(true)) => format!("the hook is in {file}, and works"),
        (HookState::Installed, _) => format!("the hook is in {file}, and does not work"),
        (HookState::Changed, _) => format!("the hook in {file} is not as it was written"),
        (HookState::PassedBy, _) => format!("the hook is in {file}, where git does not look"),
    }];
    if report.keeps_another {
        text.push("  it hands on to the hook that was there before".to_owned());
    }
    for notice in &report.notices {
        text.push(format!("  note: {}", notice.message));
        if !notice.hint.is_empty() {
            text.push(format!("        {}", notice.hint));
        }
    }
    text
}
