//! Answering git's question for a token, without the token ever being an argument, an environment variable, a URL or
//! a line of configuration.
//!
//! Git is told that its credential helper is this very program. It starts it as `standin credential-helper get` and
//! writes what it wants to know for; that program ([`answer_if_asked`]) hands the question on through a socket to the one that
//! started git ([`CredentialServer`]), which answers for exactly one scheme, host and port, and for no other. The socket lies in
//! a folder that only the user can enter, and lives as long as the one call of git.
//!
//! Where there are no Unix sockets, the same goes over a loopback port with a one-time ticket in a file of that folder.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinHandle;

use super::address::{Address, Transport};
use crate::{Code, Error, Result};

/// Names the socket (or the ticket) in the environment of the helper. It is no secret.
pub const SOCKET_VARIABLE: &str = "STANDIN_CREDENTIAL_SOCKET";
/// The first argument with which this program is started as a credential helper.
pub const COMMAND: &str = "credential-helper";

/// GitHub takes any user name with a token; this one is its own custom.
pub(super) const DEFAULT_USER: &str = "x-access-token";
/// How long a question may be, in bytes.
const MAX_QUESTION: u64 = 64 * 1024;
/// How long the server rests after it could not let a visitor in.
const RECOVERY: Duration = Duration::from_millis(50);
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers git when this process was started as its credential helper: the first thing every `main` does.
///
/// Returns `None` when it was not, and otherwise what `main` shall return at once. An unanswered question is no
/// failure here: git then says itself that it has no credentials.
pub fn answer_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != COMMAND {
        return None;
    }
    // git also tells when a credential worked or did not (`store`, `erase`); there is nothing to keep.
    if arguments.next().is_some_and(|operation| operation == "get") {
        let answer = std::env::var_os(SOCKET_VARIABLE).and_then(|socket| hand_on(Path::new(&socket)).ok());
        if let Some(answer) = answer {
            let mut stdout = std::io::stdout().lock();
            // Git went away: nobody is left to be told.
            let _ = stdout.write_all(&answer).and_then(|()| stdout.flush());
        }
    }
    Some(ExitCode::SUCCESS)
}

/// Hands git's question on, and brings the answer.
fn hand_on(socket: &Path) -> std::io::Result<Vec<u8>> {
    let mut question = Vec::new();
    std::io::stdin().lock().take(MAX_QUESTION).read_to_end(&mut question)?;
    let mut server = platform::connect(socket)?;
    server.write_all(&question)?;
    server.write_all(b"\n")?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    Ok(answer)
}

/// The setting that makes git start `program` as its credential helper. Git gives it to a shell, so the path is quoted.
pub(super) fn helper_setting(program: &Path) -> String {
    let path = program.to_string_lossy();
    let path = if cfg!(windows) { path.replace('\\', "/") } else { path.into_owned() };
    format!("credential.helper=!{} {COMMAND}", quote_for_shell(&path))
}

/// The text as one word of a POSIX shell.
pub(super) fn quote_for_shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// For whom a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    protocol: &'static str,
    host: String,
    port: u16,
}

impl Place {
    fn of(address: &Address) -> Option<Self> {
        let (protocol, default_port) = match address.transport {
            Transport::Https => ("https", 443),
            Transport::Http => ("http", 80),
            Transport::Ssh | Transport::Git | Transport::File => return None,
        };
        Some(Self { protocol, host: address.host.clone()?, port: address.port.unwrap_or(default_port) })
    }

    /// Whether git's question (`key=value` lines) is for this place and no other.
    fn is_asked_by(&self, question: &str) -> bool {
        let value = |key: &str| {
            let mut values = question.lines().filter_map(|line| line.split_once('=')).filter(|(name, _)| *name == key);
            let value = values.next().map(|(_, value)| value);
            value.filter(|_| values.next().is_none())
        };
        let (Some(protocol), Some(host_port)) = (value("protocol"), value("host")) else { return false };
        let asked = Address::parse(&format!("{protocol}://{host_port}/"), None).ok().as_ref().and_then(Self::of);
        asked.as_ref() == Some(self)
    }
}

/// Waits for the helper's questions while one call of git runs.
pub(super) struct CredentialServer {
    task: JoinHandle<()>,
}

