//! Who asks, who is who, how much may still be asked.

use serde_json::{Value, json};

use super::Answer;
use super::call::Call;
use super::present::{time, user};
use super::reply::{Refusal, Reply};
use super::rights::signed_in;
use crate::limits::{Budget, Quota};
use crate::shared::Shared;
use crate::world::{Account, AccountKind, World};

/// What the root of the interface lists: name and path.
const ROOT: [(&str, &str); 31] = [
    ("current_user_url", "/user"),
    ("current_user_authorizations_html_url", "/settings/connections/applications{/client_id}"),
    ("authorizations_url", "/authorizations"),
    ("code_search_url", "/search/code?q={query}{&page,per_page,sort,order}"),
    ("commit_search_url", "/search/commits?q={query}{&page,per_page,sort,order}"),
    ("emails_url", "/user/emails"),
    ("emojis_url", "/emojis"),
    ("events_url", "/events"),
    ("feeds_url", "/feeds"),
    ("followers_url", "/user/followers"),
    ("following_url", "/user/following{/target}"),
    ("gists_url", "/gists{/gist_id}"),
    ("issue_search_url", "/search/issues?q={query}{&page,per_page,sort,order}"),
    ("issues_url", "/issues"),
    ("keys_url", "/user/keys"),
    ("label_search_url", "/search/labels?q={query}&repository_id={repository_id}{&page,per_page}"),
    ("notifications_url", "/notifications"),
    ("organization_url", "/orgs/{org}"),
    ("organization_repositories_url", "/orgs/{org}/repos{?type,page,per_page,sort}"),
    ("organization_teams_url", "/orgs/{org}/teams"),
    ("public_gists_url", "/gists/public"),
    ("rate_limit_url", "/rate_limit"),
    ("repository_url", "/repos/{owner}/{repo}"),
    ("repository_search_url", "/search/repositories?q={query}{&page,per_page,sort,order}"),
    ("current_user_repositories_url", "/user/repos{?type,page,per_page,sort}"),
    ("starred_url", "/user/starred{/owner}{/repo}"),
    ("starred_gists_url", "/gists/starred"),
    ("user_url", "/users/{user}"),
    ("user_organizations_url", "/user/orgs"),
    ("user_repositories_url", "/users/{user}/repos{?type,page,per_page,sort}"),
    ("user_search_url", "/search/users?q={query}{&page,per_page,sort,order}"),
];

pub(super) fn root(call: &Call) -> Answer {
    let links: serde_json::Map<_, _> =
        ROOT.iter().map(|(name, path)| ((*name).to_owned(), Value::from(call.url(path)))).collect();
    Ok(Reply::json(&links.into()))
}

pub(super) fn current(shared: &Shared, call: &Call) -> Answer {
    let (caller, login) = signed_in(call)?;
    if caller.token.as_deref().is_some_and(|token| token.job_repository().is_some()) {
        return Err(Refusal::not_accessible_by_integration());
    }
    let world = shared.world();
    let account = world.account(login).ok_or_else(Refusal::not_found)?;
    let mut value = profile(&world, call, account);
    let private =
        world.repositories().filter(|repository| repository.owner == account.login && repository.private).count();
    extend(
        &mut value,
        json!({
            "private_gists": 0,
            "total_private_repos": private,
            "owned_private_repos": private,
            "disk_usage": 0,
            "collaborators": 0,
            "two_factor_authentication": true,
            "user_view_type": "private",
        }),
    );
    Ok(Reply::json(&value))
}

pub(super) fn user_by_login(shared: &Shared, call: &Call, login: &str) -> Answer {
    let world = shared.world();
    let account = world.account(login).ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(&profile(&world, call, account)))
}

pub(super) fn organization(shared: &Shared, call: &Call, login: &str) -> Answer {
    let world = shared.world();
    let account = world
        .account(login)
        .filter(|account| account.kind == AccountKind::Organization)
        .ok_or_else(Refusal::not_found)?;
    let url = call.url(&format!("/orgs/{}", account.login));
    let mut value = profile(&world, call, account);
    extend(
        &mut value,
        json!({
            "url": url,
            "repos_url": format!("{url}/repos"),
            "events_url": format!("{url}/events"),
            "hooks_url": format!("{url}/hooks"),
            "issues_url": format!("{url}/issues"),
            "members_url": format!("{url}/members{{/member}}"),
            "public_members_url": format!("{url}/public_members{{/member}}"),
            "description": null,
            "has_organization_projects": true,
            "has_repository_projects": true,
            "archived_at": null,
        }),
    );
    // What an organization has not filled in is left out.
    if let Some(fields) = value.as_object_mut() {
        for unset in ["company", "blog", "location", "email"] {
            fields.remove(unset);
        }
    }
    Ok(Reply::json(&value))
}

fn profile(world: &World, call: &Call, account: &Account) -> Value {
    let mut value = user(call, account);
    let public =
        world.repositories().filter(|repository| repository.owner == account.login && !repository.private).count();
    extend(
        &mut value,
        json!({
            "name": account.login,
            "company": null,
            "blog": "",
            "location": null,
            "email": null,
            "hireable": null,
            "bio": null,
            "public_repos": public,
            "public_gists": 0,
            "followers": 0,
            "following": 0,
            "created_at": time(account.created_at),
            "updated_at": time(account.created_at),
        }),
    );
    value
}

fn extend(value: &mut Value, more: Value) {
    if let (Some(fields), Value::Object(more)) = (value.as_object_mut(), more) {
        fields.extend(more);
    }
}

pub(super) fn rate_limit(shared: &Shared, call: &Call) -> Answer {
    let caller = call.caller.as_ref().map_err(|_| Refusal::bad_credentials())?;
    let quota = |budget| {
        shared.limits.quota(caller.limit_key(), budget, shared.options.rate_limit_per_hour, shared.now(), false)
    };
    let core = quota_entry(quota(Budget::Core));
    let graphql = quota_entry(quota(Budget::Graphql));
    let search = json!({"limit": 30, "used": 0, "remaining": 30, "reset": core["reset"]});
    Ok(Reply::json(&json!({
        "resources": {"core": core, "graphql": graphql, "search": search},
        "rate": core,
    })))
}

fn quota_entry(quota: Quota) -> Value {
    json!({
        "limit": quota.limit,
        "used": quota.used,
        "remaining": quota.remaining(),
        "reset": quota.reset,
    })
}

pub(super) fn meta() -> Answer {
    Ok(Reply::json(&json!({
        "verifiable_password_authentication": false,
        "hooks": ["127.0.0.1/32"],
        "web": ["127.0.0.1/32"],
        "api": ["127.0.0.1/32"],
        "git": ["127.0.0.1/32"],
        "actions": ["127.0.0.1/32"],
    })))
}
