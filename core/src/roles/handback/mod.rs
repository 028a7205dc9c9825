//! The hand-back: what the standby committed while it was master comes home to the master-to-be.
//!
//! [`plan`] looks at both sides and says what would become of each ref, [`apply`] carries it out. Nothing at the source is ever
//! forced or deleted: a ref that did not move there is fast-forwarded, a new one made, and everything else is *parked* beside
//! it, as `standin/handback-<epoch>/<branch>`, with a pull request. It is finished when every commit of the standby is
//! reachable at the source, which is read back, and not when the pull requests are merged.
//!
//! | file | what lives there |
//! |---|---|
//! | `words` | what a hand-back looks like to those who see it |
//! | `sides` | listing both sides, bringing what is new of them into the cache, questions about commits |
//! | `decide` | what becomes of each ref: a pure function |
//! | `push` | one push with the source's fence, and what the host refuses of it |
//! | `request` | the pull requests |
//! | `beside` | variables and secrets that changed meanwhile |

mod decide;
mod push;
mod request;
mod sides;
mod values;
mod words;

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use standin_state::model::Oid;

use self::decide::{Question, decide};
use self::push::{Pushed, Refusals, push};
use self::sides::Sides;
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::fence::Fence;
use crate::git::Refs;
use crate::mastership::parked::is_parked;
use crate::plan::{LeftAlone, counted};
use crate::{Code, Error, Result, crash};

pub use words::{
    HandBack, HandBackFate, HandBackPull, HandBackRef, HandBackSecret, HandBackVariable, HandBackVariableState,
    HandedBack,
};

/// How often both sides are looked at again when somebody moves them, or the host refuses something.
const ROUNDS: usize = 12;

