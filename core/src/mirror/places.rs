//! Where things are: the cache of a repository, the remotes of its source and its mirrors.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use standin_state::config::{Config, PullTarget, RepositoryConfig, Source, Target};
use standin_state::model::{Aspect, MirrorId, Slug};
use standin_state::private;
use standin_state::store::Fact;

use super::host_limits::{self, HostLimit};
use crate::context::{MirrorContext, SourceContext};
use crate::event::{Event, Notice};
use crate::git::ssh::{self, HostKey};
use crate::git::{Cache, Progress, Remote, RemoteOptions};
use crate::tokens::Token;
use crate::{Code, Error, Result};

/// The repository's own bare cache.
///
/// # Errors
/// [`Code::Storage`] when it cannot be opened or made.
pub(crate) fn cache(source: &SourceContext) -> Result<Cache> {
    Cache::open(&source.folder.join("cache.git"))
}

/// The folder of a mirror's copy of its upstream. `folder` is that of the repository in the state folder.
pub(crate) fn copy_path(folder: &Path, mirror: &MirrorId, pull: &PullTarget) -> PathBuf {
    pull.path.clone().unwrap_or_else(|| copies(folder).join(format!("{mirror}.git")))
}

/// Where copies are kept, unless the user named another place.
fn copies(folder: &Path) -> PathBuf {
    folder.join("pull")
}

/// A mirror's copy of its upstream, made where there is none yet.
///
/// # Errors
/// As [`Cache::open_copy`].
pub(crate) fn copy(source: &SourceContext, mirror: &MirrorId, pull: &PullTarget) -> Result<Cache> {
    private::create_folder(&copies(&source.folder))?;
    let locks = copies(&source.folder).join(format!("{mirror}.locks"));
    let owner = format!("{}/{mirror}", source.repository.id);
    let path = copy_path(&source.folder, mirror, pull);
    let (copy, is_adopted) = Cache::open_copy(&path, &locks, &owner)?;
    if is_adopted {
        let notice = Notice {
            message: format!("{} was not made by this installation: its settings were put aside", path.display()),
            hint: "They stand in its `config.put-aside`; take over by hand what you want of them, such as how it is served."
                .to_owned(),
        };
        let (repository, mirror) = (source.repository.id.clone(), Some(mirror.clone()));
        source.outside.progress.event(&Event::Notice { repository, mirror, notice });
    }
    Ok(copy)
}

/// Where the saved tips of a mirror are: in its copy, where it is one that pulls and has it; else in the repository's cache.
///
/// # Errors
/// As [`Cache::open`] and [`Cache::open_copy`].
pub(crate) fn rescues_of(source: &SourceContext, mirror: &MirrorId) -> Result<Cache> {
    let target = source.repository.mirror(mirror).map(|mirror| &mirror.target);
    match target.and_then(Target::pulled) {
        Some(pull) if copy_path(&source.folder, mirror, pull).exists() => copy(source, mirror, pull),
        _ => cache(source),
    }
}

/// A repository on this machine as a remote.
///
/// # Errors
/// [`Code::Configuration`] for a path that git cannot use.
pub(crate) fn folder_remote(ctx: &MirrorContext, path: &Path) -> Result<Remote> {
    let options = RemoteOptions { credential: None, ssh_key: None, hooks: false, ..options(ctx, "git.folder") };
    Remote::new(&ctx.source.git, &path.to_string_lossy(), options)
}

/// The upstream of a mirror that pulls, as a remote. Nothing is ever pushed there.
///
/// # Errors
/// [`Code::Configuration`] for an address that git cannot use.
pub(crate) fn upstream_remote(ctx: &MirrorContext, pull: &PullTarget) -> Result<Remote> {
    let url = url_of(&ctx.source.config, &pull.upstream);
    // The mirror's own token, else that of the source where this is the upstream.
    let token = ctx.token.as_ref().or(ctx.source.token.as_ref().filter(|_| pull.follows_source));
    let options = RemoteOptions {
        credential: credential(token),
        ssh_key: pull.ssh_key.clone(),
        work_limit: pull.timeout.unwrap_or(ctx.source.config.limits.run),
        ..options(ctx, "git.upstream")
    };
    Remote::new(&ctx.source.git, &url, options)
}

