//! One look at the master: the questions that the sentinel asks, asked from here.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;
use standin_state::config::{Config, Limits};
use standin_state::model::{MirrorId, Site, Slug};
use standin_state::store::Fact;

use super::judge::{Found, Heartbeat, MastersFence, Observation, Reply};
use crate::context::SourceContext;
use crate::fence::Document;
use crate::github::{Answer, Call, Client, PATIENCE_OF_A_LOOK, Standing, in_url};
use crate::memory::Memory;
use crate::source::SharedSource;
use crate::tokens::Token;
use crate::{Code, Result};

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(15);

/// What one look asks for.
pub(super) struct Look<'a> {
    /// The repository with the watched place as its source.
    pub source: &'a SharedSource,
    /// The watched repository.
    pub slug: &'a Slug,
    /// Whether its heartbeat is required; not while a standby holds its schedules.
    pub with_heartbeat: bool,
    /// The highest epoch that is known.
    pub epoch: u64,
}

impl Look<'_> {
    /// Asks.
    ///
    /// # Errors
    /// [`Code::TokenMissing`] without a token; [`Code::Storage`]; an address that cannot be used.
    pub(super) async fn observe(&self) -> Result<Observation> {
        let context = &self.source.context;
        let token = context.token.as_ref().ok_or_else(|| {
            crate::tokens::missing(&context.store, &context.repository, &crate::tokens::Place::Source)
        })?;
        let client = brief(context, self.slug, token, context.repository.master.as_ref())?;
        let (repository, control) = tokio::join!(self.ask(&client, "get_repository", ""), self.control());
        let mut seen = Observation {
            master: self.slug.to_string(),
            control,
            renamed: repository.as_ref().ok().and_then(|answer| renamed(answer, self.slug)),
            repository: reply(client.host(), &repository),
            user: None,
            branch: None,
            heartbeat: None,
            fence: MastersFence::Silent,
            now: repository.as_ref().ok().and_then(host_time).unwrap_or_else(|| context.outside.clock.now()),
        };
        match &seen.repository {
            Reply::Fine => {}
            Reply::Absent(_) => {
                let call = Call::get("get_user", "asking whom the token stands for", "user");
                seen.user = Some(reply(client.host(), &client.ask(&call).await));
                return Ok(seen);
            }
            _ => return Ok(seen),
        }
        let Some(name) = repository.ok().and_then(|answer| text(&answer, "/default_branch")) else { return Ok(seen) };
        let (branch, head) = self.branch(&client, &name).await;
        let readable = branch == Reply::Fine;
        seen.branch = Some((name, branch));
        if readable && self.with_heartbeat {
            seen.heartbeat = self.heartbeat(&client, &head, seen.now).await?;
        }
        if seen.heartbeat.is_some() {
            seen.fence = match self.fence(&client).await {
                Ok(Some((master, epoch))) => MastersFence::Elsewhere(master, epoch),
                Ok(None) => MastersFence::Silent,
                Err(reply) => MastersFence::Unread(reply),
            };
        }
        Ok(seen)
    }

    /// The default branch: where it stands, and whether its commit can be read.
    async fn branch(&self, client: &Client, name: &str) -> (Reply, String) {
        let tip = self.ask(client, "get_ref", &format!("/git/ref/heads/{}", in_url(name))).await;
        let Some(head) = tip.as_ref().ok().and_then(|answer| text(answer, "/object/sha")) else {
            return (reply(client.host(), &tip), String::new());
        };
        let commit = self.ask(client, "get_commit", &format!("/git/commits/{head}")).await;
        (reply(client.host(), &commit), head)
    }

    async fn heartbeat(&self, client: &Client, head: &str, now: Timestamp) -> Result<Option<Heartbeat>> {
        let context = &self.source.context;
        let Some(wanted) = &context.repository.heartbeat else { return Ok(None) };
        let path = in_url(&wanted.path);
        let answer = self.ask(client, "get_contents", &format!("/contents/{path}?ref={head}")).await;
        let found = match (reply(client.host(), &answer), answer) {
            (Reply::Fine, Ok(answer)) => self.file(client, &answer).await,
            (Reply::Absent(_), Ok(answer)) if answer.status.as_u16() == 404 => Found::Nothing,
            (other, _) => Found::Unread(other),
        };
        let seen = context.memory().get(Fact::HeartbeatSeen)?;
        let was_seen = seen.as_deref().is_some_and(|of| of.starts_with(&format!("{} ", self.slug)));
        let mut heartbeat = Heartbeat {
            path: wanted.path.clone(),
            field: wanted.field.clone(),
            max_age: wanted.max_age,
            found,
            was_seen,
            committed: None,
        };
        let beats = matches!(&heartbeat.found, Found::File(text) if super::judge::beat(text, &wanted.field).is_ok());
        if beats {
            let seen = format!("{} {now:.0}", self.slug);
            context.memory().set(Fact::HeartbeatSeen, &seen)?;
        } else if was_seen && !matches!(heartbeat.found, Found::Unread(_)) {
            let rest = format!("/commits?path={path}&sha={head}&per_page=1");
            let commits = self.ask(client, "list_commits", &rest).await.ok();
            let date = commits.and_then(|answer| text(&answer, "/0/commit/committer/date"));
            heartbeat.committed = date.and_then(|date| date.parse().ok());
        }
        Ok(Some(heartbeat))
    }

    /// The bytes of a file that the contents endpoint described.
    async fn file(&self, client: &Client, answer: &Answer) -> Found {
        if text(answer, "/type").as_deref() != Some("file") {
            return Found::Nothing;
        }
        let mut content = text(answer, "/content").unwrap_or_default();
        if text(answer, "/encoding").as_deref() != Some("base64") {
            // Large files come as blobs only.
            let blob = text(answer, "/sha").unwrap_or_default();
            let answer = self.ask(client, "get_blob", &format!("/git/blobs/{blob}")).await;
            match (reply(client.host(), &answer), answer) {
                (Reply::Fine, Ok(answer)) => content = text(&answer, "/content").unwrap_or_default(),
                (other, _) => return Found::Unread(other),
            }
        }
        content.retain(|character| !character.is_ascii_whitespace());
        match STANDARD.decode(content) {
            Ok(bytes) => Found::File(bytes),
            Err(_) => Found::Unread(Reply::Odd("its content is not base64".to_owned())),
        }
    }

    /// Whom the master's own fence names, where that is somebody else who was made master later.
    ///
    /// # Errors
    /// What the host answered instead of the fence. A fence that is not there, or no fence, says nothing.
    async fn fence(&self, client: &Client) -> Result<Option<(String, u64)>, Reply> {
        let read = async |rest: String| {
            let answer = self.ask(client, "get_fence", &rest).await;
            match (reply(client.host(), &answer), answer) {
                (Reply::Fine, Ok(answer)) => Ok(Some(answer)),
                (Reply::Absent(_) | Reply::Empty(_), _) => Ok(None),
                (other, _) => Err(other),
            }
        };
        let Some(tip) = read("/git/ref/standin/fence".to_owned()).await? else { return Ok(None) };
        let Some(commit) = text(&tip, "/object/sha") else { return Ok(None) };
        let Some(commit) = read(format!("/git/commits/{commit}")).await? else { return Ok(None) };
        let Some(tree) = text(&commit, "/tree/sha") else { return Ok(None) };
        let Some(listed) = read(format!("/git/trees/{tree}")).await? else { return Ok(None) };
        let Some(blob) = fence_blob(&listed) else { return Ok(None) };
        let Some(blob) = read(format!("/git/blobs/{blob}")).await? else { return Ok(None) };
        let Some(document) = fence_document(&blob) else { return Ok(None) };
        let is_other = document.master != Site::from(self.slug.to_string());
        Ok((is_other && document.epoch > self.epoch).then_some((document.master.to_string(), document.epoch)))
    }

    /// What the standbys answer: fine where one of them does.
    async fn control(&self) -> Option<Reply> {
        let mut first = None;
        let mirrors = &self.source.context.repository.mirrors;
        for mirror in mirrors.iter().filter(|mirror| mirror.enabled && mirror.slug().is_some()) {
            let Some(slug) = mirror.slug() else { continue };
            let Ok(standby) = self.source.context_by_hand(Arc::new(mirror.clone())).await else { continue };
            let Some(token) = &standby.token else { continue };
            let Ok(client) = brief(&self.source.context, slug, token, Some(&mirror.id)) else { continue };
            let what = format!("reading the repository {slug}");
            let answer = client.ask(&Call::get("get_repository", what, format!("repos/{}", slug.path()))).await;
            let said = reply(client.host(), &answer);
            if said == Reply::Fine {
                return Some(said);
            }
            first = first.or(Some(said));
        }
        first
    }

    async fn ask(&self, client: &Client, name: &'static str, rest: &str) -> Result<Answer> {
        let what = format!("looking at {}", self.slug);
        client.ask(&Call::get(name, what, format!("repos/{}{rest}", self.slug.path()))).await
    }
}

