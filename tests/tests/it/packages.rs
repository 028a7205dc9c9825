//! The packages of Debian, as a machine meets them: installed into a root folder of its own, started, upgraded and purged.
//!
//! `cargo xtask package --check` makes them and the root folders, and names their folder in `STANDIN_PACKAGES`. Without it, or
//! without root, each test says so and is skipped. No test has a network: what a package needs is in the root folder, or the
//! package cannot be installed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes that a package may have: what a download costs.
const AT_MOST: [(&str, u64); 2] = [("standin-cli", 7_000_000), ("standin", 10_000_000)];

/// In namespaces of its own, without a network: `ROOT SCRIPT`.
const ENTER: &str = r#"set -eu
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
exec chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
  PATH=/usr/sbin:/usr/bin:/sbin:/bin /bin/sh -euc "$2"
"#;

/// Opens the window on a screen of its own, and tells what is on that screen.
const OPEN: &str = r#"
Xvfb :77 -screen 0 1280x800x24 -nolisten tcp >/tmp/screen 2>&1 &
screen=$!
export DISPLAY=:77 XDG_RUNTIME_DIR=/tmp/run NO_AT_BRIDGE=1 GTK_USE_PORTAL=0
export WEBKIT_DISABLE_DMABUF_RENDERER=1 WEBKIT_DISABLE_COMPOSITING_MODE=1
mkdir -m 700 /tmp/run
for _ in $(seq 100); do xwininfo -root >/dev/null 2>&1 && break; sleep 0.1; done
dbus-daemon --session --address=unix:path=/tmp/run/bus --fork --nopidfile
export DBUS_SESSION_BUS_ADDRESS=unix:path=/tmp/run/bus
standin-desktop >/tmp/window 2>&1 &
window=$!
seen=no
for _ in $(seq 300); do
  xwininfo -root -tree 2>/dev/null | grep '"Standin": ' && { seen=yes; break; }
  kill -0 $window 2>/dev/null || break
  sleep 0.2
done
sleep 1
kill -0 $window && echo alive
kill $window
wait $window && code=0 || code=$?
echo "seen=$seen code=$code"
kill $screen
cat /tmp/window
"#;

/// The packages that were built.
struct Packages {
    folder: PathBuf,
}

impl Packages {
    /// Them, or a word why there are none.
    fn built() -> Option<Self> {
        let Some(folder) = std::env::var_os("STANDIN_PACKAGES").map(PathBuf::from) else {
            eprintln!("skipped: STANDIN_PACKAGES names no folder; `cargo xtask package --check` makes one");
            return None;
        };
        let id = Command::new("id").arg("-u").output().unwrap();
        if id.stdout != b"0\n" {
            eprintln!("skipped: only root can install into a root folder");
            return None;
        }
        Some(Self { folder })
    }

    /// The one .deb of this name.
    fn deb(&self, name: &str) -> PathBuf {
        let entries = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let is_it = |path: &PathBuf| {
            let file = path.file_name().unwrap().to_str().unwrap();
            file.starts_with(&format!("{name}_")) && file.ends_with(".deb")
        };
        let found: Vec<_> = entries.filter(is_it).collect();
        let [one] = found.as_slice() else { panic!("{name} in {}: {found:?}", self.folder.display()) };
        one.clone()
    }

    /// A field of a package's control file.
    fn field(&self, name: &str, field: &str) -> String {
        said(Command::new("dpkg-deb").arg("--field").arg(self.deb(name)).arg(field))
    }

    /// The same package as the next version would be.
    fn next(&self, name: &str, within: &Path) -> PathBuf {
        let (root, made) = (within.join(name), within.join(format!("{name}-next.deb")));
        said(Command::new("dpkg-deb").arg("--raw-extract").arg(self.deb(name)).arg(&root));
        let path = root.join("DEBIAN/control");
        let version = self.field(name, "Version");
        let control = fs::read_to_string(&path).unwrap();
        let next = control.replace(&format!("Version: {version}"), "Version: 99.0-1");
        let next = next.replace(&format!("(= {version})"), "(= 99.0-1)");
        assert_ne!(next, control);
        fs::write(path, next).unwrap();
        said(Command::new("dpkg-deb").args(["--root-owner-group", "-Znone", "--build"]).args([&root, &made]));
        made
    }
}

/// A machine's root folder.
struct Root {
    folder: tempfile::TempDir,
}

