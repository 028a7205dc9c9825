use std::time::Duration;

use super::*;
use crate::{Code, Error};
use standin_state::model::{
    ConsentLine, ConsentQuestion, ConsentTopic, MasterHealth, MirrorId, MirrorType, OpenChangeReport, SeenTip,
    SentinelStatus,
};

/// Two hours before `NOW` is two intervals of the schedule.
const NOW: &str = "2026-03-01T12:00:00Z";
const RECENT: &str = "2026-03-01T11:00:00Z";
const OLD: &str = "2026-03-01T09:59:59Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn terms() -> Terms {
    Terms { now: at(NOW), schedule: Schedule { interval: Duration::from_secs(3_600), ..Schedule::default() } }
}

fn aspect(status: AspectStatus) -> AspectReport {
    AspectReport::new(status).tried(at(RECENT), Some(&AspectReport::new(AspectStatus::Ok).tried(at(RECENT), None)))
}

fn mirror(id: &str) -> MirrorReport {
    MirrorReport {
        id: id.parse().unwrap(),
        repo: format!("ada-{id}/site"),
        kind: MirrorType::GitHub,
        role: Some(Role::Slave),
        enabled: true,
        standing: not_judged(),
        status: MirrorStatus::Success,
        code: AspectReport { behind: Some(0), ..aspect(AspectStatus::Ok) },
        secrets: aspect(AspectStatus::Ok),
        variables: aspect(AspectStatus::Ok),
        workflows: aspect(AspectStatus::Ok),
        health: Health::Unknown,
        health_detail: None,
        last_health_check_iso: None,
        sentinel: None,
        next_sync_iso: None,
        longest_gap_seconds: None,
        error: None,
        pulled: Default::default(),
    }
}

fn repository(mirrors: Vec<MirrorReport>) -> RepositoryReport {
    RepositoryReport {
        repository: "site".parse().unwrap(),
        enabled: true,
        standing: not_judged(),
        consent: None,
        error: None,
        self_role: Role::Master,
        master: "ada/site".to_owned(),
        epoch: Some(1),
        seen: None,
        last_full_sync_iso: None,
        open_change: None,
        master_health: None,
        notify: Vec::new(),
        mirrors,
    }
}

fn judged(mut report: RepositoryReport) -> RepositoryReport {
    judge(&mut report, &terms());
    report
}

/// How one mirror stands that differs from one in step as `change` says.
fn stands(change: impl FnOnce(&mut MirrorReport)) -> Standing {
    let mut one = mirror("a");
    change(&mut one);
    judged(repository(vec![one])).mirrors[0].standing.clone()
}

fn master(verdict: MasterVerdict) -> MasterHealth {
    MasterHealth {
        place: MirrorId::source(),
        repo: "ada/site".to_owned(),
        verdict,
        cause: standin_state::model::MasterCause::Unclear,
        health: if verdict == MasterVerdict::Well { Health::Ok } else { Health::Failed },
        detail: "GitHub answers 503".to_owned(),
        hint: String::new(),
        since_iso: at(OLD),
        last_health_check_iso: at(RECENT),
    }
}

