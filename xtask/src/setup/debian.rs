//! Root folders of Debian, for tests that have no network.

use std::fs;
use std::path::Path;

use crate::place::Place;
use crate::process::Program;
use crate::report::Failure;

/// What its packages are signed with, where they are Debian's own.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Where this machine has Debian's own packages from.
pub fn mirror(place: &Place) -> Option<String> {
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
