//! The packages: `standin-cli`, which a server can have, and `standin`, the window, which needs it.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod` | the command: build, lay out, pack, print the sizes |
//! | [`words`] | what both kinds of package say: names, versions, what they need |
//! | [`tree`] | which file of the checkout and of the build lies where once it is installed |
//! | [`deb`], [`rpm`] | the two kinds |
//! | [`check`] | what lintian and its like say, and the tests that install them |
//!
//! On Linux these are the .deb and the .rpm; macOS and Windows have the bundles that `tauri.conf.json` names. What is packed lies in
//! `packaging/linux`; nothing runs when a package is installed or removed.

mod check;
mod deb;
mod rpm;
mod tree;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::desktop;
use crate::place::Place;
use crate::process::Program;
use crate::report::{Failure, Report, say};
use crate::setup::{self, For};
use tree::Parts;
use words::{Release, Which};

/// Where the packages go, below cargo's build folder.
const FOLDER: &str = "packages";

/// `package [--check]`
pub fn run(place: &Place, arguments: &[String]) -> Result<ExitCode, Failure> {
    let checks = match arguments {
        [] => false,
        [only] if only == "--check" => true,
        _ => return Err(Failure::usage(format!("`package` does not know `{}`.", arguments.join(" ")))),
    };
    if !cfg!(target_os = "linux") {
        return bundle(place, checks);
    }
    let mut report = Report::start();
    report.must("Setup", || setup::prepare(place, if checks { For::Test } else { For::Window }))?;
    report.must("What packs", || check::provide(place, checks))?;
    let release = Release::read(place)?;
    report.must("Frontend", || desktop::build_frontend(place))?;
    report.must("Programs", || {
        Program::cargo(place)
            .args(["build", "--locked", "--release", "-p", "standin-cli", "-p", "standin-desktop"])
            .run()
    })?;
    let folder = place.scratch(FOLDER);
    let packages = report.must("Packages", || pack(place, &release, &folder))?;
    if checks {
        check::run(place, &mut report, &folder, &packages);
    }
    say(&format!("\n{}\n", report.table()));
    for package in &packages {
        println!("{}  {:.1} MB", package.display(), size(package)? as f64 / 1_000_000.0);
    }
    Ok(if report.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Elsewhere Tauri makes what that system installs.
fn bundle(place: &Place, checks: bool) -> Result<ExitCode, Failure> {
    if checks {
        return Err(Failure::usage("`package --check` needs Linux."));
    }
    let mut report = Report::start();
    report.must("Setup", || setup::prepare(place, For::Window))?;
    report.must("Bundle", || {
        let tauri = place.path("ui/node_modules/.bin/tauri").with_extension(if cfg!(windows) { "cmd" } else { "" });
        Program::named(place, tauri).args(["build", "--ci", "--", "--locked"]).run()
    })?;
    say(&format!("\n{}\n\n{}", report.table(), place.scratch("release/bundle").display()));
    Ok(ExitCode::SUCCESS)
}

fn pack(place: &Place, release: &Release, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    forget(folder)?;
    let work = folder.join("work");
    let parts = Parts::gather(place, &work)?;
    let mut packages = Vec::new();
    for which in Which::ALL {
        packages.push(deb::make(place, &parts, release, which, folder)?);
    }
    packages.extend(rpm::make(place, &parts, release, folder)?);
    fs::remove_dir_all(&work).map_err(|error| Failure::io("remove what was laid out", error))?;
    Ok(packages)
}

/// Removes what an earlier run made; the root folders of the tests stay.
fn forget(folder: &Path) -> Result<(), Failure> {
    let gone = |result: std::io::Result<()>| match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::io(&format!("empty {}", folder.display()), error))
        }
        _ => Ok(()),
    };
    gone(fs::remove_dir_all(folder.join("work")))?;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|kind| kind == "deb" || kind == "rpm") {
            gone(fs::remove_file(path))?;
        }
    }
    Ok(())
}

fn size(package: &Path) -> Result<u64, Failure> {
    fs::metadata(package).map(|data| data.len()).map_err(|error| Failure::io("read a package's size", error))
}
