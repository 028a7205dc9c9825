//! Opening repositories that are not Standin's own: a clone that is the source, a folder that is a mirror.
//!
//! libgit2 follows what their settings include, and a pipe there never ends. Such a call cannot be stopped; so it gets a thread of
//! its own, which is left alone when it takes too long, and ends with the program.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use crate::{Code, Error, Result};

/// How long a repository may take to open. Its settings are read, and nothing else.
const LIMIT: Duration = Duration::from_secs(10);

/// Opens the repository at `path`; `None` where there is none that libgit2 can open.
///
/// # Errors
/// [`Code::TimedOut`] where its settings do not end.
pub(crate) fn open(path: &Path) -> Result<Option<git2::Repository>> {
    within(LIMIT, path, |path| git2::Repository::open(path).ok())
}

/// The same of a repository that has no folder to work in.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_bare(path: &Path) -> Result<Option<git2::Repository>> {
    within(LIMIT, path, |path| git2::Repository::open_bare(path).ok())
}

fn within<T: Send + 'static>(
    limit: Duration,
    path: &Path,
    open: impl FnOnce(&Path) -> Option<T> + Send + 'static,
) -> Result<Option<T>> {
    let (found, finds) = mpsc::sync_channel(1);
    let here = path.to_owned();
    let thread = std::thread::Builder::new().name("repository".to_owned());
    let started = thread.spawn(move || {
        // Nobody may wait any more.
        let _unheard = found.send(open(&here));
    });
    started.map_err(|error| Error::new(Code::Internal, format!("no thread could be started: {error}"), ""))?;
    match finds.recv_timeout(limit) {
        Ok(opened) => Ok(opened),
        Err(mpsc::RecvTimeoutError::Disconnected) => Ok(None),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(Error::new(
            Code::TimedOut,
            format!(
                "the settings of the repository `{}` could not be read within {} s",
                path.display(),
                limit.as_secs()
            ),
            "See what its `config` includes (`[include]`, `[includeIf]`): a pipe, or a file on a disk that does not answer. `git -C \
             FOLDER config --list --show-origin` shows it, and hangs at the same place.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_is_given_and_what_is_none_is_none() {
        let folder = tempfile::tempdir().unwrap();
        git2::Repository::init_bare(folder.path().join("a.git")).unwrap();
        assert!(open(&folder.path().join("a.git")).unwrap().is_some());
        assert!(open_bare(&folder.path().join("a.git")).unwrap().is_some());
        assert!(open(&folder.path().join("nothing")).unwrap().is_none());
    }

    #[test]
    fn what_does_not_end_is_an_error_that_names_the_place() {
        let (never, waits) = mpsc::channel::<()>();
        let error = within(Duration::from_millis(50), Path::new("/srv/app"), move |_| waits.recv().ok()).unwrap_err();
        assert_eq!(error.code, Code::TimedOut);
        assert!(error.message.contains("/srv/app"), "{error:?}");
        drop(never);
    }
}
