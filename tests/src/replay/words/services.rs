//! Services that stand behind a hook of their own: Bitbucket, Codeup, Gitee.

use super::{HOOK, Kind, Place, Wording, row};

/// Its words.
pub(super) const WORDINGS: &[Wording] = &[
    row("bitbucket-cloud", Kind::ProtectedBranch, Place::Ref, HOOK, &["Permission denied to update branch {short}."]),
    row(
        "bitbucket-cloud",
        Kind::NoRight,
        Place::Http(403),
        "",
        &["Your credentials lack one or more required privilege scopes."],
    ),
    row(
        "bitbucket-cloud",
        Kind::NoRight,
        Place::Ssh,
        "",
        &["conq: repository access denied. deployment key is read-only"],
    ),
    row(
        "bitbucket-cloud",
        Kind::NoRoom,
        Place::Whole,
        HOOK,
        &["Your push failed because the repository is over the size limit of 4 GB."],
    ),
    row(
        "bitbucket-cloud",
        Kind::TooLarge,
        Place::Unpack("index-pack abnormal exit"),
        "unpacker error",
        &["fatal: pack exceeds maximum allowed size"],
    ),
    row("bitbucket-cloud", Kind::Passing, Place::Whole, HOOK, &["Internal Server Error"]),
    row(
        "bitbucket-server",
        Kind::ProtectedBranch,
        Place::Ref,
        HOOK,
        &[
            "-----------------------------------------------------",
            "Branch {ref} can only be modified through pull requests.",
            "-----------------------------------------------------",
            "Check your branch permissions configuration with the project administrator.",
            "-----------------------------------------------------",
        ],
    ),
    row(
        "bitbucket-server",
        Kind::Form,
        Place::Ref,
        HOOK,
        &[
            "You can only push your own commits in this repository",
            "Commit 1234abcd was committed by Ada <ada@example.org>",
        ],
    ),
    row(
        "bitbucket-server",
        Kind::Name,
        Place::Ref,
        HOOK,
        &["{ref}: this namespace is reserved for Bitbucket pull requests"],
    ),
    row(
        "bitbucket-server",
        Kind::Passing,
        Place::Whole,
        HOOK,
        &["Bitbucket is in maintenance mode, please try again later"],
    ),
    row(
        "codeup",
        Kind::ProtectedBranch,
        Place::Ref,
        HOOK,
        &["You are not allowed to push code to protected branches on this project."],
    ),
    row("codeup", Kind::Name, Place::Ref, HOOK, &["branch:{ref} is illegal"]),
    row("codeup", Kind::Passing, Place::Whole, HOOK, &["Internal Server Error"]),
    row(
        "gitee",
        Kind::ProtectedBranch,
        Place::Ref,
        HOOK,
        &["[session-1a2b] {ref} is a protected branch, force push is denied"],
    ),
    row("gitee", Kind::NoRoom, Place::Whole, HOOK, &["[session-1a2b] repository size exceeds limit: 500 MB"]),
    row("gitee", Kind::Passing, Place::Whole, HOOK, &["[session-1a2b] service is busy, please try again later"]),
    row("gitee", Kind::Remark, Place::Success, "", &["Powered by GITEE.COM [1.1.5]"]),
];
