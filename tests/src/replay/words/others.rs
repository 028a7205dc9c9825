//! Servers of another making: Gerrit, Azure DevOps, CodeCommit, gitolite.

use super::{HOOK, Kind, Place, Wording, row};

/// Its words.
pub(super) const WORDINGS: &[Wording] = &[
    row(
        "gerrit",
        Kind::NoRight,
        Place::Ref,
        "prohibited by Gerrit: not permitted: update",
        &["error: branch {ref}:", "To push into this reference you need 'Push' rights."],
    ),
    row(
        "gerrit",
        Kind::NoRight,
        Place::Ref,
        "prohibited by Gerrit: not permitted: force update",
        &["error: branch {ref}:", "need 'Push' rights with 'force'."],
    ),
    row(
        "gerrit",
        Kind::NoRight,
        Place::Ssh,
        "",
        &["fatal: remote access not permitted: need 'Push' rights to update any ref"],
    ),
    row("gerrit", Kind::ReadOnly, Place::Ref, "prohibited by Gerrit: project state does not permit write", &[]),
    row("gerrit", Kind::Race, Place::Ref, "invalid old id sent", &[]),
    row("gerrit", Kind::Passing, Place::Whole, "internal server error", &[]),
    row(
        "azure",
        Kind::ProtectedBranch,
        Place::Ref,
        "TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch.",
        &[],
    ),
    row(
        "azure",
        Kind::NoRight,
        Place::Ref,
        "TF401027: You need the Git 'ForcePush' permission to perform this action. Details: identity 'Build\\1a2b', scope 'branch'.",
        &[],
    ),
    row(
        "azure",
        Kind::Content,
        Place::Ref,
        "VS403654: The push was rejected because it contains one or more secrets. Resolve the following secrets before pushing again: commit: 1234abcd, paths: /keys.py(3,1-40) : SEC101/102",
        &[],
    ),
    row(
        "azure",
        Kind::Form,
        Place::Ref,
        "VS403702: The push was rejected because one or more commits contain author email 'ada@example.org' which does not match the policy specified patterns",
        &[],
    ),
    row("azure", Kind::Name, Place::Ref, "This operation can only be performed by the system.", &[]),
    row(
        "azure",
        Kind::Race,
        Place::Ref,
        "TF401028: The reference '{ref}' has already been updated by another client, so you cannot update it. Please try again.",
        &[],
    ),
    row(
        "azure",
        Kind::Passing,
        Place::Whole,
        "TF401035: The pack file limit service is temporarily unavailable. Please try again later.",
        &[],
    ),
    row(
        "codecommit",
        Kind::ProtectedBranch,
        Place::Ref,
        "pushes to this branch are denied by a policy of the account",
        &[],
    ),
    row(
        "codecommit",
        Kind::NoRight,
        Place::Http(403),
        "",
        &["You don't have permission to perform codecommit:GitPush"],
    ),
    row("codecommit", Kind::Passing, Place::Whole, "Internal Server Error", &[]),
    row(
        "gitolite",
        Kind::NoRight,
        Place::Ref,
        "hook declined",
        &["FATAL: W {ref} owner/mirror me DENIED by fallthru", "error: hook declined to update {ref}"],
    ),
    row(
        "gitolite",
        Kind::NoRight,
        Place::Ssh,
        "",
        &["FATAL: W any owner/mirror me DENIED by fallthru", "(or you mis-spelled the reponame)"],
    ),
    row("gitolite", Kind::Passing, Place::Whole, HOOK, &["FATAL: the repository is temporarily read-only"]),
];
