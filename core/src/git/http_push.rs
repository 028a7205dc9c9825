//! Pushing one small commit over HTTP without starting git: the fence, which a sync moves again and again.
//!
//! Git starts nine processes for a push. Here it is two requests: the one that shows how the remote stands, and a pack
//! of a few objects. Only a commit that stands directly on the one that the remote has goes this way. As long as nothing was
//! sent, whatever is not exactly as expected is left to git, as in [`super::http`]. Once the pack is on its way no other way is
//! tried: what has no answer is an unknown outcome, told in the words that git has for it.

use std::error::Error as _;

use git2::ObjectType;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder};

use super::Cache;
use super::child::Lines;
use super::http::{Asking, Packets, is_answer, read_advertisement, told};
use super::push::{PushResult, Update};
use crate::Result;

/// How many objects a parcel may have.
const MAX_OBJECTS: usize = 16;
/// How many bytes the objects of a parcel may have together.
const MAX_BYTES: usize = 1 << 20;
/// How long the remote's answer may be, in bytes.
const MAX_ANSWER: usize = 4 << 20;
/// The service that takes pushes.
const SERVICE: &str = "git-receive-pack";
/// The id of a ref that does not exist.
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// A commit with all that it holds.
pub(super) struct Parcel {
    pub(super) pack: Vec<u8>,
    pub(super) objects: u64,
}

impl Parcel {
    /// What the remote lacks of `update`, where that is certain and little: a commit directly on top of the one that must
    /// stand there, or the first of all. `None` where git must find out.
    pub(super) fn of(cache: &Cache, update: &Update) -> Option<Self> {
        let id = git2::Oid::from_str(update.new.as_ref()?.as_str()).ok()?;
        let repository = cache.repository().ok()?;
        let commit = repository.find_commit(id).ok()?;
        let parents: Vec<String> = commit.parent_ids().map(|parent| parent.to_string()).collect();
        let must_stand: Vec<&str> = update.old.iter().map(|old| old.as_str()).collect();
        if parents != must_stand {
            return None;
        }
        let objects = objects_of(&repository, &commit)?;
        let mut builder = repository.packbuilder().ok()?;
        builder.set_threads(1);
        for object in &objects {
            builder.insert_object(*object, None).ok()?;
        }
        let mut pack = git2::Buf::new();
        builder.write_buf(&mut pack).ok()?;
        Some(Self { pack: pack.to_vec(), objects: objects.len() as u64 })
    }
}

/// The commit and what it holds, without its history; `None` for more than a parcel takes, and for submodules.
fn objects_of(repository: &git2::Repository, commit: &git2::Commit<'_>) -> Option<Vec<git2::Oid>> {
    let odb = repository.odb().ok()?;
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    let mut open = vec![commit.tree_id(), commit.id()];
    while let Some(object) = open.pop() {
        if found.contains(&object) {
            continue;
        }
        let (size, kind) = odb.read_header(object).ok()?;
        bytes = bytes.saturating_add(size);
        if found.len() == MAX_OBJECTS || bytes > MAX_BYTES {
            return None;
        }
        found.push(object);
        if kind != ObjectType::Tree {
            continue;
        }
        for entry in &repository.find_tree(object).ok()? {
            if !matches!(entry.kind(), Some(ObjectType::Blob | ObjectType::Tree)) {
                return None;
            }
            open.push(entry.id());
        }
    }
    Some(found)
}

/// What the remote shows before anything is sent.
pub(super) enum Door {
    /// The ref stands where it shall already, or not where it must.
    Closed(PushResult),
    /// The parcel can be sent.
    Open(Box<Letter>),
}

/// The request that pushes.
pub(super) struct Letter {
    request: RequestBuilder,
    /// The answer comes with the words that the remote has for its users.
    side_band: bool,
    /// The server says that it is git.
    pub(super) by_git: bool,
}

/// What the remote said of the update.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The ref stands where it shall.
    Taken,
    /// It was not taken, in the remote's words.
    Refused(String),
    /// The remote's word is missing.
    Unknown,
}

/// The remote's answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) verdict: Verdict,
    /// What it told (`remote:`), and what went wrong in git's words.
    pub(super) lines: Vec<String>,
}

impl Answered {
    fn unknown(what_went_wrong: &str) -> Self {
        Self { verdict: Verdict::Unknown, lines: vec![format!("error: RPC failed; {what_went_wrong}")] }
    }
}

