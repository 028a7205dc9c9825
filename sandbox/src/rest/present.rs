//! The forms that several endpoints share: times, pages, users, repositories, commits.

use hyper::header::{HeaderValue, LINK};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::{Call, percent_encode};
use super::reply::{Refusal, Reply};
use crate::access;
use crate::options::Options;
use crate::shared::Shared;
use crate::world::{Account, AccountKind, Repository, Role, World, node_id};

/// `2026-02-07T18:01:07Z`.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    number: usize,
    size: usize,
    explicit_size: bool,
}

impl Page {
    pub(super) fn of(call: &Call, options: &Options) -> Result<Self, Refusal> {
        let number = |name: &str| -> Result<Option<usize>, Refusal> {
            call.query(name)
                .map(|text| {
                    text.parse()
                        .map_err(|_| Refusal::unprocessable(&format!("Invalid request.\n\n{name} is no number.")))
                })
                .transpose()
        };
        let size = number("per_page")?;
        Ok(Self {
            number: number("page")?.unwrap_or(1).max(1),
            size: size.unwrap_or(30).clamp(1, options.page_size_max.max(1)),
            explicit_size: size.is_some(),
        })
    }

    /// Another size for those who do not ask for one.
    pub(super) fn or_default(mut self, size: usize) -> Self {
        if !self.explicit_size {
            self.size = size;
        }
        self
    }

    /// This page of the items.
    pub(super) fn cut(&self, mut items: Vec<Value>) -> Vec<Value> {
        let start = (self.number - 1).saturating_mul(self.size).min(items.len());
        let end = start.saturating_add(self.size).min(items.len());
        items.truncate(end);
        items.split_off(start)
    }

    /// An object with `total_count` and this page of the items under `key`.
    pub(super) fn counted(&self, call: &Call, key: &str, items: Vec<Value>) -> Reply {
        let total = items.len();
        let value = json!({"total_count": total, key: self.cut(items)});
        self.link(call, total, Reply::json(&value))
    }

    /// An array with this page of the items.
    pub(super) fn listed(&self, call: &Call, items: Vec<Value>) -> Reply {
        let total = items.len();
        let value = Value::Array(self.cut(items));
        self.link(call, total, Reply::json(&value))
    }

    /// The same answer with links to the other pages.
    pub(super) fn link(&self, call: &Call, total: usize, reply: Reply) -> Reply {
        let last = total.div_ceil(self.size).max(1);
        if last == 1 && self.number == 1 {
            return reply;
        }
        let mut query = String::new();
        for (name, value) in call.query_without_page() {
            query.push_str(&format!("{}={}&", percent_encode(name), percent_encode(value)));
        }
        let url = |page: usize| call.url(&format!("{}?{query}per_page={}&page={page}", call.path, self.size));
        let mut links = Vec::new();
        if self.number > 1 {
            links.push(format!("<{}>; rel=\"prev\"", url((self.number - 1).min(last))));
        }
        if self.number < last {
            links.push(format!("<{}>; rel=\"next\"", url(self.number + 1)));
            links.push(format!("<{}>; rel=\"last\"", url(last)));
        }
        if self.number > 1 {
            links.push(format!("<{}>; rel=\"first\"", url(1)));
        }
        match HeaderValue::from_str(&links.join(", ")) {
            Ok(value) => reply.header(LINK, value),
            Err(_) => reply,
        }
    }
}

/// GitHub's `simple-user`.
pub(super) fn user(call: &Call, account: &Account) -> Value {
    let url = call.url(&format!("/users/{}", account.login));
    let prefix = match account.kind {
        AccountKind::User => "U",
        AccountKind::Organization => "O",
        AccountKind::Bot => "BOT",
    };
    json!({
        "login": account.login,
        "id": account.id,
        "node_id": node_id(prefix, account.id),
        "avatar_url": format!("{url}/avatar"),
        "gravatar_id": "",
        "url": url,
        "html_url": format!("{url}/page"),
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": account.kind.as_str(),
        "user_view_type": "public",
        "site_admin": false,
    })
}

