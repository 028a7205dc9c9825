//! Mirrors that keep an upstream here (`type = "pull"`): what their settings say, and what is wrong with them.

use std::path::PathBuf;
use std::time::Duration;

use super::draft::{MirrorDraft, Named, PullDraft};
use super::inside;
use super::location::{Location, real_path};
use super::mistakes::{Complaint, Given, Mistakes, shown};
use super::validate::Room;
use super::{Source, values};
use crate::model::{MirrorType, RefName};

/// All of an upstream's refs, under their own names.
const ALL_REFS: &str = "+refs/*:refs/*";
/// Where what is Standin's own stands, which is never taken from an upstream.
const OURS: &str = "refs/standin/";

/// A bare repository on this machine that follows an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullTarget {
    /// Where it is pulled from.
    pub upstream: Source,
    /// Whether that is the repository's own source, since the mirror names no other.
    pub follows_source: bool,
    /// The folder of the copy; `None` for the one in the state folder.
    pub path: Option<PathBuf>,
    /// Which refs are kept here, and under which names.
    pub refs: PulledRefs,
    /// Time between two syncs, where it is another than the schedule's.
    pub interval: Option<Duration>,
    /// How long one run may take, where it is another than `[limits] run`.
    pub timeout: Option<Duration>,
    /// The private key for an upstream at an ssh address; the default is what ssh itself would use.
    pub ssh_key: Option<PathBuf>,
}

impl PullTarget {
    /// An upstream with all its refs, in the state folder.
    pub fn of(upstream: Source) -> Self {
        Self {
            upstream,
            follows_source: false,
            path: None,
            refs: PulledRefs::default(),
            interval: None,
            timeout: None,
            ssh_key: None,
        }
    }

    /// The upstream and, where it is not in the state folder, the copy.
    pub(super) fn display(&self) -> String {
        match &self.path {
            Some(path) => format!("{} → {}", self.upstream.display(), path.display()),
            None => self.upstream.display(),
        }
    }
}

/// Which refs of an upstream are kept, and under which names: git's refspecs. What a tip was before is rescued when it
/// moves other than forward, so each of them begins with `+`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PulledRefs {
    kept: Vec<(Pattern, Pattern)>,
    left_out: Vec<Pattern>,
}

impl Default for PulledRefs {
    fn default() -> Self {
        let all = Pattern { before: "refs/".to_owned(), after: Some(String::new()) };
        Self { kept: vec![(all.clone(), all)], left_out: Vec::new() }
    }
}

impl PulledRefs {
    /// The names under which a ref of the upstream is kept; none for one that is left out, as what is Standin's own always
    /// is.
    pub fn names_of<'a>(&'a self, name: &'a RefName) -> impl Iterator<Item = RefName> + 'a {
        let text = name.as_str();
        let is_taken = !text.starts_with(OURS) && !self.left_out.iter().any(|pattern| pattern.star(text).is_some());
        let kept = self.kept.iter().filter(move |_| is_taken);
        kept.filter_map(move |(from, to)| {
            let star = from.star(text)?;
            if from == to { Some(name.clone()) } else { to.with(star).parse().ok() }
        })
        .filter(|name: &RefName| !name.as_str().starts_with(OURS))
    }

    /// Whether every ref that is kept has its own name.
    pub fn keeps_names(&self) -> bool {
        self.kept.iter().all(|(from, to)| from == to)
    }

    fn parse(texts: &[String]) -> Result<Self, Complaint> {
        let (mut kept, mut left_out) = (Vec::new(), Vec::new());
        for text in texts {
            let wrong = |why: &str, hint: &str| Err(Complaint::new(format!("{} {why}", shown(text)), hint));
            if let Some(pattern) = text.strip_prefix('^') {
                match Pattern::parse(pattern) {
                    Some(pattern) if !pattern.is_ours() => left_out.push(pattern),
                    _ => return wrong("leaves out nothing that can be", "Write what is left out as `^refs/pull/*`."),
                }
                continue;
            }
            let Some(forced) = text.strip_prefix('+') else {
                return wrong(
                    "does not begin with `+`",
                    "Write it as `+refs/heads/*:refs/heads/*`: the upstream wins, and a tip that it moves other than forward \
                     is rescued first. What is left out is written as `^refs/pull/*`.",
                );
            };
            let sides = forced.split_once(':').map(|(from, to)| (Pattern::parse(from), Pattern::parse(to)));
            match sides {
                Some((Some(from), Some(to))) if from.after.is_some() == to.after.is_some() => {
                    if from.is_ours() || to.is_ours() {
                        return wrong("is about names that are Standin's own", "Leave `refs/standin/` out of it.");
                    }
                    kept.push((from, to));
                }
                _ => {
                    return wrong(
                        "is no refspec",
                        "Write both sides as full names, with one `*` in each or in none: `+refs/heads/*:refs/heads/*`, \
                         `+refs/heads/main:refs/heads/main`.",
                    );
                }
            }
        }
        if kept.is_empty() {
            let hint = format!("Name what is kept, such as `{ALL_REFS}`, beside what is left out.");
            return Err(Complaint::new("nothing of the upstream is kept", hint));
        }
        Ok(Self { kept, left_out })
    }
}

