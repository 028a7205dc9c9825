//! Where a repository's git data is: its own git folder, and the one that it shares with linked work trees; and what of it is
//! not there but in another repository, which a yes for this folder would copy. All by the disk, as git itself follows it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::location::shown_path;
use super::mistakes::Complaint;
use super::origin::config_value;
use crate::reading;

/// Small files of git's that name a folder.
const NAME_LIMIT: usize = 64 * 1024;

/// So deep git follows objects that are kept elsewhere.
const ALTERNATES_DEPTH: usize = 6;

/// Folders in which no object and no ref is.
const BESIDE: &[&str] = &["hooks", "lfs", "logs", "modules", "rr-cache", "worktrees"];

/// A repository's git data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GitFolder {
    /// Its own: what `.git` is or names.
    pub own: PathBuf,
    /// Where refs, objects and `config` are; linked work trees share one.
    pub common: PathBuf,
}

impl GitFolder {
    /// What is at `path`, be it the folder itself or a file that names it.
    pub fn at(path: &Path) -> Option<Self> {
        let own = if path.is_dir() {
            path.to_owned()
        } else {
            let text = reading::read(path, NAME_LIMIT).ok().filter(|bytes| bytes.len() <= NAME_LIMIT)?;
            path.parent()?.join(named(text.strip_prefix(b"gitdir:")?.trim_ascii_start()))
        };
        if !has_good_head(&own) {
            return None;
        }
        let shared = own.join("commondir");
        let common = match reading::read(&shared, NAME_LIMIT) {
            Ok(text) if text.len() <= NAME_LIMIT => own.join(named(&text)),
            // What cannot be read here is no reason to take another folder than git does.
            _ if shared.symlink_metadata().is_ok() => return None,
            _ => own.clone(),
        };
        let is_entered = |name: &str| common.join(name).join(".").is_dir();
        let is_git = is_entered("objects") && is_entered("refs");
        // A work tree whose repository is gone is one still, and its own folder has neither.
        (is_git || !path.is_dir()).then(|| Self { own: plain(own), common: plain(common) })
    }

    /// What git opens where it is given `path`.
    pub fn opened_at(path: &Path) -> Option<Self> {
        places(path).iter().find_map(|place| Self::at(place))
    }
}

/// Where git looks for the data of a repository that is named by a path, the first place first.
fn places(path: &Path) -> [PathBuf; 4] {
    let suffixed = |suffix: &str| {
        let mut text = path.as_os_str().to_owned();
        text.push(suffix);
        PathBuf::from(text)
    };
    [path.join(".git"), path.to_owned(), suffixed(".git/.git"), suffixed(".git")]
}

/// Refuses a path at which one repository stands before another and cannot be read: git goes on to the next then, and nobody
/// who looks at the first would think so.
pub(super) fn refuse_disguised(path: &Path) -> Result<(), Complaint> {
    let places = places(path);
    let is_broken = |place: &&PathBuf| {
        let is_meant = place.is_dir() && place.join("HEAD").symlink_metadata().is_ok();
        (is_meant || (place.is_file() && place.ends_with(".git"))) && GitFolder::at(place).is_none()
    };
    let opened = places.iter().position(|place| GitFolder::at(place).is_some());
    let before = opened.map_or(&places[..0], |opened| &places[..opened]);
    let Some(broken) = before.iter().find(is_broken) else { return Ok(()) };
    let opened = opened.map_or(path, |opened| &places[opened]);
    Err(Complaint::new(
        format!(
            "`{}` begins like a git folder and is none, so that git would take {} in its place",
            shown_path(broken),
            shown_path(opened)
        ),
        "Remove it or mend it (`git -C FOLDER fsck`); or, where the other repository is meant, name that one.",
    ))
}

/// Whether git takes a folder with this `HEAD` for a repository's: the name of a ref, as text or as a link, or a commit.
fn has_good_head(folder: &Path) -> bool {
    let head = folder.join("HEAD");
    if let Ok(target) = head.read_link() {
        return target.to_string_lossy().starts_with("refs/");
    }
    let Ok(text) = reading::read(&head, 4096) else { return false };
    if let Some(rest) = text.strip_prefix(b"ref:") {
        return rest.trim_ascii_start().starts_with(b"refs/");
    }
    text.trim_ascii_end()
        .split(u8::is_ascii_whitespace)
        .next()
        .is_some_and(|first| matches!(first.len(), 40 | 64) && first.iter().all(u8::is_ascii_hexdigit))
}

