//! What SQLite's failures mean to a person.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::{Code, Error};

/// Why a transaction did not happen.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite failed.
    Sql(rusqlite::Error),
    /// The file could not be opened.
    File(std::io::Error),
    /// The call makes no sense with what is stored.
    Refused(Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}

impl Failure {
    /// A call that only a bug in Standin makes.
    pub(super) fn bug(message: impl Into<String>) -> Self {
        Self::Refused(Error::new(Code::Internal, message, "This is a bug in Standin; nothing was changed."))
    }

    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Sql(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
    }

    pub(super) fn into_error(self, path: &Path) -> Error {
        let (folder, path) = (path.parent(), path.display());
        let error = match self {
            Self::Refused(error) => return error,
            Self::File(error) => {
                return Error::new(
                    Code::Storage,
                    format!("the database {path} could not be opened: {error}"),
                    "Make the state folder readable and writable for you, or name another with `--state-dir`.",
                );
            }
            Self::Sql(error) => error,
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => match folder.and_then(no_locks) {
                Some(error) => Error::new(
                    Code::Storage,
                    format!("the database {path} could not be locked: {error}"),
                    "Keep the state folder on a disk that supports file locks; name another with `--state-dir`.",
                ),
                None => Error::passing(
                    Code::Storage,
                    format!("the database {path} is in use by another program"),
                    "Try again in a moment; end what holds the file if this stays.",
                ),
            },
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Error::new(
                Code::Storage,
                format!("the database {path} is damaged: {error}"),
                "Restore it from a backup, or move it away together with its `-wal` and `-shm` files: Standin then \
                 starts with an empty memory and reads from the fences on the mirrors what it pushed.",
            ),
            Some(ErrorCode::DiskFull) => Error::passing(
                Code::Storage,
                format!("there is no space left for the database {path}"),
                "Free some space on that disk, then try again.",
            ),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Error::new(
                Code::Storage,
                format!("the database {path} cannot be written: {error}"),
                "Make the state folder and the files in it writable for you, or name another with `--state-dir`.",
            ),
            _ => Error::new(
                Code::Storage,
                format!("the database {path} failed: {error}"),
                "Check the disk; if it is well, this is a bug in Standin.",
            ),
        }
    }
}

/// Why no file in the folder can be locked; none where one can. SQLite calls a file busy on a disk that knows no locks.
#[cfg(unix)]
pub(super) fn no_locks(folder: &Path) -> Option<std::io::Error> {
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;
    use std::os::unix::fs::OpenOptionsExt as _;

    // Deleted at once: nobody else can hold a lock of it.
    let path = folder.join(format!(".lock-{:016x}", rand::random::<u64>()));
    let file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path).ok()?;
    let _ = std::fs::remove_file(&path);
    let whole =
        libc::flock { l_type: libc::F_WRLCK as _, l_whence: libc::SEEK_SET as _, l_start: 0, l_len: 0, l_pid: 0 };
    fcntl(&file, FcntlArg::F_SETLK(&whole)).err().map(std::io::Error::from)
}

#[cfg(not(unix))]
pub(super) fn no_locks(_: &Path) -> Option<std::io::Error> {
    None
}
