//! Looking at a Secret Service without asking anybody anything: whether it is there, whose it is, whether it is locked.
//!
//! Only calls that the specification lets raise no dialog, over a connection of their own; whoever waits for them may
//! stop to at any moment.

use std::collections::HashMap;

use zbus::zvariant::{DynamicType, OwnedObjectPath, OwnedValue};
use zbus::{Connection, Message};

use super::SERVICE;
use super::failure::{Failure, of_bus};
use super::look::{EntrySight, Sight};

const NAME: &str = "org.freedesktop.secrets";
const PATH: &str = "/org/freedesktop/secrets";
const NOTHING: &str = "/";

struct Bus(Connection);

/// Looks at the keychain.
pub(super) async fn look() -> Result<Sight, Failure> {
    Bus::open().await?.sight().await.map_err(|error| of_bus(&error))
}

/// Looks at one entry, which is to be written or only read.
pub(super) async fn look_for(account: &str, writes: bool) -> Result<EntrySight, Failure> {
    let bus = Bus::open().await?;
    let sight = bus.sight().await.map_err(|error| of_bus(&error))?;
    // Of others a search may raise a dialog then, and finds nothing without one.
    if sight.locked && (writes || !sight.writes_at_once) {
        return Ok(EntrySight::Locked);
    }
    let (open, locked) = bus.search(account).await.map_err(|error| of_bus(&error))?;
    Ok(match (open.is_empty(), locked.is_empty()) {
        (true, true) => EntrySight::Nothing,
        (_, false) => EntrySight::Locked,
        (false, true) => EntrySight::Open,
    })
}

impl Bus {
    async fn open() -> Result<Self, Failure> {
        Connection::session().await.map(Self).map_err(|error| of_bus(&error))
    }

    async fn call<B>(&self, path: &str, interface: &str, method: &str, body: &B) -> zbus::Result<Message>
    where
        B: serde::Serialize + DynamicType,
    {
        self.0.call_method(Some(NAME), path, Some(interface), method, body).await
    }

    async fn property(&self, path: &str, interface: &str, name: &str) -> zbus::Result<OwnedValue> {
        let reply = self.call(path, "org.freedesktop.DBus.Properties", "Get", &(interface, name)).await?;
        reply.body().deserialize()
    }

    async fn is_locked(&self, collection: &OwnedObjectPath) -> zbus::Result<bool> {
        let locked = self.property(collection.as_str(), "org.freedesktop.Secret.Collection", "Locked").await?;
        Ok(bool::try_from(locked)?)
    }

    async fn owner(&self, name: &str) -> zbus::Result<String> {
        let bus = "org.freedesktop.DBus";
        let path = "/org/freedesktop/DBus";
        let reply = self.0.call_method(Some(bus), path, Some(bus), "GetNameOwner", &name).await?;
        reply.body().deserialize()
    }

    async fn sight(&self) -> zbus::Result<Sight> {
        let interface = "org.freedesktop.Secret.Service";
        let default: OwnedObjectPath =
            self.call(PATH, interface, "ReadAlias", &"default").await?.body().deserialize()?;
        let locked = if default.as_str() == NOTHING {
            let all = Vec::<OwnedObjectPath>::try_from(self.property(PATH, interface, "Collections").await?)?;
            // Where nothing is open, a search would ask for something to be opened.
            let mut locked = all.is_empty();
            for collection in &all {
                locked |= self.is_locked(collection).await?;
            }
            locked
        } else {
            self.is_locked(&default).await?
        };
        let owner = self.owner(NAME).await?;
        let writes_at_once = self.owner("org.gnome.keyring").await.is_ok_and(|gnome| gnome == owner);
        Ok(Sight { owner, locked, writes_at_once })
    }

    async fn search(&self, account: &str) -> zbus::Result<(Vec<OwnedObjectPath>, Vec<OwnedObjectPath>)> {
        let attributes = HashMap::from([("service", SERVICE), ("username", account)]);
        self.call(PATH, "org.freedesktop.Secret.Service", "SearchItems", &attributes).await?.body().deserialize()
    }
}
