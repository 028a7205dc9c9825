//! A mirror that the clone's own `.env` names is no folder of that clone, however it is spelled; and what may run in a folder
//! is said in `standin.toml` alone.

use std::os::unix::fs::symlink;

use standin_state::config::MirrorConfig;

use crate::ground::Ground;

const SITE: &str = "[[repository]]\nid = \"site\"\npath = \"../site\"\n";

/// A clone with a repository in it and one beside it, and links from one to the other.
fn ground() -> Ground {
    let ground = Ground::with_clone().bare_at("site/tools/cache.git", "").bare_at("outside.git", "");
    symlink(ground.path("site/tools"), ground.path("way-in")).unwrap();
    symlink(ground.path("outside.git"), ground.path("site/way-out.git")).unwrap();
    ground
}

fn runs_hooks(mirror: &MirrorConfig) -> bool {
    mirror.target.pushed_to().is_some_and(|git| git.hooks)
}

fn env(url: &str) -> Ground {
    ground().env(&format!("MIRROR_1_TYPE=git\nMIRROR_1_URL={url}"))
}

#[test]
fn a_folder_of_the_clone_is_refused_however_it_is_spelled() {
    for url in [
        "./tools/cache.git",
        "./tools/../tools/cache.git",
        "../site/tools/cache.git",
        "[dir]/site/tools/cache.git",
        "file://[dir]/site/tools/cache.git",
        "FILE://[dir]/outside.git/../site/tools/cache.git",
        "file://localhost[dir]/site/tools/cache.git",
        "[dir]/way-in/cache.git",
        "[dir]/way-in/not-yet.git",
        "./way-out.git",
        "./.git/modules/x",
        "./not/yet.git",
    ] {
        let mistakes = env(url).mistakes();
        assert_eq!(mistakes.len(), 1, "{url}: {mistakes:#?}");
        assert!(mistakes[0].to_string().contains("is inside the clone"), "{url}: {}", mistakes[0]);
        assert!(mistakes[0].hint.contains("standin.toml"), "{url}: {}", mistakes[0].hint);
    }
    for url in ["file://[dir]/site/%74ools/cache.git", "file://elsewhere[dir]/site/tools/cache.git"] {
        let mistakes = env(url).mistakes();
        assert!(mistakes[0].to_string().contains("does not say plainly"), "{url}: {}", mistakes[0]);
    }
}

#[test]
fn a_folder_outside_of_it_is_taken_and_so_is_any_that_the_user_names() {
    for url in ["../outside.git", "[dir]/outside.git", "file://[dir]/outside.git", "[dir]/Site/tools/cache.git"] {
        assert!(!runs_hooks(&env(url).mirror()), "{url}");
    }
    let inside = ground().env("A=1").variable("MIRROR_1_TYPE", "git").variable("MIRROR_1_URL", "./tools/cache.git");
    inside.mirror();
    let mirror = "[[repository.mirror]]\nid = \"a\"\ntype = \"git\"\nurl = \"../site/tools/cache.git\"\nhooks = true\n";
    assert!(runs_hooks(&ground().toml(&format!("{SITE}{mirror}")).mirror()));
}

/// A linked work tree has its file from the same repository as the main one, and a submodule from whoever made the outer one.
#[test]
fn a_folder_of_the_repository_around_the_clone_is_refused_too() {
    let linked = || {
        ground()
            .file("site/.git/worktrees/fix/HEAD", "ref: refs/heads/fix\n")
            .file("site/.git/worktrees/fix/commondir", "../..\n")
            .file("fix/.git", "gitdir: [dir]/site/.git/worktrees/fix\n")
            .inside("fix")
    };
    let submodule = || {
        ground()
            .bare_at("site/.git/modules/lib", "")
            .file("site/lib/.git", "gitdir: ../.git/modules/lib\n")
            .inside("site/lib")
    };
    let nested = || ground().clone_at("site/lib", "").inside("site/lib");
    let moved = || {
        ground()
            .bare_at("site/.git/modules/lib", "")
            .file("lib/.git", "gitdir: ../site/.git/modules/lib\n")
            .inside("lib")
    };
    let file = |name: &str, url: &str| (format!("{name}/.env"), format!("MIRROR_1_TYPE=git\nMIRROR_1_URL={url}\n"));
    for (name, ground) in
        [("fix", &linked as &dyn Fn() -> Ground), ("site/lib", &submodule), ("site/lib", &nested), ("lib", &moved)]
    {
        for url in ["[dir]/site/tools/cache.git", "[dir]/way-in/cache.git", "[dir]/site", "[dir]/site/.git/not-yet.git"]
        {
            let (path, text) = file(name, url);
            let mistakes = ground().file(&path, &text).mistakes();
            assert_eq!(mistakes.len(), 1, "{name}, {url}: {mistakes:#?}");
            let told = mistakes[0].to_string();
            assert!(told.contains("the clone"), "{name}, {url}: {told}");
        }
        let (path, text) = file(name, "[dir]/outside.git");
        ground().file(&path, &text).mirror();
    }
    // Whoever keeps the home folder in a repository may have mirrors there.
    let (path, text) = file("home/lib", "[dir]/home/mirrors/a.git");
    Ground::empty().clone_at("home", "").clone_at("home/lib", "").inside("home/lib").file(&path, &text).mirror();
}

#[test]
fn what_was_said_of_one_folder_holds_for_no_other() {
    let mirror = "[[repository.mirror]]\nid = \"mirror-1\"\ntype = \"git\"\nurl = \"../outside.git\"\nhooks = true\n";
    let with = |url: &str| {
        ground().bare_at("other.git", "").toml(&format!("{SITE}{mirror}")).env(&format!("MIRROR_1_URL={url}")).mirror()
    };
    assert!(runs_hooks(&with("[dir]/outside.git")), "it is the same one");
    assert!(!runs_hooks(&with("[dir]/other.git")));
    let mistakes = ground().env("MIRROR_1_TYPE=git\nMIRROR_1_URL=../outside.git\nMIRROR_1_HOOKS=true").mistakes();
    assert!(mistakes[0].to_string().contains("MIRROR_1_HOOKS"), "{mistakes:#?}");
    let elsewhere =
        "[[repository.mirror]]\nid = \"a\"\ntype = \"git\"\nurl = \"https://h.example/a.git\"\nhooks = true\n";
    let mistakes = ground().toml(&format!("{SITE}{elsewhere}")).mistakes();
    assert!(mistakes[0].to_string().contains("no folder of this machine"), "{mistakes:#?}");
}
