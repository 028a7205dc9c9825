//! A Secret Service with the faults that real ones have, one at a time, as a test wants them.
//!
//! It answers the key exchange of a session with 1, so that every session has the same key, and what one client has
//! sealed another can open: the service gives back what it was given and needs to know nothing of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use zbus::object_server::SignalEmitter;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, DBusError, interface};

const ROOT: &str = "/org/freedesktop/secrets";
const COLLECTION: &str = "/org/freedesktop/secrets/collection/login";
/// Nothing, sealed with the key of every session, from an initialization vector of zeros.
const EMPTY: [u8; 16] =
    [0xf5, 0x5b, 0x40, 0x99, 0x55, 0x0c, 0x68, 0xcf, 0x9d, 0x36, 0x52, 0x31, 0xe4, 0x6a, 0x9a, 0x60];

/// A sealed value as it travels: session, parameters, value, content type.
type Sealed = (OwnedObjectPath, Vec<u8>, Vec<u8>, String);

/// What happens to a dialog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialog {
    /// Nobody answers it.
    #[default]
    Unanswered,
    /// It is dismissed.
    Dismissed,
    /// The right password is given.
    Unlocks,
}

/// How the service behaves.
#[derive(Default)]
pub struct Behaviour {
    /// Whether it is locked.
    pub locked: bool,
    /// Whether it has nothing open at all, and so no collection.
    pub has_nothing: bool,
    /// What happens to its dialogs.
    pub dialog: Dialog,
    /// The methods that never answer; `*` for all.
    pub hangs: BTreeSet<&'static str>,
    /// How long it takes to write a value.
    pub writes_in: Duration,
    /// Whether it forgets the values that it is given, with all words of success.
    pub forgets: bool,
    /// With which words it refuses to open a session, where it does.
    pub refuses: Option<&'static str>,
    /// How often a method was called that hangs.
    pub asked: usize,
    /// The dialogs that were raised.
    pub dialogs: usize,
    /// The searches that were made while it was locked.
    pub searches_while_locked: usize,
    sessions: BTreeSet<String>,
    items: BTreeMap<u32, Entry>,
    made: u32,
}

#[derive(Clone)]
struct Entry {
    attributes: HashMap<String, String>,
    label: String,
    parameters: Vec<u8>,
    value: Vec<u8>,
}

type Shared = Arc<Mutex<Behaviour>>;

/// The service, while it is on the bus.
pub struct Service {
    behaviour: Shared,
    connection: Connection,
}

#[derive(Debug, DBusError)]
#[zbus(prefix = "org.freedesktop.Secret.Error")]
enum Fault {
    #[zbus(error)]
    ZBus(zbus::Error),
    NoSession(String),
    IsLocked(String),
    NoSuchObject(String),
}

impl Service {
    /// Puts a service that is well on the bus of this process.
    pub async fn start() -> Self {
        Self::with(Shared::default()).await
    }

    async fn with(behaviour: Shared) -> Self {
        let connection = Connection::session().await.expect("there is a bus");
        let server = connection.object_server();
        server.at(ROOT, Root(behaviour.clone())).await.expect("the place is free");
        server.at(COLLECTION, Collection(behaviour.clone())).await.expect("the place is free");
        let items: Vec<u32> = lock(&behaviour).items.keys().copied().collect();
        for number in items {
            server.at(path_of(number), Item(behaviour.clone(), number)).await.expect("the place is free");
        }
        connection.request_name("org.freedesktop.secrets").await.expect("the name is free");
        Self { behaviour, connection }
    }

    /// Ends it and starts it anew with what it holds; as a service that is restarted it knows no session any more.
    pub async fn restart(self) -> Self {
        let behaviour = self.end().await;
        lock(&behaviour).sessions.clear();
        Self::with(behaviour).await
    }

    /// Takes it from the bus.
    pub async fn end(self) -> Shared {
        self.connection.release_name("org.freedesktop.secrets").await.expect("the name is ours");
        self.connection.close().await.expect("it closes");
        self.behaviour
    }

