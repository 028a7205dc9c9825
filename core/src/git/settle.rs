//! Pushing so that afterwards it is known where each ref stands.
//!
//! A report of a push may be missing, and it may not be true: a race can be told as a refusal in words that nobody knows, the HTTP
//! library sends a request again after a cut and the second one finds its own work done, and servers that are not git's own
//! were seen to say `ok` for what they did not do. Where a report leaves anything open, the remote is listed and that is believed.

use std::collections::BTreeSet;
use std::io::BufRead as _;
use std::time::Duration;

use super::push::{PushOptions, PushReport, PushResult, Update};
use super::remote::{Remote, Reported};
use super::scratch::Scratch;
use super::{Cache, Listing};
use crate::{Code, Error, Result};
use standin_state::model::{Oid, RefName};

/// How long a remote has to show what it said that it did.
const MOMENT: Duration = Duration::from_secs(1);
/// The ref that a dry run pretends to create.
const PROBE: &str = "refs/standin/probe";

/// What is said of a ref that stands where it stood, though the remote said that it moved.
const IGNORED: &str = "the host said `ok` and did not move it";

/// What a remote can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// It takes several updates as one: all or none. What it says; whether it keeps that shows when one of them is refused.
    pub atomic: bool,
    /// The name of the server's program, such as `git/2.47.3` or `JGit/4.11.9`, where it tells.
    pub agent: Option<String>,
    /// Where our fence stands for whoever pushes, which need not be what a listing shows.
    pub fence: Option<Oid>,
}

impl Remote {
    /// Pushes `updates`, each with an exact lease on where it must stand now, and tells what became of each: a ref that stands
    /// where it shall is done, one that stands elsewhere than leased is stale. See [`super::split_updates`] for many.
    ///
    /// # Errors
    /// As the failure is understood: nothing arrived, or the remote cannot be read to know it; pushing the same again is safe.
    /// [`Code::Cancelled`]: unknown. A refused ref is no error but a [`PushResult`].
    pub async fn push(&self, cache: &Cache, updates: &[Update], options: PushOptions) -> Result<PushReport> {
        match Box::pin(self.push_once(cache, updates, options, None)).await {
            Ok(Reported { report, by_git }) if options.dry_run || !leaves_open(&report, by_git) => Ok(report),
            Ok(Reported { mut report, .. }) => match self.list(&folders(updates)).await {
                Ok(listing) => {
                    let told = report.clone();
                    believe(&mut report, updates, &listing);
                    if is_ignored(&report) {
                        // Some hosts list from a copy that is a moment old.
                        tokio::time::sleep(MOMENT).await;
                        let listing = self.list(&folders(updates)).await?;
                        report = told;
                        believe(&mut report, updates, &listing);
                    }
                    Ok(report)
                }
                // A refusal is told all the same: who takes it for more than that tries again first.
                Err(error) if report.is_done() || error.code == Code::Cancelled => Err(error),
                Err(_) => Ok(report),
            },
            Err(error) if options.dry_run || error.code == Code::Cancelled => Err(error),
            // Whatever was told, the remote may have done it: remarks that come before a cut have words of all kinds.
            Err(error) => self.read_back(updates, error).await,
        }
    }

    /// After an unknown outcome: what the remote holds now says what arrived. `error` where that is nothing.
    async fn read_back(&self, updates: &[Update], error: Error) -> Result<PushReport> {
        let Ok(listing) = self.list(&folders(updates)).await else { return Err(error) };
        if updates.iter().all(|update| listing.refs.get(&update.name) == update.old.as_ref()) {
            return Err(error);
        }
        let stale = updates.iter().map(|update| (update.name.clone(), PushResult::Stale));
        let mut report = PushReport { results: stale.collect(), ..PushReport::default() };
        believe(&mut report, updates, &listing);
        Ok(report)
    }

    /// Finds out whether the remote takes pushes from us, and what it can do, without changing anything there.
    ///
    /// # Errors
    /// As the remote's failure is understood: see [`Code`].
    pub async fn probe_push(&self, cache: &Cache) -> Result<Capabilities> {
        let name =
            PROBE.parse().map_err(|error| Error::new(Code::Internal, format!("{error}"), "Please report this."))?;
        let update = Update { name, old: None, new: Some(cache.write_blob(b"")?) };
        let folder = Scratch::make()?;
        let packets = folder.path().join("packets");
        let options = PushOptions { atomic: true, dry_run: true };
        let Reported { report, .. } = self.push_once(cache, &[update], options, Some(&packets)).await?;
        let (agent, fence) = (agent_in(&packets), fence_in(&packets));
        Ok(Capabilities { atomic: !report.atomic_unsupported, agent, fence })
    }
}

/// Whether the remote must be listed to know what became of a push.
fn leaves_open(report: &PushReport, by_git: bool) -> bool {
    let refused = report.results.values().any(|result| matches!(result, PushResult::Refused { .. }));
    !report.atomic_unsupported && (refused || !by_git)
}

fn is_ignored(report: &PushReport) -> bool {
    let is_ignored = |result: &PushResult| matches!(result, PushResult::Refused { reason } if reason == IGNORED);
    report.results.values().any(is_ignored)
}