/// In words that follow the name of a place: where its data is, if not all of it is in this folder.
pub(super) fn said_of(path: &Path) -> String {
    let Some(git) = GitFolder::opened_at(path) else { return String::new() };
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (folder, own, common) = (real(path), real(&git.own), real(&git.common));
    let outside: Vec<&PathBuf> = [&own, &common].into_iter().filter(|path| !path.starts_with(&folder)).collect();
    let mut text = match outside.last() {
        None => String::new(),
        Some(_) if is_linked_tree(&folder, &own, &common) => {
            format!(", a linked work tree of {}", shown_path(work_tree(&common)))
        }
        Some(_) if is_submodule(&folder, &own) => format!(", a submodule whose git data is in {}", shown_path(&own)),
        Some(place) => format!(", whose git data is not in it but in {}", shown_path(place)),
    };
    let mut others = BTreeSet::new();
    for place in [&own, &common] {
        links(place, 0, &mut others);
    }
    alternates(&common.join("objects"), 0, &mut others);
    others.retain(|other| ![&folder, &own, &common].iter().any(|known| other.starts_with(known)));
    // Where they are is the same whether that disk is there or not.
    let of_objects = |place: &'_ Path| place.file_name().is_some_and(|name| name == "objects");
    let others: BTreeSet<&Path> = others
        .iter()
        .map(|other| other.parent().filter(|_| of_objects(other)).unwrap_or_else(|| repository_of(other)))
        .collect();
    if !others.is_empty() {
        let others: Vec<String> = others.into_iter().map(shown_path).collect();
        text.push_str(&format!(", with data that is in {}", others.join(" and ")));
    }
    text
}

/// The work trees that a git folder is in: of the repository itself, or of the one that this is a submodule of.
pub(super) fn work_trees_above(git_folder: &Path) -> impl Iterator<Item = &Path> {
    let is_dot_git = |above: &&Path| above.file_name().is_some_and(|name| name == ".git");
    git_folder.ancestors().filter(is_dot_git).filter_map(Path::parent)
}

fn work_tree(common: &Path) -> &Path {
    match (common.file_name(), common.parent()) {
        (Some(name), Some(parent)) if name == ".git" => parent,
        _ => common,
    }
}

/// Whether the repository knows of this work tree itself: what the tree says alone, whoever made it wrote.
fn is_linked_tree(folder: &Path, own: &Path, common: &Path) -> bool {
    let back = || reading::read(&own.join("gitdir"), NAME_LIMIT).ok();
    let leads_here = |text: Vec<u8>| own.join(named(&text)).parent().is_some_and(|tree| is_same(tree, folder));
    own.parent().is_some_and(|parent| *parent == common.join("worktrees")) && back().is_some_and(leads_here)
}

fn is_submodule(folder: &Path, own: &Path) -> bool {
    let tree = reading::small_text(&own.join("config")).and_then(|text| config_value(&text, ("core", ""), "worktree"));
    tree.is_some_and(|tree| is_same(&own.join(tree), folder))
        && own.ancestors().any(|above| above.file_name().is_some_and(|name| name == "modules"))
}

fn is_same(one: &Path, other: &Path) -> bool {
    one.canonicalize().is_ok_and(|one| one == *other)
}

/// The path in one of git's files, which ends where the line does.
fn named(text: &[u8]) -> PathBuf {
    let end = text.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    path_of(&text[..end])
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(<OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes.to_vec()))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from(String::from_utf8_lossy(bytes).into_owned()))
}

/// Without `..` where that needs no look at the disk, and by the disk where it does.
fn plain(path: PathBuf) -> PathBuf {
    let has_way_up = path.components().any(|part| part == std::path::Component::ParentDir);
    if has_way_up { path.canonicalize().unwrap_or(path) } else { path }
}

/// Where links in a git folder lead.
fn links(folder: &Path, depth: usize, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let is_beside = || depth == 0 && BESIDE.iter().any(|name| entry.file_name() == *name);
        if kind.is_symlink() {
            found.extend(entry.path().canonicalize().ok().filter(|_| !is_beside()));
        } else if kind.is_dir() && !is_beside() {
            links(&entry.path(), depth + 1, found);
        }
    }
}

/// The folders of objects that these name.
fn alternates(objects: &Path, depth: usize, found: &mut BTreeSet<PathBuf>) {
    let file = objects.join("info/alternates");
    let Ok(text) = reading::read(&file, 1024 * 1024) else { return };
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#")) {
        let place = objects.join(path_of(&unquoted(line)));
        let place = place.canonicalize().unwrap_or_else(|_| plain(place));
        if found.insert(place.clone()) && depth < ALTERNATES_DEPTH {
            alternates(&place, depth + 1, found);
        }
    }
}

/// A line of git's that may stand in quotes, as C has them; one that begins so and is none stands as it is.
fn unquoted(line: &[u8]) -> Vec<u8> {
    let quoted = || {
        let mut rest = line.strip_prefix(b"\"")?.iter().copied();
        let mut text = Vec::new();
        loop {
            match rest.next()? {
                b'"' => return Some(text),
                b'\\' => text.push(match rest.next()? {
                    b'a' => 7,
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 11,
                    same @ (b'\\' | b'"') => same,
                    first @ b'0'..=b'3' => {
                        let digits = [first, rest.next()?, rest.next()?];
                        u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 8).ok()?
                    }
                    _ => return None,
                }),
                byte => text.push(byte),
            }
        }
    };
    quoted().unwrap_or_else(|| line.to_vec())
}

/// The git folder that a file of git's is in; else its own folder.
fn repository_of(path: &Path) -> &Path {
    let is_git = |above: &&Path| has_good_head(above) && above.join("objects").is_dir();
    path.ancestors().find(is_git).unwrap_or(path)
}
