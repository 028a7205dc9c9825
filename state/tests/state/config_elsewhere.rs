//! What a clone leads to that is not in it, and what leads into a clone: a yes for one place is none for another.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use standin_state::config::Consents;

use crate::ground::Ground;

const MIRROR: &str = "MIRROR_1_TYPE=git\nMIRROR_1_URL=https://h.example/x.git\n";

/// What makes a clone lead elsewhere.
type Way<'a> = &'a dyn Fn(&Ground);

/// A yes for "this clone" is none for a repository that its `.git` leads to.
#[test]
fn data_that_is_in_another_repository_shows_and_is_another_wish() {
    let ground = || Ground::empty().clone_at("site", "").bare_at("private.git", "").inside("site").env(MIRROR);
    let asked = |ground: Ground| {
        let question = ground.consents(Consents::new()).repository().consent.question().cloned().unwrap();
        (question.text()[0].clone(), question.hash)
    };
    let (plain, hash) = asked(ground());
    assert!(plain.ends_with("site, this clone"), "{plain}");
    let replace = |ground: &Ground, part: &str| {
        let _ = fs::remove_dir_all(ground.path(part));
        let _ = fs::remove_file(ground.path(part));
    };
    let text = |ground: &Ground, part: &str, text: &str| {
        replace(ground, part);
        fs::create_dir_all(ground.path(part).parent().unwrap()).unwrap();
        fs::write(ground.path(part), text.replace("[dir]", &ground.path("").display().to_string())).unwrap();
    };
    let link = |ground: &Ground, part: &str, to: &str| {
        replace(ground, part);
        fs::create_dir_all(ground.path(part).parent().unwrap()).unwrap();
        fs::create_dir_all(ground.path(to)).unwrap();
        symlink(ground.path(to), ground.path(part)).unwrap();
    };
    let ways: [(&str, Way<'_>); 16] = [
        ("a file", &|ground| text(ground, "site/.git", "gitdir: [dir]/private.git\n")),
        ("a file with a way up", &|ground| text(ground, "site/.git", "gitdir: ./../private.git\n")),
        ("a file to a link", &|ground| {
            link(ground, "site/inner", "private.git");
            text(ground, "site/.git", "gitdir: inner\n");
        }),
        ("a link", &|ground| link(ground, "site/.git", "private.git")),
        ("commondir", &|ground| text(ground, "site/.git/commondir", "../../private.git\n")),
        ("objects", &|ground| link(ground, "site/.git/objects", "private.git/objects")),
        ("one of objects", &|ground| link(ground, "site/.git/objects/ab", "private.git/objects/ab")),
        ("packs", &|ground| link(ground, "site/.git/objects/pack", "private.git/objects/pack")),
        ("refs", &|ground| link(ground, "site/.git/refs", "private.git/refs")),
        ("some refs", &|ground| link(ground, "site/.git/refs/heads/a", "private.git/refs/heads")),
        ("alternates", &|ground| text(ground, "site/.git/objects/info/alternates", "[dir]/private.git/objects\n")),
        ("alternates with a way up", &|ground| {
            text(ground, "site/.git/objects/info/alternates", "# x\n../../../private.git/objects\n");
        }),
        ("alternates in quotes", &|ground| {
            text(ground, "site/.git/objects/info/alternates", "\"../../../\\160rivate.git/objects\"\n");
        }),
        ("commondir beside a HEAD that is a link to a ref", &|ground| {
            replace(ground, "site/.git/HEAD");
            symlink("refs/heads/none", ground.path("site/.git/HEAD")).unwrap();
            text(ground, "site/.git/commondir", "../../private.git\n");
        }),
        ("commondir of a bare one that has a git folder in it", &|ground| {
            for (name, what) in [("site/HEAD", "ref: refs/heads/main\n"), ("site/objects/x", ""), ("site/refs/x", "")] {
                text(ground, name, what);
            }
            text(ground, "site/.git/commondir", "../../private.git\n");
        }),
        ("alternates of alternates", &|ground| {
            text(ground, "site/inner/objects/info/alternates", "[dir]/private.git/objects\n");
            text(ground, "site/.git/objects/info/alternates", "../../inner/objects\n");
        }),
    ];
    for (what, make) in ways {
        let ground = ground();
        make(&ground);
        let real = ground.path("private.git").canonicalize().unwrap().display().to_string();
        let (line, other) = asked(ground);
        assert!(line.contains(", this clone, w") && line.contains(&real), "{what}: {line}");
        assert_ne!(hash, other, "{what}");
    }
}

/// Git takes the next place at which a repository could be where the first is none; so nobody could see what is read.
#[test]
fn a_git_folder_that_hides_another_is_refused() {
    let decoy = |ground: &Ground, folder: &str, head: &str| {
        for part in ["objects", "refs"] {
            fs::create_dir_all(ground.path(folder).join(part)).unwrap();
        }
        fs::write(ground.path(folder).join("HEAD"), head).unwrap();
    };
    for (what, first, behind) in [
        ("in the folder, before the folder itself", "site/.git", "site"),
        ("the folder, before the one with the suffix", "site", "site.git"),
        ("a link that leads to no ref", "site/.git", "site.git"),
    ] {
        let ground = Ground::empty().bare_at("private.git", "");
        decoy(&ground, first, "garbage\n");
        decoy(&ground, behind, if behind == first { "garbage\n" } else { "ref: refs/heads/main\n" });
        fs::write(ground.path(behind).join("commondir"), "../private.git\n").unwrap();
        if what.starts_with("a link") {
            fs::remove_file(ground.path("site/.git/HEAD")).unwrap();
            symlink("../elsewhere", ground.path("site/.git/HEAD")).unwrap();
        }
        let toml =
            "[[repository]]\nid = \"x\"\nsource = \"../site\"\n[[repository.mirror]]\nid = \"a\"\nurl = \"../a.git\"\n";
        let mistakes = ground.toml(toml).mistakes();
        assert!(mistakes[0].to_string().contains("begins like a git folder and is none"), "{what}: {mistakes:#?}");
    }
    // A project beside its own bare copy is as usual as can be.
    let toml =
        "[[repository]]\nid = \"x\"\nsource = \"../site\"\n[[repository.mirror]]\nid = \"a\"\nurl = \"../site.git\"\n";
    assert!(Ground::empty().clone_at("site", "").bare_at("site.git", "").toml(toml).load().is_ok());
}

/// A clone that git reads is a clone, whatever its `HEAD` is made of: none of what it says counts before a yes.
#[test]
fn a_clone_whose_head_is_a_link_asks_as_any_other() {
    let ground = Ground::empty().clone_at("site", "").consents(Consents::new()).inside("site").env(MIRROR);
    fs::remove_file(ground.path("site/.git/HEAD")).unwrap();
    symlink("refs/heads/packed", ground.path("site/.git/HEAD")).unwrap();
    assert!(ground.repository().consent.question().is_some());
    let toml = "[[repository]]\nid = \"x\"\nsource = \"../site\"\nenv_file = \"../site/.env\"\n";
    let ground = ground.inside("home").toml(toml);
    assert!(ground.repository().consent.question().is_some());
}

/// Real ones, in words that their owner knows.
#[test]
fn a_linked_work_tree_and_a_submodule_say_what_they_are() {
    let git = |ground: &Ground, folder: &str, arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "protocol.file.allow=always"])
            .args(arguments)
            .current_dir(ground.path(folder))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let ground = Ground::empty();
    git(&ground, "home", &["init", "-q", "../main"]);
    git(&ground, "main", &["commit", "-q", "--allow-empty", "-m", "x"]);
    git(&ground, "main", &["worktree", "add", "-q", "../tree"]);
    git(&ground, "home", &["init", "-q", "../outer"]);
    git(&ground, "outer", &["submodule", "--quiet", "add", "../main", "lib"]);
    git(&ground, "outer/lib", &["remote", "remove", "origin"]);
    git(&ground, "home", &["init", "-q", "--separate-git-dir", "../data", "../apart"]);
    let mut ground = ground.consents(Consents::new());
    for (folder, words) in [
        ("main", "[dir]/main, this clone"),
        ("tree", "[dir]/tree, this clone, a linked work tree of [dir]/main"),
        ("outer/lib", "[dir]/outer/lib, this clone, a submodule whose git data is in [dir]/outer/.git/modules/lib"),
        ("apart", "[dir]/apart, this clone, whose git data is not in it but in [dir]/data"),
    ] {
        ground = ground.file(&format!("{folder}/.env"), MIRROR).inside(folder);
        let question = ground.repository().consent.question().cloned().unwrap();
        assert_eq!(ground.stable(&question.text()[0]), format!("reads  {words}"));
    }
}

