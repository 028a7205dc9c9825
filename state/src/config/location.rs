//! Where a source or mirror is: a repository on GitHub, a git URL, or a path.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::mistakes::{Complaint, did_you_mean, shown};
use super::{GitHubHost, Source, git_folder, values};
use crate::model::Slug;

/// What a text names. A URL never has credentials in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    GitHub(Slug),
    Url(String),
    Path(PathBuf),
}

/// What names are resolved against.
pub(super) struct Surroundings<'a> {
    pub hosts: &'a [GitHubHost],
    pub home: Option<&'a Path>,
}

const SCHEMES: &[&str] = &["https", "http", "ssh", "git", "file"];
const OTHER_HOSTS: &[&str] = &["gitlab.com", "bitbucket.org", "codeberg.org", "git.sr.ht"];
const FORMS: &str = "Write `owner/name`, a URL such as `https://…`, `ssh://…` or `git@host:path`, or a path that begins with `/`, `./` or `~/`.";

impl Surroundings<'_> {
    /// Reads the name of a place. Relative paths are relative to `base`.
    pub fn locate(&self, text: &str, base: &Path) -> Result<Location, Complaint> {
        let text = text.trim();
        refuse_tricks(text)?;
        if let Some((scheme, rest)) = text.split_once("://") {
            return self.locate_url(text, &scheme.to_ascii_lowercase(), rest);
        }
        if is_path(text) {
            let path = values::path(text, base, self.home)?;
            refuse_unreadable(&path)?;
            return git_folder::refuse_disguised(&path).map(|()| Location::Path(path));
        }
        if let Some((host, path)) = scp_form(text) {
            refuse_options(host)?;
            refuse_look_alikes(host)?;
            if path.split('/').next().unwrap_or(path).contains('@') {
                return Err(credentials());
            }
            let name = host.rsplit('@').next().unwrap_or(host);
            return Ok(self.on_github(name, path).map_or_else(|| Location::Url(text.to_owned()), Location::GitHub));
        }
        let slug: Slug = text
            .parse()
            .map_err(|_| Complaint::new(format!("{} is neither a repository, a URL nor a path", shown(text)), FORMS))?;
        match &slug.host {
            Some(host) if OTHER_HOSTS.contains(&host.as_str()) => Err(Complaint::new(
                format!("{} is not on GitHub", shown(text)),
                format!("Write it as a URL, `https://{host}/{}.git`, and as a mirror with type `git`.", slug.path()),
            )),
            _ => Ok(Location::GitHub(slug)),
        }
    }

    fn locate_url(&self, text: &str, scheme: &str, rest: &str) -> Result<Location, Complaint> {
        if !SCHEMES.contains(&scheme) {
            let hint = did_you_mean(scheme, "", SCHEMES);
            return Err(Complaint::new(
                format!("`{}://` is no way to a repository that Standin takes", scheme.escape_debug()),
                format!("{hint}Use one of https, http, ssh, git and file, or `user@host:path`."),
            ));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, host) = authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
        match login {
            Some(login) if scheme != "ssh" || login.contains(':') => return Err(credentials()),
            Some(login) => refuse_options(login)?,
            None => {}
        }
        refuse_options(host)?;
        refuse_look_alikes(host)?;
        if scheme == "file" {
            let path = Path::new(&rest[host.len()..]);
            let is_here = (host.is_empty() || host == "localhost") && path.has_root() && !text.contains('%');
            return Ok(if is_here { Location::Path(values::lexical(path)) } else { Location::Url(text.to_owned()) });
        }
        if host.is_empty() || path.trim_matches('/').is_empty() {
            return Err(Complaint::new(format!("{} names no repository", shown(text)), FORMS));
        }
        if scheme.starts_with("http") && text.contains(['?', '#']) {
            return Err(Complaint::new(
                "the URL has a `?` or `#` part, which no repository has and which may hold a token",
                "Write the URL without it; tokens go into the keychain (`standin token set MIRROR`) or `MIRROR_<n>_TOKEN`.",
            ));
        }
        Ok(self
            .on_github(&format!("{scheme}://{host}"), path)
            .map_or_else(|| Location::Url(text.to_owned()), Location::GitHub))
    }

    /// The repository on GitHub that `server` (`https://host:port` or a bare host of the scp form) and `path` name.
    fn on_github(&self, server: &str, path: &str) -> Option<Slug> {
        let server = server.to_ascii_lowercase();
        let (scheme, authority) = server.split_once("://").unwrap_or(("ssh", &server));
        let authority = authority.strip_suffix(":443").filter(|_| scheme == "https").unwrap_or(authority);
        let name = authority.split(':').next().unwrap_or(authority);
        let path = path.trim_matches('/');
        let (host, path) = if matches!(name, "github.com" | "www.github.com" | "ssh.github.com") {
            (None, path)
        } else {
            let configured = self.hosts.iter().find_map(|host| {
                let below = host.server_url.split_once("://").and_then(|(own_scheme, address)| {
                    let (own_authority, prefix) = address.split_once('/').unwrap_or((address, ""));
                    let here = own_scheme == scheme && own_authority.eq_ignore_ascii_case(authority);
                    path.strip_prefix(prefix).filter(|_| here)
                });
                let by_name = Some(path).filter(|_| host.name.eq_ignore_ascii_case(name));
                below.or(by_name).map(|path| (host.name.as_str(), path))
            });
            let (host, path) = configured?;
            (Some(host).filter(|host| *host != "github.com"), path.trim_start_matches('/'))
        };
        let text = match host {
            Some(host) => format!("{host}/{path}"),
            None => path.to_owned(),
        };
        text.parse().ok().filter(|slug: &Slug| slug.host.as_deref() == host)
    }
}

