//! Sending values through gh: many at once where its dotenv form can carry them, else one by one.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use standin_state::model::{Aspect, Slug};

use super::carry::{Carriage, carriage};
use crate::context::MirrorContext;
use crate::gh::{self, Place};
use crate::github::{BURST, Client, told_in};
use crate::redact::Redactor;
use crate::{Code, Error, Result, crash};

/// Secrets in one call of gh, which sends them side by side.
const BATCH: usize = BURST / 2;
/// Calls of gh side by side, for values that travel alone.
const SIDE_BY_SIDE: usize = 4;
/// Time for one secret in a batch, on top of the limit of a request.
const EACH: Duration = Duration::from_secs(1);

/// What became of each secret, as far as gh knows: no entry means that gh said it was done.
#[derive(Default)]
pub(super) struct Sent {
    /// Why not, by name; the outcome is open until it is read back.
    pub doubtful: BTreeMap<String, Error>,
}

/// Sends the secrets of these names.
///
/// # Errors
/// What stops all of it: no gh, no time left, cancelled.
pub(super) async fn send(
    ctx: &MirrorContext,
    slug: &Slug,
    client: &Client,
    secrets: &[(&str, &SecretString)],
) -> Result<Sent> {
    let mut batches: Vec<(Vec<&str>, String)> = Vec::new();
    let mut alone = Vec::new();
    for (name, value) in secrets {
        match carriage(value) {
            Carriage::Alone => alone.push((*name, *value)),
            Carriage::Batch(quoted) => {
                if batches.last().is_none_or(|(names, _)| names.len() >= BATCH) {
                    batches.push(Default::default());
                }
                if let Some((names, text)) = batches.last_mut() {
                    names.push(name);
                    text.push_str(name);
                    text.push('=');
                    text.push_str(quoted.expose_secret());
                    text.push('\n');
                }
            }
        }
    }
    let total = secrets.len() as u64;
    let mut done = 0;
    let mut sent = Sent::default();
    for (names, text) in batches {
        let arguments = ["secret", "set", "-f", "-"];
        let values: Vec<&SecretString> =
            secrets.iter().filter(|(name, _)| names.contains(name)).map(|(_, value)| *value).collect();
        let outcome = call(ctx, slug, client, &values, &arguments, SecretString::from(text)).await?;
        sent.add(&names, outcome);
        done += names.len() as u64;
        ctx.progress(Aspect::Secrets, "setting secrets", done, Some(total));
    }
    let mut calls = Vec::new();
    for (name, value) in alone {
        calls.push(async move {
            let outcome = call(ctx, slug, client, &[value], &["secret", "set", name], value.clone()).await;
            (name, outcome)
        });
    }
    let mut calls = futures_util::stream::iter(calls).buffer_unordered(SIDE_BY_SIDE);
    while let Some((name, outcome)) = calls.next().await {
        sent.add(&[name], outcome?);
        done += 1;
        ctx.progress(Aspect::Secrets, "setting secrets", done, Some(total));
    }
    Ok(sent)
}

impl Sent {
    fn add(&mut self, names: &[&str], outcome: Option<Failed>) {
        let Some(failed) = outcome else { return };
        for name in names {
            self.doubtful.insert((*name).to_owned(), failed.of(name));
        }
    }
}

/// Why a call of gh failed, in gh's words.
struct Failed {
    whole: Error,
    lines: Vec<String>,
}

impl Failed {
    /// The error for one secret: the line that names it, else what gh said of all.
    fn of(&self, name: &str) -> Error {
        let named = self.lines.iter().find(|line| {
            line.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
                .any(|word| word == name)
        });
        match named {
            Some(line) => explain(line),
            None => self.whole.clone(),
        }
    }
}

