//! What a remote's URL says: by which transport, on which host and port. Git has the last word on how it reads an
//! address; this reading only decides what Standin allows.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{Code, Error, Result};

/// How a remote is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `https://`.
    Https,
    /// `http://`; with a token only on this machine.
    Http,
    /// `ssh://` or `user@host:path`.
    Ssh,
    /// `git://`, without any authentication.
    Git,
    /// A folder of this machine.
    File,
}

impl Transport {
    /// The transport's name as git's `GIT_ALLOW_PROTOCOL` has it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::Git => "git",
            Self::File => "file",
        }
    }
}

/// The address of a remote, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    url: String,
    /// The transport.
    pub transport: Transport,
    /// The host, lower case; `None` for a folder.
    pub host: Option<String>,
    /// The port, where the address names one.
    pub port: Option<u16>,
    /// The user named in the address.
    pub user: Option<String>,
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.url)
    }
}

impl Address {
    /// Reads an address: `https://…`, `http://…`, `ssh://…`, `git://…`, `file://…`, `user@host:path`, or a path. A relative
    /// path is taken from the current folder, `~/` from `home`.
    ///
    /// # Errors
    /// [`Code::Configuration`] for another scheme, for an address with a password inside, and for one that git or ssh
    /// could mistake for an option.
    pub fn parse(text: &str, home: Option<&Path>) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(wrong("the address is empty or has control characters", text));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return Self::parse_url(text, &scheme.to_ascii_lowercase(), rest);
        }
        if text.contains("::") && text.split("::").next().is_some_and(is_scheme) {
            return Err(wrong("helpers such as `ext::` are not allowed in", text));
        }
        match scp_parts(text) {
            Some((user, host)) => Self::checked(text, Transport::Ssh, Some(host), None, user),
            None => Self::from_path(text, home),
        }
    }

    fn parse_url(text: &str, scheme: &str, rest: &str) -> Result<Self> {
        let transport = match scheme {
            "https" => Transport::Https,
            "http" => Transport::Http,
            "ssh" | "git+ssh" | "ssh+git" => Transport::Ssh,
            "git" => Transport::Git,
            "file" => return Ok(Self::file(format!("file://{rest}"))),
            _ => return Err(wrong("only https, http, ssh, git and file addresses are allowed, not", text)),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('\\') {
            return Err(wrong("the host is not well formed in", text));
        }
        let (userinfo, host_port) = match authority.rsplit_once('@') {
            Some((userinfo, host_port)) => (Some(userinfo), host_port),
            None => (None, authority),
        };
        if userinfo.is_some_and(|userinfo| userinfo.contains(':')) {
            // The text is not repeated: it holds the password.
            return Err(Error::new(
                Code::Configuration,
                format!("the address `{scheme}://…@{host_port}/…` has a password inside"),
                "Remove the part before `@` from the address, and give the token by `standin token set MIRROR` (or `source`).",
            ));
        }
        let (host, port) = match host_port.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                let port = if port.is_empty() {
                    None
                } else {
                    Some(port.parse().map_err(|_| wrong("the port is not a number in", text))?)
                };
                (host, port)
            }
            _ => (host_port, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Self::checked(text, transport, Some(host), port, userinfo.filter(|user| !user.is_empty()))
    }

    fn checked(
        text: &str,
        transport: Transport,
        host: Option<&str>,
        port: Option<u16>,
        user: Option<&str>,
    ) -> Result<Self> {
        let odd = |part: &str| part.is_empty() || part.starts_with('-') || part.contains(char::is_whitespace);
        if host.is_none_or(odd) || user.is_some_and(odd) {
            return Err(wrong("the host or user is missing or not well formed in", text));
        }
        Ok(Self {
            url: text.to_owned(),
            transport,
            host: host.map(str::to_ascii_lowercase),
            port,
            user: user.map(str::to_owned),
        })
    }

    fn from_path(text: &str, home: Option<&Path>) -> Result<Self> {
        let path = match (text.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(text),
        };
        let path = std::path::absolute(&path).map_err(|error| wrong(&format!("{error}:"), text))?;
        Ok(Self::file(path.to_string_lossy().into_owned()))
    }

    fn file(url: String) -> Self {
        Self { url, transport: Transport::File, host: None, port: None, user: None }
    }

    /// The address as git gets it.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Whether what is sent can be read only by this machine or the host that was meant.
    pub fn is_private(&self) -> bool {
        match self.transport {
            Transport::Https | Transport::Ssh | Transport::File => true,
            Transport::Git => false,
            Transport::Http => self.host.as_deref().is_some_and(is_loopback),
        }
    }

    /// Whether it leads to this machine itself, by its very name.
    pub fn is_here(&self) -> bool {
        self.transport == Transport::File || self.host.as_deref().is_some_and(is_loopback)
    }

    /// The host and, where one is named, the port: for messages.
    pub fn host_shown(&self) -> String {
        match (&self.host, self.port) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.clone(),
            (None, _) => "this machine".to_owned(),
        }
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character))
}

