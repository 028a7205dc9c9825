//! One window for a state folder: whoever is started second shows the first one's window, and ends.
//!
//! A lock says that somebody is there; a socket beside it hears what is wished. Who has the lock and does not answer is not
//! waited for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use standin_core::Result;
use standin_core::state::lock::{MirrorLock, Refusal};
use standin_core::state::model::MirrorId;

/// How long the first may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What came of being started.
pub enum Started {
    /// Nobody else is there; as long as this is kept.
    First(First),
    /// The window of somebody else is shown.
    Shown,
    /// Somebody else is there and does not answer: who.
    Silent(String),
}

/// Keeps others from being the first.
pub struct First {
    _lock: MirrorLock,
    socket: PathBuf,
}

/// Is the first for this state folder, or has the first show its window.
///
/// # Errors
/// [`standin_core::Code::Storage`] where the folder cannot be used.
pub async fn start(state_dir: &Path, holder: &str) -> Result<Started> {
    let socket = socket(state_dir);
    match MirrorLock::try_acquire(state_dir, &lock_name(), holder) {
        Ok(lock) => Ok(Started::First(First { _lock: lock, socket })),
        Err(Refusal::Held { holder: who }) => Ok(match tokio::time::timeout(PATIENCE, door::ask(&socket)).await {
            Ok(Ok(())) => Started::Shown,
            Ok(Err(_)) | Err(_) => Started::Silent(who),
        }),
        Err(Refusal::Failed(error)) => Err(error),
    }
}

impl First {
    /// Calls `show` whenever somebody asks for the window, until the program ends.
    pub async fn listen(&self, show: impl Fn() + Send) {
        if let Err(error) = door::answer(&self.socket, show).await {
            tracing::warn!(%error, "a second start cannot be heard");
        }
    }
}

fn lock_name() -> MirrorId {
    "desktop".parse().unwrap_or_else(|_| unreachable!("it is an id"))
}

fn socket(state_dir: &Path) -> PathBuf {
    state_dir.join("locks").join("desktop.socket")
}

#[cfg(unix)]
mod door {
    use std::io;
    use std::path::Path;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{UnixListener, UnixStream};

    /// What is asked.
    const ASKED: [u8; 5] = *b"show\n";
    /// What is said back.
    const SHOWN: u8 = b'!';

    /// Asks for the window.
    pub async fn ask(path: &Path) -> io::Result<()> {
        let mut stream = UnixStream::connect(path).await?;
        stream.write_all(&ASKED).await?;
        match stream.read_u8().await? {
            SHOWN => Ok(()),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Answers whoever asks. The folder is the user's alone, and so is what lies in it.
    pub async fn answer(path: &Path, show: impl Fn() + Send) -> io::Result<()> {
        // What a killed one left.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { continue };
            // What was sent is read, or the other end would hear of a broken line instead of the answer.
            let mut asked = [0; ASKED.len()];
            let read = tokio::time::timeout(super::PATIENCE, stream.read_exact(&mut asked)).await;
            if !matches!(read, Ok(Ok(_))) || asked != ASKED {
                continue;
            }
            show();
            // Who is gone by now has no need of an answer.
            let _ = stream.write_u8(SHOWN).await;
        }
    }
}

#[cfg(windows)]
mod door {
    use std::io;
    use std::path::Path;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::windows::named_pipe::{ClientOptions, ServerOptions};

    /// What is asked.
    const ASKED: [u8; 5] = *b"show\n";
    /// What is said back.
    const SHOWN: u8 = b'!';

    /// A pipe's name, out of the path: these have a place of their own.
    fn name(path: &Path) -> String {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        format!(r"\\.\pipe\standin{}", path.to_string_lossy().chars().map(plain).collect::<String>())
    }

    /// Asks for the window.
    pub async fn ask(path: &Path) -> io::Result<()> {
        let mut pipe = ClientOptions::new().open(name(path))?;
        pipe.write_all(&ASKED).await?;
        match pipe.read_u8().await? {
            SHOWN => Ok(()),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Answers whoever asks.
    pub async fn answer(path: &Path, show: impl Fn() + Send) -> io::Result<()> {
        loop {
            let mut pipe = ServerOptions::new().reject_remote_clients(true).create(name(path))?;
            pipe.connect().await?;
            let mut asked = [0; ASKED.len()];
            let read = tokio::time::timeout(super::PATIENCE, pipe.read_exact(&mut asked)).await;
            if !matches!(read, Ok(Ok(_))) || asked != ASKED {
                continue;
            }
            show();
            // Who is gone by now has no need of an answer.
            let _ = pipe.write_u8(SHOWN).await;
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn runs<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn the_second_shows_the_first_and_whoever_comes_after_it_ended_is_the_first() {
        let folder = tempfile::tempdir().unwrap();
        runs(async {
            let Ok(Started::First(first)) = start(folder.path(), "one").await else { panic!("nobody else is there") };
            let shown = Arc::new(AtomicUsize::new(0));
            let counts = shown.clone();
            let listening = async {
                first.listen(move || _ = counts.fetch_add(1, Ordering::Relaxed)).await;
            };
            let others = async {
                // The first begins to listen a moment after it was there.
                while !matches!(start(folder.path(), "two").await.unwrap(), Started::Shown) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                assert!(matches!(start(folder.path(), "two").await.unwrap(), Started::Shown));
            };
            tokio::select! { () = listening => panic!("it listens to the end"), () = others => {} }
            assert_eq!(shown.load(Ordering::Relaxed), 2);
        });
        // A socket is left, and nobody listens.
        assert!(socket(folder.path()).exists());
        assert!(matches!(runs(start(folder.path(), "three")).unwrap(), Started::First(_)));
    }

    #[test]
    fn one_that_does_not_answer_is_named_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        runs(async {
            let Ok(Started::First(_first)) = start(folder.path(), "ann, pid 7").await else { panic!() };
            let Ok(Started::Silent(who)) = start(folder.path(), "two").await else { panic!("nobody listens") };
            assert!(who.contains("ann, pid 7"), "{who}");
            // One that was stopped takes what is sent and says nothing.
            let _stopped = tokio::net::UnixListener::bind(socket(folder.path())).unwrap();
            assert!(matches!(start(folder.path(), "two").await, Ok(Started::Silent(_))));
        });
    }
}