impl From<&Source> for Location {
    fn from(source: &Source) -> Self {
        match source {
            Source::GitHub(slug) => Self::GitHub(slug.clone()),
            Source::Url(url) => Self::Url(url.clone()),
            Source::Path(path) => Self::Path(path.clone()),
        }
    }
}

impl From<Location> for Source {
    fn from(location: Location) -> Self {
        match location {
            Location::GitHub(slug) => Self::GitHub(slug),
            Location::Url(url) => Self::Url(url),
            Location::Path(path) => Self::Path(path),
        }
    }
}

impl Location {
    /// The same for all ways to write the same place.
    pub fn identity(&self, surroundings: &Surroundings<'_>) -> String {
        match self {
            Self::GitHub(slug) => {
                format!("github:{}/{}", slug.host.as_deref().unwrap_or("github.com"), slug.path()).to_ascii_lowercase()
            }
            Self::Path(path) => format!("path:{}", lossless(&real_path(path))),
            Self::Url(url) => {
                let (server, path) = match url.split_once("://") {
                    Some((scheme, rest)) => {
                        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                        (format!("{scheme}://{authority}"), path)
                    }
                    None => {
                        let (host, path) = url.split_once(':').unwrap_or((url, ""));
                        (format!("ssh://{host}"), path)
                    }
                };
                let login_free = match server.split_once("://").map(|(scheme, rest)| (scheme, rest.rsplit('@').next()))
                {
                    Some((scheme, Some(host))) => format!("{scheme}://{host}"),
                    _ => server.clone(),
                };
                if let Some(slug) = surroundings.on_github(&login_free, path) {
                    return Self::GitHub(slug).identity(surroundings);
                }
                let path = path.trim_matches('/');
                format!("url:{}/{}", server.to_ascii_lowercase(), path.strip_suffix(".git").unwrap_or(path))
            }
        }
    }

    /// The place as it may be shown, and as git takes it.
    pub fn display(&self) -> String {
        match self {
            Self::GitHub(slug) => slug.to_string(),
            Self::Url(url) => url.clone(),
            Self::Path(path) => path.display().to_string(),
        }
    }
}

/// A path as text, another for each other path: names on a disk need not be text.
pub(super) fn lossless(path: &Path) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        // No path that a configuration may name begins so.
        None => format!("b\"{}\"", path.as_os_str().as_encoded_bytes().escape_ascii()),
    }
}

/// The same among words of ours.
pub(super) fn shown_path(path: &Path) -> String {
    let text = lossless(path);
    if path.to_str().is_none() { text } else { quoted(&text) }
}

/// A text of somebody else's among words of ours: in quotes where it could pass for some of them.
pub(super) fn quoted(text: &str) -> String {
    let text = &*shortened(text);
    let is_plain = |character: char| character.is_alphanumeric() || "-._~:/@%+=[]#?&*$!\\".contains(character);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { format!("{text:?}") }
}

/// A text of which a line can have all: the middle of a very long one is left out, with its length and its hash in its place, so
/// that it is still another for each other text. The host of an address is never a part of that.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    const LONG: usize = 300;
    const HOST_LIMIT: usize = 260;
    const HEAD: usize = 120;
    const TAIL: usize = 80;
    let count = text.chars().count();
    if count <= LONG {
        return Cow::Borrowed(text);
    }
    let after = text.find("://").map_or(0, |at| at + 3);
    let host = text[after..].find(['/', ':']).map_or(0, |at| text[..after + at].chars().count()).min(HOST_LIMIT);
    let head = host.max(HEAD).min(count - TAIL);
    let at = |position: usize| text.char_indices().nth(position).map_or(text.len(), |(at, _)| at);
    let hash: String = Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Cow::Owned(format!("{}…[{count} characters, SHA-256 {hash}]…{}", &text[..at(head)], &text[at(count - TAIL)..]))
}

