//! The host's words among the lines that git prints.

/// How git and ssh close a failed call, whatever the reason was; in lower case.
const CLOSINGS: &[&str] = &[
    "could not read from remote repository",
    "please make sure you have the correct access rights",
    "and the repository exists.",
    "the remote end hung up unexpectedly",
    "failed to push some refs",
    "the remote end hung up upon initial contact",
    "send-pack: unexpected disconnect while reading sideband packet",
    "the remote did not say what became of the push",
];

/// Remarks that hosts make with every push, in lower case.
const REMARKS: &[&str] = &[
    "powered by",
    "to create a merge request",
    "view merge request",
    "create a new pull request",
    "create a pull request for",
    "visit the existing pull request",
    "create pull request",
    "processing changes",
    "resolving deltas",
    "this repository moved. please use the new location",
    "was moved to",
];

/// The marks that hosts and git put before a line, in the order in which they are taken off.
const MARKS: &[&str] = &["remote:", "fatal:", "error:", "ERROR:", "FATAL:", "conq:", "GitLab:", "warning:"];

/// A line without the marks before it, such as `remote: error: `.
pub(crate) fn said(line: &str) -> &str {
    let mut line = line.trim();
    while let Some(rest) = MARKS.iter().find_map(|mark| line.strip_prefix(mark)) {
        line = rest.trim_start();
    }
    line
}

/// Whether a line of the host says nothing about why something failed: a frame, an empty line, advice of git's own, or what it
/// tells with every push.
pub(crate) fn is_talk(line: &str) -> bool {
    let said = said(line);
    let lower = said.to_lowercase();
    let is_frame = !said.chars().any(char::is_alphanumeric);
    // What git counts when all is sent.
    let is_count = said.starts_with("Total ") && said.contains("(delta ");
    is_frame || is_count || lower.starts_with("hint:") || has(&lower, CLOSINGS) || has(&lower, REMARKS)
}

/// The address that a repository has now, where the host tells with a push or a listing that it moved.
pub(crate) fn new_address(lines: &[String]) -> Option<String> {
    let start = lines.iter().position(|line| {
        let line = line.to_lowercase();
        line.contains("repository moved") || line.contains("was moved to") || line.contains("has moved")
    })?;
    let words = lines[start..].iter().flat_map(|line| line.split_whitespace());
    let address = words.map(|word| word.trim_matches(['\'', '"', '`', '.', ','])).find(|word| is_address(word))?;
    Some(address.to_owned())
}

fn is_address(word: &str) -> bool {
    ["https://", "http://", "ssh://"].iter().any(|scheme| word.starts_with(scheme))
        || (word.contains('@') && word.contains(':') && !word.starts_with('@'))
}

/// The lines in which the host says why a call failed, without marks and each once: what it told over the protocol, and over ssh
/// what stands before git's own complaint. None where only git says something.
pub(crate) fn host_words(lines: &[String], is_ssh: bool) -> Vec<String> {
    let by_host = |line: &&String| {
        let line = line.trim_start();
        let by_git = ["fatal: ", "error: ", "warning: ", "Cloning into", "Pushing to "];
        line.starts_with("remote:") || (is_ssh && !by_git.iter().any(|mark| line.starts_with(mark)) && !is_of_ssh(line))
    };
    once(lines.iter().filter(|line| !is_talk(line)).filter(by_host))
}

/// The words worth showing of a failed call: the host's own, else git's complaint. None where the server only ended the connection.
pub(crate) fn words(lines: &[String], is_ssh: bool) -> Vec<String> {
    let worth = |line: &&String| !is_talk(line);
    let complained = |line: &&String| {
        let line = line.trim_start();
        ["fatal: ", "error: ", "warning: rejected"].iter().any(|mark| line.starts_with(mark)) || is_of_ssh(line)
    };
    let mut words = host_words(lines, is_ssh);
    if words.is_empty() {
        words = once(lines.iter().filter(worth).filter(complained));
    }
    if words.is_empty() {
        words = once(lines.iter().rev().filter(worth).take(1));
    }
    words
}

/// What the ssh program itself says of its own work.
fn is_of_ssh(line: &str) -> bool {
    ["ssh: ", "Warning: Permanently added", "debug1:", "Connection to ", "Connection closed", "Load key ", "kex_"]
        .iter()
        .any(|mark| line.starts_with(mark))
}

