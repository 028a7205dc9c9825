//! What the tray says, as plain data: computed from what the window would show, drawn by [`crate::tray`].

use std::time::Duration;

use standin_core::event::JobKind;
use standin_core::state::model::{RepositoryId, RepositoryReport, StandingWord, Tone};

use crate::wire::Overview;

/// So many repositories have a line of their own.
const LINES: usize = 6;

/// The state as a form, so that colour alone says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A disc: all is ready.
    Ready,
    /// An arc: something is being synced.
    Syncing,
    /// A triangle: a person is needed, sooner or later.
    Attention,
    /// An octagon: something is wrong now.
    Failed,
}

/// A line of the menu that opens a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The repository; `None` where it is about all of them.
    pub repository: Option<RepositoryId>,
    /// Its words.
    pub text: String,
}

/// All that the tray shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrayView {
    /// The picture.
    pub shape: Shape,
    /// The repositories, the worst first.
    pub lines: Vec<Line>,
    /// What goes on, where something does: then it can be cancelled.
    pub going: Option<String>,
    /// Whether there is something that could be synced.
    pub can_sync: bool,
    /// How the pause is told; `None` while the schedule is not paused.
    pub paused: Option<String>,
}

/// What the tray shows of this. `paused` is until when the schedule is paused, as it is to be told.
pub fn view(overview: &Overview, paused: Option<String>, now: jiff::Timestamp) -> TrayView {
    let mut worst: Vec<&RepositoryReport> = overview.repositories.iter().collect();
    // The words are in order, the worst first.
    worst.sort_by_key(|report| report.standing.word);
    let syncing: Vec<_> = overview.running.iter().filter(|job| job.what == JobKind::Sync).collect();
    let changing = overview.running.iter().any(|job| job.what != JobKind::Sync);
    let going = match (changing, syncing.len()) {
        (true, _) => Some("The master is being changed".to_owned()),
        (false, 0) => None,
        (false, _) => {
            let mirrors: usize = syncing.iter().map(|job| job.mirrors.len()).sum();
            Some(format!("Syncing {mirrors} {}", if mirrors == 1 { "mirror" } else { "mirrors" }))
        }
    };
    let state = worst.first().map_or(Shape::Ready, |report| shape(report.standing.tone));
    let shape = match (overview.mistakes.is_empty(), state, &going) {
        (false, _, _) => Shape::Failed,
        // What goes on hides nothing that is worse.
        (true, Shape::Ready, Some(_)) => Shape::Syncing,
        (true, state, _) => state,
    };
    let mut lines: Vec<Line> = worst.iter().take(LINES).map(|report| line(report, now)).collect();
    if worst.len() > LINES {
        lines.push(Line { repository: None, text: format!("{} more", worst.len() - LINES) });
    }
    if !overview.mistakes.is_empty() {
        lines = vec![Line { repository: None, text: "The configuration has mistakes".to_owned() }];
    } else if lines.is_empty() {
        lines.push(Line { repository: None, text: "Nothing is kept in step yet".to_owned() });
    }
    let can_sync = overview.repositories.iter().any(|report| report.enabled && !report.mirrors.is_empty());
    TrayView { shape, lines, going, can_sync, paused }
}

fn shape(tone: Tone) -> Shape {
    match tone {
        Tone::Ok => Shape::Ready,
        Tone::Running => Shape::Syncing,
        Tone::Waiting | Tone::Unknown => Shape::Attention,
        Tone::Failed => Shape::Failed,
    }
}

fn line(report: &RepositoryReport, now: jiff::Timestamp) -> Line {
    let standing = &report.standing;
    let says_when = matches!(standing.word, StandingWord::InStep | StandingWord::MasterDown | StandingWord::MasterGone);
    let since = standing.since_iso.filter(|_| says_when);
    let when = since.map_or_else(String::new, |since| format!(", {}", ago(since, now)));
    // `_` would mark a letter as the key of a menu's item.
    let name = report.repository.as_str().replace('_', "__");
    Line { repository: Some(report.repository.clone()), text: format!("{name}: {}{when}", standing.label) }
}

