//! The upstream that is pulled.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;

/// How many files a commit of the history changes.
const FILES: usize = 6;

/// Makes a bare repository with about so many objects, and so many refs on its commits; packed, as hosts keep it.
pub fn create(path: &Path, objects: usize, refs: usize) -> Result<(), Failure> {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").args(arguments);
        command
    };
    let folder = path.to_string_lossy().into_owned();
    let run = |arguments: &[&str]| -> Result<(), Failure> {
        let status = git(arguments).status()?;
        if status.success() { Ok(()) } else { Err(format!("git {arguments:?}: {status}").into()) }
    };
    run(&["init", "--quiet", "--bare", "-b", "main", &folder])?;
    // A commit, its root and a folder's tree, and the files.
    let commits = (objects / (FILES + 3)).max(2);
    let mut import = git(&["-C", &folder, "fast-import", "--quiet"]).stdin(Stdio::piped()).spawn()?;
    if let Some(input) = import.stdin.take() {
        let mut input = std::io::BufWriter::new(input);
        for commit in 1..=commits {
            write!(input, "commit refs/heads/main\nmark :{commit}\n")?;
            write!(input, "committer Bench <bench@example.com> {} +0000\ndata 4\nstep\n", 1_767_225_600 + commit)?;
            for file in 0..FILES {
                let text = format!("{commit} {file} {}\n", "text ".repeat(40 + (commit * 7 + file) % 50));
                let place = (commit * FILES + file) % 900;
                write!(input, "M 100644 inline dir-{}/file-{place}.txt\ndata {}\n{text}\n", commit % 20, text.len())?;
            }
        }
        for number in 0..refs.saturating_sub(1) {
            let kind = if number % 10 == 0 { "heads/branch" } else { "tags/release" };
            write!(input, "reset refs/{kind}-{number:06}\nfrom :{}\n\n", 1 + number % commits)?;
        }
        input.flush()?;
    }
    let status = import.wait()?;
    if !status.success() {
        return Err(format!("git fast-import: {status}").into());
    }
    run(&["-C", &folder, "repack", "-a", "-d", "-q"])?;
    run(&["-C", &folder, "pack-refs", "--all"])
}
