//! `generate`: manual pages and completions, from the very definition that reads the arguments. Packages bring them;
//! `cargo xtask package` calls this. What is hidden has no page.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use standin_core::{Code, Error, Result};

use crate::arguments::{Arguments, GenerateArguments, Generated};
use crate::output::Exit;

/// The shells whose completions packages bring.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Fish, Shell::Zsh];

/// `standin generate`
pub fn generate(arguments: &GenerateArguments) -> Result<Exit> {
    let folder = &arguments.folder;
    let written = fs::create_dir_all(folder).and_then(|()| match arguments.what {
        Generated::Man => clap_mangen::generate_to(Arguments::command(), folder),
        Generated::Completions => completions(folder),
    });
    written.map(|()| Exit::Well).map_err(|error| {
        Error::new(
            Code::Storage,
            format!("{} cannot be written: {error}", folder.display()),
            "Name a folder that you may write to.",
        )
    })
}

fn completions(folder: &Path) -> io::Result<()> {
    // What is hidden in the help is offered by its completions, so it is left out before (findings/, of clap_complete 4.6).
    let mut command = shown(&Arguments::command());
    let name = command.get_name().to_owned();
    SHELLS.iter().try_for_each(|shell| clap_complete::generate_to(*shell, &mut command, &name, folder).map(drop))
}

/// The same command without what is hidden in it.
fn shown(command: &Command) -> Command {
    // Names live as long as the program, which ends when they are written.
    let name: &'static str = command.get_name().to_owned().leak();
    let arguments = command.get_arguments().filter(|argument| !argument.is_hide_set()).cloned();
    let commands = command.get_subcommands().filter(|command| !command.is_hide_set()).map(shown);
    let made = Command::new(name).args(arguments).subcommands(commands);
    match command.get_about() {
        Some(about) => made.about(about.clone()),
        None => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(what: Generated) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        let within = folder.path().join("new/folder");
        generate(&GenerateArguments { what, folder: within.clone() }).unwrap();
        let entries = fs::read_dir(within).unwrap().map(|entry| entry.unwrap());
        let mut files: Vec<_> = entries
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    }

    #[test]
    fn each_command_that_is_shown_has_a_manual_page() {
        let pages = written(Generated::Man);
        let has = |name: &str| pages.iter().any(|(file, _)| file == name);
        for command in Arguments::command().get_subcommands() {
            let page = format!("standin-{}.1", command.get_name());
            assert_eq!(has(&page), !command.is_hide_set(), "{page}");
        }
        assert!(has("standin.1") && has("standin-token-set.1"), "{pages:?}");
        let (_, sync) = pages.iter().find(|(file, _)| file == "standin-sync.1").unwrap();
        assert!(sync.contains("Bring the mirrors in step") && !sync.contains(r"\-\-job"), "{sync}");
    }

    #[test]
    fn each_shell_finds_its_completions_under_the_name_that_it_looks_for() {
        let files = written(Generated::Completions);
        let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["_standin", "standin.bash", "standin.fish"]);
        for (name, text) in &files {
            assert!(text.contains("promote") && text.contains("code-only"), "{name}");
            let says_what = name == "standin.bash" || text.contains("Bring the mirrors in step");
            assert!(text.contains("state-dir") && says_what, "{name}");
            assert!(!text.contains("generate") && !text.contains("--job"), "{name} offers what is hidden");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let arguments = GenerateArguments { what: Generated::Man, folder: file.path().to_owned() };
        let error = generate(&arguments).unwrap_err();
        assert!(error.message.contains(&file.path().display().to_string()), "{error:?}");
    }
}
