//! What of `.env` may travel, and as what.

use secrecy::ExposeSecret as _;
use standin_state::config::RepositoryConfig;

use crate::ground::Ground;

const KEYS: &str = "MIRROR_1_REPO=acme/backup\nMIRROR_1_TOKEN=t\nGIT_SYNC_ALPHA=a\nSTANDIN_PARALLEL=4\nGITHUB_TOKEN=g\n\
                    SENTINEL_THRESHOLD=3\nMASTER_TOKEN=m\nRESEND_API_KEY=r\nTWILIO_SID=1\nTWILIO_AUTH=2\nEMPTY=\nDEPLOY_MODE=live\n";

fn repository(more: &str) -> RepositoryConfig {
    Ground::with_clone().env(&format!("{KEYS}{more}\n")).repository()
}

fn secrets(repository: &RepositoryConfig) -> Vec<&str> {
    repository.secrets.values.keys().map(String::as_str).collect()
}

fn variables(repository: &RepositoryConfig) -> Vec<&str> {
    repository.variables.values.keys().map(String::as_str).collect()
}

#[test]
fn without_a_list_all_keys_that_are_not_local_and_not_variables_are_candidates() {
    let repository = repository("MIRROR_VARS=DEPLOY_MODE");
    assert!(!repository.secrets.listed);
    assert_eq!(secrets(&repository), ["RESEND_API_KEY", "TWILIO_AUTH", "TWILIO_SID"]);
    assert_eq!(variables(&repository), ["DEPLOY_MODE"]);
    assert_eq!(repository.secrets.values["RESEND_API_KEY"].expose_secret(), "r");
}

#[test]
fn a_list_selects_by_name_and_pattern_and_tells_what_is_missing() {
    let repository = repository("MIRROR_SECRETS=RESEND_API_KEY, TWILIO_* ,EMPTY,NOWHERE");
    assert!(repository.secrets.listed);
    assert_eq!(secrets(&repository), ["RESEND_API_KEY", "TWILIO_AUTH", "TWILIO_SID"]);
    assert_eq!(repository.secrets.missing.iter().collect::<Vec<_>>(), ["EMPTY", "NOWHERE"]);
}

#[test]
fn an_empty_list_in_the_file_selects_nothing() {
    let ground =
        Ground::with_clone().env(KEYS).toml("[[repository]]\nid = \"site\"\npath = \"../site\"\nsecrets = []\n");
    let repository = ground.repository();
    assert!(repository.secrets.listed && repository.secrets.values.is_empty());
}

#[test]
fn a_pattern_never_reaches_what_is_local() {
    let repository = repository("MIRROR_SECRETS=*\nMIRROR_VARS=DEPLOY_*");
    assert_eq!(secrets(&repository), ["RESEND_API_KEY", "TWILIO_AUTH", "TWILIO_SID"]);
    assert_eq!(variables(&repository), ["DEPLOY_MODE"]);
}

#[test]
fn a_pattern_of_only_wildcards_takes_no_variable_from_the_env_file() {
    let repository = repository("MIRROR_VARS=*");
    assert_eq!(repository.variables.patterns, ["*"]);
    assert!(repository.variables.values.is_empty(), "the file's keys may be secrets");
    assert_eq!(secrets(&repository).len(), 4);
}

#[test]
fn a_listed_secret_is_not_taken_by_a_pattern_for_variables() {
    let repository = repository("MIRROR_SECRETS=TWILIO_AUTH\nMIRROR_VARS=TWILIO_*");
    assert_eq!(secrets(&repository), ["TWILIO_AUTH"]);
    assert_eq!(variables(&repository), ["TWILIO_SID"]);
}

#[test]
fn nothing_is_taken_from_the_environment() {
    let ground = Ground::with_clone()
        .env("MIRROR_1_REPO=acme/backup\nMIRROR_SECRETS=KEY,K*\nMIRROR_VARS=MODE\n")
        .variable("KEY", "canary")
        .variable("KIND", "canary")
        .variable("MODE", "canary");
    let repository = ground.repository();
    assert!(repository.secrets.values.is_empty() && repository.variables.values.is_empty());
    assert_eq!(repository.secrets.missing.len(), 1);
}

#[test]
fn values_arrive_byte_for_byte() {
    let repository = repository("ODD=\"  a\\nb'c\\\"d\\\\e $F #g \"\nRAW='  $x\\n \"  '");
    assert_eq!(repository.secrets.values["ODD"].expose_secret(), "  a\nb'c\"d\\e $F #g ");
    assert_eq!(repository.secrets.values["RAW"].expose_secret(), "  $x\\n \"  ");
}

#[test]
fn a_candidate_that_github_would_refuse_is_left_out_and_told() {
    let large = "x".repeat(49_153);
    let ground = Ground::with_clone()
        .env(&format!("MIRROR_1_REPO=acme/backup\nLARGE={large}\nMY-KEY=x\nFITS={}\n", &large[1..]));
    assert_eq!(secrets(&ground.repository()), ["FITS"]);
    insta::assert_debug_snapshot!(ground.notices());
    let code_only = Ground::with_clone().env("MIRROR_1_URL=ssh://x.example/y\nMY-KEY=x\n");
    assert!(code_only.notices().is_empty(), "where no secrets travel, none is missed");
}

#[test]
fn settings_and_the_sentinels_tokens_stay_home_whatever_is_listed() {
    for name in ["STANDIN_TOKEN", "MASTER_TOKEN", "master_token", "MIRROR_1_TOKEN", "SENTINEL_X", "GIT_SYNC_ALPHA"] {
        assert!(standin_state::config::stays_home(name), "{name}");
    }
    for name in ["MIRRORED", "API_KEY", "MASTER_TOKENS"] {
        assert!(!standin_state::config::stays_home(name), "{name}");
    }
}
