//! The desktop program on a screen that nobody sees, with a place for icons in the tray beside it: a status notifier host of
//! ours, which sees what a panel sees and presses what a person presses.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zbus::blocking::connection::Builder;
use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::{OwnedValue, Value};

use crate::cli::{Machine, Running, finish};
use crate::notifications::Service;
use crate::screen;
use crate::window::{first_line, program, start_bus};

const PATIENCE: Duration = Duration::from_secs(40);
const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";

/// A session without a window manager: a screen, a message bus, a folder of its own.
pub struct Desk {
    machine: Machine,
    display: String,
    bus_address: String,
    _bus: Running,
    _screen: Running,
}

impl Desk {
    /// Nobody is there yet.
    pub fn new(machine: &Machine) -> Self {
        let folder =
            tempfile::Builder::new().prefix("desk-").tempdir_in(&machine.environment["TMPDIR"]).unwrap().keep();
        let mut screen = Command::new("Xvfb");
        screen.args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"]);
        let screen = Running::start(screen, &machine.said, "Xvfb");
        let display = format!(":{}", first_line(&screen, "a display"));
        let bus = start_bus(&folder, &machine.said);
        let bus_address = first_line(&bus, "a message bus");
        let machine = [
            ("DISPLAY", display.as_str()),
            ("DBUS_SESSION_BUS_ADDRESS", &bus_address),
            ("XDG_RUNTIME_DIR", &folder.display().to_string()),
            ("GDK_BACKEND", "x11"),
            ("GTK_USE_PORTAL", "0"),
            ("NO_AT_BRIDGE", "1"),
            ("WEBKIT_DISABLE_DMABUF_RENDERER", "1"),
        ]
        .iter()
        .fold(machine.clone(), |machine, (name, value)| machine.with(name, value));
        let machine = Machine { program: program(), ..machine };
        Self { machine, display, bus_address, _bus: bus, _screen: screen }
    }

    /// Starts the desktop program.
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.machine.start(arguments)
    }

    /// Presses the cross of the window.
    pub fn close_window(&self) {
        screen::close(&self.display, "Standin");
    }

    /// Somebody shows notifications from now on.
    pub fn notifications(&self) -> Service {
        Service::start(&self.bus_address)
    }

    /// Somebody shows icons from now on.
    pub fn host(&self) -> Host {
        Host::new(&self.bus_address)
    }
}

/// Whether a program has a window: then the browser's processes are its children.
pub fn has_window(running: &Running) -> bool {
    let id = running.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    children
        .split_whitespace()
        .any(|child| fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name.starts_with("WebKitWeb")))
}

/// Who shows icons.
pub struct Host {
    bus: Connection,
    items: Arc<Mutex<Vec<(String, String)>>>,
}

struct Watcher {
    items: Arc<Mutex<Vec<(String, String)>>>,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: &str, #[zbus(header)] header: zbus::message::Header<'_>) {
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        // Either a path of the sender's, or a name.
        let (name, path) = match service.starts_with('/') {
            true => (sender, service.to_owned()),
            false => (service.to_owned(), "/StatusNotifierItem".to_owned()),
        };
        self.items.lock().unwrap().push((name, path));
    }

    fn register_status_notifier_host(&self, _service: &str) {}

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        self.items.lock().unwrap().iter().map(|(name, path)| format!("{name}{path}")).collect()
    }
}

impl Host {
    fn new(address: &str) -> Self {
        let items = Arc::default();
        let watcher = Watcher { items: Arc::clone(&items) };
        let bus = Builder::address(address)
            .unwrap()
            .name(WATCHER)
            .unwrap()
            .serve_at("/StatusNotifierWatcher", watcher)
            .unwrap()
            .build()
            .unwrap();
        Self { bus, items }
    }

    /// Waits until there is an icon.
    pub fn until_there(&self) {
        finish("an icon in the tray", PATIENCE, || !self.items.lock().unwrap().is_empty());
    }

    /// Whether there is an icon.
    pub fn has_icon(&self) -> bool {
        !self.items.lock().unwrap().is_empty()
    }

    fn item(&self) -> (String, String) {
        self.items.lock().unwrap().last().cloned().expect("an icon")
    }

    fn proxy<'a>(&'a self, path: &'a str, interface: &'a str) -> Proxy<'a> {
        let (name, _) = self.item();
        zbus::blocking::proxy::Builder::new(&self.bus)
            .destination(name)
            .unwrap()
            .path(path)
            .unwrap()
            .interface(interface)
            .unwrap()
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .unwrap()
    }

    /// The picture that is shown, as PNG.
    pub fn picture(&self) -> Vec<u8> {
        let (_, path) = self.item();
        let item = self.proxy(&path, ITEM);
        let name: String = item.get_property("IconName").unwrap();
        let folder: String = item.get_property("IconThemePath").unwrap();
        let file = match Path::new(&name).is_absolute() {
            true => PathBuf::from(&name),
            false => Path::new(&folder).join(format!("{name}.png")),
        };
        fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    fn menu_path(&self) -> String {
        let (_, path) = self.item();
        let item = self.proxy(&path, ITEM);
        let menu: zbus::zvariant::OwnedObjectPath = item.get_property("Menu").unwrap();
        menu.to_string()
    }

    /// The words of the menu with their numbers, in order; of those that can be pressed.
    pub fn menu(&self) -> Vec<(i32, String)> {
        let path = self.menu_path();
        let menu = self.proxy(&path, MENU);
        type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);
        let names: [&str; 0] = [];
        let (_, layout): (u32, Layout) = menu.call("GetLayout", &(0, -1, &names[..])).unwrap();
        let mut found = Vec::new();
        gather(layout.0, &layout.1, &layout.2, &mut found);
        found
    }

    /// Waits until an item of the menu begins with these words.
    pub fn until(&self, words: &str) {
        finish(words, PATIENCE, || self.menu().iter().any(|(_, text)| text.starts_with(words)));
    }

    /// Presses the item of the menu that begins with these words.
    pub fn press(&self, words: &str) {
        let all = self.menu();
        let (id, _) =
            all.iter().find(|(_, text)| text.starts_with(words)).unwrap_or_else(|| panic!("no {words} in {all:?}"));
        let path = self.menu_path();
        let menu = self.proxy(&path, MENU);
        menu.call::<_, _, ()>("Event", &(*id, "clicked", Value::from(""), 0_u32)).unwrap();
    }
}

fn gather(id: i32, properties: &HashMap<String, OwnedValue>, children: &[OwnedValue], found: &mut Vec<(i32, String)>) {
    let is_enabled = properties.get("enabled").is_none_or(|value| bool::try_from(value.clone()).unwrap_or(true));
    if let Some(text) = properties.get("label").filter(|_| is_enabled) {
        // A single `_` marks the key of an item.
        let text = String::try_from(text.clone()).unwrap().replace("__", "\0").replace('_', "").replace('\0', "_");
        found.push((id, text));
    }
    for child in children {
        let (id, properties, children): (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>) =
            child.clone().try_into().unwrap();
        gather(id, &properties, &children, found);
    }
}
