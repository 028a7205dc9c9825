//! The .deb: a tree, what it needs, and dpkg-deb.

use std::fs;
use std::path::{Path, PathBuf};

use super::tree::{self, Family, Parts};
use super::words::{GH, GIT, HOMEPAGE, MAINTAINER, Release, TRAY_DEBIAN, Which};
use crate::place::Place;
use crate::process::Program;
use crate::report::Failure;

/// Makes one; its path.
pub fn make(place: &Place, parts: &Parts, release: &Release, which: Which, to: &Path) -> Result<PathBuf, Failure> {
    let root = parts.work.join("deb").join(which.name());
    parts.lay(which, Family::Debian, &root)?;
    let files = tree::files_below(&root)?;
    let architecture = answer(Program::named(place, "dpkg").arg("--print-architecture"), "dpkg says no architecture")?;
    let libraries = libraries(place, parts, which)?;
    let kibibytes = installed_size(&root, &files)?;
    let sums = answer(Program::named(place, "md5sum").within(&root).args(&files), "md5sum failed")?;
    write(&root.join("DEBIAN/control"), &control(which, release, &architecture, &libraries, kibibytes))?;
    write(&root.join("DEBIAN/md5sums"), &format!("{sums}\n"))?;
    let package = to.join(format!("{}_{}_{architecture}.deb", which.name(), release.full()));
    Program::named(place, "dpkg-deb")
        .env("SOURCE_DATE_EPOCH", &release.seconds)
        .args(["--root-owner-group", "-Zxz", "-z9", "-Sextreme", "--build"])
        .args([&root, &package])
        .run()?;
    Ok(package)
}

/// What the control file says.
fn control(which: Which, release: &Release, architecture: &str, libraries: &str, kibibytes: u64) -> String {
    let version = release.full();
    let (section, needs, suggests, before) = match which {
        Which::CommandLine => {
            let before = format!("Breaks: standin (<< {version}~)\nReplaces: standin (<< {version}~)\n");
            ("vcs", format!("{libraries}, git (>= 1:{GIT})"), "openssh-client, standin", before)
        }
        Which::Desktop => {
            let needs = format!("{libraries}, {TRAY_DEBIAN}, standin-cli (= {version})");
            ("vcs", needs, "gnome-keyring | keepassxc", String::new())
        }
    };
    let paragraphs: Vec<_> = which
        .description()
        .iter()
        .map(|lines| lines.iter().map(|line| format!(" {line}\n")).collect::<String>())
        .collect();
    let (name, summary, description) = (which.name(), which.summary(), paragraphs.join(" .\n"));
    format!(
        "Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: {MAINTAINER}\n\
         Installed-Size: {kibibytes}\nDepends: {needs}\nRecommends: gh (>= {GH})\nSuggests: {suggests}\n{before}\
         Section: {section}\nPriority: optional\nHomepage: {HOMEPAGE}\nDescription: {summary}\n{description}"
    )
}

/// The packages whose libraries the program is linked to, at the versions whose symbols it uses.
fn libraries(place: &Place, parts: &Parts, which: Which) -> Result<String, Failure> {
    let folder = parts.work.join("shlibs").join(which.name());
    write(
        &folder.join("debian/control"),
        &format!("Source: standin\n\nPackage: {}\nArchitecture: any\n", which.name()),
    )?;
    let program = Program::named(place, "dpkg-shlibdeps").within(&folder).args(["-O", "-e"]).arg(parts.program(which));
    let said = answer(program, "dpkg-shlibdeps cannot tell which packages have the libraries")?;
    let found = said.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    found.map(str::to_owned).ok_or_else(|| Failure::new(format!("dpkg-shlibdeps named no package: {said}"), ""))
}

/// As Debian's policy counts: each file in whole KiB, and one for each entry.
fn installed_size(root: &Path, files: &[PathBuf]) -> Result<u64, Failure> {
    let mut kibibytes = 0;
    for file in files {
        let data = fs::metadata(root.join(file)).map_err(|error| Failure::io("read a file's size", error))?;
        kibibytes += data.len().div_ceil(1024);
    }
    Ok(kibibytes)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::io(&format!("make {}", folder.display()), error))?;
        tree::set_mode(folder, 0o755)?;
    }
    fs::write(path, text).map_err(|error| Failure::io(&format!("write {}", path.display()), error))?;
    tree::set_mode(path, 0o644)
}

fn answer(program: Program, otherwise: &str) -> Result<String, Failure> {
    program.answer().ok_or_else(|| {
        Failure::new(format!("{otherwise}."), "The .deb is made on Debian and its relatives, with dpkg-dev installed.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(which: Which) -> String {
        let release = Release { version: "1.2.3".to_owned(), revision: "4".to_owned(), seconds: "0".to_owned() };
        control(which, &release, "amd64", "libc6 (>= 2.34)", 7)
    }

    #[test]
    fn the_window_needs_the_command_line_of_the_same_version_and_not_the_other_way_round() {
        let (window, command_line) = (of(Which::Desktop), of(Which::CommandLine));
        assert!(window.contains("\nDepends: libc6 (>= 2.34), libayatana-appindicator3-1, standin-cli (= 1.2.3-4)\n"));
        assert!(command_line.contains("\nDepends: libc6 (>= 2.34), git (>= 1:2.36)\n"), "{command_line}");
        assert!(!command_line.contains("appindicator") && !command_line.contains("webkit"));
        for control in [window, command_line] {
            assert!(
                control.contains("\nRecommends: gh (>= 2.32.0)\n") && control.contains("\n .\n This is"),
                "{control}"
            );
            assert!(control.ends_with(".\n") && !control.contains("\n\n"), "{control}");
        }
    }

    #[test]
    fn what_had_both_programs_in_one_package_gives_the_command_line_away() {
        assert!(of(Which::CommandLine).contains("\nReplaces: standin (<< 1.2.3-4~)\n"));
    }
}
