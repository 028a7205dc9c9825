//! JGit as a server: what Gerrit and its kin are made of. Debian's package `libjgit-java` brings it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The libraries that it is made of.
const JARS: [&str; 3] =
    ["/usr/share/java/org.eclipse.jgit.jar", "/usr/share/java/slf4j-api.jar", "/usr/share/java/javaewah.jar"];

/// A JGit that serves the repositories of a folder. It ends when this is dropped.
pub struct JGit {
    child: Child,
    port: u16,
}

impl JGit {
    /// Serves the bare repositories in `folder`. Refs with "refused" in their names are refused.
    pub fn serve(folder: &Path) -> Self {
        let mut child = Command::new("java")
            .args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", &JARS.join(":")])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/jgit/Server.java"))
            .arg(folder)
            .env("HOME", folder)
            .env("XDG_CONFIG_HOME", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("java, which `cargo xtask setup` installs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("JGit's port: is libjgit-java installed?");
        Self { child, port }
    }

    /// The address of a repository in the folder.
    pub fn url(&self, name: &str) -> String {
        format!("git://127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for JGit {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
