//! The report of a push: the hook's "declined" becomes the reason that the host gives.

use bytes::Bytes;

use super::hook::Reasons;

/// Data that fits into one packet of side-band-64k.
const BAND_DATA_MAX: usize = 65_515;

/// The same answer with the reasons of refused refs in their `ng` lines.
pub(super) fn with_reasons(answer: &[u8], reasons: &Reasons) -> Bytes {
    if reasons.is_empty() {
        return Bytes::copy_from_slice(answer);
    }
    rewrite(answer, reasons).map_or_else(|| Bytes::copy_from_slice(answer), Bytes::from)
}

/// None if the answer is no side-band stream.
fn rewrite(answer: &[u8], reasons: &Reasons) -> Option<Vec<u8>> {
    let mut rest = answer;
    let mut written = Vec::with_capacity(answer.len() + 1024);
    let mut report = Vec::new();
    while !rest.is_empty() {
        let (packet, after) = next_packet(rest)?;
        rest = after;
        match packet {
            // The end of the stream: the report goes before it.
            None => {
                let changed = change_report(&report, reasons)?;
                for piece in changed.chunks(BAND_DATA_MAX) {
                    let mut data = vec![1];
                    data.extend_from_slice(piece);
                    put_packet(&mut written, &data);
                }
                report.clear();
                written.extend_from_slice(b"0000");
            }
            Some([1, data @ ..]) => report.extend_from_slice(data),
            Some(data @ [2 | 3, ..]) => put_packet(&mut written, data),
            Some(_) => return None,
        }
    }
    report.is_empty().then_some(written)
}

fn change_report(report: &[u8], reasons: &Reasons) -> Option<Vec<u8>> {
    let mut rest = report;
    let mut written = Vec::with_capacity(report.len() + 1024);
    while !rest.is_empty() {
        let (packet, after) = next_packet(rest)?;
        rest = after;
        let Some(line) = packet else {
            written.extend_from_slice(b"0000");
            continue;
        };
        let text = std::str::from_utf8(line).ok();
        let reason = text
            .and_then(|text| text.trim_end().strip_prefix("ng "))
            .and_then(|text| text.strip_suffix(" hook declined"))
            .and_then(|name| Some((name, reasons.get(name)?)));
        match reason {
            Some((name, reason)) => {
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

    #[test]
    fn the_reason_stands_in_the_refused_line_only() {
        let report = [
            packet(b"unpack ok\n"),
            packet(b"ng refs/heads/a hook declined\n"),
            packet(b"ng refs/heads/b atomic push failure\n"),
            packet(b"ok refs/heads/c\n"),
            b"0000".to_vec(),
        ]
        .concat();
        let (first, second) = report.split_at(20);
        let answer = [band(2, b"a remark\n"), band(1, first), band(1, second), b"0000".to_vec()].concat();
        let reasons = Reasons::from([("refs/heads/a".to_owned(), "because".to_owned())]);
        let expected_report = [
            packet(b"unpack ok\n"),
            packet(b"ng refs/heads/a because\n"),
            packet(b"ng refs/heads/b atomic push failure\n"),
            packet(b"ok refs/heads/c\n"),
            b"0000".to_vec(),
        ]
        .concat();
        let expected = [band(2, b"a remark\n"), band(1, &expected_report), b"0000".to_vec()].concat();
        assert_eq!(with_reasons(&answer, &reasons), expected);
    }

    #[test]
    fn an_answer_that_is_no_report_stays_as_it_is() {
        let reasons = Reasons::from([("refs/heads/a".to_owned(), "because".to_owned())]);
        assert_eq!(with_reasons(b"oops", &reasons), "oops");
    }
}
