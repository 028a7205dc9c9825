//! Pull requests for parked branches: one each, that says why it exists and what to do with it.

use std::collections::BTreeSet;

use standin_state::model::{Oid, RefName, Slug};

use super::sides::{Shown, Sides};
use super::words::{HandBack, HandBackFate, HandBackPull, HandBackRef};
use super::{Guard, counted};
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::fence;
use crate::github::{Client, NewPullRequest};
use crate::mastership::parked::{is_parked, parked_from};
use crate::{Code, Result, crash};

/// How many commits a pull request lists.
const LISTED: usize = 20;
/// The longest subject that is shown, in characters.
const SUBJECT: usize = 120;

/// What was requested by now.
#[derive(Default)]
pub(super) struct Requests {
    pub pulls: Vec<HandBackPull>,
    pub notices: Vec<Notice>,
    /// Parked branches that are through.
    done: BTreeSet<(RefName, Oid)>,
}

/// One pull request to be.
struct Wanted<'a> {
    home: &'a HandBackRef,
    head: &'a str,
    base: &'a str,
    commits: Vec<Oid>,
}

impl Requests {
    /// Opens a pull request for each parked branch that has none and brings something; `true` if the host was asked for any.
    /// One that cannot be made is a notice: the commits are safe without it.
    ///
    /// # Errors
    /// What the guard says; [`Code::Cancelled`]; what the cache and the store report.
    pub async fn open(
        &mut self,
        new: &MirrorContext,
        sides: &Sides,
        refs: &[HandBackRef],
        planned: &HandBack,
        guard: Guard<'_>,
    ) -> Result<bool> {
        let mut asked = false;
        for home in refs.iter().filter(|home| home.fate == HandBackFate::Parked && home.is_there) {
            let Some(at) = home.at.as_ref().filter(|at| at.is_branch()) else { continue };
            // A branch that an earlier one brings along has no tip of its own.
            let Some(tip) = sides.source.get(at) else { continue };
            if !self.done.insert((at.clone(), tip.clone())) {
                continue;
            }
            let Some(base) = base_of(sides, &home.name) else {
                self.notice(new, at, "the source has no branch that it could go to", "Make one from it there.");
                continue;
            };
            let Some(base_tip) = sides.source.get(&base) else { continue };
            let commits = sides.missing([tip], [base_tip])?;
            if commits.is_empty() {
                continue;
            }
            asked = true;
            let wanted = Wanted { home, head: at.short(), base: base.short(), commits };
            let made = match new.github() {
                Ok((slug, client)) => request(new, slug, client, sides, &wanted, planned, guard).await,
                Err(error) => Err(Stop::from(error)),
            };
            match made {
                Ok(pull) => self.pulls.push(pull),
                Err(Stop::Now(error)) => return Err(error),
                Err(Stop::Notice(error)) => self.notice(new, at, &error.message, &error.advice()),
            }
        }
        Ok(asked)
    }

    fn notice(&mut self, new: &MirrorContext, at: &RefName, why: &str, hint: &str) {
        let notice = Notice {
            message: format!(
                "The branch {} is safe at {}, without a pull request: {why}",
                at.short(),
                new.mirror.target.display()
            ),
            hint: format!("Look at it there, and merge or delete it yourself. {hint}").trim_end().to_owned(),
        };
        new.notice(&notice.message, &notice.hint);
        self.notices.push(notice);
    }
}

/// Why there is no pull request.
enum Stop {
    /// The hand-back must stop.
    Now(crate::Error),
    /// It goes on without.
    Notice(crate::Error),
}

impl From<crate::Error> for Stop {
    fn from(error: crate::Error) -> Self {
        if error.code == Code::Cancelled { Self::Now(error) } else { Self::Notice(error) }
    }
}

async fn request(
    new: &MirrorContext,
    slug: &Slug,
    client: &Client,
    sides: &Sides,
    wanted: &Wanted<'_>,
    planned: &HandBack,
    guard: Guard<'_>,
) -> Result<HandBackPull, Stop> {
    let Wanted { head, base, .. } = wanted;
    let report = |pull: crate::github::PullRequest, was_there| HandBackPull {
        branch: (*head).to_owned(),
        base: pull.base.branch,
        number: pull.number,
        url: pull.html_url,
        was_there,
    };
    if let Some(pull) = client.open_pull_request(slug, head).await? {
        return Ok(report(pull, true));
    }
    guard().await.map_err(Stop::Now)?;
    let writer = fence::writer(&new.source).map_err(Stop::Now)?;
    let first: Vec<Oid> = wanted.commits.iter().take(LISTED).cloned().collect();
    let shown = sides.shown(&first).map_err(Stop::Now)?;
    let title = format!("Bring back {} from {}", origin(wanted.home), planned.from);
    let when = new.outside().clock.now().strftime("%Y-%m-%d %H:%M UTC").to_string();
    let body = body(wanted, planned, &shown, &format!("{writer}, {when}"));
    crash::point("roles.handback.pull_request");
    let pull = client.create_pull_request(slug, NewPullRequest { title: &title, body: &body, head, base }).await?;
    crash::point("roles.handback.pull_requested");
    Ok(report(pull, false))
}

/// The branch at the source that a parked one belongs to: that of its name, else the default branch.
fn base_of(sides: &Sides, name: &RefName) -> Option<RefName> {
    let short = parked_from(name).unwrap_or(name.short());
    let same = RefName::branch(short).ok().filter(|same| sides.source.contains_key(same) && !is_parked(same));
    same.or_else(|| sides.default_branch.clone())
}

/// The branch as the standby's people know it.
fn origin(home: &HandBackRef) -> &str {
    parked_from(&home.name).unwrap_or(home.name.short())
}

fn body(wanted: &Wanted<'_>, planned: &HandBack, shown: &[Shown], who: &str) -> String {
    let (from, epoch) = (&planned.from, planned.epoch);
    let (branch, head, base) = (origin(wanted.home), wanted.head, wanted.base);
    let why = match &wanted.home.refused {
        Some(_) => format!("`{base}` could not be moved by Standin itself: the host refused it."),
        None if base == branch => {
            format!("`{base}` was moved here, too, or rewritten there, so it could not simply go forward.")
        }
        None => format!("There is no branch `{branch}` here that it could go forward on."),
    };
    // Indented, so that nothing in a subject is taken for markup or a mention.
    let list: Vec<String> =
        shown.iter().map(|commit| format!("    {} {}", commit.oid.short(), subject(commit))).collect();
    let more = wanted.commits.len().saturating_sub(shown.len());
    let more = if more > 0 { format!("\n    … and {more} more") } else { String::new() };
    format!(
        "`{from}` stood in as master (epoch {epoch}) and handed back. This branch, `{head}`, holds what `{branch}` has there \
         and `{base}` has not. {why}\n\n\
         {} (newest first):\n\n{}{more}\n\n\
         **To keep them**, merge this pull request, or take single commits from the branch.\n\
         **To discard them**, close it and delete the branch.\n\n\
         Nothing is lost until the branch is deleted. Standin neither merges nor deletes it.\n\n\
         Handed back by {who}.\n",
        counted(wanted.commits.len(), "commit"),
        list.join("\n"),
    )
}

fn subject(commit: &Shown) -> String {
    let plain: String = commit.subject.chars().filter(|character| !character.is_control()).take(SUBJECT).collect();
    if commit.subject.chars().count() > SUBJECT { format!("{plain}…") } else { plain }
}
