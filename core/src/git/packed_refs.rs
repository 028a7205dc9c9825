//! Writing many refs of the cache as one.
//!
//! Neither git nor libgit2 can do that to a repository that has refs already: each ref becomes a file of its own, with a
//! wait for the disk. Here `packed-refs`, which holds all of them, is replaced: written beside, on disk before it takes
//! the name, under the lock that git itself takes for it (`packed-refs.lock`). Whoever reads sees the refs before or
//! after, and so does the next start when this one was killed.
//!
//! A ref in a file of its own counts before `packed-refs`. Those to be changed are packed by git first, which changes no
//! ref, so that the one step is all there is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use git2::ObjectType;
use standin_state::model::{Oid, RefName};
use tokio_util::sync::CancellationToken;

use super::cache::sync_folder;
use super::child::Input;
use super::{Cache, GitProgram};
use crate::{Code, Error, Result, crash};

/// The file that holds many refs.
const FILE: &str = "packed-refs";
/// Its first line, as git writes it: sorted by name, and each tag object followed by what it leads to.
const HEADER: &str = "# pack-refs with: peeled fully-peeled sorted \n";
/// How long another program's lock on it is waited for.
const LOCK_LIMIT: Duration = Duration::from_secs(10);
/// How often a held lock is tried again.
const RETRY: Duration = Duration::from_millis(25);
/// How long git may take to pack refs.
const PACKING_LIMIT: Duration = Duration::from_secs(30 * 60);

/// The refs of the file by name, each with its object and, for a tag object, with what that leads to. Names are bytes,
/// since a ref that is not ours may have any.
type Packed = BTreeMap<Vec<u8>, (String, Option<String>)>;

