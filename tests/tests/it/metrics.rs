//! `standin watch --metrics`: what a real Prometheus gets of a real process, and what nobody gets.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use standin_core::metrics::{Form, METRICS, page};
use standin_core::state::model::{Aspect, AspectReport, AspectStatus, RunStatus, Trigger};
use standin_core::state::store::{Fact, RunRecord, RunTotals, Store};
use standin_tests::cli::{ARCHIVE, BACKUP, Machine, NAME, OWNER, Running, STANDBY, World, finish};
use standin_tests::local::Local;
use standin_tests::scrape::{Prometheus, ask, free_port, samples, say, told_address};
use standin_tests::stage::REPOSITORY;

use crate::metrics_documents::dashboard_queries;

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");
const PATIENCE: Duration = Duration::from_secs(60);
const ANYWHERE: &str = "127.0.0.1:0";

fn signal(running: &Running, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &running.id().to_string()]).status().unwrap().success());
}

/// Ends it as systemd does.
fn end(running: Running) {
    signal(&running, "TERM");
    let ran = running.wait();
    assert_eq!(ran.code(), 0, "{}", ran.all());
}

/// Starts `standin watch --metrics` and gives the address at which it answers.
fn watch(machine: &Machine, more: &[&str]) -> (Running, SocketAddr) {
    let running = machine.start(&[&["watch", "--metrics", ANYWHERE], more].concat());
    let address = shown_at(&running);
    (running, address)
}

fn shown_at(running: &Running) -> SocketAddr {
    let mut address = None;
    finish("metrics are shown", PATIENCE, || {
        address = told_address(&running.stdout());
        address.is_some()
    });
    address.unwrap()
}

/// The number of one sample; `None` where there is none.
fn shown(address: SocketAddr, what: &str) -> Option<f64> {
    let answer = ask(address, "GET", "/metrics", &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    samples(&answer.body).get(what).copied()
}

fn becomes(address: SocketAddr, what: &str, number: f64) {
    let mut last = None;
    finish(&format!("{what} {number}"), PATIENCE, || {
        last = shown(address, what);
        std::thread::sleep(Duration::from_millis(200));
        last == Some(number)
    });
}

/// `promtool check metrics` on the page that it can read.
fn lint(page: &str) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("promtool, of the package prometheus: {error}"));
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{page}", String::from_utf8_lossy(&output.stderr));
}

fn holds(folder: &Path, secret: &str) -> bool {
    std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, secret);
        }
        std::fs::read(&path).is_ok_and(|bytes| bytes.windows(secret.len()).any(|part| part == secret.as_bytes()))
    })
}