impl Root {
    fn unpack(packages: &Packages, which: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let tar = packages.folder.join(format!("roots/{which}.tar"));
        said(Command::new("tar").arg("--extract").arg("--file").arg(tar).arg("--directory").arg(folder.path()));
        Self { folder }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Runs a script in it: whether it ended well, and all that it said.
    fn try_run(&self, script: &str) -> (bool, String) {
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "--pid",
            "--net",
            "--ipc",
            "--uts",
            "--fork",
            "--kill-child",
            "sh",
            "-c",
            ENTER,
            "sh",
        ]);
        let output = command.arg(self.folder.path()).arg(format!("exec 2>&1\n{script}")).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    }

    fn run(&self, script: &str) -> String {
        let (well, said) = self.try_run(script);
        assert!(well, "{script}\n{said}");
        said
    }

    /// Installs packages as a user does.
    fn install(&self, packages: &[PathBuf]) -> String {
        for (number, package) in packages.iter().enumerate() {
            fs::copy(package, self.path(&format!("tmp/{number}.deb"))).unwrap();
        }
        // As apt does, where one package takes over from another.
        let said = self.run("dpkg --auto-deconfigure --install /tmp/*.deb");
        for number in 0..packages.len() {
            fs::remove_file(self.path(&format!("tmp/{number}.deb"))).unwrap();
        }
        said
    }

    /// All that a package may leave behind: each path of these folders.
    fn system(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut folders = vec![self.path("usr"), self.path("etc"), self.path("opt"), self.path("var/lib/systemd")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path.clone());
                }
                found.insert(path);
            }
        }
        assert!(found.len() > 1_000, "{}", found.len());
        found
    }

    /// What a user has of Standin: configuration and memory.
    fn give_the_user_something(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = [
            ("root/.config/standin/standin.toml", "[limits]\nparallel = 4\n"),
            ("root/.local/share/standin/kept", "what Standin remembers\n"),
            ("home/me/.local/share/standin/kept", "what it remembers of somebody else\n"),
        ];
        for (path, text) in files {
            let path = self.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        files.map(|(path, text)| (self.path(path), text.as_bytes().to_vec())).into()
    }
}

/// What a command says that ends well.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn assert_kept(files: &BTreeMap<PathBuf, Vec<u8>>) {
    for (path, bytes) in files {
        assert_eq!(&fs::read(path).unwrap(), bytes, "{}", path.display());
    }
}

fn assert_same(before: &BTreeSet<PathBuf>, after: &BTreeSet<PathBuf>) {
    let left: Vec<_> = after.difference(before).collect();
    let gone: Vec<_> = before.difference(after).collect();
    assert!(left.is_empty() && gone.is_empty(), "left: {left:?}, gone: {gone:?}");
}

#[test]
fn a_package_is_no_larger_than_promised() {
    let Some(packages) = Packages::built() else { return };
    for (name, at_most) in AT_MOST {
        let size = fs::metadata(packages.deb(name)).unwrap().len();
        assert!((1_000_000..=at_most).contains(&size), "{name}: {size} bytes");
    }
}

#[test]
fn packages_say_what_they_need_and_run_nothing_when_they_come_and_go() {
    let Some(packages) = Packages::built() else { return };
    let version = packages.field("standin", "Version");
    let needs = |name: &str| packages.field(name, "Depends");
    assert!(needs("standin").contains(&format!("standin-cli (= {version})")), "{}", needs("standin"));
    for needed in ["libwebkit2gtk-4.1-0", "libayatana-appindicator3-1", "libc6 (>="] {
        assert!(needs("standin").contains(needed), "{}", needs("standin"));
    }
    for needed in ["git (>= 1:2.36)", "libc6 (>="] {
        assert!(needs("standin-cli").contains(needed), "{}", needs("standin-cli"));
    }
    for never in ["webkit", "gtk", "appindicator", "dbus", "javascript"] {
        assert!(!needs("standin-cli").contains(never), "{}", needs("standin-cli"));
    }
    for name in ["standin", "standin-cli"] {
        assert!(packages.field(name, "Recommends").starts_with("gh "), "{name}");
        let folder = tempfile::tempdir().unwrap();
        let control = folder.path().join("control");
        said(Command::new("dpkg-deb").arg("--control").arg(packages.deb(name)).arg(&control));
        let entries = fs::read_dir(control).unwrap();
        let files: BTreeSet<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(files, BTreeSet::from(["control".to_owned(), "md5sums".to_owned()]), "{name}");
    }
}

