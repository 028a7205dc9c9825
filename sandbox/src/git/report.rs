//! The report of a push in GitHub's words: git's own are put into those that the host gives.
//!
//! | what happened | git says | GitHub says |
//! |---|---|---|
//! | a ref was refused | `hook declined` | its own reason |
//! | another ref of an atomic push was | `atomic push failure` | `atomic transaction failed` |
//! | a ref moved meanwhile | `failed to update ref`, and why in a remark | why, in the ref's line |
//! | the pack was not taken | `unpacker error` | `failed` |

use std::collections::BTreeMap;

use bytes::Bytes;

use super::hook::Reasons;

/// Data that fits into one packet of side-band-64k.
const BAND_DATA_MAX: usize = 65_515;

/// What the host has to say of a push.
#[derive(Debug, Default)]
pub(super) struct Wording {
    /// Every ref is refused, in these words.
    pub whole: Option<&'static str>,
    /// Single refs and why.
    pub refused: Reasons,
}

/// The same answer in the host's words; one that is no side-band stream stays as it is.
pub(super) fn in_the_hosts_words(answer: &[u8], wording: &Wording) -> Bytes {
    rewrite(answer, wording).map_or_else(|| Bytes::copy_from_slice(answer), Bytes::from)
}

/// None if the answer is no side-band stream.
fn rewrite(answer: &[u8], wording: &Wording) -> Option<Vec<u8>> {
    let mut rest = answer;
    let mut written = Vec::with_capacity(answer.len() + 1024);
    let mut report = Vec::new();
    let mut lost = BTreeMap::new();
    while !rest.is_empty() {
        let (packet, after) = next_packet(rest)?;
        rest = after;
        match packet {
            // The end of the stream: the report goes before it.
            None => {
                let changed = change_report(&report, wording, &lost)?;
                for piece in changed.chunks(BAND_DATA_MAX) {
                    let mut data = vec![1];
                    data.extend_from_slice(piece);
                    put_packet(&mut written, &data);
                }
                report.clear();
                written.extend_from_slice(b"0000");
            }
            Some([1, data @ ..]) => report.extend_from_slice(data),
            Some(data @ [2 | 3, text @ ..]) => match lost_race(text) {
                Some((name, why)) => {
                    lost.insert(name, why);
                }
                None => put_packet(&mut written, data),
            },
            Some(_) => return None,
        }
    }
    report.is_empty().then_some(written)
}

/// What git says of a ref that does not stand where it must, or has no room for its name. Other locks are git's own matter.
const LOST: [&str; 4] = ["but expected", "reference already exists", "unable to resolve reference", "cannot create"];

/// The ref that git's remark says was not moved, and why.
fn lost_race(remark: &[u8]) -> Option<(String, String)> {
    let why = std::str::from_utf8(remark).ok()?.lines().next()?.strip_prefix("error: ")?;
    let (name, reason) = why.strip_prefix("cannot lock ref '")?.split_once("': ")?;
    LOST.iter().any(|words| reason.contains(words)).then(|| (name.to_owned(), why.to_owned()))
}

fn change_report(report: &[u8], wording: &Wording, lost: &BTreeMap<String, String>) -> Option<Vec<u8>> {
    let mut rest = report;
    let mut written = Vec::with_capacity(report.len() + 1024);
    while !rest.is_empty() {
        let (packet, after) = next_packet(rest)?;
        rest = after;
        let Some(line) = packet else {
            written.extend_from_slice(b"0000");
            continue;
        };
        let refused = std::str::from_utf8(line).ok().and_then(|text| text.trim_end().strip_prefix("ng "));
        match refused.and_then(|text| text.split_once(' ')) {
            Some((name, said)) => {
                let reason = wording
                    .whole
                    .or_else(|| wording.refused.get(name).map(String::as_str))
                    .or_else(|| lost.get(name).map(String::as_str))
                    .unwrap_or(match said {
                        "atomic push failure" => "atomic transaction failed",
                        "unpacker error" => "failed",
                        said => said,
                    });
                put_packet(&mut written, format!("ng {name} {reason}\n").as_bytes());
            }
            None => put_packet(&mut written, line),
        }
    }
    Some(written)
}

