//! What a screen reader finds on the screen: the tree that AT-SPI gives it, in the order in which it reads.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use zbus::blocking::connection::Builder;
use zbus::blocking::fdo::DBusProxy;
use zbus::blocking::{Connection, Proxy};
use zbus::proxy::CacheProperties;
use zbus::zvariant::{OwnedObjectPath, Value};

use crate::cli::{Running, finish};

const PATIENCE: Duration = Duration::from_secs(40);
const LAUNCHER: &str = "/usr/libexec/at-spi-bus-launcher";
const ACCESSIBLE: &str = "org.a11y.atspi.Accessible";
/// Of the state: it is there, scrolled into sight or not.
const VISIBLE: u32 = 1 << 30;

/// A screen reader that hears everything and says nothing.
pub struct Reader {
    bus: Connection,
    launcher: Running,
}

/// What it would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// What it is.
    pub role: Role,
    /// Its name; of a mere text, the text.
    pub name: String,
}

/// What something on the screen is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A heading.
    Heading,
    /// A button, also one that stays pressed or opens something.
    Button,
    /// A tab.
    Tab,
    /// A link.
    Link,
    /// A box to tick.
    CheckBox,
    /// A field to type in.
    Entry,
    /// What opens a menu.
    Menu,
    /// A question or a panel over the page.
    Dialog,
    /// By AT-SPI's number.
    Other(u32),
}

impl Role {
    fn of(number: u32) -> Self {
        match number {
            83 => Self::Heading,
            43 | 62 => Self::Button,
            37 => Self::Tab,
            88 => Self::Link,
            7 => Self::CheckBox,
            40 | 79 => Self::Entry,
            11 | 33 | 34 => Self::Menu,
            16 => Self::Dialog,
            other => Self::Other(other),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // The bus that it started is a process of its own, and what that started ends with it.
        let id = self.launcher.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            let _ = kill(Pid::from_raw(child), Signal::SIGTERM);
        }
    }
}

impl Reader {
    /// Begins to listen, on the bus of a session: programs that begin after that tell what they show.
    pub fn start(session: &str, said: &Path) -> Self {
        let mut command = Command::new(LAUNCHER);
        let folder = said.join("a11y");
        fs::create_dir_all(&folder).unwrap();
        command.arg("--launch-immediately").env_clear().env("DBUS_SESSION_BUS_ADDRESS", session);
        command.env("PATH", std::env::var_os("PATH").unwrap());
        for name in ["HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"] {
            command.env(name, &folder);
        }
        let launcher = Running::start(command, said, "at-spi-bus-launcher");
        let session = Builder::address(session).unwrap().build().unwrap();
        let names = DBusProxy::new(&session).unwrap();
        finish("the bus of what is shown", PATIENCE, || {
            names.name_has_owner("org.a11y.Bus".try_into().unwrap()).unwrap_or(false)
        });
        let of_bus =
            |interface: &'static str| Proxy::new(&session, "org.a11y.Bus", "/org/a11y/bus", interface).unwrap();
        of_bus("org.a11y.Status").set_property("IsEnabled", Value::from(true)).unwrap();
        let address: String = of_bus("org.a11y.Bus").call("GetAddress", &()).unwrap();
        Self { bus: Builder::address(address.as_str()).unwrap().build().unwrap(), launcher }
    }

    /// All that is shown, in the order in which it is read.
    pub fn all(&self) -> Vec<Heard> {
        let mut heard = Vec::new();
        self.hear("org.a11y.atspi.Registry", "/org/a11y/atspi/accessible/root", 0, &mut heard);
        heard
    }

    fn hear(&self, name: &str, path: &str, depth: usize, heard: &mut Vec<Heard>) {
        // What went meanwhile is not there; deeper than that is nothing.
        let Ok(proxy) = self.proxy(name, path, ACCESSIBLE) else { return };
        if depth > 60 {
            return;
        }
        // `GetChildren` of GTK leaves out what another process shows in a part of its window; asked one by one, it is there.
        let count: i32 = proxy.get_property("ChildCount").unwrap_or_default();
        let child = |index: i32| proxy.call::<_, _, (String, OwnedObjectPath)>("GetChildAtIndex", &(index)).ok();
        let children: Vec<(String, OwnedObjectPath)> = (0..count).filter_map(child).collect();
        let state: Vec<u32> = proxy.call("GetState", &()).unwrap_or_default();
        let is_shown = state.first().is_some_and(|bits| bits & VISIBLE != 0);
        if is_shown {
            // The name of a role is not always told; its number is.
            let role: u32 = proxy.call("GetRole", &()).unwrap_or_default();
            let mut name: String = proxy.get_property("Name").unwrap_or_default();
            if name.is_empty() && children.is_empty() {
                name = self.text(name_of(&proxy), path);
            }
            heard.push(Heard { role: Role::of(role), name });
        }
        for (name, path) in children {
            self.hear(&name, path.as_str(), depth + 1, heard);
        }
    }

    /// Asks anew each time.
    fn proxy(&self, name: &str, path: &str, interface: &'static str) -> zbus::Result<Proxy<'static>> {
        let proxy = zbus::blocking::proxy::Builder::new(&self.bus);
        let proxy = proxy.destination(name.to_owned())?.path(path.to_owned())?.interface(interface)?;
        proxy.cache_properties(CacheProperties::No).build()
    }

    fn text(&self, name: &str, path: &str) -> String {
        let text = self.proxy(name, path, "org.a11y.atspi.Text");
        text.and_then(|text| text.call("GetText", &(0_i32, -1_i32))).unwrap_or_default()
    }
}

fn name_of<'a>(proxy: &'a Proxy<'_>) -> &'a str {
    proxy.destination().as_str()
}
