//! What sees whatever leaves this machine, runs on it or is asked of the keychain.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A stranger's host, a bus with a keychain behind it, and programs that write down that they were started.
pub struct Witness {
    /// `http://127.0.0.1:PORT`: a host of the stranger's.
    pub host: String,
    /// Where the session's bus would be.
    pub bus: String,
    /// To be put first on PATH.
    pub programs: PathBuf,
    started: PathBuf,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Witness {
    pub fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("http://{}", listener.local_addr().unwrap());
        let hears = heard.clone();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
                let mut bytes = [0; 8192];
                let count = stream.read(&mut bytes).unwrap_or(0);
                hears.lock().unwrap().push(String::from_utf8_lossy(&bytes[..count]).into_owned());
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        let bus = folder.join("bus");
        let listener = UnixListener::bind(&bus).unwrap();
        let hears = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                drop(stream);
                hears.lock().unwrap().push("the keychain was asked".to_owned());
            }
        });
        let (programs, started) = (folder.join("programs"), folder.join("started"));
        fs::create_dir(&programs).unwrap();
        for name in ["git", "gh", "ssh"] {
            // Found now: git puts a folder of its own before all others on PATH.
            let path = std::env::var_os("PATH").unwrap();
            let mut found = std::env::split_paths(&path).map(|folder| folder.join(name));
            let real = match std::env::var("STANDIN_GH") {
                Ok(gh) if name == "gh" => PathBuf::from(gh),
                _ => found.find(|path| path.is_file()).unwrap_or_default(),
            };
            let real = real.display();
            let text = format!("#!/bin/sh\necho {name} \"$@\" >> '{}'\nexec '{real}' \"$@\"\n", started.display());
            fs::write(programs.join(name), text).unwrap();
            fs::set_permissions(programs.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { host, bus: format!("unix:path={}", bus.display()), programs, started, heard }
    }

    /// Everything that was seen since the last time.
    pub fn seen(&self) -> Vec<String> {
        let mut seen = std::mem::take(&mut *self.heard.lock().unwrap());
        if let Ok(text) = fs::read_to_string(&self.started) {
            seen.extend(text.lines().map(|line| format!("ran {line}")));
            fs::remove_file(&self.started).unwrap();
        }
        seen
    }
}
