//! Bringing the sentinel to the master, and its two secrets to a standby.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use standin_state::model::{MirrorId, Slug};
use ts_rs::TS;

use super::read::{self, path};
use super::{FileState, PATH, Rendered, SECRETS, compare};
use crate::context::{MirrorContext, SourceContext};
use crate::event::Notice;
use crate::github::{Call, Client, in_url};
use crate::memory::Memory;
use crate::mirror::contact;
use crate::secrets;
use crate::{Code, Error, Result};

/// The branch that a pull request is made from.
const BRANCH: &str = "standin/sentinel";

/// How often a new workflow is looked for before it is left to a later look; the host lists it after a moment.
const LOOKS: u32 = 4;

/// How an installation is to be done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// By a pull request, also where the branch would take a commit.
    pub pull_request: bool,
    /// Also over a file that Standin did not render, or that was changed since.
    pub replace: bool,
}

/// What an installation did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Installed {
    /// The repository, as it is shown.
    pub repo: String,
    /// The file.
    pub path: String,
    /// How the file came there.
    pub written: Written,
    /// Address of the pull request, where there is one.
    pub pull_request: Option<String>,
    /// When the sentinel runs, as cron says it.
    pub cron: String,
    /// What to know, and what is left to do.
    pub notices: Vec<Notice>,
}

/// How the file came to the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Written {
    /// It was there already.
    Already,
    /// By a commit on the default branch.
    Committed,
    /// By a pull request that waits to be merged.
    PullRequest,
}

/// Tokens for the sentinel of one standby; those not given stay as they are.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// For the standby itself: contents, variables and actions, to read and write.
    pub standin: Option<SecretString>,
    /// For the master: contents, to read.
    pub master: Option<SecretString>,
}

/// Which secrets were set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SecretsSet {
    /// The standby.
    pub mirror: MirrorId,
    /// Its repository, as it is shown.
    pub repo: String,
    /// Names of the secrets.
    pub names: Vec<String>,
}

/// Brings the file to the master: by a commit on its default branch, or by a pull request where that is asked for or
/// the branch takes nothing else. On the master the sentinel is switched off.
///
/// # Errors
/// [`Code::GuardHeld`] for a file that is not Standin's own, unless it may be replaced; [`Code::Forbidden`] for a token that
/// may not write workflow files; what the host answers.
pub async fn install(client: &Client, rendered: &Rendered, request: Request) -> Result<Installed> {
    let slug = &rendered.master;
    let info = client.repository(slug).await?;
    if info.archived {
        return Err(Error::new(
            Code::Forbidden,
            format!("{slug} is archived: no sentinel can be committed to it"),
            "Unarchive it in the settings of the repository.",
        ));
    }
    let branch = &info.default_branch;
    let there = read::file(client, slug, branch, PATH).await?;
    let state = there.as_ref().map_or(FileState::Missing, |file| compare(&file.text, rendered));
    let mut installed = Installed {
        repo: slug.to_string(),
        path: PATH.to_owned(),
        written: Written::Already,
        pull_request: None,
        cron: rendered.cron.clone(),
        notices: Vec::new(),
    };
    if matches!(state, FileState::Edited | FileState::Foreign) && !request.replace {
        let what = if state == FileState::Edited { "was changed by hand" } else { "is not Standin's" };
        return Err(Error::new(
            Code::GuardHeld,
            format!("{PATH} of {slug} {what}"),
            "`standin sentinel install --yes` replaces it; the old one stays in the history of the repository.",
        ));
    }
    if state != FileState::Current {
        let sha = there.as_ref().map(|file| file.sha.as_str());
        let refused = if request.pull_request { None } else { commit(client, rendered, branch, sha).await? };
        if let Some(words) = &refused {
            installed.notices.push(Notice {
                message: format!("{branch} of {slug} takes no direct commit, so a pull request was made ({words})"),
                hint: String::new(),
            });
        }
        if request.pull_request || refused.is_some() {
            installed.pull_request = Some(propose(client, rendered, branch).await?);
        }
        installed.written = if installed.pull_request.is_some() { Written::PullRequest } else { Written::Committed };
    }
    if installed.written == Written::PullRequest {
        installed.notices.push(Notice {
            message: "the sentinel watches nothing before the pull request is merged and mirrored".to_owned(),
            hint: "Merge it, then run `standin sentinel install` again, which switches it off on the master, and `standin sync`."
                .to_owned(),
        });
    } else if let Err(error) = switch_off(client, slug).await {
        installed.notices.push(Notice {
            message: format!(
                "the sentinel could not be switched off on {slug}, where it has nothing to do: {}",
                error.message
            ),
            hint: error.advice(),
        });
    }
    Ok(installed)
}

