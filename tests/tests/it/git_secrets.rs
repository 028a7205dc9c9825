//! A canary for a token is found in no argument and no environment of any program that git starts, in no file, and
//! goes to no other host.

use std::fs;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use standin_core::Code;
use standin_core::git::{PushResult, Remote};
use standin_sandbox::{Options, RepositorySpec, Sandbox};
use standin_tests::git::{Bench, Over, Recorder, update, write_hook};

fn helper() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_credential-helper"))
}

fn set_config(repository: &Path, key: &str, value: &str) {
    let status = std::process::Command::new("git").arg("-C").arg(repository).args(["config", key, value]).status();
    assert!(status.unwrap().success());
}

/// Every file below a folder whose content holds `text`.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files_with(&entry.path(), text));
        } else if kind.is_file() {
            let content = fs::read(entry.path()).unwrap();
            if content.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(entry.path().display().to_string());
            }
        }
    }
    found
}

#[tokio::test]
async fn a_token_reaches_the_host_and_stands_nowhere_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path(), helper());
    let bench = Bench::with(Over::Http, &recorder.helper, Some(&recorder.programs)).await;
    let token = bench.options.credential.clone().unwrap().expose_secret().to_owned();
    let first = bench.commit("first", None);
    assert!(bench.push(&[update("refs/heads/main", None, Some(&first))]).await.is_done());
    // Something that is not here yet, so that there is a fetch.
    let there = git2::Repository::open_bare(&bench.there).unwrap();
    let theirs = standin_tests::git::commit(&there, "theirs", None);
    standin_tests::git::set_ref(&there, "refs/heads/theirs", &theirs);
    bench.fetch_all(&["refs/heads/"]).await.unwrap();
    bench.remote().list(&["refs/"]).await.unwrap();
    bench.remote().probe_push(&bench.cache).await.unwrap();
    // The recorder works: it saw git, what git starts, and the helper with its quoted path.
    // The list needs none of them.
    assert!(recorder.starts("/git") >= 3, "{}", recorder.recorded());
    assert!(recorder.starts("git-remote-http") >= 3, "{}", recorder.recorded());
    assert!(recorder.starts("/helper") >= 3, "{}", recorder.recorded());
    assert!(!recorder.recorded().contains(&token));
    assert!(!format!("{:?} {:?}", bench.remote(), bench.options.credential).contains(&token));
    assert_eq!(files_with(bench.folder.path(), &token), Vec::<String>::new());
    bench.stop().await;
}

#[tokio::test]
async fn children_see_no_git_variables_of_ours_and_no_configuration_of_the_user() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path(), helper());
    let bench = Bench::with(Over::Path, helper(), Some(&recorder.programs)).await;
    let elsewhere = bench.folder.path().join("elsewhere.git");
    standin_tests::git::bare(&elsewhere);
    let hook = bench.folder.path().join("hooks");
    fs::create_dir(&hook).unwrap();
    fs::write(
        bench.folder.path().join("home/.gitconfig"),
        format!(
            "[url \"{}\"]\n\tinsteadOf = {}\n[core]\n\thooksPath = {}\n[credential]\n\thelper = store\n",
            elsewhere.display(),
            bench.there.display(),
            hook.display()
        ),
    )
    .unwrap();
    let first = bench.commit("first", None);
    assert!(bench.push(&[update("refs/heads/main", None, Some(&first))]).await.is_done());
    assert_eq!(bench.there().len(), 1, "the push went where it was meant to");
    assert!(standin_tests::git::refs(&elsewhere).is_empty());
    let recorded = recorder.recorded();
    assert!(recorded.contains("GIT_TERMINAL_PROMPT=0") && recorded.contains("LC_ALL=C"));
    assert!(!recorded.contains("GIT_DIR=/nowhere") && !recorded.contains("GIT_SSH_COMMAND=false"), "{recorded}");
    bench.stop().await;
}

