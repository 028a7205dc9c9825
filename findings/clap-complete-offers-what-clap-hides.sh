#!/usr/bin/env bash
# clap_complete offers options and commands that clap hides, in the completions of every shell.
#
# Seen with: clap 4.6.7, clap_complete 4.6.11, clap_mangen 0.3.3 (crates.io).
# `hide = true` keeps an option and a command out of the help and of the manual pages. In the completions of one and the same
# definition they are there again:
#
#   help: option hidden, command hidden
#   manual pages: option hidden, command hidden
#   bash: option offered, command offered
#   zsh: option offered, command offered
#   fish: option offered, command offered
#   powershell: option offered, command offered
#   elvish: option offered, command offered
#
# Exit status 0: it is still so; 1: it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export CARGO_TARGET_DIR="$folder/target"
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "finding"
edition = "2024"

[dependencies]
clap = "=4.6.7"
clap_complete = "=4.6.11"
clap_mangen = "=0.3.3"
TOML
cat >"$folder/src/main.rs" <<'RUST'
use clap::{Arg, ArgAction, Command};
use clap_complete::{Shell, generate};

fn program() -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let sync = Command::new("sync").arg(flag("shown-option")).arg(flag("hidden-option").hide(true));
    Command::new("tool").subcommand(sync).subcommand(Command::new("hidden-command").hide(true))
}

fn said(name: &str, text: &str) {
    assert_eq!(has(text, "shown-option"), "offered", "{name}");
    println!("{name}: option {}, command {}", has(text, "hidden-option"), has(text, "hidden-command"));
}

fn has(text: &str, word: &str) -> &'static str {
    // A manual page writes each dash with a stroke before it.
    if text.replace("\\-", "-").contains(word) { "offered" } else { "hidden" }
}

fn main() {
    let mut whole = program();
    let help = whole.render_long_help().to_string();
    let help_of_sync = whole.find_subcommand_mut("sync").unwrap().render_long_help().to_string();
    said("help", &(help + &help_of_sync));
    let mut pages = Vec::new();
    clap_mangen::Man::new(program()).render(&mut pages).unwrap();
    clap_mangen::Man::new(program().find_subcommand("sync").unwrap().clone()).render(&mut pages).unwrap();
    said("manual pages", &String::from_utf8(pages).unwrap());
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
        let mut text = Vec::new();
        generate(shell, &mut program(), "tool", &mut text);
        said(&shell.to_string(), &String::from_utf8(text).unwrap());
    }
}
RUST
told=$(cd "$folder" && cargo run --quiet)
printf '%s\n' "$told"
hidden=$(grep -c ': option hidden, command hidden$' <<<"$told")
offered=$(grep -c ': option offered, command offered$' <<<"$told")
[[ $hidden == 2 && $offered == 5 ]]
