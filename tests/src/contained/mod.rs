//! Standin in a container: in the image that `container/Containerfile` makes, run by podman, or in the same root folder by the
//! kernel's own means, where there is no podman. Both need root and what `cargo xtask setup` prepares; what cannot be had
//! says why.

mod folder;
mod podman;
mod recipe;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::Running;

pub use folder::Folder;
pub use podman::Podman;
pub use recipe::Recipe;

/// Who owns what is written in a container.
pub const USER: u32 = 10_001;

/// Where a mirror in a folder is mounted.
pub const ARCHIVE: &str = "/archive.git";

/// What a container is started with.
pub struct Order<'a> {
    /// Variables beside those of the image.
    pub environment: &'a [(String, String)],
    /// What is mounted at [`ARCHIVE`].
    pub archive: &'a Path,
    /// What comes after the image's entry point.
    pub arguments: &'a [&'a str],
}

/// What runs one container.
pub trait Engine {
    /// Starts it, and stays with it until its end.
    fn start(&self, order: &Order) -> Running;

    /// Its first process, as this side of it numbers processes; `None` before there is one.
    fn first(&self, running: &Running) -> Option<u32>;

    /// A command in it, as its user and with its variables.
    fn within(&self, first: u32, order: &Order, arguments: &[&str]) -> Command;

    /// Whether its own check finds it alive.
    fn is_healthy(&self, first: u32, order: &Order) -> bool;

    /// Where its `/data` is on this side.
    fn data(&self) -> PathBuf;

    /// What was written beside `/data` and what was mounted.
    fn written_elsewhere(&self) -> Vec<String>;
}

/// The root folder that was prepared.
///
/// # Errors
/// Why nothing can be run in it here.
fn prepared() -> Result<PathBuf, String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("only root can give a container's files another owner".to_owned());
    }
    let named = std::env::var_os("STANDIN_CONTAINER_ROOT").map(PathBuf::from);
    let named = named.ok_or("STANDIN_CONTAINER_ROOT names no root folder; `cargo xtask setup` makes one")?;
    if named.is_file() { Ok(named) } else { Err(format!("{} is not there", named.display())) }
}

/// The checkout.
fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Runs a command that must end well; what it said.
fn done(command: &mut Command) -> String {
    tried(command).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a command; what it said.
///
/// # Errors
/// What it said, where it did not end well.
fn tried(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{command:?}: {} {}", text(&output.stdout), text(&output.stderr)))
}

/// A process that ended and that nobody took leave of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Zombie {
    /// Its number on this side.
    pub id: u32,
    /// Its name.
    pub name: String,
}

/// The processes whose parent is this one, as `/proc` has them: number, name, and state.
fn children(parent: u32) -> Vec<(u32, String, char)> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let stats = entries.filter_map(|entry| {
        let id: u32 = entry.file_name().to_string_lossy().parse().ok()?;
        Some((id, fs::read_to_string(entry.path().join("stat")).ok()?))
    });
    stats
        .filter_map(|(id, stat)| {
            let (before, after) = stat.rsplit_once(") ")?;
            let mut fields = after.split(' ');
            let (state, its) = (fields.next()?.chars().next()?, fields.next()?.parse::<u32>().ok()?);
            (its == parent).then(|| (id, before.split_once('(').map_or(before, |(_, name)| name).to_owned(), state))
        })
        .collect()
}

/// The zombies of a container: those of its first process, and of Standin below it.
pub fn zombies(first: u32) -> Vec<Zombie> {
    let parents = std::iter::once(first).chain(standin_in(first));
    let all = parents.flat_map(children).filter(|(_, _, state)| *state == 'Z');
    all.map(|(id, name, _)| Zombie { id, name }).collect()
}

/// The process of Standin in a container.
pub fn standin_in(first: u32) -> Option<u32> {
    children(first).into_iter().find(|(_, name, _)| name.starts_with("standin")).map(|(id, _, _)| id)
}