impl Asking<'_> {
    /// Looks how the remote stands; `None` where git must be asked.
    ///
    /// # Errors
    /// As [`Asking::list`].
    pub(super) async fn knock(&self, update: &Update, parcel: &Parcel) -> Result<Option<Door>> {
        let body = self.unless_cancelled(self.refs_of(SERVICE)).await?;
        let Some((body, new)) = body.zip(update.new.as_ref()) else { return Ok(None) };
        let mut stands = None;
        let read = read_advertisement(&body, SERVICE, |oid, name| {
            if name == update.name.as_str().as_bytes() {
                stands = Some(oid);
            }
        });
        let Some(capabilities) = read else { return Ok(None) };
        if stands == Some(new.as_str().as_bytes()) {
            return Ok(Some(Door::Closed(PushResult::Done)));
        }
        if stands != update.old.as_ref().map(|old| old.as_str().as_bytes()) {
            return Ok(Some(Door::Closed(PushResult::Stale)));
        }
        let Some(chosen) = choose(&capabilities) else { return Ok(None) };
        let old = update.old.as_ref().map_or(NOTHING, |old| old.as_str());
        let command = format!("{old} {new} {}\0 {chosen}", update.name);
        let body = [format!("{:04x}{command}0000", command.len() + 4).as_bytes(), &parcel.pack].concat();
        let Some(request) = self.request(Method::POST, SERVICE) else { return Ok(None) };
        let request = request
            .header(CONTENT_TYPE, format!("application/x-{SERVICE}-request"))
            .header(ACCEPT, format!("application/x-{SERVICE}-result"))
            .body(body);
        Ok(Some(Door::Open(Box::new(Letter {
            request,
            side_band: chosen.contains("side-band-64k"),
            by_git: capabilities.iter().any(|capability| capability.starts_with(b"agent=git/")),
        }))))
    }

    /// Sends the parcel. `hears` is told each line of the remote, and says whether it was progress.
    ///
    /// # Errors
    /// [`crate::Code::Cancelled`], and [`crate::Code::TimedOut`] when the host's check takes too long, or its answer stops
    /// halfway: what the remote did is unknown then.
    pub(super) async fn send(
        &self,
        letter: Box<Letter>,
        update: &Update,
        hears: &mut (dyn FnMut(&str) -> bool + Send),
    ) -> Result<Answered> {
        let Letter { request, side_band, .. } = *letter;
        let answered = async {
            // The host was there a moment ago, and the letter is short: what takes long is its check.
            let response = match self.once_done(request.send()).await? {
                Ok(response) => response,
                Err(error) => return Ok(Err(Answered::unknown(&in_words(&error.without_url())))),
            };
            if !is_answer(&response, &format!("application/x-{SERVICE}-result")) {
                let (status, headers) = (response.status().as_u16(), response.headers().clone());
                let mut answered = Answered::unknown(&format!("HTTP {status}"));
                if let Ok(body) = self.body(response, MAX_ANSWER).await? {
                    answered.lines.extend(told(&headers, &body));
                }
                return Ok(Err(answered));
            }
            Ok(self.body(response, MAX_ANSWER).await?.map_err(|why| Answered::unknown(&why)))
        };
        Ok(match self.unless_cancelled(answered).await? {
            Ok(body) => read_answer(&body, side_band, update.name.as_str(), hears),
            Err(unknown) => unknown,
        })
    }
}

/// The capabilities to ask for, of those that the remote offers; `None` for a remote that is not served here.
fn choose(offered: &[&[u8]]) -> Option<String> {
    let offers = |name: &str| offered.contains(&name.as_bytes());
    let format = offered.iter().find_map(|capability| capability.strip_prefix(b"object-format="));
    if !offers("report-status") || format.is_some_and(|format| format != b"sha1") {
        return None;
    }
    let mut chosen = vec!["report-status"];
    if offers("side-band-64k") {
        chosen.push("side-band-64k");
    }
    if format.is_some() {
        chosen.push("object-format=sha1");
    }
    if offered.iter().any(|capability| capability.starts_with(b"agent=")) {
        chosen.push(concat!("agent=standin/", env!("CARGO_PKG_VERSION")));
    }
    Some(chosen.join(" "))
}

/// The error with what it came from.
fn in_words(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}