#[test]
fn each_state_has_its_word_and_none_is_green_but_what_is_well() {
    use StandingWord::{
        Attention, Behind, CannotTakeOver, Failed, InStep, IsMaster, LeftApart, NeverSynced, Stale, SwitchedOff,
        Syncing, Waits,
    };
    type Row = (StandingWord, Tone, fn(&mut MirrorReport));
    let never = |mirror: &mut MirrorReport| {
        for report in [&mut mirror.code, &mut mirror.secrets, &mut mirror.variables, &mut mirror.workflows] {
            *report = AspectReport::new(AspectStatus::Unknown);
        }
        mirror.status = MirrorStatus::Idle;
    };
    let rows: [Row; 23] = [
        (InStep, Tone::Ok, |_| {}),
        (InStep, Tone::Ok, |mirror| mirror.secrets = AspectReport::new(AspectStatus::Skipped)),
        (SwitchedOff, Tone::Unknown, |mirror| mirror.enabled = false),
        (IsMaster, Tone::Ok, |mirror| mirror.role = Some(Role::Master)),
        (NeverSynced, Tone::Unknown, never),
        (NeverSynced, Tone::Unknown, |mirror| mirror.secrets = AspectReport::new(AspectStatus::Unknown)),
        (Syncing, Tone::Running, |mirror| mirror.status = MirrorStatus::Syncing),
        (Behind, Tone::Waiting, |mirror| mirror.code.behind = Some(3)),
        (LeftApart, Tone::Waiting, |mirror| mirror.code.apart = Some(1)),
        (Stale, Tone::Waiting, |mirror| mirror.code.last_sync_iso = Some(at(OLD))),
        // Dated by a clock that was wrong: nobody knows how old it is.
        (Stale, Tone::Waiting, |mirror| {
            for report in [&mut mirror.code, &mut mirror.secrets, &mut mirror.variables, &mut mirror.workflows] {
                report.last_sync_iso = Some(at("2299-01-01T00:00:00Z"));
            }
        }),
        (SwitchedOff, Tone::Unknown, |mirror| {
            for report in [&mut mirror.code, &mut mirror.secrets, &mut mirror.variables, &mut mirror.workflows] {
                *report = AspectReport::new(AspectStatus::Skipped);
            }
        }),
        // A look that found nothing amiss is a look.
        (InStep, Tone::Ok, |mirror| {
            mirror.code.last_sync_iso = Some(at(OLD));
            (mirror.health, mirror.last_health_check_iso) = (Health::Ok, Some(at(RECENT)));
        }),
        (Stale, Tone::Waiting, |mirror| {
            mirror.code.last_sync_iso = Some(at(OLD));
            (mirror.health, mirror.last_health_check_iso) = (Health::Ok, Some(at(OLD)));
        }),
        (Waits, Tone::Waiting, |mirror| mirror.code = aspect(AspectStatus::Blocked)),
        (Failed, Tone::Failed, |mirror| mirror.variables = aspect(AspectStatus::Failed)),
        (Failed, Tone::Failed, |mirror| {
            mirror.status = MirrorStatus::Failed;
            mirror.error = Some(Error::new(Code::Network, "no answer", ""));
        }),
        // What failed is worse than what lags behind, and what waits for a person worse than what failed.
        (Failed, Tone::Failed, |mirror| {
            mirror.variables = aspect(AspectStatus::Failed);
            mirror.code.behind = Some(3);
        }),
        (Waits, Tone::Waiting, |mirror| {
            mirror.variables = aspect(AspectStatus::Failed);
            mirror.code = aspect(AspectStatus::Blocked);
        }),
        (CannotTakeOver, Tone::Failed, |mirror| {
            (mirror.health, mirror.last_health_check_iso) = (Health::Failed, Some(at(RECENT)));
        }),
        // A later sync that worked has mended what the check found.
        (InStep, Tone::Ok, |mirror| {
            (mirror.health, mirror.last_health_check_iso) = (Health::Failed, Some(at(OLD)));
        }),
        (Attention, Tone::Waiting, |mirror| {
            (mirror.health, mirror.last_health_check_iso) = (Health::Warning, Some(at(RECENT)));
        }),
        (Attention, Tone::Waiting, |mirror| {
            mirror.sentinel = Some(SentinelStatus {
                health: Health::Failed,
                detail: Some("it is switched off".to_owned()),
                hint: None,
                workflow: None,
                last_check_iso: None,
                last_verdict: None,
                failures: 0,
                looked_at_iso: at(RECENT),
            });
        }),
    ];
    for (number, (word, tone, change)) in rows.into_iter().enumerate() {
        let standing = stands(change);
        assert_eq!((standing.word, standing.tone), (word, tone), "row {number}: {standing:?}");
        assert!(!standing.label.is_empty());
    }
}

#[test]
fn a_master_that_cannot_be_read_makes_no_standby_red() {
    let cannot_read = |mirror: &mut MirrorReport| {
        mirror.status = MirrorStatus::Failed;
        for report in [&mut mirror.code, &mut mirror.variables] {
            *report = AspectReport { at_source: true, ..aspect(AspectStatus::Failed) };
        }
        mirror.error = Some(Error::new(Code::HostFailed, "GitHub answers 503", "").at_source());
        (mirror.health, mirror.last_health_check_iso) = (Health::Warning, Some(at(RECENT)));
    };
    let mut one = mirror("a");
    cannot_read(&mut one);
    let report = judged(RepositoryReport { master_health: Some(master(MasterVerdict::Down)), ..repository(vec![one]) });
    assert_eq!(report.mirrors[0].standing.word, StandingWord::InStep, "it is what it was when it was last seen");
    assert_eq!((report.standing.word, report.standing.tone), (StandingWord::MasterDown, Tone::Failed));
    assert_eq!(report.standing.since_iso, Some(at(OLD)));
    let verbs: Vec<Verb> = report.standing.actions.iter().map(|action| action.verb).collect();
    assert_eq!(verbs, [Verb::Promote, Verb::Health]);
    assert_eq!(report.standing.actions[0].command, "standin promote a");
}

