//! The commits between two tips, for a person who decides about them.

use std::collections::BTreeSet;

use git2::Sort;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use standin_state::model::Oid;
use ts_rs::TS;

use super::Cache;
use super::history::{from_git2, to_git2};
use crate::Result;

/// Beyond so many, commits are counted no more.
const COUNTED: usize = 10_000;
/// A subject or a name is cut there.
const SHOWN: usize = 200;

/// A commit, as far as it is shown in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct CommitLine {
    /// Its id.
    pub oid: Oid,
    /// The first line of its message.
    pub subject: String,
    /// Who wrote it, as it says.
    pub author: String,
    /// When, as it says.
    #[ts(type = "string")]
    pub at_iso: Timestamp,
}

/// Commits that one tip has and another lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct CommitList {
    /// The first of them, newest first.
    pub commits: Vec<CommitLine>,
    /// How many there are; 10,000 where they are more.
    #[ts(type = "number")]
    pub count: usize,
    /// The paths in which the two tips differ, in order: the first of them. Empty where there is only one tip.
    pub files: Vec<String>,
    /// How many those are.
    #[ts(type = "number")]
    pub file_count: usize,
}

impl Cache {
    /// The commits in the history of `tip` and not in that of `without`, at most `limit` of them and of their files. Nothing where
    /// `tip` leads to no commit.
    pub fn commits(&self, tip: &Oid, without: Option<&Oid>, limit: usize) -> Result<CommitList> {
        let Some(tip) = self.commit_of(tip)? else { return Ok(CommitList::default()) };
        let without = without.map(|other| self.commit_of(other)).transpose()?.flatten();
        self.read(|repository| {
            let mut walk = repository.revwalk()?;
            walk.set_sorting(Sort::TIME)?;
            walk.push(to_git2(&tip)?)?;
            if let Some(other) = &without {
                walk.hide(to_git2(other)?)?;
            }
            let mut list = CommitList::default();
            for oid in walk.take(COUNTED) {
                list.count += 1;
                if list.commits.len() < limit {
                    list.commits.push(line(&repository.find_commit(oid?)?)?);
                }
            }
            if let Some(other) = &without {
                let tree = |oid: &Oid| repository.find_commit(to_git2(oid)?)?.tree();
                let mut options = git2::DiffOptions::new();
                options.skip_binary_check(true).ignore_submodules(true);
                let differs =
                    repository.diff_tree_to_tree(Some(&tree(other)?), Some(&tree(&tip)?), Some(&mut options))?;
                let path = |delta: git2::DiffDelta<'_>| {
                    let file = delta.new_file().path_bytes().or_else(|| delta.old_file().path_bytes());
                    file.map(|path| plain(&String::from_utf8_lossy(path)))
                };
                let files: BTreeSet<String> = differs.deltas().filter_map(path).collect();
                list.file_count = files.len();
                list.files = files.into_iter().take(limit).collect();
            }
            Ok(list)
        })
    }
}

fn line(commit: &git2::Commit<'_>) -> Result<CommitLine, git2::Error> {
    let author = commit.author();
    Ok(CommitLine {
        oid: from_git2(commit.id())?,
        subject: plain(&String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default())),
        author: plain(&String::from_utf8_lossy(author.name_bytes())),
        // A date that is none is as good as the oldest one.
        at_iso: Timestamp::from_second(author.when().seconds()).unwrap_or(Timestamp::UNIX_EPOCH),
    })
}

/// A stranger's words on one line: without what would move a cursor or turn the direction of the text, and not endless.
fn plain(text: &str) -> String {
    let turns =
        |sign: char| matches!(sign, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|sign| !sign.is_control() && !turns(*sign)).take(SHOWN).collect()
}
