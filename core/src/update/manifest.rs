//! What a manifest says, and whether this program may take what it offers. Pure: nothing is asked and nothing is written.

use std::collections::BTreeMap;

use minisign_verify::{PublicKey, Signature};
use semver::Version;
use serde::{Deserialize, Serialize};
use standin_state::config::Channel;
use ts_rs::TS;

use crate::{Code, Error, Result};

/// The shape that this program reads.
const SCHEMA: u32 = 1;
/// No program of ours is larger, in bytes.
const LARGEST: u64 = 512 * 1024 * 1024;

/// The one file that a program reads: two would be of two releases for a moment, each time that they are replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The manifest, as it was signed.
    pub manifest: String,
    /// The signature, as minisign writes it.
    pub signature: String,
}

/// What a release says of itself. Written by the release workflow, signed as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The shape: 1.
    pub schema: u32,
    /// Who follows which channel takes no other's.
    pub channel: Channel,
    /// The version, such as `1.2.0`.
    pub version: String,
    /// Where it is told what is new.
    pub notes: String,
    /// The files, by what they are for: `linux-x86_64`, `macos`, `windows-x86_64`.
    pub files: BTreeMap<String, ReleasedFile>,
}

/// One file of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ReleasedFile {
    /// Where it is.
    pub url: String,
    /// Its size in bytes.
    #[ts(type = "number")]
    pub size: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// A newer version that this program may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Offer {
    /// Its version.
    pub version: String,
    /// Where it is told what is new.
    pub notes: String,
    /// The file for this system.
    pub file: ReleasedFile,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The key that the signature must be of.
    pub key: &'a str,
    /// The channel that is followed.
    pub channel: Channel,
    /// The version that runs.
    pub version: &'a str,
    /// What files for this system are called.
    pub target: &'a str,
}

/// Judges a manifest, which must be signed as it stands; `None` where it offers nothing newer than this version.
///
/// # Errors
/// [`Code::UpdateRefused`] for a signature that is not of this key or not of these bytes, and for a manifest of another channel or
/// shape.
pub fn judge(manifest: &[u8], signature: &str, asker: &Asker<'_>) -> Result<Option<Offer>> {
    let key = PublicKey::from_base64(asker.key).map_err(|error| {
        Error::new(Code::Internal, format!("the key for updates cannot be read: {error}"), "Please report this.")
    })?;
    let signature =
        Signature::decode(signature).map_err(|error| refused(format!("its signature cannot be read: {error}")))?;
    key.verify(manifest, &signature, false)
        .map_err(|error| refused(format!("it is not signed by who makes Standin: {error}")))?;
    // From here on it is their word, as it was written.
    let manifest: Manifest =
        serde_json::from_slice(manifest).map_err(|error| refused(format!("it cannot be read: {error}")))?;
    if manifest.schema != SCHEMA {
        return Err(refused(format!("it has the shape {}, and this version reads {SCHEMA}", manifest.schema)));
    }
    if manifest.channel != asker.channel {
        let (theirs, ours) = (manifest.channel, asker.channel);
        return Err(refused(format!("it is of the channel {theirs}, and this program follows {ours}")));
    }
    let (theirs, ours) = (version(&manifest.version)?, version(asker.version)?);
    // An older one is never taken: it would bring faults back that are mended. Nothing is wrong with it for who tried what
    // comes next and follows what was released again.
    if theirs <= ours {
        return Ok(None);
    }
    let Some(file) = manifest.files.get(asker.target) else { return Ok(None) };
    let is_hash = file.sha256.len() == 64 && file.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hash || file.size == 0 || file.size > LARGEST {
        return Err(refused(format!("what it says of the file for {} makes no sense", asker.target)));
    }
    Ok(Some(Offer { version: manifest.version, notes: manifest.notes, file: file.clone() }))
}

fn version(text: &str) -> Result<Version> {
    Version::parse(text).map_err(|error| refused(format!("`{text}` is no version: {error}")))
}

/// What is refused changes nothing; who sees it more than once should be told by somebody else.
pub(super) fn refused(reason: impl std::fmt::Display) -> Error {
    Error::new(
        Code::UpdateRefused,
        format!("the newer version was not taken: {reason}"),
        "Nothing was changed. Try again later; if it comes back, take the new version by hand, from the project's releases.",
    )
}
