//! The workflow that makes a release: safe by zizmor, and with what each job may do as small as it can be.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use standin_core::update::Channel;
use standin_core::update::manifest::{Asker, Told, judge};
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

/// What a step of the workflow runs.
fn script(name: &str) -> String {
    let text = text();
    let (_, step) = text.split_once(&format!("      - name: {name}\n")).unwrap();
    let (_, run) = step.split_once("        run: |\n").unwrap();
    let lines = run.lines().take_while(|line| line.is_empty() || line.starts_with("          "));
    lines.map(|line| line.trim_start_matches("          ").to_owned() + "\n").collect()
}

#[test]
fn what_the_release_says_of_itself_is_what_programs_take() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let made = Command::new("minisign")
        .args(["-G", "-W", "-p", "key.pub", "-s", "key.sec"])
        .current_dir(folder.path())
        .output();
    assert!(made.as_ref().is_ok_and(|made| made.status.success()), "{made:?}");
    let key = std::fs::read_to_string(path("key.pub")).unwrap().lines().nth(1).unwrap().to_owned();
    let script = script("Say what is newest, signed");
    let script: String =
        script.lines().filter(|line| !line.contains("apt-get")).map(|line| format!("{line}\n")).collect();
    for (tag, channel, version) in
        [("v9.1.0", Channel::Stable, "9.1.0"), ("v9.2.0-beta.3", Channel::Beta, "9.2.0-beta.3")]
    {
        for left in ["out", "newest"] {
            let _ = std::fs::remove_dir_all(path(left));
        }
        std::fs::create_dir(path("out")).unwrap();
        for file in ["amd64.AppImage", "aarch64.AppImage", "universal.dmg", "x64-setup.exe"] {
            std::fs::write(path("out").join(format!("Standin_{version}_{file}")), format!("{file} of {version}"))
                .unwrap();
        }
        let ran = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script])
            .current_dir(folder.path())
            .env("GITHUB_REF_NAME", tag)
            .env("GITHUB_SERVER_URL", "https://github.com")
            .env("GITHUB_REPOSITORY", "standin-app/standin")
            .env("STANDIN_UPDATE_KEY", &key)
            .env("UPDATE_SIGNING_KEY", std::fs::read_to_string(path("key.sec")).unwrap().trim_end())
            .output()
            .unwrap();
        assert!(ran.status.success(), "{ran:?}");
        assert!(!path("newest.key").exists(), "the key is left behind");
        let told = |channel: Channel| std::fs::read(path("newest").join(format!("{channel}.json")));
        let Told { manifest, signature } = serde_json::from_slice(&told(channel).unwrap()).unwrap();
        assert_eq!(
            told(Channel::Stable).is_ok(),
            channel == Channel::Stable,
            "a beta is none of who follows what is released"
        );
        assert!(told(Channel::Beta).is_ok(), "who follows beta hears of all");
        let asker = |target| Asker { key: &key, channel, version: "9.0.0", target };
        let offer = judge(manifest.as_bytes(), &signature, &asker("linux-x86_64")).unwrap().unwrap();
        assert_eq!(offer.version, version);
        let url =
            format!("https://github.com/standin-app/standin/releases/download/{tag}/Standin_{version}_amd64.AppImage");
        assert_eq!((offer.file.url, offer.file.size), (url, format!("amd64.AppImage of {version}").len() as u64));
        for target in ["linux-aarch64", "macos", "windows-x86_64"] {
            assert!(judge(manifest.as_bytes(), &signature, &asker(target)).unwrap().is_some(), "{target}");
        }
        let flipped = manifest.replace("9.", "8.");
        assert!(judge(flipped.as_bytes(), &signature, &asker("macos")).is_err());
    }
}

#[test]
fn a_mend_of_an_older_line_does_not_become_the_newest() {
    let script = script("Tell programs that bring their newer versions themselves");
    let (_, compared) = script.split_once("newest=\"$(").unwrap();
    let (compared, _) = compared.split_once(")\"\n").unwrap();
    for (before, tag, newest) in [
        ("1.2.0", "v1.1.9", "1.2.0"),
        ("1.2.0", "v1.2.0", "1.2.0"),
        ("1.9.0", "v1.10.0", "1.10.0"),
        ("1.2.0-beta.9", "v1.2.0", "1.2.0"),
        ("1.2.0-beta.9", "v1.2.0-beta.10", "1.2.0-beta.10"),
        ("1.2.0", "v1.2.0-beta.3", "1.2.0"),
        ("0", "v0.1.0", "0.1.0"),
    ] {
        let ran = Command::new("bash")
            .args(["-eo", "pipefail", "-c", compared])
            .env("before", before)
            .env("GITHUB_REF_NAME", tag)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(ran.stdout).unwrap().trim(), newest, "{before} {tag}");
    }
}
