use std::sync::Mutex;

use async_trait::async_trait;

use super::*;

/// A keychain in memory; `None` is one that cannot be used.
#[derive(Default)]
struct Memory(Mutex<Option<BTreeMap<String, SecretString>>>);

/// A keychain that answers at once, and is ended before it has written: who comes anew finds nothing in the entry.
#[derive(Default)]
struct Forgetful(Memory);

#[async_trait]
impl Keychain for Forgetful {
    async fn get(&self, account: &str) -> Result<Option<SecretString>> {
        self.0.get(account).await
    }

    async fn get_afresh(&self, _account: &str) -> Result<Option<SecretString>> {
        Err(Error::new(Code::KeychainEmpty, "the keychain's entry is empty", ""))
    }

    async fn set(&self, account: &str, value: &SecretString) -> Result<()> {
        self.0.set(account, value).await
    }

    async fn remove(&self, account: &str) -> Result<bool> {
        self.0.remove(account).await
    }
}

impl Memory {
    fn usable() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(BTreeMap::new()))))
    }

    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<String, SecretString>) -> T) -> Result<T> {
        let locked = || Error::new(Code::KeychainUnavailable, "the keychain cannot be used: this session has none", "");
        self.0.lock().unwrap().as_mut().map(work).ok_or_else(locked)
    }
}

#[async_trait]
impl Keychain for Memory {
    async fn get(&self, account: &str) -> Result<Option<SecretString>> {
        self.with(|entries| entries.get(account).cloned())
    }

    async fn set(&self, account: &str, value: &SecretString) -> Result<()> {
        self.with(|entries| drop(entries.insert(account.to_owned(), value.clone())))
    }

    async fn remove(&self, account: &str) -> Result<bool> {
        self.with(|entries| entries.remove(account).is_some())
    }
}

fn site() -> RepositoryId {
    "site".parse().unwrap()
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

async fn shown(vault: &Vault, repository: &RepositoryId) -> Vec<(String, String)> {
    let values = vault.values(repository).await.unwrap();
    values.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect()
}

#[tokio::test]
async fn values_come_back_byte_for_byte_and_each_repository_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::new(folder.path(), Memory::usable());
    let other: RepositoryId = "other".parse().unwrap();
    assert!(vault.values(&site()).await.unwrap().is_empty());
    for (name, value) in [("A", "line\r\n\n"), ("B", "'\"$x\\ #\u{0}ä"), ("A", " new \n")] {
        vault.set(&site(), name, &secret(value)).await.unwrap();
    }
    vault.set(&other, "A", &secret("other")).await.unwrap();
    let expected = [("A", " new \n"), ("B", "'\"$x\\ #\u{0}ä")].map(|(name, value)| (name.into(), value.into()));
    assert_eq!(shown(&vault, &site()).await, expected);
    assert_eq!(vault.names(&other).unwrap(), BTreeSet::from(["A".to_owned()]));
    assert!(vault.remove(&site(), "A").await.unwrap() && !vault.remove(&site(), "A").await.unwrap());
    assert_eq!(shown(&vault, &site()).await, expected[1..]);
    assert_eq!(shown(&vault, &other).await, [("A".into(), "other".into())]);
}

#[tokio::test]
async fn the_file_is_its_owners_and_holds_names_but_no_value() {
    let folder = tempfile::tempdir().unwrap();
    let keychain = Memory::usable();
    let vault = Vault::new(folder.path(), keychain.clone());
    vault.set(&site(), "NAME", &secret("canary-value")).await.unwrap();
    let first = std::fs::read(vault.path()).unwrap();
    vault.set(&site(), "NAME", &secret("canary-value")).await.unwrap();
    let second = std::fs::read(vault.path()).unwrap();
    let head = b"standin vault 1\n{\"site\":[\"NAME\"]}\n";
    for bytes in [&first, &second] {
        assert!(bytes.starts_with(head));
        assert!(!bytes.windows(6).any(|window| window == b"canary"));
    }
    assert_ne!(first[head.len()..], second[head.len()..], "each writing has its own nonce");
    let key = keychain.get(ACCOUNT).await.unwrap().unwrap();
    assert_eq!(BASE64.decode(key.expose_secret()).unwrap().len(), 32);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(vault.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn any_change_of_the_file_is_found_out_and_nothing_is_written_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::new(folder.path(), Memory::usable());
    vault.set(&site(), "NAME", &secret("value")).await.unwrap();
    let good = std::fs::read(vault.path()).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(vault.path(), &bad).unwrap();
        // A name that reads otherwise may belong to another repository: setting opens the whole file in any case.
        let error = vault.set(&site(), "OTHER", &secret("x")).await.unwrap_err();
        assert_eq!(error.code, Code::Storage, "byte {at}");
        assert!(error.message.contains(FILE), "byte {at}: {error}");
        assert_eq!(std::fs::read(vault.path()).unwrap(), bad, "byte {at}: left as it is");
    }
    for length in 0..good.len() {
        std::fs::write(vault.path(), &good[..length]).unwrap();
        assert_eq!(vault.set(&site(), "OTHER", &secret("x")).await.unwrap_err().code, Code::Storage, "{length} bytes");
    }
    std::fs::write(vault.path(), &good).unwrap();
    assert_eq!(shown(&vault, &site()).await, [("NAME".into(), "value".into())]);
}

