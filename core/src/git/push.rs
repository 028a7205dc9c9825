//! Pushing: what is asked for, how it is cut into pieces, and what git's porcelain answer says of each ref.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use standin_state::model::{Oid, RefName};

use super::address::Transport;
use super::words::NO_DELETES;

/// How many updates one push to another machine may carry: a host may end a push that keeps it too long.
pub const MAX_UPDATES_PER_PUSH: usize = 2_500;
/// How many updates one push to a folder of this machine may carry.
const MAX_UPDATES_PER_PUSH_HERE: usize = 50_000;

/// How many bytes of command line one push may take: well below the limits of the systems (macOS 1 MiB, Linux 2 MiB or
/// more, Windows 32 Ki characters), since the environment counts as well.
#[cfg(not(windows))]
const MAX_ARGUMENT_BYTES: usize = 600_000;
/// How many bytes of command line one push may take.
#[cfg(windows)]
const MAX_ARGUMENT_BYTES: usize = 24_000;

/// How many pairs of a named update and a ref of the remote git may compare in one push: it looks each one up in the
/// list of the others, a few millions a second.
const MAX_COMPARISONS: usize = 10_000_000;
/// Up to so many named updates go in one push, however many refs the remote has.
const ALWAYS_NAMED: usize = 50;

/// What one push can carry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// How many updates.
    most: usize,
    /// Every update is named on the command line of a git; else only a delete is.
    names_all: bool,
}

impl Room {
    /// What a push by this transport can carry. Over HTTP git hands every ref with its lease to the next program by name.
    pub(super) fn by(transport: Transport) -> Self {
        match transport {
            Transport::File => Self { most: MAX_UPDATES_PER_PUSH_HERE, names_all: false },
            Transport::Ssh | Transport::Git => Self { most: MAX_UPDATES_PER_PUSH, names_all: false },
            Transport::Https | Transport::Http => Self { most: MAX_UPDATES_PER_PUSH, names_all: true },
        }
    }

    fn names(self, update: &Update) -> bool {
        self.names_all || update.new.is_none()
    }

    /// How much of a command line an update takes.
    fn argument_bytes(self, update: &Update) -> usize {
        if self.names(update) { update.argument_bytes() } else { 0 }
    }
}

/// One ref to be created, moved or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The ref.
    pub name: RefName,
    /// Where it must stand on the remote; `None`: it must not exist.
    pub old: Option<Oid>,
    /// Where it shall stand; `None`: it is deleted.
    pub new: Option<Oid>,
}

/// How to push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushOptions {
    /// All updates or none.
    pub atomic: bool,
    /// Everything but the last step.
    pub dry_run: bool,
}

/// What became of one update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushResult {
    /// The ref stands where it shall.
    Done,
    /// The remote, or git itself, did not take it.
    Refused {
        /// In the remote's or git's own words.
        reason: String,
    },
    /// The ref does not stand where it must: somebody moved it.
    Stale,
    /// Git sent nothing, since another update of the same atomic push is stale.
    NotTried,
}

/// What became of a push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushReport {
    /// Each update's result.
    pub results: BTreeMap<RefName, PushResult>,
    /// What the remote told (`remote:` lines), without progress.
    pub messages: Vec<String>,
    /// An atomic push was asked for and the remote has no such thing; nothing was changed.
    pub atomic_unsupported: bool,
}

impl PushReport {
    /// The report of a push of which the host took nothing, for this reason.
    pub(crate) fn refused(updates: &[Update], reason: &str) -> Self {
        let refused = |update: &Update| (update.name.clone(), PushResult::Refused { reason: reason.to_owned() });
        Self { results: updates.iter().map(refused).collect(), ..Self::default() }
    }

    /// Whether every update was done.
    pub fn is_done(&self) -> bool {
        !self.atomic_unsupported && self.results.values().all(|result| *result == PushResult::Done)
    }
}

impl Update {
    /// The lease as an argument of `git push`.
    pub(super) fn lease(&self) -> String {
        format!("--force-with-lease={}:{}", self.name, self.old.as_ref().map_or("", Oid::as_str))
    }

    /// What it takes on the command line: two names, two ids, words, ends and pointers.
    fn argument_bytes(&self) -> usize {
        2 * self.name.as_str().len() + 2 * 64 + 48
    }
}