/// Follows what the remote holds, whatever it said.
fn believe(report: &mut PushReport, updates: &[Update], listing: &Listing) {
    for update in updates {
        let stands = listing.refs.get(&update.name);
        let told = report.results.get(&update.name);
        if stands == update.new.as_ref() {
            report.results.insert(update.name.clone(), PushResult::Done);
        } else if stands != update.old.as_ref() {
            report.results.insert(update.name.clone(), PushResult::Stale);
        } else if told == Some(&PushResult::Done) {
            let reason = IGNORED.to_owned();
            report.results.insert(update.name.clone(), PushResult::Refused { reason });
        }
    }
}

/// The folders of the updates' names, such as `refs/heads/`.
fn folders(updates: &[Update]) -> Vec<&str> {
    let folders: BTreeSet<&str> = updates
        .iter()
        .map(|update| {
            let name = update.name.as_str();
            let ends = name.match_indices('/').nth(1).map_or(name.len(), |(end, _)| end + 1);
            &name[..ends]
        })
        .collect();
    folders.into_iter().collect()
}

/// Where the fence stands in git's record of the packets of a push.
fn fence_in(packets: &std::path::Path) -> Option<Oid> {
    let file = std::fs::File::open(packets).ok()?;
    let mut lines = std::io::BufReader::new(file).split(b'\n').map_while(Result::ok);
    let name = RefName::fence();
    lines.find_map(|line| {
        let line = String::from_utf8_lossy(&line).into_owned();
        let (_, offered) = line.split_once("< ")?;
        // The first one has what the server can do behind it.
        let (oid, rest) = offered.split_once(' ')?;
        let is_fence = rest.strip_prefix(name.as_str()).is_some_and(|end| end.is_empty() || end.starts_with("\\0"));
        if is_fence { oid.parse().ok() } else { None }
    })
}

/// The name of the server's program in git's record of the packets of a push.
fn agent_in(packets: &std::path::Path) -> Option<String> {
    let file = std::fs::File::open(packets).ok()?;
    let lines = std::io::BufReader::new(file).split(b'\n').map_while(Result::ok);
    let offered = lines
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .find(|line| line.contains("< ") && line.split_whitespace().any(|word| word.ends_with("report-status")))?;
    offered.split_whitespace().find_map(|word| word.strip_prefix("agent=")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(digit: char) -> standin_state::model::Oid {
        digit.to_string().repeat(40).parse().unwrap()
    }

    fn update(name: &str) -> Update {
        Update { name: name.parse().unwrap(), old: Some(oid('1')), new: Some(oid('2')) }
    }

    #[test]
    fn where_a_ref_stands_counts_more_than_what_the_remote_said() {
        let refused = PushResult::Refused { reason: "no".to_owned() };
        for (stands, said, expected) in [
            (Some('2'), refused.clone(), PushResult::Done),
            (Some('1'), refused.clone(), refused.clone()),
            (Some('3'), refused.clone(), PushResult::Stale),
            (None, refused, PushResult::Stale),
            (Some('2'), PushResult::Done, PushResult::Done),
            (Some('1'), PushResult::Done, PushResult::Refused { reason: IGNORED.to_owned() }),
            (Some('3'), PushResult::Done, PushResult::Stale),
            (Some('1'), PushResult::NotTried, PushResult::NotTried),
        ] {
            let update = update("refs/heads/a");
            let mut report = PushReport { results: [(update.name.clone(), said)].into(), ..PushReport::default() };
            let refs = stands.map(|digit| (update.name.clone(), oid(digit))).into_iter().collect();
            believe(&mut report, std::slice::from_ref(&update), &Listing { refs, ..Listing::default() });
            assert_eq!(report.results[&update.name], expected, "{stands:?}");
        }
    }

    #[test]
    fn only_the_folders_that_are_pushed_to_are_listed() {
        let updates = ["refs/heads/a/b", "refs/heads/c", "refs/tags/v1", "refs/standin/fence"].map(update);
        assert_eq!(folders(&updates), ["refs/heads/", "refs/standin/", "refs/tags/"]);
    }

    #[test]
    fn the_server_program_is_read_from_the_packets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("packets");
        let line = "10:00:00.000000 pkt-line.c:85             packet:         push< ";
        let zeros = "0".repeat(40);
        for (offered, agent) in [
            (
                format!("{zeros} capabilities^{{}}\\0report-status delete-refs atomic agent=git/2.47.3"),
                Some("git/2.47.3"),
            ),
            (format!("{zeros} refs/heads/main\\0 report-status atomic agent=JGit/4.11.9"), Some("JGit/4.11.9")),
            (format!("{zeros} refs/heads/main\\0 report-status delete-refs"), None),
        ] {
            std::fs::write(&path, format!("{line}# service=git-receive-pack\n{line}{offered}\n")).unwrap();
            assert_eq!(agent_in(&path).as_deref(), agent);
        }
        assert_eq!(agent_in(&folder.path().join("none")), None);
    }

    #[test]
    fn the_fence_is_read_from_the_packets_where_the_server_shows_it_to_who_pushes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("packets");
        let line = "10:00:00.000000 pkt-line.c:85             packet:         push< ";
        let (one, two) = (oid('1'), oid('2'));
        for (offered, fence) in [
            (
                format!("{line}{one} refs/heads/main\\0report-status atomic\n{line}{two} refs/standin/fence"),
                Some(two.clone()),
            ),
            (format!("{line}{two} refs/standin/fence\\0report-status atomic"), Some(two)),
            (format!("{line}{one} refs/heads/main\\0report-status\n{line}{one} refs/standin/fences"), None),
        ] {
            std::fs::write(&path, offered).unwrap();
            assert_eq!(fence_in(&path), fence);
        }
    }
}
