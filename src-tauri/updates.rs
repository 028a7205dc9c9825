//! Newer versions of this program: looked for once a day and when somebody asks, brought only when somebody says so.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use standin_core::update::{self, Channel, Offer, Owner, Publisher, Updates};
use standin_core::{Code, Error, Result};
use tokio::sync::OnceCell;

use crate::desktop::Desktop;

/// The version that runs.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The time between two looks that nobody asked for.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The first of them comes when the start is over.
const AFTER_START: Duration = Duration::from_secs(60);

/// What is known of newer versions.
pub struct Newer {
    desktop: Arc<Desktop>,
    publisher: Option<Publisher>,
    owner: OnceCell<Owner>,
    found: Mutex<Option<(Channel, Offer)>>,
    /// The version that was put in place, and runs from the next start on.
    taken: OnceLock<String>,
}

impl Newer {
    /// Nothing is known yet, and nobody was asked.
    pub fn new(desktop: Arc<Desktop>) -> Self {
        Self {
            desktop,
            publisher: Publisher::built_in(),
            owner: OnceCell::new(),
            found: Mutex::default(),
            taken: OnceLock::new(),
        }
    }

    /// How this program comes by newer versions.
    ///
    /// # Errors
    /// Where the configuration cannot be used.
    pub async fn told(&self) -> Result<Updates> {
        let settings = self.desktop.engine()?.config().updates;
        let owner = self.owner().await.clone();
        let advice = owner.advice().or_else(|| self.publisher.is_none().then(without_publisher));
        Ok(Updates { version: VERSION.to_owned(), channel: settings.channel, check: settings.check, owner, advice })
    }

    /// Looks for a newer version now.
    ///
    /// # Errors
    /// [`Code::Usage`] where somebody else looks after this program; as [`update::look`].
    pub async fn look(&self) -> Result<Option<Offer>> {
        let publisher = self.publisher().await?;
        let channel = self.desktop.engine()?.config().updates.channel;
        let offer = update::look(publisher, channel, VERSION).await;
        // What is in place already is no news, though an older version runs until its end.
        let offer = offer.map(|offer| offer.filter(|offer| self.taken.get() != Some(&offer.version)));
        // A look that failed says nothing about what was found before.
        if let Ok(found) = &offer {
            *self.found() = found.clone().map(|offer| (channel, offer));
        }
        offer
    }

    /// The newer version that was found last, of the channel that is followed.
    pub fn news(&self) -> Option<Offer> {
        let followed = self.desktop.engine().ok()?.config().updates.channel;
        self.found().as_ref().filter(|(channel, _)| *channel == followed).map(|(_, offer)| offer.clone())
    }

    fn found(&self) -> MutexGuard<'_, Option<(Channel, Offer)>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the version that was shown and puts it in the place of this one, or hands it to the system's installer; what is to do
    /// then.
    ///
    /// # Errors
    /// [`Code::Raced`] where another one is offered by now; as [`update::bring`] and [`update::put_in_place`].
    pub async fn take(&self, version: &str) -> Result<String> {
        let offer = self.look().await?.filter(|offer| offer.version == version).ok_or_else(|| {
            let message = format!("{version} is not what is offered any more; nothing was changed");
            Error::new(Code::Raced, message, "Look again, then take what is shown.")
        })?;
        match self.owner().await {
            Owner::Itself { file } => {
                let folder = file.parent().unwrap_or(Path::new("/"));
                let brought = update::bring(&offer, folder, |_| {}).await?;
                update::put_in_place(&brought, file)?;
                // It is no news any more. Only one can be taken before the next start.
                let _ = self.taken.set(version.to_owned());
                *self.found() = None;
                Ok(format!("{version} is in place. It runs from the next start on."))
            }
            Owner::Installer => {
                let folder = tempfile::Builder::new().prefix("standin-").tempdir().map_err(|error| {
                    let message = format!("no folder for the installer could be made: {error}");
                    Error::new(Code::Storage, message, "Make room on the disk for temporary files.")
                })?;
                let brought = update::bring(&offer, folder.path(), |_| {}).await?;
                let file = named(&brought, &offer)?;
                // The installer reads it after this program has ended; where it cannot be started, a person finds it there.
                let _ = folder.keep();
                begin(&file)?;
                Ok(format!("The installer of {version} was started. Quit Standin where it asks for that."))
            }
            Owner::PackageManager { .. } | Owner::Nobody => Err(self.not_ours().await),
        }
    }

    /// Looks once a day where that is wished, as long as the program runs.
    pub async fn keep(self: Arc<Self>) {
        if self.publisher.is_none() || !self.owner().await.is_itself() {
            return;
        }
        tokio::time::sleep(AFTER_START).await;
        loop {
            let is_wished = self.desktop.engine().is_ok_and(|engine| engine.config().updates.check);
            if is_wished {
                match self.look().await {
                    Ok(Some(_)) => self.desktop.feed.changed.notify_one(),
                    Ok(None) => {}
                    Err(error) => tracing::warn!(error = %error.message, "nobody told of newer versions"),
                }
            }
            tokio::time::sleep(DAY).await;
        }
    }

    async fn publisher(&self) -> Result<&Publisher> {
        match &self.publisher {
            Some(publisher) if self.owner().await.is_itself() => Ok(publisher),
            _ => Err(self.not_ours().await),
        }
    }

    async fn not_ours(&self) -> Error {
        let advice = self.owner().await.advice().unwrap_or_else(without_publisher);
        Error::new(Code::Usage, "this program does not bring newer versions of itself", advice)
    }

    async fn owner(&self) -> &Owner {
        let find = async {
            let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("standin-desktop"));
            update::owner::of(&program, self.desktop.environment()).await
        };
        self.owner.get_or_init(|| find).await
    }
}

fn without_publisher() -> String {
    "This program was built without a place to look for newer versions; take one from where this one came.".to_owned()
}

/// The file under the name that its publisher gave it, since a system goes by the end of a name.
fn named(brought: &Path, offer: &Offer) -> Result<PathBuf> {
    let end = if cfg!(windows) { "exe" } else { "dmg" };
    let named = brought.with_file_name(format!("Standin-{}.{end}", offer.version));
    std::fs::rename(brought, &named).map_err(|error| {
        let message = format!("{} cannot be written: {error}", named.display());
        Error::new(Code::Storage, message, "Make room on the disk for temporary files.")
    })?;
    Ok(named)
}

/// Starts an installer, or opens an image, as a double click does.
fn begin(file: &Path) -> Result<()> {
    let mut command = match cfg!(windows) {
        true => std::process::Command::new(file),
        false => {
            let mut open = std::process::Command::new("open");
            open.arg(file);
            open
        }
    };
    command.spawn().map(drop).map_err(|error| {
        let message = format!("{} cannot be started: {error}", file.display());
        Error::new(Code::Storage, message, "Open it by hand.")
    })
}
