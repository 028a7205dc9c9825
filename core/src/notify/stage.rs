//! What tests of word have: a machine with a keychain in memory and a clock that is set, and servers on this machine that
//! answer as they are told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use standin_state::config::{self, Consents, LoadRequest, Notify, NotifyTarget};
use standin_state::store::Store;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Result;
use crate::gh::TokioGh;
use crate::outside::{Clock, Keychain, Outside, Silent};

/// What must be found nowhere.
pub(crate) const CANARY: &str = "CANARY-0123456789-canary";

/// A keychain in memory.
#[derive(Default)]
pub(crate) struct InMemory(Mutex<BTreeMap<String, SecretString>>);

#[async_trait]
impl Keychain for InMemory {
    async fn get(&self, account: &str) -> Result<Option<SecretString>> {
        Ok(self.0.lock().unwrap().get(account).cloned())
    }

    async fn set(&self, account: &str, value: &SecretString) -> Result<()> {
        self.0.lock().unwrap().insert(account.to_owned(), value.clone());
        Ok(())
    }

    async fn remove(&self, account: &str) -> Result<bool> {
        Ok(self.0.lock().unwrap().remove(account).is_some())
    }
}

/// A clock that goes when it is told to.
pub(crate) struct At(Mutex<Timestamp>);

impl At {
    pub(crate) fn pass(&self, minutes: i64) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(jiff::SignedDuration::from_mins(minutes)).unwrap();
    }
}

impl Clock for At {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A machine with a state folder, a keychain and a home of its own.
pub(crate) struct Machine {
    folder: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) outside: Outside,
    pub(crate) clock: Arc<At>,
}

impl Machine {
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        std::fs::create_dir(&home).unwrap();
        let mut environment: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        environment.insert("PATH".to_owned(), std::env::var("PATH").unwrap());
        environment.insert("HOME".to_owned(), home.display().to_string());
        let environment = Arc::new(environment);
        let clock = Arc::new(At(Mutex::new(Timestamp::now())));
        let outside = Outside {
            gh: Arc::new(TokioGh::new(environment.clone())),
            keychain: Arc::new(InMemory::default()),
            progress: Arc::new(Silent),
            clock: clock.clone(),
            credential_helper: "/nonexistent".into(),
            environment,
        };
        Self { store: Store::open(&folder.path().join("state")).unwrap(), outside, clock, folder }
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// What this `standin.toml` says.
    pub(crate) fn configured(&self, text: &str) -> Notify {
        std::fs::write(self.path("standin.toml"), text).unwrap();
        config::load(&self.load(), &Consents::new()).unwrap().config.notify
    }

    /// Where the configuration is read from: variables of mirrors have no say in it.
    pub(crate) fn load(&self) -> LoadRequest {
        let ours = self.outside.environment.iter().filter(|(name, _)| !name.starts_with("MIRROR_"));
        LoadRequest {
            environment: ours.map(|(name, value)| (name.clone(), value.clone())).collect(),
            current_dir: self.path("home"),
            default_config_dir: self.folder.path().to_owned(),
            ..LoadRequest::default()
        }
    }

    pub(crate) fn target(&self, text: &str) -> NotifyTarget {
        self.configured(&format!("[[notify]]\n{text}")).targets.remove(0)
    }

    /// A program that does this.
    pub(crate) fn script(&self, lines: &str) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path("told");
        std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path.display().to_string()
    }
}

/// A server on this machine that gives these answers, one a request, the last for ever; an empty one hangs.
pub(crate) struct Server {
    pub(crate) origin: String,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn answering(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (heard, answers): (_, Vec<String>) =
            (asked.clone(), answers.iter().map(|text| (*text).to_owned()).collect());
        let task = tokio::spawn(async move {
            let mut hanging = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = request(&mut stream).await;
                let count = {
                    let mut heard = heard.lock().unwrap();
                    heard.push(request);
                    heard.len()
                };
                match answers[count.min(answers.len()) - 1].as_str() {
                    "" => hanging.push(stream),
                    answer => {
                        let text = format!("HTTP/1.1 {answer}\r\nconnection: close\r\n\r\n");
                        let text = if answer.contains("\r\n\r\n") { format!("HTTP/1.1 {answer}") } else { text };
                        stream.write_all(text.as_bytes()).await.unwrap();
                    }
                }
            }
        });
        Self { origin, asked, task }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A whole request as text.
async fn request(stream: &mut tokio::net::TcpStream) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let length = text.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
        if count == 0 || body.is_some_and(|body| body >= length.unwrap_or(0)) {
            return text;
        }
    }
}
