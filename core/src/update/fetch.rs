//! The manifest and the file that it names, over HTTP, within bounds; and the file put in the place of the running one.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::LOCATION;
use reqwest::{Response, Url};
use sha2::{Digest as _, Sha256};
use standin_state::config::Channel;

use super::manifest::{Asker, Told, judge, refused};
use super::{Offer, Publisher, target};
use crate::github::connections;
use crate::{Code, Error, Result};

/// Largest manifest and largest signature, in bytes.
const SMALL: usize = 64 * 1024;
/// Redirects that are followed: release files are kept elsewhere than they are named.
const REDIRECTS: u32 = 5;
/// How long a small file may take, and a large one be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks for a newer version; `None` where this one is the newest.
///
/// # Errors
/// As [`judge`]; [`Code::Network`], [`Code::TimedOut`], [`Code::HostFailed`] where it cannot be asked.
pub async fn look(publisher: &Publisher, channel: Channel, version: &str) -> Result<Option<Offer>> {
    let name = format!("{}{channel}.json", publisher.folder);
    let told: Told = serde_json::from_slice(&small(&name).await?)
        .map_err(|error| refused(format!("{name} cannot be read: {error}")))?;
    let asker = Asker { key: &publisher.key, channel, version, target: &target() };
    judge(told.manifest.as_bytes(), &told.signature, &asker)
}

/// Brings the file of an offer into this folder, and gives it only if it is the one that was signed. Tells how many bytes are there.
///
/// # Errors
/// [`Code::UpdateRefused`] for one that is another, longer or shorter; what keeps it from coming. Nothing of it is left then.
pub async fn bring(offer: &Offer, folder: &Path, mut told: impl FnMut(u64)) -> Result<PathBuf> {
    let mut file =
        tempfile::Builder::new().prefix(".standin-").suffix(".part").tempfile_in(folder).map_err(|error| {
            let message = format!("nothing can be written into {}: {error}", folder.display());
            Error::new(Code::Storage, message, "Make room there, or see who may write into it.")
        })?;
    let mut response = answered(&offer.file.url).await?;
    let (mut hash, mut there) = (Sha256::new(), 0);
    while let Some(bytes) = within(&offer.file.url, response.chunk()).await? {
        there += bytes.len() as u64;
        if there > offer.file.size {
            return Err(refused(format!("the file is larger than the {} bytes that are signed", offer.file.size)));
        }
        hash.update(&bytes);
        file.write_all(&bytes).map_err(|error| not_written(file.path(), &error))?;
        told(there);
    }
    if there != offer.file.size {
        return Err(refused(format!("{there} of {} bytes came", offer.file.size)));
    }
    let sum: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if !sum.eq_ignore_ascii_case(&offer.file.sha256) {
        return Err(refused("the file is not the one that is signed"));
    }
    file.as_file().sync_all().map_err(|error| not_written(file.path(), &error))?;
    let (_, path) = file.keep().map_err(|error| not_written(folder, &error.error))?;
    Ok(path)
}

/// Puts a file that was brought into the folder of a program in that program's place, in one step: there is always one of the two.
/// The one that runs goes on as it is.
///
/// # Errors
/// [`Code::Storage`] where that folder or file is not this user's to write; the program is as it was then.
pub fn put_in_place(brought: &Path, program: &Path) -> Result<()> {
    let put = || -> std::io::Result<()> {
        fs::set_permissions(brought, fs::metadata(program)?.permissions())?;
        fs::rename(brought, program)?;
        #[cfg(unix)]
        if let Some(folder) = program.parent() {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    put().map_err(|error| {
        // Left there it would be found by nobody.
        let _ = fs::remove_file(brought);
        not_written(program, &error)
    })
}

async fn small(url: &str) -> Result<Vec<u8>> {
    let mut response = answered(url).await?;
    let mut body = Vec::new();
    while let Some(bytes) = within(url, response.chunk()).await? {
        if body.len() + bytes.len() > SMALL {
            return Err(refused(format!("{url} is larger than a manifest can be")));
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

/// The answer of this address, or of the one that it leads to. What is sent says nothing of who asks.
async fn answered(url: &str) -> Result<Response> {
    let odd = |url: &str| Error::new(Code::Internal, format!("{url} is no address"), "Please report this.");
    let mut next = Url::parse(url).map_err(|_| odd(url))?;
    for _ in 0..=REDIRECTS {
        refuse_in_the_clear(&next)?;
        let response = within(next.as_str(), connections(&next)?.get(next.clone()).send()).await?;
        let status = response.status();
        if status.is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            next = to.and_then(|to| next.join(to).ok()).ok_or_else(|| odd(next.as_str()))?;
            continue;
        }
        return match status.is_success() {
            true => Ok(response),
            false => Err(Error::passing(
                Code::HostFailed,
                format!("{} answers {status}", next.host_str().unwrap_or_default()),
                "Nothing was changed. Try again later.",
            )),
        };
    }
    Err(refused(format!("{url} leads from one address to the next without end")))
}

/// What is signed may be read by anybody, but who asks for it need not be known on the way.
fn refuse_in_the_clear(url: &Url) -> Result<()> {
    let is_here = url.host_str().is_some_and(|host| matches!(host, "127.0.0.1" | "localhost" | "[::1]"));
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_here => Ok(()),
        scheme => Err(refused(format!("{scheme}://{} is not https", url.host_str().unwrap_or_default()))),
    }
}

async fn within<T>(url: &str, asked: impl Future<Output = reqwest::Result<T>>) -> Result<T> {
    let host = || Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| {
            let reason = error.without_url();
            let message = format!("{} could not be asked for a newer version: {reason}", host());
            Error::passing(Code::Network, message, "Nothing was changed. Check the connection, then try again.")
        }),
        Err(_) => Err(Error::passing(
            Code::TimedOut,
            format!("{} gave no answer within {} seconds", host(), PATIENCE.as_secs()),
            "Nothing was changed. Try again later.",
        )),
    }
}

fn not_written(place: &Path, error: &std::io::Error) -> Error {
    let message = format!("{} cannot be written: {error}", place.display());
    Error::new(Code::Storage, message, "Make room there, or see who may write into it; this version stays.")
}
