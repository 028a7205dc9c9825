//! Started at login: one entry of the desktop's own kind, written and removed here.
//!
//! On Linux it is a desktop entry in `$XDG_CONFIG_HOME/autostart` (Desktop Application Autostart Specification). One that says
//! `Hidden=true` is switched off; one of another program's is left alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use standin_core::state::{files, private, reading};
use standin_core::update::owner;
use standin_core::{Code, Error, Result};
use ts_rs::TS;

/// The entry: as the package calls its own.
const NAME: &str = "app.standin.desktop.desktop";
/// What marks an entry as ours.
const MARK: &str = "X-Standin-Autostart=true";
/// A larger file is no entry.
const SIZE_LIMIT: usize = 64 * 1024;

/// Whether the program is started at login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[ts(export)]
pub struct Autostart {
    /// Whether this system can do it.
    pub possible: bool,
    /// Whether it does.
    pub enabled: bool,
    /// Whether it starts without its window then.
    pub hidden: bool,
    /// The entry.
    pub file: String,
    /// Another program that would be started than this one, where it is.
    pub other: Option<String>,
}

/// What is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum AutostartWish {
    /// Not to be started.
    Off,
    /// To be started with its window.
    Shown,
    /// To be started in the tray.
    Hidden,
}

/// How it is now.
///
/// # Errors
/// [`Code::Storage`] for an entry that cannot be read.
pub fn look(environment: &BTreeMap<String, String>) -> Result<Autostart> {
    let Some(file) = place(environment) else {
        return Ok(Autostart { possible: false, enabled: false, hidden: false, file: String::new(), other: None });
    };
    let text = read(&file)?;
    let program = text.as_deref().and_then(|text| value(text, "Exec"));
    let is_off = |text: &str| value(text, "Hidden").is_some_and(|hidden| hidden == "true");
    let enabled = text.as_deref().is_some_and(|text| !is_off(text)) && program.is_some();
    let ours = this_program(environment)?;
    let other = program.filter(|program| enabled && !program.starts_with(&quoted(&ours)));
    Ok(Autostart {
        possible: cfg!(target_os = "linux"),
        enabled,
        hidden: program.is_some_and(|program| program.split(' ').any(|word| word == "--hidden")),
        file: file.display().to_string(),
        other: other.map(str::to_owned),
    })
}

/// Sets it as it is wished for.
///
/// # Errors
/// [`Code::Usage`] where this system cannot do it, and for an entry that somebody else wrote; [`Code::Storage`].
pub fn set(environment: &BTreeMap<String, String>, wish: AutostartWish) -> Result<()> {
    let file = place(environment).filter(|_| cfg!(target_os = "linux")).ok_or_else(|| {
        let hint = "Add Standin to the programs that your system starts at login, in its own settings.";
        Error::new(Code::Usage, "Standin cannot have itself started at login on this system", hint)
    })?;
    if let Some(text) = read(&file)?
        && !text.lines().any(|line| line.trim() == MARK)
    {
        let message = format!("{} was not written by Standin; it is left as it is", file.display());
        return Err(Error::new(Code::Usage, message, "Remove that file first, or change it by hand."));
    }
    let hidden = match wish {
        AutostartWish::Off => {
            return match fs::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(unwritten(&file, &error)),
                Ok(()) | Err(_) => Ok(()),
            };
        }
        AutostartWish::Shown => "",
        AutostartWish::Hidden => " --hidden",
    };
    let text = format!(
        "[Desktop Entry]\nType=Application\nName=Standin\nComment=Keeps standbys of your repositories ready to take over\n\
         Exec={}{hidden}\nIcon=app.standin.desktop\nTerminal=false\n{MARK}\n",
        quoted(&this_program(environment)?)
    );
    if let Some(folder) = file.parent() {
        private::create_folder(folder)?;
    }
    files::write_atomically(&file, text.as_bytes())
}

fn place(environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let absolute = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(config.join("autostart").join(NAME))
}

