use crate::{Code, Error};
use jiff::{SignedDuration, Timestamp};
use standin_state::model::{Aspect, RunStatus, Trigger};
use standin_state::store::{Change, ChangeAction, ChangeOutcome, RecordedChange, RunRecord, RunTotals};

use super::{csv, days_before, dots};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn run(id: &str, started: Timestamp, status: RunStatus, changes: u64) -> RunRecord {
    RunRecord {
        id: id.parse().unwrap(),
        job: Some("job-1".parse().unwrap()),
        repository: "site".parse().unwrap(),
        mirror: "backup".parse().unwrap(),
        trigger: Trigger::Schedule,
        status,
        started_iso: started,
        finished_iso: Some(started + SignedDuration::from_millis(1_250)),
        error: None,
        totals: RunTotals { changes, ..RunTotals::default() },
        changes: Vec::new(),
    }
}

#[test]
fn a_month_of_runs_every_few_minutes_is_a_few_hundred_dots_and_none_is_lost() {
    let to = at("2026-07-01T00:00:00Z");
    let from = days_before(to, 30);
    let all = 30 * 24 * 12;
    let runs: Vec<RunRecord> = (0..all)
        .map(|count| {
            let started = from + SignedDuration::from_mins(5 * i64::from(count));
            run(&format!("r{count}"), started, RunStatus::Success, u64::from(count % 2 == 0))
        })
        .collect();
    let dots = dots(&runs, (from, to));
    assert!(dots.len() <= 241, "{}", dots.len());
    assert_eq!(dots.iter().map(|dot| dot.runs).sum::<u32>(), all);
    assert_eq!(dots.iter().map(|dot| dot.changes).sum::<u64>(), u64::from(all / 2));
    assert!(dots.is_sorted_by_key(|dot| dot.started_iso));
    assert_eq!(dots.last().unwrap().run.as_str(), format!("r{}", all - 1), "the last of a slice stands for it");
}

#[test]
fn what_failed_is_not_hidden_behind_what_went_well_beside_it() {
    let to = at("2026-07-01T00:00:00Z");
    let from = days_before(to, 30);
    let minute = SignedDuration::from_mins(1);
    let runs = [
        run("last", to, RunStatus::Success, 0),
        run("bad", to - minute, RunStatus::Failed, 0),
        run("first", to - minute * 2, RunStatus::Success, 2),
        run("before", from - minute, RunStatus::Failed, 0),
    ];
    let dots = dots(&runs, (from, to));
    let shown: Vec<(&str, u32, u64)> = dots.iter().map(|dot| (dot.run.as_str(), dot.runs, dot.changes)).collect();
    assert_eq!(shown, [("first", 1, 2), ("bad", 1, 0), ("last", 1, 0)]);
}

#[test]
fn a_table_is_read_back_whole_and_calculates_nothing() {
    let change = |name: &str| RecordedChange {
        change: Change {
            aspect: Aspect::Code,
            action: ChangeAction::Create,
            name: name.to_owned(),
            before: None,
            after: None,
        },
        outcome: ChangeOutcome::Done,
        at_iso: at("2026-07-01T00:00:00Z"),
    };
    let failed = RunRecord {
        error: Some(Error::new(Code::TimedOut, "it said \"no\",\nand hung up", "Wait.")),
        changes: vec![change("=HYPERLINK(1)"), change("refs/heads/a,b")],
        ..run("r1", at("2026-07-01T08:00:00.5Z"), RunStatus::Failed, 2)
    };
    let table = csv(&[failed, run("r2", at("2026-07-01T09:00:00Z"), RunStatus::Success, 0)]);
    let lines = [
        "started,finished,seconds,repository,mirror,trigger,status,changes,changed,api_requests,bytes_sent,bytes_received,\
         error_code,error,job,run",
        "2026-07-01T08:00:00.500Z,2026-07-01T08:00:01.750Z,1.250,site,backup,schedule,failed,2,\"'=HYPERLINK(1); \
         refs/heads/a,b\",0,0,0,timed_out,\"it said \"\"no\"\",\nand hung up\",job-1,r1",
        "2026-07-01T09:00:00.000Z,2026-07-01T09:00:01.250Z,1.250,site,backup,schedule,success,0,,0,0,0,,,job-1,r2",
    ];
    assert_eq!(table, lines.map(|line| format!("{line}\r\n")).concat());
}