/// Reads the answer to a push of `name`.
fn read_answer(body: &[u8], side_band: bool, name: &str, hears: &mut (dyn FnMut(&str) -> bool + Send)) -> Answered {
    let mut report = Vec::new();
    let mut told = Lines::default();
    let mut gave_up = false;
    if side_band {
        for packet in Packets(body).take_while(|packet| !packet.is_empty()) {
            match packet.split_first() {
                Some((1, data)) => report.extend_from_slice(data),
                Some((2, data)) => told.hear(data, hears),
                other => {
                    told.hear(other.map_or(&b""[..], |(_, data)| data), hears);
                    gave_up = true;
                    break;
                }
            }
        }
    } else {
        report.extend_from_slice(body);
    }
    told.end(hears);
    let mut lines: Vec<String> = told.kept.iter().map(|line| format!("remote: {line}")).collect();
    let verdict = if gave_up { None } else { read_report(&report, name, &mut lines) };
    if verdict.is_none() {
        lines.push("error: RPC failed; the remote did not say what became of the push".to_owned());
    }
    Answered { verdict: verdict.unwrap_or(Verdict::Unknown), lines }
}

/// What the report says of `name`; `None` where it is not whole, or contradicts itself.
fn read_report(report: &[u8], name: &str, lines: &mut Vec<String>) -> Option<Verdict> {
    let mut packets = Packets(report);
    let unpacked = packets.next()?.trim_ascii_end().strip_prefix(b"unpack ")?;
    if unpacked != b"ok" {
        lines.push(format!("error: remote unpack failed: {}", first_line(unpacked)));
    }
    let mut verdict = None;
    loop {
        let packet = packets.next()?.trim_ascii_end();
        if packet.is_empty() {
            return verdict.filter(|verdict| *verdict != Verdict::Taken || unpacked == b"ok");
        }
        let mut words = packet.splitn(3, |&byte| byte == b' ');
        let (word, about, reason) = (words.next(), words.next(), words.next());
        if about != Some(name.as_bytes()) {
            continue;
        }
        let said = match word {
            Some(b"ok") => Verdict::Taken,
            Some(b"ng") => Verdict::Refused(reason.map_or_else(|| "failed".to_owned(), first_line)),
            _ => continue,
        };
        if verdict.replace(said).is_some() {
            return None;
        }
    }
}