#[tokio::test]
async fn without_its_key_a_vault_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let keychain = Memory::usable();
    let vault = Vault::new(folder.path(), keychain.clone());
    vault.set(&site(), "NAME", &secret("value")).await.unwrap();
    let before = std::fs::read(vault.path()).unwrap();
    let key = keychain.get(ACCOUNT).await.unwrap().unwrap();
    let other = secret(&BASE64.encode([7; 32]));
    for (wrong, code) in [
        (None, Code::KeychainUnavailable),
        (Some(secret("junk")), Code::KeychainUnavailable),
        (Some(other), Code::Storage),
    ] {
        match wrong {
            Some(wrong) => keychain.set(ACCOUNT, &wrong).await.unwrap(),
            None => drop(keychain.remove(ACCOUNT).await.unwrap()),
        }
        for error in [
            vault.values(&site()).await.unwrap_err(),
            vault.set(&site(), "NAME", &secret("x")).await.unwrap_err(),
            vault.remove(&site(), "NAME").await.unwrap_err(),
        ] {
            assert_eq!(error.code, code, "{error}");
            assert!(!error.hint.is_empty());
        }
        assert_eq!(std::fs::read(vault.path()).unwrap(), before);
    }
    keychain.set(ACCOUNT, &key).await.unwrap();
    assert_eq!(shown(&vault, &site()).await, [("NAME".into(), "value".into())]);
}

#[tokio::test]
async fn without_a_keychain_nothing_is_written_and_the_hint_names_env() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::new(folder.path(), Arc::new(Memory::default()));
    let error = vault.set(&site(), "NAME", &secret("value")).await.unwrap_err();
    assert_eq!(error.code, Code::KeychainUnavailable);
    assert!(error.hint.contains("`.env`"), "{}", error.hint);
    assert!(!vault.path().exists());
    assert!(vault.values(&site()).await.unwrap().is_empty(), "what holds nothing needs no key");
}

#[tokio::test]
async fn nothing_is_sealed_with_a_new_key_that_is_not_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let usable = Memory(Mutex::new(Some(BTreeMap::new())));
    let vault = Vault::new(folder.path(), Arc::new(Forgetful(usable)));
    let error = vault.set(&site(), "NAME", &secret("value")).await.unwrap_err();
    assert_eq!(error.code, Code::KeychainFailed);
    assert_eq!(error.message, "the vault's key could not be had: the keychain does not keep what it is given");
    assert!(!vault.path().exists());
}

#[tokio::test]
async fn values_that_no_secret_can_have_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::new(folder.path(), Memory::usable());
    for bad in [String::new(), "x".repeat(VALUE_LIMIT + 1)] {
        assert_eq!(vault.set(&site(), "NAME", &secret(&bad)).await.unwrap_err().code, Code::Usage);
    }
    vault.set(&site(), "NAME", &secret(&"x".repeat(VALUE_LIMIT))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_write_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let keychain = Memory::usable();
    let writers = (0..24).map(|number| {
        let vault = Vault::new(folder.path(), keychain.clone());
        tokio::spawn(async move { vault.set(&site(), &format!("NAME_{number}"), &secret("value")).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(Vault::new(folder.path(), keychain).names(&site()).unwrap().len(), 24);
}