/// Reads the source's fence and says whether the hand-back may still write; asked before each push and each request. The
/// push moves the fence that this gives, and is refused by the server when it moved meanwhile. `None` where the source has
/// no fence: then each ref is guarded by its own lease alone.
pub type Guard<'a> = &'a (dyn Fn() -> BoxFuture<'a, Result<Option<Fence>>> + Send + Sync);

/// Says what a hand-back from `old`, the standby that is master, to `new` would do. `epoch` is the standby's as master: it
/// names the parked branches. Nothing is changed on either side.
///
/// # Errors
/// When a side cannot be read, or keeps moving while it is.
pub async fn plan(old: &MirrorContext, new: &MirrorContext, epoch: u64) -> Result<HandBack> {
    let (sides, beside) = tokio::try_join!(sides::look(old, new), values::look(old, new))?;
    let refs = decide(&Question { sides: &sides, vanished: &[], refusals: &Refusals::default(), epoch })?;
    sides.pin(refs.iter().map(|home| &home.tip))?;
    let mut notices = sides.notices.clone();
    notices.extend(beside.notices);
    notices.extend(foreign_workflows(&sides, &refs)?);
    Ok(HandBack {
        from: old.mirror.target.display(),
        to: new.mirror.target.display(),
        epoch,
        in_step: sides.standby.iter().filter(|(name, tip)| sides.source.get(name) == Some(tip)).count() as u64,
        only_at_source: only_at_source(&sides),
        refs,
        variables: beside.variables,
        secrets: beside.secrets,
        notices,
    })
}

/// Carries a hand-back out. What moved since the plan is looked at again: commits that came meanwhile travel too, and commits
/// that vanished from the standby since are parked. Running it again after a crash goes on where it ended.
///
/// # Errors
/// What the guard says; [`Code::Raced`] when the source's fence or the standby keeps moving; [`Code::RefRefused`] when the
/// source does not take some of the commits in any way, with which and why. What is brought by then stays.
pub async fn apply(
    old: &MirrorContext,
    new: &MirrorContext,
    planned: &HandBack,
    guard: Guard<'_>,
) -> Result<HandedBack> {
    let mut refusals = Refusals::default();
    let mut requested = request::Requests::default();
    let mut brought: Vec<HandBackRef> = Vec::new();
    for _ in 0..ROUNDS {
        let sides = sides::look(old, new).await?;
        let vanished: Vec<HandBackRef> =
            planned.refs.iter().filter(|home| sides.standby.get(&home.name) != Some(&home.tip)).cloned().collect();
        let refs = decide(&Question { sides: &sides, vanished: &vanished, refusals: &refusals, epoch: planned.epoch })?;
        let to_push: Vec<HandBackRef> = refs.iter().filter(|home| home.is_to_be_pushed()).cloned().collect();
        if !to_push.is_empty() {
            crash::point("roles.handback.round");
            if push(new, &sides, guard, &to_push, &mut refusals, &mut brought).await? == Pushed::Moved {
                tracing::info!("the source moved during the hand-back; looking again");
            }
            continue;
        }
        if requested.open(new, &sides, &refs, planned, guard).await? {
            // Making them took a while: the standby is looked at once more.
            continue;
        }
        verify(&sides, &refs, planned, &refusals)?;
        sides.unpin()?;
        return Ok(HandedBack { refs: merged(brought, refs), pulls: requested.pulls, notices: requested.notices });
    }
    Err(Error::passing(
        Code::Raced,
        format!("{} or {} was moved each time before the hand-back could end", planned.from, planned.to),
        "Find out who else pushes to them; go on when it is quiet. What was brought by now stays.",
    ))
}

/// What was brought, and what was parked by an earlier try.
fn merged(brought: Vec<HandBackRef>, refs: Vec<HandBackRef>) -> Vec<HandBackRef> {
    let known: BTreeSet<_> = brought.iter().map(|home| (home.name.clone(), home.tip.clone())).collect();
    let earlier = refs
        .into_iter()
        .filter(|home| home.fate == HandBackFate::Parked && !known.contains(&(home.name.clone(), home.tip.clone())));
    brought.iter().cloned().chain(earlier).collect()
}

/// Reads back that nothing of the standby is missing at the source.
fn verify(sides: &Sides, refs: &[HandBackRef], planned: &HandBack, refusals: &Refusals) -> Result<()> {
    let tips: BTreeSet<&Oid> = sides.standby.values().chain(planned.refs.iter().map(|home| &home.tip)).collect();
    let missing = sides.missing(tips, sides.source.values())?;
    let homeless: Vec<&HandBackRef> = refs.iter().filter(|home| home.is_homeless()).collect();
    if missing.is_empty() && homeless.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = homeless.iter().map(|home| format!("{} ({})", home.name, home.tip.short())).collect();
    let why = homeless.iter().find_map(|home| refusals.of_tip(&home.tip));
    let (said, hint) =
        why.map_or((String::new(), String::new()), |error| (format!(": {}", error.message), error.advice()));
    Err(Error::new(
        Code::RefRefused,
        format!(
            "{} does not take {} of {}, which are not safe there yet: {}{said}",
            planned.to,
            counted(missing.len(), "commit"),
            planned.from,
            if names.is_empty() { "(of refs that are gone)".to_owned() } else { names.join(", ") },
        ),
        format!("{hint} They stay on {}; go on when {} takes them.", planned.from, planned.to).trim_start().to_owned(),
    ))
}

fn only_at_source(sides: &Sides) -> Vec<LeftAlone> {
    sides
        .source
        .iter()
        .filter(|(name, _)| !sides.standby.contains_key(*name) && !is_parked(name))
        .map(|(name, oid)| LeftAlone { name: name.clone(), oid: oid.clone() })
        .collect()
}

/// What to know where branches bring workflow files that the source's default branch does not have: they may run there.
fn foreign_workflows(sides: &Sides, refs: &[HandBackRef]) -> Result<Option<Notice>> {
    let known = match sides.default_branch.as_ref().and_then(|name| sides.source.get(name)) {
        Some(tip) => sides.cache.workflow_files(tip)?,
        None => Default::default(),
    };
    let mut foreign: BTreeSet<String> = BTreeSet::new();
    for home in refs.iter().filter(|home| home.is_to_be_pushed() && home.name.is_branch()) {
        let files = sides.cache.workflow_files(&home.tip)?;
        foreign.extend(files.into_iter().filter(|(path, blob)| known.get(path) != Some(blob)).map(|(path, _)| path));
    }
    Ok((!foreign.is_empty()).then(|| Notice {
        message: format!(
            "The standby's commits bring workflows that differ from the source's: {}",
            foreign.into_iter().collect::<Vec<_>>().join(", ")
        ),
        hint:
            "A push of them may start them there, and takes a token with the right for workflows. Look at them first \
               where not everybody who pushes to the standby is trusted."
                .to_owned(),
    }))
}

/// Refs by name.
type Tips = Refs;
