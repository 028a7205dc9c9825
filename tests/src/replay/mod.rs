//! Git hosts of many kinds, played on loopback before a real bare repository: their rules, their words, their half-truths.
//!
//! A [`Host`] is a table: whether it moves refs all or none, what it says of refs that another one sinks, which refs it
//! refuses and how, and what goes wrong for how long. [`presets`] has the hosts that are known by name, and their words.
//! [`Replay`] serves one repository by such a table over smart HTTP and, through a real sshd, over ssh, and keeps a record of
//! every push. Objects and refs are real; fetches are served by git's own `upload-pack`.
//!
//! `protocol.rs` what is on the wire · `host.rs` the table, and what it makes of a push · `presets.rs`, `words/` hosts and
//! their words · `receive.rs` taking a push in · `http.rs`, `ssh.rs` the two ways · `records.rs` what was pushed.

mod host;
mod http;
pub mod presets;
mod protocol;
mod receive;
mod records;
mod ssh;
pub mod words;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use tempfile::TempDir;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

pub use host::{Family, Front, Host, Mishap, RaceWords, Rule, Trouble};
pub use records::{Asked, PushRecord};
pub use ssh::act_as_shell;

use crate::git::Sshd;

/// What all connections share.
struct Shared {
    repository: PathBuf,
    host: Mutex<Host>,
    pushes: Mutex<Vec<PushRecord>>,
}

impl Shared {
    fn host(&self) -> MutexGuard<'_, Host> {
        self.host.lock().unwrap()
    }
}

/// A host that serves one repository; stopped when dropped.
pub struct Replay {
    shared: Arc<Shared>,
    port: u16,
    socket: PathBuf,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
    folder: TempDir,
}

impl Replay {
    /// Serves the bare repository at `path` as this host would.
    pub fn start(path: &Path, host: Host) -> Self {
        let folder = tempfile::Builder::new().prefix("standin-replay-").tempdir().unwrap();
        let socket = folder.path().join("socket");
        let shared = Arc::new(Shared { repository: path.to_owned(), host: Mutex::new(host), pushes: Mutex::default() });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let doors = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = CancellationToken::new();
        let (serving, ending) = (Arc::clone(&shared), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                listener.set_nonblocking(true).unwrap();
                doors.set_nonblocking(true).unwrap();
                let listener = TcpListener::from_std(listener).unwrap();
                let doors = UnixListener::from_std(doors).unwrap();
                tokio::select! {
                    () = ending.cancelled() => {}
                    () = http::serve(&serving, &listener) => {}
                    () = ssh::serve(&serving, &doors) => {}
                }
            });
        });
        Self { shared, port, socket, stop, thread: Some(thread), folder }
    }

    /// The address of the repository over HTTP.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/owner/mirror.git", self.port)
    }

    /// A real sshd before the same host, and the address of the repository there. `shell` is the program that answers
    /// instead of a shell; see [`act_as_shell`].
    pub fn over_ssh(&self, shell: &Path) -> (Sshd, String) {
        let command = format!("{} {}", shell.display(), self.socket.display());
        let sshd = Sshd::start_with(&self.folder.path().join("sshd"), Some(&command));
        let url = sshd.url(Path::new("/owner/mirror.git"));
        (sshd, url)
    }

    /// The table, to be looked at and changed.
    pub fn host(&self) -> MutexGuard<'_, Host> {
        self.shared.host()
    }

    /// All pushes so far, oldest first: those that came as far as a list of refs.
    pub fn pushes(&self) -> Vec<PushRecord> {
        self.shared.pushes.lock().unwrap().clone()
    }

    /// Forgets the pushes so far.
    pub fn forget(&self) {
        self.shared.pushes.lock().unwrap().clear();
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the host fell over");
        }
    }
}