#[test]
fn a_real_prometheus_scrapes_a_real_process_and_gets_no_secret() {
    let world = World::new(PROGRAM);
    let secret = "CANARY-webhook-0123456789abcdef";
    let machine = world.machine().with("STANDIN_SYNC_INTERVAL", "1h").with("STANDIN_WEBHOOK_SECRET", secret);
    let (running, address) = watch(&machine, &["--listen", ANYWHERE]);
    let of = |mirror: &str| format!("{{repository=\"{REPOSITORY}\",mirror=\"{mirror}\"");
    let runs = format!("standin_runs_total{},trigger=\"schedule\",status=\"success\"}}", of(ARCHIVE));
    becomes(address, &runs, 1.0);
    becomes(address, &format!("standin_standing{},standing=\"in_step\"}}", of(STANDBY)), 1.0);
    becomes(address, &format!("standin_master_healthy{{repository=\"{REPOSITORY}\"}}"), 1.0);

    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/prometheus/alerts.yml");
    let folder = world.folder().join("prometheus");
    let prometheus = Prometheus::start(&folder, address, &rules);
    finish("it was scraped", PATIENCE, || prometheus.query("up{job=\"standin\"}").iter().any(|(_, up)| *up == 1.0));

    let ages = prometheus.query("time() - standin_last_success_timestamp_seconds");
    let aspects = |mirror: &str| ages.iter().filter(|(labels, _)| labels["mirror"] == mirror).count();
    assert_eq!((aspects(STANDBY), aspects(ARCHIVE)), (4, 1), "{ages:?}");
    assert!(ages.iter().all(|(_, age)| (0.0..120.0).contains(age)), "{ages:?}");
    let one = |query: &str| match prometheus.query(query).as_slice() {
        [(_, number)] => *number,
        found => panic!("{query}: {found:?}"),
    };
    let at = |metric: &str, mirror: &str| one(&format!("standin_{metric}{}}}", of(mirror)));
    assert_eq!(at("sync_interval_seconds", ARCHIVE), 3600.0);
    assert_eq!((at("commits_behind", STANDBY), at("consecutive_failures", STANDBY)), (0.0, 0.0));
    assert!(at("bytes_sent_total", ARCHIVE) > 100.0 && at("api_requests_total", STANDBY) > 5.0);
    let next = one(&format!("standin_next_sync_timestamp_seconds{}}} - time()", of(ARCHIVE)));
    assert!((3000.0..3700.0).contains(&next), "next in {next} s");
    assert_eq!(one("sum(standin_standing{mirror=\"mirror-1\"})"), 1.0, "one word of them all");
    assert_eq!(one("standin_schedule_kept"), 1.0);
    assert_eq!(one("count(standin_build_info{version!=\"\"})"), 1.0);
    // What it takes for the type of a metric is what was said.
    let kinds = prometheus.api("metadata?metric=standin_runs");
    assert_eq!(kinds["standin_runs"][0]["type"], "counter", "{kinds}");

    // Every query of the dashboard is one, and with all well no rule fires.
    for query in dashboard_queries() {
        let filled = query.replace("$job", ".*").replace("$repository", ".*").replace("$__rate_interval", "1m");
        prometheus.query(&filled);
    }
    let table = prometheus.query("max by (repository, mirror, standing) (standin_standing == 1)");
    assert_eq!(table.len(), 2, "{table:?}");
    finish("the rules were evaluated", PATIENCE, || {
        let rules = prometheus.api("rules");
        let rules = rules["groups"][0]["rules"].as_array().unwrap().clone();
        rules.iter().all(|rule| rule["health"] == "ok")
    });
    // One that was evaluated before the first scrape takes it back.
    finish("no rule fires", PATIENCE, || prometheus.api("alerts")["alerts"] == Value::Array(Vec::new()));

    let open = ask(address, "GET", "/metrics", &[]);
    let text = ask(address, "GET", "/metrics", &["Accept: text/plain;version=0.0.4"]);
    lint(&text.body);
    assert!(open.head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{open:?}");
    assert!(text.head.contains("content-type: text/plain; version=0.0.4"), "{text:?}");
    assert!(open.body.ends_with("\n# EOF\n") && !text.body.contains("EOF"));
    drop(prometheus);
    let mut places =
        vec![world.folder().display().to_string(), format!("{OWNER}/"), BACKUP.to_owned(), "http".to_owned()];
    places.extend(world.canaries());
    places.push(secret.to_owned());
    for one in &places {
        assert!(!open.body.contains(one.as_str()) && !text.body.contains(one.as_str()), "{one} is on the page");
    }
    for canary in world.canaries().iter().chain([&secret.to_owned()]) {
        assert!(!holds(&folder, canary), "{canary} is in Prometheus");
        assert!(!running.stdout().contains(canary.as_str()) && !running.stderr().contains(canary.as_str()));
    }
    end(running);
}

#[test]
fn counters_go_on_after_a_restart_and_without_the_history() {
    let world = World::new(PROGRAM);
    let machine = world.machine().with("STANDIN_SCHEDULE", "false");
    for _ in 0..2 {
        assert_eq!(machine.standin(&["sync", "--mirror", ARCHIVE]).code(), 0);
    }
    let runs = format!(
        "standin_runs_total{{repository=\"{REPOSITORY}\",mirror=\"{ARCHIVE}\",trigger=\"manual\",status=\"success\"}}"
    );
    let sent = format!("standin_bytes_sent_total{{repository=\"{REPOSITORY}\",mirror=\"{ARCHIVE}\"}}");
    let (first, address) = watch(&machine, &[]);
    let before = (shown(address, &runs), shown(address, &sent));
    assert_eq!(before.0, Some(2.0));
    assert!(before.1.is_some_and(|sent| sent > 100.0), "{before:?}");
    assert_eq!(
        shown(address, &format!("standin_sync_interval_seconds{{repository=\"{REPOSITORY}\",mirror=\"{ARCHIVE}\"}}")),
        None
    );
    end(first);
    let database = rusqlite::Connection::open(machine.state.join("standin.db")).unwrap();
    database.execute_batch("PRAGMA foreign_keys = on; DELETE FROM runs").unwrap();
    drop(database);
    let (second, address) = watch(&machine, &[]);
    assert_eq!((shown(address, &runs), shown(address, &sent)), before);
    assert_eq!(machine.standin(&["sync", "--mirror", ARCHIVE]).code(), 0);
    becomes(address, &runs, 3.0);
    end(second);
}

#[test]
fn a_process_that_stands_by_answers_too_and_says_so_until_it_takes_over() {
    let local = Local::new(PROGRAM, &[]);
    let port = format!("127.0.0.1:{}", free_port());
    let first = local.machine.start(&["watch", "--metrics", &port]);
    let at_first = shown_at(&first);
    becomes(at_first, "standin_schedule_kept", 1.0);
    let (second, at_second) = watch(&local.machine, &[]);
    assert_eq!(shown(at_second, "standin_schedule_kept"), Some(0.0));
    // One with the address of the first has none until that one leaves it.
    let third = local.machine.start(&["watch", "--metrics", &port]);
    finish("it says why", PATIENCE, || third.stdout().contains("nobody is answered yet"));
    for address in [at_first, at_second] {
        assert_eq!(ask(address, "GET", "/healthz", &[]).status, 200);
    }
    // What is configured meanwhile is shown by those that stand by, too.
    let more =
        "[[repository.mirror]]\nid = \"more\"\ntype = \"git\"\nurl = \"/nonexistent/more.git\"\nschedule = \"off\"\n";
    local.configure(&format!(
        "[[repository]]\nid = \"site\"\nsource = {:?}\n[[repository.mirror]]\nid = \"backup\"\ntype = \"git\"\nurl = {:?}\n{more}",
        local.source, local.mirror
    ));
    for address in [at_first, at_second] {
        becomes(address, "standin_standing{repository=\"site\",mirror=\"more\",standing=\"never_synced\"}", 1.0);
    }
    signal(&first, "KILL");
    drop(first);
    finish("one of them keeps it, and both answer", PATIENCE, || {
        let Some(at_third) = told_address(&third.stdout()) else { return false };
        let kept = [at_second, at_third].map(|address| shown(address, "standin_schedule_kept"));
        std::thread::sleep(Duration::from_millis(200));
        kept.contains(&Some(1.0)) && kept.contains(&Some(0.0))
    });
    assert!(!third.stdout().contains("cannot be listened on: Address in use\n[schedule] nobody is"), "told once");
    assert_eq!(third.stdout().matches("nobody is answered yet").count(), 1, "{}", third.stdout());
    end(second);
    becomes(at_first, "standin_schedule_kept", 1.0);
    end(third);
    assert!(TcpStream::connect(at_first).is_err(), "nobody answers any more");
}

#[test]
fn webhooks_and_metrics_share_an_address_without_a_secret_for_the_page() {
    let world = World::new(PROGRAM);
    let secret = "CANARY-webhook-0123456789abcdef";
    let machine = world.machine().with("STANDIN_SCHEDULE", "false").with("STANDIN_WEBHOOK_SECRET", secret);
    let (running, address) = watch(&machine, &["--listen", ANYWHERE]);
    becomes(address, "standin_schedule_kept", 1.0);
    let body = format!(
        r#"{{"ref": "refs/heads/main", "repository": {{"full_name": "{OWNER}/{NAME}"}}, "pusher": {{"name": "ann"}}}}"#
    );
    let signed = |signature: &str| {
        let text = format!(
            "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: 1\r\n\
             X-Hub-Signature-256: {signature}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        say(address, text.as_bytes()).status
    };
    assert_eq!(signed("sha256=00"), 401);
    assert_eq!(signed(&crate::triggers_webhook::sign(&body)), 202);
    let runs = format!(
        "standin_runs_total{{repository=\"{REPOSITORY}\",mirror=\"{ARCHIVE}\",trigger=\"webhook\",status=\"success\"}}"
    );
    becomes(address, &runs, 1.0);
    becomes(address, "standin_queue_waiting", 0.0);
    end(running);
    // Such an address is of this machine alone.
    let refused = machine.standin(&["watch", "--metrics", "0.0.0.0:0", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.code(), 2, "{}", refused.all());
    assert!(refused.stderr.contains("can be reached from other machines"), "{}", refused.all());
}

#[test]
fn an_address_that_others_reach_is_for_metrics_alone_and_one_that_is_taken_is_an_error() {
    let local = Local::new(PROGRAM, &[]);
    let running = local.machine.start(&["watch", "--metrics", "0.0.0.0:0"]);
    let address = SocketAddr::from(([127, 0, 0, 1], shown_at(&running).port()));
    assert_eq!(ask(address, "GET", "/metrics", &[]).status, 200);
    assert_eq!(ask(address, "POST", "/webhook", &[]).status, 404);
    end(running);
    let taken = std::net::TcpListener::bind(ANYWHERE).unwrap();
    let taken = taken.local_addr().map(|address| (taken, address.to_string())).unwrap();
    let refused = local.machine.standin(&["watch", "--metrics", &taken.1]);
    assert_eq!(refused.code(), 1, "{}", refused.all());
    assert!(refused.stderr.contains(&format!("{} cannot be listened on", taken.1)), "{}", refused.all());
    assert!(refused.stderr.contains("Choose another port"), "{}", refused.all());
    let nonsense = local.machine.standin(&["watch", "--metrics", "9464"]);
    assert_eq!(nonsense.code(), 2, "{}", nonsense.all());
}

#[test]
fn garbage_and_silence_hold_nobody_up() {
    let local = Local::new(PROGRAM, &[]);
    let (running, address) = watch(&local.machine, &[]);
    for path in ["/metrics", "/healthz"] {
        let (whole, head) = (ask(address, "GET", path, &[]), ask(address, "HEAD", path, &[]));
        assert_eq!((whole.status, head.status, head.body.as_str()), (200, 200, ""), "{path}");
        assert!(head.head.contains("content-length: "), "{head:?}");
        for method in ["POST", "PUT", "DELETE"] {
            let refused = ask(address, method, path, &["Content-Length: 0"]);
            assert_eq!(refused.status, 405, "{method} {path}");
            assert!(refused.head.contains("allow: get, head"), "{refused:?}");
        }
    }
    assert_eq!(ask(address, "GET", "/healthz", &[]).body, "ok\n");
    assert_eq!(ask(address, "GET", "/metrics?debug=1", &[]).status, 200);
    for path in ["/", "/metrics/", "/webhook", "/metrics/../metrics", "//metrics", "/%6detrics"] {
        assert_eq!(ask(address, "GET", path, &[]).status, 404, "{path}");
    }
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..],
        b"GET\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ] {
        assert!(matches!(say(address, garbage).status, 0 | 400 | 505), "{garbage:?}");
    }
    let long = format!("X-Long: {}", "y".repeat(64 * 1024));
    assert!(matches!(ask(address, "GET", "/metrics", &[&long]).status, 0 | 400 | 431));
    // Hundreds hold on that say nothing, or that say half of it.
    let half = |_| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /met").unwrap();
        stream
    };
    let held: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(address).unwrap()).chain((0..300).map(half)).collect();
    let begin = Instant::now();
    for path in ["/healthz", "/metrics"] {
        assert_eq!(ask(address, "GET", path, &[]).status, 200, "{path}");
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    // Many at once get the same page, gathered once.
    drop(held);
    let all: Vec<_> =
        (0..24).map(|_| std::thread::spawn(move || ask(address, "GET", "/metrics", &[]).status)).collect();
    assert!(all.into_iter().all(|one| one.join().unwrap() == 200));
    end(running);
}

