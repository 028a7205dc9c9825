//! What git's words mean. Git has one exit status for everything, so its messages (in English, by `LC_ALL=C`) are all there
//! is. What is not recognised stays [`Code::GitFailed`], in git's own words.

use super::address::{Address, Transport};
use super::words::{self, Kind, Meaning};
use crate::{Code, Error};

/// How a failure is recognised: any of these pieces in git's lines, all in lower case.
type Signs = &'static [&'static str];

const HOST_KEY_CHANGED: Signs = &["remote host identification has changed"];
const HOST_KEY_UNKNOWN: Signs = &["host key verification failed", "no matching host key type found"];
const SSH_REFUSED: Signs =
    &["permission denied (", "too many authentication failures", "load key \"", "no such identity"];
const NO_CREDENTIALS: Signs = &[
    "terminal prompts disabled",
    "could not read username",
    "could not read password",
    "unable to get password from user",
];
const WRONG_TOKEN: Signs = &[
    "authentication failed",
    "returned error: 401",
    "http 401",
    "invalid username or password",
    "invalid username or token",
];
/// How git ends a negotiation in which nothing is in common, or which the remote knows nothing of.
pub(super) const NOTHING_IN_COMMON: Signs = &[
    "expected 'acknowledgments'",
    "requires protocol v2",
    "does not support wait-for-done",
    "does not support --negotiate-only",
];
const FORBIDDEN: Signs =
    &["returned error: 403", "http 403", "write access to repository not granted", "you don't have push access"];
const NOT_FOUND: Signs = &[
    "returned error: 404",
    "http 404",
    "returned error: 410",
    "repository not found",
    "does not appear to be a git repository",
    "does not exist",
    "not found: did you run git update-server-info",
    "the project you were looking for could not be found",
];
const MOVED: Signs = &[
    "returned error: 301",
    "returned error: 302",
    "returned error: 307",
    "returned error: 308",
    "http 301",
    "http 302",
    "http 307",
    "http 308",
    "update url base from redirection",
];
const LIMITED: Signs = &["returned error: 429", "http 429", "rate limit"];
const HOST_FAILED: Signs = &["returned error: 5", "http 5", "internal server error", "remote: internal error"];
const UNREACHABLE: Signs = &[
    "could not resolve host",
    "could not resolve hostname",
    "name or service not known",
    "temporary failure in name resolution",
    "failed to connect",
    "couldn't connect",
    "connection refused",
    "connection timed out",
    "operation timed out",
    "no route to host",
    "network is unreachable",
];
const BROKEN: Signs = &[
    "connection reset",
    "connection closed",
    "connection to ",
    "broken pipe",
    "remote end hung up",
    "early eof",
    "unexpected disconnect",
    "empty reply from server",
    "recv failure",
    "send failure",
    "rpc failed",
    "transfer closed",
    "gnutls",
    "bad line length",
    "invalid index-pack output",
    "timeout, server",
    "http/2 stream",
    "expected flush",
    "unexpected flush packet",
    "remote helper",
];
const CERTIFICATE: Signs = &[
    "ssl certificate problem",
    "certificate verification failed",
    "server certificate verification",
    "no alternative certificate subject name",
];
const DISK_FULL: Signs = &["no space left on device", "disk quota exceeded"];
const SHALLOW: Signs = &["shallow update not allowed", SHALLOW_ROOTS];
const OTHER_HASH: Signs = &["mismatched algorithms", "does not support this repository's hash algorithm"];
pub(super) const OTHER_HASH_HINT: &str =
    "The repository uses SHA-256 object ids, which Standin cannot keep in step yet.";
const OTHER_OWNER: Signs = &["dubious ownership"];

const GONE_MEANWHILE: Signs = &["couldn't find remote ref", "not our ref"];
/// What git says, as a warning only, when it leaves out refs of a shallow repository.
pub(super) const SHALLOW_ROOTS: &str = "shallow roots are not allowed to be updated";

/// Signs that the cache itself is damaged.
const DAMAGED: Signs = &[
    "object file",
    "is corrupt",
    "bad object",
    "broken link",
    "did not send all necessary objects",
    "unable to read tree",
    "unable to read sha1 file",
    "unable to resolve reference",
    "unexpected line in",
    "unterminated line in",
    "packfile ",
    "missing blob",
    "missing tree",
    "missing commit",
    "unable to parse object",
];

/// Whether git's lines say that the local repository is damaged.
pub(super) fn is_damage(lines: &[String]) -> bool {
    let text = lines.iter().filter(|line| !line.starts_with("remote:")).fold(String::new(), |mut text, line| {
        text.push_str(&line.to_lowercase());
        text.push('\n');
        text
    });
    has(&text, DAMAGED) && !is_not_found(&text)
}