#[test]
fn only_a_standby_that_could_take_over_is_offered_for_it() {
    let ill = MirrorReport { health: Health::Failed, last_health_check_iso: Some(at(RECENT)), ..mirror("ill") };
    let archive = MirrorReport { kind: MirrorType::Git, role: None, ..mirror("archive") };
    let off = MirrorReport { enabled: false, ..mirror("off") };
    let empty = MirrorReport { code: AspectReport::new(AspectStatus::Unknown), ..mirror("empty") };
    let mirrors = vec![ill, archive, off, empty, mirror("good")];
    let down = || Some(master(MasterVerdict::Gone));
    let report = judged(RepositoryReport { master_health: down(), ..repository(mirrors.clone()) });
    let offered: Vec<_> = report.standing.actions.iter().filter(|action| action.verb == Verb::Promote).collect();
    assert_eq!(offered.iter().map(|action| action.mirror.as_ref().unwrap().as_str()).collect::<Vec<_>>(), ["good"]);
    // A token that is refused, or the network of this machine, is no reason to take over.
    let unknown = Some(master(MasterVerdict::Unknown));
    let report = judged(RepositoryReport { master_health: unknown, ..repository(mirrors) });
    assert_eq!((report.standing.word, report.standing.tone), (StandingWord::MasterUnknown, Tone::Waiting));
    assert!(report.standing.actions.iter().all(|action| action.verb != Verb::Promote), "{:?}", report.standing);
}

#[test]
fn a_repository_stands_as_its_worst() {
    let behind = MirrorReport { code: AspectReport { behind: Some(1), ..aspect(AspectStatus::Ok) }, ..mirror("b") };
    let failed = MirrorReport { secrets: aspect(AspectStatus::Failed), ..mirror("c") };
    let off = MirrorReport { enabled: false, ..mirror("off") };
    let word = |mirrors: &[&MirrorReport]| {
        let report = judged(repository(mirrors.iter().copied().cloned().collect()));
        report.standing
    };
    assert_eq!(word(&[]).word, StandingWord::NoMirrors);
    assert_eq!(word(&[&off]).word, StandingWord::NoMirrors);
    assert_eq!(word(&[&mirror("a"), &off]).word, StandingWord::InStep);
    let worst = word(&[&mirror("a"), &behind]);
    assert_eq!(
        (worst.word, worst.reason.as_str()),
        (StandingWord::Behind, "b: 1 commit of the master is missing there")
    );
    assert_eq!(word(&[&mirror("a"), &behind, &failed]).word, StandingWord::Failed);

    let open = OpenChangeReport {
        kind: "role_change".to_owned(),
        mirror: "a".parse().unwrap(),
        writer: "ada".to_owned(),
        since_iso: at(OLD),
        detail: "A role change is open".to_owned(),
        action: Some(Action::new(Verb::Resume, Some(&"a".parse().unwrap()))),
    };
    let report = judged(RepositoryReport { open_change: Some(open), ..repository(vec![mirror("a"), mirror("b")]) });
    assert_eq!(report.standing.word, StandingWord::ChangeOpen);
    assert_eq!(report.mirrors[0].standing.word, StandingWord::ChangeOpen);
    assert_eq!(report.mirrors[1].standing.word, StandingWord::InStep);
    assert_eq!(report.standing.actions[0].command, "standin promote a --resume");
}

#[test]
fn a_repository_that_is_switched_off_or_waits_for_a_yes_says_that_before_all() {
    let failed = MirrorReport { secrets: aspect(AspectStatus::Failed), ..mirror("c") };
    let mistaken = Some(Error::new(Code::Configuration, "MIRROR_1_TYPE is `githup`", ""));
    let report = judged(RepositoryReport { error: mistaken, ..repository(vec![mirror("a")]) });
    assert_eq!((report.standing.word, report.mirrors[0].standing.tone), (StandingWord::Failed, Tone::Failed));
    let report = judged(RepositoryReport { enabled: false, ..repository(vec![failed]) });
    assert_eq!(report.standing.word, StandingWord::SwitchedOff);
    assert_eq!(report.mirrors[0].standing.word, StandingWord::SwitchedOff);
}