/// How long ago something was, as short as a menu wants it.
fn ago(since: jiff::Timestamp, now: jiff::Timestamp) -> String {
    let passed = Duration::try_from(now.duration_since(since)).unwrap_or_default().as_secs();
    match passed {
        0..60 => "just now".to_owned(),
        60..3600 => format!("{} min ago", passed / 60),
        3600..86_400 => format!("{} h ago", passed / 3600),
        _ => format!("{} days ago", passed / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::Places;

    fn report(id: &str, word: &str, tone: &str) -> RepositoryReport {
        let standing = json!({
            "word": word, "tone": tone, "label": word.replace('_', " "), "reason": "",
            "since_iso": "2026-02-07T11:58:00Z", "actions": [],
        });
        serde_json::from_value(json!({
            "repository": id, "enabled": true, "standing": standing, "self_role": "MASTER", "master": "ada/site", "epoch": 1,
            "last_full_sync_iso": null, "seen": null, "open_change": null, "mirrors": [],
        }))
        .unwrap()
    }

    fn shown(repositories: Vec<RepositoryReport>) -> TrayView {
        view(&overview(repositories), None, "2026-02-07T12:00:00Z".parse().unwrap())
    }

    fn overview(repositories: Vec<RepositoryReport>) -> Overview {
        Overview {
            version: String::new(),
            repositories,
            mistakes: Vec::new(),
            notices: Vec::new(),
            running: Vec::new(),
            pause: None,
            places: Places::default(),
            wanted: None,
            newer: None,
            drill: None,
        }
    }

    #[test]
    fn the_worst_is_first_and_gives_the_shape() {
        let view = shown(vec![
            report("blog", "in_step", "ok"),
            report("my_site", "master_down", "failed"),
            report("docs", "waits", "waiting"),
        ]);
        assert_eq!(view.shape, Shape::Failed);
        let lines: Vec<&str> = view.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(lines, ["my__site: master down, 2 min ago", "docs: waits", "blog: in step, 2 min ago"]);
        assert_eq!(shown(vec![report("blog", "in_step", "ok")]).shape, Shape::Ready);
        assert_eq!(shown(vec![report("blog", "waits", "waiting")]).shape, Shape::Attention);
        assert_eq!(shown(Vec::new()).lines[0].text, "Nothing is kept in step yet");
    }

    #[test]
    fn a_sync_hides_nothing_that_is_worse() {
        let job = json!({
            "id": "job-1", "what": "sync", "repository": "blog", "mirrors": ["a", "b"], "of_all": true, "trigger": "manual",
            "since_iso": "2026-02-07T11:58:00Z",
        });
        for (word, tone, shape) in [("in_step", "ok", Shape::Syncing), ("failed", "failed", Shape::Failed)] {
            let mut seen = overview(vec![report("blog", word, tone)]);
            seen.running = vec![serde_json::from_value(job.clone()).unwrap()];
            let view = view(&seen, None, "2026-02-07T12:00:00Z".parse().unwrap());
            assert_eq!((view.shape, view.going.as_deref()), (shape, Some("Syncing 2 mirrors")));
        }
    }

    #[test]
    fn many_repositories_are_counted_and_mistakes_go_before_all() {
        let many = (0..10).map(|number| report(&format!("r{number}"), "in_step", "ok")).collect();
        let view_of_many = shown(many);
        assert_eq!(view_of_many.lines.len(), 7);
        assert_eq!(view_of_many.lines[6].text, "4 more");
        let mut broken = overview(Vec::new());
        broken.mistakes = vec![standin_core::Error::new(standin_core::Code::Configuration, "x", "y")];
        let view = view(&broken, None, "2026-02-07T12:00:00Z".parse().unwrap());
        assert_eq!((view.shape, view.lines[0].text.as_str()), (Shape::Failed, "The configuration has mistakes"));
    }
}