fn is_not_found(text: &str) -> bool {
    has(text, NOT_FOUND) || text.split_once("repository '").is_some_and(|(_, rest)| rest.contains("' not found"))
}

/// The error of a repository whose ids are longer than those of a git of old.
pub(super) fn other_hash(what: &str) -> Error {
    Error::new(Code::GitFailed, format!("{what}: the repository has ids of 64 digits"), OTHER_HASH_HINT)
}

/// The status by which a host sends a request away for good, in words in lower case.
fn sent_away(text: &str) -> Option<u16> {
    const PASSING: [u16; 3] = [408, 425, 429];
    let after = |sign: &str| text.split(sign).skip(1).find_map(|rest| rest.get(..3)?.parse::<u16>().ok());
    let status = after("returned error: ").or_else(|| text.contains("rpc failed").then(|| after("http ")).flatten());
    status.filter(|status| (400..500).contains(status) && !PASSING.contains(status))
}

fn has(text: &str, signs: Signs) -> bool {
    signs.iter().any(|sign| text.contains(sign))
}

/// The error that git's lines tell, for `what` was being done with the remote at `address`.
pub(super) fn classify(what: &str, address: &Address, lines: &[String], has_token: bool) -> Error {
    let text = lines.join("\n").to_lowercase();
    let is_ssh = address.transport == Transport::Ssh;
    let host = address.host_shown();
    let words = in_one_line(lines, is_ssh);
    let told = Meaning::of(&words::host_words(lines, is_ssh).join("\n"));
    let message = format!("{what}: {words}");
    let new = |code, hint: String| Error::new(code, &*message, hint);
    let passing = |code, hint: String| Error::passing(code, &*message, hint);
    let host_key_hint = "A test of the mirror shows the key's fingerprint: compare it with the one that the host's owner \
                         publishes, then test it again with `--accept-host-key`.";
    if has(&text, HOST_KEY_CHANGED) {
        let message = format!("{what}: the key of {host} is not the one that was accepted before");
        let hint = format!(
            "Somebody may be listening in. Ask the host's owner whether its key was changed. If so: {host_key_hint}"
        );
        Error::new(Code::HostKeyChanged, message, hint)
    } else if has(&text, HOST_KEY_UNKNOWN) {
        Error::new(Code::HostKeyUnknown, format!("{what}: the key of {host} is not known yet"), host_key_hint)
    } else if has(&text, OTHER_OWNER) {
        new(
            Code::Forbidden,
            exception(lines, address).map_or_else(
                || "The folder belongs to another user there, who must allow it.".to_owned(),
                |command| format!("The folder belongs to another user. If you trust it: `{command}`."),
            ),
        )
    } else if is_ssh && has(&text, SSH_REFUSED) {
        new(
            Code::Unauthorized,
            format!(
                "{host} does not take the ssh key. Check that it is the right one, that it needs no passphrase (or is in ssh-agent), and that it was added on the host with write access."
            ),
        )
    } else if matches!(told.kind, Kind::Policy | Kind::Locked) {
        new(Code::TokenBarred, told.hint.to_owned())
    } else if told.kind == Kind::Blocked {
        new(Code::RepositoryBlocked, told.hint.to_owned())
    } else if told.kind == Kind::ReadOnly {
        new(Code::Forbidden, told.hint.to_owned())
    } else if has(&text, LIMITED) {
        passing(Code::RateLimited, "Too many calls in a short time. Try again in a few minutes.".to_owned())
    } else if has(&text, NO_CREDENTIALS) && !has_token {
        new(Code::TokenMissing, format!("{host} wants a token, and none is known here."))
    } else if has(&text, NO_CREDENTIALS) && !has(&text, WRONG_TOKEN) {
        Error::passing(
            Code::GitFailed,
            format!("{what}: git asked for the token of {host} and was given no answer"),
            "Try again. Git starts Standin's own program to be told the token: it may just have been updated or moved, or \
             this machine was too busy.",
        )
    } else if has(&text, WRONG_TOKEN) {
        new(
            Code::Unauthorized,
            format!("{host} does not accept the token. It may have expired or been revoked: make a new one."),
        )
    } else if told.kind == Kind::NoRight && !is_not_found(&text) {
        new(Code::Forbidden, told.hint.to_owned())
    } else if has(&text, FORBIDDEN) {
        new(
            Code::Forbidden,
            "The token may not do that. Check that it may read and write the contents of this repository.".to_owned(),
        )
    } else if has(&text, MOVED) {
        new(
            Code::RepositoryNotFound,
            format!(
                "{host} sends the request on to another address: the repository has moved, or a page to log in at answers. Standin does not \
                     follow by itself, since a token would go with it: see in a browser where it is now, and set that address."
            ),
        )
    } else if has(&text, SHALLOW) {
        new(
            Code::GitFailed,
            "The repository is a shallow clone, without its older history. Complete it by `git fetch --unshallow`."
                .to_owned(),
        )
    } else if has(&text, OTHER_HASH) {
        new(Code::GitFailed, OTHER_HASH_HINT.to_owned())
    } else if has(&text, GONE_MEANWHILE) {
        passing(Code::Raced, "Somebody changed the repository at this moment. Try again.".to_owned())
    } else if has(&text, DISK_FULL) {
        let where_ = if text.contains("remote: ") { &*host } else { "this machine" };
        passing(Code::Storage, format!("The disk of {where_} is full. Make room and try again."))
    } else if is_not_found(&text) {
        new(
            Code::RepositoryNotFound,
            if address.transport == Transport::File {
                "Check the path, and that the disk it is on is mounted.".to_owned()
            } else {
                "Check the address. The repository does not exist, or the token or key cannot see it.".to_owned()
            },
        )
    } else if has(&text, CERTIFICATE) {
        new(
            Code::Network,
            format!(
                "The certificate of {host} cannot be trusted. For a certificate of your own, set `http.sslCAInfo` in your git configuration."
            ),
        )
    } else if has(&text, UNREACHABLE) {
        passing(Code::Network, format!("{host} cannot be reached. Check the network and the address."))
    } else if has(&text, HOST_FAILED) || told.kind == Kind::Passing {
        passing(Code::HostFailed, format!("{host} has a fault of its own. Try again later."))
    } else if is_ssh && words::words(lines, is_ssh).is_empty() {
        new(
            Code::GitFailed,
            format!(
                "The key was taken, and then {host} started nothing. Check the path in the address, and on the host that the account may \
                 run git (its shell, a `command=` in `authorized_keys`); the log of its ssh server may say more."
            ),
        )
    } else if let Some(status) = sent_away(&text) {
        // How a connection ends after such an answer is no fault of it, and the same request gets the same answer again.
        let code = if status == 451 { Code::RepositoryBlocked } else { Code::UnexpectedAnswer };
        new(
            code,
            format!(
                "{host} answered with the status {status}, and would do so again. Its log says why, or that of a proxy on the way there."
            ),
        )
    } else if has(&text, BROKEN) {
        passing(Code::Network, format!("The connection to {host} broke. Try again."))
    } else {
        new(Code::GitFailed, "Run the same with git by hand to see more.".to_owned())
    }
}

