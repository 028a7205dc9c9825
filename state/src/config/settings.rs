//! Settings of the whole program, put together from their layers.

use super::draft::SettingsDraft;
use super::mistakes::{Complaint, looks_secret, shown};
use super::{GitHubHost, History, Limits, Schedule};

const GITHUB: &str = "github.com";

/// The settings of two layers, put together.
pub(super) struct Settings {
    pub schedule: Schedule,
    pub limits: Limits,
    pub history: History,
    /// github.com stands in the list only where its addresses are not the usual ones.
    pub hosts: Vec<GitHubHost>,
}

/// Puts two layers together.
pub(super) fn settle(stronger: SettingsDraft, weaker: SettingsDraft) -> Settings {
    let (schedule, limits, history) = (Schedule::default(), Limits::default(), History::default());
    let schedule = Schedule {
        enabled: stronger.schedule.or(weaker.schedule).unwrap_or(schedule.enabled),
        interval: stronger.interval.or(weaker.interval).unwrap_or(schedule.interval),
        look_at_source: stronger.look_at_source.or(weaker.look_at_source),
    };
    let limits = Limits {
        parallel: stronger.parallel.or(weaker.parallel).unwrap_or(limits.parallel),
        run: stronger.run.or(weaker.run).unwrap_or(limits.run),
        request: stronger.request.or(weaker.request).unwrap_or(limits.request),
    };
    let history = History {
        keep: stronger.keep_runs.or(weaker.keep_runs).unwrap_or(history.keep),
        keep_unchanged: stronger.keep_unchanged_runs.or(weaker.keep_unchanged_runs).unwrap_or(history.keep_unchanged),
    };
    let mut hosts = weaker.hosts;
    let (api_url, server_url, gh_config_dir) =
        (stronger.github_api_url, stronger.github_server_url, stronger.gh_config_dir);
    if api_url.is_some() || server_url.is_some() || gh_config_dir.is_some() {
        let known = match hosts.iter().position(|host| host.name == GITHUB) {
            Some(position) => hosts.remove(position),
            None => host(GITHUB, None, None, None),
        };
        hosts.insert(
            0,
            GitHubHost {
                name: known.name,
                api_url: api_url.unwrap_or(known.api_url),
                server_url: server_url.unwrap_or(known.server_url),
                gh_config_dir: gh_config_dir.or(known.gh_config_dir),
            },
        );
    }
    Settings { schedule, limits, history, hosts }
}

/// A host with the usual addresses where none are given.
pub(super) fn host(
    name: &str,
    api_url: Option<String>,
    server_url: Option<String>,
    gh_config_dir: Option<std::path::PathBuf>,
) -> GitHubHost {
    let usual_api = if name == GITHUB { "https://api.github.com".to_owned() } else { format!("https://{name}/api/v3") };
    GitHubHost {
        name: name.to_owned(),
        api_url: api_url.unwrap_or(usual_api),
        server_url: server_url.unwrap_or_else(|| format!("https://{name}")),
        gh_config_dir,
    }
}

/// The address of a host: https, or http on this machine; without credentials, and without a `/` at its end.
pub(super) fn host_url(text: &str) -> Result<String, Complaint> {
    let url = text.trim_end_matches('/');
    let hint = "Write it as `https://host` or `https://host/path`.";
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme @ ("https" | "http"), rest)) if !rest.is_empty() => (scheme, rest),
        _ => return Err(Complaint::new(format!("{} is no web address", shown(text)), hint)),
    };
    let authority = rest.split('/').next().unwrap_or(rest);
    if authority.contains('@') || looks_secret(url) {
        return Err(Complaint::new("the address has credentials in it", hint));
    }
    if url.contains(['?', '#']) || url.contains(char::is_whitespace) || authority.is_empty() {
        return Err(Complaint::new(format!("{} is no web address", shown(text)), hint));
    }
    if scheme == "http" && !is_loopback(authority) {
        return Err(Complaint::new(
            format!("{} would send tokens over the network in the clear", shown(text)),
            "Write `https://`; `http://` is taken for this machine only (`localhost`, `127.0.0.1`).",
        ));
    }
    Ok(url.to_owned())
}

/// Whether `host[:port]` is this machine.
pub(super) fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or(address),
        None => authority.split(':').next().unwrap_or(authority),
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}
