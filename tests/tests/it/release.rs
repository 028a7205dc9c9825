//! The workflow that makes a release: safe by zizmor, and with what each job may do as small as it can be.

use std::collections::BTreeSet;
use std::path::Path;

use standin_tests::zizmor;

const PATH: &str = ".github/workflows/release.yml";

fn text() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(PATH)).unwrap()
}

/// The jobs, by their names.
fn jobs(text: &str) -> Vec<(String, String)> {
    let (_, jobs) = text.split_once("\njobs:\n").unwrap();
    let is_name = |line: &str| line.len() > 2 && line.starts_with("  ") && !line[2..].starts_with([' ', '#']);
    let mut found: Vec<(String, String)> = Vec::new();
    for line in jobs.lines() {
        match found.last_mut() {
            _ if is_name(line) => found.push((line.trim().trim_end_matches(':').to_owned(), String::new())),
            Some((_, lines)) => lines.extend([line, "\n"]),
            None => panic!("{line}"),
        }
    }
    found
}

#[test]
fn zizmor_finds_nothing_in_it_and_finds_what_is_planted() {
    let text = text();
    let output = zizmor::judge(&text, PATH);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    for (good, bad) in [
        ("persist-credentials: false", "persist-credentials: true"),
        ("permissions: {}\n", "permissions: write-all\n"),
        ("de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", "v6"),
        ("cargo xtask package", "echo ${{ github.event.head_commit.message }}"),
    ] {
        assert!(text.contains(good), "{good}");
        let output = zizmor::judge(&text.replacen(good, bad, 1), PATH);
        assert!(!output.status.success(), "{bad} was not found");
    }
}

#[test]
fn only_the_job_that_builds_nothing_may_write_or_has_an_identity() {
    let text = text();
    let jobs = jobs(&text);
    assert_eq!(
        jobs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["linux", "macos", "windows", "materials", "publish"]
    );
    for (name, lines) in &jobs {
        let writes: BTreeSet<_> =
            lines.lines().filter_map(|line| line.trim().split_once(": write").map(|(what, _)| what)).collect();
        if name == "publish" {
            assert_eq!(writes, BTreeSet::from(["attestations", "contents", "id-token"]));
            assert!(!lines.contains("checkout") && !lines.contains("cargo") && !lines.contains("npm"), "{lines}");
        } else {
            assert!(writes.is_empty(), "{name}: {writes:?}");
        }
    }
}

#[test]
fn each_action_is_githubs_own_and_named_by_a_commit() {
    let text = text();
    let used: Vec<_> = text.lines().filter_map(|line| line.trim().strip_prefix("uses: ")).collect();
    assert!(used.len() > 8, "{used:?}");
    for action in used {
        let (name, rest) = action.split_once('@').unwrap();
        let (commit, version) = rest.split_once(" # v").unwrap_or_else(|| panic!("{action}"));
        assert!(name.starts_with("actions/"), "{action}");
        assert!(commit.len() == 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit()), "{action}");
        assert_eq!(version.split('.').count(), 3, "{action}");
    }
}
