//! The ssh that git starts, and the keys of hosts.
//!
//! A host's key must be known before anything is sent to it: either the user accepted it for ssh itself
//! (`~/.ssh/known_hosts`), or for Standin ([`scan_host_key`] shows it, [`accept`] keeps it in a file of Standin's own).

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};
use standin_state::private;
use tokio_util::sync::CancellationToken;

use super::GitProgram;
use super::address::{Address, Transport};
use super::child::{Call, Input, Patience};
use super::credential::quote_for_shell;
use crate::{Code, Error, Result};

/// How long scanning a host may take.
const SCAN_LIMIT: Duration = Duration::from_secs(20);

/// The ssh command line for git's `GIT_SSH_COMMAND`, which a shell reads.
///
/// # Errors
/// [`Code::Configuration`] for a path that ssh cannot be given.
pub(super) fn command(known_hosts: &Path, key: Option<&Path>) -> Result<String> {
    let mut options = vec![
        "BatchMode=yes".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        format!("UserKnownHostsFile={} ~/.ssh/known_hosts ~/.ssh/known_hosts2", quote_for_ssh(known_hosts)?),
        "UpdateHostKeys=no".to_owned(),
        "ConnectTimeout=30".to_owned(),
        "ServerAliveInterval=15".to_owned(),
        "ServerAliveCountMax=3".to_owned(),
        // A shared connection would live on after us and keep our pipes open.
        "ControlMaster=no".to_owned(),
        "ControlPath=none".to_owned(),
        "ClearAllForwardings=yes".to_owned(),
        "ForwardAgent=no".to_owned(),
        "PermitLocalCommand=no".to_owned(),
    ];
    if let Some(key) = key {
        options.push("IdentitiesOnly=yes".to_owned());
        options.push(format!("IdentityFile={}", quote_for_ssh(key)?));
    }
    let mut line = "ssh".to_owned();
    for option in options {
        line.push_str(" -o ");
        line.push_str(&quote_for_shell(&option));
    }
    Ok(line)
}

/// A path as ssh reads it in an option: quoted, and without meaning for its own placeholders.
fn quote_for_ssh(path: &Path) -> Result<String> {
    let text = path.to_string_lossy();
    if text.contains("${") || text.contains(char::is_control) {
        return Err(Error::new(
            Code::Configuration,
            format!("ssh cannot use the path `{}`", text.escape_debug()),
            "Move the file to a path without `${` and control characters.",
        ));
    }
    let text = if cfg!(windows) { text.replace('\\', "/") } else { text.replace('\\', "\\\\") };
    Ok(format!("\"{}\"", text.replace('"', "\\\"").replace('%', "%%")))
}

/// The key of a host, to be shown to a person before it is trusted.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, ts_rs::TS)]
#[ts(export)]
pub struct HostKey {
    /// The host as the address names it.
    pub host: String,
    /// The kind of key, such as `ssh-ed25519`.
    pub kind: String,
    /// Its fingerprint as ssh shows it: `SHA256:…`.
    pub fingerprint: String,
    /// Its line for a known-hosts file.
    pub line: String,
}

/// Asks the host of an ssh address for its key. Nothing is trusted by that: show the fingerprint, then [`accept`].
///
/// # Errors
/// [`Code::Usage`] for an address that is not ssh, [`Code::Network`] when the host gives no key.
pub async fn scan_host_key(git: &GitProgram, url: &str, cancel: &CancellationToken) -> Result<HostKey> {
    let address = Address::parse(url, git.home())?;
    let (Transport::Ssh, Some(host)) = (address.transport, &address.host) else {
        return Err(Error::new(Code::Usage, format!("`{url}` is no ssh address"), "Only ssh remotes have host keys."));
    };
    let target = Target::resolve(git, host, address.port, cancel).await?;
    let mut scan = git.beside("ssh-keyscan");
    scan.args(["-T", "10", "-t", "ed25519,ecdsa,rsa", "-p", &target.port.to_string(), "--", &target.name]);
    let answer = ask(&format!("asking {host} for its key"), scan, cancel).await?;
    // The order says which kind is preferred.
    ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"]
        .iter()
        .find_map(|kind| answer.lines().find_map(|line| HostKey::parse(line, host, kind, &target.known_as)))
        .ok_or_else(|| {
            Error::passing(
                Code::Network,
                format!("{} gave no host key", address.host_shown()),
                format!("Check the address, or connect once by hand: `ssh {host}`."),
            )
        })
}

