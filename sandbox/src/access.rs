//! Who asks, and whether that account with that token may do what it asks.

use std::sync::Arc;

use base64::Engine as _;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use crate::world::{AccountKind, Level, Repository, Role, Token, TokenKind, World};

/// Who sent a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    /// Number of the account; none when nobody signed in.
    pub account_id: Option<u64>,
    /// Login of the account.
    pub login: Option<String>,
    /// The token that was shown.
    pub token: Option<Arc<Token>>,
}

impl Caller {
    /// Whom rate limits are counted for.
    pub(crate) fn limit_key(&self) -> u64 {
        // The tokens of a repository's jobs share one budget.
        self.token.as_deref().and_then(Token::job_repository).or(self.account_id).unwrap_or(0)
    }
}

/// Why a caller could not be signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignInFailure {
    /// Unknown, revoked or expired token.
    BadCredentials,
    /// The account was suspended.
    Suspended,
}

/// Finds out who asks; nobody, if there is no authorization header.
pub(crate) fn sign_in(world: &World, headers: &HeaderMap) -> Result<Caller, SignInFailure> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Ok(Caller::default());
    };
    let value = header.to_str().ok().and_then(token_value).ok_or(SignInFailure::BadCredentials)?;
    let now = world.now();
    let token = world.token(&value).filter(|token| !token.is_expired(now)).ok_or(SignInFailure::BadCredentials)?;
    let account = world.account(&token.login).ok_or(SignInFailure::BadCredentials)?;
    if account.suspended {
        return Err(SignInFailure::Suspended);
    }
    Ok(Caller { account_id: Some(account.id), login: Some(account.login.clone()), token: Some(Arc::clone(token)) })
}

/// `token X`, `Bearer X`, or `Basic` with the token as password (as user where there is no password).
fn token_value(header: &str) -> Option<String> {
    let (scheme, rest) = header.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("token") || scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(rest).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(if password.is_empty() { user } else { password }.to_owned())
}

/// What an endpoint asks of its caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// Name of the fine-grained permission.
    pub permission: &'static str,
    /// How far it must go.
    pub level: Level,
    /// What the account must at least be in the repository.
    pub role: Role,
}

impl Need {
    /// Reading that everybody who sees the repository may do.
    pub(crate) const fn read(permission: &'static str) -> Self {
        Self { permission, level: Level::Read, role: Role::Read }
    }

    /// Writing that those who may push may do.
    pub(crate) const fn write(permission: &'static str) -> Self {
        Self { permission, level: Level::Write, role: Role::Write }
    }

    /// The same, for those who have at least this role.
    pub(crate) const fn by(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// As in `X-Accepted-GitHub-Permissions`.
    pub(crate) fn accepted(&self) -> String {
        format!("{}={}", self.permission, self.level)
    }
}

/// Why a caller may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// As far as this caller knows, there is no such repository.
    NotFound,
    /// Nobody signed in.
    SignInFirst,
    /// The account's role is too small.
    Role,
    /// The fine-grained token lacks the permission.
    Permission,
    /// The job's token lacks the permission, or is of another repository.
    Integration,
    /// The repository is read-only.
    Archived,
}

/// What the account may do in the repository, whatever its token.
pub(crate) fn role_of(world: &World, repository: &Repository, login: Option<&str>) -> Role {
    let Some(login) = login.map(str::to_lowercase) else {
        return Role::None;
    };
    if repository.owner.to_lowercase() == login {
        return Role::Admin;
    }
    let direct = repository.collaborators.get(&login).copied();
    let member = world
        .account(&repository.owner)
        .filter(|owner| owner.kind == AccountKind::Organization)
        .and_then(|owner| owner.members.get(&login).copied());
    direct.max(member).unwrap_or(Role::None)
}

/// Decides whether the caller may do what `need` says in this repository.
pub(crate) fn check(world: &World, repository: &Repository, caller: &Caller, need: &Need) -> Result<(), Denied> {
    if let Some(token) = caller.token.as_deref().filter(|token| token.job_repository().is_some()) {
        return check_job(repository, token, need);
    }
    let role = role_of(world, repository, caller.login.as_deref());
    if repository.private && !(role >= Role::Read && token_sees_private(repository, caller)) {
        return Err(Denied::NotFound);
    }
    let everybody = need.level == Level::Read && need.role <= Role::Read;
    if everybody && !repository.private {
        return Ok(());
    }
    let Some(token) = &caller.token else {
        return Err(Denied::SignInFirst);
    };
    match &token.kind {
        TokenKind::Classic { .. } => {
            if role < need.role {
                return Err(Denied::Role);
            }
            let scope = if repository.private { "repo" } else { "public_repo" };
            if !token.has_scope(scope) {
                return Err(Denied::NotFound);
            }
        }
        TokenKind::FineGrained { .. } | TokenKind::Job { .. } => {
            let permitted = token.covers(repository) && token.level(need.permission) >= Some(need.level);
            if !permitted || role < need.role {
                return Err(Denied::Permission);
            }
        }
    }
    if repository.archived && need.level == Level::Write {
        return Err(Denied::Archived);
    }
    Ok(())
}

/// The same for the token of a job, whose rights are those of no person.
fn check_job(repository: &Repository, token: &Token, need: &Need) -> Result<(), Denied> {
    let reads_all = !repository.private && need.level == Level::Read && need.role <= Role::Read;
    if !token.covers(repository) {
        return match (repository.private, reads_all) {
            (true, _) => Err(Denied::NotFound),
            (false, true) => Ok(()),
            (false, false) => Err(Denied::Integration),
        };
    }
    if !reads_all && token.level(need.permission) < Some(need.level) {
        return Err(Denied::Integration);
    }
    if repository.archived && need.level == Level::Write {
        return Err(Denied::Archived);
    }
    Ok(())
}

fn token_sees_private(repository: &Repository, caller: &Caller) -> bool {
    caller.token.as_deref().is_some_and(|token| match token.kind {
        TokenKind::Classic { .. } => token.has_scope("repo"),
        TokenKind::FineGrained { .. } | TokenKind::Job { .. } => token.covers(repository),
    })
}

/// True if the caller's token may create or change files under `.github/workflows`.
pub(crate) fn may_change_workflows(caller: &Caller) -> bool {
    caller.token.as_deref().is_some_and(|token| match token.kind {
        TokenKind::Classic { .. } => token.has_scope("workflow"),
        TokenKind::FineGrained { .. } => token.level("workflows") >= Some(Level::Write),
        TokenKind::Job { .. } => false,
    })
}

/// How the host calls the caller's token when it refuses workflow files, and what the token lacks.
pub(crate) fn workflow_right(caller: &Caller) -> (&'static str, &'static str) {
    match caller.token.as_deref().and_then(Token::job_repository) {
        Some(_) => ("GitHub App", "`workflows` permission"),
        None => ("Personal Access Token", "`workflow` scope"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_authorization_carries_the_token() {
        let basic = |text: &str| {
            let encoded = base64::engine::general_purpose::STANDARD.encode(text);
            token_value(&format!("Basic {encoded}"))
        };
        assert_eq!(token_value("token abc").as_deref(), Some("abc"));
        assert_eq!(token_value("bearer abc").as_deref(), Some("abc"));
        assert_eq!(basic("x-access-token:abc").as_deref(), Some("abc"));
        assert_eq!(basic("abc:").as_deref(), Some("abc"));
        assert_eq!(token_value("Digest abc"), None);
    }
}
