//! `mirror add`, `mirror edit`: drafted, shown, written.

use std::path::Path;

use standin_state::config::edit::{self, Edited, Form};
use standin_state::config::{Config, Consent, RepositoryConfig};
use standin_state::model::{MirrorId, RepositoryId};
use standin_state::store::ConsentRecord;

use super::Engine;
use crate::setup::{self, Draft, Files, MirrorChange, MirrorRequest, Resolved};
use crate::{Code, Error, Result};

impl Engine {
    /// What a change of a mirror would be: the file, the difference, what it would mean. Nothing is written, and nobody is asked.
    ///
    /// # Errors
    /// [`Code::Usage`] and [`Code::NotFound`] where it is not clear what is meant; [`Code::Configuration`] with every mistake that
    /// the file would have then.
    pub fn mirror_draft(&self, request: &MirrorRequest) -> Result<Draft> {
        self.reload()?;
        let config = self.config();
        self.drafted(&config, request).map(|(draft, _)| draft)
    }

    /// Writes a change that was drafted, and reads the configuration again. What a `.env` asks for by it needs no yes of its own,
    /// unless the file waited for one before.
    ///
    /// # Errors
    /// [`Code::Raced`] where the file says something else by now, or would: nothing is written then. As
    /// [`Engine::mirror_draft`]; [`Code::Storage`].
    pub fn mirror_write(&self, draft: &Draft) -> Result<()> {
        let action = match draft.request.change {
            MirrorChange::Add { .. } => "mirror_add",
            MirrorChange::Edit { .. } => "mirror_edit",
            MirrorChange::EditRepository { .. } => "repository_edit",
            MirrorChange::Remove { .. } => "mirror_remove",
        };
        let detail = format!("{} ({:?})", draft.file.display(), draft.form).to_lowercase();
        let written = self.write_draft(draft);
        self.audited(action, Some(&draft.repository), draft.mirror.as_ref(), detail, written)
    }

    fn write_draft(&self, draft: &Draft) -> Result<()> {
        self.reload()?;
        let config = self.config();
        let edited = self.still(&config, draft)?;
        let needs_no_yes = may_say_yes(&config, draft.form, &draft.file)?;
        if !edited.is_as_it_was() {
            edited.write()?;
        }
        self.reload()?;
        if needs_no_yes { self.say_yes(&draft.file) } else { Ok(()) }
    }

    /// The change as it would be now, if it is still the one that was shown.
    pub(super) fn still(&self, config: &Config, draft: &Draft) -> Result<Edited> {
        let (now, edited) = self.drafted(config, &draft.request)?;
        let is_same = (&now.before, &now.after, &now.file) == (&draft.before, &draft.after, &draft.file);
        if is_same {
            return Ok(edited);
        }
        Err(Error::new(
            Code::Raced,
            format!("{} says something else than when this was shown; nothing was written", draft.file.display()),
            "Look at it again: what would be written now is something else.",
        ))
    }

    /// Which file a request changes, and how.
    pub(super) fn resolved(&self, config: &Config, request: &MirrorRequest) -> Result<Resolved> {
        let load = &self.shared.load;
        let toml = edit::config_file(load);
        let files = Files {
            outline: edit::outline(&toml)?,
            toml,
            env_at_hand: edit::env_file_at_hand(load),
            current_dir: load.current_dir.clone(),
        };
        setup::resolve(config, &files, request)
    }

    pub(super) fn drafted(&self, config: &Config, request: &MirrorRequest) -> Result<(Draft, Edited)> {
        let resolved = self.resolved(config, request)?;
        if let Some(known) = config.repositories.iter().find(|known| known.id == resolved.repository) {
            self.refuse_unseating(known, &request.change)?;
        }
        let consents = self.shared.store.consents()?;
        let edited = edit::draft(&self.shared.load, &consents, resolved.form, &resolved.file, &resolved.edits)?;
        let after = &edited.loaded.config;
        let repository = id_after(&resolved, after);
        let Resolved { mirror, form, file, edits, .. } = resolved;
        match (&request.change, &mirror) {
            (MirrorChange::Remove { .. }, Some(mirror)) => refuse_what_stays(config, after, &repository, mirror)?,
            (MirrorChange::Add { .. }, Some(mirror)) => refuse_twice(config, after, &repository, mirror)?,
            (MirrorChange::Edit { .. } | MirrorChange::EditRepository { .. }, _) | (_, None) => {}
        }
        let notices = setup::meaning(config, after, &request.change, (&repository, mirror.as_ref()));
        let draft = Draft {
            request: request.clone(),
            repository,
            mirror,
            file,
            form,
            before: edited.before.clone(),
            after: edited.hash(),
            difference: edited.difference.clone(),
            edits,
            notices,
        };
        Ok((draft, edited))
    }

