//! Putting a repository's layers together: the variables over the file.

use super::draft::{MirrorDraft, PullDraft, RepositoryDraft};
use super::location::Surroundings;
use crate::model::MirrorType;

/// `stronger` over `weaker`, field by field. Mirrors are matched by target, then by id; those that only the stronger
/// layer has come last.
pub(super) fn over(
    stronger: RepositoryDraft,
    weaker: RepositoryDraft,
    surroundings: &Surroundings<'_>,
) -> RepositoryDraft {
    RepositoryDraft {
        place: weaker.place,
        id: weaker.id,
        source: stronger.source.or(weaker.source),
        path: weaker.path,
        source_token: stronger.source_token,
        enabled: stronger.enabled.or(weaker.enabled),
        env_file: weaker.env_file,
        secrets: stronger.secrets.or(weaker.secrets),
        variables: stronger.variables.or(weaker.variables),
        keep_active: weaker.keep_active,
        notes: weaker.notes,
        rhythm: weaker.rhythm,
        heartbeat: weaker.heartbeat,
        sentinel: weaker.sentinel,
        mirrors: mirrors(stronger.mirrors, weaker.mirrors, surroundings),
    }
}

fn mirrors(
    stronger: Vec<MirrorDraft>,
    mut weaker: Vec<MirrorDraft>,
    surroundings: &Surroundings<'_>,
) -> Vec<MirrorDraft> {
    let targets: Vec<_> = weaker.iter().map(|mirror| target(mirror, surroundings)).collect();
    let mut over: Vec<Option<MirrorDraft>> = weaker.iter().map(|_| None).collect();
    let mut unmatched = Vec::new();
    let mut place = |mirror: MirrorDraft, position: Option<usize>| match position {
        Some(position) if over[position].is_none() => {
            over[position] = Some(mirror);
            None
        }
        _ => Some(mirror),
    };
    for mirror in stronger {
        let own = target(&mirror, surroundings);
        let position = own.and_then(|own| {
            let mut known = targets.iter().zip(&weaker);
            known.position(|(target, known)| target.as_ref() == Some(&own) && may_be_one(&mirror, known))
        });
        unmatched.extend(place(mirror, position));
    }
    let mut added = Vec::new();
    for mirror in unmatched {
        let position = weaker.iter().position(|known| known.id.is_some() && known.id == mirror.id);
        if let Some(position) = position.filter(|_| mirror.repo.is_some() || mirror.url.is_some()) {
            // What another place is, and what may run there, was said of that place alone.
            (weaker[position].kind, weaker[position].hooks) = (None, None);
            weaker[position].pull = PullDraft::default();
        }
        added.extend(place(mirror, position));
    }
    let merged = weaker.into_iter().zip(over).map(|(weaker, stronger)| match stronger {
        Some(stronger) => stronger.over(weaker),
        None => weaker,
    });
    merged.chain(added).collect()
}

/// What is pulled from a place and what is pushed to it are two mirrors.
fn may_be_one(one: &MirrorDraft, other: &MirrorDraft) -> bool {
    let pulls = |mirror: &MirrorDraft| mirror.kind.as_ref().map(|kind| kind.value == MirrorType::Pull);
    match (pulls(one), pulls(other)) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

/// The same text for the same place; `None` where none is named, or not well.
fn target(mirror: &MirrorDraft, surroundings: &Surroundings<'_>) -> Option<String> {
    let named = &mirror.repo.as_ref().or(mirror.url.as_ref())?.value;
    surroundings.locate(&named.text, &named.base).ok().map(|location| location.identity(surroundings))
}