/// User and host of `user@host:path`, which git takes for a path when a slash stands before the colon.
fn scp_parts(text: &str) -> Option<(Option<&str>, &str)> {
    let (before, _path) = match text.strip_prefix('[') {
        Some(_) => text.split_once("]:")?,
        None => text.split_once(':')?,
    };
    let is_drive = cfg!(windows) && before.len() == 1;
    if before.contains(['/', '\\']) || is_drive {
        return None;
    }
    let before = before.trim_start_matches('[');
    Some(match before.rsplit_once('@') {
        Some((user, host)) => (Some(user), host.trim_start_matches('[')),
        None => (None, before),
    })
}

/// Whether a host is this machine by its very name, without asking a name server.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn wrong(what: &str, text: &str) -> Error {
    Error::new(
        Code::Configuration,
        format!("{what} `{text}`"),
        "Give an address such as `https://host/owner/name.git`, `git@host:owner/name.git` or `/srv/git/name.git`.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Transport, Option<String>, Option<u16>, Option<String>) {
        let address = Address::parse(text, None).unwrap();
        (address.transport, address.host, address.port, address.user)
    }

    #[test]
    fn every_form_of_address_is_read() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("https://Host.example/o/n.git"), (Transport::Https, some("host.example"), None, None));
        assert_eq!(read("http://127.0.0.1:8080/o/n.git"), (Transport::Http, some("127.0.0.1"), Some(8080), None));
        assert_eq!(read("https://[::1]:8443/n"), (Transport::Https, some("::1"), Some(8443), None));
        assert_eq!(read("https://me@host/n"), (Transport::Https, some("host"), None, some("me")));
        assert_eq!(read("ssh://git@host:2222/n.git"), (Transport::Ssh, some("host"), Some(2222), some("git")));
        assert_eq!(read("git@host:o/n.git"), (Transport::Ssh, some("host"), None, some("git")));
        assert_eq!(read("host:n.git"), (Transport::Ssh, some("host"), None, None));
        assert!(Address::parse("/srv/n", None).unwrap().is_here());
        assert!(Address::parse("http://[::1]:8080/n", None).unwrap().is_here());
        assert!(!Address::parse("git@host:n", None).unwrap().is_here());
        assert_eq!(read("git://host/n"), (Transport::Git, some("host"), None, None));
        assert_eq!(read("file:///srv/n.git"), (Transport::File, None, None, None));
        assert_eq!(read("/srv/a:b.git"), (Transport::File, None, None, None));
        assert_eq!(read("./a:b.git"), (Transport::File, None, None, None));
    }

    #[test]
    fn relative_and_home_paths_become_absolute() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(Address::parse("x/y.git", None).unwrap().as_str(), here.join("x/y.git").to_str().unwrap());
        assert_eq!(Address::parse("~/y.git", Some(Path::new("/home/u"))).unwrap().as_str(), "/home/u/y.git");
        assert_eq!(Address::parse("-x", None).unwrap().as_str(), here.join("-x").to_str().unwrap());
    }

    #[test]
    fn dangerous_addresses_are_refused() {
        for bad in [
            "",
            "ext::sh -c id",
            "transport::x",
            "ftp://host/n",
            "https:///n",
            "https://-host/n",
            "ssh://-oProxyCommand=id/n",
            "-oProxyCommand=id:n",
            "ssh://-u@host/n",
            "http://127.0.0.1\\@evil/n",
            "https://host:port/n",
            "https://host/a\nb",
        ] {
            assert_eq!(Address::parse(bad, None).map_err(|error| error.code), Err(Code::Configuration), "{bad}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        let error = Address::parse("https://me:hunter2@host/n", None).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn plain_http_is_private_on_this_machine_only() {
        for (text, private) in [
            ("http://localhost:1/n", true),
            ("http://127.0.0.1/n", true),
            ("http://[::1]:5/n", true),
            ("http://10.0.0.1/n", false),
            ("http://localhost.evil.example/n", false),
            ("git://127.0.0.1/n", false),
            ("https://host/n", true),
        ] {
            assert_eq!(Address::parse(text, None).unwrap().is_private(), private, "{text}");
        }
    }
}
