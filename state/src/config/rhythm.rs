//! When a mirror is synced by itself: every so often, at times of the clock, or never.

use std::fmt;
use std::time::Duration;

use cronexpr::{Crontab, FallbackTimezoneOption, ParseOptions};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::mistakes::{Complaint, shown};
use super::values;

/// When a mirror is synced by itself (`schedule = "15m" | "off" | "0 3 * * *"`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// So long after the sync before.
    Every(Duration),
    /// At times of the clock.
    At(Cron),
    /// Only by hand, or where something sets it off.
    Off,
}

/// Times of the clock, as `cron` writes them: minute, hour, day of the month, month, day of the week, and a time zone where it
/// is not this machine's.
#[derive(Clone)]
pub struct Cron {
    text: String,
    times: Crontab,
    /// The same as if there was no time zone, and the zone.
    by_the_clock: Crontab,
    zone: TimeZone,
}

impl Rhythm {
    /// Reads `15m`, `off` or five fields of cron.
    pub(super) fn parse(text: &str) -> Result<Self, Complaint> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::Off);
        }
        if text.split_whitespace().count() > 1 {
            return Cron::parse(text).map(Self::At);
        }
        values::duration(text).map(Self::Every).map_err(|complaint| Complaint {
            hint: format!(
                "{} Or write `off`, or times as cron has them, such as `0 3 * * *` (every day at three).",
                complaint.hint
            ),
            ..complaint
        })
    }
}

impl fmt::Display for Rhythm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) => write!(formatter, "every {}", values::written(*interval)),
            Self::At(cron) => write!(formatter, "at `{}`", cron.text),
            Self::Off => formatter.write_str("off"),
        }
    }
}

impl Cron {
    fn parse(text: &str) -> Result<Self, Complaint> {
        let complaint = |why: String| {
            Complaint::new(
                format!("{} is no time of cron: {why}", shown(text)),
                "Write five fields: minute, hour, day of the month, month and day of the week, such as `0 3 * * *` (every day at \
                 three) or `*/20 8-18 * * MON-FRI`; a time zone may follow, such as `Europe/Berlin`, else this machine's holds.",
            )
        };
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::System;
        let times = cronexpr::parse_crontab_with(text, options).map_err(|error| {
            // A drawing of the place, with the reason behind its marks where there is one.
            let text = error.to_string();
            let reason =
                text.lines().filter_map(|line| line.split_once('^')).map(|(_, reason)| reason.trim_start_matches('^'));
            let reason = reason.map(str::trim).find(|reason| !reason.is_empty());
            complaint(reason.or(text.lines().next()).unwrap_or_default().to_owned())
        })?;
        let fields: Vec<&str> = text.split_whitespace().collect();
        let by_the_clock = cronexpr::parse_crontab(&format!("{} UTC", fields[..fields.len().min(5)].join(" ")))
            .map_err(|_| complaint("it cannot be read".to_owned()))?;
        let zone = fields.get(5).map_or_else(|| Ok(TimeZone::system()), |zone| TimeZone::get(zone));
        let zone = zone.map_err(|_| complaint("there is no such time zone".to_owned()))?;
        let cron = Self { text: fields.join(" "), times, by_the_clock, zone };
        match cron.after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(cron),
            None => Err(complaint("no such day ever comes".to_owned())),
        }
    }

    /// The first of its times after this moment; `None` where none comes any more. A time that the clock leaves out because it is
    /// set forward comes as much later as it is set.
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let next = self.times.find_next(cronexpr::MakeTimestamp(moment)).ok()?.timestamp();
        let (here, then) = (self.zone.to_offset(moment), self.zone.to_offset(next));
        if here >= then {
            return Some(next);
        }
        // Set forward in between, what the clock shows is asked for, whether or not it ever shows it.
        let shown = TimeZone::UTC.to_timestamp(self.zone.to_datetime(moment)).ok()?;
        let by_the_clock = self.by_the_clock.find_next(cronexpr::MakeTimestamp(shown)).ok()?.datetime();
        let left_out = self.zone.to_ambiguous_timestamp(by_the_clock).compatible().ok()?;
        Some(if left_out > moment { left_out.min(next) } else { next })
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Cron {}

