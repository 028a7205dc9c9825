//! Who is told of what changed: `[[notify]]`, `[quiet_hours]` and `[schedule] ping_url`, in `standin.toml` alone.

use standin_state::config::{Notify, NotifyMeans};
use standin_state::model::{NotifyEvent, NotifyKind};

use crate::ground::Ground;

fn notify(text: &str) -> Notify {
    Ground::empty().toml(text).loaded().config.notify
}

#[test]
fn places_are_read_with_their_usual_names_and_all_events() {
    let read = notify(
        "[schedule]\nping_url = \"https://hc.example/CANARY\"\n[quiet_hours]\nfrom = \"22:00\"\nto = \"7:30\"\ntime_zone = \"Europe/Berlin\"\n\
         [[notify]]\ntype = \"ntfy\"\nurl = \"https://ntfy.sh/my-topic\"\ntoken_env = \"NTFY_TOKEN\"\n\
         [[notify]]\nname = \"team\"\ntype = \"webhook\"\nurl = \"http://192.168.1.2:8080/hook?x=1\"\ninsecure = true\non = [\"failed\", \"waits\"]\n\
         [[notify]]\ntype = \"command\"\ncommand = [\"notify-send\", \"Standin\"]\n\
         [[notify]]\nname = \"own\"\ntype = \"command\"\ncommand = [\"~/bin/told\"]\n",
    );
    let shown: Vec<_> =
        read.targets.iter().map(|target| (target.name.as_str(), target.kind(), target.on.len())).collect();
    let all = NotifyEvent::ALL.len();
    assert_eq!(
        shown,
        [
            ("ntfy", NotifyKind::Ntfy, all),
            ("team", NotifyKind::Webhook, 2),
            ("command", NotifyKind::Command, all),
            ("own", NotifyKind::Command, all),
        ]
    );
    assert_eq!(read.targets[0].token_env.as_deref(), Some("NTFY_TOKEN"));
    assert_eq!(read.targets[1].display(), "http://192.168.1.2:8080");
    assert!(read.targets[1].address().unwrap().is_clear());
    let NotifyMeans::Command(own) = &read.targets[3].means else { panic!("{read:?}") };
    assert!(own.program.is_absolute() && own.program.ends_with("home/bin/told"), "{own:?}");
    let quiet = read.quiet_hours.as_ref().unwrap();
    assert_eq!((quiet.from.to_string(), quiet.to.to_string()), ("22:00:00".to_owned(), "07:30:00".to_owned()));
    assert_eq!(read.ping.as_ref().unwrap().to_string(), "https://hc.example");
    assert!(!format!("{read:?}").contains("CANARY"), "an address shows its host alone: {read:?}");
}

#[test]
fn what_a_desktop_shows_is_all_but_that_something_is_well_again_unless_the_file_says_otherwise() {
    let usual = notify("").desktop;
    assert!(usual.len() == NotifyEvent::ALL.len() - 1 && !usual.contains(&NotifyEvent::Mended), "{usual:?}");
    assert_eq!(notify("[desktop]\n").desktop, usual);
    let some = notify("[desktop]\nnotify = [\"master_down\", \"mended\"]\n").desktop;
    assert_eq!(some.into_iter().collect::<Vec<_>>(), [NotifyEvent::MasterDown, NotifyEvent::Mended]);
    assert!(notify("[desktop]\nnotify = []\n").desktop.is_empty());
}

#[test]
fn nothing_but_the_file_says_who_is_told() {
    let lines = "MIRROR_1_REPO=acme/backup\nSTANDIN_NOTIFY=x\nNOTIFY_URL=https://evil.example/x\nSTANDIN_PING_URL=https://evil.example/x\n";
    let config = Ground::with_clone()
        .env(lines)
        .variable("STANDIN_PING_URL", "https://evil.example/x")
        .variable("STANDIN_NOTIFY_URL", "https://evil.example/x")
        .loaded()
        .config;
    assert!(config.notify.targets.is_empty() && config.notify.ping.is_none() && config.notify.quiet_hours.is_none());
    // A standin.toml that came with the clone is not the user's.
    let config = Ground::with_clone()
        .env("MIRROR_1_REPO=acme/backup\n")
        .file("site/standin.toml", "[[notify]]\ntype = \"ntfy\"\nurl = \"https://evil.example/x\"\n")
        .loaded()
        .config;
    assert!(config.notify.targets.is_empty());
}