    /// How it behaves, to be changed.
    pub fn now(&self) -> MutexGuard<'_, Behaviour> {
        lock(&self.behaviour)
    }

    /// Empties every entry, as a keychain does that is ended before it has written them.
    pub fn empty(&self) {
        for entry in self.now().items.values_mut() {
            (entry.parameters, entry.value) = (vec![0; 16], EMPTY.to_vec());
        }
    }

    /// Makes a second entry of each there is, of the same name.
    pub async fn double(&self) {
        let numbers = {
            let mut now = self.now();
            let all: Vec<Entry> = now.items.values().cloned().collect();
            all.into_iter().map(|entry| now.add(entry)).collect::<Vec<_>>()
        };
        for number in numbers {
            let item = Item(self.behaviour.clone(), number);
            self.connection.object_server().at(path_of(number), item).await.expect("the place is free");
        }
    }

    /// How many entries it has.
    pub fn count(&self) -> usize {
        self.now().items.len()
    }
}

impl Behaviour {
    fn add(&mut self, entry: Entry) -> u32 {
        self.made += 1;
        self.items.insert(self.made, entry);
        self.made
    }
}

fn lock(behaviour: &Shared) -> MutexGuard<'_, Behaviour> {
    behaviour.lock().expect("no test panics while it holds this")
}

fn path_of(number: u32) -> OwnedObjectPath {
    path(&format!("{COLLECTION}/{number}"))
}

fn path(text: &str) -> OwnedObjectPath {
    OwnedObjectPath::try_from(text).expect("a path")
}

/// Does not return from a method that hangs.
async fn answer(behaviour: &Shared, method: &str) {
    let hangs = {
        let mut now = lock(behaviour);
        let hangs = now.hangs.iter().any(|hanging| ["*", method].contains(hanging));
        now.asked += usize::from(hangs);
        hangs
    };
    if hangs {
        std::future::pending::<()>().await;
    }
}

/// Takes the time that writing takes. Runs on the bus's own executor, which has no timer of ours.
async fn write(behaviour: &Shared) {
    let writes_in = lock(behaviour).writes_in;
    let (done, waiting) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        std::thread::sleep(writes_in);
        let _ = done.send(());
    });
    waiting.await.expect("the thread says when");
}

struct Root(Shared);

#[interface(name = "org.freedesktop.Secret.Service")]
impl Root {
    async fn open_session(
        &self,
        _algorithm: String,
        _input: OwnedValue,
    ) -> Result<(OwnedValue, OwnedObjectPath), zbus::fdo::Error> {
        answer(&self.0, "OpenSession").await;
        let mut now = lock(&self.0);
        if let Some(words) = now.refuses {
            return Err(zbus::fdo::Error::Failed(words.to_owned()));
        }
        let session = format!("{ROOT}/session/s{}", now.sessions.len() + 1);
        now.sessions.insert(session.clone());
        Ok((Value::from(vec![1_u8]).try_into().expect("a value"), path(&session)))
    }

    async fn search_items(&self, attributes: HashMap<String, String>) -> (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) {
        answer(&self.0, "SearchItems").await;
        let mut now = lock(&self.0);
        if now.locked {
            now.searches_while_locked += 1;
        }
        let has = |entry: &Entry| attributes.iter().all(|(name, value)| entry.attributes.get(name) == Some(value));
        let found: Vec<_> =
            now.items.iter().filter(|(_, entry)| has(entry)).map(|(number, _)| path_of(*number)).collect();
        if now.locked { (Vec::new(), found) } else { (found, Vec::new()) }
    }

    async fn unlock(
        &self,
        objects: Vec<OwnedObjectPath>,
        #[zbus(object_server)] server: &zbus::ObjectServer,
    ) -> (Vec<OwnedObjectPath>, OwnedObjectPath) {
        answer(&self.0, "Unlock").await;
        let prompt = {
            let mut now = lock(&self.0);
            if !now.locked {
                return (objects, path("/"));
            }
            now.dialogs += 1;
            path(&format!("{ROOT}/prompt/p{}", now.dialogs))
        };
        server.at(prompt.clone(), Prompt(self.0.clone(), objects)).await.expect("the place is free");
        (Vec::new(), prompt)
    }

    async fn read_alias(&self, _name: String) -> OwnedObjectPath {
        answer(&self.0, "ReadAlias").await;
        if lock(&self.0).has_nothing { path("/") } else { path(COLLECTION) }
    }

    #[zbus(property)]
    async fn collections(&self) -> Vec<OwnedObjectPath> {
        if lock(&self.0).has_nothing { Vec::new() } else { vec![path(COLLECTION)] }
    }
}

struct Prompt(Shared, Vec<OwnedObjectPath>);

