//! Whether anybody here shows tray icons. On Linux that is a program of the desktop, which may come later, or go and come back.

#[cfg(target_os = "linux")]
pub use linux::follow;

/// Calls with whether there is a host, now and whenever that changes; ends only where nobody could ever tell.
#[cfg(not(target_os = "linux"))]
pub async fn follow(mut told: impl FnMut(bool) + Send) {
    // These systems always have a place for it.
    told(true);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::time::Duration;

    use futures_util::StreamExt as _;
    use zbus::fdo::DBusProxy;
    use zbus::names::BusName;
    use zbus::{Connection, Proxy};

    /// Who keeps the list of icons, by the specification of status notifiers.
    const WATCHER: &str = "org.kde.StatusNotifierWatcher";
    const PATH: &str = "/StatusNotifierWatcher";
    /// How long an answer may take: who does not answer shows nothing.
    const PATIENCE: Duration = Duration::from_secs(2);

    /// Calls with whether there is a host, now and whenever that changes; ends only where nobody could ever tell.
    pub async fn follow(mut told: impl FnMut(bool) + Send) {
        if let Err(error) = listen(&mut told).await {
            // Without a message bus there is no tray either.
            tracing::debug!(%error, "nobody tells whether there is a tray");
            told(false);
        }
    }

    async fn listen(told: &mut (impl FnMut(bool) + Send)) -> zbus::Result<()> {
        let bus = Connection::session().await?;
        let names = DBusProxy::new(&bus).await?;
        let mut owners = names.receive_name_owner_changed_with_args(&[(0, WATCHER)]).await?;
        let watcher = Proxy::new(&bus, WATCHER, PATH, WATCHER).await?;
        let mut signals = watcher.receive_all_signals().await?;
        let mut last = None;
        loop {
            let is_there = tokio::time::timeout(PATIENCE, has_host(&bus, &names)).await.unwrap_or(false);
            if last != Some(is_there) {
                last = Some(is_there);
                told(is_there);
            }
            tokio::select! {
                Some(_) = owners.next() => {}
                Some(_) = signals.next() => {}
                else => return Ok(()),
            }
        }
    }

    async fn has_host(bus: &Connection, names: &DBusProxy<'_>) -> bool {
        let Ok(name) = BusName::try_from(WATCHER) else { return false };
        if !names.name_has_owner(name).await.unwrap_or(false) {
            return false;
        }
        let asked = async {
            // Asked anew each time: who watches may have come back as another.
            let proxy = zbus::proxy::Builder::<Proxy<'_>>::new(bus)
                .destination(WATCHER)?
                .path(PATH)?
                .interface(WATCHER)?
                .cache_properties(zbus::proxy::CacheProperties::No)
                .build()
                .await?;
            proxy.get_property::<bool>("IsStatusNotifierHostRegistered").await
        };
        asked.await.unwrap_or(false)
    }
}