/// Cuts updates into pieces that one push can carry each, when `reserved` (the fence) goes along with every piece and the
/// remote has `standing` refs before the first.
pub(super) fn split_updates(updates: &[Update], reserved: &[Update], room: Room, standing: usize) -> Vec<Range<usize>> {
    let always: usize = reserved.iter().map(|update| room.argument_bytes(update)).sum();
    let most = room.most.saturating_sub(reserved.len()).max(1);
    let mut pieces = Vec::new();
    let (mut start, mut bytes, mut named) = (0, always, 0);
    for (index, update) in updates.iter().enumerate() {
        let more = room.argument_bytes(update);
        // At worst each one so far made a ref.
        let most_named = (MAX_COMPARISONS / (standing + index).max(1)).max(ALWAYS_NAMED);
        let is_full = index - start == most || bytes + more > MAX_ARGUMENT_BYTES || named >= most_named;
        if index > start && is_full {
            pieces.push(start..index);
            (start, bytes, named) = (index, always, 0);
        }
        bytes += more;
        named += usize::from(room.names(update));
    }
    if start < updates.len() {
        pieces.push(start..updates.len());
    }
    pieces
}

/// Whether updates can go in one push.
pub(super) fn fits(updates: &[Update], room: Room) -> bool {
    updates.len() <= room.most
        && updates.iter().map(|update| room.argument_bytes(update)).sum::<usize>() <= MAX_ARGUMENT_BYTES
}

/// What git's answer says.
pub(super) enum Answer {
    /// Each update's result is known.
    Known(PushReport),
    /// What became of these is unknown: the remote's answer is missing.
    Unknown,
}

/// Reads the answer of `git push --porcelain` and the lines of standard error.
pub(super) fn read_answer(stdout: &[u8], lines: &[String], updates: &[Update]) -> Answer {
    let mut report = PushReport { messages: messages(lines), ..PushReport::default() };
    if lines.iter().any(|line| line.contains("does not support --atomic push")) {
        report.atomic_unsupported = true;
        report.results = updates.iter().map(|update| (update.name.clone(), PushResult::NotTried)).collect();
        return Answer::Known(report);
    }
    if let Some(name) = lines.iter().find_map(|line| undeletable(line)) {
        report.results = updates.iter().map(|update| (update.name.clone(), PushResult::NotTried)).collect();
        report.results.insert(name, PushResult::Refused { reason: NO_DELETES.to_owned() });
        return Answer::Known(report);
    }
    let asked: BTreeSet<&str> = updates.iter().map(|update| update.name.as_str()).collect();
    for line in String::from_utf8_lossy(stdout).lines() {
        let mut fields = line.splitn(3, '\t');
        let (Some(flag), Some(refs), Some(summary)) = (fields.next(), fields.next(), fields.next()) else { continue };
        // The name cannot hold a colon; an id before it neither.
        let Some(name) = refs.rsplit_once(':').map(|(_, name)| name).filter(|name| asked.contains(name)) else {
            continue;
        };
        let Ok(name) = name.parse::<RefName>() else { continue };
        let result = match flag {
            "!" => match refusal(summary) {
                Some(result) => result,
                None => return Answer::Unknown,
            },
            _ => PushResult::Done,
        };
        report.results.insert(name, result);
    }
    if report.results.len() < asked.len() {
        return Answer::Unknown;
    }
    give_named_reasons(&mut report);
    // Where deletes are not even offered, git gives no reason.
    let deletes = updates.iter().filter(|update| update.new.is_none()).map(|update| &update.name);
    for name in deletes {
        if let Some(PushResult::Refused { reason }) = report.results.get_mut(name)
            && reason == REMOTE_REJECTED
        {
            NO_DELETES.clone_into(reason);
        }
    }
    Answer::Known(report)
}

/// The ref for whose deletion git gave an atomic push up before anything was sent, since the server takes none. It says so by the
/// number of its own state alone, then garbles its end.
fn undeletable(line: &str) -> Option<RefName> {
    let (name, state) = line.split_once("atomic push failed for ref ")?.1.split_once(". status: ")?;
    if state.trim() == "4" { name.parse().ok() } else { None }
}

/// Reads what the remote itself reports of the only update of a push: taken, or `refused` in these words.
pub(super) fn read_report(update: &Update, refused: Option<&str>, lines: &[String]) -> Answer {
    let mut report = PushReport { messages: messages(lines), ..PushReport::default() };
    let result = match refused {
        None => PushResult::Done,
        Some(reason) => match meaning(REMOTE_REJECTED, reason) {
            Some(result) => result,
            None => return Answer::Unknown,
        },
    };
    report.results.insert(update.name.clone(), result);
    give_named_reasons(&mut report);
    Answer::Known(report)
}

