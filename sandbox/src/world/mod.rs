//! Who and what exists in the sandbox: accounts, tokens, repositories and what hangs on them.
//!
//! All of it is memory behind one lock that is only held for look-ups and small changes; git's own objects and refs are
//! on disk and belong to [`crate::git`]. Nothing here knows HTTP.

mod account;
mod actions;
mod refusal;
mod repository;
mod runs;
mod token;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use rand::RngExt as _;

use crate::clock::Clock;

pub use account::{Account, AccountKind, Role};
pub use actions::{
    ActionsPermissions, Listing, Secret, SelectedActions, Variable, Workflow, WorkflowPermissions, WorkflowState,
};
pub(crate) use refusal::WHOLE_PUSH;
pub use refusal::{PushLimits, PushRefusal};
pub use repository::{Issue, Protection, PullRequest, Repository, RepositorySpec, RepositoryState};
pub use runs::{Annotation, AnnotationLevel, Conclusion, Execute, Job, Run, RunStatus, Step};
pub use token::{Level, Token, TokenKind, TokenSpec};

/// Everything that the sandbox remembers.
#[derive(Debug, Clone, Default)]
pub struct World {
    clock: Arc<Clock>,
    accounts: BTreeMap<String, Account>,
    tokens: HashMap<String, Arc<Token>>,
    repositories: BTreeMap<u64, Repository>,
    slugs: HashMap<(String, String), u64>,
    redirects: HashMap<(String, String), u64>,
    last_id: u64,
}

impl World {
    /// An empty world with this clock.
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        Self { clock, ..Self::default() }
    }

    /// The time that schedules have.
    pub(crate) fn scheduled(&self) -> Timestamp {
        self.clock.scheduled()
    }

    /// The world's time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// An id that nothing else has; ids rise, as GitHub's do.
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        1_000 + self.last_id
    }

    /// The account with this login, in any case.
    pub fn account(&self, login: &str) -> Option<&Account> {
        self.accounts.get(&login.to_lowercase())
    }

    /// The account with this login, to be changed.
    pub fn account_mut(&mut self, login: &str) -> Option<&mut Account> {
        self.accounts.get_mut(&login.to_lowercase())
    }

    /// All accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// Makes an account, or gives the one that has this login.
    pub fn create_account(&mut self, login: &str, kind: AccountKind) -> &mut Account {
        let (id, now) = (self.next_id(), self.now());
        self.accounts.entry(login.to_lowercase()).or_insert_with(|| Account::new(id, login, kind, now))
    }

    /// The token with this value.
    pub fn token(&self, value: &str) -> Option<&Arc<Token>> {
        self.tokens.get(value)
    }

    /// Issues a token of this account and gives its value.
    pub fn create_token(&mut self, login: &str, spec: TokenSpec) -> String {
        let id = self.next_id();
        let value = token::random_value(&spec.kind);
        self.tokens.insert(
            value.clone(),
            Arc::new(Token { id, login: login.to_owned(), kind: spec.kind, expires_at: spec.expires_at }),
        );
        value
    }

    /// Issues the token of a job in this repository and gives its value.
    pub(crate) fn create_job_token(&mut self, repository_id: u64, permissions: BTreeMap<String, Level>) -> String {
        let login = self.create_account(crate::actions::BOT, AccountKind::Bot).login.clone();
        let kind = TokenKind::Job { repository_id, permissions };
        self.create_token(&login, TokenSpec { kind, expires_at: None })
    }

    /// Forgets a token; true if there was one.
    pub fn revoke_token(&mut self, value: &str) -> bool {
        self.tokens.remove(value).is_some()
    }

    /// The repository of this name, or the one that had it before a rename.
    pub fn find(&self, owner: &str, name: &str) -> Option<Found> {
        let key = slug_key(owner, name);
        if let Some(id) = self.slugs.get(&key) {
            return Some(Found::Here(*id));
        }
        self.redirects.get(&key).map(|id| Found::Moved(*id))
    }

    /// The repository of this name as it is called now.
    pub fn repository_named(&self, owner: &str, name: &str) -> Option<&Repository> {
        self.repositories.get(self.slugs.get(&slug_key(owner, name))?)
    }

    /// The repository of this name, to be changed.
    pub fn repository_named_mut(&mut self, owner: &str, name: &str) -> Option<&mut Repository> {
        self.repositories.get_mut(self.slugs.get(&slug_key(owner, name))?)
    }

    /// The repository with this id.
    pub fn repository(&self, id: u64) -> Option<&Repository> {
        self.repositories.get(&id)
    }

    /// The repository with this id, to be changed.
    pub fn repository_mut(&mut self, id: u64) -> Option<&mut Repository> {
        self.repositories.get_mut(&id)
    }

    /// All repositories, oldest first.
    pub fn repositories(&self) -> impl Iterator<Item = &Repository> {
        self.repositories.values()
    }

    /// Adds a repository whose folder exists already.
    pub fn insert_repository(&mut self, repository: Repository) {
        let key = slug_key(&repository.owner, &repository.name);
        self.redirects.remove(&key);
        self.slugs.insert(key, repository.id);
        self.repositories.insert(repository.id, repository);
    }

    /// Forgets a repository and gives what it was.
    pub fn remove_repository(&mut self, id: u64) -> Option<Repository> {
        self.slugs.retain(|_, other| *other != id);
        self.redirects.retain(|_, other| *other != id);
        self.repositories.remove(&id)
    }

    /// Renames or transfers a repository; the old name redirects from now on, as on GitHub.
    pub fn move_repository(&mut self, id: u64, owner: &str, name: &str) -> bool {
        let now = self.now();
        let target = slug_key(owner, name);
        if self.slugs.get(&target).is_some_and(|other| *other != id) {
            return false;
        }
        let Some(repository) = self.repositories.get_mut(&id) else {
            return false;
        };
        let before = slug_key(&repository.owner, &repository.name);
        owner.clone_into(&mut repository.owner);
        name.clone_into(&mut repository.name);
        repository.updated_at = now;
        self.slugs.remove(&before);
        self.redirects.remove(&target);
        if before != target {
            self.redirects.insert(before, id);
        }
        self.slugs.insert(target, id);
        true
    }
}

/// Where a name leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The repository with this id has the name.
    Here(u64),
    /// The repository with this id had the name before it was renamed.
    Moved(u64),
}

fn slug_key(owner: &str, name: &str) -> (String, String) {
    (owner.to_lowercase(), name.to_lowercase())
}

/// A random string of letters and digits.
pub(crate) fn random_text(length: usize) -> String {
    let mut generator = rand::rng();
    (0..length).map(|_| char::from(generator.sample(rand::distr::Alphanumeric))).collect()
}

/// An opaque id such as GitHub's `node_id`.
pub(crate) fn node_id(prefix: &str, id: u64) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(id.to_be_bytes());
    format!("{prefix}_{encoded}")
}