#[test]
fn a_memory_that_cannot_be_read_is_said_without_where_it_is() {
    let local = Local::new(PROGRAM, &[]);
    let machine = local.machine.with("STANDIN_SCHEDULE", "false");
    let (running, address) = watch(&machine, &[]);
    let database = rusqlite::Connection::open(machine.state.join("standin.db")).unwrap();
    database.execute_batch("ALTER TABLE run_failures RENAME TO aside").unwrap();
    let mut said = None;
    finish("it is said", PATIENCE, || {
        let answer = ask(address, "GET", "/metrics", &[]);
        let is_ill = answer.status == 503;
        said = Some(answer);
        is_ill
    });
    let said = said.unwrap();
    assert_eq!(said.body, "what is remembered cannot be read: the log says why");
    assert_eq!(ask(address, "GET", "/healthz", &[]).status, 200, "the process is well");
    database.execute_batch("ALTER TABLE aside RENAME TO run_failures").unwrap();
    assert_eq!(ask(address, "GET", "/metrics", &[]).status, 200);
    end(running);
}

/// So many repositories with so many mirrors each.
fn configure(local: &Local, repositories: usize, mirrors: usize) {
    let mut config = String::new();
    for repository in 0..repositories {
        config.push_str(&format!("[[repository]]\nid = \"site-{repository}\"\nsource = {:?}\n", local.source));
        for mirror in 0..mirrors {
            config.push_str(&format!(
                "[[repository.mirror]]\nid = \"m{mirror}\"\ntype = \"git\"\nurl = \"/nonexistent/{repository}/{mirror}.git\"\n"
            ));
        }
    }
    local.configure(&config);
}

