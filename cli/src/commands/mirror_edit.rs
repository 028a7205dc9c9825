//! `mirror edit`, and what adding, changing and removing have in common: show the difference, ask, write.

use standin_core::engine::Engine;
use standin_core::setup::{Draft, MirrorChange, MirrorRequest};
use standin_core::state::config::edit::{Change, Form, Given, MirrorKey, RepositoryKey, Setting};
use standin_core::state::model::MirrorType;
use standin_core::{Code, Error, Result};

use super::looking_engine;
use crate::arguments::{Global, MirrorEditArguments, Said, Writing};
use crate::output::{self, Exit, ask, lines, mirrors};

/// `standin mirror edit`
pub fn edit(global: &Global, arguments: &MirrorEditArguments) -> Result<Exit> {
    let engine = looking_engine(global)?;
    let change = if arguments.mirror.is_source() { of_repository(arguments)? } else { of_mirror(&engine, arguments)? };
    let request = request(global, arguments.writing, change);
    let draft = engine.mirror_draft(&request)?;
    let said = say(&draft, arguments.writing, global.json, "Write it?")?;
    if said == Answer::Yes {
        engine.mirror_write(&draft)?;
    }
    told(&draft, said, global.json, "changed", &[])
}

/// What a person said to a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is to be written.
    Yes,
    /// It was only to be shown.
    Shown,
    /// Nobody said yes, and nobody could be asked.
    Waits,
}

pub(super) fn request(global: &Global, writing: Writing, change: MirrorChange) -> MirrorRequest {
    MirrorRequest { repository: global.repository.clone(), form: writing.env.then_some(Form::Env), change }
}

/// Shows a draft, and asks where somebody can be asked.
///
/// # Errors
/// [`Code::GuardHeld`] for a no.
pub(super) fn say(draft: &Draft, writing: Writing, as_json: bool, question: &str) -> Result<Answer> {
    if !as_json {
        mirrors::draft(draft).iter().for_each(|line| lines::print(line));
    }
    if writing.dry_run {
        return Ok(Answer::Shown);
    }
    if writing.yes {
        return Ok(Answer::Yes);
    }
    if !ask::can_ask(&std::io::stdout(), as_json) {
        return Ok(Answer::Waits);
    }
    match ask::yes(std::io::stdout(), question, "Say it with `--yes`.")? {
        true => Ok(Answer::Yes),
        false => Err(Error::new(Code::GuardHeld, "nothing was written", "Run it again when it is what you want.")),
    }
}

/// Says how it ended, and what comes next.
pub(super) fn told(draft: &Draft, answer: Answer, as_json: bool, done: &str, next: &[String]) -> Result<Exit> {
    let exit = if answer == Answer::Waits { Exit::Decision } else { Exit::Well };
    if as_json {
        let written = answer == Answer::Yes;
        output::json(&serde_json::json!({ "draft": draft, "written": written, "next": next }));
        return Ok(exit);
    }
    match answer {
        Answer::Yes => {
            let what = draft.mirror.as_ref().map_or_else(|| draft.repository.to_string(), ToString::to_string);
            lines::print(&format!("{done} {what} in {}", draft.file.display()));
            mirrors::next(next).iter().for_each(|line| lines::print(line));
        }
        Answer::Shown => lines::print("nothing was written (--dry-run)"),
        Answer::Waits => {
            lines::complain("nothing was written: it waits for a yes");
            lines::complain("  fix: Run it again with --yes when this is what you want.");
        }
    }
    Ok(exit)
}

fn of_repository(arguments: &MirrorEditArguments) -> Result<MirrorChange> {
    let Said { sync, schedule, ssh_key, path, refs, interval, timeout } = &arguments.said;
    let of_mirrors = !sync.is_empty()
        || ssh_key.is_some()
        || path.is_some()
        || !refs.is_empty()
        || interval.is_some()
        || timeout.is_some()
        || !arguments.unset.is_empty();
    if of_mirrors {
        return Err(Error::new(
            Code::Usage,
            "that is said of a mirror, and `source` is the repository itself",
            "Of the source itself there are --to, --enable, --disable and --schedule.",
        ));
    }
    let mut changes = Vec::new();
    let mut say = |key, value| changes.push(Change { key, value: Some(value) });
    if let Some(to) = &arguments.to {
        say(RepositoryKey::Source, Given::Text(to.clone()));
    }
    if let Some(enabled) = switch(arguments) {
        say(RepositoryKey::Enabled, Given::Flag(enabled));
    }
    if let Some(schedule) = schedule {
        say(RepositoryKey::Schedule, Given::Text(schedule.clone()));
    }
    if changes.is_empty() { Err(nothing()) } else { Ok(MirrorChange::EditRepository { changes }) }
}

fn of_mirror(engine: &Engine, arguments: &MirrorEditArguments) -> Result<MirrorChange> {
    let mut changes: Vec<Change<MirrorKey>> = Vec::new();
    if let Some(to) = &arguments.to {
        let known = engine.configured(None)?;
        let on_github = known.mirror(&arguments.mirror).is_some_and(|mirror| mirror.kind() == MirrorType::GitHub);
        let key = if on_github { MirrorKey::Repo } else { MirrorKey::Url };
        changes.push(Change { key, value: Some(Given::Text(to.clone())) });
    }
    if let Some(enabled) = switch(arguments) {
        changes.push(Change { key: MirrorKey::Enabled, value: Some(Given::Flag(enabled)) });
    }
    let said = settings(&arguments.said).into_iter();
    changes.extend(said.map(|Setting { key, value }| Change { key, value: Some(value) }));
    if let Some(twice) = arguments.unset.iter().find(|key| changes.iter().any(|change| change.key == **key)) {
        let message = format!("{twice:?} is both said and taken out").to_lowercase();
        return Err(Error::new(Code::Usage, message, "Leave one of the two away."));
    }
    changes.extend(arguments.unset.iter().map(|key| Change { key: *key, value: None }));
    if changes.is_empty() {
        return Err(nothing());
    }
    Ok(MirrorChange::Edit { mirror: arguments.mirror.clone(), changes })
}

fn switch(arguments: &MirrorEditArguments) -> Option<bool> {
    arguments.enable.then_some(true).or_else(|| arguments.disable.then_some(false))
}

fn nothing() -> Error {
    Error::new(
        Code::Usage,
        "nothing is to be changed",
        "Say what: --to, --enable, --disable, --sync, --schedule, --ssh-key, --path, --refs, --interval, --timeout or --unset.",
    )
}

/// What was said of a mirror, as it is written.
pub(super) fn settings(said: &Said) -> Vec<Setting<MirrorKey>> {
    let text = |given: &Option<String>| given.clone().map(Given::Text);
    let path = |given: &Option<std::path::PathBuf>| given.as_ref().map(|path| Given::Text(path.display().to_string()));
    let all = [
        (MirrorKey::SshKeyPath, path(&said.ssh_key)),
        (MirrorKey::Sync, (!said.sync.is_empty()).then(|| Given::aspects(&said.sync))),
        (MirrorKey::Schedule, text(&said.schedule)),
        (MirrorKey::Path, path(&said.path)),
        (MirrorKey::Refs, (!said.refs.is_empty()).then(|| Given::Words(said.refs.clone()))),
        (MirrorKey::Interval, text(&said.interval)),
        (MirrorKey::Timeout, text(&said.timeout)),
    ];
    all.into_iter().filter_map(|(key, value)| Some(Setting { key, value: value? })).collect()
}
