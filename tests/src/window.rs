//! The real window on a screen that nobody sees, steered over the WebDriver protocol.
//!
//! Each window has an Xvfb, a message bus and a WebKitWebDriver of its own, all ended with it. The bus knows no services,
//! so that there is no keychain and nothing of the user's session is met.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::cli::{Machine, Running, finish};
use crate::reader::Reader;
use crate::screen;

/// How long something in the window may take to show.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long one request to the driver may take.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// Light or dark, as the desktop says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Its name in file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A window that is open.
pub struct Window {
    session: String,
    address: String,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    // In the order in which they are ended.
    driver: Running,
    display: String,
    _bus: Running,
    _screen: Running,
}

/// The desktop program: `STANDIN_DESKTOP_BIN`, else the one beside the tests.
pub fn program() -> PathBuf {
    let beside = || std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("standin-desktop");
    let program = std::env::var_os("STANDIN_DESKTOP_BIN").map_or_else(beside, PathBuf::from);
    assert!(
        program.is_file(),
        "{} is missing: build it with `npm --prefix ui run build` and `cargo build -p standin-desktop`",
        program.display()
    );
    program
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn first_line(running: &Running, what: &str) -> String {
    finish(what, PATIENCE, || running.stdout().contains('\n'));
    running.stdout().lines().next().unwrap_or_default().to_owned()
}

impl Window {
    /// Opens the window on a machine, with these arguments.
    pub fn open(machine: &Machine, arguments: &[&str], theme: Theme) -> Self {
        Self::open_before(machine, arguments, theme, None::<fn(&str)>)
    }

    /// The same with a screen reader, which is there before it.
    pub fn open_and_hear(machine: &Machine, arguments: &[&str], theme: Theme) -> (Self, Reader) {
        let mut reader = None;
        let listen = |bus: &str| reader = Some(Reader::start(bus, &machine.said));
        let window = Self::open_before(machine, arguments, theme, Some(listen));
        (window, reader.unwrap())
    }

    /// Opens it when somebody is on the bus who listens, where one is to be.
    fn open_before(machine: &Machine, arguments: &[&str], theme: Theme, listen: Option<impl FnOnce(&str)>) -> Self {
        let folder = tempfile::Builder::new().prefix("bus-").tempdir_in(&machine.environment["TMPDIR"]).unwrap().keep();
        let mut screen = Command::new("Xvfb");
        screen.args(["-displayfd", "1", "-screen", "0", "1920x1200x24", "-nolisten", "tcp"]);
        let screen = Running::start(screen, &machine.said, "Xvfb");
        let display = format!(":{}", first_line(&screen, "a display"));
        let bus = start_bus(&folder, &machine.said);
        let bus_address = first_line(&bus, "a message bus");
        let is_heard = listen.is_some();
        if let Some(listen) = listen {
            listen(&bus_address);
        }
        let port = free_port();
        let mut driver = Command::new("WebKitWebDriver");
        driver
            .arg(format!("--port={port}"))
            .env_clear()
            // What a test does is done by it alone, unless it says otherwise.
            .env("STANDIN_SCHEDULE", "false")
            .envs(&machine.environment)
            .envs(machine.yes(arguments))
            .current_dir(&machine.folder)
            .envs([
                ("DISPLAY", display.as_str()),
                ("DBUS_SESSION_BUS_ADDRESS", &bus_address),
                ("XDG_RUNTIME_DIR", &folder.display().to_string()),
                ("GDK_BACKEND", "x11"),
                ("GTK_THEME", if theme == Theme::Dark { "Adwaita:dark" } else { "Adwaita" }),
                ("GTK_USE_PORTAL", "0"),
                ("TAURI_WEBVIEW_AUTOMATION", "true"),
                ("WEBKIT_DISABLE_DMABUF_RENDERER", "1"),
            ]);
        if !is_heard {
            driver.env("NO_AT_BRIDGE", "1");
        }
        let driver = Running::start(driver, &machine.said, "WebKitWebDriver");
        finish("the driver", PATIENCE, || TcpStream::connect(("127.0.0.1", port)).is_ok());
        // The client wants one even for a loopback without TLS; another test's may be there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut window = Self {
            session: String::new(),
            address: format!("http://127.0.0.1:{port}"),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            client: reqwest::Client::builder().no_proxy().timeout(REQUEST_LIMIT).build().unwrap(),
            driver,
            display: display.clone(),
            _bus: bus,
            _screen: screen,
        };
        let options = json!({ "binary": machine.program, "args": arguments });
        let wanted =
            json!({ "capabilities": { "alwaysMatch": { "browserName": "wry", "webkitgtk:browserOptions": options } } });
        let opened = window.ask(reqwest::Method::POST, "/session", Some(wanted));
        window.session = format!("/session/{}", opened["sessionId"].as_str().unwrap());
        window
    }

    fn ask(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.client.request(method, format!("{}{path}", self.address));
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer: Value = self
            .runtime
            .block_on(async { request.send().await?.json().await })
            .unwrap_or_else(|error| panic!("{path} {body:?}: {error}\n{}", self.driver.stderr()));
        // What a command answers may have a field of that name, too.
        assert!(!answer["value"]["error"].is_string(), "{path} {body:?}: {answer}\n{}", self.driver.stderr());
        answer["value"].clone()
    }

    fn session(&self, path: &str, body: Value) -> Value {
        self.ask(reqwest::Method::POST, &format!("{}{path}", self.session), Some(body))
    }

    /// Runs the body of a function in the page and answers what it returns.
    pub fn run(&self, script: &str) -> Value {
        self.session("/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// The same for an expression that is a promise. A rejection is answered as `{"rejected": …}`.
    pub fn wait_for(&self, promise: &str) -> Value {
        let script = format!(
            "const done = arguments[0];
             Promise.resolve().then(() => {promise})
               .then(done, (why) => done({{rejected: why instanceof Error ? String(why) : why}}));"
        );
        self.session("/execute/async", json!({ "script": script, "args": [] }))
    }

    /// The text of the first element that the selector finds; empty where there is none.
    pub fn text(&self, selector: &str) -> String {
        let selector = serde_json::to_string(selector).unwrap();
        let text = self.run(&format!("return document.querySelector({selector})?.innerText ?? ''"));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the text of an element contains these words.
    pub fn until(&self, selector: &str, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.text(selector);
            if text.contains(words) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{selector} does not come to say {words:?}; it says:\n{text}\n{}",
                self.text("body")
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Clicks as a person does: the element must be there, visible, and not covered; while it moves, one waits.
    pub fn click(&self, selector: &str) {
        let quoted = serde_json::to_string(selector).unwrap();
        let place =
            format!("const at = document.querySelector({quoted})?.getBoundingClientRect(); return [at?.x, at?.y];");
        let mut before = Value::Null;
        finish(&format!("a place of {selector} that stays"), PATIENCE, || {
            std::thread::sleep(Duration::from_millis(30));
            let now = self.run(&place);
            std::mem::replace(&mut before, now.clone()) == now
        });
        let found = self.session("/element", json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        self.session(&format!("/element/{id}/click"), json!({}));
    }

    /// Presses the cross of the window.
    pub fn close(&self) {
        screen::close(&self.display, "Standin");
    }

    /// Whether the program has ended.
    pub fn has_ended(&self) -> bool {
        let driver = self.driver.id();
        let children = fs::read_to_string(format!("/proc/{driver}/task/{driver}/children")).unwrap_or_default();
        children.trim().is_empty()
    }

    /// Types into an element.
    pub fn enter(&self, selector: &str, text: &str) {
        let found = self.session("/element", json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        self.session(&format!("/element/{id}/value"), json!({ "text": text }));
    }

    /// Makes the page exactly so large.
    pub fn resize(&self, width: i64, height: i64) {
        let rectangle = |width: i64, height: i64| json!({ "x": 0, "y": 0, "width": width, "height": height });
        self.session("/window/rect", rectangle(width, height));
        finish("the size of the page", PATIENCE, || {
            let inner = self.run("return [innerWidth, innerHeight]");
            let (inner_width, inner_height) = (inner[0].as_i64().unwrap(), inner[1].as_i64().unwrap());
            if (inner_width, inner_height) == (width, height) {
                return true;
            }
            let outer = self.ask(reqwest::Method::GET, &format!("{}/window/rect", self.session), None);
            let (outer_width, outer_height) = (outer["width"].as_i64().unwrap(), outer["height"].as_i64().unwrap());
            self.session(
                "/window/rect",
                rectangle(outer_width + width - inner_width, outer_height + height - inner_height),
            );
            std::thread::sleep(Duration::from_millis(200));
            false
        });
    }

    /// A picture of the page, as PNG.
    pub fn picture(&self) -> Vec<u8> {
        // The driver waits for the next frame, and a page at rest draws none.
        self.run(
            "let left = 120;
             const timer = setInterval(() => {
               document.documentElement.style.setProperty('outline', `${left % 2}px solid transparent`);
               if (--left === 0) clearInterval(timer);
             }, 25);",
        );
        let picture = self.ask(reqwest::Method::GET, &format!("{}/screenshot", self.session), None);
        base64::engine::general_purpose::STANDARD.decode(picture.as_str().unwrap()).unwrap()
    }

    /// What the programs behind the window said.
    pub fn said(&self) -> String {
        format!("{}{}", self.driver.stdout(), self.driver.stderr())
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let address = format!("{}{}", self.address, self.session);
        // The driver ends the program with the session; without an answer it is ended with the screen.
        let _ = self.runtime.block_on(async { self.client.delete(address).send().await });
    }
}

/// A message bus on which nobody is.
pub(crate) fn start_bus(folder: &Path, said: &Path) -> Running {
    let configuration = folder.join("bus.conf");
    let text = format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir={}</listen>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
"#,
        folder.display()
    );
    fs::write(&configuration, text).unwrap();
    let mut bus = Command::new("dbus-daemon");
    bus.arg(format!("--config-file={}", configuration.display())).args([
        "--nofork",
        "--nopidfile",
        "--print-address=1",
    ]);
    Running::start(bus, said, "dbus-daemon")
}
