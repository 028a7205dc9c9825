//! What Debian has, beside this machine: root folders for tests that have no network, and programs of a newer suite.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::place::Place;
use crate::process::{Program, find};
use crate::report::Failure;

/// The suite that has the newest of everything.
pub const NEWEST: &str = "unstable";

/// What its packages are signed with, where they are Debian's own.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Where this machine has Debian's own packages from.
pub fn mirror(place: &Place) -> Option<String> {
    find("apt-get")?;
    let targets = Program::named(place, "apt-get")
        .args(["indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)", "Created-By: Packages"])
        .answer()?;
    targets.lines().find_map(|line| line.strip_prefix("Debian Debian ")).map(str::to_owned)
}

/// Makes a tar file of a root folder with these packages; `more` goes to mmdebstrap. The file is there whole or not at all.
pub fn root(
    place: &Place,
    mirror: &str,
    suite: &str,
    packages: &[&str],
    more: &[String],
    to: &Path,
) -> Result<(), Failure> {
    let unfinished = to.with_extension("unfinished.tar");
    Program::named(place, "mmdebstrap")
        .args(["--quiet", "--mode=root", "--variant=apt", "--format=tar"])
        .arg(format!("--include={}", packages.join(",")))
        .args(more)
        .arg(suite)
        .arg(&unfinished)
        .arg(format!("deb [signed-by={KEYRING}] {mirror} {suite} main"))
        .run()?;
    fs::rename(&unfinished, to).map_err(|error| Failure::io("keep the root folder", error))
}

/// Programs of another suite, unpacked with all the libraries that they need: nothing of them is installed.
pub struct Unpacked {
    /// The folder that is `/` to them.
    pub root: PathBuf,
    loader: PathBuf,
    libraries: PathBuf,
}

impl Unpacked {
    /// Unpacks packages of [`NEWEST`] below `folder`: those of `whole` with what they need, those of `alone` without. apt works
    /// on lists and a cache of its own there.
    pub fn fetch(
        place: &Place,
        mirror: &str,
        folder: &Path,
        whole: &[&str],
        alone: &[&str],
    ) -> io::Result<Result<Self, Failure>> {
        let _ = fs::remove_dir_all(folder);
        let apt_folder = folder.join("apt");
        for needed in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(apt_folder.join(needed))?;
        }
        fs::write(apt_folder.join("sources.list"), format!("deb {mirror} {NEWEST} main\n"))?;
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
        let downloaded = apt().arg("update").run().and_then(|()| {
            let install = ["install", "--yes", "--download-only", "--no-install-recommends"];
            apt().args(install).args(whole).run()
        });
        let downloaded = downloaded.and_then(|()| match alone {
            [] => Ok(()),
            alone => apt().arg("download").args(alone).within(&archives).run(),
        });
        if let Err(failure) = downloaded {
            return Ok(Err(failure));
        }
        let root = folder.join("root");
        for entry in fs::read_dir(&archives)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "deb")
                && Program::named(place, "dpkg-deb").arg("--extract").arg(&path).arg(&root).answer().is_none()
            {
                return Ok(Err(Failure::new(format!("`{}` cannot be unpacked.", path.display()), "")));
            }
        }
        fs::remove_dir_all(&apt_folder)?;
        Self::at(root).map(Ok)
    }

    fn at(root: PathBuf) -> io::Result<Self> {
        let libraries = fs::read_dir(root.join("usr/lib"))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.join("libc.so.6").is_file())
            .ok_or_else(|| io::Error::other("there is no libc among what was unpacked"))?;
        let loader = fs::read_dir(&libraries)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux")))
            .ok_or_else(|| io::Error::other("there is no loader among what was unpacked"))?;
        Ok(Self { root, loader, libraries })
    }

    /// Makes `to` a script that starts one of the programs by its own loader; `before` stands before that, `verb` is its first
    /// argument.
    pub fn script(&self, to: &Path, before: &str, program: &Path, verb: &str) -> io::Result<()> {
        let text = format!(
            "#!/bin/sh\n{before} exec '{}' --library-path '{}' '{}' {verb} \"$@\"\n",
            self.loader.display(),
            self.libraries.display(),
            program.display()
        );
        fs::write(to, text)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }
}
