//! The kinds of refusals that hosts know, and what to do about each.

use super::said::has;

/// What kind of refusal a host's words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A fault of the host that passes by itself.
    Passing,
    /// Somebody else moved a ref at the same moment, or is about to.
    Race,
    /// More at once than the host takes; in parts it does.
    TooMuchAtOnce,
    /// The rules of an organization or company that the token or key must be let through: single sign-on, address lists, kinds
    /// of tokens.
    Policy,
    /// The repository or account is blocked, suspended or disabled by the host.
    Blocked,
    /// The token may not push workflow files.
    WorkflowScope,
    /// A file is larger than the host takes.
    FileTooLarge,
    /// The objects of git LFS that a commit names are not there.
    LfsMissing,
    /// A secret in a commit.
    Secret,
    /// The mirror's default branch may not go.
    DefaultBranch,
    /// A protected tag.
    ProtectedTag,
    /// A protected branch.
    ProtectedBranch,
    /// A ruleset.
    Ruleset,
    /// An e-mail address that must not be shown.
    PrivateEmail,
    /// A rule about the content of commits: messages, authors, signatures.
    ContentRule,
    /// A name that the host does not allow or keeps for itself.
    Name,
    /// A working folder has the branch checked out.
    CheckedOut,
    /// A server that forbids rewriting and deleting.
    FastForwardOnly,
    /// Another ref whose name is a folder of this one.
    NameConflict,
    /// No room is left.
    NoRoom,
    /// The repository is being moved by the host.
    Locked,
    /// The repository takes no pushes, for good.
    ReadOnly,
    /// The token, account or key lacks the right.
    NoRight,
    /// Refs are not deleted.
    NoDeletes,
    /// A shallow history.
    Shallow,
    /// Objects that the host could not take.
    Objects,
    /// A hook that does not say more.
    Hook,
    /// None of these.
    Unknown,
}

struct Entry {
    kind: Kind,
    /// Lower-case words of hosts, any of which shows that it is this.
    words: &'static [&'static str],
    hint: &'static str,
}

const ALLOW_ACCOUNT: &str = "A standby is written by Standin alone: exempt the account of the mirror's token or key from it, \
                             also for force pushes and deletions, or take the rule off.";

