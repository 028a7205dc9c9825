//! The README and CONTRIBUTING say only what is so: their links lead somewhere, their commands exist, and their examples
//! are accepted by the very code that reads a user's configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use standin_core::state::config::{self, Config, Consents, LoadRequest};
use standin_core::state::model::{MirrorType, StandingWord, Tone};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The fenced block of the README that contains these words.
fn block(words: &str) -> String {
    let readme = read("README.md");
    let blocks = readme.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    let found = blocks.map(|(_, text)| text.to_owned()).find(|text| text.contains(words));
    found.unwrap_or_else(|| panic!("no example in the README contains {words:?}"))
}

#[test]
fn tools_and_documents_ask_for_the_versions_that_core_checks() {
    let (major, minor, patch) = standin_core::gh::MINIMUM_VERSION;
    assert!(read("xtask/src/setup/gh.rs").contains(&format!("MINIMUM: [u64; 3] = [{major}, {minor}, {patch}];")));
    let git = standin_core::git::MINIMUM_VERSION;
    let packages = read("xtask/src/package/words.rs");
    assert!(
        packages.contains(&format!("GH: &str = \"{major}.{minor}.{patch}\";")),
        "the packages recommend another gh"
    );
    assert!(packages.contains(&format!("GIT: &str = \"{git}\";")), "the packages need another git");
    let sentence = format!("git {git} or later and gh {major}.{minor} or later");
    assert!(read("README.md").contains(&sentence), "README.md does not say: {sentence}");
}

#[test]
fn every_word_for_how_something_stands_is_explained() {
    let text = read("docs/status.md");
    for word in StandingWord::ALL {
        assert!(text.contains(&format!("`{word}`")), "docs/status.md does not say what `{word}` is");
    }
    for tone in Tone::ALL {
        assert!(text.contains(&format!("`{tone}`")), "docs/status.md does not name the tone `{tone}`");
    }
}

#[test]
fn pictures_and_files_that_the_readme_shows_are_there() {
    for document in ["README.md", "CONTRIBUTING.md"] {
        let text = read(document);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let local: Vec<_> = targets.filter(|target| !target.is_empty() && !target.contains("://")).collect();
        assert!(!local.is_empty(), "{document} has no links, or the check is blind");
        for target in local {
            assert!(root().join(target).exists(), "{document} leads to {target}, which is not there");
        }
    }
}

#[test]
fn development_commands_in_the_documents_exist() {
    let usage = read("xtask/src/main.rs");
    for document in ["README.md", "CONTRIBUTING.md", ".ci/run"] {
        let text = read(document);
        let commands: BTreeSet<_> = text
            .split("cargo xtask ")
            .skip(1)
            .filter_map(|rest| rest.split(|character: char| !character.is_ascii_lowercase()).next())
            .filter(|command| !command.is_empty())
            .collect();
        assert!(!commands.is_empty(), "{document} names no command, or the check is blind");
        for command in commands {
            assert!(usage.contains(&format!("\n  {command} ")), "{document} names `cargo xtask {command}`");
        }
    }
}

#[test]
fn commands_of_the_readme_are_known_to_the_program() {
    let readme = read("README.md");
    let lines = readme.split(['`', '\n']).filter_map(|line| line.trim().strip_prefix("standin "));
    let mut known = 0;
    for line in lines {
        let words: Vec<_> = line.split_whitespace().take_while(|word| *word != "#").collect();
        let fill = |word: &&str| if *word == "ID" { "3c36cb2e17c2".to_owned() } else { (*word).to_owned() };
        // With `--help` at the end everything before it is still read, and nothing is done.
        let output = Command::new(env!("CARGO_BIN_EXE_standin-under-test"))
            .args(words.iter().map(fill))
            .arg("--help")
            .output()
            .unwrap();
        assert!(output.status.success(), "standin {line}: {}", String::from_utf8_lossy(&output.stderr));
        known += 1;
    }
    assert!(known > 10, "only {known} commands were found: the check is blind");
}

fn clone(folder: &Path) -> PathBuf {
    let clone = folder.join("my-project");
    let repository = git2::Repository::init(&clone).unwrap();
    repository.remote("origin", "https://github.com/me/my-project.git").unwrap();
    clone
}

fn loaded(current_dir: &Path, config_dir: &Path) -> Config {
    let request = LoadRequest {
        environment: BTreeMap::from([("HOME".to_owned(), config_dir.display().to_string())]),
        current_dir: current_dir.to_owned(),
        default_config_dir: config_dir.to_owned(),
        ..LoadRequest::default()
    };
    config::load(&request, &Consents::new()).unwrap_or_else(|mistakes| panic!("{mistakes:?}")).config
}

#[test]
fn the_quick_start_is_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let clone = clone(folder.path());
    std::fs::write(clone.join(".env"), block("MIRROR_1_TYPE")).unwrap();
    let config = loaded(&clone, folder.path());
    let [repository] = config.repositories.as_slice() else { panic!("{config:?}") };
    let mirrors: Vec<_> = repository.mirrors.iter().map(|mirror| (mirror.id.as_str(), mirror.kind())).collect();
    assert_eq!(mirrors, [("mirror-1", MirrorType::GitHub), ("mirror-2", MirrorType::Git)]);
    assert!(repository.secrets.listed);
    assert_eq!(Vec::from_iter(repository.secrets.values.keys()), ["RESEND_API_KEY", "TWILIO_SID"]);
}

#[test]
fn the_example_of_standin_toml_is_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let clone = clone(folder.path());
    std::fs::write(clone.join(".env"), "RESEND_API_KEY=x\n").unwrap();
    let example = block("[[repository]]").replace("/home/me/my-project", clone.to_str().unwrap());
    std::fs::write(folder.path().join(config::CONFIG_FILE), example).unwrap();
    let config = loaded(folder.path(), folder.path());
    let [repository] = config.repositories.as_slice() else { panic!("{config:?}") };
    assert_eq!(repository.id.as_str(), "my-project");
    assert_eq!(repository.source.display(), "me/my-project");
    let mirrors: Vec<_> = repository.mirrors.iter().map(|mirror| mirror.id.as_str()).collect();
    assert_eq!(mirrors, ["github-backup", "disk", "nas"]);
}
