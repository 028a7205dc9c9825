//! The git hook against real git: what it hears, what it never does to the user's git, and that nothing of it is left behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use standin_tests::local::Local;

fn local(options: &[&str]) -> Local {
    Local::new(env!("CARGO_BIN_EXE_standin-under-test"), options)
}

fn installed(options: &[&str]) -> Local {
    let local = local(options);
    let said = local.standin(&["hook", "install"]);
    assert!(said.contains("and works"), "{said}");
    local
}

fn drop_of(local: &Local) -> PathBuf {
    local.machine.state.join(".triggers/drops/hook.site")
}

/// What the hook left since the last time; it is taken away.
fn left(local: &Local) -> Option<String> {
    let text = fs::read_to_string(drop_of(local)).ok()?;
    fs::remove_file(drop_of(local)).unwrap();
    Some(text.trim_end().to_owned())
}

fn hooks(local: &Local) -> PathBuf {
    [local.source.join(".git/hooks"), local.source.join("hooks")].into_iter().find(|folder| folder.is_dir()).unwrap()
}

fn write_hook(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("reference-transaction");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o750)).unwrap();
    file
}

/// Every file of a folder: mode, when it was changed, and what is in it.
fn tree(folder: &Path) -> BTreeMap<String, (u32, i64, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let data = folder.symlink_metadata().unwrap();
    found.insert(".".to_owned(), (data.mode(), 0, 0, Vec::new()));
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let data = entry.path().symlink_metadata().unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let bytes = if data.is_dir() { Vec::new() } else { fs::read(entry.path()).unwrap() };
        found.insert(name, (data.mode(), data.mtime(), data.mtime_nsec(), bytes));
    }
    found
}

fn status(local: &Local) -> Value {
    let ran = local.machine.standin(&["hook", "status", "--json"]);
    let value: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!(ran.code(), i32::from(value["works"] == false), "{ran:?}");
    value
}

fn state_of(local: &Local) -> (String, Value) {
    let value = status(local);
    (value["state"].as_str().unwrap().to_owned(), value["works"].clone())
}

#[test]
fn each_kind_of_repository_tells_of_branches_and_tags_and_of_nothing_else() {
    for options in [&[][..], &["--bare"], &["--ref-format=reftable"], &["--bare", "--ref-format=reftable"]] {
        let local = installed(options);
        assert_eq!(left(&local), None, "installing moves no ref");
        local.update("refs/heads/odd/näme", "second");
        assert_eq!(left(&local).as_deref(), Some("refs/heads/odd/näme"), "{options:?}");
        local.git(&local.source, &["tag", "v1", "main"]);
        assert_eq!(left(&local).as_deref(), Some("refs/tags/v1"), "{options:?}");
        local.git(&local.source, &["branch", "-D", "odd/näme"]);
        assert_eq!(left(&local).as_deref(), Some("refs/heads/odd/näme"), "{options:?}");
        for name in ["refs/standin/fence", "refs/remotes/origin/main", "refs/stash"] {
            local.git(&local.source, &["update-ref", name, "main"]);
            assert_eq!(left(&local), None, "{options:?}: {name}");
        }
        let refused = local.try_git(&local.source, &["update-ref", "refs/heads/main", "main", &"1".repeat(40)]);
        assert!(!refused.status.success());
        assert_eq!(left(&local), None, "{options:?}: what did not happen is not told");
        let quiet = local
            .git_command(&local.source, &["update-ref", "refs/heads/own", "main"])
            .env("STANDIN_AT_WORK", "1")
            .status()
            .unwrap();
        assert!(quiet.success());
        assert_eq!(left(&local), None, "{options:?}: what Standin does itself is not told");
    }
}