/// In order: the first that fits counts.
const KINDS: &[Entry] = &[
    Entry {
        kind: Kind::Passing,
        words: &[
            "internal server error",
            super::UNANSWERED,
            "gitlab: 500",
            "internal api unreachable",
            "unable to contact gitea",
            "unable to contact forgejo",
            "unable to contact gogs",
            "temporarily read-only",
            "temporarily read only",
            "maintenance mode",
            "temporarily unavailable",
            "service unavailable",
            "fatal error in commit_refs",
            "try again later",
            "try again in a",
            "ref updates aborted by hook",
        ],
        hint: "The mirror's host has a fault of its own. Standin tries again by itself; see the host's status page if it \
               lasts.",
    },
    Entry {
        kind: Kind::Race,
        words: &["lock file", ".lock': file exists"],
        hint: "Another git is at work on the mirror, or one that was killed there left this lock behind. Sync again; where the same is \
               told though nobody pushes, remove the file that is named.",
    },
    Entry {
        kind: Kind::Race,
        words: &[
            "tf401028",
            "but expected",
            "invalid old id sent",
            "incorrect old value provided",
            "reference already exists",
            "reference does not exist",
            "unable to resolve reference",
            "fetch first",
            "stale info",
        ],
        hint: "Somebody else pushes to the mirror at the same moment. Sync again when it is quiet.",
    },
    Entry {
        kind: Kind::TooMuchAtOnce,
        words: &[
            "pack exceeds maximum allowed size",
            "can not update more than",
            "cannot update more than",
            "http 413",
        ],
        hint: "The host does not take so much in one push, and it could not be cut smaller. Push the first part of the history \
               by hand once (`git push URL COMMIT:refs/heads/NAME` with an older commit), then sync again.",
    },
    Entry {
        kind: Kind::Policy,
        words: &[
            "saml sso",
            "saml enforcement",
            "enforced saml",
            "single sign-on",
            "ip allow list",
            "ip address is not permitted",
            "forbids access via a personal access token",
            "forbids access via a fine-grained",
            "token's lifetime is greater",
            "rsa key with sha-1",
        ],
        hint: "Nothing is wrong with the repository: a policy of its organization or host keeps this token or key out. Do what the host \
               says (open the address that it names, or make a token or key that the policy allows), then sync again.",
    },
    Entry {
        kind: Kind::Blocked,
        words: &[
            "suspended",
            "disabled by",
            "access to this repository has been disabled",
            "repository has been disabled",
            "dmca",
            "terms of service",
            "unavailable due to",
        ],
        hint: "The host has blocked the repository or the account. Only its support can lift that; until then nothing can be \
               pushed there.",
    },
    Entry {
        kind: Kind::Locked,
        words: &["locked for migration", "repository has been locked", "repository is locked"],
        hint: "The host is moving the repository. When it is done, check whether the address is still the same, then sync \
               again.",
    },
    Entry {
        kind: Kind::WorkflowScope,
        words: &["without `workflow` scope", "without workflow scope", "workflows` permission", "workflow` scope"],
        hint: "The token may not push workflow files. Give it the scope `workflow` (classic) or the permission Workflows: read and \
               write (fine-grained), then sync again.",
    },
    Entry {
        kind: Kind::LfsMissing,
        words: &[
            "gh008",
            "lfs objects are missing",
            "missing lfs objects",
            "unknown git lfs objects",
            "lfs objects missing",
        ],
        hint: "The host wants the git LFS objects first. Copy them: `git lfs fetch --all` at the source, then `git lfs push \
               --all` to the mirror; then sync again.",
    },
    Entry {
        kind: Kind::FileTooLarge,
        words: &[
            "gh001",
            "file size limit",
            "larger than the maximum",
            "exceeds the maximum",
            "large files detected",
            "blobs which exceed",
            "blob size limit",
            "vs403658",
        ],
        hint: "A file is larger than the host takes (100 MB on GitHub). Move it to git LFS or take it out of the history at the \
               source.",
    },
    Entry {
        kind: Kind::Secret,
        words: &[
            "push protection",
            "secret scanning",
            "gh009",
            "secrets detected",
            "contains secrets",
            "cannot contain secrets",
            "push blocked: secrets",
            "vs403654",
        ],
        hint: "The host found a secret in a commit (it names which, and where). Revoke it and take it out of the history at the \
               source, or allow it at the address that the host names.",
    },
    Entry {
        kind: Kind::DefaultBranch,
        words: &[
            "deletion of the current branch",
            "refusing to delete the current branch",
            "cannot delete the default branch",
            "default branch of a project cannot be deleted",
            "default branch cannot be deleted",
            "is the default branch and cannot be deleted",
        ],
        hint: "It is the mirror's default branch. Name another one there first (on a plain git server: `git symbolic-ref HEAD \
               refs/heads/NAME` in the repository), then sync again.",
    },
    Entry {
        kind: Kind::ProtectedTag,
        words: &[
            "protected tag",
            "create this tag as it is protected",
            "change existing tags",
            "tag protection",
            "gh007: protected",
        ],
        hint: "A tag protection of the mirror forbids it. A standby is written by Standin alone: take it off there, or exempt the \
               account of the mirror's token or key.",
    },
    Entry {
        kind: Kind::Ruleset,
        words: &["gh013", "rule violations", "repository rule"],
        hint: "A ruleset of the mirror forbids it. Take the ruleset off, or put the token's account on its bypass list.",
    },
    Entry {
        kind: Kind::ProtectedBranch,
        words: &[
            "protected branch",
            "gh003",
            "gh006",
            "protected from force push",
            "protected from deletion",
            "protected from unverified commit",
            "protected from changing file",
            "commits must be merged through pull request",
            "push whitelist",
            "permission denied to update branch",
            "only be modified through pull requests",
            "tf402455",
            "branch protection",
        ],
        hint: "The mirror protects this branch: take the protection off, or allow the account of its token or key to \
               bypass it and to force-push. A standby is written by Standin alone.",
    },
    Entry {
        kind: Kind::PrivateEmail,
        words: &["gh007", "private email", "publish your private email"],
        hint: "The mirror's account keeps its e-mail address private and a commit shows it. Switch off \"Block command line pushes \
               that expose my email\" for that account.",
    },
    Entry {
        kind: Kind::ContentRule,
        words: &[
            "does not follow the pattern",
            "can only push your own commits",
            "you can only push commits",
            "vs403702",
            "commit message",
            "committer email",
            "author email",
            "must be signed",
        ],
        hint: ALLOW_ACCOUNT,
    },
    Entry {
        kind: Kind::Name,
        words: &[
            "hidden ref",
            "40-character hexadecimal",
            "40 hex characters",
            "is illegal",
            "only be performed by the system",
            "reserved for",
            "funny refname",
        ],
        hint: "The host keeps this name for itself or does not allow it; such a ref cannot be mirrored there and stays behind. \
               Delete or rename it at the source if that troubles you.",
    },
    Entry {
        kind: Kind::CheckedOut,
        words: &["branch is currently checked out", "refusing to update checked out branch"],
        hint: "The mirror has a working folder with this branch checked out. Use a bare repository (`git init --bare`) as \
               mirror. Where the folder is on this machine and shall be brought up to date by its own settings, write \
               `hooks = true` for the mirror in `standin.toml`.",
    },
    Entry {
        kind: Kind::FastForwardOnly,
        words: &["non-fast-forward", "deletion prohibited", "denying ref deletion"],
        hint: "The mirror's server forbids rewriting or deleting refs (`receive.denyNonFastForwards`, \
               `receive.denyDeletes`). Allow it there, since a mirror must follow its source.",
    },
    Entry {
        kind: Kind::NameConflict,
        words: &["cannot create", "directory not empty", "file exists", "refname conflict"],
        hint: "A ref whose name is a folder of this one, or the other way round, is in the way on the mirror. Rename one \
               of them.",
    },
    Entry {
        kind: Kind::NoRoom,
        words: &[
            "quota",
            "storage limit",
            "repository size",
            "exceed the size limit",
            "over the size limit",
            "over limitation",
            "no space left",
            "disk full",
            "over its limit",
        ],
        hint: "The mirror has no room left. Free some there, or raise its limit; pushes stop until then.",
    },
    Entry {
        kind: Kind::NoRight,
        words: &[
            "marked as read only",
            "key is read-only",
            "key is read only",
            "does not have write access",
            "read access only",
        ],
        hint: "The key or token may only read there. Give it write access on the host, or use another one.",
    },
    Entry {
        kind: Kind::NoDeletes,
        words: &[super::NO_DELETES],
        hint: "Remove it there by hand, or let the host take deletes; each sync offers it again.",
    },
    Entry {
        kind: Kind::ReadOnly,
        words: &[
            "archived",
            "is read-only",
            "read-only.",
            "read only",
            "read-only and",
            "project state does not permit write",
        ],
        hint: "The mirror takes no pushes: it is archived, or itself a mirror of something. Make it writable there, or choose \
               another repository.",
    },
    Entry {
        kind: Kind::NoRight,
        words: &[
            "not allowed",
            "permission denied",
            "permission",
            "not authorized",
            "deploy key",
            "required privilege scopes",
            "not permitted",
            "need 'push' rights",
            "denied by",
            "tf401027",
            "denied to",
            "access denied",
        ],
        hint: "The account of the mirror's token or key may not do this there. The host says which right is missing; `standin token \
               check` shows whose token it is.",
    },
    Entry {
        kind: Kind::Shallow,
        words: &["shallow update"],
        hint: "History is missing here. Use a complete clone as source (`git fetch --unshallow`).",
    },
    Entry {
        kind: Kind::Objects,
        words: &[
            "missing necessary objects",
            "unpacker error",
            "index-pack",
            "bad object",
            "fsck error",
            "fsckobjects",
        ],
        hint: "The mirror's server could not take the objects. See its own messages above; `git fsck` at the source shows damaged \
               ones.",
    },
    Entry {
        kind: Kind::Hook,
        words: &["hook declined"],
        hint: "A hook on the mirror's server refuses it. Its administrator can say why.",
    },
];

