//! A sandbox with an account, a token and a repository; clients for it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use standin_sandbox::{Execute, Options, RepositorySpec, Run, Sandbox, TokenSpec};
use tempfile::TempDir;

pub const ALL_SCOPES: [&str; 3] = ["repo", "workflow", "delete_repo"];

/// An account `alice` with a token of all scopes and an empty private repository `alice/primary`.
pub struct World {
    pub sandbox: Sandbox,
    pub token: String,
    pub dir: TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let sandbox = Sandbox::start(options).await.expect("the sandbox starts");
        sandbox.create_account("alice");
        let token = sandbox.create_token("alice", TokenSpec::classic(&ALL_SCOPES));
        sandbox.create_repository("alice", "primary", RepositorySpec::default()).await.expect("the repository is made");
        let dir = TempDir::new().expect("a temporary folder");
        Self { sandbox, token, dir }
    }

    /// A REST client with alice's token.
    pub fn rest(&self) -> Rest {
        self.rest_as(&self.token)
    }

    pub fn rest_as(&self, token: &str) -> Rest {
        Rest::new(&self.sandbox.api_url(), token)
    }

    pub fn url(&self, slug: &str) -> String {
        format!("{}/{slug}.git", self.sandbox.server_url())
    }

    /// A working copy with one commit on `main`, not pushed.
    pub fn clone_with_commit(&self, name: &str) -> Work {
        let work = self.work(name, &self.token);
        work.git(&["init", "-q", "-b", "main"]);
        work.git(&["remote", "add", "origin", &self.url("alice/primary")]);
        work.commit("readme.md", "hello\n", "First");
        work
    }

    /// An empty folder where git signs in with this token.
    pub fn work(&self, name: &str, token: &str) -> Work {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(&path).expect("the folder is made");
        let token_file = self.dir.path().join(format!("{name}.token"));
        std::fs::write(&token_file, token).expect("the token is written");
        Work { path, token_file }
    }

    /// Real gh on the sandbox's socket.
    pub fn gh(&self) -> Gh {
        let config = self.dir.path().join("gh");
        self.sandbox.write_gh_config(&config).expect("gh's configuration is written");
        Gh { config, home: self.dir.path().to_owned(), token: self.token.clone() }
    }
}

/// A folder that git works in, with nothing of the user's configuration.
pub struct Work {
    pub path: PathBuf,
    token_file: PathBuf,
}

