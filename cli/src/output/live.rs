//! Progress as it happens: bars on a terminal, plain lines when piped, one JSON event a line with `--json`.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use standin_core::event::{Event, Stamped};
use standin_core::outside::{Clock as _, Progress, SystemClock};
use standin_core::state::model::{MirrorId, MirrorType, RepositoryId};

use super::lines::{self, Lines, aspect_words};

/// The listener that suits where the output goes.
pub fn listener(as_json: bool) -> Arc<dyn Progress> {
    if as_json {
        Arc::new(JsonLines::default())
    } else {
        let bars = Bars::on_standard_output();
        // What cannot draw bars, as with TERM=dumb, would swallow the lines as well.
        if std::io::stdout().is_terminal() && !bars.all.is_hidden() {
            Arc::new(bars)
        } else {
            Arc::new(Plain::default())
        }
    }
}

/// One event a line. Events come from several threads: each has its time when it is its turn, so that lines and times have one order.
#[derive(Default)]
struct JsonLines(Mutex<()>);

impl Progress for JsonLines {
    fn event(&self, event: &Event) {
        let _turn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stamped = Stamped { at_iso: SystemClock.now(), event: event.clone() };
        if let Ok(line) = serde_json::to_string(&stamped) {
            lines::print_json(&line);
        }
    }
}

/// Lines only.
#[derive(Default)]
struct Plain(Mutex<Lines>);

impl Progress for Plain {
    fn event(&self, event: &Event) {
        let ready = self.0.lock().unwrap_or_else(PoisonError::into_inner).hear(event);
        ready.iter().for_each(|line| lines::print(line));
    }
}

/// Mirrors of different repositories may have the same id.
type BarOf = HashMap<(RepositoryId, MirrorId), (ProgressBar, MirrorType)>;

/// A bar for each mirror that runs, and its lines above when it is through.
struct Bars {
    all: MultiProgress,
    state: Mutex<(Lines, BarOf)>,
}

impl Bars {
    fn on_standard_output() -> Self {
        Self { all: MultiProgress::with_draw_target(ProgressDrawTarget::stdout()), state: Mutex::default() }
    }

    fn bar(&self, mirror: &MirrorId) -> ProgressBar {
        let bar = self.all.add(ProgressBar::new_spinner());
        bar.set_style(spinner());
        bar.set_prefix(mirror.to_string());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("  {spinner} {prefix}  {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn counted() -> ProgressStyle {
    ProgressStyle::with_template("  {spinner} {prefix}  {msg} [{bar:24}] {pos}/{len}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Progress for Bars {
    fn event(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (text, bars) = &mut *state;
        match event {
            Event::RunStarted { repository, mirror, repo, kind, .. } => {
                let bar = self.bar(mirror);
                bar.set_message(repo.clone());
                bars.insert((repository.clone(), mirror.clone()), (bar, *kind));
            }
            Event::AspectStarted { repository, mirror, aspect, .. } => {
                if let Some((bar, kind)) = bars.get(&(repository.clone(), mirror.clone())) {
                    bar.set_style(spinner());
                    bar.set_message(aspect_words(Some(*kind), *aspect));
                }
            }
            Event::Progress { repository, mirror: Some(mirror), phase, done, total, .. } => {
                if let Some((bar, _)) = bars.get(&(repository.clone(), mirror.clone())) {
                    bar.set_message(phase.clone());
                    bar.set_style(if total.is_some() { counted() } else { spinner() });
                    bar.set_length(total.unwrap_or(0));
                    bar.set_position(*done);
                }
            }
            Event::RunFinished { repository, mirror, .. } => {
                if let Some((bar, _)) = bars.remove(&(repository.clone(), mirror.clone())) {
                    bar.finish_and_clear();
                }
            }
            _ => {}
        }
        for line in text.hear(event) {
            if self.all.is_hidden() || self.all.println(&line).is_err() {
                lines::print(&line);
            }
        }
    }
}
