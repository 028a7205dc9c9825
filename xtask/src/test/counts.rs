//! How many tests passed and failed, read from the JUnit files that the runners write.

use std::fmt;
use std::path::Path;

use crate::report::Failure;

/// Sums over all runners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    passed: u64,
    failed: u64,
}

impl Counts {
    /// Adds what a runner wrote. A runner that says "all well" but left no results, or no test, is a failure.
    pub fn add_from(&mut self, results: &Path, outcome: Result<(), Failure>) -> Result<(), Failure> {
        let found = std::fs::read_to_string(results).ok().and_then(|text| Self::from_junit(&text));
        if let Some(found) = found {
            self.passed += found.passed;
            self.failed += found.failed;
        }
        outcome?;
        match found {
            Some(found) if found.passed > 0 => Ok(()),
            _ => Err(Failure::new(format!("No test was run, says {}.", results.display()), "")),
        }
    }

    /// Reads the sums that stand in the root element.
    fn from_junit(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("<testsuites")?;
        let (root, suites) = rest.split_once('>')?;
        let number = |name: &str| attribute(root, name)?.parse::<u64>().ok();
        let total = number("tests")?;
        let failed = number("failures")? + number("errors").unwrap_or(0);
        let skipped = suites.matches("<skipped").count() as u64;
        Some(Self { passed: total.checked_sub(failed + skipped)?, failed })
    }
}

/// An attribute of an element that is given without its brackets.
pub(super) fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = element.split_once(&format!(" {name}=\""))?;
    Some(rest.split_once('"')?.0)
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_from_the_root_element() {
        let text = "<?xml version=\"1.0\"?>\n<testsuites name=\"run\" tests=\"12\" failures=\"2\" errors=\"1\" time=\"3\">\n\
                    <testsuite name=\"a\" tests=\"5\" failures=\"0\"><testcase name=\"x\"><skipped/></testcase></testsuite>";
        assert_eq!(Counts::from_junit(text), Some(Counts { passed: 8, failed: 3 }));
    }

    #[test]
    fn a_runner_that_ran_nothing_is_not_well() {
        let folder = std::env::temp_dir().join(format!("standin-counts-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let results = folder.join("empty.xml");
        let mut counts = Counts::default();
        assert!(counts.add_from(&results, Ok(())).is_err());
        std::fs::write(&results, "<testsuites tests=\"0\" failures=\"0\">").unwrap();
        assert!(counts.add_from(&results, Ok(())).is_err());
        std::fs::write(&results, "<testsuites tests=\"1\" failures=\"0\">").unwrap();
        assert!(counts.add_from(&results, Ok(())).is_ok());
        assert_eq!(counts.to_string(), "1 passed, 0 failed");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
