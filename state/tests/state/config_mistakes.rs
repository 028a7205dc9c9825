//! Bad `.env` and TOML files: each mistake has its message, and none shows a token.

use std::fmt::Write as _;

use standin_state::error::{Code, Error};

use crate::ground::Ground;

const TOKEN: &str = "ghp_CANARYcanaryCANARYcanary0123456789";

/// One line for each case: what was written, and the one mistake that it makes.
fn told(cases: &[(&str, Ground)]) -> String {
    let mut text = String::new();
    for (written, ground) in cases {
        let mistakes = ground.mistakes();
        assert_eq!(mistakes.len(), 1, "{written}\n{mistakes:#?}");
        let mistake = &mistakes[0];
        assert!(!format!("{mistake:?}").contains("CANARY"), "{mistake:?}");
        writeln!(text, "--- {}", written.trim().replace(TOKEN, "TOKEN")).unwrap();
        writeln!(text, "{}", ground.stable(&mistake.to_string())).unwrap();
        writeln!(text, "    {}\n", ground.stable(&mistake.hint)).unwrap();
    }
    text
}

fn env_cases(lines: &[&'static str]) -> String {
    let cases: Vec<_> =
        lines.iter().map(|line| (*line, Ground::with_clone().env(&line.replace("TOKEN_VALUE", TOKEN)))).collect();
    told(&cases)
}

fn toml_cases(texts: &[&'static str]) -> String {
    let cases: Vec<_> =
        texts.iter().map(|text| (*text, Ground::empty().toml(&text.replace("TOKEN_VALUE", TOKEN)))).collect();
    told(&cases)
}

#[test]
fn syntax_of_env_files() {
    insta::assert_snapshot!(env_cases(&[
        "MIRROR_1_REPO=acme/backup\nCANARY_without_equals",
        "MIRROR_1_REPO=acme/backup\nA B=CANARY",
        "MIRROR_1_REPO=acme/backup\n1A=CANARY",
        "MIRROR_1_REPO=acme/backup\nKEY=\"CANARY",
        "MIRROR_1_REPO=acme/backup\nKEY='CANARY' more",
    ]));
}

#[test]
fn an_env_file_must_be_utf_8() {
    let ground = Ground::with_clone().toml("[[repository]]\nid = \"site\"\npath = \"../site\"\n");
    std::fs::write(ground.path("site/.env"), b"A=1\nB=\xff\n").unwrap();
    insta::assert_snapshot!(told(&[("B=<byte 255>", ground)]));
}

#[test]
fn variables_that_do_not_exist() {
    insta::assert_snapshot!(env_cases(&[
        "MIRROR_1_REPO=acme/backup\nMIRROR_1_SYNC_VARIABLES=true",
        "MIRROR_1_REPO=acme/backup\nMIRROR_1_TOKN=TOKEN_VALUE",
        "MIRROR_1_REPO=acme/backup\nMIRROR_1_XYZ=CANARY",
        "MIRROR_01_REPO=acme/backup",
        "MIRROR_99999999999_REPO=acme/backup",
        "MIRROR_REPO=acme/backup",
        "MIRROR_ENABLE=true",
        "MIRROR_ZEBRA=CANARY",
        "mirror_1_token=TOKEN_VALUE",
    ]));
}

#[test]
fn unknown_variables_of_other_programs_in_the_environment_are_theirs() {
    let ground = || Ground::with_clone().env("MIRROR_1_REPO=acme/backup");
    assert_eq!(ground().variable("MIRROR_ZEBRA", "x").repository().mirrors.len(), 1);
    insta::assert_snapshot!(told(&[("MIRROR_1_TOKN in the environment", ground().variable("MIRROR_1_TOKN", TOKEN))]));
}

#[test]
fn values_of_variables() {
    insta::assert_snapshot!(env_cases(&[
        "MIRROR_1_REPO=acme/backup\nMIRROR_ENABLED=maybe",
        "MIRROR_1_REPO=acme/backup\nMIRROR_1_ENABLED=2",
        "MIRROR_1_REPO=acme/backup\nMIRROR_1_SYNC_SECRETS=TOKEN_VALUE",
        "MIRROR_1_REPO=acme/backup\nMIRROR_1_TYPE=githib",
        "MIRROR_1_REPO=acme/backup\nMIRROR_1_TYPE=TOKEN_VALUE",
        "MIRROR_1_URL=https://example.com/x.git\nMIRROR_1_TYPE=follow",
        "MIRROR_1_URL=https://example.com/x.git\nMIRROR_1_TYPE=workspace",
        "MIRROR_1_REPO=acme/backup\nMIRROR_1_TOKEN=two CANARY words",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SOURCE_TOKEN=\"CANARY\nlines\"",
        "MIRROR_1_REPO=acme/backup\nSTANDIN_SYNC_INTERVAL=60",
        "MIRROR_1_REPO=acme/backup\nSTANDIN_SYNC_INTERVAL=0s",
        "MIRROR_1_REPO=acme/backup\nSTANDIN_SCHEDULE=daily",
        "MIRROR_1_REPO=acme/backup\nSTANDIN_PARALLEL=0",
        "MIRROR_1_REPO=acme/backup\nSTANDIN_RUN_LIMIT=1 hour",
        "MIRROR_1_REPO=acme/backup\nSTANDIN_REQUEST_LIMIT=99999999999999999999s",
    ]));
}

#[test]
fn values_of_addresses_of_github() {
    let with = |key, value| Ground::with_clone().env("MIRROR_1_REPO=acme/backup").variable(key, value);
    insta::assert_snapshot!(told(&[
        ("no address", with("STANDIN_GITHUB_API_URL", "api.github.com")),
        ("a password", with("STANDIN_GITHUB_API_URL", "https://user:CANARY@api.github.com")),
        ("in the clear", with("STANDIN_GITHUB_SERVER_URL", "http://git.example.com")),
        ("no folder", with("STANDIN_GH_CONFIG_DIR", "~ann/gh")),
    ]));
}

#[test]
fn an_env_file_cannot_say_where_tokens_go() {
    insta::assert_snapshot!(env_cases(&[
        "MIRROR_1_REPO=acme/backup\nSTANDIN_GITHUB_API_URL=https://evil.example",
        "MIRROR_1_REPO=acme/backup\nSTANDIN_GITHUB_SERVER_URL=https://evil.example",
        "MIRROR_1_REPO=acme/backup\nSTANDIN_GH_CONFIG_DIR=./gh",
    ]));
}

#[test]
fn an_env_file_cannot_choose_another_repository_to_be_copied() {
    insta::assert_snapshot!(env_cases(&[
        "MIRROR_1_REPO=acme/backup\nMIRROR_SOURCE=victim/private",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SOURCE=/home/victim/private",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SOURCE=/home/victim/private\nMIRROR_SOURCE_TOKEN=TOKEN_VALUE",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SOURCE=git@host.example:private\nMIRROR_SOURCE_TOKEN=TOKEN_VALUE",
    ]));
}

#[test]
fn places_of_mirrors() {
    insta::assert_snapshot!(env_cases(&[
        "MIRROR_1_TOKEN=TOKEN_VALUE",
        "MIRROR_1_TYPE=github",
        "MIRROR_1_TYPE=git",
        "MIRROR_1_REPO=acme/backup\nMIRROR_1_URL=https://example.com/x.git",
        "MIRROR_1_REPO=acme",
        "MIRROR_1_REPO=TOKEN_VALUE",
        "MIRROR_1_REPO=gitlab.com/acme/backup",
        "MIRROR_1_TYPE=github\nMIRROR_1_REPO=https://gitlab.com/acme/backup.git",
        "MIRROR_1_TYPE=github\nMIRROR_1_REPO=./backup",
        "MIRROR_1_TYPE=git\nMIRROR_1_URL=acme/backup",
        "MIRROR_1_URL=https://TOKEN_VALUE@github.com/acme/backup.git",
        "MIRROR_1_URL=https://ann:CANARY@example.com/x.git",
        "MIRROR_1_URL=ssh://ann:CANARY@example.com/x.git",
        "MIRROR_1_URL=ann:CANARY@example.com:x.git",
        "MIRROR_1_URL=https://example.com/x.git?token=CANARY",
        "MIRROR_1_URL=-uCANARY",
        "MIRROR_1_URL=ssh://-oProxyCommand=x/y",
        "MIRROR_1_URL=ext::sh -c x",
        "MIRROR_1_URL=fd::17",
        "MIRROR_1_URL=htps://example.com/x.git",
        "MIRROR_1_URL=ftp://example.com/x.git",
        "MIRROR_1_URL=https://example.com/",
        "MIRROR_1_URL=\"https://example.com/x\ny\"",
        "MIRROR_1_URL=~ann/backup.git",
        "MIRROR_1_URL=backup",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SOURCE=nonsense",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SOURCE=https://CANARY@github.com/acme/site",
    ]));
}

#[test]
fn mirrors_that_are_too_much_alike() {
    insta::assert_snapshot!(env_cases(&[
        "MIRROR_1_REPO=Acme/Site",
        "MIRROR_1_URL=git@github.com:acme/site.git",
        "MIRROR_1_URL=./",
        "MIRROR_1_REPO=acme/backup\nMIRROR_2_REPO=ACME/backup",
        "MIRROR_1_REPO=acme/backup\nMIRROR_7_URL=https://github.com/acme/backup.git",
        "MIRROR_1_URL=https://example.com/x.git\nMIRROR_2_URL=https://EXAMPLE.com/x/",
        "MIRROR_1_URL=../x.git\nMIRROR_2_URL=file://[dir]/x.git",
    ]));
}

#[test]
fn what_a_mirror_keeps_in_step() {
    insta::assert_snapshot!(env_cases(&[
        "MIRROR_1_URL=https://example.com/x.git\nMIRROR_1_SYNC_SECRETS=true",
        "MIRROR_1_URL=https://example.com/x.git\nMIRROR_1_SYNC_WORKFLOWS=yes",
        "MIRROR_1_URL=https://example.com/x.git\nMIRROR_1_SYNC_CODE=no",
        "MIRROR_1_REPO=acme/backup\nMIRROR_1_SSH_KEY_PATH=key",
        "MIRROR_1_URL=https://example.com/x.git\nMIRROR_1_SSH_KEY_PATH=key",
        "MIRROR_1_URL=http://example.com/x.git\nMIRROR_1_TOKEN=TOKEN_VALUE",
    ]));
}

#[test]
fn names_that_cannot_or_must_not_travel() {
    insta::assert_snapshot!(env_cases(&[
        "MIRROR_1_REPO=acme/backup\nMIRROR_SECRETS=MIRROR_1_TOKEN",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SECRETS=mirror_*",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SECRETS=SENTINEL_KEY",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SECRETS=MASTER_TOKEN",
        "MIRROR_1_REPO=acme/backup\nMIRROR_VARS=SENTINEL_*",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SECRETS=GITHUB_KEY",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SECRETS=MY-KEY",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SECRETS=1KEY",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SECRETS=TOKEN_VALUE",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SECRETS=[KEY",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SECRETS=KEY,key\nKEY=CANARY",
        "MIRROR_1_REPO=acme/backup\nMIRROR_VARS=Mode,MODE",
        "MIRROR_1_REPO=acme/backup\nMIRROR_SECRETS=MY*\nMY.KEY=CANARY",
    ]));
}

#[test]
fn values_that_are_too_large() {
    let large = "CANARY".repeat(9000);
    let ground = |list: &str| Ground::with_clone().env(&format!("MIRROR_1_REPO=acme/backup\n{list}\nKEY={large}\n"));
    insta::assert_snapshot!(told(&[
        ("54,000 bytes in a secret", ground("MIRROR_SECRETS=KEY")),
        ("54,000 bytes in a variable", ground("MIRROR_VARS=KEY")),
    ]));
}

#[test]
fn the_toml_file_itself() {
    insta::assert_snapshot!(toml_cases(&[
        "[[repository]\nid = \"TOKEN_VALUE\"",
        "[schedule]\nenabled = false\ninterval = CANARY",
        "colour = \"red\"",
        "[[repositories]]\nid = \"site\"",
        "[schedule]\nintervall = \"1h\"",
        "[schedule]\nenabled = \"yes\"",
        "[schedule]\ninterval = 60",
        "[schedule]\ninterval = \"soon\"",
        "[limits]\nparallel = \"8\"",
        "[limits]\nparallel = 0",
        "[limits]\nrun = \"1w\"",
        "schedule = true",
        "repository = \"site\"",
    ]));
}

#[test]
fn a_named_configuration_file_must_exist() {
    insta::assert_snapshot!(told(&[
        ("--config", Ground::empty().config_file("missing.toml")),
        ("STANDIN_CONFIG", Ground::empty().variable("STANDIN_CONFIG", "missing.toml")),
    ]));
}

#[test]
fn hosts_of_the_toml_file() {
    insta::assert_snapshot!(toml_cases(&[
        "[[host]]\napi_url = \"https://ghe.example.com/api/v3\"",
        "[[host]]\nname = \"ghe\"",
        "[[host]]\nname = \"ghe.example.com\"\napi_url = \"http://ghe.example.com\"",
        "[[host]]\nname = \"ghe.example.com\"\nserver_url = \"https://CANARY@ghe.example.com\"",
        "[[host]]\nname = \"ghe.example.com\"\nurl = \"https://ghe.example.com\"",
    ]));
}

#[test]
fn repositories_of_the_toml_file() {
    insta::assert_snapshot!(toml_cases(&[
        "[[repository]]\nsource = \"acme/site\"",
        "[[repository]]\nid = \"my site\"\nsource = \"acme/site\"",
        "[[repository]]\nid = \"../site\"\nsource = \"acme/site\"",
        "[[repository]]\nid = \"standin.db\"\nsource = \"acme/site\"",
        "[[repository]]\nid = \"site\"",
        "[[repository]]\nid = \"site\"\nsource = \"site\"",
        "[[repository]]\nid = \"site\"\npath = \"nowhere\"\nsource = \"acme/site\"",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nsecret = [\"A\"]",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nsecrets = \"A\"",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nsecrets = [1]",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nsecrets = [\"MIRROR_*\"]",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nenv_file = \"missing.env\"",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nkeep_active = [\"tests\"]",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nheartbeat = { path = \"../x\", field = \"a\" }",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nheartbeat = { path = \"x.json\" }",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nheartbeat = { path = \"x.json\", field = \"a..b\" }",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nheartbeat = { path = \"x.json\", field = \"a\", age = \"1h\" }",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nsentinel = { threshold = 1 }",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nsentinel = { threshold = \"3\" }",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nsentinel = { interval = \"7m\" }",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nsentinel = { interval = 30 }",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nsentinel = { auto_demotion = \"no\" }",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nsentinel = { treshold = 3 }",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\n[[repository]]\nid = \"Site\"\nsource = \"acme/other\"",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\ntoken = \"TOKEN_VALUE\"",
        "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nsource_token = \"CANARY\"",
        "[[repository]]\nid = \"site\"\nsource = \"TOKEN_VALUE\"",
    ]));
}

#[test]
fn mirrors_of_the_toml_file() {
    let repository = "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\n[[repository.mirror]]\n";
    let cases: Vec<_> = [
        "repo = \"acme/backup\"",
        "id = \"source\"\nrepo = \"acme/backup\"",
        "id = \"a..b\"\nrepo = \"acme/backup\"",
        "id = \"backup\"",
        "id = \"backup\"\ntype = \"git\"",
        "id = \"backup\"\ntype = \"gist\"\nrepo = \"acme/backup\"",
        "id = \"backup\"\ntype = \"workspace\"\nrepo = \"acme/backup\"",
        "id = \"backup\"\nrepo = \"acme/backup\"\ntoken = \"TOKEN_VALUE\"",
        "id = \"backup\"\nrepo = \"acme/backup\"\nsync = [\"code\", \"variable\"]",
        "id = \"backup\"\nrepo = \"acme/backup\"\nsync = []",
        "id = \"backup\"\nrepo = \"acme/backup\"\nsync = \"code\"",
        "id = \"backup\"\nurl = \"https://example.com/x.git\"\nsync = [\"code\", \"secrets\"]",
        "id = \"backup\"\nrepo = \"acme/backup\"\nenabled = 1",
        "id = \"backup\"\nrepo = \"acme/backup\"\n[[repository.mirror]]\nid = \"Backup\"\nrepo = \"acme/other\"",
        "id = \"backup\"\nrepo = \"acme/site\"",
    ]
    .into_iter()
    .map(|text| (text, Ground::empty().toml(&format!("{repository}{}", text.replace("TOKEN_VALUE", TOKEN)))))
    .collect();
    insta::assert_snapshot!(told(&cases));
}

#[test]
fn a_repository_that_cannot_be_found() {
    insta::assert_snapshot!(told(&[
        ("--repo nowhere", Ground::empty().repo("nowhere")),
        ("MIRROR_1_REPO in the environment, no clone", Ground::empty().variable("MIRROR_1_REPO", "acme/backup")),
    ]));
}

#[test]
fn all_mistakes_are_told_at_once_as_one_error() {
    let ground = Ground::with_clone().env(
        "MIRROR_ENABLED=perhaps\nMIRROR_1_TYPE=githib\nMIRROR_1_REPO=acme/backup\nMIRROR_2_URL=ftp://example.com/x\n",
    );
    let error = Error::from(ground.mistakes());
    assert_eq!(error.code, Code::Configuration);
    assert!(!error.retryable);
    insta::assert_snapshot!(format!("{}\n=>\n{}", error.message, error.hint));
}

#[test]
fn one_mistake_is_told_plainly() {
    let error = Error::from(Ground::with_clone().env("MIRROR_1_REPO=acme/backup\nMIRROR_ENABLED=perhaps").mistakes());
    insta::assert_snapshot!(format!("{}\n=>\n{}", error.message, error.hint));
}

#[test]
fn a_host_that_may_look_like_another_and_lines_that_are_one_are_refused() {
    for line in [
        "MIRROR_1_TYPE=git\nMIRROR_1_URL=https://gith\u{443}b.example/x.git\n",
        "MIRROR_1_TYPE=git\nMIRROR_1_URL=git@gith\u{443}b.example:x.git\n",
    ] {
        let mistakes = Ground::with_clone().env(line).mistakes();
        assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
        let told = mistakes[0].to_string();
        assert!(told.contains("gith\\u{443}b.example") && told.is_ascii(), "{told}");
        assert!(mistakes[0].hint.contains("xn--"), "{mistakes:?}");
    }
    let told = Ground::with_clone().env("MIRROR_1_TYPE=git\rMIRROR_1_URL=ssh://h/x.git\r").notices();
    assert!(told[0].0.contains("is left out") && told[0].0.contains("CR alone"), "{told:?}");
}

#[test]
fn what_only_the_process_can_say_is_told_and_advice_waits_for_the_yes() {
    for name in ["STANDIN_GIT", "STANDIN_GH", "STANDIN_ALLOW", "STANDIN_STATE_DIR", "STANDIN_CONFIG"] {
        let env = format!("{name}=x\nMIRROR_1_TYPE=git\nMIRROR_1_URL=ssh://h/x.git\n");
        let told = Ground::with_clone().env(&env).notices();
        assert!(told.iter().any(|(message, _)| message.contains(name) && message.contains("started with")), "{told:?}");
        let before = Ground::with_clone().env(&env).consents(standin_state::config::Consents::new()).notices();
        assert!(before.is_empty(), "{before:?}");
    }
}

#[test]
fn who_is_told_in_the_toml_file() {
    insta::assert_snapshot!(toml_cases(&[
        "[[notify]]\nurl = \"https://ntfy.sh/topic\"",
        "[[notify]]\ntype = \"nfty\"\nurl = \"https://ntfy.sh/topic\"",
        "[[notify]]\ntype = \"ntfy\"",
        "[[notify]]\ntype = \"ntfy\"\nurl = \"https://ntfy.sh\"",
        "[[notify]]\ntype = \"ntfy\"\nurl = \"https://ntfy.sh/CANARY topic\"",
        "[[notify]]\ntype = \"ntfy\"\nurl = \"https://ntfy.sh/topic?auth=CANARY\"",
        "[[notify]]\ntype = \"webhook\"\nurl = \"https://CANARY@host/hook\"",
        "[[notify]]\ntype = \"webhook\"\nurl = \"CANARY\"",
        "[[notify]]\ntype = \"webhook\"\nurl = \"ftp://host/CANARY\"",
        "[[notify]]\ntype = \"webhook\"\nurl = \"http://nas.local/CANARY\"",
        "[[notify]]\ntype = \"ntfy\"\nurl = \"http://nas.local/topic\"\ninsecure = true\ntoken_env = \"NTFY_TOKEN\"",
        "[[notify]]\nname = \"phone\"\ntype = \"ntfy\"\nurl = \"https://ntfy.sh/topic\"\ntoken = \"CANARY\"",
        "[[notify]]\ntype = \"webhook\"\nurl = \"https://host/hook\"\nsecret = \"CANARY\"",
        "[[notify]]\ntype = \"webhook\"\nurl = \"https://host/TOKEN_VALUE\"",
        "[[notify]]\ntype = \"ntfy\"\nurl = \"https://ntfy.sh/topic\"\ntoken_env = \"tk_CANARY\"",
        "[[notify]]\ntype = \"ntfy\"\nurl = \"https://ntfy.sh/topic\"\ntoken_env = \"GH_TOKEN\"",
        "[[notify]]\ntype = \"ntfy\"\nurl = \"https://ntfy.sh/topic\"\non = [\"master_dwon\"]",
        "[[notify]]\ntype = \"ntfy\"\nurl = \"https://ntfy.sh/topic\"\non = []",
        "[[notify]]\ntype = \"ntfy\"\nurl = \"https://ntfy.sh/topic\"\npriority = 5",
        "[[notify]]\ntype = \"ntfy\"\nurl = \"https://ntfy.sh/topic\"\nevents = [\"failed\"]",
        "[[notify]]\nname = \"my phone\"\ntype = \"ntfy\"\nurl = \"https://ntfy.sh/topic\"",
        "[[notify]]\nname = \"ping_url\"\ntype = \"ntfy\"\nurl = \"https://ntfy.sh/topic\"",
        "[[notify]]\ntype = \"ntfy\"\nurl = \"https://ntfy.sh/one\"\n[[notify]]\ntype = \"ntfy\"\nurl = \"https://ntfy.sh/two\"",
        "[[notify]]\ntype = \"command\"",
        "[[notify]]\ntype = \"command\"\ncommand = \"told\"",
        "[[notify]]\ntype = \"command\"\ncommand = []",
        "[[notify]]\ntype = \"command\"\ncommand = [\"told\", \"TOKEN_VALUE\"]",
        "[[notify]]\ntype = \"command\"\ncommand = [\"told\"]\ntoken_env = \"TOKEN\"",
        "[[notify]]\ntype = \"webhook\"\nurl = \"https://host/hook\"\ncommand = [\"told\"]",
        "[quiet_hours]\nfrom = \"22:00\"",
        "[quiet_hours]\nfrom = \"22:00\"\nto = \"24:00\"",
        "[quiet_hours]\nfrom = \"22\"\nto = \"07:00\"",
        "[quiet_hours]\nfrom = \"22:00\"\nto = \"22:00\"",
        "[quiet_hours]\nfrom = \"22:00\"\nto = \"07:00\"\ntime_zone = \"Europe/Berlim\"",
        "[quiet_hours]\nfrom = \"22:00\"\nuntil = \"07:00\"\nto = \"07:00\"",
        "[desktop]\nnotify = [\"master_dwn\"]",
        "[desktop]\nnotify = \"all\"",
        "[desktop]\nsound = true",
        "[updates]\ncheck = \"yes\"",
        "[updates]\nchannel = \"nightly\"",
        "[schedule]\nping_url = \"http://hc.example/CANARY\"",
        "[schedule]\nping_url = \"hc-ping.com/CANARY\"",
    ]));
}