impl Work {
    pub fn command(&self, arguments: &[&str]) -> Command {
        let helper =
            format!("!f() {{ echo username=x; printf 'password='; cat '{}'; echo; }}; f", self.token_file.display());
        let mut command = Command::new("git");
        command
            .current_dir(&self.path)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.path)
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_AUTHOR_NAME", "alice")
            .env("GIT_AUTHOR_EMAIL", "alice@example.org")
            .env("GIT_COMMITTER_NAME", "alice")
            .env("GIT_COMMITTER_EMAIL", "alice@example.org")
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "credential.helper")
            .env("GIT_CONFIG_VALUE_0", helper)
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs git and expects it to work; gives standard output.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = self.try_git(arguments);
        assert!(output.status.success(), "git {arguments:?}: {}", said(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub fn try_git(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("git starts")
    }

    /// Runs git and expects it to fail; gives all it said.
    pub fn git_fails(&self, arguments: &[&str]) -> String {
        let output = self.try_git(arguments);
        assert!(!output.status.success(), "git {arguments:?} worked: {}", said(&output));
        said(&output)
    }

    pub fn write(&self, file: &str, text: &[u8]) {
        let path = self.path.join(file);
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("folder");
        std::fs::write(path, text).expect("the file is written");
    }

    pub fn commit(&self, file: &str, text: &str, message: &str) -> String {
        self.write(file, text.as_bytes());
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub fn remote_ref(&self, name: &str) -> Option<String> {
        let line = self.git(&["ls-remote", "origin", name]);
        Some(line.split('\t').next()?.to_owned()).filter(|oid| !oid.is_empty())
    }
}

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub struct Gh {
    config: PathBuf,
    home: PathBuf,
    pub token: String,
}

impl Gh {
    pub fn run(&self, arguments: &[&str]) -> String {
        self.run_with(arguments, b"")
    }

    pub fn run_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let output = self.try_run(arguments, input);
        assert!(output.status.success(), "gh {arguments:?}: {}", said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn try_run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let program = std::env::var_os("STANDIN_GH").unwrap_or_else(|| "gh".into());
        let mut child = Command::new(&program)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("GH_CONFIG_DIR", &self.config)
            .env("GH_TOKEN", &self.token)
            .env("GH_NO_UPDATE_NOTIFIER", "1")
            .args(arguments)
            .current_dir(&self.home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program:?} (set STANDIN_GH to a current gh): {error}"));
        let mut stdin = child.stdin.take().expect("it has a standard input");
        stdin.write_all(input).expect("gh reads its input");
        drop(stdin);
        child.wait_with_output().expect("gh ends")
    }
}

/// An answer, read whole.
pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

#[derive(Clone)]
pub struct Rest {
    base: String,
    token: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Rest {
    pub fn new(base: &str, token: &str) -> Self {
        Self {
            base: base.to_owned(),
            token: token.to_owned(),
            client: Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(1)).build_http(),
        }
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Result<Got, hyper_util::client::legacy::Error> {
        let mut request =
            Request::builder().method(method).uri(format!("{}{path}", self.base)).header("user-agent", "test");
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = request.body(Full::from(body)).expect("a request");
        let response = self.client.request(request).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the body arrives").to_bytes();
        Ok(Got { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    pub async fn get(&self, path: &str) -> Got {
        self.send(Method::GET, path, None, &[]).await.expect("an answer")
    }

    pub async fn put(&self, path: &str, body: Value) -> Got {
        self.send(Method::PUT, path, Some(body), &[]).await.expect("an answer")
    }

    pub async fn post(&self, path: &str, body: Value) -> Got {
        self.send(Method::POST, path, Some(body), &[]).await.expect("an answer")
    }

    pub async fn patch(&self, path: &str, body: Value) -> Got {
        self.send(Method::PATCH, path, Some(body), &[]).await.expect("an answer")
    }

    pub async fn delete(&self, path: &str) -> Got {
        self.send(Method::DELETE, path, None, &[]).await.expect("an answer")
    }
}

/// A workflow that runs on these events.
pub fn workflow(on: &str) -> String {
    format!("name: Test\non: {on}\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n      - run: 'true'\n")
}

/// A sandbox whose workflows in `alice/primary` are really carried out.
pub struct Stage {
    pub world: World,
    work: Work,
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let gh_program = std::env::var_os("STANDIN_GH").map(PathBuf::from);
        let world = World::with(Options { execute: Execute::All, gh_program, ..options }).await;
        let work = world.clone_with_commit("stage");
        work.git(&["push", "-q", "origin", "main"]);
        Self { world, work }
    }

    pub fn sandbox(&self) -> &Sandbox {
        &self.world.sandbox
    }

    pub fn work(&self) -> &Work {
        &self.work
    }

    /// Puts a workflow file on the default branch.
    pub fn put(&self, file: &str, text: &str) {
        self.work.commit(&format!(".github/workflows/{file}"), text, "Workflow");
        self.work.git(&["push", "-q", "origin", "main"]);
    }

    /// Puts a workflow that is started by hand on the default branch, starts it, and gives the run at its end.
    pub async fn run(&self, jobs: &str) -> Run {
        self.put("hand.yml", &by_hand(jobs));
        let id = self.start(&[]);
        self.ended(id).await
    }

    /// Starts `hand.yml`.
    pub fn start(&self, inputs: &[(&str, &str)]) -> u64 {
        self.sandbox().dispatch_workflow("alice", "primary", "hand.yml", inputs).expect("it starts")
    }

    /// The run, once no run is carried out any more.
    pub async fn ended(&self, id: u64) -> Run {
        self.sandbox().wait_for_runs(Duration::from_secs(60)).await.expect("the runs end");
        self.sandbox().run("alice", "primary", id).expect("there is such a run")
    }

    pub fn log(&self, id: u64) -> String {
        self.sandbox().run_log("alice", "primary", id).expect("there is such a run")
    }

    /// Waits until the log of a run has these words.
    pub async fn says(&self, id: u64, words: &str) {
        for _ in 0..2_000 {
            if self.log(id).contains(words) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{words:?} is not in the log:\n{}", self.log(id));
    }
}

/// A workflow that is started by hand, with these keys after `on:`.
pub fn by_hand(rest: &str) -> String {
    format!("name: Hand\non:\n  workflow_dispatch:\n{rest}")
}

/// One job of one step with this script.
pub fn script(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("          {line}\n")).collect();
    format!("jobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n      - shell: bash\n        run: |\n{lines}")
}
