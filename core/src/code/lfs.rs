//! Files that git LFS keeps outside the repository: found and counted, since their objects stay behind.
//!
//! Pointer files are recognised by their content, so that those whose `.gitattributes` line is gone count as well.

use std::collections::HashSet;

use standin_state::model::Oid;

use crate::Result;
use crate::git::Cache;
use crate::mirror::git_failed;
use crate::plan::LfsReport;

/// A pointer file is smaller than this, by the specification of git LFS.
const POINTER_BYTES: usize = 1024;
/// It is at least as long as its three lines.
const POINTER_LEAST_BYTES: usize = 110;
const FIRST_LINE: &str = "version https://git-lfs.github.com/spec/v1";

/// Counts the LFS objects that the trees of `new` point to and those of `known` do not. Objects that are not here
/// count as known to nobody.
///
/// # Errors
/// When the cache cannot be read.
pub fn count(cache: &Cache, new: &[Oid], known: &[Oid]) -> Result<Option<LfsReport>> {
    let repository = cache.repository()?;
    let odb = repository.odb().map_err(git_failed)?;
    let mut seen = HashSet::new();
    for tip in known {
        // Everything below is marked as seen, so that only what is new is read.
        walk(&repository, tip, &mut seen, &mut |_| Ok(()))?;
    }
    let mut objects: HashSet<String> = HashSet::new();
    let mut bytes: u64 = 0;
    for tip in new {
        walk(&repository, tip, &mut seen, &mut |blob| {
            let (size, _) = odb.read_header(blob).map_err(git_failed)?;
            if !(POINTER_LEAST_BYTES..POINTER_BYTES).contains(&size) {
                return Ok(());
            }
            let content = odb.read(blob).map_err(git_failed)?;
            if let Some((object, size)) = pointer(content.data())
                && objects.insert(object.to_owned())
            {
                bytes = bytes.saturating_add(size);
            }
            Ok(())
        })?;
    }
    Ok((!objects.is_empty()).then_some(LfsReport { objects: objects.len() as u64, bytes }))
}

/// Visits each blob below a tip that was not seen before.
fn walk(
    repository: &git2::Repository,
    tip: &Oid,
    seen: &mut HashSet<git2::Oid>,
    visit: &mut dyn FnMut(git2::Oid) -> Result<()>,
) -> Result<()> {
    let tree = git2::Oid::from_str(tip.as_str())
        .and_then(|oid| repository.find_object(oid, None))
        .and_then(|object| object.peel_to_tree());
    // A tag may point to a blob; a tip of the mirror may not be here.
    let Ok(tree) = tree else { return Ok(()) };
    let mut open = vec![tree.id()];
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let tree = repository.find_tree(id).map_err(git_failed)?;
        for entry in &tree {
            match entry.kind() {
                Some(git2::ObjectType::Tree) => open.push(entry.id()),
                Some(git2::ObjectType::Blob) if seen.insert(entry.id()) => visit(entry.id())?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// The object and size that a pointer file names.
fn pointer(content: &[u8]) -> Option<(&str, u64)> {
    let text = std::str::from_utf8(content).ok()?;
    let mut lines = text.lines();
    if lines.next() != Some(FIRST_LINE) {
        return None;
    }
    let (mut object, mut size) = (None, None);
    for line in lines {
        match line.split_once(' ') {
            Some(("oid", id)) => object = Some(id),
            Some(("size", bytes)) => size = bytes.parse().ok(),
            _ => {}
        }
    }
    Some((object?, size?))
}

/// A number of bytes for a person.
pub fn shown_bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1000.0, 0);
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointer_files_are_told_from_others() {
        let oid = "sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
        let text = format!("{FIRST_LINE}\noid {oid}\nsize 12345\n");
        assert_eq!(pointer(text.as_bytes()), Some((oid, 12345)));
        let extended = format!("{FIRST_LINE}\next-0-foo sha256:ab\noid {oid}\nsize 1\n");
        assert_eq!(pointer(extended.as_bytes()), Some((oid, 1)));
        for other in ["", "version 2\noid x\nsize 1\n", "version https://git-lfs.github.com/spec/v1\nsize 1\n"] {
            assert_eq!(pointer(other.as_bytes()), None, "{other}");
        }
        assert!((POINTER_LEAST_BYTES..POINTER_BYTES).contains(&text.len()));
    }

    #[test]
    fn bytes_are_shown_as_people_read_them() {
        for (bytes, shown) in
            [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (999_960, "1.0 MB"), (1_200_000_000, "1.2 GB")]
        {
            assert_eq!(shown_bytes(bytes), shown);
        }
    }
}
