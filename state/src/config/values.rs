//! Single values: booleans, durations, counts, lists, paths, tokens.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use super::mistakes::{Complaint, shown};

const YEAR: u64 = 366 * 24 * 60 * 60;

/// `true`, `yes`, `on`, `1` and their opposites, in any case.
pub(super) fn boolean(text: &str) -> Result<bool, Complaint> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(Complaint::new(
            format!("{} is neither true nor false", shown(text)),
            "Write `true` or `false` (or yes/no, on/off, 1/0).",
        )),
    }
}

/// Numbers with units, such as `30s`, `15m`, `2h30m`, `1d`; more than nothing and at most a year.
pub(super) fn duration(text: &str) -> Result<Duration, Complaint> {
    let complaint = || {
        Complaint::new(
            format!("{} is not a length of time", shown(text)),
            "Write numbers with units: `30s`, `15m`, `1h`, `2h30m`, `1d`; more than nothing and at most 366 days.",
        )
    };
    let mut seconds: u64 = 0;
    let mut number: Option<u64> = None;
    for character in text.chars() {
        if let Some(digit) = character.to_digit(10) {
            let tens = number.unwrap_or(0).checked_mul(10).ok_or_else(complaint)?;
            number = Some(tens.checked_add(digit.into()).ok_or_else(complaint)?);
            continue;
        }
        let unit = match character {
            'd' => 24 * 60 * 60,
            'h' => 60 * 60,
            'm' => 60,
            's' => 1,
            _ => return Err(complaint()),
        };
        let part = number.take().and_then(|number| number.checked_mul(unit)).ok_or_else(complaint)?;
        seconds = seconds.checked_add(part).ok_or_else(complaint)?;
    }
    if number.is_some() || seconds == 0 || seconds > YEAR {
        return Err(complaint());
    }
    Ok(Duration::from_secs(seconds))
}

/// A length of time as the configuration writes it: `30s`, `15m`, `2h30m`.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn length_of_time(text: &str) -> Result<Duration, String> {
    duration(text).map_err(|Complaint { message, hint }| format!("{message}. {hint}"))
}

/// A length of time as it is written: `1d12h`.
pub fn written(length: Duration) -> String {
    let mut rest = length.as_secs();
    let mut text = String::new();
    for (unit, seconds) in [("d", 24 * 60 * 60), ("h", 60 * 60), ("m", 60), ("s", 1)] {
        if rest >= seconds {
            text.push_str(&format!("{}{unit}", rest / seconds));
            rest %= seconds;
        }
    }
    text
}

/// How many mirrors may be synced at once.
pub(super) fn parallel(text: &str) -> Result<usize, Complaint> {
    text.parse().ok().filter(|count| (1..=256).contains(count)).ok_or_else(|| {
        Complaint::new(format!("{} is not a number from 1 to 256", shown(text)), "Write a number such as `8`.")
    })
}

/// How many failed checks in a row mean that the master is down.
pub(super) fn threshold(count: i64) -> Result<u32, Complaint> {
    u32::try_from(count).ok().filter(|count| (2..=100).contains(count)).ok_or_else(|| {
        Complaint::new(
            format!("{count} is not a number of checks from 2 to 100"),
            "Write a number such as `3`; a single failed check never makes another master.",
        )
    })
}

/// Time between two checks of the sentinel, as a schedule of GitHub can say it.
pub(super) fn check_interval(text: &str) -> Result<Duration, Complaint> {
    const MINUTES: [u64; 13] = [5, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720];
    let interval = duration(text)?;
    if MINUTES.iter().any(|minutes| interval == Duration::from_secs(minutes * 60)) {
        return Ok(interval);
    }
    Err(Complaint::new(
        format!("{} cannot be kept by a schedule of GitHub", shown(text)),
        "Write `5m`, `10m`, `12m`, `15m`, `20m`, `30m`, `1h`, `2h`, `3h`, `4h`, `6h`, `8h` or `12h`.",
    ))
}

/// Names with commas, spaces or line ends between them.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(|character: char| character == ',' || character.is_whitespace())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A token: one word of printable characters.
pub(super) fn token(text: &str) -> Result<SecretString, Complaint> {
    if text.chars().all(|character| character.is_ascii_graphic()) {
        return Ok(SecretString::from(text));
    }
    Err(Complaint::new(
        "the token has spaces, line ends or characters that no token has",
        "Paste it again, alone on its line; a comment after it needs a space before the `#`.",
    ))
}

/// A path against `base`, with `~/` as the home folder, and without `.` and `..` where that needs no look at the disk.
pub(super) fn path(text: &str, base: &Path, home: Option<&Path>) -> Result<PathBuf, Complaint> {
    let path = match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with(['/', '\\']) => {
            home.join(rest.trim_start_matches(['/', '\\']))
        }
        (Some(_), _) => {
            return Err(Complaint::new(
                format!("{} cannot be resolved", shown(text)),
                "Write the whole path; `~/` works where HOME is set, `~name` does not.",
            ));
        }
        (None, _) => base.join(text),
    };
    Ok(lexical(&path))
}

/// The path without `.` and `..`.
pub(super) fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(clean.components().next_back(), Some(Component::Normal(_))) => {
                clean.pop();
            }
            Component::ParentDir if clean.has_root() => {}
            other => clean.push(other),
        }
    }
    clean
}