fn first_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FENCE: &str = "refs/standin/fence";

    fn packet(data: &[u8]) -> Vec<u8> {
        [format!("{:04x}", data.len() + 4).as_bytes(), data].concat()
    }

    fn report(lines: &[&str]) -> Vec<u8> {
        let packets: Vec<u8> = lines.iter().flat_map(|line| packet(line.as_bytes())).collect();
        [&packets[..], b"0000"].concat()
    }

    fn band(number: u8, data: &[u8]) -> Vec<u8> {
        packet(&[&[number], data].concat())
    }

    fn read(body: &[u8], side_band: bool) -> Answered {
        read_answer(body, side_band, FENCE, &mut |line| line.starts_with("Resolving"))
    }

    fn refused(reason: &str) -> Verdict {
        Verdict::Refused(reason.to_owned())
    }

    #[test]
    fn a_report_says_what_became_of_the_ref() {
        for (lines, expected) in [
            (&["unpack ok\n", "ok refs/standin/fence\n"][..], Verdict::Taken),
            (&["unpack ok", "ng refs/standin/fence hook declined\n"], refused("hook declined")),
            (&["unpack ok\n", "ng refs/standin/fence\n"], refused("failed")),
            (&["unpack ok\n", "ng refs/standin/fence one\n \tok\n"], refused("one")),
            (&["unpack no room\n", "ng refs/standin/fence unpacker error\n"], refused("unpacker error")),
            (&["unpack ok\n", "option x\n", "ok refs/heads/main\n", "ok refs/standin/fence\n"], Verdict::Taken),
            // Nothing of this says that the ref was taken.
            (&["unpack no room\n", "ok refs/standin/fence\n"], Verdict::Unknown),
            (&["unpack ok\n"], Verdict::Unknown),
            (&["ok refs/standin/fence\n"], Verdict::Unknown),
            (&["unpack ok\n", "ok refs/standin/fence2\n"], Verdict::Unknown),
            (&["unpack ok\n", "ok refs/standin/fence\n", "ng refs/standin/fence no\n"], Verdict::Unknown),
            (&["unpack ok\n", "so refs/standin/fence\n"], Verdict::Unknown),
        ] {
            assert_eq!(read(&report(lines), false).verdict, expected, "{lines:?}");
            let in_band = [band(1, &report(lines)), b"0000".to_vec()].concat();
            assert_eq!(read(&in_band, true).verdict, expected, "{lines:?}");
        }
    }

    #[test]
    fn the_words_of_the_remote_are_lines_and_its_progress_is_none() {
        let whole = report(&["unpack ok\n", "ng refs/standin/fence no\n"]);
        let (first, second) = whole.split_at(9);
        let body = [
            band(2, b"error: GH0"),
            band(1, first),
            band(2, b"13: no\nResolving deltas: 100% (1/1)\r\nmore"),
            band(1, second),
            b"0000".to_vec(),
        ];
        let answered = read(&body.concat(), true);
        assert_eq!(answered.verdict, refused("no"));
        assert_eq!(answered.lines, ["remote: error: GH013: no", "remote: more"]);
        // A last word, after which nothing counts.
        let body = [band(3, b"out of memory"), band(1, &report(&["unpack ok\n", "ok refs/standin/fence\n"]))];
        let answered = read(&body.concat(), true);
        assert_eq!(answered.verdict, Verdict::Unknown);
        assert_eq!(answered.lines[0], "remote: out of memory");
    }

    #[test]
    fn what_is_cut_or_no_report_is_an_unknown_outcome() {
        let whole = report(&["unpack ok\n", "ok refs/standin/fence\n"]);
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length], false).verdict, Verdict::Unknown, "{length}");
            let in_band = [band(1, &whole[..length]), b"0000".to_vec()].concat();
            assert_eq!(read(&in_band, true).verdict, Verdict::Unknown, "{length}");
        }
        for other in
            [&b"<html>"[..], b"ffff", b"fff0unpack ok", b"zzzz", b"+001", b"0001", b"0004", b"\xff\xff\xff\xff"]
        {
            for side_band in [false, true] {
                let answered = read(other, side_band);
                assert_eq!(answered.verdict, Verdict::Unknown, "{other:?}");
                assert!(answered.lines.iter().any(|line| line.starts_with("error: RPC failed")), "{answered:?}");
            }
        }
    }

    #[test]
    fn only_what_is_offered_is_asked_for() {
        let chosen = |offered: &str| choose(&offered.split(' ').map(str::as_bytes).collect::<Vec<_>>());
        assert_eq!(chosen("report-status delete-refs").as_deref(), Some("report-status"));
        let all = chosen("report-status report-status-v2 side-band-64k quiet atomic object-format=sha1 agent=git/2.47");
        let all = all.unwrap();
        assert!(all.starts_with("report-status side-band-64k object-format=sha1 agent=standin/"), "{all}");
        assert_eq!(chosen("side-band-64k atomic"), None);
        assert_eq!(chosen("report-status object-format=sha256"), None);
    }

    #[test]
    fn only_a_small_commit_right_on_top_is_a_parcel() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("cache.git")).unwrap();
        let time = jiff::Timestamp::UNIX_EPOCH;
        let commit = |parent, content: &[u8]| cache.commit_document(parent, "fence.json", content, "m", time).unwrap();
        let first = commit(None, b"first");
        let second = commit(Some(&first), b"second");
        let third = commit(Some(&second), b"third");
        let large = commit(Some(&first), &vec![b'x'; MAX_BYTES]);
        let objects = |old: Option<&standin_state::model::Oid>, new: &standin_state::model::Oid| {
            let update = Update { name: FENCE.parse().unwrap(), old: old.cloned(), new: Some(new.clone()) };
            Parcel::of(&cache, &update).map(|parcel| parcel.objects)
        };
        assert_eq!(objects(None, &first), Some(3));
        assert_eq!(objects(Some(&first), &second), Some(3));
        for (old, new) in [(None, &second), (Some(&first), &third), (Some(&second), &first), (Some(&first), &large)] {
            assert_eq!(objects(old, new), None);
        }
        let blob = cache.write_blob(b"no commit").unwrap();
        assert_eq!(objects(None, &blob), None);
        assert_eq!(objects(None, &"1".repeat(40).parse().unwrap()), None, "it is not here");
    }
}
