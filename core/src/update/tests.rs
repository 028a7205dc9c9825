use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use minisign::{KeyPair, sign};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::manifest::{Asker, Manifest, ReleasedFile, Told};
use super::*;
use crate::{Code, Error};

const PROGRAM: &[u8] = b"the newer program";

struct Maker {
    keys: KeyPair,
    key: String,
}

impl Maker {
    fn new() -> Self {
        let keys = KeyPair::generate_unencrypted_keypair().unwrap();
        Self { key: keys.pk.to_base64(), keys }
    }

    /// The one file that a program reads.
    fn told(&self, manifest: &[u8]) -> Vec<u8> {
        let told = Told { manifest: String::from_utf8(manifest.to_vec()).unwrap(), signature: self.sign(manifest) };
        serde_json::to_vec(&told).unwrap()
    }

    fn sign(&self, text: &[u8]) -> String {
        sign(Some(&self.keys.pk), &self.keys.sk, Cursor::new(text), None, None).unwrap().into_string()
    }
}

fn manifest(version: &str, channel: Channel, url: &str) -> Manifest {
    let sha256: String = Sha256::digest(PROGRAM).iter().map(|byte| format!("{byte:02x}")).collect();
    let file = ReleasedFile { url: url.to_owned(), size: PROGRAM.len() as u64, sha256 };
    Manifest {
        schema: 1,
        channel,
        version: version.to_owned(),
        notes: "https://example.com/notes".to_owned(),
        files: BTreeMap::from([(target(), file)]),
    }
}

fn bytes(manifest: &Manifest) -> Vec<u8> {
    serde_json::to_vec(manifest).unwrap()
}

fn judged(maker: &Maker, manifest: &[u8], signature: &str) -> crate::Result<Option<Offer>> {
    let asker = Asker { key: &maker.key, channel: Channel::Stable, version: "1.2.0", target: &target() };
    judge(manifest, signature, &asker)
}

fn reason<T: std::fmt::Debug>(refused: crate::Result<T>) -> String {
    let Error { code, message, .. } = refused.unwrap_err();
    assert_eq!(code, Code::UpdateRefused, "{message}");
    message
}

#[test]
fn a_newer_version_is_offered_and_this_one_or_an_older_one_never() {
    let maker = Maker::new();
    for (version, offered) in [
        ("1.2.1", true),
        ("2.0.0", true),
        ("1.2.0", false),
        ("1.10.0", true),
        ("1.2.1-rc.1", true),
        ("1.1.9", false),
        ("1.2.0-rc.1", false),
        ("0.9.0", false),
    ] {
        let text = bytes(&manifest(version, Channel::Stable, "https://example.com/standin"));
        let offer = judged(&maker, &text, &maker.sign(&text)).unwrap();
        assert_eq!(offer.is_some(), offered, "{version}");
        assert!(offer.is_none_or(|offer| offer.version == version && offer.file.size == PROGRAM.len() as u64));
    }
    // One that has nothing for this system is none.
    let other =
        Manifest { files: BTreeMap::new(), ..manifest("1.3.0", Channel::Stable, "https://example.com/standin") };
    let text = bytes(&other);
    assert_eq!(judged(&maker, &text, &maker.sign(&text)).unwrap(), None);
}

#[test]
fn what_is_not_signed_as_it_stands_is_refused_whatever_byte_is_another() {
    let (maker, other) = (Maker::new(), Maker::new());
    let text = bytes(&manifest("1.3.0", Channel::Stable, "https://example.com/standin"));
    let signature = maker.sign(&text);
    assert!(judged(&maker, &text, &signature).unwrap().is_some());
    for at in 0..text.len() {
        let mut flipped = text.clone();
        flipped[at] ^= 1;
        assert!(reason(judged(&maker, &flipped, &signature)).contains("not signed"), "byte {at}");
    }
    assert!(reason(judged(&maker, &text, &other.sign(&text))).contains("not signed"));
    for broken in ["", "untrusted comment: x\n", &signature[..signature.len() / 2]] {
        reason(judged(&maker, &text, broken));
    }
    // The comment of a signature is signed as well.
    let comment = signature.lines().nth(2).unwrap();
    reason(judged(&maker, &text, &signature.replace(comment, "trusted comment: another")));
}