    /// What an owner wrote by Standin's own hand is what they want.
    pub(super) fn say_yes(&self, file: &Path) -> Result<()> {
        let config = self.config();
        let Some(known) = config.repositories.iter().find(|known| known.env_file.as_deref() == Some(file)) else {
            return Ok(());
        };
        if let Consent::Waits(wish, _) = &known.consent {
            let consent = ConsentRecord { allowed: Some(wish.wish.clone()), denied: None };
            self.shared.store.set_consent(&wish.file, &consent, self.shared.outside.clock.now())?;
            self.reload()?;
            let detail = format!("{}: written by Standin at its owner's wish", wish.file);
            self.audited("allow", Some(&known.id), None, detail, Ok(()))?;
        }
        Ok(())
    }
}

/// What the repository is called once that is written: one that a `.env` speaks of has the id that its source gives it.
pub(super) fn id_after(resolved: &Resolved, after: &Config) -> RepositoryId {
    let Resolved { repository, form, file, .. } = resolved;
    let is_its = |known: &&RepositoryConfig| known.env_file.as_ref() == Some(file);
    match form {
        Form::Env if !after.repositories.iter().any(|known| known.id == *repository) => {
            after.repositories.iter().find(is_its).map_or_else(|| repository.clone(), |known| known.id.clone())
        }
        Form::Env | Form::Toml => repository.clone(),
    }
}

/// Whether the file asked for nothing before, or had its owner's yes.
pub(super) fn may_say_yes(config: &Config, form: Form, file: &Path) -> Result<bool> {
    if form != Form::Env {
        return Ok(false);
    }
    let its = config.repositories.iter().find(|known| known.env_file.as_deref() == Some(file));
    if let Some(Consent::Given(_)) = its.filter(|known| known.mistakes.is_empty()).map(|known| &known.consent) {
        return Ok(true);
    }
    // What stood there already may be somebody else's.
    let text = edit::read(file)?.unwrap_or_default();
    Ok(its.is_none_or(|known| known.consent.wish().is_none()) && !edit::speaks_of_standin(&text))
}

/// A place that another layer names already would be one mirror with it, under another name, with another's token and memory.
fn refuse_twice(before: &Config, after: &Config, repository: &RepositoryId, mirror: &MirrorId) -> Result<()> {
    let of = |config: &Config| config.repositories.iter().find(|known| known.id == *repository).cloned();
    let (Some(old), Some(new)) = (of(before), of(after)) else { return Ok(()) };
    let gone = old.mirrors.iter().find(|known| new.mirror(&known.id).is_none()).map(|known| known.id.clone());
    let known = match (gone, new.mirror(mirror)) {
        (Some(gone), _) => gone,
        (None, Some(_)) => return Ok(()),
        (None, None) => MirrorId::source(),
    };
    let shown = if known.is_source() { "another mirror".to_owned() } else { format!("the mirror `{known}`") };
    Err(Error::new(
        Code::Usage,
        format!("{} has that place already, as {shown}", new.id),
        format!(
            "`standin mirror list` shows them; change that one with `standin mirror edit {known}`, or name another place."
        ),
    ))
}

/// A mirror that another layer names too does not go by taking out one of them.
fn refuse_what_stays(before: &Config, after: &Config, repository: &RepositoryId, mirror: &MirrorId) -> Result<()> {
    let find = |config: &Config| config.repositories.iter().find(|known| known.id == *repository).cloned();
    let place = find(before).and_then(|known| known.mirror(mirror).map(|mirror| mirror.target.display()));
    let stays = find(after).and_then(|known| {
        known.mirrors.iter().find(|known| Some(known.target.display()) == place).map(|known| known.id.clone())
    });
    let Some(stays) = stays else { return Ok(()) };
    Err(Error::new(
        Code::Usage,
        format!("{mirror} would still be there, as `{stays}`: `.env` or the environment names the same place"),
        format!("Take that out first, with `standin mirror remove {stays} --env` or where the environment is set."),
    ))
}