impl std::str::FromStr for PulledRefs {
    type Err = String;

    /// Refspecs, with spaces or commas between them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(&values::words(text)).map_err(|Complaint { message, hint }| format!("{message}. {hint}"))
    }
}

/// A full name of a ref, or many of them with a `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    before: String,
    /// What follows the `*`, where there is one.
    after: Option<String>,
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let pattern = match text.split_once('*') {
            Some((before, after)) => Self { before: before.to_owned(), after: Some(after.to_owned()) },
            None => Self { before: text.to_owned(), after: None },
        };
        let sample = pattern.with("x");
        (pattern.before.starts_with("refs/") && sample.parse::<RefName>().is_ok()).then_some(pattern)
    }

    /// What the `*` stands for in a name, or nothing where there is none; `None` for a name that is not meant.
    fn star<'a>(&self, name: &'a str) -> Option<&'a str> {
        let rest = name.strip_prefix(self.before.as_str())?;
        match &self.after {
            Some(after) => rest.strip_suffix(after.as_str()).filter(|star| !star.is_empty()),
            None => rest.is_empty().then_some(""),
        }
    }

    fn with(&self, star: &str) -> String {
        match &self.after {
            Some(after) => format!("{}{star}{after}", self.before),
            None => self.before.clone(),
        }
    }

    fn is_ours(&self) -> bool {
        format!("{}/", self.before).starts_with(OURS)
    }
}

/// The mirror with its identity: the folder that it is. `None` where it cannot be used.
pub(super) fn target(
    draft: &MirrorDraft,
    source: Option<&Location>,
    room: &Room<'_>,
    mistakes: &mut Mistakes,
) -> Option<(PullTarget, String)> {
    let surroundings = &room.surroundings;
    let upstream = match (&draft.repo, &draft.url) {
        (Some(_), Some(url)) => {
            let message = "this mirror has both a repository (`repo`) and a URL (`url`)";
            mistakes.add(&url.place, Complaint::new(message, "Keep `url`, the upstream that is pulled from."));
            return None;
        }
        (Some(given), None) | (None, Some(given)) => {
            let located = surroundings.locate(&given.value.text, &given.value.base);
            let location = mistakes.take(&given.place, located)?;
            for clone in room.clones().filter(|_| given.value.from_clone) {
                mistakes.take(&given.place, inside::refuse(&location, clone, surroundings.home))?;
            }
            Some(location)
        }
        (None, None) => None,
    };
    let follows_source = upstream.is_none();
    let upstream = upstream.or_else(|| source.cloned())?;
    let path = match &draft.pull.path {
        Some(given) => Some(folder(given, &upstream, room, mistakes)?),
        None => None,
    };
    let refs = match &draft.pull.refs {
        Some(given) => mistakes.take(&given.place, PulledRefs::parse(&given.value))?,
        None => PulledRefs::default(),
    };
    let identity = match &path {
        Some(path) => Location::Path(path.clone()).identity(surroundings),
        // Each mirror has a folder of its own there.
        None => format!("pull:{}", draft.id.as_ref().map_or("", |id| id.as_str())),
    };
    let target = PullTarget {
        upstream: upstream.into(),
        follows_source,
        path,
        refs,
        interval: draft.pull.interval.as_ref().map(|given| given.value),
        timeout: draft.pull.timeout.as_ref().map(|given| given.value),
        ssh_key: draft.ssh_key.as_ref().map(|key| key.value.clone()),
    };
    Some((target, identity))
}