/// The report of a push whose request was refused for what was in it: too much, or something that the host does not take. Which ref
/// it was for shows when they go in parts.
pub(super) fn refused_by_status(lines: &[String], updates: &[Update]) -> Option<PushReport> {
    let is = |status: &str| lines.iter().any(|line| line.starts_with("error: RPC failed") && line.contains(status));
    let reason = if is("HTTP 413") {
        "HTTP 413: the request is too large"
    } else if is("HTTP 422") {
        "HTTP 422: the host cannot process the request"
    } else {
        return None;
    };
    Some(PushReport { messages: messages(lines), ..PushReport::refused(updates, reason) })
}

/// How git marks what the remote refused.
const REMOTE_REJECTED: &str = "remote rejected";

/// What a refused ref's summary means, such as `[remote rejected] (pre-receive hook declined)`; `None` where the remote's
/// word is missing.
fn refusal(summary: &str) -> Option<PushResult> {
    let (kind, reason) = match summary.split_once("] ") {
        Some((kind, reason)) => (kind.trim_start_matches('['), in_parentheses(reason.trim())),
        None => (summary.trim_matches(['[', ']']), ""),
    };
    meaning(kind, reason)
}

fn meaning(kind: &str, reason: &str) -> Option<PushResult> {
    match (kind, reason) {
        ("remote failure", _) | (_, "remote failed to report status") => None,
        (REMOTE_REJECTED, reason) if !reason.is_empty() => Some(PushResult::Refused { reason: reason.to_owned() }),
        // Git itself sends nothing then.
        (_, "stale info") => Some(PushResult::Stale),
        (_, "atomic push failed") => Some(PushResult::NotTried),
        (_, "") => Some(PushResult::Refused { reason: kind.to_owned() }),
        _ => Some(PushResult::Refused { reason: reason.to_owned() }),
    }
}

fn in_parentheses(text: &str) -> &str {
    text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text)
}

/// Git's own server says of every ref that the transaction failed, and for which of them only in a message: that one gets it as
/// its reason.
fn give_named_reasons(report: &mut PushReport) {
    for message in &report.messages {
        let Some(start) = message.find("cannot lock ref '") else { continue };
        let why = &message[start..];
        let name = why["cannot lock ref '".len()..].split('\'').next().and_then(|name| name.parse::<RefName>().ok());
        if let Some(PushResult::Refused { reason }) = name.and_then(|name| report.results.get_mut(&name)) {
            why.clone_into(reason);
        }
    }
}

