//! Asking a page over plain HTTP as a scraper does, and a real Prometheus that does it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::cli::{Running, finish};

/// How long an answer, or the start of a program, may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was answered.
#[derive(Debug)]
pub struct Page {
    /// The status.
    pub status: u16,
    /// The head, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Says these bytes and reads what is answered; status 0 where the connection was closed without a word.
pub fn say(address: SocketAddr, bytes: &[u8]) -> Page {
    let mut stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may be answered before all of it was read.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Page { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// Asks with this method and these lines of the head.
pub fn ask(address: SocketAddr, method: &str, path: &str, lines: &[&str]) -> Page {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    say(address, format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{lines}\r\n").as_bytes())
}

/// The samples of a page: what stands before the number, and the number.
pub fn samples(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (what, number) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?} is no sample"));
            (what.to_owned(), number.parse().unwrap_or_else(|error| panic!("{line:?}: {error}")))
        })
        .collect()
}

/// The address in what a program said that shows metrics: the last one.
pub fn told_address(said: &str) -> Option<SocketAddr> {
    said.rsplit("metrics at http://").next().filter(|rest| rest.len() < said.len())?.split('/').next()?.parse().ok()
}

/// A port that nobody has at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A real Prometheus with a folder of its own; it ends with this.
pub struct Prometheus {
    address: SocketAddr,
    running: Running,
}

impl Prometheus {
    /// One that scrapes this address each second, as job `standin`, with these rules.
    pub fn start(folder: &Path, target: SocketAddr, rules: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let config = folder.join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\nrule_files: [{:?}]\n\
             scrape_configs: [{{job_name: standin, static_configs: [{{targets: [\"{target}\"]}}]}}]\n",
            rules.display().to_string()
        );
        std::fs::write(&config, text).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut command = Command::new("prometheus");
        command.env_clear().current_dir(folder).args([
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address={address}"),
        ]);
        let running = Running::start(command, &folder.join("said"), "prometheus");
        let mut prometheus = Self { address, running };
        finish("prometheus is ready", PATIENCE, || {
            assert!(!prometheus.running.has_ended(), "{}", prometheus.running.stderr());
            TcpStream::connect(address).is_ok() && ask(address, "GET", "/-/ready", &["Connection: close"]).status == 200
        });
        prometheus
    }

    /// What its API answers, which must be a success.
    pub fn api(&self, path: &str) -> Value {
        // HTTP/1.0, so that the body comes in one piece.
        let asked = format!("GET /api/v1/{path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        let page = say(self.address, asked.as_bytes());
        let answer: Value = serde_json::from_str(&page.body).unwrap_or_else(|error| panic!("{error}: {page:?}"));
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// The result of a query now: the labels and the number of each series.
    pub fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let data = self.api(&format!("query?query={}", escaped(query)));
        let series = data["result"].as_array().unwrap_or_else(|| panic!("{query}: {data}"));
        let of_one = |one: &Value| {
            let number = one["value"][1].as_str().unwrap_or_default();
            (one["metric"].clone(), number.parse().unwrap_or_else(|error| panic!("{query}: {number:?}: {error}")))
        };
        series.iter().map(of_one).collect()
    }
}

/// A text as it stands in the query of an address.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
