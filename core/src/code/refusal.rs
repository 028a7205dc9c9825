//! What a host's refusal of a ref means, and what to do about it.
//!
//! git has no codes for these: a host says why in its own words, and those are always shown. The table only chooses
//! the advice, so that words that a host changes cost the advice and nothing else.

use standin_state::model::RefName;

use crate::{Code, Error};

/// How many lines of the host's words are shown.
const SHOWN_LINES: usize = 12;

struct Advice {
    /// Lower-case words of the host, any of which shows that it is this.
    words: &'static [&'static str],
    hint: &'static str,
}

/// In order: the first that fits counts.
const ADVICE: &[Advice] = &[
    Advice {
        words: &["without `workflow` scope", "without workflow scope", "workflows` permission", "workflow` scope"],
        hint: "The token may not push workflow files. Give it the scope `workflow` (classic) or the permission \
               Workflows: read and write (fine-grained), then sync again.",
    },
    Advice {
        words: &["gh001", "file size limit", "larger than the maximum", "exceeds the maximum", "large files detected"],
        hint: "A file is larger than the host takes (100 MB on GitHub). Move it to git LFS or take it out of the \
               history at the source.",
    },
    Advice {
        words: &["push protection", "secret scanning", "gh009", "secrets detected", "contains secrets"],
        hint: "The host found a secret in a commit. Revoke it and take it out of the history at the source, or allow it \
               at the address that the host names.",
    },
    Advice {
        words: &["protected branch", "gh006", "protected tag", "gh007: protected"],
        hint: "The mirror protects this ref. A standby is written by Standin alone: take the protection off, or allow \
               the token's account to bypass it and to force-push.",
    },
    Advice {
        words: &["gh013", "rule violations", "repository rule"],
        hint: "A ruleset of the mirror forbids it. Take the ruleset off, or put the token's account on its bypass list.",
    },
    Advice {
        words: &["gh007", "private email", "publish your private email"],
        hint: "The mirror's account keeps its e-mail address private and a commit shows it. Switch off \"Block command \
               line pushes that expose my email\" for that account.",
    },
    Advice {
        words: &["hidden ref"],
        hint: "The host keeps this name for itself; such a ref cannot be mirrored. Delete or rename it at the source.",
    },
    Advice {
        words: &[
            "deletion of the current branch",
            "refusing to delete the current branch",
            "cannot delete the default branch",
        ],
        hint: "It is the mirror's default branch. Name another one there first (on a plain git server: \
               `git symbolic-ref HEAD refs/heads/NAME` in the repository), then sync again.",
    },
    Advice {
        words: &["branch is currently checked out", "refusing to update checked out branch"],
        hint: "The mirror has a working folder with this branch checked out. Use a bare repository \
               (`git init --bare`) as mirror.",
    },
    Advice {
        words: &["non-fast-forward", "deletion prohibited", "denying ref deletion"],
        hint: "The mirror's server forbids rewriting or deleting refs (`receive.denyNonFastForwards`, \
               `receive.denyDeletes`). Allow it there, since a mirror must follow its source.",
    },
    Advice {
        words: &["cannot create", "directory not empty", "file exists"],
        hint: "A ref whose name is a folder of this one, or the other way round, is in the way on the mirror. Rename one \
               of them.",
    },
    Advice {
        words: &["quota", "storage limit", "repository size", "no space left", "disk full", "over its limit"],
        hint: "The mirror has no room left. Free some, or raise its quota.",
    },
    Advice {
        words: &["archived", "read-only", "read only"],
        hint: "The mirror is read-only. Unarchive it, or choose another.",
    },
    Advice {
        words: &["permission", "not allowed", "access denied", "denied to", "not authorized"],
        hint: "The token or key may not write this ref. Check its rights: `standin token check`.",
    },
    Advice {
        words: &["shallow update"],
        hint: "History is missing here. Use a complete clone as source (`git fetch --unshallow`).",
    },
    Advice {
        words: &[
            "missing necessary objects",
            "unpacker error",
            "index-pack",
            "bad object",
            "fsck error",
            "fsckobjects",
        ],
        hint: "The mirror's server could not take the objects. See its own messages above; `git fsck` at the source \
               shows damaged ones.",
    },
    Advice {
        words: &["hook declined"],
        hint: "A hook on the mirror's server refuses it. Its administrator can say why.",
    },
];

