//! The state folder is ours alone: what others could have put there is neither read nor written.
//!
//! The state folder may be reached through a link, which the user made. Below it no link is followed, and neither it nor a
//! folder in it may belong to somebody else or be open to others for writing: whoever may write there can put a link, or a
//! file of their own, in the place of any of ours. Such a folder is refused with what to do, and nothing in it is touched.
//! Files are made for their owner only.
//!
//! Elsewhere than on Unix the folder of a user's data is the user's own already.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};

/// The state folder, made where it is missing, and where it really is.
///
/// # Errors
/// [`Code::Storage`] when it cannot be made, belongs to another user, or may be written by others; or where others may write in
/// a folder above it, and so put another folder in its place.
pub(crate) fn state_folder(path: &Path) -> Result<PathBuf> {
    make(path)?;
    let real = path.canonicalize().map_err(|error| unmade(path, &error))?;
    check_folder(&real)?;
    check_above(&real)?;
    Ok(real)
}

/// Makes `folder` and what is missing above it, for its owner only. One that exists is left as it is.
///
/// # Errors
/// [`Code::Storage`] when it cannot be made, is a link, belongs to another user, or may be written by others.
pub fn create_folder(folder: &Path) -> Result<()> {
    if !folder.is_symlink() {
        make(folder)?;
    }
    check_folder(folder)
}

fn make(folder: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| unmade(folder, &error))
}

/// Refuses a folder that is none of ours.
///
/// # Errors
/// As [`create_folder`].
pub fn check_folder(folder: &Path) -> Result<()> {
    let data = folder.symlink_metadata().map_err(|error| unmade(folder, &error))?;
    if data.is_symlink() {
        return Err(link(folder));
    }
    if !data.is_dir() {
        return Err(Error::new(
            Code::Storage,
            format!("{} is no folder", folder.display()),
            "Move it away, or name another state folder with `--state-dir`.",
        ));
    }
    check_owner(folder, &data)
}

/// Refuses a folder in which, or in whose folders of these names, links lie; and where others may enter it, one in whose folders
/// of these names they may write.
///
/// # Errors
/// [`Code::Storage`].
pub fn check_inside(folder: &Path, below: &[&str]) -> Result<()> {
    if is_open(folder) {
        for folder in below.iter().map(|name| folder.join(name)) {
            if let Ok(data) = folder.symlink_metadata() {
                check_owner(&folder, &data)?;
            }
        }
    }
    for folder in below.iter().map(|name| folder.join(name)).chain([folder.to_owned()]) {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            refuse_link(&entry.path())?;
        }
    }
    Ok(())
}

/// Refuses a link.
///
/// # Errors
/// [`Code::Storage`].
pub(crate) fn refuse_link(path: &Path) -> Result<()> {
    if path.is_symlink() { Err(link(path)) } else { Ok(()) }
}

/// Refuses what is in the place of a file of ours and is none: a link, a pipe, another user's, one that others may write, or a file
/// that has a second name somewhere. Nothing there is fine.
///
/// # Errors
/// [`Code::Storage`].
pub(crate) fn check_existing(path: &Path) -> Result<()> {
    refuse_link(path)?;
    let Ok(data) = path.symlink_metadata() else { return Ok(()) };
    let refused = check_file(&data).err().or_else(|| has_other_names(&data).then(second_name));
    match refused {
        None => Ok(()),
        Some(why) => Err(Error::new(
            Code::Storage,
            format!("{} cannot be used: {why}", path.display()),
            "Find out whose it is. If it is yours, mend that; else move it away, or name another state folder with `--state-dir`.",
        )),
    }
}

/// Opens a file for reading and writing, making it for its owner only where it is missing. What is there is kept.
///
/// # Errors
/// The operating system's; [`io::ErrorKind::InvalidInput`] for a link, for what is no file, and for one that has a second name
/// somewhere.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = no_follow(&mut options).open(path).map_err(|error| because_of_link(path, error))?;
    let data = file.metadata()?;
    check_file(&data)?;
    if has_other_names(&data) {
        return Err(second_name());
    }
    Ok(file)
}

/// Opens a file that exists for reading.
///
/// # Errors
/// As [`open`].
pub fn open_to_read(path: &Path) -> io::Result<File> {
    let file = no_follow(fs::OpenOptions::new().read(true)).open(path).map_err(|error| because_of_link(path, error))?;
    check_file(&file.metadata()?)?;
    Ok(file)
}

/// Opens a file that another program of the user, or of the machine's owner, left in a folder that nobody else can enter. With
/// which rights it made it does not matter there.
///
/// # Errors
/// As [`open_to_read`], but for the rights of others.
pub fn open_left(path: &Path) -> io::Result<File> {
    let file = no_follow(fs::OpenOptions::new().read(true)).open(path).map_err(|error| because_of_link(path, error))?;
    let data = file.metadata()?;
    if !data.is_file() {
        return Err(no_file("it is no file"));
    }
    if !is_own_or_roots(&data) {
        return Err(no_file("it belongs to another user"));
    }
    Ok(file)
}

