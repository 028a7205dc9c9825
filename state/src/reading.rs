//! Reading files that somebody else may have put there: what is no file never ends or never begins, and a file may be of any
//! size.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

/// The bytes of a file, following links; at most one more than `limit`.
///
/// # Errors
/// What opening and reading say; [`io::ErrorKind::InvalidInput`] for what is no file.
pub fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    // A pipe in its place must not make anybody wait for its other end.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, nix::fcntl::OFlag::O_NONBLOCK.bits());
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of one of git's small files; `None` where there is none that could be one.
pub(crate) fn small_text(path: &Path) -> Option<String> {
    const LIMIT: usize = 1024 * 1024;
    let bytes = read(path, LIMIT).ok().filter(|bytes| bytes.len() <= LIMIT)?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
