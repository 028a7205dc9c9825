//! What is about to be set up, looked at before anything is written: on a copy of the memory, in a folder that goes again.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use standin_state::config::edit::{self, Edit, RepositoryKey};
use standin_state::config::{self, Instead, LoadRequest, RepositoryConfig, Source, Target};
use standin_state::model::{Aspect, MirrorId};

use super::mirror_edit::{id_after, may_say_yes};
use super::{Engine, EngineOptions, SyncRequest};
use crate::git::Scratch;
use crate::keychain::SessionKeychain;
use crate::outside::{Outside, Silent};
use crate::setup::{FoundSource, MirrorLook, MirrorRequest, PlaceState, SourceLook, SourcePart};
use crate::tokens::{self, Place};
use crate::{Error, Result, code};

/// So many names of one part are told.
const NAMES: usize = 200;

/// Tokens that somebody typed for what is not configured yet.
#[derive(Clone, Debug, Default)]
pub struct TypedTokens {
    /// Of the source.
    pub source: Option<SecretString>,
    /// Of the mirror.
    pub mirror: Option<SecretString>,
}

/// An engine on a copy: what it remembers is forgotten with it.
struct Rehearsal {
    engine: Engine,
    repository: Arc<RepositoryConfig>,
    /// Removed when this goes, before which nothing of it may be in use.
    _folder: Scratch,
}

impl Engine {
    /// The clones on this machine that could be looked after, those of the last days first. Looks into the usual folders below
    /// HOME, one level deep.
    pub fn found_sources(&self) -> Vec<FoundSource> {
        let config = self.config();
        let Some(home) = self.home() else { return Vec::new() };
        config::found_clones(&config, Path::new(home)).into_iter().filter_map(|found| self.told(found)).collect()
    }

    /// The clone in this folder or around it; `None` where there is none.
    pub fn found_source(&self, folder: &Path) -> Option<FoundSource> {
        let home = self.home().map(Path::new);
        self.told(config::found_clone(&self.config(), home, folder)?)
    }

    fn home(&self) -> Option<&str> {
        self.shared.outside.environment.get("HOME").map(String::as_str).filter(|home| !home.is_empty())
    }

    fn told(&self, found: config::FoundClone) -> Option<FoundSource> {
        let folder = found.folder.to_str()?.to_owned();
        let source = found.source.map_or_else(|| folder.clone(), |source| source.display());
        let config = self.config();
        let is_it = |known: &&RepositoryConfig| {
            known.clone.as_deref() == Some(&*found.folder) || known.source.display().eq_ignore_ascii_case(&source)
        };
        let repository = config.repositories.iter().find(is_it).map(|known| known.id.clone());
        Some(FoundSource { source, folder, repository })
    }

    /// Looks at the source of what is about to be set up: its token, and what there is to keep in step. Writes nothing.
    ///
    /// # Errors
    /// As [`Engine::mirror_draft`]. What the host says is in the result.
    pub async fn setup_source(&self, request: &MirrorRequest, tokens: &TypedTokens) -> Result<SourceLook> {
        self.reload()?;
        let rehearsal = self.rehearsal(request, tokens, false)?;
        let known = &rehearsal.repository;
        let mut look = SourceLook {
            repository: known.id.clone(),
            source: known.source.display(),
            is_known: self.config().repositories.iter().any(|there| there.id == known.id),
            is_github: matches!(known.source, Source::GitHub(_)),
            token: None,
            is_private: None,
            parts: Vec::new(),
            error: None,
        };
        if let Err(error) = rehearsal.read_source(self, &mut look).await {
            look.error = Some(error);
        }
        Ok(look)
    }

    /// Looks at the place where a mirror is to be. Writes nothing, there neither.
    ///
    /// # Errors
    /// As [`Engine::mirror_draft`]. What the host says is in the result.
    pub async fn setup_mirror(&self, request: &MirrorRequest, tokens: &TypedTokens) -> Result<MirrorLook> {
        let draft = self.mirror_draft(request)?;
        let rehearsal = self.rehearsal(request, tokens, true)?;
        let mirror = draft.mirror.clone().unwrap_or_else(MirrorId::source);
        let target = rehearsal.repository.mirror(&mirror).map(|known| known.target.clone());
        let mut look = MirrorLook {
            repo: target.as_ref().map_or_else(String::new, Target::display),
            mirror: mirror.clone(),
            state: PlaceState::Unseen,
            is_private: None,
            login: None,
            is_of_gh: tokens.mirror.is_none(),
            host_key: None,
            plan: None,
            notices: draft.notices,
            error: None,
        };
        let looked = match &target {
            Some(Target::GitHub(slug)) => {
                let there = self.repository_there(&rehearsal.repository.id, slug, tokens.mirror.as_ref()).await;
                match there {
                    Ok((found, login)) => {
                        look.login = Some(login);
                        look.state = match &found {
                            None => PlaceState::Absent,
                            Some(found) if found.is_empty => PlaceState::Empty,
                            Some(_) => PlaceState::Filled,
                        };
                        look.is_private = found.map(|found| found.is_private);
                        rehearsal.plan_of_filled(&mut look).await
                    }
                    Err(error) => Err(error),
                }
            }
            Some(Target::Git(_) | Target::Pull(_)) => rehearsal.test(&mut look).await,
            None => Ok(()),
        };
        look.error = looked.err();
        Ok(look)
    }

