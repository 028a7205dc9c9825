//! What the commands say: steps with their times, a closing table, and failures with what to do.

use std::fmt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// Says one line. Everything that is said goes to standard error, so that `--json` alone owns standard output.
pub fn say(line: &str) {
    eprintln!("{line}");
}

/// Why a command stopped, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: String,
}

impl Failure {
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    /// The command line makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(message, "`cargo xtask help` lists the commands.")
    }

    /// The operating system refused something.
    pub fn io(what: &str, error: std::io::Error) -> Self {
        Self::new(format!("Cannot {what}: {error}."), "")
    }

    /// A program is not there or not allowed.
    pub fn cannot_start(shown: &str, error: &std::io::Error) -> Self {
        Self::new(format!("`{shown}` could not be started: {error}."), "`cargo xtask setup` installs what is missing.")
    }

    /// A program ended badly; it has said why itself.
    pub fn of_status(shown: &str, status: ExitStatus) -> Self {
        Self::new(format!("`{shown}` failed ({status})."), "Its own output above says why.")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        if self.hint.is_empty() { Ok(()) } else { write!(formatter, "\n{}", self.hint) }
    }
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Passed,
    Failed,
    /// Not tried, since a step that it builds on failed.
    Skipped,
}

/// The steps of one command.
pub struct Report {
    started: Instant,
    steps: Vec<(String, Duration, Ending)>,
}

impl Report {
    pub fn start() -> Self {
        Self { started: Instant::now(), steps: Vec::new() }
    }

    /// Does one step and times it. A failure is said at once and given back as `None`.
    pub fn step<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T, Failure>) -> Option<T> {
        say(&format!("\n── {name}"));
        let began = Instant::now();
        let outcome = work();
        let took = began.elapsed();
        let ending = match &outcome {
            Ok(_) => {
                say(&format!("   {name}: done in {}", seconds(took)));
                Ending::Passed
            }
            Err(failure) => {
                say(&format!("   {name}: FAILED after {}\n   {failure}", seconds(took)));
                Ending::Failed
            }
        };
        self.steps.push((name.to_owned(), took, ending));
        outcome.ok()
    }

    /// Does one step that everything after it needs.
    pub fn must<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        say(&format!("\n── {name}"));
        let began = Instant::now();
        let value = work()?;
        self.steps.push((name.to_owned(), began.elapsed(), Ending::Passed));
        say(&format!("   {name}: done in {}", seconds(began.elapsed())));
        Ok(value)
    }

    /// Notes that a step was not tried.
    pub fn skip(&mut self, name: &str, why: &str) {
        say(&format!("\n── {name}\n   {name}: skipped, {why}"));
        self.steps.push((name.to_owned(), Duration::ZERO, Ending::Skipped));
    }

    /// True while no step failed or was skipped.
    pub fn is_well(&self) -> bool {
        self.steps.iter().all(|(_, _, ending)| *ending == Ending::Passed)
    }

    /// Names of the steps that failed.
    pub fn failed(&self) -> Vec<&str> {
        let failed = self.steps.iter().filter(|(_, _, ending)| *ending == Ending::Failed);
        failed.map(|(name, _, _)| name.as_str()).collect()
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// All steps with their times.
    pub fn table(&self) -> String {
        let width = self.steps.iter().map(|(name, _, _)| name.len()).max().unwrap_or(0);
        let mut table = String::new();
        for (name, took, ending) in &self.steps {
            let (time, word) = match ending {
                Ending::Passed => (seconds(*took), "passed"),
                Ending::Failed => (seconds(*took), "FAILED"),
                Ending::Skipped => ("–".to_owned(), "skipped"),
            };
            table.push_str(&format!("  {name:<width$}  {time:>12}  {word}\n"));
        }
        table.push_str(&format!("  {:<width$}  {:>12}", "in all", seconds(self.elapsed())));
        table
    }
}

/// A time as people read it: `0.4 s`, `12.3 s`, `4 min 05 s`.
pub fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(60) {
        return format!("{:.1} s", time.as_secs_f64());
    }
    format!("{} min {:02} s", time.as_secs() / 60, time.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_readable() {
        assert_eq!(seconds(Duration::from_millis(421)), "0.4 s");
        assert_eq!(seconds(Duration::from_secs(245)), "4 min 05 s");
    }

    #[test]
    fn a_skipped_step_is_not_well_but_not_failed_either() {
        let mut report = Report::start();
        assert!(report.step("first", || Ok(())).is_some());
        assert!(report.is_well());
        report.skip("second", "because");
        assert!(!report.is_well());
        assert!(report.failed().is_empty());
        let failed: Option<()> = report.step("third", || Err(Failure::new("no", "")));
        assert!(failed.is_none());
        assert_eq!(report.failed(), ["third"]);
    }
}