/// Commits the file; `Some` with the host's words where the branch takes changes by pull request alone.
async fn commit(client: &Client, rendered: &Rendered, branch: &str, sha: Option<&str>) -> Result<Option<String>> {
    let slug = &rendered.master;
    let verb = if sha.is_some() { "Update" } else { "Add" };
    let mut body = json!({
        "message": format!("{verb} the sentinel\n\nIt watches {slug} from its standbys. Rendered by Standin."),
        "content": STANDARD.encode(&rendered.text),
        "branch": branch,
    });
    if let Some(sha) = sha {
        body["sha"] = Value::from(sha);
    }
    let call = Call::write(
        "put_contents",
        format!("committing {PATH} to {slug}"),
        Method::PUT,
        path(slug, &format!("contents/{PATH}")),
        Some(body),
    );
    let arrived = || -> futures_util::future::BoxFuture<'_, Result<bool>> {
        Box::pin(async {
            let there = read::file(client, slug, branch, PATH).await?;
            Ok(there.is_some_and(|file| file.text == rendered.text))
        })
    };
    match client.write(&call, arrived).await {
        Ok(_) => Ok(None),
        Err(error) if is_protected(&error) => Ok(Some(error.message)),
        // The host hides the endpoint from tokens that may not write workflow files.
        Err(error) if matches!(error.code, Code::RepositoryNotFound | Code::Forbidden) => Err(Error::new(
            Code::Forbidden,
            error.message,
            format!(
                "The source's token needs the scope `workflow` (fine-grained: Contents and Workflows, to write) on {slug}. \
                 Or commit it yourself: `standin sentinel render`."
            ),
        )),
        Err(error) => Err(error),
    }
}

/// Whether the host says that a branch takes changes by pull request alone.
fn is_protected(error: &Error) -> bool {
    let words = error.message.to_lowercase();
    !error.retryable
        && ["pull request", "protected branch", "rule violation"].iter().any(|phrase| words.contains(phrase))
}

/// Makes a pull request with the file, or brings the open one up to date. Gives its address.
async fn propose(client: &Client, rendered: &Rendered, base: &str) -> Result<String> {
    let slug = &rendered.master;
    let what = format!("making the branch {BRANCH} in {slug}");
    let head = client
        .get(&Call::get("get_ref", &what, path(slug, &format!("git/ref/heads/{}", in_url(base)))))
        .await?
        .json::<Value>(&what)?;
    let own = path(slug, &format!("git/ref/heads/{BRANCH}"));
    let exists = || async {
        match client.get(&Call::get("get_ref", &what, own.as_str())).await {
            Ok(_) => Ok(true),
            Err(error) if error.code == Code::RepositoryNotFound => Ok(false),
            Err(error) => Err(error),
        }
    };
    if !exists().await? {
        let body = json!({ "ref": format!("refs/heads/{BRANCH}"), "sha": head["object"]["sha"] });
        let call = Call::write("post_ref", what.as_str(), Method::POST, path(slug, "git/refs"), Some(body));
        client.write(&call, || Box::pin(exists())).await?;
    }
    let there = read::file(client, slug, BRANCH, PATH).await?;
    if there.as_ref().is_none_or(|file| file.text != rendered.text)
        && let Some(refused) = commit(client, rendered, BRANCH, there.as_ref().map(|file| file.sha.as_str())).await?
    {
        return Err(Error::new(
            Code::RefRefused,
            format!("{slug} takes no commit on the branch {BRANCH} either: {refused}"),
            "Commit the file yourself: `standin sentinel render`.",
        ));
    }
    if let Some(url) = open_pull(client, slug).await? {
        return Ok(url);
    }
    let what = format!("opening a pull request in {slug}");
    let body = json!({
        "title": "Add the sentinel",
        "head": BRANCH,
        "base": base,
        "body": format!(
            "This workflow watches {slug} from its standbys and lets one of them take over when {slug} cannot be used any more. \
             It does nothing on {slug} itself. `standin sentinel render` prints the same file."
        ),
    });
    let call = Call::write("post_pull", what.as_str(), Method::POST, path(slug, "pulls"), Some(body));
    client.write(&call, || Box::pin(async { Ok(open_pull(client, slug).await?.is_some()) })).await?;
    open_pull(client, slug).await?.ok_or_else(|| {
        Error::passing(
            Code::UnexpectedAnswer,
            format!("{what}: it is not listed"),
            "Look at the pull requests of the repository.",
        )
    })
}