/// The same with a memory in which each mirror has so many runs.
fn filled(local: &Local, repositories: usize, mirrors: usize, runs: usize) {
    configure(local, repositories, mirrors);
    let store = Store::open(&local.machine.state).unwrap();
    let started_iso = "2026-03-01T12:00:00Z".parse().unwrap();
    for (repository, mirror) in
        (0..repositories).flat_map(|repository| (0..mirrors).map(move |mirror| (repository, mirror)))
    {
        let target = format!("/nonexistent/{repository}/{mirror}.git");
        let run = RunRecord {
            id: format!("r{repository}-{mirror}").parse().unwrap(),
            job: None,
            repository: format!("site-{repository}").parse().unwrap(),
            mirror: format!("m{mirror}").parse().unwrap(),
            trigger: Trigger::Schedule,
            status: RunStatus::Running,
            started_iso,
            finished_iso: None,
            error: None,
            totals: RunTotals::default(),
            changes: Vec::new(),
        };
        store.set_target(&run.repository, &run.mirror, &target).unwrap();
        store.begin_run(&run, &target).unwrap();
        let report = AspectReport { last_sync_iso: Some(started_iso), ..AspectReport::new(AspectStatus::Ok) };
        store.finish_aspect(&run.id, &run.repository, &run.mirror, Aspect::Code, &report).unwrap();
        let totals = RunTotals { bytes_sent: 1000, api_requests: 3, ..RunTotals::default() };
        store.finish_run(&run.id, RunStatus::Success, None, &totals, started_iso).unwrap();
        let (of, fact) = (Some(&run.mirror), Fact::TokenExpires);
        store.set_fact(&run.repository, of, fact, Some("0123abcd 2026-06-01 00:00:00 UTC")).unwrap();
    }
    drop(store);
    let database = rusqlite::Connection::open(local.machine.state.join("standin.db")).unwrap();
    let numbers: Vec<usize> = (1..runs).collect();
    let copy = "INSERT INTO runs SELECT runs.id || '-' || value, repository, mirror, set_off_by, status, started_ns, finished_ns,
                    error, changes, api_requests, gh_calls, git_calls, bytes_sent, bytes_received, target, job
                FROM runs, json_each(?1)";
    database.execute(copy, [serde_json::to_string(&numbers).unwrap()]).unwrap();
}

