//! The file: a line that says what it is, a line with the names, then a nonce and the values sealed by
//! XChaCha20-Poly1305. The two lines are sealed along, so that they cannot be changed or taken from another vault.

use std::collections::BTreeMap;

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::TryRng as _;
use secrecy::{ExposeSecret as _, SecretString};
use standin_state::model::RepositoryId;
use zeroize::Zeroizing;

use super::{Names, Values};

/// Length of the key.
pub(super) const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const FIRST_LINE: &[u8] = b"standin vault 1\n";

/// A vault as it lies on the disk.
pub(super) struct Sealed {
    /// What the second line says is in it.
    pub(super) names: Names,
    bytes: Vec<u8>,
    /// Where the two lines end.
    head: usize,
}

impl Sealed {
    /// Reads what is in the clear; `None` for what is no vault of this version.
    pub(super) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let rest = bytes.strip_prefix(FIRST_LINE)?;
        let line = rest.iter().position(|byte| *byte == b'\n')?;
        let names: Names = serde_json::from_slice(&rest[..line]).ok()?;
        let head = FIRST_LINE.len() + line + 1;
        (bytes.len() >= head + NONCE_BYTES + TAG_BYTES).then_some(Self { names, bytes, head })
    }

    /// The values; `None` where the key is another one, or the file is not as it was sealed.
    pub(super) fn open(self, key: &[u8; KEY_BYTES]) -> Option<BTreeMap<RepositoryId, Values>> {
        let (head, rest) = self.bytes.split_at(self.head);
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let mut text = Zeroizing::new(sealed.to_vec());
        let cipher = XChaCha20Poly1305::new(key.into());
        cipher.decrypt_in_place(&XNonce::from(*nonce), head, &mut *text).ok()?;
        decode(&text)
    }
}

/// The file with these values; `None` where the system gives no random numbers.
pub(super) fn seal(all: &BTreeMap<RepositoryId, Values>, key: &[u8; KEY_BYTES]) -> Option<Vec<u8>> {
    let names: BTreeMap<&RepositoryId, Vec<&String>> =
        all.iter().map(|(repository, values)| (repository, values.keys().collect())).collect();
    let mut file = FIRST_LINE.to_vec();
    serde_json::to_writer(&mut file, &names).ok()?;
    file.push(b'\n');
    // Zeroed when dropped, until it is sealed and nothing to hide any more.
    let mut text = Zeroizing::new(encode(all)?);
    let nonce = random::<NONCE_BYTES>()?;
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.encrypt_in_place(&XNonce::from(nonce), &file, &mut *text).ok()?;
    file.extend_from_slice(&nonce);
    file.extend_from_slice(&text);
    Some(file)
}

/// Bytes from the operating system.
pub(super) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).ok()?;
    Some(bytes)
}

/// Repository, name and value of each secret, each with its length before it. No JSON: its reader would leave copies of
/// values behind.
fn encode(all: &BTreeMap<RepositoryId, Values>) -> Option<Vec<u8>> {
    let parts: Vec<[&[u8]; 3]> = all
        .iter()
        .flat_map(|(repository, values)| {
            values.iter().map(move |(name, value)| {
                [repository.as_str().as_bytes(), name.as_bytes(), value.expose_secret().as_bytes()]
            })
        })
        .collect();
    let length: usize = parts.iter().flatten().map(|part| part.len() + size_of::<u32>()).sum();
    // Never moved while it grows: what is left behind would not be zeroed.
    let mut text = Vec::with_capacity(length + TAG_BYTES);
    for part in parts.iter().flatten() {
        text.extend_from_slice(&u32::try_from(part.len()).ok()?.to_be_bytes());
        text.extend_from_slice(part);
    }
    Some(text)
}

fn decode(mut text: &[u8]) -> Option<BTreeMap<RepositoryId, Values>> {
    let mut all: BTreeMap<RepositoryId, Values> = BTreeMap::new();
    while !text.is_empty() {
        let repository = std::str::from_utf8(part(&mut text)?).ok()?.parse().ok()?;
        let name = std::str::from_utf8(part(&mut text)?).ok()?.to_owned();
        let value = std::str::from_utf8(part(&mut text)?).ok()?;
        all.entry(repository).or_default().insert(name, SecretString::from(value));
    }
    Some(all)
}

fn part<'a>(text: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = text.split_first_chunk()?;
    let (part, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *text = rest;
    Some(part)
}
