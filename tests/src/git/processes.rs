//! Which processes of this machine are about a thing.

use std::fs;
use std::time::{Duration, Instant};

/// The command lines of all processes, but this one, that contain `text`.
pub fn processes_naming(text: &str) -> Vec<String> {
    let own = std::process::id().to_string();
    let folders = fs::read_dir("/proc").unwrap().flatten();
    folders
        .filter(|folder| folder.file_name().to_string_lossy().parse::<u32>().is_ok())
        .filter(|folder| folder.file_name().to_string_lossy() != own)
        .filter_map(|folder| fs::read(folder.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(text))
        .collect()
}

/// Whether no process that is about `text` is left, after a moment for the dying.
pub fn none_left(text: &str) -> bool {
    let deadline = Instant::now() + Duration::from_secs(3);
    while !processes_naming(text).is_empty() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}
