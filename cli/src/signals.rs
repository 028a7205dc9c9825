//! Being asked to stop: Ctrl-C, and SIGTERM as cron, systemd and containers send it.

use std::io;

use standin_core::{Code, Error, Result};

/// Waits until somebody asks this program to stop.
///
/// # Errors
/// What the operating system says when it does not let us hear of it.
#[cfg(unix)]
pub async fn stop_asked() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// Waits until somebody asks this program to stop.
///
/// # Errors
/// What the operating system says when it does not let us hear of it.
#[cfg(not(unix))]
pub async fn stop_asked() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Waits until somebody asks that the configuration is read again (SIGHUP).
///
/// # Errors
/// What the operating system says when it does not let us hear of it.
#[cfg(unix)]
pub async fn reload_asked() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::hangup())?.recv().await;
    Ok(())
}

/// Waits for ever: this system has no such signal.
///
/// # Errors
/// Never here.
#[cfg(not(unix))]
pub async fn reload_asked() -> io::Result<()> {
    std::future::pending().await
}

/// Does this work to its end, or until somebody asks this program to stop: then it is dropped where it stands, with the
/// programs that it runs and its temporary folders. For what may be dropped at any moment.
///
/// # Errors
/// Those of the work; [`Code::Cancelled`].
pub async fn unless_stopped<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        result = work => result,
        Ok(()) = stop_asked() => Err(Error::new(
            Code::Cancelled,
            "stopped before it was through",
            "Run it again when you like; what was begun on a mirror is put in order by the next sync.",
        )),
    }
}