fn url_of(config: &Config, source: &Source) -> String {
    match source {
        Source::GitHub(slug) => git_url(config, slug),
        Source::Url(url) => url.clone(),
        Source::Path(path) => path.to_string_lossy().into_owned(),
    }
}

/// The source as a remote. `point` begins the names of its crash points.
///
/// # Errors
/// [`Code::Configuration`] for an address that git cannot use.
pub(crate) fn source_remote(source: &SourceContext, point: &'static str) -> Result<Remote> {
    let url = url_of(&source.config, &source.repository.source);
    let options = RemoteOptions {
        credential: credential(source.token.as_ref()),
        ssh_key: None,
        known_hosts: known_hosts(source),
        silent_limit: source.config.limits.request,
        work_limit: source.config.limits.run,
        cancel: source.cancel.clone(),
        totals: source.totals.clone(),
        progress: progress(source, None),
        point,
        trusts_reports: matches!(source.repository.source, Source::GitHub(_) | Source::Path(_)),
        hooks: false,
        mirror: source.repository.master.clone(),
    };
    Remote::new(&source.git, &url, options)
}

/// The mirror as a remote. `point` begins the names of its crash points.
///
/// # Errors
/// [`Code::Configuration`] for an address that git cannot use; [`Code::Internal`] for a mirror that pulls, since nothing is
/// pushed there; [`Code::Storage`].
pub(crate) fn mirror_remote(ctx: &MirrorContext, point: &'static str) -> Result<Remote> {
    let (url, ssh_key, hooks) = match &ctx.mirror.target {
        Target::GitHub(slug) => (git_url(&ctx.source.config, slug), None, false),
        Target::Git(git) => (git.url.clone(), git.ssh_key.clone(), git.hooks),
        Target::Pull(_) => {
            return Err(Error::new(
                Code::Internal,
                format!("mirror {} is a copy of an upstream, and nothing is pushed to it", ctx.mirror.id),
                "Please report this.",
            ));
        }
    };
    let options = RemoteOptions {
        credential: credential(ctx.token.as_ref()),
        ssh_key,
        trusts_reports: host_limits::trusts_reports(&ctx.memory(), &ctx.mirror)?,
        hooks,
        ..options(ctx, point)
    };
    Remote::new(&ctx.source.git, &url, options)
}

/// What the calls of one run have in common, with nothing that opens a host.
fn options(ctx: &MirrorContext, point: &'static str) -> RemoteOptions {
    RemoteOptions {
        credential: None,
        ssh_key: None,
        known_hosts: known_hosts(&ctx.source),
        silent_limit: ctx.source.config.limits.request,
        work_limit: ctx.source.config.limits.run,
        cancel: ctx.cancel.clone(),
        totals: ctx.totals.clone(),
        progress: progress(&ctx.source, Some(ctx.mirror.id.clone())),
        point,
        trusts_reports: true,
        mirror: Some(ctx.mirror.id.clone()),
        hooks: false,
    }
}

/// Asks the mirror's host whether it takes our pushes, without changing anything there. `true` where it moves several
/// refs all or none. A refused fence, which this cannot try, is offered again by the next sync.
///
/// # Errors
/// As the host's refusal is understood.
pub async fn probe(ctx: &MirrorContext) -> Result<bool> {
    let cache = cache(&ctx.source)?;
    let found = mirror_remote(ctx, "git.mirror")?.probe_push(&cache).await?;
    let memory = ctx.memory();
    memory.set(Fact::Server, found.agent.as_deref().unwrap_or("?"))?;
    // What it says of itself does not count where it was seen to do otherwise.
    let by_half = HostLimit::ByHalf.is_believed(&memory)? || HostLimit::OneAPush.is_believed(&memory)?;
    let atomic = found.atomic && !by_half;
    match (found.atomic, by_half) {
        (true, false) => memory.set(Fact::Atomic, "yes")?,
        (true, true) => {}
        (false, _) => HostLimit::NotAtomic.remember(&memory)?,
    }
    HostLimit::NoFence.doubt(&memory)?;
    HostLimit::HiddenFence.doubt(&memory)?;
    Ok(atomic)
}

