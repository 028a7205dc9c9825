//! Every command that a hint names can be typed: no hint sends the user to a command, an argument or an option that
//! this program does not have.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;

use crate::arguments::Arguments;

/// Where words for the user are written.
const ROOMS: [&str; 5] = ["core/src", "state/src", "cli/src", "src-tauri", "ui/src"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "node_modules" && name != "target" && name != "bindings" {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| ["rs", "sh", "ts", "svelte"].iter().any(|known| end == *known)) {
            found.push(path);
        }
    }
}

/// The text of a source without its comments, and with strings that go over several lines put together.
fn without_comments(text: &str) -> String {
    let mut joined = String::new();
    for line in text.lines().filter(|line| !["//", "*", "/*"].iter().any(|mark| line.trim_start().starts_with(mark))) {
        match line.strip_suffix('\\') {
            Some(goes_on) => joined.push_str(goes_on.trim_start()),
            None => {
                joined.push_str(line.trim_start());
                joined.push('\n');
            }
        }
    }
    joined
}

/// The commands in backticks, with something in the place of what is filled in.
fn commands(text: &str) -> Vec<String> {
    let ends = text.match_indices("`standin ").filter_map(|(at, _)| {
        let command = &text[at + 1..];
        // A script has a backslash before each.
        command.find('`').map(|end| command[..end].trim_end_matches('\\'))
    });
    ends.filter(|command| !command.contains('\n')).map(str::to_owned).collect()
}

fn arguments(command: &str) -> Vec<String> {
    let word = |word: &str| {
        let word = word.split('|').next().unwrap_or(word);
        let filled_in = word.contains('{') || word.chars().all(|character| character.is_ascii_uppercase());
        if filled_in { "x".to_owned() } else { word.to_owned() }
    };
    // What a shell reads for the command is none of its arguments.
    command.split_whitespace().take_while(|word| *word != "<").map(word).collect()
}

#[test]
fn every_command_in_a_hint_can_be_typed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for room in ROOMS {
        sources(&root.join(room), &mut files);
    }
    let (mut checked, mut wrong) = (0, Vec::new());
    for file in files.iter().filter(|file| !file.ends_with("cli/src/hints.rs")) {
        for command in commands(&without_comments(&fs::read_to_string(file).unwrap())) {
            checked += 1;
            if Arguments::try_parse_from(arguments(&command)).is_err() {
                wrong.push(format!("{}: `{command}`", file.display()));
            }
        }
    }
    assert!(checked > 30, "only {checked} commands were found in {} files", files.len());
    assert!(wrong.is_empty(), "hints that cannot be followed:\n{}", wrong.join("\n"));
}

#[test]
fn a_command_that_does_not_exist_is_found_out() {
    let said = |text: &str| commands(&without_comments(text)).iter().map(|line| arguments(line)).collect::<Vec<_>>();
    let split = "\"Run `standin resolve {mirror} \\\n    {} overwrite|take` now.\"\n// `standin nothing`\n";
    assert_eq!(said(split), [["standin", "resolve", "x", "x", "overwrite"]]);
    assert_eq!(said("`standin token set {mirror} < token`"), [["standin", "token", "set", "x"]]);
    for bad in ["standin dismiss {mirror}", "standin token set", "standin sync --mirrors {}", "standin health --yes"] {
        assert!(Arguments::try_parse_from(arguments(bad)).is_err(), "{bad}");
    }
}