impl HostKey {
    fn parse(line: &str, host: &str, kind: &str, known_as: &str) -> Option<Self> {
        let mut fields = line.split_whitespace().skip(1);
        let key = fields.next().filter(|found| *found == kind).and_then(|_| fields.next())?;
        let digest = Sha256::digest(STANDARD.decode(key).ok()?);
        Some(Self {
            host: host.to_owned(),
            kind: kind.to_owned(),
            fingerprint: format!("SHA256:{}", STANDARD_NO_PAD.encode(digest)),
            line: format!("{known_as} {kind} {key}"),
        })
    }
}

/// Where ssh itself would go, after the user's own ssh configuration.
struct Target {
    name: String,
    port: u16,
    /// Under which name ssh looks the key up.
    known_as: String,
}

impl Target {
    async fn resolve(git: &GitProgram, host: &str, port: Option<u16>, cancel: &CancellationToken) -> Result<Self> {
        let mut command = git.beside("ssh");
        command.arg("-G");
        if let Some(port) = port {
            command.args(["-p", &port.to_string()]);
        }
        command.args(["--", host]);
        let settings = ask("reading the ssh configuration", command, cancel).await?;
        let value = |key: &str| {
            settings
                .lines()
                .filter_map(|line| line.split_once(' '))
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value)
        };
        let name = value("hostname").unwrap_or(host).to_owned();
        let port = value("port").and_then(|port| port.parse().ok()).or(port).unwrap_or(22);
        let known_as = match value("hostkeyalias").filter(|alias| *alias != "none") {
            Some(alias) => alias.to_owned(),
            None if port == 22 => name.clone(),
            None => format!("[{name}]:{port}"),
        };
        Ok(Self { name, port, known_as })
    }
}

async fn ask(what: &str, command: tokio::process::Command, cancel: &CancellationToken) -> Result<String> {
    let patience = Patience::only(SCAN_LIMIT);
    let call = Call { what, command, input: Input::Nothing, patience: &patience, cancel, on_line: &mut |_| false };
    let ended = call.run().await?;
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}

/// Keeps a host's key as trusted, in place of an older one of the same host and kind.
///
/// # Errors
/// [`Code::Storage`] when the file cannot be written.
pub fn accept(known_hosts: &Path, key: &HostKey) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::new(
            Code::Storage,
            format!("cannot keep the host key in `{}`: {error}", known_hosts.display()),
            "Check the disk and the rights of that folder.",
        )
    };
    let folder = known_hosts.parent().unwrap_or(Path::new("."));
    private::create_folder(folder)?;
    let before = match private::read(known_hosts) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        before => String::from_utf8_lossy(&before.map_err(failed)?).into_owned(),
    };
    let same = |line: &str| line.split_whitespace().take(2).eq(key.line.split_whitespace().take(2));
    let mut text: String = before.lines().filter(|line| !same(line)).map(|line| format!("{line}\n")).collect();
    text.push_str(&key.line);
    text.push('\n');
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    crate::crash::point("git.known_hosts.before");
    file.persist(known_hosts).map_err(|error| failed(error.error))?;
    crate::crash::point("git.known_hosts.after");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_ssh_and_for_the_shell() {
        let line = command(Path::new("/data/it's 100%/known"), Some(Path::new("/keys/a \"b\""))).unwrap();
        assert!(
            line.contains(
                r#"-o 'UserKnownHostsFile="/data/it'\''s 100%%/known" ~/.ssh/known_hosts ~/.ssh/known_hosts2'"#
            ),
            "{line}"
        );
        assert!(line.ends_with(r#"-o 'IdentitiesOnly=yes' -o 'IdentityFile="/keys/a \"b\""'"#), "{line}");
        assert!(command(Path::new("/${HOME}/x"), None).is_err());
    }

    #[test]
    fn accepting_a_key_replaces_the_older_one_of_its_host_and_kind() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/known_hosts");
        let key = |host: &str, kind: &str, key: &str| {
            HostKey::parse(&format!("{host} {kind} {key}"), host, kind, host).unwrap()
        };
        for key in [key("a", "ssh-ed25519", "AAAA"), key("b", "ssh-ed25519", "AAAA"), key("a", "ssh-ed25519", "BBBB")] {
            accept(&file, &key).unwrap();
        }
        assert_eq!(std::fs::read_to_string(file).unwrap(), "b ssh-ed25519 AAAA\na ssh-ed25519 BBBB\n");
    }
}