/// Refuses a folder whose name is no text: git, the memory and messages could each take it for another one.
pub(super) fn refuse_unreadable(path: &Path) -> Result<(), Complaint> {
    match path.to_str() {
        Some(_) => Ok(()),
        None => Err(Complaint::new(
            format!("the name of the folder {} is no UTF-8 text", lossless(path)),
            "Rename it, or move what is in it to a folder with a name that every program can read.",
        )),
    }
}

/// The path as the disk has it, of the clone rather than its `.git`.
pub(super) fn real_path(path: &Path) -> PathBuf {
    let real = path.canonicalize().unwrap_or_else(|_| values::lexical(path));
    match (real.file_name(), real.parent()) {
        (Some(name), Some(parent)) if name == ".git" => parent.to_owned(),
        _ => real,
    }
}

/// The URL without what stands before the host's `@`, where that may be a credential.
pub(super) fn without_credentials(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (login, host) = authority.rsplit_once('@')?;
    match (scheme.to_ascii_lowercase().as_str(), login.split_once(':')) {
        ("ssh", None) => None,
        ("ssh", Some((user, _))) => Some(format!("{scheme}://{user}@{host}{path}")),
        _ => Some(format!("{scheme}://{host}{path}")),
    }
}

/// `host` and `path` of `[user@]host:path`.
fn scp_form(text: &str) -> Option<(&str, &str)> {
    let colon = if text.starts_with('[') || text.contains("@[") { text.find("]:")? + 1 } else { text.find(':')? };
    let (host, path) = (&text[..colon], &text[colon + 1..]);
    (!host.is_empty() && !host.contains('/') && !path.is_empty()).then_some((host, path))
}

fn is_path(text: &str) -> bool {
    let windows = cfg!(windows)
        && (text.starts_with(r"\\")
            || (text.as_bytes().get(1) == Some(&b':') && text.as_bytes()[0].is_ascii_alphabetic()));
    windows || matches!(text, "." | ".." | "~") || ["/", "./", "../", "~"].iter().any(|start| text.starts_with(start))
}

fn refuse_tricks(text: &str) -> Result<(), Complaint> {
    if text.is_empty() {
        return Err(Complaint::new("it is empty", FORMS));
    }
    if text.contains(|character: char| character.is_control()) {
        return Err(Complaint::new("it has a line end or another control character in it", FORMS));
    }
    refuse_options(text)?;
    if let Some((helper, _)) = text.split_once("::")
        && !helper.is_empty()
        && helper.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte))
    {
        return Err(Complaint::new(
            format!("`{helper}::` asks git to run a program of that name"),
            format!("Standin does not take transport helpers. {FORMS}"),
        ));
    }
    Ok(())
}

/// Letters of other scripts can look like those of a host that is known.
fn refuse_look_alikes(host: &str) -> Result<(), Complaint> {
    if host.is_ascii() {
        return Ok(());
    }
    Err(Complaint::new(
        format!(
            "the host `{}` has letters beyond ASCII, and may not be the one that it looks like",
            shortened(&host.escape_default().to_string())
        ),
        "If it is the one that you mean, write it in its ASCII form, whose parts begin with `xn--`.",
    ))
}

fn refuse_options(text: &str) -> Result<(), Complaint> {
    if text.starts_with('-') {
        return Err(Complaint::new("it begins with `-` and would be taken for an option", FORMS));
    }
    Ok(())
}

fn credentials() -> Complaint {
    Complaint::new(
        "the URL has credentials in it, which would show in process lists and logs",
        "Write the URL without what stands before the `@`; the token goes into the keychain (`standin token set MIRROR`) or \
         into `MIRROR_<n>_TOKEN` (`MIRROR_SOURCE_TOKEN` for the source).",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn locate(text: &str) -> Result<Location, Complaint> {
        Surroundings { hosts: &[], home: None }.locate(text, Path::new("/base"))
    }

    proptest! {
        #[test]
        fn no_text_makes_a_panic_or_a_url_with_credentials(
            text in r"(https?://|ssh://|file://|git://|)[-a-z0-9@:/.\[\]%?#~\\ é]{0,24}"
        ) {
            if let Ok(location) = locate(&text) {
                let surroundings = Surroundings { hosts: &[], home: None };
                prop_assert_eq!(location.identity(&surroundings), location.identity(&surroundings));
                if let Location::Url(url) = location {
                    prop_assert_eq!(without_credentials(&url), None);
                    prop_assert!(!url.starts_with('-'));
                }
            }
        }
    }

    #[test]
    fn only_what_may_be_a_credential_is_taken_out_of_a_url() {
        let cases = [
            ("https://ann:x@h/p@q", Some("https://h/p@q")),
            ("https://x@h:8443/p", Some("https://h:8443/p")),
            ("ssh://git@h/p", None),
            ("ssh://git:x@h/p", Some("ssh://git@h/p")),
            ("https://h/p@q", None),
            ("git@h:p", None),
        ];
        for (url, expected) in cases {
            assert_eq!(without_credentials(url).as_deref(), expected, "{url}");
        }
    }
}