/// The error for one refused ref: the host's own words and what to do.
pub fn explain(name: &RefName, reason: &str, messages: &[String]) -> Error {
    let mut message = format!("{name}: {reason}");
    let shown: Vec<&str> =
        messages.iter().map(|line| line.trim()).filter(|line| !line.is_empty() && concerns(name, line)).collect();
    for line in shown.iter().take(SHOWN_LINES) {
        message.push_str("\n  ");
        message.push_str(line);
    }
    if shown.len() > SHOWN_LINES {
        message.push_str("\n  …");
    }
    let everything = message.to_lowercase();
    let hint = ADVICE
        .iter()
        .find(|advice| advice.words.iter().any(|word| everything.contains(word)))
        .map_or("See the words of the mirror's host. The other refs are not held up by it.", |advice| advice.hint);
    Error::new(Code::RefRefused, message, hint)
}

/// Whether a line is about this ref or about the push as a whole, and not about another ref.
fn concerns(name: &RefName, line: &str) -> bool {
    let other = line.split([' ', '\'', '`', '"', ',']).any(|word| {
        let word = word.trim_end_matches(['.', ':']);
        word.starts_with("refs/") && word != name.as_str()
    });
    !other || line.contains(name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(reason: &str, messages: &[&str]) -> Error {
        let name = "refs/heads/main".parse().expect("a ref name");
        let messages: Vec<String> = messages.iter().map(|&line| line.to_owned()).collect();
        explain(&name, reason, &messages)
    }

    #[test]
    fn each_refusal_keeps_the_hosts_words_and_says_what_to_do() {
        for (reason, messages, advice) in [
            (
                "refusing to allow a Personal Access Token to create or update workflow `.github/workflows/a.yml` without `workflow` scope",
                &[][..],
                "scope `workflow`",
            ),
            (
                "protected branch hook declined",
                &["error: GH006: Protected branch update failed for refs/heads/main."],
                "protection",
            ),
            (
                "pre-receive hook declined",
                &["error: File big.bin is 150.00 MB; this exceeds GitHub's file size limit of 100.00 MB"],
                "git LFS",
            ),
            (
                "push declined due to repository rule violations",
                &["error: GH013: Repository rule violations found", "- Push cannot contain secrets: secret scanning"],
                "Revoke",
            ),
            (
                "push declined due to repository rule violations",
                &["error: GH013: Repository rule violations found"],
                "bypass list",
            ),
            ("deny updating a hidden ref", &[], "keeps this name"),
            ("deletion of the current branch prohibited", &[], "default branch"),
            ("branch is currently checked out", &[], "git init --bare"),
            ("non-fast-forward", &[], "receive.denyNonFastForwards"),
            ("pre-receive hook declined", &["remote storage quota reached"], "no room"),
            ("pre-receive hook declined", &[], "hook"),
            ("something new", &[], "words of the mirror's host"),
        ] {
            let error = explained(reason, messages);
            assert_eq!(error.code, Code::RefRefused);
            assert!(error.message.contains(reason), "{error:?}");
            assert!(messages.iter().all(|line| error.message.contains(line)), "{error:?}");
            assert!(error.hint.contains(advice), "{reason}: {}", error.hint);
        }
    }

    #[test]
    fn words_about_another_ref_are_not_shown() {
        let error = explained("hook declined", &["refs/heads/other: no", "refs/heads/main: no", "for all: no"]);
        assert_eq!(error.message, "refs/heads/main: hook declined\n  refs/heads/main: no\n  for all: no");
    }
}