#[interface(name = "org.freedesktop.Secret.Prompt")]
impl Prompt {
    async fn prompt(&self, _window: String, #[zbus(signal_emitter)] emitter: SignalEmitter<'_>) -> Result<(), Fault> {
        let dialog = lock(&self.0).dialog;
        let completed = match dialog {
            Dialog::Unanswered => return Ok(()),
            Dialog::Dismissed => (true, Value::from("")),
            Dialog::Unlocks => {
                lock(&self.0).locked = false;
                (false, Value::from(self.1.clone()))
            }
        };
        let (connection, interface) = (emitter.connection(), "org.freedesktop.Secret.Prompt");
        connection.emit_signal(None::<&str>, emitter.path(), interface, "Completed", &completed).await?;
        Ok(())
    }
}

struct Collection(Shared);

#[interface(name = "org.freedesktop.Secret.Collection")]
impl Collection {
    async fn create_item(
        &self,
        properties: HashMap<String, OwnedValue>,
        secret: Sealed,
        _replace: bool,
        #[zbus(object_server)] server: &zbus::ObjectServer,
    ) -> Result<(OwnedObjectPath, OwnedObjectPath), Fault> {
        answer(&self.0, "CreateItem").await;
        let property = |name: &str| properties.get(&format!("org.freedesktop.Secret.Item.{name}")).cloned();
        let attributes = property("Attributes").and_then(|value| HashMap::try_from(value).ok()).unwrap_or_default();
        let label = property("Label").and_then(|value| String::try_from(value).ok()).unwrap_or_default();
        let entry = Entry { attributes, label, parameters: Vec::new(), value: Vec::new() };
        write(&self.0).await;
        let number = lock(&self.0).add(entry);
        let item = Item(self.0.clone(), number);
        item.keep(secret)?;
        server.at(path_of(number), item).await?;
        answer(&self.0, "the answer of CreateItem").await;
        Ok((path_of(number), path("/")))
    }

    #[zbus(property)]
    async fn locked(&self) -> bool {
        answer(&self.0, "Locked").await;
        lock(&self.0).locked
    }

    #[zbus(property)]
    async fn label(&self) -> String {
        "Login".to_owned()
    }
}

struct Item(Shared, u32);

impl Item {
    fn keep(&self, (session, parameters, value, _): Sealed) -> Result<(), Fault> {
        let mut now = lock(&self.0);
        now.may_be_used(&session)?;
        let forgets = now.forgets;
        let entry = now.items.get_mut(&self.1).ok_or_else(|| Fault::NoSuchObject("it is gone".to_owned()))?;
        (entry.parameters, entry.value) = if forgets { (vec![0; 16], EMPTY.to_vec()) } else { (parameters, value) };
        Ok(())
    }
}

impl Behaviour {
    fn may_be_used(&self, session: &OwnedObjectPath) -> Result<(), Fault> {
        if !self.sessions.contains(session.as_str()) {
            return Err(Fault::NoSession("the session does not exist".to_owned()));
        }
        if self.locked {
            return Err(Fault::IsLocked("the entry is locked".to_owned()));
        }
        Ok(())
    }
}

#[interface(name = "org.freedesktop.Secret.Item")]
impl Item {
    async fn get_secret(&self, session: OwnedObjectPath) -> Result<(Sealed,), Fault> {
        answer(&self.0, "GetSecret").await;
        let now = lock(&self.0);
        now.may_be_used(&session)?;
        let entry = now.items.get(&self.1).ok_or_else(|| Fault::NoSuchObject("it is gone".to_owned()))?;
        Ok(((session, entry.parameters.clone(), entry.value.clone(), "text/plain".to_owned()),))
    }

    async fn set_secret(&self, secret: Sealed) -> Result<(), Fault> {
        answer(&self.0, "SetSecret").await;
        write(&self.0).await;
        self.keep(secret)
    }

    async fn delete(&self) -> OwnedObjectPath {
        answer(&self.0, "Delete").await;
        lock(&self.0).items.remove(&self.1);
        path("/")
    }

    #[zbus(property)]
    async fn locked(&self) -> bool {
        lock(&self.0).locked
    }

    #[zbus(property)]
    async fn label(&self) -> String {
        lock(&self.0).items.get(&self.1).map(|entry| entry.label.clone()).unwrap_or_default()
    }

    #[zbus(property)]
    async fn attributes(&self) -> HashMap<String, String> {
        lock(&self.0).items.get(&self.1).map(|entry| entry.attributes.clone()).unwrap_or_default()
    }
}