#[test]
fn a_page_of_many_mirrors_is_read_at_once_however_long_their_history_is() {
    for (repositories, mirrors) in [(1, 200), (200, 1)] {
        let local = Local::new(PROGRAM, &[]);
        filled(&local, repositories, mirrors, 250);
        // Kept, so that it is known when each is synced next, and nothing is synced.
        assert_eq!(local.machine.standin(&["schedule", "pause"]).code(), 0);
        let (running, address) = watch(&local.machine, &[]);
        becomes(address, "standin_schedule_kept", 1.0);
        let mut quickest = Duration::MAX;
        let mut body = String::new();
        for _ in 0..4 {
            // What was gathered a second ago is not answered again.
            std::thread::sleep(Duration::from_millis(1100));
            let begin = Instant::now();
            body = ask(address, "GET", "/metrics", &[]).body;
            quickest = quickest.min(begin.elapsed());
        }
        println!("{repositories} x {mirrors} mirrors, 50,000 runs: {quickest:?}, {} bytes", body.len());
        // This program is not built for speed, and the machine does other things as well: a scraper waits for ten.
        assert!(quickest < Duration::from_secs(2), "{quickest:?}");
        let told = samples(&body);
        let last = format!("{{repository=\"site-{}\",mirror=\"m{}\"}}", repositories - 1, mirrors - 1);
        let of = |metric: &str| told.get(&format!("standin_{metric}{last}")).copied();
        assert_eq!(of("bytes_sent_total"), Some(1000.0), "each was counted once");
        assert_eq!(of("token_expires_timestamp_seconds"), Some(1_780_272_000.0));
        assert_eq!(told.keys().filter(|what| what.starts_with("standin_last_success")).count(), 200);
        assert!(told.len() > 200 * METRICS.len() / 2, "{}", told.len());
        end(running);
    }
}

#[test]
fn what_is_configured_no_more_is_not_shown_and_comes_back_with_what_it_had() {
    let local = Local::new(PROGRAM, &[]);
    filled(&local, 1, 3, 1);
    let engine = local.engine();
    let told = |mirrors: usize| {
        configure(&local, 1, mirrors);
        engine.reload().unwrap();
        samples(&page(&Arc::new(engine.metrics(true).unwrap()), Form::OpenMetrics).unwrap())
    };
    let sent = "standin_bytes_sent_total{repository=\"site-0\",mirror=\"m2\"}";
    assert_eq!(told(3).get(sent), Some(&1000.0));
    let fewer = told(2);
    assert!(fewer.keys().all(|what| !what.contains("\"m2\"")) && fewer.keys().any(|what| what.contains("\"m1\"")));
    assert_eq!(told(3).get(sent), Some(&1000.0));
}