impl fmt::Debug for Cron {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Cron").field(&self.text).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn cron(text: &str) -> Cron {
        match Rhythm::parse(text) {
            Ok(Rhythm::At(cron)) => cron,
            other => panic!("{text}: {:?}", other.map_err(|complaint| complaint.message)),
        }
    }

    #[test]
    fn a_rhythm_reads_as_it_was_written() {
        for (text, shown) in [
            ("15m", "every 15m"),
            ("2h30m", "every 2h30m"),
            ("36h", "every 1d12h"),
            ("off", "off"),
            ("OFF", "off"),
            ("0  3 * *  * UTC", "at `0 3 * * * UTC`"),
        ] {
            assert_eq!(Rhythm::parse(text).map_err(|complaint| complaint.message).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_rhythm_is_told_with_what_would_be() {
        for text in
            ["never", "15", "0 3 * *", "61 * * * *", "0 3 * * * Nowhere/Land", "0 0 30 2 *", "0 3 * * * UTC x", ""]
        {
            let Err(complaint) = Rhythm::parse(text) else { panic!("{text} was taken") };
            assert!(complaint.hint.contains("0 3 * * *"), "{text}: {}", complaint.hint);
            assert!(!complaint.message.contains('\n'), "{text}: {}", complaint.message);
        }
    }

    #[test]
    fn the_next_time_is_after_the_moment_and_in_its_zone() {
        let daily = cron("30 2 * * * Europe/Zurich");
        assert_eq!(daily.after(at("2026-01-10T00:00:00Z")), Some(at("2026-01-10T01:30:00Z")));
        assert_eq!(daily.after(at("2026-01-10T01:30:00Z")), Some(at("2026-01-11T01:30:00Z")));
        assert_eq!(daily.after(at("2026-07-10T00:00:00Z")), Some(at("2026-07-10T00:30:00Z")));
    }

    fn next(cron: &Cron, from: &str, count: usize) -> Vec<String> {
        std::iter::successors(cron.after(at(from)), |before| cron.after(*before))
            .take(count)
            .map(|at| at.to_string())
            .collect()
    }

    /// On the last Sunday of March half past two does not come: it is half past three.
    #[test]
    fn a_day_on_which_the_clock_is_set_forward_has_its_time_too() {
        let daily = cron("30 2 * * * Europe/Zurich");
        assert_eq!(
            next(&daily, "2026-03-27T12:00:00Z", 3),
            ["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"]
        );
        // What comes on that day anyway comes as it is.
        let often = cron("0 */6 * * * Europe/Zurich");
        assert_eq!(
            next(&often, "2026-03-28T22:30:00Z", 3),
            ["2026-03-28T23:00:00Z", "2026-03-29T04:00:00Z", "2026-03-29T10:00:00Z"]
        );
    }

    #[test]
    fn a_day_on_which_the_clock_is_set_back_leaves_nothing_out() {
        let daily = cron("30 2 * * * Europe/Zurich");
        let times = next(&daily, "2026-10-23T12:00:00Z", 4);
        for day in ["2026-10-24T00:30:00Z", "2026-10-25T0", "2026-10-26T01:30:00Z"] {
            assert!(times.iter().any(|time| time.starts_with(day)), "{day}: {times:?}");
        }
        let often = cron("*/20 * * * * Europe/Zurich");
        let times = next(&often, "2026-10-24T23:50:00Z", 12);
        for pair in times.windows(2) {
            assert_eq!(at(&pair[1]).duration_since(at(&pair[0])).as_mins(), 20, "{times:?}");
        }
    }
}