/// What a host's words mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub kind: Kind,
    /// What to do about it; empty where the words are not known.
    pub hint: &'static str,
}

impl Meaning {
    /// What these words mean, all of one refusal.
    pub(crate) fn of(words: &str) -> Self {
        let words = words.to_lowercase();
        // GitHub's whole reason where its storage failed.
        if words.trim() == "failure" {
            return Self { kind: Kind::Passing, hint: KINDS[0].hint };
        }
        Self::first(&words, |_| true)
    }

    /// What else they mean, where it is no passing fault whatever they say.
    pub(crate) fn but_passing(words: &str) -> Self {
        Self::first(&words.to_lowercase(), |kind| kind != Kind::Passing)
    }

    fn first(words: &str, is_meant: impl Fn(Kind) -> bool) -> Self {
        match KINDS.iter().find(|entry| is_meant(entry.kind) && has(words, entry.words)) {
            Some(Entry { kind, hint, .. }) => Self { kind: *kind, hint },
            None => Self { kind: Kind::Unknown, hint: "" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_many_hosts_have_their_kind() {
        let known = [
            ("Internal Server Error", Kind::Passing),
            ("GitLab: Internal API unreachable", Kind::Passing),
            ("pack file limit: the service is temporarily unavailable", Kind::Passing),
            ("The repository is temporarily read-only.", Kind::Passing),
            ("failure", Kind::Passing),
            ("pre-receive hook declined\nfatal error in commit_refs", Kind::Passing),
            ("TF401028: The reference 'refs/heads/x' has already been updated by another client", Kind::Race),
            ("cannot lock ref 'refs/heads/x': is at 1 but expected 2", Kind::Race),
            ("incorrect old value provided", Kind::Race),
            ("invalid old id sent", Kind::Race),
            ("pack exceeds maximum allowed size (2.00 GiB)", Kind::TooMuchAtOnce),
            ("Pushes can not update more than 5 branches or tags.", Kind::TooMuchAtOnce),
            ("HTTP 413: the request is too large", Kind::TooMuchAtOnce),
            ("The 'acme' organization has enabled or enforced SAML SSO.", Kind::Policy),
            ("You're using an RSA key with SHA-1, which is no longer allowed.", Kind::Policy),
            ("Your account is suspended. Please visit https://host/support", Kind::Blocked),
            ("This key is read only", Kind::NoRight),
            (
                "refusing to allow a Personal Access Token to create or update workflow `.github/workflows/a.yml` without `workflow` scope",
                Kind::WorkflowScope,
            ),
            ("GH008: Your push referenced at least 1 unknown Git LFS object", Kind::LfsMissing),
            ("GitLab: LFS objects are missing. Ensure LFS is properly set up", Kind::LfsMissing),
            ("You are attempting to check in one or more blobs which exceed the 100.0MB limit", Kind::FileTooLarge),
            ("PUSH BLOCKED: Secrets detected in code changes", Kind::Secret),
            ("VS403654: The push was rejected because it contains one or more secrets", Kind::Secret),
            ("The default branch of a project cannot be deleted.", Kind::DefaultBranch),
            ("branch main is the default branch and cannot be deleted", Kind::DefaultBranch),
            ("You are not allowed to create this tag as it is protected.", Kind::ProtectedTag),
            ("You are not allowed to change existing tags on this project.", Kind::ProtectedTag),
            ("Tag v1 is protected tag", Kind::ProtectedTag),
            ("GH013: Repository rule violations found for refs/heads/main.", Kind::Ruleset),
            ("branch main is protected from force push", Kind::ProtectedBranch),
            ("You are not allowed to force push code to a protected branch on this project.", Kind::ProtectedBranch),
            ("TF402455: Pushes to this branch are not permitted; you must use a pull request", Kind::ProtectedBranch),
            ("Branch refs/heads/main can only be modified through pull requests.", Kind::ProtectedBranch),
            ("Commit message does not follow the pattern 'X'", Kind::ContentRule),
            ("You can only push your own commits in this repository", Kind::ContentRule),
            ("cannot create a branch with a 40-character hexadecimal branch name", Kind::Name),
            ("deny updating a hidden ref", Kind::Name),
            ("branch:refs/heads/x is illegal", Kind::Name),
            ("Your push has been rejected since it would exceed the size limit of the repository", Kind::NoRoom),
            ("repository size is over limitation", Kind::NoRoom),
            ("This repository was archived so it is read-only.", Kind::ReadOnly),
            ("Mirror Repository o/n is read-only", Kind::ReadOnly),
            ("prohibited by Gerrit: project state does not permit write", Kind::ReadOnly),
            ("prohibited by Gerrit: not permitted: update", Kind::NoRight),
            ("This deploy key does not have write access to this project.", Kind::NoRight),
            ("W refs/heads/main proj alice DENIED by fallthru", Kind::NoRight),
            ("The key you are authenticating with has been marked as read only.", Kind::NoRight),
            ("pre-receive hook declined", Kind::Hook),
            ("something new", Kind::Unknown),
        ];
        let wrong = known.iter().filter(|(words, kind)| Meaning::of(words).kind != *kind);
        let wrong: Vec<_> = wrong.map(|(words, kind)| (words, kind, Meaning::of(words).kind)).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
