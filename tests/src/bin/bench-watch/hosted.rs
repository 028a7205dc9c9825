//! A source on a host: how soon a webhook has its commit at a mirror, and what looking costs there.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use standin_tests::cli::{ARCHIVE, NAME, OWNER, World, branch, refs};

use crate::Failure;
use crate::ground::Running;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// How many looks are made.
const LOOKS: u64 = 30;

/// What was measured.
pub struct Hosted {
    /// The longest that a sync waited from the webhook on.
    pub waited: Duration,
    /// How many looks were made, how many requests these were, and how many of them the host counts.
    pub looks: u64,
    pub requests: usize,
    pub counted: usize,
}

/// Measures on a sandbox, with so many pushes.
pub fn measured(standin: &Path, pushes: usize) -> Result<Hosted, Failure> {
    let world = World::new(standin.to_str().ok_or("the program's path is no text")?);
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let machine = world.machine().with("STANDIN_WEBHOOK_SECRET", SECRET).with("STANDIN_SYNC_INTERVAL", "1d");
    let machine = machine.with("STANDIN_LOOK_AT_SOURCE", "1s");
    let mut command = Command::new(&machine.program);
    command.args(["watch", "--listen", &address.to_string()]).current_dir(&machine.folder);
    command.env_clear().envs(&machine.environment).envs(machine.yes(&["watch"]));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let watch = Running::of(command.spawn()?);
    let tip = |name: &str| refs(&world.archive()).get(&branch(name)).copied();
    let in_step = |name: &str, wanted| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while tip(name) != Some(wanted) {
            if Instant::now() > deadline {
                return Err(Failure::from(format!("{name} is not at the archive after a minute")));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    };
    let first = world.commit(None, &[("news", "first")]);
    world.publish(&branch("first"), Some(first));
    in_step("first", first)?;
    std::thread::sleep(Duration::from_secs(3));
    world.sandbox.clear_requests();
    std::thread::sleep(Duration::from_secs(LOOKS));
    let looks = world.sandbox.requests();
    let counted = looks.iter().filter(|request| request.status != Some(304)).count();
    let mut waited = Duration::ZERO;
    for number in 0..pushes {
        let name = format!("push-{number}");
        let commit = world.commit(None, &[("news", &name)]);
        world.publish(&branch(&name), Some(commit));
        deliver(address, &name)?;
        let begun = Instant::now();
        in_step(&name, commit)?;
        let whole = begun.elapsed();
        std::thread::sleep(Duration::from_secs(2));
        let runs = machine.json(&["history", "--mirror", ARCHIVE, "--limit", "3"]);
        let of_push = |run: &&serde_json::Value| run["totals"]["changes"] != 0;
        let run = runs.as_array().and_then(|runs| runs.iter().find(of_push)).ok_or("there is no run")?;
        let time = |key: &str| -> Option<jiff::Timestamp> { run[key].as_str()?.parse().ok() };
        let took = time("finished_iso").zip(time("started_iso")).ok_or("it did not end")?;
        waited = waited.max(whole.saturating_sub(took.0.duration_since(took.1).unsigned_abs()));
    }
    watch.end()?;
    Ok(Hosted { waited, looks: LOOKS, requests: looks.len(), counted })
}

/// A push as GitHub tells it.
fn deliver(address: std::net::SocketAddr, name: &str) -> Result<(), Failure> {
    let body = format!(r#"{{"ref":"refs/heads/{name}","repository":{{"full_name":"{OWNER}/{NAME}"}}}}"#);
    let mut signing = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", SECRET, "-hex"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    signing.stdin.take().ok_or("openssl hears nothing")?.write_all(body.as_bytes())?;
    let signed = String::from_utf8(signing.wait_with_output()?.stdout)?;
    let signature = signed.trim().rsplit(' ').next().unwrap_or_default();
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\n\
         X-GitHub-Delivery: {name}\r\nX-Hub-Signature-256: sha256={signature}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.starts_with("HTTP/1.1 202") {
        true => Ok(()),
        false => Err(format!("the webhook was answered: {}", answer.lines().next().unwrap_or_default()).into()),
    }
}
