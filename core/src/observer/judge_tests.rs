//! The table of verdicts.

use super::*;
use MasterVerdict::{Down, Gone, Unknown, Well};

fn now() -> Timestamp {
    "2026-02-07T12:00:00Z".parse().unwrap()
}

fn well() -> Observation {
    Observation {
        master: "ada/orchestrator".to_owned(),
        control: Some(Reply::Fine),
        repository: Reply::Fine,
        renamed: None,
        user: None,
        branch: Some(("main".to_owned(), Reply::Fine)),
        heartbeat: None,
        fence: MastersFence::Silent,
        now: now(),
    }
}

fn words() -> String {
    "HTTP 000".to_owned()
}

fn barred() -> Reply {
    Reply::Barred { words: "HTTP 403 kept out".to_owned(), advice: "Let it in.".to_owned() }
}

fn beating(found: Found) -> Observation {
    let heartbeat = Heartbeat {
        path: "state/current.json".to_owned(),
        field: "meta.updated_at_iso".to_owned(),
        max_age: Duration::from_secs(2 * 60 * 60),
        found,
        was_seen: false,
        committed: None,
    };
    Observation { heartbeat: Some(heartbeat), ..well() }
}

fn with_time(time: &str) -> Observation {
    beating(Found::File(format!("{{\"meta\": {{\"updated_at_iso\": {time}}}}}").into_bytes()))
}

fn stale_with_fence(reply: Reply) -> Observation {
    Observation { fence: MastersFence::Unread(reply), ..with_time("\"2026-02-07T09:59:59Z\"") }
}

#[test]
fn a_look_is_judged_as_the_sentinel_does() {
    let absent = |user| Observation { repository: Reply::Absent(words()), user, branch: None, ..well() };
    let repository = |reply| Observation { repository: reply, branch: None, ..well() };
    let branch = |reply| Observation { branch: Some(("main".to_owned(), reply)), ..well() };
    let table = [
        ("all well", well(), Well),
        ("5xx or no answer", repository(Reply::Ill(words())), Down),
        ("401", repository(Reply::Refused(words())), Unknown),
        ("limits", repository(Reply::Limited(words())), Unknown),
        ("something else", repository(Reply::Odd(words())), Unknown),
        ("kept out", repository(barred()), Unknown),
        ("not there, token proven", absent(Some(Reply::Fine)), Gone),
        ("not there, token not asked", absent(None), Unknown),
        ("not there, token refused", absent(Some(Reply::Refused(words()))), Unknown),
        ("not there, token limited", absent(Some(Reply::Limited(words()))), Unknown),
        ("not there, and the proof is ill", absent(Some(Reply::Ill(words()))), Unknown),
        ("not there, and the proof is kept out", absent(Some(barred())), Unknown),
        ("not there, and the proof is not there", absent(Some(Reply::Absent(words()))), Unknown),
        ("no branch told", Observation { branch: None, ..well() }, Unknown),
        ("branch ill", branch(Reply::Ill(words())), Down),
        ("no commit", branch(Reply::Empty(words())), Down),
        ("branch not readable", branch(Reply::Absent(words())), Unknown),
        ("branch limited", branch(Reply::Limited(words())), Unknown),
        ("kept out of the branch", branch(barred()), Unknown),
        ("fresh heartbeat", with_time("\"2026-02-07T11:00:00Z\""), Well),
        ("heartbeat in seconds", with_time("1770462000"), Well),
        ("heartbeat without an offset", with_time("\"2026-02-07 11:00:00\""), Well),
        ("heartbeat with an offset", with_time("\"2026-02-07T13:00:00+02:00\""), Well),
        ("heartbeat a little ahead", with_time("\"2026-02-07T12:30:00Z\""), Well),
        ("stale heartbeat", with_time("\"2026-02-07T09:59:59Z\""), Down),
        ("heartbeat in the future", with_time("\"2026-02-07T14:00:01Z\""), Unknown),
        ("heartbeat that is no time", with_time("\"tomorrow\""), Unknown),
        ("heartbeat that is a list", with_time("[]"), Unknown),
        ("heartbeat that is null", with_time("null"), Unknown),
        ("heartbeat not there", beating(Found::Nothing), Unknown),
        ("heartbeat not JSON", beating(Found::File(b"{".to_vec())), Unknown),
        ("heartbeat an array", beating(Found::File(b"[]".to_vec())), Unknown),
        ("heartbeat ill", beating(Found::Unread(Reply::Ill(words()))), Down),
        ("heartbeat refused", beating(Found::Unread(Reply::Absent(words()))), Unknown),
        ("heartbeat limited", beating(Found::Unread(Reply::Limited(words()))), Unknown),
        ("kept out of the heartbeat", beating(Found::Unread(barred())), Unknown),
        ("stale, kept out of the fence", stale_with_fence(barred()), Unknown),
        ("stale, the fence refuses the token", stale_with_fence(Reply::Refused(words())), Unknown),
        ("stale, the fence limited", stale_with_fence(Reply::Limited(words())), Unknown),
        ("stale, the fence ill", stale_with_fence(Reply::Ill(words())), Down),
    ];
    for (name, seen, verdict) in table {
        let judgement = judge(&seen);
        assert_eq!(judgement.verdict, verdict, "{name}: {}", judgement.detail);
        assert!(judgement.detail.contains("master") || judgement.detail.contains("ada/orchestrator"), "{name}");
    }
}