/// Reads a file.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut open_to_read(path)?, &mut bytes)?;
    Ok(bytes)
}

fn because_of_link(path: &Path, error: io::Error) -> io::Error {
    if path.is_symlink() {
        no_file("it is a link, and no link is followed in the state folder: remove it")
    } else {
        error
    }
}

fn second_name() -> io::Error {
    no_file("the same file has another name somewhere, where it would change too: copy it into its place")
}

fn no_file(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why.to_owned())
}

fn link(path: &Path) -> Error {
    Error::new(
        Code::Storage,
        format!("{} is a link, and no link is followed in the state folder", path.display()),
        "Find out who made it and remove it; move what it leads to into its place if that is yours.",
    )
}

fn unmade(folder: &Path, error: &io::Error) -> Error {
    Error::new(
        Code::Storage,
        format!("the folder {} could not be made: {error}", folder.display()),
        "Name another folder with `--state-dir`, or make this one writable for you.",
    )
}

#[cfg(unix)]
fn no_follow(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    // A pipe in the place of a file must not make anybody wait for its other end.
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    options.mode(0o600).custom_flags(flags.bits())
}

#[cfg(not(unix))]
fn no_follow(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    options
}

/// Whether others may enter a folder.
#[cfg(unix)]
fn is_open(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    folder.symlink_metadata().is_ok_and(|data| data.mode() & 0o011 != 0)
}

#[cfg(not(unix))]
fn is_open(_folder: &Path) -> bool {
    false
}

#[cfg(unix)]
fn check_file(data: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    if !data.is_file() {
        return Err(no_file("it is no file"));
    }
    if data.uid() != nix::unistd::geteuid().as_raw() {
        return Err(no_file("it belongs to another user"));
    }
    if data.mode() & 0o022 != 0 {
        let mode = data.mode() & 0o7777;
        return Err(no_file(&format!(
            "others may write it (mode {mode:o}), so what is in it may be theirs: look at it, then close it by `chmod go-w`"
        )));
    }
    Ok(())
}

#[cfg(unix)]
fn is_own_or_roots(data: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    data.uid() == nix::unistd::geteuid().as_raw() || data.uid() == 0
}

#[cfg(not(unix))]
fn is_own_or_roots(_data: &fs::Metadata) -> bool {
    true
}

#[cfg(unix)]
fn has_other_names(data: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(data) > 1
}

#[cfg(not(unix))]
fn has_other_names(_data: &fs::Metadata) -> bool {
    false
}

#[cfg(not(unix))]
fn check_file(data: &fs::Metadata) -> io::Result<()> {
    if data.is_file() { Ok(()) } else { Err(no_file("it is no file")) }
}

#[cfg(unix)]
fn check_owner(folder: &Path, data: &fs::Metadata) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let shown = folder.display();
    if data.uid() != nix::unistd::geteuid().as_raw() {
        return Err(Error::new(
            Code::Storage,
            format!("the folder {shown} belongs to another user (number {})", data.uid()),
            "Run Standin as that user, or name a folder of your own with `--state-dir`.",
        ));
    }
    if data.mode() & 0o022 != 0 {
        return Err(Error::new(
            Code::Storage,
            format!(
                "others may write in the folder {shown} (mode {:o}), so what is in it may be theirs",
                data.mode() & 0o7777
            ),
            format!("Look at what is in it, then close it: `chmod go-w {shown}`. Or name another with `--state-dir`."),
        ));
    }
    Ok(())
}

/// Where a folder above has the sticky bit, as `/tmp` has, others cannot move what is not theirs.
#[cfg(unix)]
fn check_above(folder: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let own = nix::unistd::geteuid().as_raw();
    for above in folder.ancestors().skip(1) {
        let data = above.symlink_metadata().map_err(|error| unmade(above, &error))?;
        let shown = above.display();
        let (mode, owner) = (data.mode(), data.uid());
        if owner != own && owner != 0 {
            return Err(Error::new(
                Code::Storage,
                format!("the folder {shown}, which the state folder is in, belongs to another user (number {owner})"),
                "Name a state folder in a place of your own with `--state-dir`.",
            ));
        }
        if mode & 0o022 != 0 && mode & 0o1000 == 0 {
            return Err(Error::new(
                Code::Storage,
                format!(
                    "others may write in the folder {shown} (mode {:o}), and so put another in the place of the state folder",
                    mode & 0o7777
                ),
                format!("Close it: `chmod go-w {shown}`. Or name a state folder elsewhere with `--state-dir`."),
            ));
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_above(_folder: &Path) -> Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn check_owner(_folder: &Path, _data: &fs::Metadata) -> Result<()> {
    Ok(())
}
