//! Changes of `standin.toml` and of a `.env` that are drafted, looked at, and written.

use std::fs;
use std::path::Path;

use standin_state::config::edit::{self, Change, Edit, Form, Given, MirrorKey, RepositoryKey, Setting};
use standin_state::config::{Consents, LoadRequest};
use standin_state::error::Code;
use standin_state::model::MirrorType;

fn request(folder: &Path) -> LoadRequest {
    LoadRequest {
        environment: [("HOME".to_owned(), folder.display().to_string())].into(),
        current_dir: folder.to_owned(),
        default_config_dir: folder.join("config"),
        ..LoadRequest::default()
    }
}

fn repository() -> Edit {
    let settings = vec![Setting { key: RepositoryKey::Source, value: Given::from("me/site") }];
    Edit::AddRepository { repository: "site".parse().unwrap(), settings }
}

fn mirror(id: &str, repo: &str) -> Edit {
    Edit::AddMirror {
        repository: "site".parse().unwrap(),
        mirror: id.parse().unwrap(),
        kind: MirrorType::GitHub,
        settings: vec![Setting { key: MirrorKey::Repo, value: Given::from(repo) }],
    }
}

fn draft(folder: &Path, edits: &[Edit]) -> standin_state::error::Result<edit::Edited> {
    let request = request(folder);
    edit::draft(&request, &Consents::new(), Form::Toml, &edit::config_file(&request), edits)
}

#[test]
fn a_draft_is_read_as_it_would_be_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let drafted = draft(folder.path(), &[repository(), mirror("backup", "other/site")]).unwrap();
    assert!(!folder.path().join("config").exists());
    assert_eq!(drafted.loaded.config.repositories[0].mirrors[0].target.display(), "other/site");
    assert_eq!(drafted.before, None);
    assert!(drafted.difference.contains("+repo = \"other/site\"\n"), "{}", drafted.difference);

    drafted.write().unwrap();
    assert_eq!(fs::read_to_string(&drafted.file).unwrap(), drafted.after);
    assert_eq!(drafted.write().unwrap_err().code, Code::Raced, "it is there by now");
    let again = draft(folder.path(), &[mirror("other", "third/site")]).unwrap();
    assert_eq!(again.before, Some(drafted.hash()));
}

#[test]
fn what_has_mistakes_is_refused_with_them_and_what_was_wrong_before_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    for (edits, word) in [
        (vec![repository(), mirror("backup", "me/site")], "is the source itself"),
        (vec![repository(), mirror("backup", "https://example.com/x.git")], "is not on GitHub"),
        (vec![repository(), mirror("a", "other/site"), mirror("b", "other/site")], "is the mirror `a` already"),
        (vec![repository(), mirror("source", "other/site")], "stands for the source"),
        (vec![repository(), mirror("backup", "ghp_0123456789abcdef0123/x")], "looks like a token"),
    ] {
        let error = draft(folder.path(), &edits).unwrap_err();
        assert_eq!(error.code, Code::Configuration, "{error:?}");
        assert!(error.message.contains(word) && !error.message.contains("ghp_"), "{error:?}");
    }
    assert!(!folder.path().join("config").exists());
}

#[test]
fn somebody_elses_change_in_between_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    draft(folder.path(), &[repository()]).unwrap().write().unwrap();
    let drafted = draft(folder.path(), &[mirror("backup", "other/site")]).unwrap();
    let theirs = fs::read_to_string(&drafted.file).unwrap() + "# theirs\n";
    fs::write(&drafted.file, &theirs).unwrap();
    assert_eq!(drafted.write().unwrap_err().code, Code::Raced);
    assert_eq!(fs::read_to_string(&drafted.file).unwrap(), theirs);
    assert_eq!(fs::read_dir(folder.path().join("config")).unwrap().count(), 1, "nothing is left behind");
}

#[cfg(unix)]
#[test]
fn rights_and_links_stay_and_what_is_no_file_is_refused() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = tempfile::tempdir().unwrap();
    let (config, real) = (folder.path().join("config"), folder.path().join("dotfiles"));
    fs::create_dir_all(&config).unwrap();
    fs::create_dir_all(&real).unwrap();
    symlink(real.join("mine.toml"), config.join("standin.toml")).unwrap();
    let error = draft(folder.path(), &[repository()]).unwrap_err();
    assert_eq!(error.code, Code::Configuration, "a link that leads nowhere: {error:?}");

    fs::write(real.join("mine.toml"), "# mine\n").unwrap();
    fs::set_permissions(real.join("mine.toml"), fs::Permissions::from_mode(0o640)).unwrap();
    draft(folder.path(), &[repository()]).unwrap().write().unwrap();
    assert!(config.join("standin.toml").is_symlink());
    let data = fs::symlink_metadata(real.join("mine.toml")).unwrap();
    assert_eq!((data.is_file(), data.permissions().mode() & 0o777), (true, 0o640));
    assert!(fs::read_to_string(real.join("mine.toml")).unwrap().starts_with("# mine\n\n[[repository]]\n"));

    fs::remove_file(config.join("standin.toml")).unwrap();
    let new = draft(folder.path(), &[repository()]).unwrap();
    new.write().unwrap();
    assert_eq!(fs::metadata(&new.file).unwrap().permissions().mode() & 0o777, 0o600);

    fs::remove_file(&new.file).unwrap();
    nix::unistd::mkfifo(&new.file, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(draft(folder.path(), &[repository()]).unwrap_err().code, Code::Configuration);
}

#[test]
fn an_env_is_drafted_with_its_secrets_unseen() {
    let folder = tempfile::tempdir().unwrap();
    let clone = folder.path().join("site");
    fs::create_dir_all(clone.join(".git/refs")).unwrap();
    fs::create_dir_all(clone.join(".git/objects")).unwrap();
    fs::write(clone.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    let before = "KEY=s3cret\nMIRROR_SOURCE=me/site\nMIRROR_SOURCE_TOKEN=t0ken\nMIRROR_1_REPO=other/site\n";
    fs::write(clone.join(".env"), before).unwrap();
    let request = LoadRequest { current_dir: clone.clone(), ..request(folder.path()) };
    let file = edit::env_file_at_hand(&request).unwrap();
    let off = Change { key: MirrorKey::Enabled, value: Some(Given::Flag(false)) };
    let off = Edit::ChangeMirror {
        repository: "site".parse().unwrap(),
        mirror: "mirror-1".parse().unwrap(),
        changes: vec![off],
    };
    let drafted = edit::draft(&request, &Consents::new(), Form::Env, &file, &[off]).unwrap();
    let said = format!("{drafted:?} {request:?}");
    assert!(!said.contains("s3cret") && !said.contains("t0ken"), "{said}");
    drafted.write().unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{before}MIRROR_1_ENABLED=false\n"));
}
