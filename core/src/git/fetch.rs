//! Fetching into the cache.
//!
//! Many refs come in two steps, so that their number costs nothing: git brings their objects and is told of no ref, and
//! then all of them are written as one ([`Cache::set_refs`]). By itself git writes ref by ref and waits for the disk at
//! each, and cannot put `a/b` where `a` was in the same step.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;

use futures_util::FutureExt as _;
use standin_state::model::{Oid, RefName};

use super::child::{Ended, Input};
use super::remote::{Doing, Remote};
use super::scratch::Scratch;
use super::{Cache, failure};
use crate::{Code, Error, Result};

/// How many bytes of refspecs one fetch may have on its command line.
const MAX_REFSPEC_BYTES: usize = if cfg!(windows) { 20_000 } else { 400_000 };
/// Up to so many commits are asked for at once.
const MAX_TIPS: usize = 200;
/// Every fetch. Nothing but what is asked for is written.
const FETCH: [&str; 4] = ["--progress", "--no-tags", "--no-write-fetch-head", "--no-auto-gc"];

/// What a fetch brings.
enum Wanted<'a> {
    /// Refs by their refspecs.
    Refspecs(&'a [String]),
    /// Objects, with their histories; no ref is written.
    Objects(&'a BTreeSet<&'a Oid>),
}

impl Remote {
    /// Fetches refs by `refspecs` (such as `+refs/heads/main:refs/standin/…`) into the cache: all refs of one call or none.
    /// For a few refs; see [`Remote::fetch_all`] for many.
    ///
    /// A cache that turns out to be damaged is remade once, unless it holds rescues.
    ///
    /// # Errors
    /// As the remote's failure is understood: see [`Code`]. [`Code::Storage`] for a damaged cache that cannot be remade.
    pub async fn fetch(&self, cache: &Cache, refspecs: &[String]) -> Result<()> {
        let what = format!("fetching from {}", self.address);
        let mut start = 0;
        while start < refspecs.len() {
            let mut bytes = 0;
            let fitting = refspecs[start..].iter().take_while(|refspec| {
                bytes += refspec.len() + 16;
                bytes <= MAX_REFSPEC_BYTES
            });
            let end = start + fitting.count().max(1);
            let mut remade = false;
            while !self.fetch_once(&what, cache, &Wanted::Refspecs(&refspecs[start..end]), &mut remade).await? {}
            start = end;
        }
        Ok(())
    }

    /// Brings the objects of `wanted`, and makes its refs stand in the cache; those below `within` that are not wanted are
    /// removed. All of it is one step: what was there before, or all that is wanted.
    ///
    /// Only one fetch that removes runs at a time on a cache, since it rewrites the source's refs there. A cache that
    /// turns out to be damaged is remade once, unless it holds rescues.
    ///
    /// # Errors
    /// [`Code::Raced`] when the remote has something wanted no more; else as [`Remote::fetch`].
    pub async fn fetch_all(&self, cache: &Cache, wanted: &BTreeMap<RefName, Oid>, within: &[&str]) -> Result<()> {
        let what = format!("fetching from {}", self.address);
        let _alone = match within {
            [] => None,
            _ => Some(cache.lock_source(&self.options.cancel, self.options.silent_limit).await?),
        };
        let mut remade = false;
        loop {
            let changes = changes(&cache.refs("refs/")?, wanted, within);
            let oids: BTreeSet<&Oid> = changes.values().flatten().collect();
            if oids.is_empty() || self.fetch_once(&what, cache, &Wanted::Objects(&oids), &mut remade).await? {
                return cache.set_refs(&self.git, &changes, &self.options.cancel).boxed().await;
            }
        }
    }

    /// Brings objects, with their histories; no ref is written. Those that are here already are not brought again.
    ///
    /// # Errors
    /// As [`Remote::fetch_all`].
    pub async fn fetch_objects(&self, cache: &Cache, oids: &BTreeSet<&Oid>) -> Result<()> {
        let what = format!("fetching from {}", self.address);
        let mut remade = false;
        while !oids.is_empty() && !self.fetch_once(&what, cache, &Wanted::Objects(oids), &mut remade).await? {}
        Ok(())
    }

