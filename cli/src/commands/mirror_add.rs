//! `mirror add`: what is to be kept where, written, with its repository made and its token kept where that is wished.

use std::collections::BTreeMap;

use standin_core::engine::{Engine, SetUp, SetUpRequest, TypedTokens, Where};
use standin_core::setup::{Draft, MirrorChange};
use standin_core::state::config::edit::{Given, MirrorKey, Setting};
use standin_core::state::model::{MirrorType, Slug};
use standin_core::tokens::Place;
use standin_core::{Code, Error, Result};

use super::mirror_edit::{Answer, request, say, settings, told};
use super::{looking_engine, typed};
use crate::arguments::{Global, MirrorAddArguments};
use crate::output::{self, Exit, ask, lines, mirrors};

/// `standin mirror add`
pub async fn add(global: &Global, arguments: &MirrorAddArguments) -> Result<Exit> {
    let engine = looking_engine(global)?;
    let wanted = wanted(global, arguments)?;
    let mut said = settings(&arguments.said);
    if let Some(place) = wanted.place() {
        said.insert(0, place);
    }
    let change = MirrorChange::Add {
        source: arguments.source.clone(),
        clone: arguments.clone.clone(),
        mirror: arguments.id.clone(),
        kind: wanted.kind(),
        settings: said,
    };
    let draft = engine.mirror_draft(&request(global, arguments.writing, change))?;
    let answer = say(&draft, arguments.writing, global.json, wanted.question(arguments.create))?;
    if answer != Answer::Yes {
        return told(&draft, answer, global.json, "wrote", &[]);
    }
    // Before anything is done: a token that was mistyped stops all of it.
    let token = match arguments.token_stdin {
        true => Some(typed::secret(&format!("token of {}", place_of(&draft)))?),
        false => None,
    };
    let tokens = TypedTokens { source: None, mirror: token };
    let values = BTreeMap::new();
    let (create, keep) = (arguments.create, Where::Keychain);
    let done = engine.set_up(SetUpRequest { draft: &draft, create, tokens: &tokens, values: &values, keep }).await?;
    finish(&engine, global, &draft, &done, tokens.mirror.is_some())
}

/// Says what was done, and what comes next.
fn finish(engine: &Engine, global: &Global, draft: &Draft, done: &SetUp, has_token: bool) -> Result<Exit> {
    let trouble = done.troubles.first();
    let next = next(engine, draft, has_token && trouble.is_none())?;
    if global.json {
        output::json(&serde_json::json!({
            "draft": draft,
            "written": true,
            "created": done.created,
            "token_stored": has_token.then_some(trouble.is_none()),
            "error": trouble,
            "next": next,
        }));
    } else {
        if let Some(created) = &done.created {
            mirrors::created(created).iter().for_each(|line| lines::print(line));
        }
        told(draft, Answer::Yes, false, "wrote", &next)?;
        if let Some(error) = trouble {
            output::error(&error.clone().during("the mirror is written"), false);
        } else if has_token {
            lines::print(&format!("stored the token of {} in the keychain", place_of(draft)));
        }
    }
    Ok(trouble.map_or(Exit::Well, Exit::of_error))
}

/// What is to be kept.
enum Wanted {
    GitHub(Slug),
    Git(String),
    /// Of the source, where no upstream is named.
    Pull(Option<String>),
}

impl Wanted {
    fn kind(&self) -> MirrorType {
        match self {
            Self::GitHub(_) => MirrorType::GitHub,
            Self::Git(_) => MirrorType::Git,
            Self::Pull(_) => MirrorType::Pull,
        }
    }

    fn place(&self) -> Option<Setting<MirrorKey>> {
        match self {
            Self::GitHub(slug) => Some(Setting { key: MirrorKey::Repo, value: Given::Text(slug.to_string()) }),
            Self::Git(url) => Some(Setting { key: MirrorKey::Url, value: Given::from(&**url) }),
            Self::Pull(url) => url.as_ref().map(|url| Setting { key: MirrorKey::Url, value: Given::from(&**url) }),
        }
    }

    fn question(&self, create: bool) -> &'static str {
        match self {
            Self::GitHub(_) if create => "Make the repository where it is missing, and write it?",
            Self::GitHub(_) | Self::Git(_) | Self::Pull(_) => "Write it?",
        }
    }
}

fn wanted(global: &Global, arguments: &MirrorAddArguments) -> Result<Wanted> {
    if let Some(slug) = &arguments.github {
        return Ok(Wanted::GitHub(slug.clone()));
    }
    if let Some(url) = &arguments.git {
        return Ok(Wanted::Git(url.clone()));
    }
    if let Some(url) = &arguments.pull {
        return Ok(Wanted::Pull(Some(url.clone()).filter(|url| !url.is_empty())));
    }
    if arguments.token_stdin || arguments.writing.yes || !ask::can_ask(&std::io::stdout(), global.json) {
        return Err(Error::new(
            Code::Usage,
            "nothing says what the mirror is",
            "Name it: `--github owner/name` is a standby, `--git URL` an archive, `--pull` a copy here.",
        ));
    }
    asked()
}

fn asked() -> Result<Wanted> {
    let otherwise = "Name it: `--github owner/name`, `--git URL` or `--pull`.";
    let question = |text: &str| ask::text(std::io::stdout(), text, otherwise);
    lines::print("What shall it be?");
    lines::print("  1  a standby on GitHub that can take over: code, secrets, variables, workflows");
    lines::print("  2  an archive at any git URL or in a folder: code alone");
    lines::print("  3  a copy of an upstream, in a folder here");
    match question("1, 2 or 3:")?.as_str() {
        "1" => question("Which repository, as owner/name (of another account than the source's):")?
            .parse()
            .map(Wanted::GitHub)
            .map_err(|error| Error::new(Code::Usage, format!("{error}"), otherwise)),
        "2" => Ok(Wanted::Git(question("Which URL or folder:")?)),
        "3" => Ok(Wanted::Pull(
            Some(question("Which upstream (nothing for the source itself):")?).filter(|url| !url.is_empty()),
        )),
        other => Err(Error::new(Code::Usage, format!("`{other}` is none of the three"), otherwise)),
    }
}

fn place_of(draft: &Draft) -> Place {
    draft.mirror.clone().map_or(Place::Source, Place::Mirror)
}

/// The commands that come next.
fn next(engine: &Engine, draft: &Draft, has_token: bool) -> Result<Vec<String>> {
    let Some(mirror) = &draft.mirror else { return Ok(Vec::new()) };
    let known = engine.configured(Some(&draft.repository))?;
    let of = match engine.config().at_hand.as_ref() == Some(&draft.repository) {
        true => String::new(),
        false => format!(" --repository {}", draft.repository),
    };
    let mut next = Vec::new();
    if known.consent.question().is_some() {
        next.push(format!("standin allow{of}"));
    }
    let needs_token = known.mirror(mirror).is_some_and(|known| known.slug().is_some() && known.token.is_none());
    if needs_token && !has_token {
        next.push(format!("standin token set {mirror}{of}"));
    }
    next.push(format!("standin mirror test {mirror}{of}"));
    next.push(format!("standin sync --mirror {mirror}{of}"));
    Ok(next)
}
