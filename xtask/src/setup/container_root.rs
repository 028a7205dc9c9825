//! The root folder of the container's image, for its tests: they have no network, and no registry of images.
//!
//! It is made as `container/Containerfile` makes it, of the same packages and by the same script; the Debian below it comes from
//! where this machine has its own packages from. A tar file below `target/tools` keeps it, made anew when one of them changes.

use std::fs;
use std::path::{Path, PathBuf};

use super::{debian, system};
use crate::place::Place;
use crate::process::{Program, find};
use crate::report::{Failure, say};

/// The Debian of the image; the `Containerfile` names the same.
const SUITE: &str = "trixie";
/// Makes the root folder; runs what is in it.
const NEEDED: [(&str, &[&str]); 2] = [("mmdebstrap", &["mmdebstrap"]), ("podman", &["podman", "runc"])];
const BY_HAND: &str = "See what mmdebstrap says above. Without the root folder, all tests but those of the container run by \
                       `cargo nextest run`.";

/// The tar file of the root folder; `None` where it cannot be made.
pub fn provide(place: &Place) -> Result<Option<PathBuf>, Failure> {
    let (made, stamp) = (place.tools().join("container-root.tar"), place.tools().join("container-root.made-of"));
    let made_of = made_of(place)?;
    let is_good = made.is_file() && fs::read_to_string(&stamp).is_ok_and(|text| text == made_of);
    let without = |why: &str| {
        say(&format!("   {why}: the container is not tested"));
        Ok(None)
    };
    if !cfg!(target_os = "linux") {
        return without("this is no Linux");
    }
    if Program::named(place, "id").arg("-u").answer().as_deref() != Some("0") {
        return without("only root may make a root folder and run something in it");
    }
    let Some(mirror) = debian::mirror(place) else { return without("there is no apt of Debian's here") };
    let missing = NEEDED.iter().filter(|(program, _)| find(program).is_none());
    let packages: Vec<&str> = missing.flat_map(|(_, packages)| packages.iter().copied()).collect();
    if !packages.is_empty() {
        system::install_debian(place, &packages)?;
    }
    if !is_good {
        say(&format!("   the root folder goes into {}; that takes a minute", made.display()));
        make(place, &mirror, &made)?;
        fs::write(&stamp, made_of).map_err(|error| Failure::io("remember what the root folder was made of", error))?;
    }
    say(&format!("   {}", made.display()));
    Ok(Some(made))
}

/// All that decides what is in it.
fn made_of(place: &Place) -> Result<String, Failure> {
    let read =
        |name: &str| fs::read_to_string(place.path(name)).map_err(|error| Failure::io(&format!("read {name}"), error));
    Ok(format!("{SUITE}\n{}{}", read("container/packages")?, read("container/trim.sh")?))
}

fn make(place: &Place, mirror: &str, to: &Path) -> Result<(), Failure> {
    let packages = fs::read_to_string(place.path("container/packages"))
        .map_err(|error| Failure::io("read container/packages", error))?;
    let script = place.path("container/trim.sh");
    let more = [
        format!("--customize-hook=copy-in '{}' /", script.display()),
        "--customize-hook=chroot \"$1\" sh /trim.sh && rm \"$1/trim.sh\"".to_owned(),
        // What comes after the hooks would look for apt, which is gone then.
        "--skip=cleanup/apt,cleanup/reproducible".to_owned(),
    ];
    let made = debian::root(place, mirror, SUITE, &packages.lines().collect::<Vec<_>>(), &more, to);
    made.map_err(|failure| Failure::new(failure.to_string(), BY_HAND))
}