#[test]
fn a_stand_in_is_handed_back_from_once_the_source_is_well() {
    let temporary = MirrorReport { role: Some(Role::TemporaryMaster), ..mirror("a") };
    let source = MirrorReport { id: MirrorId::source(), ..mirror("x") };
    for (verdict, verb) in [(MasterVerdict::Down, Verb::Health), (MasterVerdict::Well, Verb::Demote)] {
        let report = repository(vec![temporary.clone(), source.clone()]);
        let report = judged(RepositoryReport { master_health: Some(master(verdict)), ..report });
        assert_eq!((report.standing.word, report.standing.actions[0].verb), (StandingWord::StandsIn, verb));
        assert_eq!(report.mirrors[0].standing.word, StandingWord::StandsIn);
        assert_eq!(report.mirrors[1].standing.word, StandingWord::WaitsForHandBack);
    }
}

#[test]
fn a_try_that_fails_keeps_what_was_known_before_it() {
    let before = AspectReport {
        detail: Some("093f7683e987".to_owned()),
        last_commit: Some("093f7683e987".to_owned()),
        behind: Some(2),
        synced_count: Some(5),
        total: Some(5),
        ..AspectReport::new(AspectStatus::Ok)
    }
    .tried(at(OLD), None);
    assert_eq!((before.last_sync_iso, before.last_try_iso), (Some(at(OLD)), None));
    let error = Error::new(Code::HostFailed, "GitHub answers 503", "Wait.").at_source();
    let after = AspectReport::from_error(AspectStatus::Failed, &error).tried(at(RECENT), Some(&before));
    assert_eq!((after.status, after.at_source), (AspectStatus::Failed, true));
    assert_eq!((after.last_sync_iso, after.last_try_iso), (Some(at(OLD)), Some(at(RECENT))));
    assert_eq!((&after.detail, &after.last_commit, after.behind), (&before.detail, &before.last_commit, Some(2)));
    assert_eq!((after.synced_count, after.total), (Some(5), Some(5)));
    let again = AspectReport::new(AspectStatus::Ok).tried(at(NOW), Some(&after));
    assert_eq!((again.last_sync_iso, again.last_try_iso, again.at_source), (Some(at(NOW)), None, false));
}

#[test]
fn what_another_sync_saw_of_the_master_is_held_against_those_that_were_not_synced_then() {
    let with = |commit: &str, at: &str| {
        let mut one = mirror("a");
        one.code.last_commit = Some("0123456789ab".to_owned());
        let seen = SeenTip { commit: commit.to_owned(), at_iso: self::at(at) };
        judged(RepositoryReport { seen: Some(seen), ..repository(vec![one]) }).mirrors[0].standing.clone()
    };
    let behind = with("fedcba987654", "2026-03-01T11:30:00Z");
    assert_eq!((behind.word, behind.tone), (StandingWord::Behind, Tone::Waiting));
    assert_eq!(behind.reason, "the master has moved on since, to fedcba987654");
    assert_eq!(with("0123456789ab", "2026-03-01T11:30:00Z").word, StandingWord::InStep);
    assert_eq!(with("fedcba987654", OLD).word, StandingWord::InStep, "it was synced later than that");
}

#[test]
fn a_question_about_what_is_kept_is_said_of_the_whole_and_hides_no_mirror() {
    let line = ConsentLine::new(ConsentTopic::Sends, "the token of mirror-1 to elsewhere.example/x");
    let question = ConsentQuestion::with_kept(None, &[line], &[]).unwrap();
    let failed = MirrorReport { secrets: aspect(AspectStatus::Failed), ..mirror("b") };
    let with = |question| {
        let mirrors = vec![mirror("a"), failed.clone()];
        judged(RepositoryReport { consent: Some(question), ..repository(mirrors) })
    };
    let report = with(question.clone());
    assert_eq!(report.standing.word, StandingWord::ConsentNeeded);
    assert_eq!(report.mirrors[0].standing.word, StandingWord::InStep);
    assert_eq!(report.mirrors[1].standing.word, StandingWord::Failed);
    assert_eq!(with(question.denied()).standing.word, StandingWord::Failed, "a no is an answer");
}
