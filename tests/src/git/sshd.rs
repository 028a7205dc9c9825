//! A real sshd on a loopback port, with keys of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The server; stopped when dropped.
pub struct Sshd {
    child: Child,
    folder: PathBuf,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// The key that it lets in.
    pub user_key: PathBuf,
    user: String,
    /// What it starts instead of a shell.
    command: Option<String>,
}

fn make_key(path: &Path) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .status()
        .expect("ssh-keygen");
    assert!(made.success());
}

impl Sshd {
    /// Starts it, with its files in `folder`.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, None)
    }

    /// The same; every client gets this command instead of a shell.
    pub fn start_with(folder: &Path, command: Option<&str>) -> Self {
        fs::create_dir_all(folder).unwrap();
        let (host_key, user_key) = (folder.join("host_key"), folder.join("user key"));
        make_key(&host_key);
        make_key(&user_key);
        fs::copy(folder.join("user key.pub"), folder.join("authorized_keys")).unwrap();
        // sshd wants its empty folder when it runs as root; elsewhere it is not needed.
        let _ = fs::create_dir_all("/run/sshd");
        let name = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(name).unwrap().trim().to_owned();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Self::spawn(folder, port, command);
        let command = command.map(str::to_owned);
        Self { child, folder: folder.to_owned(), port, user_key, user, command }
    }

    fn spawn(folder: &Path, port: u16, command: Option<&str>) -> Child {
        let mut configuration = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host_key\nAuthorizedKeysFile {0}/authorized_keys\n\
             PidFile {0}/pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n\
             KbdInteractiveAuthentication no\nLogLevel ERROR\n",
            folder.display()
        );
        configuration.extend(command.map(|command| format!("ForceCommand {command}\n")));
        let file = folder.join("sshd_config");
        fs::write(&file, configuration).unwrap();
        let program = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].into_iter().find(|path| Path::new(path).exists());
        let mut child = Command::new(program.expect("sshd is installed"))
            .args(["-D", "-e", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = child.try_wait().unwrap();
            let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < deadline, "sshd did not start: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    }

    /// The address of a repository in the folder `path`.
    pub fn url(&self, path: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", self.user, self.port, path.display())
    }

    /// Its public key.
    pub fn host_key(&self) -> PathBuf {
        self.folder.join("host_key.pub")
    }

    /// The line that makes the host known.
    pub fn known_hosts_line(&self) -> String {
        let key = fs::read_to_string(self.folder.join("host_key.pub")).unwrap();
        let mut fields = key.split_whitespace();
        let (kind, key) = (fields.next().unwrap(), fields.next().unwrap());
        format!("[127.0.0.1]:{} {kind} {key}\n", self.port)
    }

    /// Starts it again with another host key, as if somebody else sat there.
    pub fn change_host_key(&mut self) {
        self.stop();
        fs::remove_file(self.folder.join("host_key")).unwrap();
        make_key(&self.folder.join("host_key"));
        self.child = Self::spawn(&self.folder, self.port, self.command.as_deref());
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}