#[test]
fn one_of_another_channel_of_another_shape_or_without_sense_is_refused() {
    let maker = Maker::new();
    let good = manifest("1.3.0", Channel::Stable, "https://example.com/standin");
    let file = |change: &dyn Fn(&mut ReleasedFile)| {
        let mut manifest = good.clone();
        manifest.files.values_mut().for_each(change);
        manifest
    };
    for (manifest, told) in [
        (Manifest { version: "newest".to_owned(), ..good.clone() }, "no version"),
        (Manifest { channel: Channel::Beta, ..good.clone() }, "channel beta"),
        (Manifest { schema: 2, ..good.clone() }, "shape 2"),
        (file(&|file| file.sha256 = "x".repeat(64)), "no sense"),
        (file(&|file| file.sha256.truncate(63)), "no sense"),
        (file(&|file| file.size = 0), "no sense"),
        (file(&|file| file.size = u64::MAX), "no sense"),
    ] {
        let text = bytes(&manifest);
        let message = reason(judged(&maker, &text, &maker.sign(&text)));
        assert!(message.contains(told), "{told}: {message}");
    }
    let odd = b"{\"schema\": 1}";
    reason(judged(&maker, odd, &maker.sign(odd)));
}

/// What a path is answered with.
type Answers = BTreeMap<String, Vec<u8>>;

fn whole(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn leads_to(url: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into_bytes()
}

/// A server that says these bytes and closes.
async fn server(answers: impl FnOnce(SocketAddr) -> Answers) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers = Arc::new(answers(address));
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answers = answers.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                        return;
                    }
                    request.push(byte[0]);
                }
                let text = String::from_utf8(request).unwrap();
                assert!(!text.to_ascii_lowercase().contains("authorization"), "{text}");
                let path = text.split(' ').nth(1).unwrap().to_owned();
                let answer = answers.get(&path).cloned().unwrap_or_else(|| whole("404 Not Found", b""));
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    (address, task)
}

