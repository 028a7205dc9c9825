//! Where the tests' worlds lie while they run: in memory where there is room, since they would mostly wait for the disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::place::Place;
use crate::process::Program;
use crate::report::say;

/// Where Linux has files in memory.
const MEMORY: &str = "/dev/shm";
/// What must be free there, and of the memory that it takes from.
const ROOM_KIB: u64 = 4 * 1024 * 1024;
/// How the folders begin that runs make there.
const PREFIX: &str = "standin-tests-";
/// A younger folder may not be held yet by the run that is just making it.
const SETTLED: Duration = Duration::from_secs(60);

/// A folder in memory. It goes with all that the tests left in it.
pub struct Worlds {
    folder: PathBuf,
    /// Locked as long as the run lives, also where it is killed.
    _held: File,
}

impl Worlds {
    /// A new folder, where there is room for it and programs in it can be started. Says why where there is none.
    pub fn in_memory(place: &Place) -> Option<Self> {
        match Self::beside(place, Path::new(MEMORY)) {
            Ok(worlds) => Some(worlds),
            Err(reason) => {
                say(&format!("   The tests' files lie on the disk, which is slower: {reason}."));
                None
            }
        }
    }

    fn beside(place: &Place, memory: &Path) -> Result<Self, String> {
        if !memory.is_dir() {
            return Err(format!("there is no {}", memory.display()));
        }
        remove_left(memory, SETTLED);
        let free = Program::named(place, "df").arg("-Pk").arg(memory).answer().and_then(|text| free_kib(&text));
        let available = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available_kib(&text));
        for (what, room) in [(memory.display().to_string(), free), ("the memory".to_owned(), available)] {
            let room = room.ok_or_else(|| format!("it cannot be told how much is free of {what}"))?;
            if room < ROOM_KIB {
                return Err(format!("of {what} {} MiB are free, fewer than {}", room / 1024, ROOM_KIB / 1024));
            }
        }
        let worlds =
            Self::new(memory).map_err(|error| format!("no folder can be made in {}: {error}", memory.display()))?;
        if !worlds.runs_programs(place) {
            return Err(format!("nothing can be started in {}", memory.display()));
        }
        Ok(worlds)
    }

    fn new(memory: &Path) -> std::io::Result<Self> {
        let folder = memory.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&folder)?;
        let held = File::open(&folder)?;
        held.lock()?;
        Ok(Self { folder, _held: held })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Tests put scripts into their folders and start them; a container may forbid that.
    fn runs_programs(&self, place: &Place) -> bool {
        let script = self.folder.join("trial");
        let written = fs::write(&script, "#!/bin/sh\nexit 0\n");
        written.is_ok() && is_executable(&script) && Program::named(place, &script).answer().is_some()
    }
}

impl Drop for Worlds {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            say(&format!("   cannot remove {}: {error}", self.folder.display()));
        }
    }
}

#[cfg(unix)]
fn is_executable(script: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(script, fs::Permissions::from_mode(0o700)).is_ok()
}

#[cfg(not(unix))]
fn is_executable(_: &Path) -> bool {
    false
}

/// Removes what runs left that were killed: nobody holds it any more.
fn remove_left(memory: &Path, settled: Duration) {
    for entry in fs::read_dir(memory).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let made = entry.metadata().and_then(|metadata| metadata.modified());
        let age = made.ok().and_then(|made| SystemTime::now().duration_since(made).ok()).unwrap_or_default();
        let is_left = age >= settled && File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok());
        if is_left && fs::remove_dir_all(entry.path()).is_ok() {
            say(&format!("   removed what an earlier run left: {}", entry.path().display()));
        }
    }
}

/// The fourth column of the last line of `df -Pk`.
fn free_kib(df: &str) -> Option<u64> {
    df.lines().last()?.split_whitespace().nth(3)?.parse().ok()
}

fn available_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("standin-worlds-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn room_is_read_from_what_the_system_says() {
        let df = "Filesystem     1024-blocks  Used Available Capacity Mounted on\ntmpfs             24683656 45184  24638472       1% /dev/shm\n";
        assert_eq!(free_kib(df), Some(24_638_472));
        assert_eq!(available_kib("MemTotal:       25 kB\nMemAvailable:   23068672 kB\n"), Some(23_068_672));
        assert_eq!((free_kib(""), available_kib("")), (None, None));
    }

    #[test]
    fn a_run_removes_what_it_made_and_what_a_killed_run_left_but_nothing_else() {
        let memory = memory("left");
        let left = memory.join(format!("{PREFIX}1"));
        let foreign = memory.join("somebody-else");
        for folder in [&left, &foreign] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("file"), "").unwrap();
        }
        remove_left(&memory, SETTLED);
        assert!(left.exists(), "it may be in the making");
        let worlds = Worlds::new(&memory).unwrap();
        fs::write(worlds.folder().join("file"), "").unwrap();
        remove_left(&memory, Duration::ZERO);
        assert!(!left.exists() && foreign.exists());
        assert!(worlds.folder().join("file").exists(), "it is held");
        let folder = worlds.folder().to_owned();
        drop(worlds);
        assert!(!folder.exists());
        fs::remove_dir_all(memory).unwrap();
    }

    #[test]
    fn where_there_is_no_such_place_the_reason_is_told() {
        let place = Place::find().unwrap();
        let reason = Worlds::beside(&place, Path::new("/nonexistent")).err().unwrap();
        assert!(reason.contains("/nonexistent"), "{reason}");
    }
}
