//! `mirror_status.json`: the shape that others read, written whole.

use std::fs;

use standin_state::error::Code;
use standin_state::files;
use standin_state::model::{
    Action, AspectReport, AspectStatus, Health, MirrorReport, MirrorStatus, MirrorType, RepositoryReport, Role,
    SeenTip, Standing, StandingWord, Tone, Verb,
};

fn standing(word: StandingWord, tone: Tone) -> Standing {
    let action = Action::new(Verb::Sync, Some(&"mirror-1".parse().unwrap()));
    let reason = "secrets: RESEND_API_KEY has no value here".to_owned();
    Standing { word, tone, label: "failed".to_owned(), reason, since_iso: None, actions: vec![action] }
}

fn report() -> RepositoryReport {
    let at_iso = "2026-02-07T18:01:07.987654321Z".parse().unwrap();
    let now = Some(at_iso);
    let aspect = |status| AspectReport { last_sync_iso: now, ..AspectReport::new(status) };
    RepositoryReport {
        repository: "orchestrator".parse().unwrap(),
        enabled: true,
        standing: standing(StandingWord::Failed, Tone::Failed),
        consent: None,
        error: None,
        self_role: Role::Master,
        master: "owner/name".to_owned(),
        epoch: Some(3),
        seen: Some(SeenTip { commit: "1f2e3d4c5b6a79880011223344556677889900aa".to_owned(), at_iso }),
        last_full_sync_iso: now,
        open_change: None,
        master_health: None,
        notify: Vec::new(),
        mirrors: vec![MirrorReport {
            id: "mirror-1".parse().unwrap(),
            repo: "owner/name".to_owned(),
            pulled: Default::default(),
            kind: MirrorType::GitHub,
            role: Some(Role::Slave),
            enabled: true,
            standing: standing(StandingWord::Failed, Tone::Failed),
            status: MirrorStatus::Success,
            code: AspectReport {
                detail: Some("093f7683e987".to_owned()),
                last_commit: Some("093f7683e987aabbccddeeff00112233445566aa".to_owned()),
                behind: Some(0),
                ..aspect(AspectStatus::Ok)
            },
            secrets: AspectReport {
                error: Some("RESEND_API_KEY has no value here".to_owned()),
                synced_count: Some(4),
                total: Some(5),
                ..aspect(AspectStatus::Failed)
            },
            variables: AspectReport {
                detail: Some("3/3".to_owned()),
                synced_count: Some(3),
                total: Some(3),
                ..aspect(AspectStatus::Ok)
            },
            workflows: AspectReport { detail: Some("1 active, 3 held".to_owned()), ..aspect(AspectStatus::Ok) },
            health: Health::Ok,
            health_detail: None,
            last_health_check_iso: now,
            sentinel: None,
            next_sync_iso: None,
            longest_gap_seconds: None,
            error: None,
        }],
    }
}

#[test]
fn the_report_has_the_documented_shape() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("orchestrator");
    files::write_mirror_status(&folder, &report()).unwrap();
    insta::assert_snapshot!(fs::read_to_string(folder.join("mirror_status.json")).unwrap());
}

#[test]
fn the_report_can_be_read_back() {
    let text = serde_json::to_string(&report()).unwrap();
    let back: RepositoryReport = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
}

#[test]
fn a_write_replaces_the_file_and_leaves_nothing_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    files::write_atomically(&path, b"one, which is longer").unwrap();
    files::write_atomically(&path, b"two").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_write_that_fails_leaves_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("inside"), "x").unwrap();
    let error = files::write_atomically(&path, b"new").unwrap_err();
    assert_eq!(error.code, Code::Storage);
    assert!(path.join("inside").exists());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
    assert_eq!(files::write_atomically(&dir.path().join("no/such/folder/x"), b"").unwrap_err().code, Code::Storage);
}
