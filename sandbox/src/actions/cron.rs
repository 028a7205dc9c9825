//! `on.schedule.cron`: when it falls due, and what GitHub refuses.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// Least minutes between two runs of one schedule.
const LEAST_INTERVAL: u32 = 5;
/// A schedule such as 29 February comes at least once in so many days.
const SEARCH_DAYS: i64 = 366 * 8 + 2;

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Five fields in POSIX form, in UTC. Each is a set of numbers, one bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cron {
    /// As it was written.
    pub text: String,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Day of the month and day of the week are both restricted: either is enough.
    either_day: bool,
}

impl Cron {
    /// Reads a schedule.
    ///
    /// # Errors
    /// What GitHub would not take, in words for the author of the file.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(format!("the cron {text:?} has {} fields, not five", fields.len()));
        };
        let set = |name, field: &str, first, last, words: &[&str], word_of| {
            set(field, first, last, words, word_of)
                .ok_or_else(|| format!("the {name} {field:?} of the cron {text:?} is not valid"))
        };
        let weekday_set = set("day of the week", weekdays, 0, 7, &DAYS, 0)?;
        let cron = Self {
            text: text.to_owned(),
            minutes: set("minute", minutes, 0, 59, &[], 0)?,
            hours: set("hour", hours, 0, 23, &[], 0)?,
            days: set("day of the month", days, 1, 31, &[], 0)?,
            months: set("month", months, 1, 12, &MONTHS, 1)?,
            // 7 is Sunday too.
            weekdays: (weekday_set | weekday_set >> 7) & 0b111_1111,
            either_day: !days.starts_with('*') && !weekdays.starts_with('*'),
        };
        if cron.least_interval() < LEAST_INTERVAL {
            return Err(format!(
                "the cron {text:?} asks for runs less than {LEAST_INTERVAL} minutes apart, the shortest interval that \
                 GitHub allows"
            ));
        }
        Ok(cron)
    }

    fn least_interval(&self) -> u32 {
        let minutes: Vec<u32> = (0..60).filter(|minute| has(self.minutes, *minute)).collect();
        let within = minutes.windows(2).map(|pair| pair[1] - pair[0]).min();
        let hours_touch = (0..24).any(|hour| has(self.hours, hour) && has(self.hours, (hour + 1) % 24));
        let across = match (minutes.first(), minutes.last()) {
            (Some(first), Some(last)) if hours_touch => Some(60 - last + first),
            _ => None,
        };
        within.into_iter().chain(across).min().unwrap_or(60)
    }

    /// The first moment after this one; none if there is no such date.
    pub(crate) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let start = after.to_zoned(TimeZone::UTC).datetime();
        let mut date = start.date();
        for _ in 0..SEARCH_DAYS {
            if self.on(date) {
                for hour in (0..24).filter(|hour| has(self.hours, *hour)) {
                    for minute in (0..60).filter(|minute| has(self.minutes, *minute)) {
                        let moment = date.at(hour as i8, minute as i8, 0, 0).to_zoned(TimeZone::UTC).ok()?.timestamp();
                        if moment > after {
                            return Some(moment);
                        }
                    }
                }
            }
            date = date.checked_add(1.day()).ok()?;
        }
        None
    }

    fn on(&self, date: Date) -> bool {
        let day = has(self.days, date.day() as u32);
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset() as u32);
        let day = if self.either_day { day || weekday } else { day && weekday };
        day && has(self.months, date.month() as u32)
    }
}

fn has(set: u64, number: u32) -> bool {
    set >> number & 1 == 1
}

/// The numbers of one field: `*`, `a`, `a-b`, each with `/step`, and lists of them. `words` stand for numbers from
/// `word_of` on.
fn set(field: &str, first: u32, last: u32, words: &[&str], word_of: u32) -> Option<u64> {
    let number = |text: &str| -> Option<u32> {
        let word = words.iter().position(|word| word.eq_ignore_ascii_case(text));
        let number = match word {
            Some(index) => index as u32 + word_of,
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok()?,
            None => return None,
        };
        (first..=last).contains(&number).then_some(number)
    };
    let mut set = 0;
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<u32>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (first, last),
            Some((from, to)) => (number(from)?, number(to)?),
            None if part.contains('/') => (number(range)?, last),
            None => (number(range)?, number(range)?),
        };
        if from > to {
            return None;
        }
        for number in (from..=to).step_by(step as usize) {
            set |= 1 << number;
        }
    }
    Some(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(cron: &str, after: &str, count: usize) -> Vec<String> {
        let cron = Cron::parse(cron).unwrap();
        let mut at: Timestamp = after.parse().unwrap();
        (0..count)
            .map_while(|_| {
                at = cron.next_after(at)?;
                Some(at.to_string())
            })
            .collect()
    }

    #[test]
    fn schedules_fall_due_in_order() {
        assert_eq!(
            times("7,37 * * * *", "2026-01-31T23:37:00Z", 3),
            ["2026-02-01T00:07:00Z", "2026-02-01T00:37:00Z", "2026-02-01T01:07:00Z"]
        );
        assert_eq!(times("*/30 4-5 * * *", "2026-01-01T04:29:59Z", 3)[2], "2026-01-01T05:30:00Z");
        assert_eq!(times("0 0 29 2 *", "2026-01-01T00:00:00Z", 1), ["2028-02-29T00:00:00Z"]);
        assert_eq!(times("0 12 * * MON-FRI", "2026-02-06T12:00:00Z", 1), ["2026-02-09T12:00:00Z"]);
        assert_eq!(times("0 12 13 * 5", "2026-02-02T00:00:00Z", 3)[2], "2026-02-20T12:00:00Z");
        assert_eq!(times("0 12 * * 7", "2026-02-06T12:00:00Z", 1), ["2026-02-08T12:00:00Z"]);
        assert_eq!(times("0 0 30 2 *", "2026-01-01T00:00:00Z", 1), [""; 0]);
    }

    #[test]
    fn what_github_refuses_is_refused() {
        for wrong in [
            "* * * * *",
            "*/4 * * * *",
            "0,3 * * * *",
            "58,0 * * * *",
            "@daily",
            "0 0 * *",
            "60 * * * *",
            "0 24 * * *",
            "0 0 0 * *",
            "0 0 * 13 *",
            "0 0 * * 8",
            "5-1 * * * *",
            "0 0 * * L",
            "*/0 * * * *",
            "a * * * *",
        ] {
            assert!(Cron::parse(wrong).is_err(), "{wrong}");
        }
        for right in ["*/5 * * * *", "2,32 * * * *", "58,0 3 * * *", "0 0 1 JAN sun"] {
            assert!(Cron::parse(right).is_ok(), "{right}: {:?}", Cron::parse(right));
        }
    }
}
