//! What is said of the packages by those who know: lintian, appstreamcli, desktop-file-validate, and the tests that install them
//! into root folders of their own, start what they bring, upgrade and purge it.

use std::fs;
use std::path::{Path, PathBuf};

use super::words::{GIT, IDENTIFIER, TRAY_DEBIAN};
use crate::place::Place;
use crate::process::{Program, find};
use crate::report::{Failure, Report, say};
use crate::setup::{self, debian};

/// What packs, and the Debian package that brings it.
const PACKS: [(&str, &str); 4] =
    [("dpkg-deb", "dpkg"), ("dpkg-shlibdeps", "dpkg-dev"), ("gzip", "gzip"), ("rpmbuild", "rpm")];
/// What checks.
const CHECKS: [(&str, &str); 4] = [
    ("lintian", "lintian"),
    ("appstreamcli", "appstream"),
    ("desktop-file-validate", "desktop-file-utils"),
    ("mmdebstrap", "mmdebstrap"),
];

/// What a server has that may get the command line.
const SERVER: &[&str] = &["ca-certificates", "git", "zlib1g"];
/// What a desktop has beside it that may get the window, with what the tests look at it by.
const DESKTOP: &[&str] = &[
    "dbus-daemon",
    "fonts-dejavu-core",
    "libdbus-1-3",
    "libgtk-3-0",
    "libwebkit2gtk-4.1-0",
    TRAY_DEBIAN,
    "x11-utils",
    "xauth",
    "xvfb",
];

/// Installs what is missing of it.
pub fn provide(place: &Place, checks: bool) -> Result<(), Failure> {
    let needed = PACKS.iter().chain(CHECKS.iter().filter(|_| checks));
    let missing: Vec<&str> =
        needed.filter(|(program, _)| find(program).is_none()).map(|(_, package)| *package).collect();
    if missing.is_empty() || setup::install_debian(place, &missing)? {
        return Ok(());
    }
    Err(Failure::new(
        format!("This machine lacks {}.", missing.join(", ")),
        "The packages are made on Debian and its relatives.",
    ))
}

/// Every check; each failure is said, and the next goes on.
pub fn run(place: &Place, report: &mut Report, folder: &Path, packages: &[PathBuf]) {
    let debs: Vec<_> = packages.iter().filter(|path| path.extension().is_some_and(|kind| kind == "deb")).collect();
    report.step("lintian", || {
        let lintian = Program::named(place, "lintian");
        lintian.args(["--fail-on", "error,warning", "--tag-display-limit", "0", "--allow-root"]).args(&debs).run()
    });
    let files = place.path("packaging/linux");
    report.step("AppStream", || {
        let appstreamcli = Program::named(place, "appstreamcli").args(["validate", "--no-net", "--pedantic"]);
        appstreamcli.arg(files.join(format!("{IDENTIFIER}.metainfo.xml"))).run()
    });
    report.step("Desktop entry", || {
        Program::named(place, "desktop-file-validate").arg(files.join(format!("{IDENTIFIER}.desktop"))).run()
    });
    if report.step("Root folders", || roots(place, folder)).is_none() {
        report.skip("Installed", "since there is no root folder to install into");
        return;
    }
    report.step("Installed", || {
        Program::cargo(place)
            .args(["nextest", "run", "--locked", "-p", "standin-tests", "-E", "test(/^packages::/)"])
            .env("STANDIN_PACKAGES", folder)
            .run()
    });
}

/// The root folders that the tests install into: they have no network. One is made anew when what is in it changes.
fn roots(place: &Place, folder: &Path) -> Result<(), Failure> {
    let roots = folder.join("roots");
    fs::create_dir_all(&roots).map_err(|error| Failure::io("make the folder of the root folders", error))?;
    let suite = suite()?;
    let mirror = debian::mirror(place).ok_or_else(|| Failure::new("There is no apt of Debian's here.", ""))?;
    for (name, packages) in [("server", SERVER.to_vec()), ("desktop", [SERVER, DESKTOP].concat())] {
        let (made, stamp) = (roots.join(format!("{name}.tar")), roots.join(format!("{name}.made-of")));
        let made_of = format!("{suite} git>={GIT} {}", packages.join(" "));
        if made.is_file() && fs::read_to_string(&stamp).is_ok_and(|text| text == made_of) {
            continue;
        }
        say(&format!("   {} is made; that takes a minute", made.display()));
        debian::root(place, &mirror, &suite, &packages, &[], &made)?;
        fs::write(&stamp, made_of).map_err(|error| Failure::io("remember what a root folder was made of", error))?;
    }
    Ok(())
}

/// The Debian of this machine: what is built here needs its libraries.
fn suite() -> Result<String, Failure> {
    let text = fs::read_to_string("/etc/os-release").map_err(|error| Failure::io("read /etc/os-release", error))?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    name.map(str::to_owned).ok_or_else(|| Failure::new("/etc/os-release names no suite of Debian's.", ""))
}