impl Drop for CredentialServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl CredentialServer {
    /// Opens the server in `folder`, for the place of `address`. Returns it with the value of [`SOCKET_VARIABLE`].
    ///
    /// # Errors
    /// [`Code::Unauthorized`] for what cannot be told to git as a token, [`Code::Storage`] when the socket cannot be made.
    pub(super) fn open(
        folder: &Path,
        address: &Address,
        token: &SecretString,
    ) -> Result<Option<(Self, std::path::PathBuf)>> {
        let Some(place) = Place::of(address) else { return Ok(None) };
        if token.expose_secret().contains(['\n', '\r', '\0']) {
            return Err(Error::new(
                Code::Unauthorized,
                format!("the token of {} has a line break in it, so it is none", address.host_shown()),
                "Give it again by `standin token set MIRROR` (or `source`), as the host shows it.",
            ));
        }
        let user = address.user.clone().unwrap_or_else(|| DEFAULT_USER.to_owned());
        let (listener, path) = platform::Listener::open(folder).map_err(|error| {
            Error::new(
                Code::Storage,
                format!("cannot open a socket in `{}`: {error}", folder.display()),
                "Check the folder for temporary files (TMPDIR).",
            )
        })?;
        let token = token.clone();
        let task = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok(Some(visitor)) => {
                        // A visitor that hangs up or dawdles gets nothing, and the next one is heard.
                        let _ = tokio::time::timeout(PATIENCE, answer(visitor, &place, &user, &token)).await;
                    }
                    Ok(None) => {}
                    // Such as too many open files at this moment; the server stays open as long as the call lasts.
                    Err(_) => tokio::time::sleep(RECOVERY).await,
                }
            }
        });
        Ok(Some((Self { task }, path)))
    }
}

async fn answer(
    mut visitor: impl AsyncRead + AsyncWrite + Unpin,
    place: &Place,
    user: &str,
    token: &SecretString,
) -> std::io::Result<()> {
    let mut question = Vec::new();
    let mut buffer = [0; 4096];
    while !question.ends_with(b"\n\n") {
        let read = visitor.read(&mut buffer).await?;
        if read == 0 || question.len() as u64 > MAX_QUESTION {
            return Ok(());
        }
        question.extend_from_slice(&buffer[..read]);
    }
    let secret = token.expose_secret();
    if std::str::from_utf8(&question).is_ok_and(|question| place.is_asked_by(question)) {
        let reply = SecretString::from(format!("username={user}\npassword={secret}\n"));
        visitor.write_all(reply.expose_secret().as_bytes()).await?;
    }
    visitor.shutdown().await
}

#[cfg(unix)]
mod platform {
    use std::io;
    use std::os::unix::net::UnixStream as Blocking;
    use std::path::{Path, PathBuf};

    use tokio::net::{UnixListener, UnixStream};

    pub(super) struct Listener(UnixListener);

    impl Listener {
        pub(super) fn open(folder: &Path) -> io::Result<(Self, PathBuf)> {
            let path = folder.join("ask");
            Ok((Self(UnixListener::bind(&path)?), path))
        }

        /// The next visitor; `None` for one that is another user.
        pub(super) async fn accept(&self) -> io::Result<Option<UnixStream>> {
            let (stream, _) = self.0.accept().await?;
            let is_ours = stream.peer_cred()?.uid() == nix::unistd::geteuid().as_raw();
            Ok(is_ours.then_some(stream))
        }
    }

    pub(super) fn connect(path: &Path) -> io::Result<Blocking> {
        let stream = Blocking::connect(path)?;
        stream.set_read_timeout(Some(super::PATIENCE))?;
        stream.set_write_timeout(Some(super::PATIENCE))?;
        Ok(stream)
    }
}

#[cfg(any(not(unix), test))]
#[cfg_attr(unix, allow(dead_code))]
mod loopback {
    use std::io::{self, Write as _};
    use std::net::{Ipv4Addr, TcpStream as Blocking};
    use std::path::{Path, PathBuf};

    use rand::Rng as _;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::{TcpListener, TcpStream};

    const TICKET_BYTES: usize = 32;

    pub(super) struct Listener {
        listener: TcpListener,
        ticket: [u8; TICKET_BYTES],
    }

    impl Listener {
        pub(super) fn open(folder: &Path) -> io::Result<(Self, PathBuf)> {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            let mut ticket = [0; TICKET_BYTES];
            rand::rng().fill_bytes(&mut ticket);
            let path = folder.join("ask");
            let mut text = listener.local_addr()?.port().to_be_bytes().to_vec();
            text.extend_from_slice(&ticket);
            // The folder is the user's own; nobody else can read the ticket.
            std::fs::write(&path, text)?;
            Ok((Self { listener: TcpListener::from_std(listener)?, ticket }, path))
        }