#[test]
fn pushes_from_elsewhere_fetches_work_trees_and_every_way_to_call_git_are_heard() {
    let local = installed(&[]);
    let (source, folder) = (&local.source, local.folder());
    let source_text = source.display().to_string();
    local.git(folder, &["clone", "-q", &source_text, "other clone"]);
    let other = folder.join("other clone");
    assert_eq!(left(&local), None);
    local.git(&other, &["push", "-q", "origin", "main:pushed"]);
    assert_eq!(left(&local).as_deref(), Some("refs/heads/pushed"));
    local.git(source, &["fetch", "-q", &other.display().to_string(), "main:fetched"]);
    assert_eq!(left(&local).as_deref(), Some("refs/heads/fetched"));
    local.git(source, &["reset", "-q", "--hard"]);
    fs::create_dir(source.join("sub folder")).unwrap();
    let commit = ["commit", "-q", "--allow-empty", "-m", "x"];
    local.git(&source.join("sub folder"), &commit);
    assert_eq!(left(&local).as_deref(), Some("refs/heads/main"));
    local.git(source, &["worktree", "add", "-q", "../linked tree", "-b", "linked"]);
    assert_eq!(left(&local).as_deref(), Some("refs/heads/linked"));
    local.git(&folder.join("linked tree"), &commit);
    assert_eq!(left(&local).as_deref(), Some("refs/heads/linked"));
    local.git(&source.join(".git"), &["update-ref", "refs/heads/inside", "main"]);
    assert_eq!(left(&local).as_deref(), Some("refs/heads/inside"));
    let git_dir = format!("--git-dir={source_text}/.git");
    local.git(folder, &[&git_dir, "update-ref", "refs/heads/outside", "main"]);
    assert_eq!(left(&local).as_deref(), Some("refs/heads/outside"));
    let called = local
        .git_command(folder, &["update-ref", "refs/heads/by-variable", "main"])
        .env("GIT_DIR", source.join(".git"))
        .status();
    assert!(called.unwrap().success());
    assert_eq!(left(&local).as_deref(), Some("refs/heads/by-variable"));
    // A copy of the repository is another one.
    let copied = std::process::Command::new("cp").arg("-a").arg(source).arg(folder.join("copy")).status().unwrap();
    assert!(copied.success());
    local.git(&folder.join("copy"), &["update-ref", "refs/heads/copied", "main"]);
    assert_eq!(left(&local), None);
}

#[test]
fn a_hook_that_was_there_is_run_as_before_and_comes_back_as_it_was() {
    for options in [&[][..], &["--bare"]] {
        let local = local(options);
        let hooks = hooks(&local);
        let log = local.folder().join("log");
        // It refuses one branch, reads what it is given byte for byte, and ends with a status of its own.
        write_hook(
            &hooks,
            &format!(
                "#!/bin/sh\necho \"$# $1\" >>'{0}'\ninput=$(cat; echo x)\nprintf '%s' \"${{input%x}}\" >>'{0}'\n\
                 case $1:$input in prepared:*refs/heads/forbidden*) echo no >&2; exit 7;; esac\nexit 0\n",
                log.display()
            ),
        );
        let before = tree(&hooks);
        let run = |name: &str| {
            let output = local.try_git(&local.source, &["update-ref", name, "main"]);
            (output.status.code(), String::from_utf8(output.stderr).unwrap(), fs::read(&log).unwrap())
        };
        let delete = |name: &str| {
            local.git(&local.source, &["update-ref", "-d", name]);
            fs::write(&log, "").unwrap();
        };
        fs::write(&log, "").unwrap();
        let (allowed, _) = (run("refs/heads/allowed"), delete("refs/heads/allowed"));
        let refused = run("refs/heads/forbidden");
        fs::write(&log, "").unwrap();

        let said = local.standin(&["hook", "install"]);
        assert!(said.contains("hands on to the hook that was there") && said.contains("and works"), "{said}");
        assert!(fs::read(&log).unwrap().is_empty(), "a test of the hook does not run the other one");
        assert_eq!(run("refs/heads/allowed"), allowed);
        assert_eq!(left(&local).as_deref(), Some("refs/heads/allowed"));
        delete("refs/heads/allowed");
        assert_eq!(left(&local).as_deref(), Some("refs/heads/allowed"));
        assert_eq!(run("refs/heads/forbidden"), refused);
        assert_eq!(left(&local), None);
        assert!(refused.0 != Some(0) && refused.1.contains("no"), "{refused:?}");
        let again = local.standin(&["hook", "install"]);
        assert!(again.contains("and works"), "{again}");

        local.standin(&["hook", "remove"]);
        assert_eq!(tree(&hooks), before);
    }
}