#[test]
fn nothing_is_down_or_gone_without_a_standby_that_answers() {
    let down = Observation { repository: Reply::Ill(words()), branch: None, ..well() };
    let gone = Observation { repository: Reply::Absent(words()), user: Some(Reply::Fine), branch: None, ..well() };
    let stale = with_time("\"2026-02-01T00:00:00Z\"");
    let controls = [
        None,
        Some(Reply::Ill(words())),
        Some(Reply::Absent(words())),
        Some(Reply::Refused(words())),
        Some(Reply::Limited(words())),
        Some(Reply::Empty(words())),
        Some(Reply::Odd(words())),
        Some(barred()),
    ];
    for seen in [&down, &gone, &stale] {
        assert_ne!(judge(seen).verdict, Unknown);
        for control in &controls {
            let seen = Observation { control: control.clone(), ..seen.clone() };
            assert_eq!(judge(&seen).verdict, Unknown, "{control:?}");
        }
    }
    // What is well needs no comparison.
    assert_eq!(judge(&Observation { control: None, ..well() }).verdict, Well);
}

#[test]
fn a_heartbeat_that_broke_is_stale_once_nobody_commits_its_file() {
    let broken = |was_seen, committed: Option<&str>| {
        let mut seen = beating(Found::File(b"{".to_vec()));
        let heartbeat = seen.heartbeat.as_mut().unwrap();
        heartbeat.was_seen = was_seen;
        heartbeat.committed = committed.map(|time| time.parse().unwrap());
        judge(&seen).verdict
    };
    assert_eq!(broken(true, Some("2026-02-07T09:00:00Z")), Down);
    assert_eq!(broken(true, Some("2026-02-07T11:00:00Z")), Unknown);
    assert_eq!(broken(true, None), Unknown);
    assert_eq!(broken(false, Some("2026-02-07T09:00:00Z")), Unknown);
}

#[test]
fn a_master_that_handed_over_is_not_judged_by_its_heartbeat() {
    let seen = with_time("\"2026-02-01T00:00:00Z\"");
    assert_eq!(judge(&seen).verdict, Down);
    let elsewhere = MastersFence::Elsewhere("eve/elsewhere".to_owned(), 7);
    let judgement = judge(&Observation { fence: elsewhere, ..seen });
    assert_eq!(judgement.verdict, Unknown);
    assert_eq!(judgement.detail, "ada/orchestrator is no longer the master: eve/elsewhere is (epoch 7)");
}

#[test]
fn a_token_that_is_kept_out_is_told_in_the_hosts_words_with_what_to_do() {
    let repository = Observation { repository: barred(), branch: None, ..well() };
    let branch = Observation { branch: Some(("main".to_owned(), barred())), ..well() };
    for seen in [repository, branch, beating(Found::Unread(barred())), stale_with_fence(barred())] {
        let judgement = judge(&seen);
        assert_eq!(judgement.advice.as_deref(), Some("Let it in."), "{}", judgement.detail);
        assert!(
            judgement.detail.contains("as the host keeps its token out (HTTP 403 kept out)"),
            "{}",
            judgement.detail
        );
    }
    let gone = Observation { repository: Reply::Absent(words()), user: Some(Reply::Fine), branch: None, ..well() };
    let judgement = judge(&Observation { control: Some(barred()), ..gone.clone() });
    assert_eq!(judgement.advice.as_deref(), Some("Let it in."));
    assert!(
        judgement.detail.ends_with("; but no standby could be read to compare with (HTTP 403 kept out)"),
        "{}",
        judgement.detail
    );
    assert_eq!(judge(&gone).advice, None);
}

#[test]
fn each_case_of_the_worst_day_has_its_own_cause() {
    let repository = |reply| Observation { repository: reply, branch: None, ..well() };
    let absent = |user| Observation { repository: Reply::Absent(words()), user, branch: None, ..well() };
    let with = |control, seen: Observation| Observation { control, ..seen };
    let (ill, silent) = (Reply::Ill(words()), Reply::Silent(words()));
    let renamed = Observation { renamed: Some("ada/site".to_owned()), ..well() };
    let table = [
        (well(), Cause::Well),
        (renamed.clone(), Cause::Renamed),
        (Observation { branch: Some(("main".to_owned(), Reply::Empty(words()))), ..renamed }, Cause::Damaged),
        (repository(ill.clone()), Cause::Ill),
        (repository(silent.clone()), Cause::Silent),
        (with_time("\"2026-02-01T00:00:00Z\""), Cause::Stale),
        (absent(Some(Reply::Fine)), Cause::Gone),
        (absent(None), Cause::NotProven),
        (with(Some(ill.clone()), repository(ill.clone())), Cause::HostIll),
        (with(Some(silent.clone()), repository(ill.clone())), Cause::HostIll),
        (with(Some(ill.clone()), repository(silent.clone())), Cause::HostIll),
        (with(Some(silent.clone()), repository(silent)), Cause::NoNetwork),
        (with(None, repository(ill)), Cause::NoComparison),
        (repository(Reply::Refused(words())), Cause::TokenRefused),
        (repository(barred()), Cause::TokenBarred),
        (repository(Reply::Limited(words())), Cause::Limited),
        (
            Observation {
                fence: MastersFence::Elsewhere("bob/site".to_owned(), 4),
                ..with_time("\"2026-02-01T00:00:00Z\"")
            },
            Cause::Replaced,
        ),
    ];
    for (seen, cause) in table {
        let judgement = judge(&seen);
        assert_eq!(judgement.cause, cause, "{}", judgement.detail);
    }
}