impl Cache {
    /// Sets refs, or with `None` removes them: all of them or none. They are on disk before it returns, whatever their
    /// number at the cost of one write. Nobody else may write the same refs meanwhile.
    ///
    /// # Errors
    /// [`Code::Storage`] when the cache cannot be written, or an object is not there; [`Code::Busy`] when another program
    /// keeps it locked; [`Code::Cancelled`].
    pub async fn set_refs(
        &self,
        git: &GitProgram,
        changes: &BTreeMap<RefName, Option<Oid>>,
        cancel: &CancellationToken,
    ) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let _held = self.hold(cancel).await?;
        let has_file = || changes.keys().any(|name| self.path().join(name.as_str()).is_file());
        if has_file() {
            let pack_refs = ["pack-refs", "--all", "--prune"];
            git.run_local("packing the cache's refs", self.path(), &pack_refs, Input::Nothing, PACKING_LIMIT, cancel)
                .await?;
            if has_file() {
                return Err(self.is_locked());
            }
        }
        let lock = self.lock_packed_refs(cancel).await?;
        crash::point("cache.set_refs.before");
        self.replace_packed_refs(lock, changes)?;
        crash::point("cache.set_refs.after");
        Ok(())
    }

    async fn lock_packed_refs(&self, cancel: &CancellationToken) -> Result<Lock> {
        let path = self.path().join(format!("{FILE}.lock"));
        let deadline = Instant::now() + LOCK_LIMIT;
        loop {
            match File::create_new(&path) {
                Ok(file) => return Ok(Lock { file, path, is_used: false }),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(self.failed("lock", &error)),
                Err(_) if Instant::now() > deadline => return Err(self.is_locked()),
                Err(_) => {}
            }
            if cancel.is_cancelled() {
                return Err(super::child::cancelled("writing the cache's refs"));
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    fn replace_packed_refs(&self, lock: Lock, changes: &BTreeMap<RefName, Option<Oid>>) -> Result<()> {
        let failed = |error: io::Error| self.failed("write", &error);
        let repository = self.repository()?;
        let peel = |oid: &str| peeled(&repository, oid).map_err(|error| self.failed("write", &error));
        let text = match std::fs::read(self.path().join(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|error| self.failed("read", &error))?,
        };
        let (mut packed, is_peeled) = parse(&text).ok_or_else(|| self.failed("read", "`packed-refs` is not whole"))?;
        if !is_peeled {
            for (oid, leads_to) in packed.values_mut() {
                // A ref of old that names nothing any more is kept as it is.
                *leads_to = peeled(&repository, oid).ok().flatten();
            }
        }
        for (name, oid) in changes {
            match oid {
                Some(oid) => packed.insert(name.as_str().into(), (oid.to_string(), peel(oid.as_str())?)),
                None => packed.remove(name.as_str().as_bytes()),
            };
        }
        lock.replace(&self.path().join(FILE), &packed).map_err(failed)?;
        sync_folder(self.path()).map_err(failed)
    }

    fn is_locked(&self) -> Error {
        Error::passing(
            Code::Busy,
            format!("another program keeps the refs of the cache `{}` locked", self.path().display()),
            "Wait until it has finished, and try again.",
        )
    }
}

/// The lock on `packed-refs`, which is also the file that will take its place. Gone when dropped.
struct Lock {
    file: File,
    path: PathBuf,
    /// It took its place: a lock of that name is somebody else's.
    is_used: bool,
}

impl Lock {
    /// Writes the refs, and puts them in the place of the old ones once they are on disk.
    fn replace(mut self, file: &Path, packed: &Packed) -> io::Result<()> {
        let mut writer = BufWriter::new(&mut self.file);
        writer.write_all(HEADER.as_bytes())?;
        for (name, (oid, leads_to)) in packed {
            writer.write_all(oid.as_bytes())?;
            writer.write_all(b" ")?;
            writer.write_all(name)?;
            writer.write_all(b"\n")?;
            if let Some(leads_to) = leads_to {
                writeln!(writer, "^{leads_to}")?;
            }
        }
        writer.flush()?;
        drop(writer);
        self.file.sync_all()?;
        crash::point("cache.set_refs.written");
        std::fs::rename(&self.path, file)?;
        self.is_used = true;
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.is_used {
            // What cannot be removed is swept at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What a tag object leads to in the end; `None` for every other object.
fn peeled(repository: &git2::Repository, oid: &str) -> Result<Option<String>, git2::Error> {
    let oid = git2::Oid::from_str(oid)?;
    if repository.odb()?.read_header(oid)?.1 != ObjectType::Tag {
        return Ok(None);
    }
    Ok(Some(repository.find_object(oid, None)?.peel(ObjectType::Any)?.id().to_string()))
}

/// A line of the file.
enum Line<'a> {
    /// Whether each tag object is followed by what it leads to.
    Header {
        is_peeled: bool,
    },
    Comment,
    Ref {
        oid: &'a str,
        name: &'a [u8],
    },
    LeadsTo(&'a str),
}

/// The lines of the file; `None` for one that is not whole.
fn lines(text: &[u8]) -> impl Iterator<Item = Option<Line<'_>>> {
    text.split_inclusive(|&byte| byte == b'\n').map(|line| {
        let line = line.strip_suffix(b"\n")?;
        if let Some(header) = line.strip_prefix(b"# pack-refs with:") {
            let is_peeled = header.split(|&byte| byte == b' ').any(|word| word == b"fully-peeled");
            return Some(Line::Header { is_peeled });
        }
        match line.first()? {
            b'#' => Some(Line::Comment),
            b'^' => Some(Line::LeadsTo(id(&line[1..])?)),
            _ => {
                let (oid, name) = line.split_at_checked(41)?;
                Some(Line::Ref { oid: id(oid.strip_suffix(b" ")?)?, name })
            }
        }
    })
}

/// Whether `packed-refs` in this folder is one, or there is none.
pub(super) fn is_whole(folder: &Path) -> bool {
    match std::fs::read(folder.join(FILE)) {
        Ok(text) => lines(&text).all(|line| line.is_some()),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Reads the file, and whether it says of every ref what that leads to; `None` where it is not one.
fn parse(text: &[u8]) -> Option<(Packed, bool)> {
    let mut packed = Packed::new();
    let (mut is_peeled, mut last) = (text.is_empty(), None);
    for line in lines(text) {
        match line? {
            Line::Header { is_peeled: all } => is_peeled = all,
            Line::Comment => {}
            Line::LeadsTo(oid) => packed.get_mut(last?)?.1 = Some(oid.to_owned()),
            Line::Ref { oid, name } => {
                packed.insert(name.to_vec(), (oid.to_owned(), None));
                last = Some(name);
            }
        }
    }
    Some((packed, is_peeled))
}

fn id(text: &[u8]) -> Option<&str> {
    let is_id = text.len() == 40 && text.iter().all(u8::is_ascii_hexdigit);
    is_id.then(|| std::str::from_utf8(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "1111111111111111111111111111111111111111";
    const B: &str = "2222222222222222222222222222222222222222";

    #[test]
    fn the_file_is_read_with_what_tags_lead_to() {
        let text = format!("{HEADER}{A} refs/heads/a b\n{B} refs/tags/v1\n^{A}\n");
        let (packed, is_peeled) = parse(text.as_bytes()).unwrap();
        assert!(is_peeled);
        assert_eq!(packed[&b"refs/heads/a b"[..]], (A.to_owned(), None));
        assert_eq!(packed[&b"refs/tags/v1"[..]], (B.to_owned(), Some(A.to_owned())));
        let (packed, is_peeled) = parse(format!("{A} refs/heads/\u{e9}\n").as_bytes()).unwrap();
        assert!(!is_peeled && packed.len() == 1, "without a header nothing is promised");
        assert!(parse(b"").is_some_and(|(packed, is_peeled)| packed.is_empty() && is_peeled));
    }

    #[test]
    fn what_is_cut_or_no_such_file_is_not_taken_for_one() {
        let whole = format!("{HEADER}{A} refs/heads/a\n");
        for text in [&whole[..whole.len() - 1], &format!("^{A}\n"), &format!("{} refs/heads/a\n", &A[1..]), "x\n"] {
            assert!(parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}