#[test]
fn many_refs_at_once_go_through_to_a_hook_that_reads_them_or_does_not() {
    for reads in [true, false] {
        let local = local(&["--bare"]);
        let log = local.folder().join("log");
        let body = if reads { format!("cat >>'{}'", log.display()) } else { ":".to_owned() };
        write_hook(&hooks(&local), &format!("#!/bin/sh\ntest \"$1\" = committed || exit 0\n{body}\nexit 0\n"));
        local.standin(&["hook", "install"]);
        let tip = local.git(&local.source, &["rev-parse", "main"]);
        // The first that counts stands behind many that do not.
        let mut names: Vec<String> = (0..15).map(|number| format!("refs/aside/{number:05}")).collect();
        names.extend((0..3000).map(|number| format!("refs/heads/many/{number:05}")));
        let input: String = names.iter().map(|name| format!("create {name} {tip}\n")).collect();
        let mut command = local.git_command(&local.source, &["update-ref", "--stdin"]);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "the user hears nothing of it");
        assert_eq!(left(&local).as_deref(), Some("refs/heads/many/00000"));
        if reads {
            let heard: String = names.iter().map(|name| format!("{} {tip} {name}\n", "0".repeat(40))).collect();
            assert_eq!(fs::read_to_string(&log).unwrap(), heard);
        }
    }
}

#[test]
fn the_folder_of_hooks_is_as_it_was_after_the_hook_was_taken_away() {
    let local = local(&[]);
    let hooks = local.source.join(".git/hooks");
    for is_there in [true, false] {
        if !is_there {
            fs::remove_dir_all(&hooks).unwrap();
        }
        let before = is_there.then(|| tree(&hooks));
        local.standin(&["hook", "install"]);
        assert_eq!(fs::metadata(hooks.join("reference-transaction")).unwrap().mode() & 0o777, 0o755);
        local.standin(&["hook", "remove"]);
        assert_eq!(hooks.is_dir().then(|| tree(&hooks)), before);
        assert_eq!(state_of(&local).0, "absent");
    }
    // Once more is no mistake.
    assert!(local.standin(&["hook", "remove"]).contains("no hook of Standin's"));
}

#[test]
fn a_state_folder_that_is_gone_does_not_trouble_git() {
    let local = installed(&[]);
    fs::remove_dir_all(&local.machine.state).unwrap();
    let output = local.try_git(&local.source, &["update-ref", "refs/heads/x", "main"]);
    assert!(output.status.success());
    assert_eq!(output.stderr, b"");
}

#[test]
fn folders_that_core_hookspath_names_are_used_and_a_work_tree_is_not_soiled_unasked() {
    let local = local(&[]);
    let elsewhere = local.folder().join("all my hooks");
    fs::create_dir(&elsewhere).unwrap();
    let set = |scope: &str, path: &str| local.git(&local.source, &["config", scope, "core.hooksPath", path]);
    let unset = |scope: &str| local.git(&local.source, &["config", scope, "--unset", "core.hooksPath"]);

    set("--global", &elsewhere.display().to_string());
    let said = local.standin(&["hook", "install"]);
    assert!(said.contains("all your repositories") && said.contains("and works"), "{said}");
    local.update("refs/heads/global", "x");
    assert_eq!(left(&local).as_deref(), Some("refs/heads/global"));
    local.git(&local.mirror, &["symbolic-ref", "HEAD"]);
    local.git(&local.mirror, &["fetch", "-q", &local.source.display().to_string(), "main:main"]);
    assert_eq!(left(&local), None, "in other repositories it does nothing");
    local.standin(&["hook", "remove"]);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    unset("--global");

    // As husky has it.
    fs::create_dir_all(local.source.join(".husky/_")).unwrap();
    set("--local", ".husky/_");
    let clean = local.git(&local.source, &["status", "--porcelain"]);
    let refused = local.machine.standin(&["hook", "install"]);
    assert_eq!(refused.code(), 2, "{refused:?}");
    assert!(refused.stderr.contains("in the work tree") && refused.stderr.contains("--in-work-tree"), "{refused:?}");
    assert_eq!(local.git(&local.source, &["status", "--porcelain"]), clean);
    fs::write(local.source.join(".husky/_/.gitignore"), "*").unwrap();
    let said = local.standin(&["hook", "install"]);
    assert!(said.contains("where git ignores it") && said.contains("husky"), "{said}");
    assert_eq!(local.git(&local.source, &["status", "--porcelain"]), clean);
    local.update("refs/heads/husky", "x");
    assert_eq!(left(&local).as_deref(), Some("refs/heads/husky"));
    local.standin(&["hook", "remove"]);
    fs::remove_file(local.source.join(".husky/_/.gitignore")).unwrap();
    let said = local.standin(&["hook", "install", "--in-work-tree"]);
    assert!(said.contains("a new file in the work tree"), "{said}");
    local.standin(&["hook", "remove"]);

    set("--local", "/dev/null");
    let refused = local.machine.standin(&["hook", "install"]);
    assert!(refused.code() == 2 && refused.stderr.contains("which is no folder"), "{refused:?}");
}