async fn open_pull(client: &Client, slug: &Slug) -> Result<Option<String>> {
    #[derive(Deserialize)]
    struct Pull {
        html_url: String,
        head: Head,
    }
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "ref")]
        name: String,
    }
    let what = format!("reading the pull requests of {slug}");
    let list = path(slug, &format!("pulls?state=open&head={}:{}&per_page=100", slug.owner, in_url(BRANCH)));
    let pulls: Vec<Pull> = client.list(&Call::get("list_pulls", what, list)).await?;
    Ok(pulls.into_iter().find(|pull| pull.head.name == BRANCH).map(|pull| pull.html_url))
}

/// Switches the sentinel off, once the host lists it.
async fn switch_off(client: &Client, slug: &Slug) -> Result<()> {
    for look in 1..=LOOKS {
        if let Some(workflow) = read::workflow(client, slug).await? {
            if workflow.state.is_active() {
                client.disable_workflow(slug, &workflow).await?;
            }
            return Ok(());
        }
        if look < LOOKS {
            tokio::time::sleep(Duration::from_millis(500) * look).await;
        }
    }
    Err(Error::passing(
        Code::UnexpectedAnswer,
        format!("{slug} does not list it yet"),
        "Run `standin sentinel install` again in a minute. Where `MIRROR_ROLE` is `MASTER`, it does nothing anyway.",
    ))
}

impl Tokens {
    /// Reads lines such as `STANDIN_TOKEN=…` and `MASTER_TOKEN=…`.
    ///
    /// # Errors
    /// [`Code::Usage`] for other lines, for none, and for what cannot be a token.
    pub fn parse(text: &SecretString) -> Result<Self> {
        let usage = |message: String| {
            Error::new(
                Code::Usage,
                message,
                "Give lines `STANDIN_TOKEN=…` and `MASTER_TOKEN=…`, or one of them, on standard input.",
            )
        };
        let mut tokens = Self::default();
        let lines = text.expose_secret().lines().enumerate();
        for (number, line) in lines.map(|(at, line)| (at + 1, line.trim())).filter(|(_, line)| !line.is_empty()) {
            let (name, value) = line.split_once('=').unwrap_or(("", ""));
            let slot = match name.trim() {
                "STANDIN_TOKEN" => &mut tokens.standin,
                "MASTER_TOKEN" => &mut tokens.master,
                _ => return Err(usage(format!("line {number} is no token of the sentinel"))),
            };
            let value = value.trim();
            let is_token = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\'');
            if !is_token {
                return Err(usage(format!("line {number}: that cannot be a token")));
            }
            *slot = Some(SecretString::from(value));
        }
        if tokens.named().is_empty() {
            return Err(usage("no token was given".to_owned()));
        }
        Ok(tokens)
    }

    fn named(&self) -> Vec<(&'static str, &SecretString)> {
        let [standin, master] = SECRETS;
        [(standin, &self.standin), (master, &self.master)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)))
            .collect()
    }
}