/// What the remote told: the `remote:` lines without their mark, empty ones left out.
pub(super) fn messages(lines: &[String]) -> Vec<String> {
    lines
        .iter()
        .filter_map(|line| line.strip_prefix("remote:"))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(name: &str) -> Update {
        Update { name: name.parse().unwrap(), old: None, new: "1".repeat(40).parse().ok() }
    }

    fn read(stdout: &str, lines: &[&str], names: &[&str]) -> Option<Vec<(String, PushResult)>> {
        let updates: Vec<Update> = names.iter().map(|name| update(name)).collect();
        let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        match read_answer(stdout.as_bytes(), &lines, &updates) {
            Answer::Known(report) => {
                Some(report.results.into_iter().map(|(name, result)| (name.to_string(), result)).collect())
            }
            Answer::Unknown => None,
        }
    }

    fn refused(reason: &str) -> PushResult {
        PushResult::Refused { reason: reason.to_owned() }
    }

    #[test]
    fn every_kind_of_porcelain_line_has_its_result() {
        let stdout = "To https://host/o/n.git\n*\t11:refs/heads/new\t[new branch]\n \t11:refs/heads/ff\t1..2\n\
                      +\t11:refs/heads/forced\t1...2 (forced update)\n-\t:refs/heads/gone\t[deleted]\n\
                      =\t11:refs/heads/same\t[up to date]\n!\t11:refs/heads/stale\t[rejected] (stale info)\n\
                      !\t11:refs/heads/sunk\t[rejected] (atomic push failed)\n\
                      !\t11:refs/heads/hook\t[remote rejected] (pre-receive hook declined)\n\
                      !\t11:refs/heads/paren\t[remote rejected] (refusing (see below))\n\
                      !\t11:refs/heads/first\t[rejected] (fetch first)\nDone\n";
        let names = ["new", "ff", "forced", "gone", "same", "stale", "sunk", "hook", "paren", "first"]
            .map(|short| format!("refs/heads/{short}"));
        let results = read(stdout, &[], &names.each_ref().map(String::as_str)).unwrap();
        let of = |short: &str| &results.iter().find(|(name, _)| name == &format!("refs/heads/{short}")).unwrap().1;
        for done in ["new", "ff", "forced", "gone", "same"] {
            assert_eq!(of(done), &PushResult::Done, "{done}");
        }
        assert_eq!(of("stale"), &PushResult::Stale);
        assert_eq!(of("sunk"), &PushResult::NotTried);
        assert_eq!(of("hook"), &refused("pre-receive hook declined"));
        assert_eq!(of("paren"), &refused("refusing (see below)"));
        assert_eq!(of("first"), &refused("fetch first"));
    }

    #[test]
    fn the_ref_that_a_failed_transaction_names_in_a_message_gets_it_as_its_reason() {
        let stdout = "!\t1:refs/heads/a\t[remote rejected] (atomic transaction failed)\n\
                      !\t1:refs/heads/b\t[remote rejected] (atomic transaction failed)\n";
        let names = ["refs/heads/a", "refs/heads/b"];
        let results = |line: &str| {
            read(stdout, &[line], &names)
                .map(|results| results.into_iter().map(|(_, result)| result).collect::<Vec<_>>())
        };
        let all = refused("atomic transaction failed");
        assert_eq!(
            results("remote: error: cannot lock ref 'refs/heads/a': is at 11 but expected 22        "),
            Some(vec![refused("cannot lock ref 'refs/heads/a': is at 11 but expected 22"), all.clone()])
        );
        assert_eq!(
            results(
                "remote: error: cannot lock ref 'refs/heads/b': 'refs/heads/b/c' exists; cannot create 'refs/heads/b'"
            ),
            Some(vec![
                all.clone(),
                refused("cannot lock ref 'refs/heads/b': 'refs/heads/b/c' exists; cannot create 'refs/heads/b'")
            ])
        );
        assert_eq!(results("remote: sorry"), Some(vec![all.clone(), all]));
    }

    #[test]
    fn what_the_remote_says_of_each_ref_stays_as_it_says_it() {
        for reason in ["atomic push failure", "atomic transaction failed", "transaction aborted", "stale info"] {
            let stdout = format!("!\t1:refs/heads/a\t[remote rejected] ({reason})\n");
            assert_eq!(read(&stdout, &[], &["refs/heads/a"]), Some(vec![("refs/heads/a".to_owned(), refused(reason))]));
        }
    }

    #[test]
    fn a_missing_answer_is_an_unknown_outcome() {
        assert_eq!(read("", &[], &["refs/heads/a"]), None);
        assert_eq!(
            read("!\t1:refs/heads/a\t[remote failure] (remote failed to report status)\n", &[], &["refs/heads/a"]),
            None
        );
    }

    #[test]
    fn a_remote_without_atomic_is_told_apart() {
        let lines = ["fatal: the receiving end does not support --atomic push".to_owned()];
        let Answer::Known(report) = read_answer(b"", &lines, &[update("refs/heads/a")]) else { panic!("unknown") };
        assert!(report.atomic_unsupported && !report.is_done());
    }

    #[test]
    fn many_updates_are_cut_into_pieces_that_lose_none() {
        let updates: Vec<Update> = (0..6_000).map(|number| update(&format!("refs/heads/b{number}"))).collect();
        let fence = [update("refs/standin/fence")];
        for transport in [Transport::File, Transport::Ssh, Transport::Https] {
            let room = Room::by(transport);
            let pieces = split_updates(&updates, &fence, room, 0);
            assert!(pieces.iter().all(|piece| piece.len() < room.most), "{transport:?}");
            assert!(pieces.iter().all(|piece| fits(&updates[piece.clone()], room)), "{transport:?}");
            assert_eq!(pieces.iter().map(ExactSizeIterator::len).sum::<usize>(), updates.len());
            assert!(pieces.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert!(split_updates(&[], &fence, room, 0).is_empty());
        }
        let long: Vec<Update> =
            (0..2_000).map(|number| update(&format!("refs/heads/{number}{}", "x".repeat(240)))).collect();
        assert!(split_updates(&long, &fence, Room::by(Transport::Https), 0).len() > 1);
        assert_eq!(
            split_updates(&long, &fence, Room::by(Transport::Ssh), 0).len(),
            1,
            "names do not stand in arguments"
        );
    }

    #[test]
    fn what_is_named_goes_in_smaller_pieces_the_more_refs_the_remote_has() {
        let deletes: Vec<Update> =
            (0..2_000).map(|number| Update { new: None, ..update(&format!("refs/heads/b{number}")) }).collect();
        let pieces = |standing| split_updates(&deletes, &[], Room::by(Transport::File), standing).len();
        assert_eq!(pieces(2_000), 1);
        assert!((4..=6).contains(&pieces(20_000)), "{}", pieces(20_000));
        assert_eq!(pieces(10_000_000), 2_000 / ALWAYS_NAMED);
    }
}