async fn call(
    ctx: &MirrorContext,
    slug: &Slug,
    client: &Client,
    values: &[&SecretString],
    arguments: &[&str],
    input: SecretString,
) -> Result<Option<Failed>> {
    let Some(token) = &ctx.token else {
        let place = crate::tokens::Place::Mirror(ctx.mirror.id.clone());
        return Err(crate::tokens::missing(&ctx.source.store, ctx.repository(), &place));
    };
    let count = values.len();
    client.pace(count).await?;
    let mut arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    arguments.extend(["--repo".to_owned(), slug.to_string()]);
    let place = Place {
        config: &ctx.source.config,
        host: slug.host.as_deref(),
        token: &token.value,
        own_folder: &ctx.source.folder.join("gh"),
    };
    let each = EACH * u32::try_from(count).unwrap_or(u32::MAX);
    let call = gh::call(&place, arguments, Some(input), ctx.source.config.limits.request + each)?;
    ctx.totals.gh_calls.add(1);
    crash::point("gh.secret_set.before");
    let ran = tokio::select! {
        () = ctx.cancel.cancelled() => Err(Error::new(Code::Cancelled, "stopped while secrets were being set", "Sync again to finish it.")),
        ran = ctx.outside().gh.run(call) => ran,
    };
    crash::point("gh.secret_set.after");
    match ran {
        Ok(output) if output.status == Some(0) => Ok(None),
        Ok(output) => {
            let said = Redactor::of(values.iter().copied().chain([&token.value])).text(&output.stderr);
            let lines: Vec<String> =
                said.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
            let words = lines.first().map_or("gh gave no reason", String::as_str);
            Ok(Some(Failed { whole: explain(words), lines }))
        }
        Err(error) if error.code == Code::TimedOut => Ok(Some(Failed { whole: error, lines: Vec::new() })),
        Err(error) => Err(error),
    }
}

/// An error in gh's words, with a code by the status that they name.
fn explain(words: &str) -> Error {
    // Without the name of the secret, which stands before it.
    let told = words.split_once("HTTP ").map_or("", |(_, told)| told);
    let status = told.get(..3).and_then(|digits| digits.parse::<u16>().ok());
    let message = format!("gh: {words}");
    let limited = words.to_ascii_lowercase().contains("rate limit");
    match status {
        Some(429) => limits(message),
        Some(403) if limited => limits(message),
        Some(401) => Error::new(
            Code::Unauthorized,
            message,
            "The token is not accepted: make a new one and store it with `standin token set MIRROR`.",
        ),
        Some(403) => match told_in(told) {
            Some((code, hint)) => Error::new(code, message, hint),
            None => Error::new(
                Code::Forbidden,
                message,
                "The token needs the right to write secrets of the mirror (Secrets: write, or the scope `repo`).",
            ),
        },
        Some(404) => Error::new(Code::RepositoryNotFound, message, "It does not exist, or the token cannot see it."),
        Some(500..=599) => Error::passing(Code::HostFailed, message, "The host has trouble; sync again later."),
        Some(_) => Error::new(Code::GhFailed, message, "Change what the message names, then sync again."),
        None => Error::passing(Code::GhFailed, message, "Sync again; what had arrived is not sent again."),
    }
}

fn limits(message: String) -> Error {
    Error::passing(Code::RateLimited, message, "The host limits this token's requests: sync again in a minute.")
        .retry_after(Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ghs_words_become_codes() {
        for (words, code, retryable) in [
            ("failed to set secret \"A\": HTTP 502: Server Error (https://h)", Code::HostFailed, true),
            (
                "failed to set secret \"A\": HTTP 403: Resource not accessible by personal access token",
                Code::Forbidden,
                false,
            ),
            (
                "failed to set secret \"A\": HTTP 403: You have exceeded a secondary rate limit.",
                Code::RateLimited,
                true,
            ),
            (
                "failed to fetch public key: HTTP 403: Resource protected by organization SAML enforcement.",
                Code::TokenBarred,
                false,
            ),
            ("failed to fetch public key: HTTP 401: Bad credentials", Code::Unauthorized, false),
            ("failed to set secret \"A\": EOF", Code::GhFailed, true),
        ] {
            let error = explain(words);
            assert_eq!((error.code, error.retryable), (code, retryable), "{words}");
        }
    }

    #[test]
    fn each_secret_gets_the_line_that_names_it() {
        let lines = ["failed to set secret \"A\": HTTP 502", "failed to set secret \"AB\": HTTP 422: no"]
            .map(str::to_owned)
            .to_vec();
        let failed = Failed { whole: explain(&lines[0]), lines };
        assert!(failed.of("AB").message.contains("422"));
        assert!(failed.of("C").message.contains("502"));
    }
}
