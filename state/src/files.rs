//! Files of our own: private, and either whole or not there.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::crash_hook;
use crate::error::{Code, Error, Result};
use crate::model::RepositoryReport;
use crate::private;

/// Where the last report of a repository is kept, below its folder.
pub const MIRROR_STATUS: &str = "mirror_status.json";

/// Replaces the file at `path` by `bytes`: temporary file, fsync, rename, fsync of the folder. A reader sees the old
/// bytes or the new, also after a crash. The file can be read by its owner only.
///
/// # Errors
/// [`Code::Storage`] when the folder does not exist or a write fails; then the old file is as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes).map_err(|error| {
        Error::new(
            Code::Storage,
            format!("{} could not be written: {error}", path.display()),
            "Check that the folder exists, that you may write there, and that the disk is not full.",
        )
    })
}

/// As [`write_atomically`], with these rights where there are any, and only if `still` says so right before it.
///
/// # Errors
/// As [`write_atomically`]; what `still` says.
pub(crate) fn write_if(
    path: &Path,
    bytes: &[u8],
    rights: Option<fs::Permissions>,
    still: &dyn Fn() -> Result<()>,
) -> Result<()> {
    let folder = parent(path);
    let unwritten = |error: io::Error| {
        Error::new(
            Code::Storage,
            format!("{} could not be written: {error}", path.display()),
            "Check that the folder exists, that you may write there, and that the disk is not full.",
        )
    };
    let ready = || {
        crash_hook::point("files", "write", "before");
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        file.write_all(bytes)?;
        if let Some(rights) = &rights {
            file.as_file().set_permissions(rights.clone())?;
        }
        file.as_file().sync_all()?;
        io::Result::Ok(file)
    };
    let file = ready().map_err(unwritten)?;
    still()?;
    crash_hook::point("files", "rename", "before");
    file.persist(path).map_err(|error| unwritten(error.error))?;
    crash_hook::point("files", "rename", "after");
    sync_folder(&folder).map_err(unwritten)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = parent(path);
    crash_hook::point("files", "write", "before");
    let mut file = tempfile::NamedTempFile::new_in(&folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    crash_hook::point("files", "rename", "before");
    file.persist(path).map_err(|error| error.error)?;
    crash_hook::point("files", "rename", "after");
    sync_folder(&folder)
}

/// Writes `path` unless it exists already; the same care as [`write_atomically`]. `false` where it existed.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let folder = parent(path);
    crash_hook::point("files", "create", "before");
    let mut file = tempfile::NamedTempFile::new_in(&folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    let created = match file.persist_noclobber(path) {
        Ok(_) => true,
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error.error),
    };
    crash_hook::point("files", "create", "after");
    sync_folder(&folder)?;
    Ok(created)
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// Windows has no fsync of folders; its renames are journaled.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Writes `mirror_status.json` into the repository's folder under the state folder, making the folder where it is
/// missing; the shape is the one that `standin status --json` prints.
///
/// # Errors
/// [`Code::Storage`] when it cannot be written.
pub fn write_mirror_status(folder: &Path, report: &RepositoryReport) -> Result<()> {
    private::create_folder(folder)?;
    let mut bytes = serde_json::to_vec_pretty(report).map_err(|error| {
        Error::new(
            Code::Internal,
            format!("the report could not be put into JSON: {error}"),
            "This is a bug in Standin.",
        )
    })?;
    bytes.push(b'\n');
    write_atomically(&folder.join(MIRROR_STATUS), &bytes)
}