        /// The next visitor; `None` for one without the ticket.
        pub(super) async fn accept(&self) -> io::Result<Option<TcpStream>> {
            let (mut stream, _) = self.listener.accept().await?;
            let mut shown = [0; TICKET_BYTES];
            let reading = tokio::time::timeout(super::PATIENCE, stream.read_exact(&mut shown)).await;
            let differing = shown.iter().zip(&self.ticket).fold(0, |differing, (a, b)| differing | (a ^ b));
            Ok((matches!(reading, Ok(Ok(_))) && differing == 0).then_some(stream))
        }
    }

    pub(super) fn connect(path: &Path) -> io::Result<Blocking> {
        let text = std::fs::read(path)?;
        let (port, ticket) = text.split_first_chunk().ok_or(io::ErrorKind::InvalidData)?;
        let mut stream = Blocking::connect((Ipv4Addr::LOCALHOST, u16::from_be_bytes(*port)))?;
        stream.set_read_timeout(Some(super::PATIENCE))?;
        stream.set_write_timeout(Some(super::PATIENCE))?;
        stream.write_all(ticket)?;
        Ok(stream)
    }
}

#[cfg(not(unix))]
use loopback as platform;

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Place {
        Place::of(&Address::parse(url, None).unwrap()).unwrap()
    }

    #[test]
    fn only_the_exact_scheme_host_and_port_are_answered() {
        let github = place("https://github.com/o/n.git");
        for asked in
            ["protocol=https\nhost=github.com\n", "protocol=https\nhost=GitHub.com:443\npath=o/n\nwwwauth[]=x\n"]
        {
            assert!(github.is_asked_by(asked), "{asked}");
        }
        for other in [
            "protocol=http\nhost=github.com\n",
            "protocol=https\nhost=github.com:8443\n",
            "protocol=https\nhost=evil.github.com\n",
            "protocol=https\nhost=github.com.evil\n",
            "protocol=https\nhost=github.com\nhost=evil\n",
            "protocol=https\nhost=github.com@evil\n",
            "protocol=https\n",
            "host=github.com\n",
            "",
        ] {
            assert!(!github.is_asked_by(other), "{other}");
        }
        let local = place("http://127.0.0.1:8080/o/n");
        assert!(local.is_asked_by("protocol=http\nhost=127.0.0.1:8080\n"));
        assert!(!local.is_asked_by("protocol=http\nhost=127.0.0.1:8081\n"));
    }

    #[test]
    fn helper_paths_are_quoted_for_the_shell() {
        assert_eq!(
            helper_setting(Path::new("/opt/it's here/$(id)/standin")),
            r"credential.helper=!'/opt/it'\''s here/$(id)/standin' credential-helper"
        );
    }

    #[tokio::test]
    async fn the_desk_answers_its_place_and_stays_silent_for_others() {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::parse("https://host.example/n", None).unwrap();
        let token = SecretString::from("canary");
        let (_server, path) = CredentialServer::open(folder.path(), &address, &token).unwrap().unwrap();
        for (question, expected) in [
            ("protocol=https\nhost=host.example\n\n", "username=x-access-token\npassword=canary\n"),
            ("protocol=https\nhost=other.example\n\n", ""),
        ] {
            let path = path.clone();
            let answer = tokio::task::spawn_blocking(move || {
                let mut server = platform::connect(&path).unwrap();
                server.write_all(question.as_bytes()).unwrap();
                let mut answer = String::new();
                server.read_to_string(&mut answer).unwrap();
                answer
            });
            assert_eq!(answer.await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_visitor_over_loopback_needs_the_ticket() {
        let folder = tempfile::tempdir().unwrap();
        let (listener, path) = loopback::Listener::open(folder.path()).unwrap();
        let with = tokio::task::spawn_blocking({
            let path = path.clone();
            move || loopback::connect(&path)
        });
        assert!(listener.accept().await.unwrap().is_some());
        with.await.unwrap().unwrap();
        let mut text = std::fs::read(&path).unwrap();
        text[10] ^= 1;
        std::fs::write(&path, text).unwrap();
        let without = tokio::task::spawn_blocking(move || loopback::connect(&path));
        assert!(listener.accept().await.unwrap().is_none());
        without.await.unwrap().unwrap();
    }
}
