//! What hosts say to a push, each in its own words and in the place where it says them.
//!
//! One file a family of hosts. The words are as transcripts, documentation or public source show them, cut to what tells them apart.

mod forges;
mod github;
mod gitlab;
mod others;
mod services;

use super::host::{self, Mishap, Rule};

/// What a host means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The host failed and will be well again: nothing is said of refs.
    Passing,
    /// A branch is protected.
    ProtectedBranch,
    /// A tag is.
    ProtectedTag,
    /// The default branch is not deleted.
    DefaultBranch,
    /// The account or key may not do that.
    NoRight,
    /// The repository takes no pushes for good.
    ReadOnly,
    /// The repository is full.
    NoRoom,
    /// The push is too large; in parts it would go.
    TooLarge,
    /// A file, an LFS object or a secret in a commit.
    Content,
    /// A rule of how commits must look.
    Form,
    /// No ref is called so there.
    Name,
    /// The ref moved meanwhile.
    Race,
    /// The repository has another address.
    Moved,
    /// Said of a push that went through.
    Remark,
}

/// Where it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the report, of the refs that it is about.
    Ref,
    /// In the report, of every ref.
    Whole,
    /// In the report, of the objects, and so of every ref; the word for what became of them.
    Unpack(&'static str),
    /// Instead of a report over HTTP: the status, with the lines as body.
    Http(u16),
    /// Instead of a report over ssh, on standard error.
    Ssh,
    /// With a push that went through.
    Success,
}

/// One saying of a host.
#[derive(Clone, Copy, Debug)]
pub struct Wording {
    /// The host's name.
    pub host: &'static str,
    /// What it means.
    pub kind: Kind,
    /// Where it is said.
    pub place: Place,
    /// Beside the refs; `{ref}` stands for the one, `{short}` for its name without its folder.
    pub reason: &'static str,
    /// In lines of its own.
    pub lines: &'static [&'static str],
}

impl Wording {
    /// The refusal of these refs.
    pub fn rule(&self, refs: &str) -> Rule {
        Rule::new(refs, self.reason, self.lines)
    }

    /// The same as what goes wrong with a push as a whole.
    pub fn mishap(&self) -> Mishap {
        let (reason, remarks) = (self.reason.to_owned(), self.owned_lines());
        match self.place {
            Place::Unpack(unpacked) => Mishap::Unpack { unpacked: unpacked.to_owned(), reason, remarks },
            Place::Http(status) => Mishap::Door { status, lines: remarks, reads: self.is_about_reading() },
            Place::Ssh => Mishap::Door { status: 403, lines: remarks, reads: self.is_about_reading() },
            Place::Ref | Place::Whole | Place::Success => Mishap::Report { reason, remarks },
        }
    }

    /// The lines.
    pub fn owned_lines(&self) -> Vec<String> {
        self.lines.iter().map(|&line| line.to_owned()).collect()
    }

    /// The words that a user must find in what Standin says, for a refusal of this ref: the first line that is no frame, without
    /// the mark before it.
    pub fn essence(&self, name: &str) -> String {
        let is_frame = |line: &str| !line.replace(MARKS[0], "").contains(char::is_alphabetic);
        let line = self.lines.iter().map(|line| line.trim()).find(|line| !is_frame(line)).unwrap_or(self.reason);
        without_mark(&host::fill(line, name)).to_owned()
    }

    fn is_about_reading(&self) -> bool {
        ["not found", "does not exist", "suspended", "disabled", "SAML"]
            .iter()
            .any(|word| self.lines.iter().any(|line| line.contains(word)))
    }
}

/// What programs and hosts set before their words.
const MARKS: [&str; 10] =
    ["remote:", "error:", "ERROR:", "fatal:", "FATAL:", "conq:", "GitLab:", "Gitea:", "Forgejo:", "Gogs:"];

/// A line without the marks before it.
pub fn without_mark(line: &str) -> &str {
    let line = line.trim_start();
    MARKS.iter().find_map(|mark| line.strip_prefix(mark)).map_or(line, without_mark)
}

/// Everything that is known.
pub fn all() -> impl Iterator<Item = &'static Wording> {
    [github::WORDINGS, gitlab::WORDINGS, forges::WORDINGS, services::WORDINGS, others::WORDINGS].into_iter().flatten()
}

/// All sayings of a host that mean this.
pub fn of(host: &str, kind: Kind) -> impl Iterator<Item = &'static Wording> {
    all().filter(move |wording| wording.host == host && wording.kind == kind)
}

/// The reason that git gives where a hook refused everything.
const HOOK: &str = "pre-receive hook declined";
/// A frame of GitLab's.
const BAR: &str = "remote: ========================================================================";

/// One row of a table.
const fn row(
    host: &'static str,
    kind: Kind,
    place: Place,
    reason: &'static str,
    lines: &'static [&'static str],
) -> Wording {
    Wording { host, kind, place, reason, lines }
}