/// The key of the mirror's ssh host, to be shown to the user, where `error` says that nobody has trusted it yet.
pub async fn unknown_host_key(ctx: &MirrorContext, error: &Error) -> Option<HostKey> {
    let url = match &ctx.mirror.target {
        Target::GitHub(_) => return None,
        Target::Git(git) => git.url.clone(),
        Target::Pull(pull) => url_of(&ctx.source.config, &pull.upstream),
    };
    if !matches!(error.code, Code::HostKeyUnknown | Code::HostKeyChanged) {
        return None;
    }
    ssh::scan_host_key(&ctx.source.git, &url, &ctx.cancel).await.ok()
}

/// The beginnings of the names that travel, and the fence.
pub(crate) fn listed_prefixes(repository: &RepositoryConfig) -> Vec<&'static str> {
    let mut prefixes = travelling_prefixes(repository);
    prefixes.push("refs/standin/fence");
    prefixes
}

/// The beginnings of the names that travel.
pub(crate) fn travelling_prefixes(repository: &RepositoryConfig) -> Vec<&'static str> {
    let mut prefixes = vec!["refs/heads/", "refs/tags/"];
    if repository.notes {
        prefixes.push("refs/notes/");
    }
    prefixes
}

/// What libgit2 reports of the cache.
#[expect(clippy::needless_pass_by_value, reason = "shaped for map_err")]
pub(crate) fn git_failed(error: git2::Error) -> Error {
    Error::new(
        Code::Storage,
        format!("the cache of the repository cannot be read: {}", error.message()),
        "Delete `cache.git` in the state folder of this repository, unless `standin rescue list` shows rescues; the next \
         sync fetches everything again.",
    )
}

fn credential(token: Option<&Token>) -> Option<secrecy::SecretString> {
    token.map(|token| token.value.clone())
}

fn known_hosts(source: &SourceContext) -> std::path::PathBuf {
    source.folder.parent().unwrap_or(&source.folder).join("known_hosts")
}

fn progress(source: &SourceContext, mirror: Option<MirrorId>) -> Progress {
    let heard = source.outside.progress.clone();
    let repository = source.repository.id.clone();
    Arc::new(move |phase: &str, done: u64, total: Option<u64>| {
        heard.event(&Event::Progress {
            repository: repository.clone(),
            mirror: mirror.clone(),
            aspect: Aspect::Code,
            phase: phase.to_owned(),
            done,
            total,
        });
    })
}

fn git_url(config: &Config, slug: &Slug) -> String {
    let host = slug.host.as_deref().unwrap_or(crate::github::GITHUB_COM);
    let server = config
        .hosts
        .iter()
        .find(|known| known.name.eq_ignore_ascii_case(host))
        .map_or_else(|| format!("https://{host}"), |known| known.server_url.trim_end_matches('/').to_owned());
    format!("{server}/{}.git", slug.path())
}

#[cfg(test)]
mod tests {
    use standin_state::config::GitHubHost;

    use super::*;

    #[test]
    fn slugs_become_the_addresses_of_their_hosts() {
        let mut config = Config::default();
        config.hosts.push(GitHubHost {
            name: "ghe.example.com".to_owned(),
            api_url: String::new(),
            server_url: "http://127.0.0.1:1/git/".to_owned(),
            gh_config_dir: None,
        });
        let url = |slug: &str| git_url(&config, &slug.parse().expect("a slug"));
        assert_eq!(url("o/n"), "https://github.com/o/n.git");
        assert_eq!(url("other.example.com/o/n"), "https://other.example.com/o/n.git");
        assert_eq!(url("ghe.example.com/o/n"), "http://127.0.0.1:1/git/o/n.git");
    }
}