/// Whoever can change what a link on the way leads to decides what is read.
#[test]
fn a_file_that_is_reached_through_a_clone_is_that_clones() {
    let toml = "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nenv_file = \"[dir]/mine/.env\"\n";
    let ground = || Ground::with_clone().toml(toml).env(MIRROR).file("mine/other", "").consents(Consents::new());
    let waits = |ground: &Ground| ground.repository().consent.question().is_some();
    let own = ground().file("mine/.env", MIRROR);
    assert!(!waits(&own));
    let linked = ground();
    symlink(linked.path("site/.env"), linked.path("mine/.env")).unwrap();
    assert!(waits(&linked), "a link to the clone's file");
    let folder = ground();
    fs::remove_dir_all(folder.path("mine")).unwrap();
    symlink(folder.path("site"), folder.path("mine")).unwrap();
    assert!(waits(&folder), "a link on the way");
    let there_and_back = ground().file("own.env", MIRROR);
    symlink(there_and_back.path("own.env"), there_and_back.path("site/link")).unwrap();
    symlink(there_and_back.path("site/link"), there_and_back.path("mine/.env")).unwrap();
    assert!(waits(&there_and_back), "a link of the clone's on the way");
    let own_link = ground().file("own.env", MIRROR);
    symlink(own_link.path("own.env"), own_link.path("mine/.env")).unwrap();
    assert!(!waits(&own_link), "a link of the user's own to a file of theirs");
    // What the file may not name is what it may not name there either.
    let inside = "MIRROR_1_TYPE=git\nMIRROR_1_URL=[dir]/site/tools/cache.git\n";
    let ground = Ground::empty().clone_at("site", "").toml(toml).file("site/.env", inside).file("mine/other", "");
    symlink(ground.path("site/.env"), ground.path("mine/.env")).unwrap();
    assert!(ground.mistakes()[0].to_string().contains("is inside the clone"));
}

