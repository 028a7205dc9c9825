//! What somebody else prepared decides nothing about a pull: a folder that calls itself the copy, a file in the upstream that says
//! where large files are, settings that never end.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use standin_tests::upstream::{COPY, REPOSITORY, Upstream, git};

fn upstream() -> Upstream {
    Upstream::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

/// A folder like the copy of the mirror, with these settings more.
fn prepared(upstream: &Upstream, settings: &str) -> PathBuf {
    let path = upstream.folder().join("data.git");
    git(upstream.folder(), &["init", "-q", "--bare", "data.git"]);
    let mut text = fs::read_to_string(path.join("config")).unwrap();
    text.push_str(&format!("[standin]\n\tcopy = {REPOSITORY}/{COPY}\n{settings}"));
    fs::write(path.join("config"), text).unwrap();
    fs::write(path.join("libgit2.config"), "[core]\n\tfsyncObjectFiles = true\n").unwrap();
    path
}

fn refs(folder: &Path) -> String {
    git(folder, &["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"])
}

#[test]
fn the_settings_of_a_folder_that_was_not_made_here_are_put_aside() {
    let upstream = upstream();
    git(upstream.folder(), &["init", "-q", "--bare", "-b", "main", "other.git"]);
    upstream.git(&["push", "-q", &upstream.folder().join("other.git").display().to_string(), "main:refs/heads/evil"]);
    let instead = format!("[url \"{}/other.git\"]\n\tinsteadOf = {}\n", upstream.folder().display(), upstream.url());
    let copy = prepared(&upstream, &instead);
    upstream.configure(upstream.url(), &format!("path = \"{}\"\n", copy.display()));

    let first = upstream.run(0, &["sync"]);
    assert!(first.all().contains("its settings were put aside"), "{}", first.all());
    assert_eq!(refs(&copy), refs(&upstream.path), "it was pulled from where the configuration says");
    assert!(fs::read_to_string(copy.join("config.put-aside")).unwrap().contains("insteadOf"));
    assert!(!fs::read_to_string(copy.join("config")).unwrap().contains("insteadOf"));

    // What the user sets from then on stays.
    git(&copy, &["config", "http.receivepack", "true"]);
    upstream.commit("main", "three");
    upstream.publish(&["main"]);
    let next = upstream.run(0, &["sync"]);
    assert!(!next.all().contains("put aside"), "{}", next.all());
    assert_eq!(refs(&copy), refs(&upstream.path));
    assert!(fs::read_to_string(copy.join("config")).unwrap().contains("receivepack"));

    // The memory is lost, and with it how it is known.
    fs::remove_file(upstream.machine.state.join(REPOSITORY).join("pull").join(format!("{COPY}.locks/mark"))).unwrap();
    let after = upstream.run(0, &["sync"]);
    assert!(after.all().contains("its settings were put aside"), "{}", after.all());
    assert!(fs::read_to_string(copy.join("config.put-aside")).unwrap().contains("receivepack"));
}

#[test]
fn a_kill_while_settings_are_put_aside_leaves_the_copy_as_it_is_or_taken() {
    for at in
        ["copy.adopt.before#1", "copy.adopt.moved#1", "copy.adopt.moved#2", "copy.adopt.moved#3", "copy.adopt.after#1"]
    {
        let upstream = upstream();
        let copy = prepared(&upstream, "[user]\n\tname = Mallory\n");
        upstream.configure(upstream.url(), &format!("path = \"{}\"\n", copy.display()));
        let killed = upstream.machine.with("STANDIN_CRASH_AT", at).standin(&["sync"]);
        assert_ne!(killed.code(), 0, "{at}: {}", killed.all());
        upstream.run(0, &["sync"]);
        assert_eq!(refs(&copy), refs(&upstream.path), "{at}");
        assert!(fs::read_to_string(copy.join("config.put-aside")).unwrap().contains("Mallory"), "{at}");
        assert!(!fs::read_to_string(copy.join("config")).unwrap().contains("Mallory"), "{at}");
        assert!(
            fs::read_dir(upstream.folder())
                .unwrap()
                .flatten()
                .all(|entry| { !entry.file_name().to_string_lossy().contains("standin-new") })
        );
    }
}

#[test]
fn a_folder_that_takes_a_part_of_itself_from_elsewhere_is_no_copy_of_ours() {
    for name in ["commondir", "objects/info/alternates", "config.worktree"] {
        let upstream = upstream();
        let ran = upstream.folder().join("ran");
        let program = format!("[core]\n\talternateRefsCommand = \"touch {}\"\n", ran.display());
        let copy = prepared(&upstream, &program);
        fs::create_dir_all(copy.join("objects/info")).unwrap();
        fs::write(copy.join(name), format!("{}/objects\n", upstream.path.display())).unwrap();
        upstream.configure(upstream.url(), &format!("path = \"{}\"\n", copy.display()));
        let refused = upstream.run(1, &["sync"]);
        assert!(refused.all().contains(name) && refused.all().contains("from another place"), "{}", refused.all());
        assert!(!ran.exists(), "{name}: {}", refused.all());
        assert!(
            fs::read_to_string(copy.join("config")).unwrap().contains("alternateRefsCommand"),
            "nothing was written"
        );
    }
}

#[test]
fn a_file_in_the_upstream_does_not_say_where_its_large_files_are() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let elsewhere = format!("http://{}/victim/private/lfs", listener.local_addr().unwrap());
    for url in [elsewhere.as_str(), "ssh://git@127.0.0.1:1/victim/private"] {
        let upstream = upstream();
        let ran = upstream.folder().join("ssh-ran");
        let programs = upstream.folder().join("programs");
        fs::create_dir(&programs).unwrap();
        fs::write(programs.join("ssh"), format!("#!/bin/sh\ntouch '{}'\nexit 1\n", ran.display())).unwrap();
        fs::set_permissions(programs.join("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
        upstream.git(&["lfs", "install", "--local"]);
        upstream.git(&["lfs", "track", "*.bin"]);
        fs::write(upstream.folder().join("work/big.bin"), vec![7; 10_000]).unwrap();
        upstream.commit("main", "large");
        upstream.git(&["push", "-q", &format!("file://{}", upstream.url()), "main"]);
        fs::write(upstream.folder().join("work/.lfsconfig"), format!("[lfs]\n\turl = {url}\n")).unwrap();
        upstream.commit("main", "elsewhere");
        upstream.git(&["push", "-q", "--no-verify", &format!("file://{}", upstream.url()), "main"]);

        upstream.configure(upstream.url(), "");
        let path = format!("{}:{}", programs.display(), upstream.machine.environment["PATH"]);
        let pulled = upstream.machine.with("PATH", path).standin(&["sync"]);
        assert_eq!(pulled.code(), 0, "{url}: {}", pulled.all());
        assert!(upstream.copy().join("lfs/objects").is_dir(), "{url}: they come from the upstream itself");
        assert!(listener.accept().is_err(), "{url}: nobody was asked elsewhere");
        assert!(!ran.exists(), "{url}: no ssh ran");
    }
}

#[test]
fn settings_that_never_end_are_told_and_nothing_hangs() {
    let upstream = upstream();
    nix::unistd::mkfifo(&upstream.path.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let config = upstream.path.join("config");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}[include]\n\tpath = pipe\n")).unwrap();
    upstream.configure(upstream.url(), "");
    let began = Instant::now();
    let refused = upstream.run(1, &["sync"]);
    assert!(refused.all().contains("could not be read within"), "{}", refused.all());
    // It would be for ever: far from any limit of a slow machine.
    assert!(began.elapsed() < Duration::from_secs(300), "{:?}", began.elapsed());
}
