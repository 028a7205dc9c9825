//! Starting, addressing and stopping a sandbox.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;

use crate::actions::{self, Actions};
use crate::git;
use crate::options::{Options, SandboxError};
use crate::server;
use crate::shared::Shared;
use crate::world;

/// Longest path of a socket that every Unix takes.
const SOCKET_PATH_MAX: usize = 100;
/// How long git children are waited for at the end before they are killed.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A running GitHub on localhost. Clones are handles of the same one; it ends with [`Sandbox::stop`] or when the last
/// handle is dropped, and then no process and no file of it is left (but what is in `Options::data_dir`).
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    socket: PathBuf,
    control_url: String,
    control_key: Arc<str>,
    running: Mutex<Option<Running>>,
}

/// What exists only until the end. It has a runtime of its own, so that tests may block their threads.
struct Running {
    runtime: Runtime,
    _folder: TempDir,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Sandbox")
            .field("api_url", &self.inner.shared.root_url)
            .field("gh_socket", &self.inner.socket)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts a sandbox on 127.0.0.1 and on a Unix socket of its own.
    ///
    /// # Errors
    /// When a folder, port or socket cannot be had, or git has no `http-backend`.
    pub async fn start(options: Options) -> Result<Self, SandboxError> {
        // All of it is quick, but for a process; the caller's runtime is spared even that.
        tokio::task::spawn_blocking(move || Self::start_blocking(options)).await.map_err(|_| SandboxError::Stopped)?
    }

    /// As [`Sandbox::start`], for those without a runtime.
    ///
    /// # Errors
    /// As there.
    pub fn start_blocking(options: Options) -> Result<Self, SandboxError> {
        let prepare = |what: &str| {
            let what = what.to_owned();
            move |source| SandboxError::Prepare { what, source }
        };
        let folder = temporary_folder().map_err(prepare("the temporary folder"))?;
        let repositories_dir = match &options.data_dir {
            Some(dir) => kept_folder(dir).map_err(prepare("the data folder"))?,
            None => folder.path().join("repositories"),
        };
        let pushes_dir = folder.path().join("pushes");
        let runs_dir = folder.path().join("runs");
        for dir in [&repositories_dir, &pushes_dir, &runs_dir] {
            std::fs::create_dir_all(dir).map_err(prepare("a data folder"))?;
        }
        git::write_hooks(&pushes_dir).map_err(prepare("the hooks"))?;
        let backend = git::find_backend(&options.git_program).map_err(prepare("git http-backend"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sandbox")
            .enable_all()
            .build()
            .map_err(prepare("the server's threads"))?;
        let socket = folder.path().join("gh.sock");
        let _entered = runtime.enter();
        let listener = listen().map_err(prepare("the port"))?;
        let control = listen().map_err(prepare("the control port"))?;
        let unix = UnixListener::bind(&socket).map_err(prepare("the socket for gh"))?;
        let programs = match &options.gh_program {
            Some(program) => {
                let dir = folder.path().join("programs");
                actions::offer_gh(&dir, program).map_err(prepare("gh for the steps of workflows"))?;
                Some(dir)
            }
            None => None,
        };
        let actions = Actions::new(runs_dir, programs, socket.clone(), runtime.handle().clone());
        let url = |listener: &TcpListener| listener.local_addr().map(|address| format!("http://{address}"));
        let root_url = url(&listener).map_err(prepare("the port"))?;
        let control_url = url(&control).map_err(prepare("the control port"))? + "/_sandbox";
        let shared = Shared::new(options, root_url, repositories_dir, pushes_dir, backend, actions);
        let control_key: Arc<str> = world::random_text(40).into();
        runtime.spawn(server::serve_tcp(Arc::clone(&shared), listener));
        runtime.spawn(server::serve_unix(Arc::clone(&shared), unix));
        runtime.spawn(server::serve_control(Arc::clone(&shared), control, Arc::clone(&control_key)));
        drop(_entered);
        Ok(Self {
            inner: Arc::new(Inner {
                shared,
                socket,
                control_url,
                control_key,
                running: Mutex::new(Some(Running { runtime, _folder: folder })),
            }),
        })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    /// Base of REST URLs, `http://127.0.0.1:PORT`; paths are those of api.github.com. `/api/v3` before them is
    /// understood too.
    pub fn api_url(&self) -> String {
        self.inner.shared.root_url.clone()
    }

    /// Base of git URLs: `{server_url}/{owner}/{name}.git`.
    pub fn server_url(&self) -> String {
        self.inner.shared.server_url()
    }

    /// The Unix socket where gh finds `api.github.com` in plain HTTP.
    pub fn gh_socket(&self) -> &Path {
        &self.inner.socket
    }

    /// Address of the control interface.
    pub fn control_url(&self) -> String {
        self.inner.control_url.clone()
    }

    /// Key of the control interface; a new one for each sandbox.
    pub fn control_key(&self) -> &str {
        &self.inner.control_key
    }

    /// Writes the `config.yml` that makes gh use the socket, into the folder that `GH_CONFIG_DIR` names.
    ///
    /// # Errors
    /// The operating system's, when the folder or the file cannot be written.
    pub fn write_gh_config(&self, dir: &Path) -> io::Result<()> {
        std::fs::create_dir_all(dir)?;
        std::fs::write(dir.join("config.yml"), actions::gh_config(&self.inner.socket))
    }

    /// Ends the sandbox for all its handles: connections are closed, git children end.
    pub async fn stop(self) {
        let running = self.inner.take_running();
        let shared = Arc::clone(&self.inner.shared);
        // The runtime must not be dropped where others wait.
        drop(tokio::task::spawn_blocking(move || end(&shared, running)).await);
    }
}

impl Inner {
    fn take_running(&self) -> Option<Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let running = self.take_running();
        if running.is_none() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        // A thread of its own, as this may be dropped inside somebody's runtime.
        let ending = std::thread::spawn(move || end(&shared, running));
        if ending.join().is_err() {
            tracing::error!("the sandbox could not end in order");
        }
    }
}

fn end(shared: &Shared, running: Option<Running>) {
    let Some(running) = running else {
        return;
    };
    shared.shutdown.cancel();
    shared.tasks.close();
    running.runtime.block_on(async {
        let ended = tokio::time::timeout(STOP_PATIENCE, shared.tasks.wait()).await;
        if ended.is_err() {
            tracing::warn!("some requests did not end in time");
        }
    });
    running.runtime.shutdown_timeout(STOP_PATIENCE);
}

fn listen() -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// A new folder in this one that stays at the end. Each start has its own: what earlier ones left is nobody's.
fn kept_folder(dir: &Path) -> io::Result<PathBuf> {
    std::fs::create_dir_all(dir)?;
    let folder = tempfile::Builder::new().prefix("repositories-").tempdir_in(dir)?;
    Ok(folder.keep())
}

/// A folder that others cannot enter, with a path short enough for a socket in it.
fn temporary_folder() -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("sandbox-").tempdir()?;
    if folder.path().as_os_str().len() + "/gh.sock".len() <= SOCKET_PATH_MAX {
        return Ok(folder);
    }
    tempfile::Builder::new().prefix("sandbox-").tempdir_in("/tmp")
}
