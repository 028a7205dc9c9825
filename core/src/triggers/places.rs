//! Which folders are to be watched for one thing, and which events in them are about it.
//!
//! A watch on a file is deaf after an editor saved by rename, and one on a folder stays with a folder that was moved away. So the
//! folder that a file is in is watched, the one that a link leads to as well, and each is known by its identity on the
//! disk: what stands in its place later is another one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// So many links are followed from one file to the next.
const LINKS: usize = 16;

/// Files and folders in a repository that say where branches and tags are.
const OF_REFS: [&str; 4] = ["refs", "packed-refs", "reftable", "HEAD"];

/// Folders to be watched, each with what counts in it.
pub(super) type Places = BTreeMap<PathBuf, Place>;

/// What is watched of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Which folder it is, whatever it is called.
    pub identity: Option<(u64, u64)>,
    /// Whether what is below its folders counts, too.
    pub deep: bool,
    /// The names in it that count; all where none is said.
    pub names: Vec<OsString>,
}

impl Place {
    /// Whether an event about `path` counts, in this folder at `folder`.
    pub fn counts(&self, folder: &Path, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(folder) else { return false };
        let mut parts = below.components();
        match (parts.next(), parts.next()) {
            // The folder itself: it may be gone.
            (None, _) => true,
            (Some(name), None) => self.names.is_empty() || self.names.iter().any(|known| known == name.as_os_str()),
            (Some(_), Some(_)) => self.deep,
        }
    }

    fn join(&mut self, other: Self) {
        self.deep |= other.deep;
        if self.names.is_empty() || other.names.is_empty() {
            self.names.clear();
        } else {
            self.names.extend(other.names);
        }
    }
}

/// Where a change of this file shows.
pub(super) fn of_file(path: &Path) -> Places {
    let mut places = Places::new();
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let (Some(parent), Some(name)) = (path.parent().map(Path::to_owned), path.file_name()) else { break };
        add(&mut places, &parent, false, &[name]);
        let Ok(target) = path.read_link() else { break };
        path = parent.join(target);
    }
    places
}

/// Where a change of the branches and tags of a repository shows; `named` is what the user calls it, which may be a link, and
/// `common` where its refs are, as long as it is there.
pub(super) fn of_refs(named: &Path, common: Option<&Path>) -> Places {
    let mut places = of_file(named);
    let Some(common) = common else { return places };
    places.extend(of_file(common));
    add(&mut places, common, false, &OF_REFS.map(std::ffi::OsStr::new));
    for (folder, deep) in [("refs", false), ("refs/heads", true), ("refs/tags", true), ("refs/notes", true)] {
        add(&mut places, &common.join(folder), deep, &[]);
    }
    add(&mut places, &common.join("reftable"), false, &[]);
    places
}

/// Where something appears in a folder.
pub(super) fn of_folder(folder: &Path) -> Places {
    let mut places = of_file(folder);
    add(&mut places, folder, false, &[]);
    places
}

/// Adds a folder where it really is; one that is not there is found when the one above it tells of it, or at a later look.
fn add(places: &mut Places, folder: &Path, deep: bool, names: &[&std::ffi::OsStr]) {
    let Ok(real) = folder.canonicalize() else { return };
    let Some(identity) = identity(&real) else { return };
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    let place = Place { identity: Some(identity), deep, names };
    match places.get_mut(&real) {
        Some(known) => known.join(place),
        None => drop(places.insert(real, place)),
    }
}

#[cfg(unix)]
fn identity(folder: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let data = folder.metadata().ok().filter(std::fs::Metadata::is_dir)?;
    Some((data.dev(), data.ino()))
}

#[cfg(not(unix))]
fn identity(folder: &Path) -> Option<(u64, u64)> {
    folder.is_dir().then_some((0, 0))
}

/// Whether a folder is on a file system that does not tell what others change there.
#[cfg(target_os = "linux")]
pub(super) fn is_silent(folder: &Path) -> bool {
    /// Numbers of file systems on other machines, or behind a program that need not tell: AFS, CIFS, Coda, Ceph, FUSE, NCP, NFS,
    /// 9p, SMB, SMB2.
    const SILENT: [i64; 10] = [
        0x5346_414f,
        0xff53_4d42,
        0x7375_7245,
        0x00c3_6400,
        0x6573_5546,
        0x564c,
        0x6969,
        0x0102_1997,
        0x517b,
        0xfe53_4d42,
    ];
    // Its width is another one on other processors.
    #[allow(clippy::useless_conversion)]
    let kind = nix::sys::statfs::statfs(folder).map(|found| i64::from(found.filesystem_type().0) & 0xffff_ffff);
    kind.is_ok_and(|kind| SILENT.contains(&kind))
}

/// Elsewhere the system says so by refusing the watch.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_silent(_folder: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_it_counts() {
        let names = vec![OsString::from(".env")];
        let place = Place { identity: None, deep: false, names };
        let counts = |path: &str| place.counts(Path::new("/a"), Path::new(path));
        assert!(counts("/a/.env") && counts("/a"));
        assert!(!counts("/a/.env.swp") && !counts("/a/b/.env") && !counts("/b/.env"));
        let deep = Place { deep: true, ..Place::default() };
        assert!(deep.counts(Path::new("/a"), Path::new("/a/b/c")));
    }

    #[test]
    fn a_folder_watched_for_two_things_counts_for_both() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        let mut places = of_file(&dir.path().join("one"));
        places.get_mut(&real).unwrap().join(of_file(&dir.path().join("two"))[&real].clone());
        assert!(places[&real].counts(&real, &real.join("one")) && places[&real].counts(&real, &real.join("two")));
        assert!(!places[&real].counts(&real, &real.join("three")));
    }
}
