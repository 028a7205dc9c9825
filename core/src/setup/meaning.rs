//! What a change would mean, for whoever reads it before it is written.

use standin_state::config::{Config, MirrorConfig, RepositoryConfig, Source, Target};
use standin_state::model::{MirrorId, RepositoryId, Site, Slug};

use super::MirrorChange;
use crate::event::Notice;

/// What a person should know who is about to write this.
pub(crate) fn meaning(
    before: &Config,
    after: &Config,
    change: &MirrorChange,
    (repository, mirror): (&RepositoryId, Option<&MirrorId>),
) -> Vec<Notice> {
    let find = |config: &Config| config.repositories.iter().find(|known| known.id == *repository).cloned();
    let (old, new) = (find(before), find(after));
    let Some(new) = new else { return Vec::new() };
    let of = |known: &RepositoryConfig| mirror.and_then(|id| known.mirror(id)).cloned();
    let (was, is) = (old.as_ref().and_then(of), of(&new));
    let mut notices = Vec::new();
    match change {
        MirrorChange::Add { .. } => {
            notices.extend(is.as_ref().and_then(|is| same_account(&new, is)));
            notices.extend(is.as_ref().and_then(|is| elsewhere(after, &new, is)));
        }
        MirrorChange::Edit { .. } => {
            if let (Some(was), Some(is)) = (&was, &is) {
                notices.extend(edited(&new, was, is));
                notices.extend(moved(was, is).then(|| elsewhere(after, &new, is)).flatten());
            }
        }
        MirrorChange::EditRepository { .. } => {
            let sources = old.as_ref().map(|old| (old.source.display(), new.source.display()));
            notices.extend(sources.filter(|(was, is)| was != is).map(|(was, is)| {
                notice(
                    format!("every mirror of {repository} is kept in step with {is} from then on, and not with {was}"),
                    "What the new source does not have would go from them: the first plan shows it and asks.",
                )
            }));
        }
        MirrorChange::Remove { .. } => notices.extend(removed(&new, mirror, was.as_ref())),
    }
    notices
}

fn notice(message: impl Into<String>, hint: impl Into<String>) -> Notice {
    Notice { message: message.into(), hint: hint.into() }
}

fn owner(source: &Source) -> Option<&Slug> {
    match source {
        Source::GitHub(slug) => Some(slug),
        Source::Url(_) | Source::Path(_) => None,
    }
}

/// A standby in the account of its source falls with it.
fn same_account(repository: &RepositoryConfig, mirror: &MirrorConfig) -> Option<Notice> {
    let (source, standby) = (owner(&repository.source)?, mirror.slug()?);
    let is_same = source.host == standby.host && source.owner.eq_ignore_ascii_case(&standby.owner);
    is_same.then(|| {
        notice(
            format!(
                "{standby} belongs to the same account as its source: if {} is suspended, so is the standby",
                source.owner
            ),
            "Make the standby with another account, one that has its own sign-in and its own payment.",
        )
    })
}

/// A place that another repository is about, too.
fn elsewhere(config: &Config, repository: &RepositoryConfig, mirror: &MirrorConfig) -> Option<Notice> {
    if mirror.target.pulled().is_some() {
        return None;
    }
    let place = mirror.target.site();
    let others = config.repositories.iter().filter(|known| known.id != repository.id);
    let (other, what) = others.flat_map(|known| known.places().map(move |(id, site)| (known, id, site))).find_map(
        |(known, id, site)| {
            is_same(&site, &place)
                .then(|| (known, if id.is_source() { "the source".to_owned() } else { format!("the mirror `{id}`") }))
        },
    )?;
    Some(notice(
        format!("{place} is {what} of {} already", other.id),
        "Two repositories in one place overwrite each other; whichever comes second is refused by the fence. Name another place.",
    ))
}

fn is_same(one: &Site, other: &Site) -> bool {
    let plain = |site: &Site| site.as_str().trim_end_matches('/').trim_end_matches(".git").to_ascii_lowercase();
    plain(one) == plain(other)
}

fn moved(was: &MirrorConfig, is: &MirrorConfig) -> bool {
    was.target.display() != is.target.display()
}

fn edited(repository: &RepositoryConfig, was: &MirrorConfig, is: &MirrorConfig) -> Vec<Notice> {
    let mut notices = Vec::new();
    if (&was.target, was.enabled, &was.sync, &was.rhythm) == (&is.target, is.enabled, &is.sync, &is.rhythm) {
        notices.push(notice(
            format!(
                "{} is as it was: the `.env`, the environment, or the value that counts by itself says so, too",
                is.id
            ),
            "The environment is stronger than a `.env`, and a `.env` than `standin.toml`: change it where it stands.",
        ));
    }
    if moved(was, is) {
        notices.push(notice(
            format!("{} is another place than {}: what is remembered of that one is put aside", is.target.display(), was.target.display()),
            format!(
                "A token that is kept for the old place is not sent to the new one before you said so; `standin token set {}` gives it \
                 one of its own.",
                is.id
            ),
        ));
        notices.extend(same_account(repository, is));
    }
    if was.enabled && !is.enabled {
        notices.push(notice(
            format!("nothing is brought to {} while it is switched off, and it grows older", is.id),
            "It cannot be promoted by what is not there; `standin status` shows its age.",
        ));
    }
    for aspect in was.sync.difference(&is.sync) {
        let message = format!("{aspect} of {} stay there as they are, and are kept in step no more", is.id);
        notices.push(notice(message, "A standby that takes over has them as they were then."));
    }
    notices
}

fn removed(repository: &RepositoryConfig, mirror: Option<&MirrorId>, was: Option<&MirrorConfig>) -> Vec<Notice> {
    let mut notices = Vec::new();
    let Some(mirror) = mirror else { return notices };
    let is_standby = |known: &&MirrorConfig| matches!(known.target, Target::GitHub(_)) && known.enabled;
    if repository.mirrors.is_empty() {
        notices.push(notice(
            format!("{mirror} is the last mirror of {}: nothing is kept in step with it then", repository.id),
            "Add another one with `standin mirror add` where that is not what you want.",
        ));
    } else if was.is_some_and(|was| is_standby(&was)) && repository.mirrors.iter().filter(is_standby).count() == 0 {
        notices.push(notice(
            format!("{mirror} is the last standby of {}: nothing could take over then", repository.id),
            "Mirrors elsewhere keep the code alone.",
        ));
    }
    notices
}