    /// Whether the remote has one of `commits`, which are in the cache. Nothing is fetched. `false` as well where the remote
    /// cannot be asked so.
    ///
    /// # Errors
    /// As the remote's failure is understood: see [`Code`].
    pub async fn has_any(&self, cache: &Cache, commits: &[Oid]) -> Result<bool> {
        let what = format!("asking {} which commits it has", self.address);
        for commits in commits.chunks(MAX_TIPS) {
            let held = cache.hold(&self.options.cancel).await?;
            let mut prepared = self.prepare(Scratch::make()?, cache.path(), "fetch")?;
            prepared.command.arg("--negotiate-only");
            prepared.command.args(commits.iter().map(|oid| format!("--negotiation-tip={oid}")));
            prepared.command.args(["--", self.address.as_str()]);
            let ended = self.run(&what, Doing::List, prepared, Input::Held(held)).await?;
            let says_none = |line: &String| failure::NOTHING_IN_COMMON.iter().any(|sign| line.contains(sign));
            if ended.status.success() {
                if !ended.stdout.trim_ascii().is_empty() {
                    return Ok(true);
                }
            } else if !ended.lines.iter().any(says_none) {
                return Err(self.failure(&what, ended.lines).await);
            }
        }
        Ok(false)
    }

    /// One call of git; `false` when it found the cache damaged, which is remade by now, and has to be called again.
    async fn fetch_once(&self, what: &str, cache: &Cache, wanted: &Wanted<'_>, remade: &mut bool) -> Result<bool> {
        let ended = self.call_fetch(what, cache, wanted).boxed().await?;
        if ended.lines.iter().any(|line| line.contains(failure::SHALLOW_ROOTS)) {
            return Err(self.failure(what, ended.lines).await);
        }
        if ended.status.success() {
            return Ok(true);
        }
        if failure::is_damage(&ended.lines) && cache.has_damage() && !*remade {
            cache.remake(&self.options.cancel).await?;
            *remade = true;
            return Ok(false);
        }
        Err(self.failure(what, ended.lines).await)
    }

    async fn call_fetch(&self, what: &str, cache: &Cache, wanted: &Wanted<'_>) -> Result<Ended> {
        let held = cache.hold(&self.options.cancel).await?;
        let folder = Scratch::make()?;
        let (input, how, refspecs) = match wanted {
            Wanted::Refspecs(refspecs) => (Input::Held(held), "--atomic", *refspecs),
            Wanted::Objects(oids) => (Input::List { list: listed(&folder, oids)?, held }, "--stdin", &[][..]),
        };
        let mut prepared = self.prepare(folder, cache.path(), "fetch")?;
        prepared.command.args(FETCH).args([how, "--", self.address.as_str()]).args(refspecs);
        self.run(what, Doing::Fetch, prepared, input).await
    }
}

/// What has to change for `wanted` to stand, and nothing else below `within`.
fn changes(
    standing: &BTreeMap<RefName, Oid>,
    wanted: &BTreeMap<RefName, Oid>,
    within: &[&str],
) -> BTreeMap<RefName, Option<Oid>> {
    let goes =
        |name: &RefName| !wanted.contains_key(name) && within.iter().any(|prefix| name.as_str().starts_with(prefix));
    let gone = standing.keys().filter(|name| goes(name)).map(|name| (name.clone(), None));
    let new = wanted.iter().filter(|(name, oid)| standing.get(*name) != Some(oid));
    gone.chain(new.map(|(name, oid)| (name.clone(), Some(oid.clone())))).collect()
}

/// A file that lists the objects, one a line.
fn listed(folder: &Scratch, oids: &BTreeSet<&Oid>) -> Result<File> {
    let mut text = String::with_capacity(oids.len() * 41);
    for oid in oids {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{oid}");
    }
    let path = folder.path().join("wanted");
    std::fs::write(&path, text).and_then(|()| File::open(&path)).map_err(|error| {
        Error::new(
            Code::Storage,
            format!("cannot write `{}`: {error}", path.display()),
            "Check the folder for temporary files (TMPDIR).",
        )
    })
}