/// The account of this login as a `simple-user`, or null when it is gone.
pub(super) fn user_of(world: &World, call: &Call, login: &str) -> Value {
    world.account(login).map_or(Value::Null, |account| user(call, account))
}

const REPOSITORY_LINKS: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

/// GitHub's `minimal-repository`, which larger forms extend.
fn minimal(world: &World, call: &Call, server_url: &str, repository: &Repository) -> Value {
    let url = call.url(&format!("/repos/{}", repository.slug()));
    let mut value = json!({
        "id": repository.id,
        "node_id": node_id("R", repository.id),
        "name": repository.name,
        "full_name": repository.slug(),
        "private": repository.private,
        "owner": user_of(world, call, &repository.owner),
        "html_url": format!("{server_url}/{}", repository.slug()),
        "description": repository.description,
        "fork": false,
    });
    if let Some(fields) = value.as_object_mut() {
        for (name, suffix) in REPOSITORY_LINKS {
            fields.insert(name.to_owned(), format!("{url}{suffix}").into());
        }
    }
    value
}

/// GitHub's `minimal-repository`.
pub(super) fn minimal_repository(world: &World, call: &Call, shared: &Shared, repository: &Repository) -> Value {
    minimal(world, call, &shared.server_url(), repository)
}

/// GitHub's `full-repository`, as the caller sees it.
pub(super) fn repository(world: &World, call: &Call, shared: &Shared, repository: &Repository) -> Value {
    let server = shared.server_url();
    let slug = repository.slug();
    let caller = call.caller.as_ref().ok();
    let login = caller.and_then(|caller| caller.login.as_deref());
    let mut role = access::role_of(world, repository, login);
    if !repository.private {
        role = role.max(Role::Read);
    }
    let mut value = minimal(world, call, &server, repository);
    let more = json!({
        "git_url": format!("{server}/{slug}.git"),
        "ssh_url": format!("git@localhost:{slug}.git"),
        "clone_url": format!("{server}/{slug}.git"),
        "svn_url": format!("{server}/{slug}"),
        "mirror_url": null,
        "homepage": null,
        "language": null,
        "forks_count": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "size": 0,
        "default_branch": repository.default_branch,
        "open_issues_count": 0,
        "is_template": false,
        "topics": [],
        "has_issues": true,
        "has_projects": true,
        "has_wiki": true,
        "has_pages": false,
        "has_downloads": true,
        "has_discussions": false,
        "archived": repository.archived,
        "disabled": false,
        "visibility": visibility(repository),
        "pushed_at": time(repository.pushed_at),
        "created_at": time(repository.created_at),
        "updated_at": time(repository.updated_at),
        "permissions": {
            "admin": role >= Role::Admin,
            "maintain": role >= Role::Maintain,
            "push": role >= Role::Write,
            "triage": role >= Role::Triage,
            "pull": role >= Role::Read,
        },
        "allow_rebase_merge": true,
        "allow_squash_merge": true,
        "allow_merge_commit": true,
        "allow_auto_merge": false,
        "delete_branch_on_merge": false,
        "allow_forking": true,
        "subscribers_count": 0,
        "network_count": 0,
        "license": null,
        "forks": 0,
        "open_issues": 0,
        "watchers": 0,
    });
    if let (Some(fields), Value::Object(more)) = (value.as_object_mut(), more) {
        fields.extend(more);
    }
    value
}

/// `private` or `public`.
pub(super) fn visibility(repository: &Repository) -> &'static str {
    if repository.private { "private" } else { "public" }
}

/// `node_id` of a git object.
pub(super) fn object_node_id(prefix: &str, repository: u64, name: &str) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("{repository}:{name}"));
    format!("{prefix}_{encoded}")
}
