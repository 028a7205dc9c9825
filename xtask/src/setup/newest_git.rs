//! The newest git that Debian has, for the tests of what git says: its words change from version to version.
//!
//! The package is of another suite than this machine's, so nothing of it is installed: it is unpacked below `target/tools`.

use std::fs;
use std::path::{Path, PathBuf};

use super::debian::{self, NEWEST, Unpacked};
use super::version_in;
use crate::place::Place;
use crate::process::{Program, find};
use crate::report::{Failure, say};

/// From what version on a git counts as new.
const MINIMUM: [u64; 2] = [2, 55];
/// What git needs besides itself; apt finds what these need.
const LIBRARIES: [&str; 5] = ["libc6", "libcurl4-gnutls", "libexpat1", "libpcre2-8-0", "zlib1g"];
const BY_HAND: &str = "Put a git of version 2.55 or later with its whole `libexec` into a folder, name the folder with its `git` in \
                       STANDIN_NEWEST_GIT, and try again.";

/// The folder of a `git` that is new enough, to be put before `PATH`; `None` where there is no apt of Debian's.
pub fn provide(place: &Place) -> Result<Option<PathBuf>, Failure> {
    let named = std::env::var_os("STANDIN_NEWEST_GIT").map(PathBuf::from);
    let on_path = find("git").and_then(|git| git.parent().map(Path::to_path_buf));
    let folder = place.tools().join("newest-git");
    let own = folder.join("bin");
    if let Some(found) = named.into_iter().chain(on_path).chain([own.clone()]).find(|folder| is_good(place, folder)) {
        say(&format!("   {}", found.display()));
        return Ok(Some(found));
    }
    let Some(mirror) = debian::mirror(place) else {
        say("   there is no apt of Debian's here: what git says is tested with this machine's git only");
        return Ok(None);
    };
    say(&format!("   the git of Debian {NEWEST} goes into {}", folder.display()));
    // git alone: what else its package needs are scripts of no interest here.
    let unpacked = Unpacked::fetch(place, &mirror, &folder, &LIBRARIES, &["git"])
        .map_err(|error| Failure::io("unpack the newest git", error))??;
    wrap(&folder, &unpacked).map_err(|error| Failure::io("wrap the newest git", error))?;
    if is_good(place, &own) {
        return Ok(Some(own));
    }
    Err(Failure::new(format!("The git of Debian {NEWEST} does not run here."), BY_HAND))
}

fn is_good(place: &Place, folder: &Path) -> bool {
    let version = Program::named(place, folder.join("git")).arg("--version").answer();
    version.and_then(|text| version_in(&text)).is_some_and(|version| version.as_slice() >= MINIMUM.as_slice())
}

/// Writes a script for each of git's programs that starts it by its own loader.
fn wrap(folder: &Path, unpacked: &Unpacked) -> std::io::Result<()> {
    let (bin, libexec) = (folder.join("bin"), folder.join("libexec"));
    fs::create_dir_all(&bin)?;
    fs::create_dir_all(&libexec)?;
    let before = format!("GIT_EXEC_PATH=\"${{GIT_EXEC_PATH:-{}}}\"", libexec.display());
    let script = |to: &Path, program: &Path, verb: &str| unpacked.script(to, &before, program, verb);
    let git = unpacked.root.join("usr/bin/git");
    for entry in fs::read_dir(unpacked.root.join("usr/lib/git-core"))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let is_git = name == "git" || fs::read_link(&path).is_ok_and(|target| target.ends_with("git"));
        let is_program = || fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"));
        let to = libexec.join(name);
        if is_git {
            script(&to, &git, name.strip_prefix("git-").unwrap_or_default())?;
        } else if is_program() {
            script(&to, &fs::canonicalize(&path)?, "")?;
        } else if path.is_file() {
            fs::copy(&path, &to)?;
        }
    }
    script(&bin.join("git"), &git, "")?;
    // What a server starts for others.
    for verb in ["receive-pack", "upload-pack"] {
        script(&bin.join(format!("git-{verb}")), &git, verb)?;
    }
    Ok(())
}
