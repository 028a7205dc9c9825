//! Addresses on the web that word is sent to. Whoever knows one of them whole may write there: the path of a webhook or of
//! a ping, and the topic of an ntfy server, are as good as a password. So only the host is ever shown.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use super::mistakes::Complaint;

/// An address on the web of which only scheme, host and port are ever shown.
#[derive(Clone)]
pub struct WebAddress {
    url: SecretString,
    origin: String,
    is_clear: bool,
}

/// Where an address may lead without encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    /// To this machine only.
    Loopback,
    /// Anywhere: its owner said so.
    Anywhere,
}

impl WebAddress {
    /// Reads an address: https, or http as `plain` allows it; without a user, a password or a fragment.
    pub(super) fn read(text: &str, plain: Plain) -> Result<Self, Complaint> {
        let hint = "Write it whole, as in `https://host/path`.";
        let url = Url::parse(text).map_err(|error| {
            Complaint::new(
                format!("this is no web address: {error} (it is not shown, since it may hold a secret)"),
                hint,
            )
        })?;
        if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
            return Err(Complaint::new(format!("`{}:` is no address on the web", url.scheme()), hint));
        }
        let origin = url.origin().ascii_serialization();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Complaint::new(
                format!("the address at {origin} has a user or password in it"),
                "Take it out; a token is named with `token_env`, or kept with `standin notify token NAME`.",
            ));
        }
        if url.fragment().is_some() {
            return Err(Complaint::new(format!("the address at {origin} has a `#` in it"), hint));
        }
        let is_clear = url.scheme() == "http" && !is_loopback(&url);
        if is_clear && plain == Plain::Loopback {
            return Err(Complaint::new(
                format!("{origin} would be told over the network in the clear"),
                "Write `https://`; `http://` is taken for this machine only (`localhost`, `127.0.0.1`).",
            ));
        }
        Ok(Self { url: SecretString::from(String::from(url)), origin, is_clear })
    }

    /// The whole address.
    pub fn whole(&self) -> &SecretString {
        &self.url
    }

    /// What may be shown, and what a kept token is bound to: `https://host`, with the port where it is not the usual one.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether what is sent there can be read on the way.
    pub fn is_clear(&self) -> bool {
        self.is_clear
    }

    /// The parts of its path, and whether there is a query.
    pub(super) fn parts(&self) -> (Vec<String>, bool) {
        let Ok(url) = Url::parse(self.url.expose_secret()) else { return (Vec::new(), false) };
        let parts = url.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).map(str::to_owned);
        (parts.collect(), url.query().is_some())
    }
}

impl fmt::Debug for WebAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "WebAddress({}/…)", self.origin)
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.origin)
    }
}

/// Whether the address leads to this very machine, as the HTTP client understands it.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_of_an_address_shows() {
        let address = WebAddress::read("https://Hooks.Example:8443/CANARY/x?token=CANARY", Plain::Loopback).unwrap();
        assert_eq!(address.to_string(), "https://hooks.example:8443");
        assert!(!format!("{address:?}").contains("CANARY"));
        assert_eq!(address.whole().expose_secret(), "https://hooks.example:8443/CANARY/x?token=CANARY");
    }

    #[test]
    fn nothing_leaves_this_machine_in_the_clear_unless_its_owner_said_so() {
        for here in ["http://127.0.0.1:8080/x", "http://[::1]/x", "http://localhost/x", "https://elsewhere.example/x"] {
            assert!(!WebAddress::read(here, Plain::Loopback).unwrap().is_clear(), "{here}");
        }
        // The ways in which an address looks like this machine's and is not.
        for away in [
            "http://127.0.0.1.example/x",
            "http://localhost.example/x",
            "http://example\\@127.0.0.1/x",
            "http://192.168.1.2/x",
            "http://x.localhost/x",
        ] {
            assert!(WebAddress::read(away, Plain::Loopback).is_err(), "{away}");
        }
        assert!(WebAddress::read("http://192.168.1.2/x", Plain::Anywhere).unwrap().is_clear());
    }

    #[test]
    fn no_complaint_shows_more_than_the_host() {
        for bad in [
            "CANARY",
            "https://",
            "ftp://host/CANARY",
            "https://CANARY@host/x",
            "https://user:CANARY@host/x",
            "https://host/CANARY#CANARY",
            "http://host/CANARY",
            "http://ho st/CANARY",
        ] {
            let complaint = WebAddress::read(bad, Plain::Loopback).unwrap_err();
            assert!(!format!("{complaint:?}").contains("CANARY"), "{bad}: {complaint:?}");
        }
    }
}