/// Two folders whose names look the same where they are no text are two folders.
#[cfg(target_os = "linux")]
#[test]
fn a_yes_for_a_folder_without_a_readable_name_is_for_no_other() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    // The file is reached by a name that is none, and the clone itself refused.
    let ground = Ground::empty();
    let odd = |byte: u8| ground.path("").join(OsStr::from_bytes(&[b'c', byte]));
    for byte in [0xfe, 0xff] {
        fs::create_dir_all(odd(byte).join(".git/objects")).unwrap();
        fs::create_dir_all(odd(byte).join(".git/refs")).unwrap();
        fs::write(odd(byte).join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        fs::write(odd(byte).join(".env"), MIRROR).unwrap();
    }
    let mut hashes = Vec::new();
    for byte in [0xfe, 0xff] {
        let link = ground.path("link");
        let _ = fs::remove_file(&link);
        symlink(odd(byte), &link).unwrap();
        let ground = Ground::empty().consents(Consents::new());
        let toml =
            format!("[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nenv_file = \"{}/.env\"\n", link.display());
        let wish = ground.toml(&toml).repository().consent.wish().cloned().unwrap();
        assert!(wish.file.contains(&format!("\\x{byte:x}")), "{wish:?}");
        hashes.push(wish.file);
    }
    assert_ne!(hashes[0], hashes[1]);
    let mistakes = Ground::empty().at(odd(0xff)).mistakes();
    assert!(mistakes[0].to_string().contains("c\\xff\" is no UTF-8 text"), "{mistakes:#?}");
}