#[test]
fn a_hook_that_git_passes_by_is_told_and_both_are_taken_away() {
    let local = installed(&[]);
    let elsewhere = local.folder().join("hooks of mine");
    fs::create_dir(&elsewhere).unwrap();
    local.git(&local.source, &["config", "core.hooksPath", &elsewhere.display().to_string()]);
    assert_eq!(state_of(&local), ("passed_by".to_owned(), Value::Bool(false)));
    local.standin(&["hook", "install"]);
    assert_eq!(state_of(&local), ("installed".to_owned(), Value::Bool(true)));
    local.standin(&["hook", "remove"]);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    assert!(!local.source.join(".git/hooks/reference-transaction").exists());
}

#[test]
fn submodules_and_linked_trees_have_their_hook_where_git_looks() {
    let local = local(&[]);
    let folder = local.folder();
    local.git(folder, &["init", "-q", "-b", "main", "above"]);
    let above = folder.join("above");
    local.git(&above, &["submodule", "add", "-q", &local.source.display().to_string(), "below"]);
    local.git(&local.source, &["worktree", "add", "-q", "../linked tree", "-b", "linked"]);
    for (source, hooks, work) in [
        (above.join("below"), above.join(".git/modules/below/hooks"), above.join("below")),
        (folder.join("linked tree"), local.source.join(".git/hooks"), folder.join("linked tree")),
    ] {
        local.configure(&format!(
            "[[repository]]\nid = \"site\"\nsource = {source:?}\n[[repository.mirror]]\nid = \"b\"\ntype = \"git\"\nurl = {:?}\n",
            local.mirror
        ));
        let before = tree(&hooks);
        let said = local.standin(&["hook", "install"]);
        assert!(said.contains("and works"), "{said}");
        local.git(&work, &["commit", "-q", "--allow-empty", "-m", "x"]);
        assert!(left(&local).is_some_and(|name| name.starts_with("refs/heads/")), "{}", work.display());
        local.standin(&["hook", "remove"]);
        assert_eq!(tree(&hooks), before);
    }
}

#[test]
fn a_clone_of_a_source_elsewhere_tells_of_its_pushes_and_fetches() {
    let local = local(&["--bare"]);
    let clone = local.folder().join("clone");
    local.git(local.folder(), &["clone", "-q", &local.source.display().to_string(), "clone"]);
    local.configure(&format!(
        "[[repository]]\nid = \"site\"\nsource = \"https://git.example.com/x.git\"\npath = {clone:?}\n[[repository.mirror]]\nid = \"b\"\ntype = \"git\"\nurl = {:?}\n",
        local.mirror
    ));
    let said = local.standin(&["hook", "install"]);
    assert!(said.contains("and works"), "{said}");
    local.git(&clone, &["commit", "-q", "--allow-empty", "-m", "x"]);
    assert_eq!(left(&local), None, "what was not pushed is not at the source");
    local.git(&clone, &["push", "-q", "origin", "main"]);
    assert_eq!(left(&local).as_deref(), Some("refs/remotes/origin/main"));
    local.update("refs/heads/by-others", "x");
    local.git(&clone, &["fetch", "-q"]);
    assert_eq!(left(&local).as_deref(), Some("refs/remotes/origin/by-others"));
}

