//! Reading git's progress lines, such as `Writing objects:  45% (9/20), 1.25 MiB | 2.50 MiB/s`.

/// One progress line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProgressLine<'a> {
    /// What is being done: `Writing objects`.
    pub(super) phase: &'a str,
    pub(super) done: u64,
    pub(super) total: Option<u64>,
    /// Bytes moved, where the line tells them. Git rounds them to two digits after the point.
    pub(super) bytes: Option<u64>,
}

/// Reads a line of standard error, `None` where it is no progress.
pub(super) fn parse(line: &str) -> Option<ProgressLine<'_>> {
    let (phase, rest) = line.strip_prefix("remote:").unwrap_or(line).trim_start().split_once(": ")?;
    if phase.is_empty() || !phase.chars().all(|character| character.is_ascii_alphabetic() || character == ' ') {
        return None;
    }
    let mut parts = rest.split(", ");
    let count = parts.next()?.trim();
    let (done, total) = match count.split_once("% (") {
        Some((percent, counts)) => {
            percent.trim().parse::<u8>().ok()?;
            let (done, total) = counts.trim_end_matches('.').strip_suffix(')')?.split_once('/')?;
            (done.parse().ok()?, Some(total.parse().ok()?))
        }
        None => (count.parse().ok()?, None),
    };
    Some(ProgressLine { phase, done, total, bytes: parts.next().and_then(bytes) })
}

/// Bytes out of `1.25 MiB | 2.50 MiB/s`.
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = text.split(" | ").next()?.trim().split_once(' ')?;
    let factor: u32 = match unit {
        "bytes" | "byte" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    // Rounded by git already, and never negative.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Some((number * f64::from(factor)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lines_are_read_with_their_bytes() {
        let line = |phase, done, total, bytes| Some(ProgressLine { phase, done, total, bytes });
        assert_eq!(
            parse("Writing objects:  45% (9/20), 1.25 MiB | 2.50 MiB/s"),
            line("Writing objects", 9, Some(20), Some(1_310_720))
        );
        assert_eq!(
            parse("Receiving objects: 100% (3/3), 251 bytes | 251.00 KiB/s, done."),
            line("Receiving objects", 3, Some(3), Some(251))
        );
        assert_eq!(parse("remote: Counting objects: 100% (5/5), done."), line("Counting objects", 5, Some(5), None));
        assert_eq!(parse("Enumerating objects: 12, done."), line("Enumerating objects", 12, None, None));
        assert_eq!(parse("Resolving deltas:   0% (0/7)"), line("Resolving deltas", 0, Some(7), None));
    }

    #[test]
    fn other_lines_are_no_progress() {
        for line in [
            "fatal: repository 'x' not found",
            "remote: error: GH006: Protected branch update failed for refs/heads/main.",
            "remote: Total 3 (delta 0), reused 0 (delta 0), pack-reused 0",
            "Writing objects: many",
            "",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
