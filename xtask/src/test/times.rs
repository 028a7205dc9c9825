//! Which tests take the time, read from the JUnit files that the runners write.

use std::fmt;
use std::path::Path;

/// How many are shown.
const SHOWN: usize = 20;

/// The tests of all runners.
#[derive(Debug, Default)]
pub struct Times {
    tests: Vec<Timed>,
}

#[derive(Debug, PartialEq)]
struct Timed {
    seconds: f64,
    place: String,
    name: String,
}

impl Times {
    /// Adds what a runner wrote, if it wrote anything.
    pub fn add_from(&mut self, results: &Path) {
        if let Ok(text) = std::fs::read_to_string(results) {
            self.tests.extend(text.split("<testcase").skip(1).filter_map(timed));
        }
    }
}

fn timed(case: &str) -> Option<Timed> {
    let element = case.split_once('>')?.0;
    let of = |name: &str| super::counts::attribute(element, name);
    Some(Timed { seconds: of("time")?.parse().ok()?, place: of("classname")?.to_owned(), name: of("name")?.to_owned() })
}

impl fmt::Display for Times {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: f64 = self.tests.iter().map(|test| test.seconds).sum();
        let mut slowest: Vec<&Timed> = self.tests.iter().collect();
        slowest.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        slowest.truncate(SHOWN);
        writeln!(formatter, "The slowest of {} tests, which took {all:.0} s one after the other:", self.tests.len())?;
        for Timed { seconds, place, name } in &slowest {
            writeln!(formatter, "{seconds:8.1} s {:5.1} %  {place} {name}", share(*seconds, all))?;
        }
        let shown: f64 = slowest.iter().map(|test| test.seconds).sum();
        write!(formatter, "{shown:8.1} s {:5.1} %  these {} together", share(shown, all), slowest.len())
    }
}

fn share(part: f64, all: f64) -> f64 {
    if all > 0.0 { 100.0 * part / all } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_stand_first_with_their_share() {
        let folder = std::env::temp_dir().join(format!("standin-times-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let results = folder.join("junit.xml");
        let cases: String =
            (1..=24).map(|number| format!("<testcase name=\"t{number}\" classname=\"crate\" time=\"0.5\"/>")).collect();
        let slow = "<testcase name=\"slow\" classname=\"crate::it\" timestamp=\"2026\" time=\"88.000\">\n<system-out>x</system-out></testcase>";
        std::fs::write(&results, format!("<testsuites tests=\"25\" time=\"9\">{cases}{slow}</testsuites>")).unwrap();
        let mut times = Times::default();
        times.add_from(&results);
        times.add_from(&folder.join("none"));
        let said = times.to_string();
        std::fs::remove_dir_all(folder).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], "The slowest of 25 tests, which took 100 s one after the other:");
        assert_eq!(lines[1], "    88.0 s  88.0 %  crate::it slow");
        assert_eq!((lines.len(), lines[21]), (22, "    97.5 s  97.5 %  these 20 together"));
    }
}
