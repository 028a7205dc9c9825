//! Who shows notifications on a desktop: hears what a real service hears, and presses what a person presses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::zvariant::OwnedValue;

use crate::cli::finish;

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
const PATIENCE: Duration = Duration::from_secs(60);

/// What was to be shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its number.
    pub id: u32,
    /// The one whose place it takes; 0 for none.
    pub replaces: u32,
    /// Its title.
    pub title: String,
    /// Its text, as markup.
    pub body: String,
    /// What can be pressed: keys and words by turns.
    pub actions: Vec<String>,
    /// How urgent it is: 2 is critical.
    pub urgency: u8,
}

/// The service of one session.
pub struct Service {
    bus: Connection,
    shown: Arc<Mutex<Vec<Shown>>>,
}

struct Interface {
    shown: Arc<Mutex<Vec<Shown>>>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Interface {
    fn get_capabilities(&self) -> Vec<&'static str> {
        vec!["actions", "body", "body-markup", "persistence"]
    }

    #[allow(clippy::too_many_arguments)]
    fn notify(
        &self,
        app_name: &str,
        replaces: u32,
        _app_icon: &str,
        title: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        _expire_timeout: i32,
    ) -> u32 {
        assert_eq!(app_name, "Standin");
        let mut shown = self.shown.lock().unwrap();
        let id = if replaces == 0 { u32::try_from(shown.len()).unwrap() + 10 } else { replaces };
        let urgency = hints.get("urgency").and_then(|value| u8::try_from(value.try_clone().unwrap()).ok()).unwrap_or(1);
        shown.push(Shown { id, replaces, title, body, actions, urgency });
        id
    }
}

impl Service {
    /// Is there from now on, on the bus at this address.
    pub fn start(address: &str) -> Self {
        let shown = Arc::default();
        let interface = Interface { shown: Arc::clone(&shown) };
        let bus =
            Builder::address(address).unwrap().name(NAME).unwrap().serve_at(PATH, interface).unwrap().build().unwrap();
        Self { bus, shown }
    }

    /// Waits until so many were to be shown; the last of them.
    pub fn until(&self, count: usize) -> Shown {
        finish("a notification", PATIENCE, || self.shown.lock().unwrap().len() >= count);
        self.shown.lock().unwrap().last().cloned().unwrap()
    }

    /// How many were to be shown.
    pub fn count(&self) -> usize {
        self.shown.lock().unwrap().len()
    }

    /// Somebody presses one.
    pub fn press(&self, shown: &Shown) {
        let pressed = (shown.id, shown.actions[0].as_str());
        self.bus.emit_signal(None::<&str>, PATH, NAME, "ActionInvoked", &pressed).unwrap();
    }
}