/// A client that does not wait long.
fn brief(context: &SourceContext, slug: &Slug, token: &Token, mirror: Option<&MirrorId>) -> Result<Client> {
    let limits = Limits {
        run: PATIENCE_OF_A_LOOK,
        request: REQUEST.min(context.config.limits.request),
        ..context.config.limits
    };
    let config = Config { limits, ..(*context.config).clone() };
    Client::new(
        &config,
        slug,
        &token.value,
        Memory::new(&context.store, &context.repository.id, mirror, &context.outside.clock),
        context.totals.clone(),
        context.cancel.clone(),
    )
}

/// What an answer of this host, or none, says.
fn reply(host: &str, answer: &Result<Answer>) -> Reply {
    match answer {
        Ok(answer) => {
            let words = format!("HTTP {} {}", answer.status.as_u16(), answer.message());
            match (answer.status.as_u16(), answer.standing(host)) {
                (200..=299, _) => Reply::Fine,
                (401, _) => Reply::Refused(words),
                (_, Some(Standing::Gone)) => Reply::Absent(words),
                (_, Some(Standing::Barred { address, advice })) => {
                    let words = address.map_or(words.clone(), |address| format!("{words}; open {address}"));
                    Reply::Barred { words, advice }
                }
                (409, _) => Reply::Empty(words),
                _ => Reply::Odd(words),
            }
        }
        Err(error) => {
            // Without what was being done, which the verdict says in its own way.
            let words = error.message.split_once(": ").map_or(error.message.as_str(), |(_, words)| words).to_owned();
            match error.code {
                Code::RateLimited => Reply::Limited(words),
                Code::HostFailed => Reply::Ill(words),
                Code::Network | Code::TimedOut => Reply::Silent(words),
                _ => Reply::Odd(words),
            }
        }
    }
}