    /// The configuration as it would be, on a copy of what is remembered, with tokens that were typed.
    fn rehearsal(&self, request: &MirrorRequest, tokens: &TypedTokens, with_mirror: bool) -> Result<Rehearsal> {
        let shared = &self.shared;
        let resolved = self.resolved(&self.config(), request)?;
        let edits = resolved.edits.iter().cloned().filter_map(|edit| rehearsed(edit, with_mirror)).collect::<Vec<_>>();
        let (form, file) = (resolved.form, &resolved.file);
        let edited = edit::draft(&shared.load, &shared.store.consents()?, form, file, &edits)?;
        // One that the next start removes, should this process be killed.
        let folder = Scratch::make()?;
        shared.store.copy_to(folder.path())?;
        // Host keys that were accepted hold there, too; where there are none, none are known.
        let _ = std::fs::copy(shared.state_dir.join("known_hosts"), folder.path().join("known_hosts"));
        let session = SessionKeychain::over(shared.outside.keychain.clone());
        let instead = Instead { file: file.clone(), text: Arc::from(&*edited.after) };
        let (engine, _) = Engine::open(EngineOptions {
            state_dir: folder.path().to_owned(),
            load: LoadRequest { instead: Some(instead), ..shared.load.clone() },
            outside: Outside {
                keychain: Arc::new(session.clone()),
                progress: Arc::new(Silent),
                ..shared.outside.clone()
            },
            actor: shared.actor.clone(),
        })?;
        if may_say_yes(&self.config(), form, file)? {
            engine.say_yes(file)?;
        }
        let repository = engine.repository(Some(&id_after(&resolved, &engine.config())))?;
        let mirror = resolved.mirror.filter(|_| with_mirror).map(Place::Mirror);
        let typed = [(Some(Place::Source), &tokens.source), (mirror, &tokens.mirror)];
        for (place, token) in typed {
            if let (Some(place), Some(token)) = (place, token) {
                tokens::keep(&session, &repository, &place, token)?;
            }
        }
        Ok(Rehearsal { engine, repository, _folder: folder })
    }
}

impl Rehearsal {
    async fn read_source(&self, real: &Engine, look: &mut SourceLook) -> Result<()> {
        let engine = &self.engine;
        look.token = engine.token_check(Some(&self.repository.id), &Place::Source).await?;
        let source = engine.source_of_a_look(&self.repository).await?;
        let refs = code::listed(&source.context).await?;
        let names = refs.keys().map(|name| name.short().to_owned()).collect();
        look.parts.push(part(Aspect::Code, Ok(names)));
        let (Source::GitHub(slug), Some(client)) = (&self.repository.source, &source.context.github) else {
            return Ok(());
        };
        look.is_private = Some(client.repository(slug).await?.private);
        let secrets = client.secrets(slug).await.map(|found| found.into_iter().map(|secret| secret.name).collect());
        let mut secrets = part(Aspect::Secrets, secrets);
        let valued = self.valued(real)?;
        secrets.without_value = secrets.names.iter().filter(|name| !valued.contains(*name)).cloned().collect();
        let variables = client.variables(slug).await.map(|found| found.into_iter().map(|known| known.name).collect());
        let workflows = client.workflows(slug).await.map(|found| {
            let there = found.into_iter().filter(|workflow| !workflow.state.is_deleted());
            there.map(|workflow| workflow.path.rsplit('/').next().unwrap_or_default().to_owned()).collect()
        });
        look.parts.extend([secrets, part(Aspect::Variables, variables), part(Aspect::Workflows, workflows)]);
        Ok(())
    }

    /// The names of secrets whose values are here: in the clone's `.env`, or in the vault.
    fn valued(&self, real: &Engine) -> Result<BTreeSet<String>> {
        let in_vault = real.vault().names(&self.repository.id)?;
        let in_env = self.repository.secrets.values.keys().cloned();
        Ok(in_env.chain(in_vault).map(|name| name.to_ascii_uppercase()).collect())
    }

    async fn plan_of_filled(&self, look: &mut MirrorLook) -> Result<()> {
        if look.state != PlaceState::Filled {
            return Ok(());
        }
        let request = SyncRequest {
            repository: Some(self.repository.id.clone()),
            mirrors: vec![look.mirror.clone()],
            ..SyncRequest::default()
        };
        let plans = self.engine.plan(&request).await?;
        look.plan = plans.into_iter().next().map(|(_, plan)| plan).transpose()?;
        Ok(())
    }

    async fn test(&self, look: &mut MirrorLook) -> Result<()> {
        let tested = self.engine.mirror_test(Some(&self.repository.id), &look.mirror).await?;
        look.host_key = tested.host_key;
        match tested.checks.into_iter().find(|check| check.works == Some(false)) {
            Some(failed) => Err(Error::new(
                crate::Code::UnexpectedAnswer,
                format!("{}: it cannot {}", look.repo, failed.what),
                failed.detail,
            )),
            None => Ok(()),
        }
    }
}

/// An edit as far as it is rehearsed: a clone has no say before its owner's yes, so it stays out.
fn rehearsed(edit: Edit, with_mirror: bool) -> Option<Edit> {
    match edit {
        Edit::AddMirror { .. } if !with_mirror => None,
        Edit::AddRepository { repository, settings }
            if settings.iter().any(|known| known.key == RepositoryKey::Source) =>
        {
            let settings = settings.into_iter().filter(|known| known.key != RepositoryKey::Path).collect();
            Some(Edit::AddRepository { repository, settings })
        }
        edit => Some(edit),
    }
}

fn part(aspect: Aspect, names: Result<Vec<String>>) -> SourcePart {
    let (mut names, error) = match names {
        Ok(names) => (names, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    names.sort();
    let count = names.len();
    if aspect != Aspect::Secrets {
        names.truncate(NAMES);
    }
    SourcePart { aspect, count, names, without_value: Vec::new(), error }
}