/// Proves each token by what the sentinel reads with it, then sets it as secret of the standby.
///
/// # Errors
/// [`Code::GuardHeld`] where the standby may be a stranger's; [`Code::Forbidden`] and the like for a token that cannot read what it must: then nothing was set; what gh and the host
/// report.
pub async fn set_secrets(ctx: &MirrorContext, rendered: &Rendered, tokens: &Tokens) -> Result<SecretsSet> {
    let (slug, client) = ctx.github()?;
    contact::look_and_refuse(ctx).await?;
    let (source, [standin, master]) = (&ctx.source, SECRETS);
    if let Some(token) = &tokens.standin {
        let client = self::client(source, Some(&ctx.mirror.id), slug, token)?;
        let read = async {
            let info = client.repository(slug).await?;
            client.variables(slug).await?;
            client.workflows(slug).await?;
            Ok(info.permissions.push)
        };
        if !read.await.map_err(|error: Error| unfit(standin, slug, error))? {
            let error = Error::new(Code::Forbidden, "its account may not push there", "");
            return Err(unfit(standin, slug, error));
        }
    }
    if let Some(token) = &tokens.master {
        let watched = &rendered.master;
        let read = async {
            let client = self::client(source, None, watched, token)?;
            let branch = client.repository(watched).await?.default_branch;
            let head = path(watched, &format!("git/ref/heads/{}", in_url(&branch)));
            client.get(&Call::get("get_ref", format!("reading {branch} of {watched}"), head)).await.map(drop)
        };
        read.await.map_err(|error| unfit(master, watched, error))?;
    }
    let named = tokens.named();
    let doubtful: BTreeMap<String, Error> = secrets::set(ctx, slug, client, &named).await?;
    if let Some((name, error)) = doubtful.into_iter().next() {
        return Err(error.during(format!("setting {name} of {slug}")));
    }
    Ok(SecretsSet {
        mirror: ctx.mirror.id.clone(),
        repo: slug.to_string(),
        names: named.into_iter().map(|(name, _)| name.to_owned()).collect(),
    })
}

/// The error for a token that cannot do what the sentinel does with it.
fn unfit(name: &str, slug: &Slug, error: Error) -> Error {
    let hint = match name {
        "STANDIN_TOKEN" => {
            "Make it with an account that may push there: Contents, Variables and Actions, to read and write \
             (classic: the scope `repo`)."
        }
        _ => "Make it with an account that sees the master: Contents, to read (classic: the scope `repo`).",
    };
    // What the host said of a policy or a block is no matter of how the token was made.
    let is_told = matches!(error.code, Code::TokenBarred | Code::RepositoryBlocked);
    let hint = if error.retryable || is_told { error.advice() } else { hint.to_owned() };
    // It is a token of the sentinel that is to be made, not the one that is kept of that place.
    Error { hint, action: None, ..error.during(format!("{name} for {slug} does not do; nothing was set")) }
}

/// A client with a token that somebody just gave.
fn client(source: &SourceContext, mirror: Option<&MirrorId>, slug: &Slug, token: &SecretString) -> Result<Client> {
    Client::new(
        &source.config,
        slug,
        token,
        Memory::new(&source.store, &source.repository.id, mirror, &source.outside.clock),
        source.totals.clone(),
        source.cancel.clone(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_by_their_names_and_told_to_nobody() {
        let tokens =
            Tokens::parse(&SecretString::from("\nMASTER_TOKEN = ghp_m \nSTANDIN_TOKEN=github_pat_s\r\n")).unwrap();
        let named: Vec<(&str, &str)> =
            tokens.named().into_iter().map(|(name, value)| (name, value.expose_secret())).collect();
        assert_eq!(named, [("STANDIN_TOKEN", "github_pat_s"), ("MASTER_TOKEN", "ghp_m")]);
        assert!(!format!("{tokens:?}").contains("ghp_m"));
        for bad in [
            "",
            "ghp_CANARY",
            "GITHUB_TOKEN=ghp_CANARY",
            "MASTER_TOKEN=",
            "MASTER_TOKEN=CANARY x",
            "MASTER_TOKEN='CANARY'",
        ] {
            let error = Tokens::parse(&SecretString::from(bad)).unwrap_err();
            assert_eq!(error.code, Code::Usage, "{bad}");
            assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
        }
    }

    #[test]
    fn a_protected_branch_is_known_by_the_hosts_words() {
        let refused = |words: &str| is_protected(&Error::new(Code::UnexpectedAnswer, words, ""));
        assert!(refused("committing: Changes must be made through a pull request. (409)"));
        assert!(refused("committing: Repository rule violations found (422)"));
        assert!(!refused("committing: sentinel.yml does not match 1234 (409)"));
    }
}
