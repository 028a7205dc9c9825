//! The repository whose refs are synced.

use std::fmt;
use std::path::Path;

use git2::{Oid, Repository, RepositoryInitOptions, Signature, Time};

use crate::Failure;

/// How many commits the tags of [`Shape::Spread`] lie on.
const COMMITS: usize = 200;
/// Every so-manyth tag of [`Shape::Spread`] is a tag object.
const ANNOTATED: usize = 50;

/// Where the tags are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// All on one commit.
    OneCommit,
    /// On many commits, some of them tag objects.
    Spread,
}

impl Shape {
    /// Both.
    pub const ALL: [Self; 2] = [Self::OneCommit, Self::Spread];
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::OneCommit => "one commit",
            Self::Spread => "spread",
        })
    }
}

/// Makes the source in `folder`, with `tags` tags.
pub fn create(folder: &Path, shape: Shape, tags: usize) -> Result<(), Failure> {
    let mut options = RepositoryInitOptions::new();
    options.mkpath(true).initial_head("main").external_template(false);
    let repository = Repository::init_opts(folder, &options)?;
    let author = Signature::new("Bench", "bench@example.com", &Time::new(1_767_225_600, 0))?;
    let mut commits: Vec<Oid> = Vec::new();
    for number in 0..if shape == Shape::Spread { COMMITS } else { 1 } {
        let mut tree = repository.treebuilder(None)?;
        tree.insert("file.txt", repository.blob(format!("{number}\n").as_bytes())?, 0o100_644)?;
        let tree = repository.find_tree(tree.write()?)?;
        let parent = commits.last().map(|oid| repository.find_commit(*oid)).transpose()?;
        let parents: Vec<_> = parent.iter().collect();
        commits.push(repository.commit(Some("HEAD"), &author, &author, &format!("Step {number}"), &tree, &parents)?);
    }
    let mut lines = Vec::with_capacity(tags);
    for number in 0..tags {
        let commit = commits[number % commits.len()];
        let name = format!("release-{number:06}");
        lines.push(if shape == Shape::Spread && number % ANNOTATED == 0 {
            let commit = repository.find_object(commit, None)?;
            let tag = repository.tag_annotation_create(&name, &commit, &author, "A release")?;
            format!("{tag} refs/tags/{name}\n^{}\n", commit.id())
        } else {
            format!("{commit} refs/tags/{name}\n")
        });
    }
    // As git packs them; one by one they would take longer to make than all that is measured.
    let packed = format!("# pack-refs with: peeled fully-peeled sorted \n{}", lines.concat());
    Ok(std::fs::write(repository.path().join("packed-refs"), packed)?)
}