#[test]
fn a_server_gets_the_command_line_and_leaves_it_without_a_trace() {
    let Some(packages) = Packages::built() else { return };
    let root = Root::unpack(&packages, "server");
    let (before, kept) = (root.system(), root.give_the_user_something());
    let installed = |root: &Root| root.run("dpkg-query --show --showformat '${Package}\\n'");
    for window in ["webkit", "gtk", "x11"] {
        assert!(!installed(&root).contains(window), "a server has {window}");
    }

    let only_window = packages.deb("standin");
    fs::copy(&only_window, root.path("tmp/window.deb")).unwrap();
    let (well, why) = root.try_run("dpkg --install /tmp/window.deb");
    assert!(!well && why.contains("depends on standin-cli (="), "{why}");
    root.run("dpkg --purge standin && rm /tmp/window.deb");

    root.install(&[packages.deb("standin-cli")]);
    let version = packages.field("standin-cli", "Version");
    let (short, _) = version.split_once('-').unwrap();
    assert_eq!(root.run("standin --version").trim(), format!("standin {short}"));
    let libraries = root.run("ldd /usr/bin/standin");
    assert!(libraries.contains("libc.so.6") && !libraries.contains("not found"), "{libraries}");
    root.run(
        "cd /tmp && git init --quiet work && cd work && standin status --json --state-dir /tmp/state || test $? -eq 2",
    );
    let man = root.run("gzip --decompress --stdout /usr/share/man/man1/standin-promote.1.gz");
    assert!(man.contains("Make a standby the master"), "{man}");
    for shell in [
        "bash-completion/completions/standin",
        "zsh/vendor-completions/_standin",
        "fish/vendor_completions.d/standin.fish",
    ] {
        assert!(root.path("usr/share").join(shell).is_file(), "{shell}");
    }
    let completed = root.run(
        "bash -c '. /usr/share/bash-completion/completions/standin; COMP_WORDS=(standin pro); COMP_CWORD=1; \
         _standin standin pro standin; echo ${COMPREPLY[@]}'",
    );
    assert_eq!(completed.trim(), "promote");
    let verified = root.run("dpkg --verify standin-cli && dpkg --status standin-cli");
    assert!(verified.contains("Status: install ok installed"), "{verified}");

    let next = tempfile::tempdir().unwrap();
    root.install(&[packages.next("standin-cli", next.path())]);
    assert!(root.run("dpkg --status standin-cli").contains("\nVersion: 99.0-1\n"));
    root.run("standin --version");
    assert_kept(&kept);

    root.run("dpkg --purge standin-cli");
    assert_same(&before, &root.system());
    assert_kept(&kept);
}

#[test]
fn a_desktop_gets_a_window_that_opens_and_leaves_it_without_a_trace() {
    let Some(packages) = Packages::built() else { return };
    let root = Root::unpack(&packages, "desktop");
    let (before, kept) = (root.system(), root.give_the_user_something());
    root.install(&[packages.deb("standin-cli"), packages.deb("standin")]);

    for path in [
        "applications/app.standin.desktop.desktop",
        "metainfo/app.standin.desktop.metainfo.xml",
        "icons/hicolor/scalable/apps/app.standin.desktop.svg",
        "icons/hicolor/symbolic/apps/app.standin.desktop-symbolic.svg",
        "icons/hicolor/32x32/apps/app.standin.desktop.png",
        "icons/hicolor/128x128/apps/app.standin.desktop.png",
        "icons/hicolor/256x256/apps/app.standin.desktop.png",
        "doc/standin/copyright",
        "doc/standin/changelog.Debian.gz",
    ] {
        assert!(root.path("usr/share").join(path).is_file(), "{path}");
    }
    // Every option that the program has is in its page, which is written by hand.
    let (help, page) =
        (root.run("standin-desktop --help"), root.run("gzip -dc /usr/share/man/man1/standin-desktop.1.gz"));
    let options: Vec<_> = help.split_whitespace().filter(|word| word.starts_with("--")).collect();
    assert!(options.len() >= 5, "{help}");
    for option in options {
        assert!(page.contains(&option.replace('-', "\\-")), "{option}: {page}");
    }

    let opened = root.run(OPEN);
    // It ends at a safe point when it is asked to.
    assert!(opened.contains("alive\n") && opened.contains("seen=yes code=0"), "{opened}");

    let next = tempfile::tempdir().unwrap();
    root.install(&[packages.next("standin-cli", next.path()), packages.next("standin", next.path())]);
    assert!(root.run("dpkg --status standin").contains("\nVersion: 99.0-1\n"));
    assert_kept(&kept);

    let (well, why) = root.try_run("dpkg --purge standin-cli");
    assert!(!well && why.contains("standin depends on standin-cli"), "{why}");
    root.run("dpkg --purge standin standin-cli");
    assert_same(&before, &root.system());
    assert_kept(&kept);
}

#[test]
fn the_window_takes_over_from_the_package_that_had_both_programs() {
    let Some(packages) = Packages::built() else { return };
    let root = Root::unpack(&packages, "desktop");
    let old = tempfile::tempdir().unwrap();
    let tree = old.path().join("tree");
    fs::create_dir_all(tree.join("usr/bin")).unwrap();
    fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    for program in ["standin", "standin-desktop"] {
        fs::write(tree.join("usr/bin").join(program), "old").unwrap();
    }
    let control =
        "Package: standin\nVersion: 0.0.9\nArchitecture: all\nMaintainer: x <x@example.com>\nDescription: both\n";
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    let both = old.path().join("both.deb");
    said(Command::new("dpkg-deb").args(["--root-owner-group", "-Znone", "--build"]).args([&tree, &both]));
    root.install(&[both]);
    root.install(&[packages.deb("standin-cli"), packages.deb("standin")]);
    assert!(root.run("standin --version").starts_with("standin "));
    root.run("dpkg --verify standin standin-cli");
}