fn this_program(environment: &BTreeMap<String, String>) -> Result<PathBuf> {
    let program = std::env::current_exe()
        .map_err(|error| Error::new(Code::Internal, format!("this program cannot be found: {error}"), ""))?;
    // An AppImage is started by its own file; what runs then lies in a folder that goes again.
    Ok(owner::image(&program, environment).unwrap_or(program))
}

/// A path as the value of `Exec`: between double quotes, with what is special there escaped, and once more as a string.
fn quoted(program: &Path) -> String {
    let mut quoted = String::from("\"");
    for letter in program.display().to_string().chars() {
        match letter {
            '"' | '`' | '$' | '\\' => quoted.extend(["\\\\", if letter == '\\' { "\\\\" } else { "" }]),
            '%' => quoted.push('%'),
            _ => {}
        }
        if letter != '\\' {
            quoted.push(letter);
        }
    }
    quoted.push('"');
    quoted
}

fn read(file: &Path) -> Result<Option<String>> {
    match reading::read(file, SIZE_LIMIT) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let message = format!("{} could not be read: {error}", file.display());
            Err(Error::new(Code::Storage, message, "Remove it, or make it a file that you may read."))
        }
    }
}

/// The first value of a key of the entry.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let lines = text.lines().skip_while(|line| line.trim() != "[Desktop Entry]").skip(1);
    let entry = lines.take_while(|line| !line.trim_start().starts_with('['));
    entry.filter_map(|line| line.split_once('=')).find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
}

fn unwritten(file: &Path, error: &std::io::Error) -> Error {
    let message = format!("{} could not be changed: {error}", file.display());
    Error::new(Code::Storage, message, "Check that you may write there.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(home: &Path) -> BTreeMap<String, String> {
        BTreeMap::from([("HOME".to_owned(), home.display().to_string())])
    }

    #[test]
    fn it_is_written_looked_at_and_removed_again() {
        let home = tempfile::tempdir().unwrap();
        let environment = environment(home.path());
        let file = home.path().join(".config/autostart").join(NAME);
        assert!(!look(&environment).unwrap().enabled);
        set(&environment, AutostartWish::Hidden).unwrap();
        let seen = look(&environment).unwrap();
        assert_eq!((seen.enabled, seen.hidden, seen.other), (true, true, None));
        set(&environment, AutostartWish::Shown).unwrap();
        assert!(!look(&environment).unwrap().hidden);
        let off = fs::read_to_string(&file).unwrap().replace("Terminal", "Hidden=true\nTerminal");
        fs::write(&file, off).unwrap();
        assert!(!look(&environment).unwrap().enabled, "switched off by the desktop's own settings");
        set(&environment, AutostartWish::Off).unwrap();
        assert!(!file.exists());
        set(&environment, AutostartWish::Off).unwrap();
    }

    #[test]
    fn an_entry_of_somebody_else_is_left_alone_and_another_program_is_named() {
        let home = tempfile::tempdir().unwrap();
        let environment = environment(home.path());
        let file = home.path().join(".config/autostart").join(NAME);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let theirs = "[Desktop Entry]\nType=Application\nName=Mine\nExec=/opt/old/standin-desktop --hidden\n";
        fs::write(&file, theirs).unwrap();
        let seen = look(&environment).unwrap();
        assert_eq!(seen.other.as_deref(), Some("/opt/old/standin-desktop --hidden"));
        for wish in [AutostartWish::Off, AutostartWish::Shown] {
            assert!(set(&environment, wish).is_err());
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), theirs);
    }

    #[test]
    fn a_path_with_special_letters_is_quoted_as_the_entry_has_it() {
        assert_eq!(quoted(Path::new("/opt/a b/standin")), r#""/opt/a b/standin""#);
        assert_eq!(quoted(Path::new("/opt/$x%/`q\"")), r#""/opt/\\$x%%/\\`q\\"""#);
        assert_eq!(quoted(Path::new(r"/opt/a\b")), r#""/opt/a\\\\b""#);
    }
}
