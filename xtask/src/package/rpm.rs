//! The .rpm: the same trees, and rpmbuild, which finds out by itself which libraries the programs need.

use std::fs;
use std::path::{Path, PathBuf};

use super::tree::{self, Family, Parts};
use super::words::{GH, GIT, HOMEPAGE, MAINTAINER, Release, TRAY_LIBRARY, Which};
use crate::place::Place;
use crate::process::Program;
use crate::report::Failure;

/// Makes both; their paths.
pub fn make(place: &Place, parts: &Parts, release: &Release, to: &Path) -> Result<Vec<PathBuf>, Failure> {
    let work = parts.work.join("rpm");
    let mut lists = Vec::new();
    for which in Which::ALL {
        let root = work.join(which.name());
        parts.lay(which, Family::Rpm, &root)?;
        lists.push((which, tree::files_below(&root)?));
    }
    let spec = work.join("standin.spec");
    fs::write(&spec, text(release, &work, &lists)).map_err(|error| Failure::io("write the .spec", error))?;
    let made = work.join("made");
    Program::named(place, "rpmbuild")
        .env("SOURCE_DATE_EPOCH", &release.seconds)
        .args(["-bb", "--quiet", "--nodeps", "--define"])
        .arg(format!("_topdir {}", work.join("top").display()))
        .arg("--define")
        .arg(format!("_rpmdir {}", made.display()))
        .arg(&spec)
        .run()?;
    let mut packages = Vec::new();
    for file in tree::files_below(&made)? {
        let package = to.join(file.file_name().unwrap_or_default());
        fs::rename(made.join(&file), &package).map_err(|error| Failure::io("keep a package", error))?;
        packages.push(package);
    }
    if packages.len() == Which::ALL.len() {
        return Ok(packages);
    }
    Err(Failure::new(format!("rpmbuild made {} packages, not two.", packages.len()), "Its own output above says why."))
}

/// The .spec of both.
fn text(release: &Release, work: &Path, lists: &[(Which, Vec<PathBuf>)]) -> String {
    let Release { version, revision, .. } = release;
    let mut text = format!(
        "%global debug_package %{{nil}}\n%global __os_install_post %{{nil}}\n%global _build_id_links none\n\
         %global _binary_payload w9.xzdio\n%global _buildhost standin\n%global clamp_mtime_to_source_date_epoch 1\n\
         %global use_source_date_epoch_as_buildtime 1\n\n\
         Name: standin\nVersion: {version}\nRelease: {revision}\nSummary: {summary}\nLicense: MIT OR Apache-2.0\n\
         URL: {HOMEPAGE}\nPackager: {MAINTAINER}\nRequires: standin-cli = {version}-{revision}\n\
         Requires: {TRAY_LIBRARY}\nRecommends: gh >= {GH}\n\n%description\n{description}\n\n",
        summary = summary(Which::Desktop),
        description = description(Which::Desktop),
    );
    text.push_str(&format!(
        "%package -n standin-cli\nSummary: {summary}\nRequires: git-core >= {GIT}\nRecommends: gh >= {GH}\n\n\
         %description -n standin-cli\n{description}\n\n%install\n",
        summary = summary(Which::CommandLine),
        description = description(Which::CommandLine),
    ));
    for (which, _) in lists {
        text.push_str(&format!("cp --archive '{}/.' %{{buildroot}}/\n", work.join(which.name()).display()));
    }
    for (which, files) in lists {
        text.push_str(match which {
            Which::CommandLine => "\n%files -n standin-cli\n%defattr(-,root,root,-)\n",
            Which::Desktop => "\n%files\n%defattr(-,root,root,-)\n",
        });
        files.iter().for_each(|file| text.push_str(&line(file)));
    }
    text
}

/// A file of a package, with the mark of a document or licence.
fn line(file: &Path) -> String {
    let mark = match file.iter().nth(2).and_then(|name| name.to_str()) {
        Some("licenses") => "%license ",
        Some("doc" | "man") => "%doc ",
        _ => "",
    };
    format!("{mark}\"/{}\"\n", file.display())
}

/// A .rpm's begins with a capital.
fn summary(which: Which) -> String {
    let mut letters = which.summary().chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

fn description(which: Which) -> String {
    which.description().iter().map(|lines| lines.join("\n")).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_in_its_own_package_and_each_says_what_it_needs() {
        let release = Release { version: "1.2.3".to_owned(), revision: "4".to_owned(), seconds: "0".to_owned() };
        let lists = [
            (
                Which::CommandLine,
                vec![PathBuf::from("usr/bin/standin"), "usr/share/licenses/standin-cli/LICENSE-MIT".into()],
            ),
            (Which::Desktop, vec![PathBuf::from("usr/bin/standin-desktop")]),
        ];
        let text = text(&release, Path::new("/work"), &lists);
        let (before, own) = text.split_once("%files -n standin-cli").unwrap();
        let (command_line, window) = own.split_once("%files\n").unwrap();
        assert!(command_line.contains("\"/usr/bin/standin\"\n%license \"/usr/share/licenses"), "{text}");
        assert!(window.contains("\"/usr/bin/standin-desktop\"") && !window.contains("/standin\""), "{text}");
        for needed in ["standin-cli = 1.2.3-4", "git-core >= 2.36", "libayatana-appindicator3.so.1()(64bit)"] {
            assert!(before.contains(&format!("\nRequires: {needed}\n")), "{text}");
        }
        assert!(before.contains("Summary: Keeps standbys"), "{text}");
    }
}
