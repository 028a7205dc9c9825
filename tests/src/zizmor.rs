//! The real zizmor, as `cargo xtask setup` brings it: what it says of a workflow file.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

fn program() -> PathBuf {
    let named = std::env::var_os("STANDIN_ZIZMOR").map(PathBuf::from);
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/tools/zizmor/bin/zizmor");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("zizmor"));
    let all = named.into_iter().chain([own]).chain(found);
    all.into_iter().find(|program| program.is_file()).expect("zizmor is not here: run `cargo xtask setup`")
}

/// Has it judge a text that would lie at `path` of a repository, with all that it knows without a network.
pub fn judge(text: &str, path: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
    let mut command = Command::new(program());
    command.args(["--offline", "--no-config", "--persona", "auditor", "--no-progress"]).arg(&file);
    command.env_remove("GH_TOKEN").env_remove("GITHUB_TOKEN").current_dir(folder.path()).output().unwrap()
}