#[tokio::test]
async fn a_release_is_found_brought_and_put_in_place_while_the_old_one_runs() {
    let maker = Maker::new();
    let (address, task) = server(|address| {
        // Release files are kept elsewhere than they are named.
        let text = bytes(&manifest("9.0.0", Channel::Stable, &format!("http://{address}/named")));
        BTreeMap::from([
            ("/updates/stable.json".to_owned(), whole("200 OK", &maker.told(&text))),
            ("/named".to_owned(), leads_to("/kept")),
            ("/kept".to_owned(), whole("200 OK", PROGRAM)),
        ])
    })
    .await;
    let publisher = Publisher { folder: format!("http://{address}/updates/"), key: maker.key.clone() };
    let offer = look(&publisher, Channel::Stable, "1.2.0").await.unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("Standin.AppImage");
    fs::write(&program, "the old program").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let running = fs::File::open(&program).unwrap();
    let mut told = Vec::new();
    let brought = bring(&offer, folder.path(), |bytes| told.push(bytes)).await.unwrap();
    assert_eq!(told.last(), Some(&offer.file.size));
    assert_eq!(fs::read(&program).unwrap(), b"the old program", "it is only brought");
    put_in_place(&brought, &program).unwrap();
    assert_eq!(fs::read(&program).unwrap(), PROGRAM);
    assert_eq!(fs::metadata(&program).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(std::io::read_to_string(running).unwrap(), "the old program");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    // Of another channel there is nothing there.
    let none = look(&publisher, Channel::Beta, "1.2.0").await.unwrap_err();
    assert_eq!((none.code, none.retryable), (Code::HostFailed, true), "{none}");
    task.abort();
}

#[tokio::test]
async fn a_download_that_is_cut_longer_or_another_leaves_nothing_and_changes_nothing() {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", PROGRAM.len());
    let cut = [head.as_bytes(), &PROGRAM[..5]].concat();
    let open = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let mut flipped = PROGRAM.to_vec();
    flipped[3] ^= 1;
    let (address, task) = server(|address| {
        BTreeMap::from([
            ("/cut".to_owned(), cut),
            ("/short".to_owned(), [open, &PROGRAM[..5]].concat()),
            ("/long".to_owned(), [open, PROGRAM, b"!"].concat()),
            ("/flipped".to_owned(), whole("200 OK", &flipped)),
            ("/gone".to_owned(), whole("410 Gone", b"")),
            ("/round".to_owned(), leads_to(&format!("http://{address}/round"))),
            ("/clear".to_owned(), leads_to("http://mirror.example.com/standin")),
            ("/file".to_owned(), leads_to("file:///etc/hostname")),
        ])
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    for (path, code) in [
        ("cut", Code::Network),
        ("short", Code::UpdateRefused),
        ("long", Code::UpdateRefused),
        ("flipped", Code::UpdateRefused),
        ("gone", Code::HostFailed),
        ("round", Code::UpdateRefused),
        ("clear", Code::UpdateRefused),
        ("file", Code::UpdateRefused),
    ] {
        let manifest = manifest("9.0.0", Channel::Stable, &format!("http://{address}/{path}"));
        let offer = Offer { version: manifest.version, notes: manifest.notes, file: manifest.files[&target()].clone() };
        let refused = bring(&offer, folder.path(), |_| {}).await.unwrap_err();
        assert_eq!(refused.code, code, "{path}: {refused}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{path} left something");
    }
    // A place that cannot be written.
    let program = folder.path().join("nowhere/Standin.AppImage");
    let brought = folder.path().join("brought");
    fs::File::create(&brought).unwrap().write_all(PROGRAM).unwrap();
    assert_eq!(put_in_place(&brought, &program).unwrap_err().code, Code::Storage);
    assert!(!brought.exists(), "nothing is left");
    task.abort();
}

#[tokio::test]
async fn a_manifest_without_end_is_not_read() {
    let maker = Maker::new();
    let (address, task) = server(|_| {
        let endless = [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".as_slice(), &vec![b' '; 100_000]].concat();
        BTreeMap::from([("/stable.json".to_owned(), endless)])
    })
    .await;
    let publisher = Publisher { folder: format!("http://{address}/"), key: maker.key.clone() };
    assert!(reason(look(&publisher, Channel::Stable, "1.2.0").await).contains("larger than a manifest"));
    task.abort();
}

#[tokio::test]
async fn a_package_managers_program_is_left_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let tool = |name: &str, script: &str| {
        fs::write(path(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    let environment = |more: &[(&str, &str)]| -> BTreeMap<String, String> {
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let all = [("PATH", path.as_str())].into_iter().chain(more.iter().copied());
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let program = path("standin-desktop");
    fs::write(&program, "").unwrap();
    tool("dpkg-query", "echo \"standin: $2\"");
    let owner = owner::of(&program, &environment(&[])).await;
    let Owner::PackageManager { manager, package, .. } = &owner else { panic!("{owner:?}") };
    assert_eq!((manager.as_str(), package.as_str()), ("apt", "standin"));
    assert!(!owner.is_itself());
    assert!(owner.advice().unwrap().contains("sudo apt install --only-upgrade standin"));
    tool("dpkg-query", "echo no path found >&2; exit 1");
    tool("rpm", "printf standin");
    let owner = owner::of(&program, &environment(&[])).await;
    assert!(owner.advice().unwrap().contains("sudo dnf upgrade standin"), "{owner:?}");
    tool("rpm", "echo \"file $4 is not owned by any package\"; exit 1");
    assert_eq!(owner::of(&program, &environment(&[])).await, Owner::Nobody);
    // An image of its own: what runs lies in the image's mount. What another image started is not part of that one.
    let (image, mount) = (path("Standin.AppImage"), path("mount"));
    fs::write(&image, "").unwrap();
    fs::create_dir_all(mount.join("usr/bin")).unwrap();
    let inside = mount.join("usr/bin/standin-desktop");
    fs::write(&inside, "").unwrap();
    let (image, mount) = (image.display().to_string(), mount.display().to_string());
    let of_image = environment(&[("APPIMAGE", &image), ("APPDIR", &mount)]);
    let owner = owner::of(&inside, &of_image).await;
    assert!(matches!(&owner, Owner::Itself { file } if file.display().to_string() == image), "{owner:?}");
    assert_eq!(owner::of(&program, &of_image).await, Owner::Nobody, "it was started from another image");
    let not_running = environment(&[("APPIMAGE", &image)]);
    assert_eq!(owner::of(&program, &not_running).await, Owner::Nobody);
}
