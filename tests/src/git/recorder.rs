//! Stand-in programs that write down their arguments and environment, and then become the real ones.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of stand-ins for git, the programs that git starts, ssh, and a credential helper.
pub struct Recorder {
    log: PathBuf,
    /// To be put first on PATH.
    pub programs: PathBuf,
    /// The recorded credential helper.
    pub helper: PathBuf,
}

impl Recorder {
    /// Makes the stand-ins in `folder`; `helper` is the real credential helper.
    pub fn new(folder: &Path, helper: &Path) -> Self {
        let log = folder.join("log");
        // A name that only survives careful quoting.
        let programs = folder.join("it's a $(folder) \"of\" programs");
        let exec = folder.join("exec");
        fs::create_dir_all(&programs).unwrap();
        fs::create_dir_all(&log).unwrap();
        fs::create_dir_all(&exec).unwrap();
        let real_exec = Command::new("git").arg("--exec-path").output().unwrap().stdout;
        let real_exec = PathBuf::from(String::from_utf8(real_exec).unwrap().trim());
        for entry in fs::read_dir(&real_exec).unwrap().flatten() {
            let name = entry.file_name();
            let is_recorded = name == "git" || name.to_string_lossy().starts_with("git-remote-");
            if is_recorded {
                write(&log, &exec.join(&name), &entry.path(), "");
            } else {
                symlink(entry.path(), exec.join(&name)).unwrap();
            }
        }
        let exec_path = format!("export GIT_EXEC_PATH='{}'", exec.display());
        write(&log, &programs.join("git"), &which("git"), &exec_path);
        write(&log, &programs.join("ssh"), &which("ssh"), "");
        let recorded = programs.join("helper");
        write(&log, &recorded, helper, "");
        Self { log, programs, helper: recorded }
    }

    /// Records another program too: `real`, under `name`.
    pub fn add(&self, name: &str, real: &Path) {
        write(&self.log, &self.programs.join(name), real, "");
    }

    /// All that was recorded: for each program its name, arguments and environment.
    pub fn recorded(&self) -> String {
        let files = fs::read_dir(&self.log).unwrap().flatten();
        files.map(|file| fs::read_to_string(file.path()).unwrap()).collect()
    }

    /// How often programs whose names end so were started.
    pub fn starts(&self, name: &str) -> usize {
        self.recorded().lines().filter(|line| line.starts_with("PROGRAM ") && line.ends_with(name)).count()
    }
}

/// A stand-in. Each process writes into a file of its own, so that what runs side by side does not mix.
fn write(log: &Path, path: &Path, real: &Path, before: &str) {
    let script = format!(
        "#!/bin/sh\n{{ printf 'PROGRAM %s\\n' \"$0\"; for a in \"$@\"; do printf 'ARG %s\\n' \"$a\"; done; env; }} >>'{}'/$$\n\
         {before}\nexec '{}' \"$@\"\n",
        log.display(),
        real.display(),
    );
    fs::write(path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn which(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file()).unwrap()
}