/// What a repository is called that answered to another name.
fn renamed(answer: &Answer, asked: &Slug) -> Option<String> {
    let name = text(answer, "/full_name")?;
    (answer.status.is_success() && !name.eq_ignore_ascii_case(&asked.path())).then_some(name)
}

/// The blob of the fence's document in a tree.
fn fence_blob(tree: &Answer) -> Option<String> {
    let listed: Value = serde_json::from_slice(&tree.body).ok()?;
    let blob = listed["tree"].as_array()?.iter().find(|entry| entry["path"] == "fence.json")?;
    blob["sha"].as_str().map(str::to_owned)
}

/// The fence in a blob.
fn fence_document(blob: &Answer) -> Option<Document> {
    let mut content = text(blob, "/content")?;
    content.retain(|character| !character.is_ascii_whitespace());
    Document::parse(&STANDARD.decode(content).ok()?).ok()
}

/// A text in an answer's JSON.
fn text(answer: &Answer, pointer: &str) -> Option<String> {
    if !answer.status.is_success() {
        return None;
    }
    let value: Value = serde_json::from_slice(&answer.body).ok()?;
    value.pointer(pointer)?.as_str().map(str::to_owned)
}

/// The host's clock, which all of it goes by.
fn host_time(answer: &Answer) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(answer.header("date")?).ok().map(|time| time.timestamp())
}

#[cfg(test)]
#[path = "look_tests.rs"]
mod tests;
