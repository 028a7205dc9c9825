//! Keyed fingerprints: enough to see that a value changed, useless to learn it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use standin_state::model::{MirrorId, RepositoryId};

/// The fingerprint of a value for one name on one mirror; hexadecimal. The same value under another name or on another
/// mirror has another fingerprint.
pub(super) fn fingerprint(
    key: &[u8; 32],
    repository: &RepositoryId,
    mirror: &MirrorId,
    name: &str,
    value: &SecretString,
) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in [repository.as_str(), mirror.as_str(), name, value.expose_secret()] {
        // With its length, so that no two lists of parts run together to the same text.
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_changes_the_fingerprint() {
        let of = |key: u8, repository: &str, mirror: &str, name: &str, value: &str| {
            fingerprint(
                &[key; 32],
                &repository.parse().unwrap(),
                &mirror.parse().unwrap(),
                name,
                &SecretString::from(value),
            )
        };
        let base = of(1, "r", "m", "N", "v");
        assert_eq!(base.len(), 64);
        assert_eq!(base, of(1, "r", "m", "N", "v"));
        for other in [
            of(2, "r", "m", "N", "v"),
            of(1, "x", "m", "N", "v"),
            of(1, "r", "x", "N", "v"),
            of(1, "r", "m", "X", "v"),
            of(1, "r", "m", "N", "x"),
            of(1, "rm", "N", "v", "x"),
        ] {
            assert_ne!(base, other);
        }
    }
}