#[tokio::test]
async fn proxies_and_certificates_of_the_user_are_kept_without_showing_their_passwords() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path(), helper());
    let mut bench = Bench::with(Over::Http, helper(), Some(&recorder.programs)).await;
    // A proxy where nobody listens: a call that goes there fails.
    fs::write(bench.folder.path().join("home/.gitconfig"), "[http]\n\tproxy = http://me:hunter2@127.0.0.1:9\n")
        .unwrap();
    let environment = [
        ("PATH".to_owned(), format!("{}:{}", recorder.programs.display(), std::env::var("PATH").unwrap())),
        ("HOME".to_owned(), bench.folder.path().join("home").display().to_string()),
    ];
    bench.git = standin_core::git::GitProgram::find(&environment.into(), helper()).await.unwrap();
    let error = bench.remote().list(&["refs/"]).await.unwrap_err();
    assert_eq!(error.code, Code::Network, "{error:?}");
    assert!(!recorder.recorded().contains("hunter2"), "{}", recorder.recorded());
    bench.stop().await;
}

#[tokio::test]
async fn a_host_that_redirects_or_asks_for_another_gets_no_token() {
    let bench = Bench::new(Over::Http, helper()).await;
    let token = bench.options.credential.clone();
    let other = Sandbox::start(Options::default()).await.unwrap();
    other.create_account("backup");
    other.create_repository("backup", "there", RepositorySpec::default()).await.unwrap();
    // A server that sends everybody on to the other one.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = other.server_url();
    let heard = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let hearing = std::sync::Arc::clone(&heard);
    let redirecting = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 8192];
            let read = stream.read(&mut buffer).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
            let path = request.split_whitespace().nth(1).unwrap_or("/").to_owned();
            hearing.lock().unwrap().push_str(&request);
            let answer = format!(
                "HTTP/1.1 302 Found\r\nLocation: {target}{path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let mut options = bench.options.clone();
    options.credential = token;
    let url = format!("http://127.0.0.1:{port}/backup/there.git");
    let error = Remote::new(&bench.git, &url, options).unwrap().list(&["refs/"]).await.unwrap_err();
    assert_eq!(error.code, Code::RepositoryNotFound, "{error:?}");
    assert!(heard.lock().unwrap().contains("GET /backup/there.git/info/refs"));
    assert!(other.requests().is_empty(), "{:?}", other.requests());
    redirecting.abort();
    other.stop().await;
    bench.stop().await;
}

#[tokio::test]
async fn a_host_that_repeats_the_token_in_any_form_does_not_make_us_show_it() {
    use base64::Engine as _;
    let mut bench = Bench::new(Over::Path, helper()).await;
    let token = "ghp_CANARYcanary0123456789";
    bench.options.credential = Some(SecretString::from(token));
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
    // A reason of the host's own stands in git's porcelain answer on standard output.
    let said = format!("ng refs/heads/main {token} {basic}\n");
    let lines = format!(
        "echo {token} {basic} >&2\nprintf '000eversion=1\\n0000%04x{}\\n0000' {}\ncat > /dev/null",
        said.trim_end(),
        said.len() + 4
    );
    write_hook(&bench.there, "proc-receive", &lines);
    set_config(&bench.there, "receive.procReceiveRefs", "refs/heads");
    let first = bench.commit("first", None);
    let report = bench.push(&[update("refs/heads/main", None, Some(&first))]).await;
    let shown = format!("{report:?}");
    assert!(matches!(report.results.values().next(), Some(PushResult::Refused { .. })), "{shown}");
    assert!(shown.matches("***").count() >= 4, "{shown}");
    assert!(!shown.contains(token) && !shown.contains(&basic[24..basic.len() - 4]), "{shown}");
    bench.stop().await;
}

#[tokio::test]
async fn a_token_with_a_line_break_is_never_sent() {
    let mut bench = Bench::new(Over::Http, helper()).await;
    bench.options.credential = Some(SecretString::from("one\nhost=evil".to_owned()));
    let error = bench.remote().list(&["refs/"]).await.unwrap_err();
    assert_eq!(error.code, Code::Unauthorized, "{error:?}");
    bench.stop().await;
}
