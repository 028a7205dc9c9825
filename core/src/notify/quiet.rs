//! The hours in which only a master that is down is told.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use standin_state::config::QuietHours;

/// When the quiet hours that go on at `now` end; `None` where none go on.
pub(super) fn until(hours: &QuietHours, now: Timestamp) -> Option<Timestamp> {
    let zone = hours.time_zone.clone().unwrap_or_else(TimeZone::system);
    let here = now.to_zoned(zone.clone());
    let (time, today) = (here.time(), here.date());
    let over_midnight = hours.to < hours.from;
    let is_quiet = match over_midnight {
        true => time >= hours.from || time < hours.to,
        false => time >= hours.from && time < hours.to,
    };
    if !is_quiet {
        return None;
    }
    let ends_tomorrow = over_midnight && time >= hours.from;
    let day = if ends_tomorrow { today.checked_add(1.day()).ok()? } else { today };
    // An hour that the clock leaps over ends the night where the clock comes out.
    zone.to_ambiguous_timestamp(day.to_datetime(hours.to)).compatible().ok().map(|end| end.max(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(from: i8, to: i8, zone: &str) -> QuietHours {
        let time = |hour| jiff::civil::time(hour, 0, 0, 0);
        QuietHours { from: time(from), to: time(to), time_zone: Some(TimeZone::get(zone).unwrap()) }
    }

    fn end(hours: &QuietHours, now: &str) -> Option<String> {
        until(hours, now.parse().unwrap()).map(|end| end.to_string())
    }

    #[test]
    fn a_night_goes_over_midnight_by_the_clock_on_the_wall() {
        let night = hours(22, 7, "Europe/Berlin");
        assert_eq!(end(&night, "2026-01-10T20:59:59Z"), None, "21:59:59 there");
        assert_eq!(end(&night, "2026-01-10T21:00:00Z").as_deref(), Some("2026-01-11T06:00:00Z"));
        assert_eq!(end(&night, "2026-01-11T05:59:59Z").as_deref(), Some("2026-01-11T06:00:00Z"));
        assert_eq!(end(&night, "2026-01-11T06:00:00Z"), None);
        assert_eq!(end(&night, "2026-07-10T20:00:00Z").as_deref(), Some("2026-07-11T05:00:00Z"), "in summer");
    }

    #[test]
    fn hours_of_the_day_are_within_it() {
        let noon = hours(12, 14, "UTC");
        assert_eq!(end(&noon, "2026-01-10T11:59:59Z"), None);
        assert_eq!(end(&noon, "2026-01-10T12:00:00Z").as_deref(), Some("2026-01-10T14:00:00Z"));
        assert_eq!(end(&noon, "2026-01-10T14:00:00Z"), None);
    }

    #[test]
    fn a_night_in_which_the_clock_is_changed_has_an_end() {
        // 02:00 to 03:00 does not exist there on 29 March 2026, and is there twice on 25 October.
        let short = hours(22, 2, "Europe/Berlin");
        assert_eq!(end(&short, "2026-03-29T00:30:00Z").as_deref(), Some("2026-03-29T01:00:00Z"));
        assert_eq!(end(&short, "2026-10-25T00:30:00Z"), None, "02:30 the first time");
    }
}
