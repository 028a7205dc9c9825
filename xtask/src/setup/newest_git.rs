//! The newest git that Debian has, for the tests of what git says: its words change from version to version.
//!
//! The package is of another suite than this machine's, so nothing of it is installed: it is unpacked below `target/tools` with all
//! the libraries that it needs, and started by the loader that came with it. apt works on lists and a cache of its own there.

use std::fs;
use std::path::{Path, PathBuf};

use super::version_in;
use crate::place::Place;
use crate::process::{Program, find};
use crate::report::{Failure, say};

/// From what version on a git counts as new.
const MINIMUM: [u64; 2] = [2, 55];
/// The suite that has it.
const SUITE: &str = "unstable";
/// What git needs besides itself; apt finds what these need.
const LIBRARIES: [&str; 5] = ["libc6", "libcurl4-gnutls", "libexpat1", "libpcre2-8-0", "zlib1g"];
const BY_HAND: &str = "Put a git of version 2.55 or later with its whole `libexec` into a folder, name the folder with its `git` in \
                       STANDIN_NEWEST_GIT, and try again.";

/// The folder of a `git` that is new enough, to be put before `PATH`; `None` where there is no apt of Debian's.
pub fn provide(place: &Place) -> Result<Option<PathBuf>, Failure> {
    let named = std::env::var_os("STANDIN_NEWEST_GIT").map(PathBuf::from);
    let on_path = find("git").and_then(|git| git.parent().map(Path::to_path_buf));
    let own = folder(place).join("bin");
    if let Some(found) = named.into_iter().chain(on_path).chain([own.clone()]).find(|folder| is_good(place, folder)) {
        say(&format!("   {}", found.display()));
        return Ok(Some(found));
    }
    let Some(mirror) = debian_mirror(place) else {
        say("   there is no apt of Debian's here: what git says is tested with this machine's git only");
        return Ok(None);
    };
    fetch(place, &mirror).map_err(|error| Failure::io("unpack the newest git", error))??;
    if is_good(place, &own) {
        return Ok(Some(own));
    }
    Err(Failure::new(format!("The git of Debian {SUITE} does not run here."), BY_HAND))
}

fn is_good(place: &Place, folder: &Path) -> bool {
    let version = Program::named(place, folder.join("git")).arg("--version").answer();
    version.and_then(|text| version_in(&text)).is_some_and(|version| version.as_slice() >= MINIMUM.as_slice())
}

fn folder(place: &Place) -> PathBuf {
    place.tools().join("newest-git")
}

/// Where this machine has Debian's own packages from.
fn debian_mirror(place: &Place) -> Option<String> {
    find("dpkg-deb")?;
    let targets = Program::named(place, "apt-get")
        .args(["indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)", "Created-By: Packages"])
        .answer()?;
    targets.lines().find_map(|line| line.strip_prefix("Debian Debian ")).map(str::to_owned)
}

fn fetch(place: &Place, mirror: &str) -> std::io::Result<Result<(), Failure>> {
    let folder = folder(place);
    say(&format!("   the git of Debian {SUITE} goes into {}", folder.display()));
    let _ = fs::remove_dir_all(&folder);
    let apt_folder = folder.join("apt");
    for needed in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(apt_folder.join(needed))?;
    }
    fs::write(apt_folder.join("sources.list"), format!("deb {mirror} {SUITE} main\n"))?;
    fs::write(apt_folder.join("status"), "")?;
    let configuration = apt_folder.join("apt.conf");
    let at = |option: &str, name: &str| format!("{option} \"{}\";\n", apt_folder.join(name).display());
    let lines = [
        at("Dir::Etc::SourceList", "sources.list"),
        at("Dir::State::Lists", "lists"),
        at("Dir::State::status", "status"),
        at("Dir::Cache", "cache"),
        "Dir::Etc::SourceParts \"/dev/null\";\nDebug::NoLocking \"1\";\nAcquire::Languages \"none\";\n".to_owned(),
        // This checkout may be closed to the user that apt would become for the download.
        "APT::Sandbox::User \"root\";\nquiet \"1\";\n".to_owned(),
    ];
    fs::write(&configuration, lines.concat())?;
    let apt = || Program::named(place, "apt-get").env("APT_CONFIG", &configuration);
    let archives = apt_folder.join("cache/archives");
    let downloaded = apt()
        .arg("update")
        .run()
        .and_then(|()| {
            let install = ["install", "--yes", "--download-only", "--no-install-recommends"];
            apt().args(install).args(LIBRARIES).run()
        })
        // git alone: what else its package needs are scripts of no interest here.
        .and_then(|()| apt().args(["download", "git"]).within(&archives).run());
    if let Err(failure) = downloaded {
        return Ok(Err(failure));
    }
    let root = folder.join("root");
    for entry in fs::read_dir(&archives)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "deb")
            && Program::named(place, "dpkg-deb").arg("--extract").arg(&path).arg(&root).answer().is_none()
        {
            return Ok(Err(Failure::new(format!("`{}` cannot be unpacked.", path.display()), BY_HAND)));
        }
    }
    fs::remove_dir_all(&apt_folder)?;
    wrap(&folder, &root)?;
    Ok(Ok(()))
}

/// Writes a script for each of git's programs that starts it by its own loader.
fn wrap(folder: &Path, root: &Path) -> std::io::Result<()> {
    let (bin, libexec) = (folder.join("bin"), folder.join("libexec"));
    fs::create_dir_all(&bin)?;
    fs::create_dir_all(&libexec)?;
    let libraries = fs::read_dir(root.join("usr/lib"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.join("libc.so.6").is_file())
        .ok_or_else(|| std::io::Error::other("there is no libc among what was unpacked"))?;
    let loader = fs::read_dir(&libraries)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux")))
        .ok_or_else(|| std::io::Error::other("there is no loader among what was unpacked"))?;
    let script = |program: &Path, verb: &str| {
        format!(
            "#!/bin/sh\nGIT_EXEC_PATH=\"${{GIT_EXEC_PATH:-{}}}\" exec '{}' --library-path '{}' '{}' {verb} \"$@\"\n",
            libexec.display(),
            loader.display(),
            libraries.display(),
            program.display()
        )
    };
    let git = root.join("usr/bin/git");
    for entry in fs::read_dir(root.join("usr/lib/git-core"))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let is_git = name == "git" || fs::read_link(&path).is_ok_and(|target| target.ends_with("git"));
        let is_program = || fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"));
        let to = libexec.join(name);
        if is_git {
            executable(&to, &script(&git, name.strip_prefix("git-").unwrap_or_default()))?;
        } else if is_program() {
            executable(&to, &script(&fs::canonicalize(&path)?, ""))?;
        } else if path.is_file() {
            fs::copy(&path, &to)?;
        }
    }
    executable(&bin.join("git"), &script(&git, ""))?;
    // What a server starts for others.
    for verb in ["receive-pack", "upload-pack"] {
        executable(&bin.join(format!("git-{verb}")), &script(&git, verb))?;
    }
    Ok(())
}

fn executable(path: &Path, text: &str) -> std::io::Result<()> {
    fs::write(path, text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