/// The folder of the copy: never one of a clone that names it itself, nor the upstream.
fn folder(given: &Given<Named>, upstream: &Location, room: &Room<'_>, mistakes: &mut Mistakes) -> Option<PathBuf> {
    let (named, home) = (&given.value, room.surroundings.home);
    let path = mistakes.take(&given.place, values::path(&named.text, &named.base, home))?;
    let location = Location::Path(path.clone());
    for clone in room.clones().filter(|_| named.from_clone) {
        if super::validate::is_folder_of(clone, &path) {
            let message = format!("`{}` is the clone itself", path.display());
            mistakes.add(
                &given.place,
                Complaint::new(message, "Name a folder of its own for the copy, outside of any clone."),
            );
            return None;
        }
        mistakes.take(&given.place, inside::refuse(&location, clone, home))?;
    }
    if matches!(upstream, Location::Path(upstream) if real_path(upstream) == real_path(&path)) {
        let message = format!("`{}` is the upstream itself", path.display());
        mistakes.add(&given.place, Complaint::new(message, "Name another folder for the copy, or remove `path`."));
        return None;
    }
    Some(path)
}

/// What only a mirror that pulls has, said of another.
pub(super) fn refuse_elsewhere(pull: &PullDraft, kind: MirrorType, mistakes: &mut Mistakes) {
    let PullDraft { path, refs, interval, timeout } = pull;
    let said = [
        path.as_ref().map(|given| ("path", &given.place)),
        refs.as_ref().map(|given| ("refs", &given.place)),
        interval.as_ref().map(|given| ("interval", &given.place)),
        timeout.as_ref().map(|given| ("timeout", &given.place)),
    ];
    for (key, place) in said.into_iter().flatten() {
        let message = format!("a mirror of type `{kind}` has no `{key}`");
        mistakes.add(place, Complaint::new(message, "Remove it, or use type `pull`."));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(texts: &[&str]) -> Result<PulledRefs, Complaint> {
        PulledRefs::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    fn names(refs: &PulledRefs, name: &str) -> Vec<String> {
        refs.names_of(&name.parse().unwrap()).map(|name| name.to_string()).collect()
    }

    #[test]
    fn everything_is_kept_but_what_is_ours() {
        let all = PulledRefs::default();
        assert_eq!(refs(&[ALL_REFS]).unwrap(), all);
        for name in ["refs/heads/main", "refs/pull/1/head", "refs/notes/commits", "refs/standinx/a"] {
            assert_eq!(names(&all, name), [name]);
        }
        assert!(names(&all, "refs/standin/fence").is_empty());
        assert!(all.keeps_names() && !refs(&["+refs/heads/*:refs/x/*"]).unwrap().keeps_names());
    }

    #[test]
    fn patterns_choose_and_rename() {
        let some =
            refs(&["+refs/heads/*:refs/heads/*", "+refs/pull/*/head:refs/reviews/*", "^refs/heads/wip/*"]).unwrap();
        assert_eq!(names(&some, "refs/heads/a/b"), ["refs/heads/a/b"]);
        assert_eq!(names(&some, "refs/pull/7/head"), ["refs/reviews/7"]);
        for other in ["refs/pull/7/merge", "refs/tags/v1", "refs/heads/wip/x"] {
            assert!(names(&some, other).is_empty(), "{other}");
        }
        let one = refs(&["+refs/heads/main:refs/heads/main"]).unwrap();
        assert_eq!(names(&one, "refs/heads/main"), ["refs/heads/main"]);
        assert!(names(&one, "refs/heads/main2").is_empty());
        let into_ours = refs(&["+refs/heads/*:refs/*"]).unwrap();
        assert!(names(&into_ours, "refs/heads/standin/fence").is_empty());
    }

    #[test]
    fn what_is_no_refspec_is_refused_with_the_right_one() {
        for (text, hint) in [
            ("refs/heads/*:refs/heads/*", "+refs/heads/*:refs/heads/*"),
            ("+refs/heads/*", "both sides"),
            ("+heads/*:heads/*", "full names"),
            ("+refs/heads/*:refs/heads/main", "one `*` in each"),
            ("+refs/heads/a*b*:refs/heads/*", "one `*` in each"),
            ("+refs/heads/*:refs/standin/*", "refs/standin/"),
            ("+refs/standin/*:refs/x/*", "refs/standin/"),
            ("+:refs/heads/main", "full names"),
            ("^refs/pull/*", "beside what is left out"),
            ("^pull/*", "^refs/pull/*"),
        ] {
            let complaint = refs(&[text]).unwrap_err();
            assert!(complaint.hint.contains(hint), "{text}: {complaint:?}");
        }
    }
}