#[test]
fn what_was_changed_by_hand_or_cannot_be_kept_is_left_alone_and_told() {
    let local = installed(&[]);
    let file = local.source.join(".git/hooks/reference-transaction");
    let written = fs::read(&file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(state_of(&local), ("installed".to_owned(), Value::Bool(false)), "git does not run it");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();

    let changed = [written.as_slice(), b"echo more\n"].concat();
    fs::write(&file, &changed).unwrap();
    assert_eq!(state_of(&local), ("changed".to_owned(), Value::Bool(false)));
    for command in ["install", "remove"] {
        let refused = local.machine.standin(&["hook", command]);
        assert!(refused.code() == 2 && refused.stderr.contains("changed by hand"), "{refused:?}");
        assert_eq!(fs::read(&file).unwrap(), changed);
    }

    fs::remove_file(&file).unwrap();
    let ran = local.folder().join("ran");
    let dispatch = local.folder().join("dispatch");
    fs::write(&dispatch, format!("#!/bin/sh\ntouch '{}'\n", ran.display())).unwrap();
    fs::set_permissions(&dispatch, fs::Permissions::from_mode(0o755)).unwrap();
    symlink(&dispatch, &file).unwrap();
    let refused = local.machine.standin(&["hook", "install"]);
    assert!(refused.code() == 2 && refused.stderr.contains("is a link"), "{refused:?}");
    assert!(file.is_symlink() && !ran.exists(), "a hook that is there is never run by Standin");
    fs::remove_file(&file).unwrap();
    write_hook(file.parent().unwrap(), "#!/bin/sh\nexec run \"$(basename \"$0\")\"\n");
    let refused = local.machine.standin(&["hook", "install"]);
    assert!(refused.code() == 2 && refused.stderr.contains("goes by its own name"), "{refused:?}");
    assert_eq!(state_of(&local), ("absent".to_owned(), Value::Null));
}

#[test]
fn an_install_that_was_killed_half_way_is_finished_or_taken_back() {
    let local = local(&[]);
    let hooks = hooks(&local);
    let file = write_hook(&hooks, "#!/bin/sh\nexit 0\n");
    let before = tree(&hooks);
    let kept = hooks.join("reference-transaction.standin-kept");
    let half_done = || {
        fs::hard_link(&file, &kept).unwrap();
        fs::write(hooks.join("reference-transaction.standin-new"), "half").unwrap();
    };
    half_done();
    assert!(local.standin(&["hook", "install"]).contains("and works"));
    local.standin(&["hook", "remove"]);
    assert_eq!(tree(&hooks), before);
    half_done();
    local.standin(&["hook", "remove"]);
    let _ = fs::remove_file(hooks.join("reference-transaction.standin-new"));
    assert_eq!(tree(&hooks), before);
}

#[test]
fn a_repository_that_was_moved_is_told_and_mended_by_installing_anew() {
    let local = installed(&[]);
    let moved = local.folder().join("moved");
    fs::rename(&local.source, &moved).unwrap();
    local.configure(&format!(
        "[[repository]]\nid = \"site\"\nsource = {moved:?}\n[[repository.mirror]]\nid = \"b\"\ntype = \"git\"\nurl = {:?}\n",
        local.mirror
    ));
    assert_eq!(state_of(&local), ("installed".to_owned(), Value::Bool(false)));
    local.standin(&["hook", "install"]);
    assert_eq!(state_of(&local), ("installed".to_owned(), Value::Bool(true)));
    local.git(&moved, &["update-ref", "refs/heads/x", "main"]);
    assert_eq!(left(&local).as_deref(), Some("refs/heads/x"));
}