fn once<'a>(lines: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for line in lines {
        let word = said(line).to_owned();
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

pub(super) fn has(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &[&str], is_ssh: bool) -> Vec<String> {
        words(&lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>(), is_ssh)
    }

    const CLOSING: [&str; 4] = [
        "fatal: Could not read from remote repository.",
        "",
        "Please make sure you have the correct access rights",
        "and the repository exists.",
    ];

    #[test]
    fn over_ssh_the_hosts_reason_is_kept_whatever_its_mark() {
        for (lines, expected) in [
            (&["ERROR: Repository not found."][..], &["Repository not found."][..]),
            (
                &["ERROR: The key you are authenticating with has been marked as read only."],
                &["The key you are authenticating with has been marked as read only."],
            ),
            (
                &["FATAL: W any proj alice DENIED by fallthru", "(or you mis-spelled the reponame)"],
                &["W any proj alice DENIED by fallthru", "(or you mis-spelled the reponame)"],
            ),
            (
                &[
                    "remote: ",
                    "remote: ========================================================================",
                    "remote: ",
                    "remote: ERROR: The project you were looking for could not be found or you don't have permission to view it.",
                    "remote: ",
                    "remote: ========================================================================",
                ],
                &["The project you were looking for could not be found or you don't have permission to view it."],
            ),
            (&["conq: repository does not exist."], &["repository does not exist."]),
            (
                &[
                    "ERROR: The 'acme' organization has enabled or enforced SAML SSO.",
                    "To access this repository, visit https://host/sso",
                ],
                &[
                    "The 'acme' organization has enabled or enforced SAML SSO.",
                    "To access this repository, visit https://host/sso",
                ],
            ),
            (&["git@host: Permission denied (publickey)."], &["git@host: Permission denied (publickey)."]),
        ] {
            assert_eq!(shown(&[lines, &CLOSING[..]].concat(), true), expected);
        }
    }

    #[test]
    fn gits_own_complaint_is_told_where_the_host_said_nothing() {
        assert_eq!(
            shown(&["ssh: connect to host h port 22: Connection refused", CLOSING[0], CLOSING[2], CLOSING[3]], true),
            ["ssh: connect to host h port 22: Connection refused"]
        );
        assert_eq!(
            shown(&["fatal: repository 'https://h/o/n.git/' not found"], false),
            ["repository 'https://h/o/n.git/' not found"]
        );
        // How git closes is no reason, however little else was said.
        assert!(shown(&CLOSING, true).is_empty() && shown(&CLOSING[..1], true).is_empty());
        assert_eq!(
            shown(&["remote: Repository not found.", "fatal: repository 'x' not found"], false),
            ["Repository not found."]
        );
    }

    #[test]
    fn the_new_address_of_a_repository_that_moved_is_found() {
        for (lines, expected) in [
            (
                &["remote: This repository moved. Please use the new location:", "remote:   https://host/o/new.git"][..],
                Some("https://host/o/new.git"),
            ),
            (
                &["Project 'a/b' was moved to 'c/b'.", "git remote set-url origin git@host:c/b.git"],
                Some("git@host:c/b.git"),
            ),
            (&["To create a merge request, visit:", "https://host/x"], None),
            (&["This repository moved."], None),
        ] {
            let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
            assert_eq!(new_address(&lines).as_deref(), expected);
        }
    }

    #[test]
    fn frames_hints_and_remarks_are_no_reasons() {
        for line in [
            "remote: ==========",
            "remote: ***********",
            "remote: - - - -",
            "hint: Updates were rejected because the tip of your current branch is behind",
            "remote: Powered by Gitee",
            "remote: To create a merge request for x, visit:",
            "error: failed to push some refs to 'https://h/o/n.git'",
            "",
        ] {
            assert!(is_talk(line), "{line}");
        }
        for line in ["remote: error: GH013: Repository rule violations found", "ERROR: This repository was archived"] {
            assert!(!is_talk(line), "{line}");
        }
        assert_eq!(said("remote: error: GH006: no"), "GH006: no");
        assert_eq!(said("remote: GitLab: You are not allowed"), "You are not allowed");
    }
}