/// The command that takes a folder of another user's for safe, as git gives it: it names the very path that git compares, that of
/// the git folder. Only git on this machine is asked what to type here.
fn exception<'a>(lines: &'a [String], address: &Address) -> Option<&'a str> {
    const COMMAND: &str = "git config --global --add safe.directory ";
    let mut lines = lines.iter().map(|line| line.trim()).filter(|_| address.transport == Transport::File);
    lines.find(|line| line.starts_with(COMMAND))
}

/// How much of the words is shown.
const SHOWN_WORDS: usize = 6;

/// The words worth showing, in one line.
fn in_one_line(lines: &[String], is_ssh: bool) -> String {
    let words = words::words(lines, is_ssh);
    match words.as_slice() {
        [] if is_ssh => "the server ended the connection without a word".to_owned(),
        [] => "git gave no reason".to_owned(),
        words => words[..words.len().min(SHOWN_WORDS)].join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(url: &str, lines: &[&str]) -> (Code, bool) {
        let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        let error = classify("listing the refs", &Address::parse(url, None).unwrap(), &lines, true);
        (error.code, error.retryable)
    }

    #[test]
    fn what_git_says_has_its_code() {
        let web = "https://host.example/o/n.git";
        let ssh = "git@host.example:o/n.git";
        let access = "fatal: unable to access 'https://host.example/o/n.git/': ";
        for (url, line, expected) in [
            (web, "fatal: Authentication failed for 'https://host.example/o/n.git/'", (Code::Unauthorized, false)),
            (web, &format!("{access}The requested URL returned error: 403"), (Code::Forbidden, false)),
            (web, "fatal: repository 'https://host.example/o/n.git/' not found", (Code::RepositoryNotFound, false)),
            (web, &format!("{access}The requested URL returned error: 503"), (Code::HostFailed, true)),
            (web, &format!("{access}The requested URL returned error: 429"), (Code::RateLimited, true)),
            (
                web,
                "error: RPC failed; HTTP 400 curl 22 The requested URL returned error: 400",
                (Code::UnexpectedAnswer, false),
            ),
            (
                web,
                "error: RPC failed; HTTP 411 curl 22 The requested URL returned error: 411",
                (Code::UnexpectedAnswer, false),
            ),
            (
                web,
                "error: RPC failed; HTTP 451 curl 22 The requested URL returned error: 451",
                (Code::RepositoryBlocked, false),
            ),
            (web, "error: RPC failed; HTTP 408 curl 22 The requested URL returned error: 408", (Code::Network, true)),
            (web, "error: RPC failed; HTTP/2 stream 5 was reset", (Code::Network, true)),
            (web, &format!("{access}The requested URL returned error: 451"), (Code::RepositoryBlocked, false)),
            (web, &format!("{access}The requested URL returned error: 301"), (Code::RepositoryNotFound, false)),
            (web, &format!("{access}Could not resolve host: host.example"), (Code::Network, true)),
            (web, &format!("{access}Failed to connect to host.example port 443"), (Code::Network, true)),
            (web, &format!("{access}SSL certificate problem: self-signed certificate"), (Code::Network, false)),
            (
                web,
                "error: RPC failed; curl 18 transfer closed with outstanding read data remaining",
                (Code::Network, true),
            ),
            (ssh, "git@host.example: Permission denied (publickey).", (Code::Unauthorized, false)),
            (ssh, "Host key verification failed.", (Code::HostKeyUnknown, false)),
            (ssh, "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @", (Code::HostKeyChanged, false)),
            (ssh, "ERROR: Repository not found.", (Code::RepositoryNotFound, false)),
            (ssh, "ERROR: This repository was archived so it is read-only.", (Code::Forbidden, false)),
            (ssh, "ERROR: The key you are authenticating with has been marked as read only.", (Code::Forbidden, false)),
            (ssh, "FATAL: W any o/n me DENIED by fallthru", (Code::Forbidden, false)),
            (
                ssh,
                "remote: ERROR: The project you were looking for could not be found or you don't have permission to view it.",
                (Code::RepositoryNotFound, false),
            ),
            (ssh, "ERROR: The service is temporarily unavailable", (Code::HostFailed, true)),
            (web, "remote: The 'acme' organization has enabled or enforced SAML SSO.", (Code::TokenBarred, false)),
            (ssh, "ssh: connect to host host.example port 22: Connection refused", (Code::Network, true)),
            ("/srv/n", "fatal: '/srv/n' does not appear to be a git repository", (Code::RepositoryNotFound, false)),
            ("/srv/n", "fatal: couldn't find remote ref refs/heads/x", (Code::Raced, true)),
            ("/srv/n", "fatal: write error: No space left on device", (Code::Storage, true)),
            ("/srv/n", "fatal: something new", (Code::GitFailed, false)),
        ] {
            assert_eq!(code(url, &[line]), expected, "{line}");
        }
    }

    #[test]
    fn a_folder_of_another_user_has_the_command_that_git_gives_and_a_host_gives_none() {
        let lines = [
            "fatal: detected dubious ownership in repository at '/srv/n/.git'",
            "To add an exception for this directory, call:",
            "",
            "\tgit config --global --add safe.directory /srv/n/.git",
        ]
        .map(str::to_owned);
        let hint = |url: &str| classify("x", &Address::parse(url, None).unwrap(), &lines, true).hint;
        assert!(
            hint("/srv/n").contains("`git config --global --add safe.directory /srv/n/.git`"),
            "{}",
            hint("/srv/n")
        );
        assert!(!hint("ssh://git@host.example/n").contains("git config"));
    }

    #[test]
    fn a_server_that_says_nothing_is_not_given_gits_closing_words() {
        let lines = [
            "fatal: Could not read from remote repository.",
            "",
            "Please make sure you have the correct access rights",
            "and the repository exists.",
        ]
        .map(str::to_owned);
        let address = Address::parse("git@host.example:o/n.git", None).unwrap();
        for lines in [&lines[..], &[lines[0].clone(), "fatal: the remote end hung up unexpectedly".to_owned()], &[]] {
            let error = classify("pushing to mirror", &address, lines, false);
            assert_eq!(error.message, "pushing to mirror: the server ended the connection without a word");
            assert!(error.hint.contains("authorized_keys"), "{error:?}");
        }
    }

    #[test]
    fn the_hosts_own_words_stand_in_the_message() {
        let lines = [
            "remote: Repository not found.",
            "fatal: repository 'https://host/o/n.git/' not found",
            "error: failed to push some refs to 'https://host/o/n.git'",
        ]
        .map(str::to_owned);
        let error = classify("pushing to mirror", &Address::parse("https://host/o/n.git", None).unwrap(), &lines, true);
        assert_eq!(error.message, "pushing to mirror: Repository not found.");
    }
}
