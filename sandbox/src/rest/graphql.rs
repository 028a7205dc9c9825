//! `POST /graphql`: the queries that gh sends about who asks, repositories and their owners.
//!
//! The answer to a root field is built whole, then cut to what the query selects.

use std::collections::HashMap;

use async_graphql_parser::types::{
    DocumentOperations, ExecutableDocument, Field, FragmentDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql_parser::{Positioned, parse_query};
use async_graphql_value::{ConstValue, Name};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Answer;
use super::call::Call;
use super::present::{time, visibility};
use super::reply::Reply;
use super::repositories;
use super::rights::signed_in;
use crate::access::{self, Need};
use crate::shared::Shared;
use crate::world::{Account, AccountKind, Found, Repository, RepositoryState, World, node_id};

const READ: Need = Need::read("metadata");

#[derive(Deserialize)]
struct Request {
    query: String,
    #[serde(default)]
    variables: Option<HashMap<String, Value>>,
    #[serde(rename = "operationName")]
    operation: Option<String>,
}

/// True if the body asks for a change.
pub(super) fn is_mutation(body: &[u8]) -> bool {
    serde_json::from_slice::<Request>(body).ok().and_then(|request| parse_query(&request.query).ok()).is_some_and(
        |document| document.operations.iter().any(|(_, operation)| operation.node.ty == OperationType::Mutation),
    )
}

pub(super) fn answer(shared: &Shared, call: &Call) -> Answer {
    signed_in(call)?;
    let request: Request = call.json()?;
    let document = match parse_query(&request.query) {
        Ok(document) => document,
        Err(error) => {
            return Ok(Reply::json(&json!({
                "errors": [{"message": format!("Parse error: {error}")}],
            })));
        }
    };
    let variables = request.variables.unwrap_or_default();
    let mut query = Query { shared, call, variables, fragments: &document.fragments, errors: Vec::new() };
    let data = query.run(&document, request.operation.as_deref());
    let errors = query.errors;
    let mut value = json!({"data": data});
    if !errors.is_empty() {
        value["errors"] = errors.into();
    }
    Ok(Reply::json(&value))
}

type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

struct Query<'a> {
    shared: &'a Shared,
    call: &'a Call,
    variables: HashMap<String, Value>,
    fragments: &'a Fragments,
    errors: Vec<Value>,
}