/// The packet at the start (none for a flush) and what follows it.
fn next_packet(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (head, after) = bytes.split_at_checked(4)?;
    let length = usize::from_str_radix(std::str::from_utf8(head).ok()?, 16).ok()?;
    if length == 0 {
        return Some((None, after));
    }
    let (data, after) = after.split_at_checked(length.checked_sub(4)?)?;
    Some((Some(data), after))
}

fn put_packet(written: &mut Vec<u8>, data: &[u8]) {
    written.extend_from_slice(format!("{:04x}", data.len() + 4).as_bytes());
    written.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(data: &[u8]) -> Vec<u8> {
        let mut written = Vec::new();
        put_packet(&mut written, data);
        written
    }

    fn band(band: u8, data: &[u8]) -> Vec<u8> {
        packet(&[&[band], data].concat())
    }

    /// An answer whose report has these lines, below these remarks.
    fn answer(remarks: &[&str], lines: &[&str]) -> Vec<u8> {
        let report: Vec<u8> = lines.iter().flat_map(|line| packet(format!("{line}\n").as_bytes())).collect();
        let mut written: Vec<u8> = remarks.iter().flat_map(|remark| band(2, remark.as_bytes())).collect();
        written.extend(band(1, &[report, b"0000".to_vec()].concat()));
        written.extend(b"0000");
        written
    }

    #[test]
    fn the_reason_stands_in_the_refused_line_and_the_others_say_github_s_word() {
        let git =
            ["unpack ok", "ng refs/heads/a hook declined", "ng refs/heads/b atomic push failure", "ok refs/heads/c"];
        let wording = Wording { whole: None, refused: [("refs/heads/a".to_owned(), "because".to_owned())].into() };
        let expected =
            ["unpack ok", "ng refs/heads/a because", "ng refs/heads/b atomic transaction failed", "ok refs/heads/c"];
        assert_eq!(in_the_hosts_words(&answer(&["a remark\n"], &git), &wording), answer(&["a remark\n"], &expected));
    }

    #[test]
    fn a_report_that_came_in_pieces_is_put_together() {
        let report = [packet(b"unpack ok\n"), packet(b"ng refs/heads/a unpacker error\n"), b"0000".to_vec()].concat();
        let (first, second) = report.split_at(20);
        let pieces = [band(1, first), band(1, second), b"0000".to_vec()].concat();
        let expected = answer(&[], &["unpack ok", "ng refs/heads/a failed"]);
        assert_eq!(in_the_hosts_words(&pieces, &Wording::default()), expected);
    }

    #[test]
    fn a_lost_race_stands_in_the_line_of_its_ref() {
        let why = "cannot lock ref 'refs/heads/a': is at 1 but expected 2";
        let remark = format!("error: {why}\n");
        let failed = "atomic transaction failed";
        let git = ["unpack ok".to_owned(), format!("ng refs/heads/a {failed}"), format!("ng refs/heads/b {failed}")];
        let expected = ["unpack ok".to_owned(), format!("ng refs/heads/a {why}"), format!("ng refs/heads/b {failed}")];
        let [git, expected] = [&git, &expected].map(|lines| lines.each_ref().map(String::as_str));
        assert_eq!(in_the_hosts_words(&answer(&[&remark], &git), &Wording::default()), answer(&[], &expected));
    }

    #[test]
    fn a_lock_that_cannot_be_had_stays_in_git_s_words() {
        let remark = "error: cannot lock ref 'refs/heads/a': Unable to create '/a.lock': File exists.\n\nAnother git\n";
        let git = answer(&[remark], &["unpack ok", "ng refs/heads/a failed to update ref"]);
        assert_eq!(in_the_hosts_words(&git, &Wording::default()), git);
    }

    #[test]
    fn an_answer_that_is_no_report_stays_as_it_is() {
        assert_eq!(in_the_hosts_words(b"oops", &Wording::default()), "oops");
    }
}
