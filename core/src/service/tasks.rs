//! A task of Windows: it runs as long as the user is logged in.

use std::path::Path;

use super::Seen;
use super::ask::Asked;
use super::launchd::escaped;
use super::text::{Comment, marked};
use super::watcher::Watcher;
use crate::event::Notice;
use crate::{Code, Error, Result};

/// The task's name.
pub const NAME: &str = "Standin watch";
/// Its file in the state folder: the scheduler keeps a copy of its own.
pub(super) const FILE: &str = "watch-task.xml";

/// The task's text.
///
/// # Errors
/// [`Code::Usage`] for a path that cannot be written into one.
pub fn task(watcher: &Watcher) -> Result<String> {
    // The console of a task would stand on the screen: it is given one without a window.
    let words: Vec<String> =
        ["--headless".to_owned()].into_iter().chain(watcher.command()?).map(|word| quoted(&word)).collect();
    let body = format!(
        "<Task version=\"1.2\" xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\">\n  \
           <RegistrationInfo>\n    \
             <Description>Standin keeps standbys of git repositories in step</Description>\n  \
           </RegistrationInfo>\n  \
           <Triggers>\n    \
             <LogonTrigger>\n      \
               <Enabled>true</Enabled>\n    \
             </LogonTrigger>\n  \
           </Triggers>\n  \
           <Principals>\n    \
             <Principal id=\"Author\">\n      \
               <LogonType>InteractiveToken</LogonType>\n      \
               <RunLevel>LeastPrivilege</RunLevel>\n    \
             </Principal>\n  \
           </Principals>\n  \
           <Settings>\n    \
             <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>\n    \
             <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>\n    \
             <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>\n    \
             <AllowHardTerminate>true</AllowHardTerminate>\n    \
             <StartWhenAvailable>true</StartWhenAvailable>\n    \
             <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>\n    \
             <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>\n    \
             <RestartOnFailure>\n      \
               <Interval>PT1M</Interval>\n      \
               <Count>255</Count>\n    \
             </RestartOnFailure>\n  \
           </Settings>\n  \
           <Actions Context=\"Author\">\n    \
             <Exec>\n      \
               <Command>conhost.exe</Command>\n      \
               <Arguments>{}</Arguments>\n    \
             </Exec>\n  \
           </Actions>\n\
         </Task>\n",
        escaped(&words.join(" "))
    );
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    Ok(marked(head, Comment { before: "<!-- ", after: " -->" }, &body))
}

/// A word as Windows programs split their command line: backslashes count only before a quote.
fn quoted(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '\t', '"']) {
        return word.to_owned();
    }
    let mut text = String::from("\"");
    let mut backslashes = 0;
    for character in word.chars() {
        match character {
            '\\' => backslashes += 1,
            '"' => {
                text.extend(std::iter::repeat_n('\\', backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        text.push(character);
    }
    text.extend(std::iter::repeat_n('\\', backslashes));
    text.push('"');
    text
}

pub(super) async fn check(asked: &Asked<'_>) -> Result<()> {
    let said = asked.run("schtasks", &["/Query", "/FO", "LIST"]).await?;
    if said.is_well {
        return Ok(());
    }
    Err(Error::new(
        Code::Usage,
        format!("the task scheduler does not answer: {}", said.complaint),
        "Start the service `Schedule`, then try again.",
    ))
}

pub(super) async fn start(asked: &Asked<'_>, file: &Path) -> Result<()> {
    // One that runs goes on with what it was told before.
    let _ = asked.run("schtasks", &["/End", "/TN", NAME]).await;
    asked.must("schtasks", &["/Create", "/F", "/TN", NAME, "/XML", &file.to_string_lossy()]).await?;
    asked.must("schtasks", &["/Run", "/TN", NAME]).await.map(drop)
}

pub(super) async fn stop(asked: &Asked<'_>) -> Result<()> {
    let _ = asked.run("schtasks", &["/End", "/TN", NAME]).await;
    asked.must("schtasks", &["/Delete", "/F", "/TN", NAME]).await.map(drop)
}

/// Whether it runs is told in the words of the user's language alone; who keeps the schedule shows it.
pub(super) async fn look(asked: &Asked<'_>) -> Seen {
    let notice = |complaint: &str| Notice {
        message: format!("the task scheduler does not know it ({complaint})"),
        hint: "Run `standin service install` again.".to_owned(),
    };
    match asked.run("schtasks", &["/Query", "/TN", NAME]).await {
        // Whether it runs at this moment is not in its answer.
        Ok(said) if said.is_well => Seen { runs: None, is_heard: true, notices: Vec::new() },
        Ok(said) => Seen { runs: Some(false), is_heard: true, notices: vec![notice(&said.complaint)] },
        Err(error) => Seen { runs: None, is_heard: false, notices: vec![notice(&error.message)] },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_they_were_joined() {
        for (word, written) in [
            ("plain", "plain"),
            ("", "\"\""),
            (r"C:\a b", r#""C:\a b""#),
            (r"C:\a b\", r#""C:\a b\\""#),
            (r#"say "x""#, r#""say \"x\"""#),
            (r#"a\" b"#, r#""a\\\" b""#),
            (r"C:\ab\", r"C:\ab\"),
        ] {
            assert_eq!(quoted(word), written);
        }
    }
}