impl Query<'_> {
    fn run(&mut self, document: &ExecutableDocument, name: Option<&str>) -> Value {
        let operation = match &document.operations {
            DocumentOperations::Single(operation) => Some(operation),
            DocumentOperations::Multiple(operations) => match name {
                Some(name) => operations.get(name),
                None => operations.values().next(),
            },
        };
        let Some(operation) = operation else {
            self.errors.push(json!({"message": "No operation named so"}));
            return Value::Null;
        };
        let mut data = Map::new();
        for selection in &operation.node.selection_set.node.items {
            let Selection::Field(field) = &selection.node else {
                continue;
            };
            let field = &field.node;
            let key = response_key(field);
            let root = match operation.node.ty {
                OperationType::Query => self.root(field),
                OperationType::Mutation | OperationType::Subscription => self.mutation(field),
            };
            let value = self.select(&field.selection_set.node, &root, &mut vec![key.clone()]);
            data.insert(key, value);
        }
        Value::Object(data)
    }

    fn argument(&self, field: &Field, name: &str) -> Option<Value> {
        let value = field.get_argument(name)?.node.clone();
        let value = value
            .into_const_with(|variable| {
                let given = self.variables.get(variable.as_str()).cloned();
                ConstValue::from_json(given.unwrap_or(Value::Null))
            })
            .ok()?;
        value.into_json().ok()
    }

    fn text_argument(&self, field: &Field, name: &str) -> String {
        self.argument(field, name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }

    fn root(&mut self, field: &Field) -> Value {
        let shared = self.shared;
        match field.name.node.as_str() {
            "viewer" => {
                let world = shared.world();
                let login = self.login();
                world.account(&login).map_or(Value::Null, |account| self.account_value(&world, account))
            }
            "user" | "organization" | "repositoryOwner" => {
                let login = self.text_argument(field, "login");
                let found = {
                    let world = shared.world();
                    world.account(&login).map(|account| self.account_value(&world, account))
                };
                found.unwrap_or_else(|| {
                    let message = format!("Could not resolve to a User with the login of '{login}'.");
                    self.not_found(field, &message);
                    Value::Null
                })
            }
            "repository" => {
                let owner = self.text_argument(field, "owner");
                let name = self.text_argument(field, "name");
                self.repository(&owner, &name).unwrap_or_else(|| {
                    let message = format!("Could not resolve to a Repository with the name '{owner}/{name}'.");
                    self.not_found(field, &message);
                    Value::Null
                })
            }
            "__type" => json!({"name": self.text_argument(field, "name"), "fields": [], "inputFields": []}),
            other => {
                self.unknown_field(other, "Query", &[response_key(field)]);
                Value::Null
            }
        }
    }

    fn mutation(&mut self, field: &Field) -> Value {
        let name = field.name.node.as_str();
        if name != "createRepository" {
            self.unknown_field(name, "Mutation", &[response_key(field)]);
            return Value::Null;
        }
        let input = self.argument(field, "input").unwrap_or_default();
        let text = |key: &str| input[key].as_str().map(str::to_owned);
        let owner = {
            let world = self.shared.world();
            match text("ownerId") {
                Some(id) => world
                    .accounts()
                    .find(|account| owner_value(account)["id"] == id.as_str())
                    .map(|account| account.login.clone()),
                None => Some(self.login()),
            }
        };
        let private = text("visibility").is_none_or(|visibility| visibility != "PUBLIC");
        let name = text("name").unwrap_or_default();
        let owner = owner.unwrap_or_default();
        let made = repositories::make(self.shared, self.call, &owner, &name, private, text("description"));
        match made.ok().and_then(|_| self.repository(&owner, &name)) {
            Some(repository) => json!({
                "__typename": "CreateRepositoryPayload",
                "repository": repository,
            }),
            None => {
                self.errors.push(json!({
                    "type": "UNPROCESSABLE",
                    "path": [response_key(field)],
                    "message": format!("The repository {owner}/{name} could not be created"),
                }));
                Value::Null
            }
        }
    }

    fn login(&self) -> String {
        self.call.caller.as_ref().ok().and_then(|caller| caller.login.clone()).unwrap_or_default()
    }

    fn sees(&self, world: &World, repository: &Repository) -> bool {
        repository.state == RepositoryState::Live
            && self.call.caller.as_ref().is_ok_and(|caller| access::check(world, repository, caller, &READ).is_ok())
    }

    fn repository(&self, owner: &str, name: &str) -> Option<Value> {
        let (mut value, path, branch) = {
            let world = self.shared.world();
            let (Found::Here(id) | Found::Moved(id)) = world.find(owner, name)?;
            let repository = world.repository(id)?;
            if !self.sees(&world, repository) {
                return None;
            }
            (self.repository_value(&world, repository), repository.path.clone(), repository.default_branch.clone())
        };
        let tip = crate::git::open(&path).and_then(|git| git.refname_to_id(&format!("refs/heads/{branch}"))).ok();
        value["isEmpty"] = tip.is_none().into();
        value["defaultBranchRef"] = match tip {
            Some(tip) => json!({
                "__typename": "Ref",
                "name": branch,
                "prefix": "refs/heads/",
                "target": {"__typename": "Commit", "oid": tip.to_string()},
            }),
            None => Value::Null,
        };
        Some(value)
    }

    fn repository_value(&self, world: &World, repository: &Repository) -> Value {
        let slug = repository.slug();
        let server = self.shared.server_url();
        let role = access::role_of(world, repository, Some(&self.login()));
        let owner = world.account(&repository.owner).map_or(Value::Null, owner_value);
        json!({
            "__typename": "Repository",
            "id": node_id("R", repository.id),
            "databaseId": repository.id,
            "name": repository.name,
            "nameWithOwner": slug,
            "owner": owner,
            "description": repository.description,
            "url": format!("{server}/{slug}"),
            "sshUrl": format!("git@localhost:{slug}.git"),
            "homepageUrl": null,
            "isPrivate": repository.private,
            "visibility": visibility(repository).to_uppercase(),
            "isArchived": repository.archived,
            "isFork": false,
            "isMirror": false,
            "isTemplate": false,
            "isDisabled": false,
            "isLocked": false,
            "parent": null,
            "hasIssuesEnabled": true,
            "hasWikiEnabled": true,
            "hasProjectsEnabled": true,
            "hasDiscussionsEnabled": false,
            "mergeCommitAllowed": true,
            "rebaseMergeAllowed": true,
            "squashMergeAllowed": true,
            "deleteBranchOnMerge": false,
            "viewerPermission": role.as_viewer_permission(),
            "viewerCanAdminister": role >= crate::world::Role::Admin,
            "createdAt": time(repository.created_at),
            "updatedAt": time(repository.updated_at),
            "pushedAt": time(repository.pushed_at),
            "diskUsage": 0,
            "stargazerCount": 0,
            "forkCount": 0,
            "primaryLanguage": null,
            "licenseInfo": null,
        })
    }

    fn account_value(&self, world: &World, account: &Account) -> Value {
        let mut value = owner_value(account);
        let repositories: Vec<Value> = world
            .repositories()
            .filter(|repository| repository.owner == account.login)
            .filter(|repository| self.sees(world, repository))
            .map(|repository| self.repository_value(world, repository))
            .collect();
        value["repositories"] = json!({
            "__typename": "RepositoryConnection",
            "totalCount": repositories.len(),
            "nodes": repositories,
            "pageInfo": {
                "__typename": "PageInfo",
                "hasNextPage": false,
                "hasPreviousPage": false,
                "startCursor": null,
                "endCursor": null,
            },
        });
        value
    }

    fn not_found(&mut self, field: &Field, message: &str) {
        self.errors.push(json!({
            "type": "NOT_FOUND",
            "path": [response_key(field)],
            "message": message,
        }));
    }

    fn unknown_field(&mut self, field: &str, on: &str, path: &[String]) {
        self.errors.push(json!({
            "path": path,
            "extensions": {"code": "undefinedField", "typeName": on, "fieldName": field},
            "message": format!("Field '{field}' doesn't exist on type '{on}'"),
        }));
    }

    fn select(&mut self, set: &SelectionSet, value: &Value, path: &mut Vec<String>) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.select(set, item, path)).collect(),
            Value::Object(fields) if !set.items.is_empty() => {
                let mut chosen = Map::new();
                self.choose(set, fields, &mut chosen, path);
                Value::Object(chosen)
            }
            other => other.clone(),
        }
    }

    fn choose(
        &mut self,
        set: &SelectionSet,
        fields: &Map<String, Value>,
        chosen: &mut Map<String, Value>,
        path: &mut Vec<String>,
    ) {
        let kind = fields.get("__typename").and_then(Value::as_str).unwrap_or_default().to_owned();
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    let key = response_key(field);
                    path.push(key.clone());
                    match fields.get(field.name.node.as_str()) {
                        Some(value) => {
                            let value = self.select(&field.selection_set.node, value, path);
                            chosen.insert(key, value);
                        }
                        None => self.unknown_field(&field.name.node, &kind, path),
                    }
                    path.pop();
                }
                Selection::FragmentSpread(spread) => {
                    let fragments = self.fragments;
                    if let Some(fragment) = fragments.get(&spread.node.fragment_name.node) {
                        let fragment = &fragment.node;
                        if applies(fragment.type_condition.node.on.node.as_str(), &kind) {
                            self.choose(&fragment.selection_set.node, fields, chosen, path);
                        }
                    }
                }
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref().map(|condition| condition.node.on.node.as_str());
                    if on.is_none_or(|on| applies(on, &kind)) {
                        self.choose(&inline.node.selection_set.node, fields, chosen, path);
                    }
                }
            }
        }
    }
}

fn owner_value(account: &Account) -> Value {
    let kind = account.kind.as_str();
    json!({
        "__typename": kind,
        "id": node_id(if account.kind == AccountKind::User { "U" } else { "O" }, account.id),
        "databaseId": account.id,
        "login": account.login,
        "name": account.login,
        "url": format!("/{}", account.login),
        "createdAt": time(account.created_at),
        "organizations": {"__typename": "OrganizationConnection", "nodes": [], "totalCount": 0},
    })
}

/// True if a fragment on `on` is for a value of this type.
fn applies(on: &str, kind: &str) -> bool {
    let interfaces: &[&str] = match kind {
        "User" | "Organization" => &["Actor", "Node", "RepositoryOwner", "ProfileOwner"],
        _ => &["Node"],
    };
    on == kind || interfaces.contains(&on)
}

fn response_key(field: &Field) -> String {
    field.response_key().node.to_string()
}
