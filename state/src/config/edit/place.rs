//! Which file is meant.

use std::path::{Path, PathBuf};

use crate::config::origin::Clone as LocalClone;
use crate::config::{CONFIG_FILE, LoadRequest, values};

/// `standin.toml`, whether it is there or not.
pub fn config_file(request: &LoadRequest) -> PathBuf {
    match named(request) {
        Some(path) => request.current_dir.join(path),
        None => request.default_config_dir.join(CONFIG_FILE),
    }
}

/// Whether the user named it: then it must be there.
pub(in crate::config) fn is_named(request: &LoadRequest) -> bool {
    named(request).is_some()
}

/// The `.env` of the clone at hand, whether it is there or not; `None` without a clone.
pub fn env_file_at_hand(request: &LoadRequest) -> Option<PathBuf> {
    let clone = match &request.repo {
        None => LocalClone::around(&request.current_dir),
        Some(path) => LocalClone::around(&values::lexical(&request.current_dir.join(path))),
    };
    clone.map(|clone| clone.root.join(".env"))
}

/// A path from `base` on, without `.` and `..`.
pub fn whole_path(base: &Path, text: &str) -> PathBuf {
    values::lexical(&base.join(text))
}

fn named(request: &LoadRequest) -> Option<PathBuf> {
    request
        .config_file
        .clone()
        .or_else(|| request.environment.get("STANDIN_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from))
}
