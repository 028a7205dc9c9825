//! Who is told of what changed: `[[notify]]`, `[quiet_hours]` and `[schedule] ping_url`.
//!
//! In `standin.toml` alone. A clone's `.env` may be somebody else's, who must not choose where word goes or what runs; and a
//! variable of the process has no say either, so that one place says all of it. Tokens never stand in the file: it names the
//! variable that holds one (`token_env`), or the keychain has it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::file::{Fields, TokenHints, parse_id};
use super::mistakes::{Complaint, Mistakes, did_you_mean, list, shown};
use super::values;
use super::web::{Plain, WebAddress};
use crate::model::{NotifyEvent, NotifyKind, NotifyName};

/// The name under which trouble with `[schedule] ping_url` is kept.
pub const PING: &str = "ping_url";

const HINTS: TokenHints = TokenHints {
    keys: &["token", "password", "secret", "secret_value", "key"],
    of_key: "Remove the line and run `standin notify token NAME`, or name the variable that holds it with `token_env`. Where the \
             file was shared, revoke the token.",
    of_value: "Remove it and run `standin notify token NAME`, or name the variable that holds it with `token_env`. Where the file \
               was shared, revoke the token.",
};

/// Variables that hold tokens of GitHub: word of something is no use of theirs.
const OF_GITHUB: [&str; 6] =
    ["GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "MASTER_TOKEN", "STANDIN_TOKEN"];

/// Who is told of what changed, and when not.
#[derive(Clone, Debug)]
pub struct Notify {
    /// Where word is sent, in the order of the file.
    pub targets: Vec<NotifyTarget>,
    /// What the window's program shows as notifications (`[desktop] notify`): all but that something is well again, where
    /// nothing is said.
    pub desktop: BTreeSet<NotifyEvent>,
    /// When only a master that is down is told.
    pub quiet_hours: Option<QuietHours>,
    /// Asked after each round in which all is in step, so that somebody else notices when Standin itself has stopped.
    pub ping: Option<WebAddress>,
}

impl Default for Notify {
    fn default() -> Self {
        let desktop = NotifyEvent::ALL.iter().copied().filter(|event| *event != NotifyEvent::Mended).collect();
        Self { targets: Vec::new(), desktop, quiet_hours: None, ping: None }
    }
}

/// A place that word is sent to.
#[derive(Clone, Debug)]
pub struct NotifyTarget {
    /// The user's name of it; its type, where none is given.
    pub name: NotifyName,
    /// How word gets there.
    pub means: NotifyMeans,
    /// What it is told of.
    pub on: BTreeSet<NotifyEvent>,
    /// The variable of the process that holds its token: the access token of an ntfy server, the secret of a webhook.
    pub token_env: Option<String>,
}

/// How word gets to a place, with what only that way has.
#[derive(Clone, Debug)]
pub enum NotifyMeans {
    /// A topic of an ntfy server.
    Ntfy(WebAddress),
    /// An address that takes JSON.
    Webhook(WebAddress),
    /// A program that reads JSON.
    Command(NotifyCommand),
}

/// A program and its arguments, run without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyCommand {
    /// A name to be found on `PATH`, or a whole path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// The hours of the day in which only a master that is down is told.
#[derive(Clone, Debug)]
pub struct QuietHours {
    /// When they begin.
    pub from: Time,
    /// When they end: on the next day, where that is earlier.
    pub to: Time,
    /// By whose clock; `None` is the operating system's.
    pub time_zone: Option<TimeZone>,
}

impl NotifyTarget {
    /// The way in a word.
    pub fn kind(&self) -> NotifyKind {
        match &self.means {
            NotifyMeans::Ntfy(_) => NotifyKind::Ntfy,
            NotifyMeans::Webhook(_) => NotifyKind::Webhook,
            NotifyMeans::Command(_) => NotifyKind::Command,
        }
    }

    /// The address, where it has one.
    pub fn address(&self) -> Option<&WebAddress> {
        match &self.means {
            NotifyMeans::Ntfy(address) | NotifyMeans::Webhook(address) => Some(address),
            NotifyMeans::Command(_) => None,
        }
    }

    /// Where word goes, as it may be shown: the host, or the program without its arguments.
    pub fn display(&self) -> String {
        match &self.means {
            NotifyMeans::Ntfy(address) | NotifyMeans::Webhook(address) => address.to_string(),
            NotifyMeans::Command(command) => command.program.display().to_string(),
        }
    }
}

/// What paths in the file are relative to.
pub(super) struct Places<'a> {
    pub folder: &'a Path,
    pub home: Option<&'a Path>,
}

/// `[schedule] ping_url`.
pub(super) fn ping_address(text: &str) -> Result<WebAddress, Complaint> {
    WebAddress::read(text, Plain::Loopback)
}

/// One `[[notify]]`; `None` once what is wrong with it was noted.
pub(super) fn target(fields: Fields, places: &Places<'_>, mistakes: &mut Mistakes) -> Option<NotifyTarget> {
    let errors_before = mistakes.errors.len();
    let mut fields = fields.with_hints(&HINTS);
    let kind = fields.text("type", mistakes, kind);
    require(&fields, "type", kind.is_some(), "Write `type = \"ntfy\"`, `\"webhook\"` or `\"command\"`.", mistakes);
    let name = fields.text("name", mistakes, name).map(|given| given.value);
    let on = fields.words("on", mistakes).map_or_else(all_events, |given| events(&given.value, &given.place, mistakes));
    let insecure = fields.yes_or_no("insecure", mistakes);
    let plain = if insecure.as_ref().is_some_and(|given| given.value) { Plain::Anywhere } else { Plain::Loopback };
    let url = fields.text("url", mistakes, |text| address(text, plain));
    let command = fields.words("command", mistakes);
    let token_env = fields.text("token_env", mistakes, variable);
    let kind = kind.map(|given| given.value);
    let means = kind.and_then(|kind| match kind {
        NotifyKind::Ntfy | NotifyKind::Webhook => {
            let hint = format!("`command` is for `type = \"command\"`; `{kind}` has `url`.");
            refuse(command.as_ref().map(|given| &given.place), &hint, mistakes);
            require(
                &fields,
                "url",
                url.is_some(),
                "Write the address, such as `url = \"https://host/path\"`.",
                mistakes,
            );
            let place = url.as_ref().map(|given| given.place.clone()).unwrap_or_default();
            let address = url.as_ref()?.value.clone();
            match kind {
                NotifyKind::Ntfy => mistakes.take(&place, topic(&address)).map(|()| NotifyMeans::Ntfy(address)),
                _ => Some(NotifyMeans::Webhook(address)),
            }
        }
        NotifyKind::Command => {
            let hint = "A `command` has no address and is given no token: its program looks after that.";
            refuse(url.as_ref().map(|given| &given.place), hint, mistakes);
            refuse(insecure.as_ref().map(|given| &given.place), hint, mistakes);
            refuse(token_env.as_ref().map(|given| &given.place), hint, mistakes);
            let wanted = "Write `command = [\"program\", \"argument\"]`; it is run without a shell.";
            require(&fields, "command", command.is_some(), wanted, mistakes);
            let given = command.as_ref()?;
            mistakes.take(&given.place, program(&given.value, places)).map(NotifyMeans::Command)
        }
    });
    if let (Some(NotifyMeans::Ntfy(address)), Some(token)) = (&means, &token_env)
        && address.is_clear()
    {
        mistakes.add(&token.place, in_the_clear(address));
    }
    fields.finish(mistakes);
    if mistakes.errors.len() > errors_before {
        return None;
    }
    let kind = kind?;
    let usual: Option<NotifyName> = kind.as_str().parse().ok();
    Some(NotifyTarget { name: name.or(usual)?, means: means?, on, token_env: token_env.map(|given| given.value) })
}

/// Two places under one name would share a token, and what waits for them.
pub(super) fn refuse_same_names(file: &str, targets: &[NotifyTarget], mistakes: &mut Mistakes) {
    for (position, target) in targets.iter().enumerate() {
        let name = target.name.as_str();
        if targets[..position].iter().any(|before| before.name.as_str().eq_ignore_ascii_case(name)) {
            mistakes.add(
                format!("{file}, [[notify]] {name}: `name`"),
                Complaint::new(
                    format!("two of them are called `{name}`"),
                    "Give each a name of its own, such as `name = \"phone\"`; without one it is called by its type.",
                ),
            );
        }
    }
}

/// `[desktop]`: what is shown as notifications; `None` where nothing is said of it.
pub(super) fn desktop(mut fields: Fields, mistakes: &mut Mistakes) -> Option<BTreeSet<NotifyEvent>> {
    let notify = fields.words("notify", mistakes).map(|given| match given.value.is_empty() {
        true => BTreeSet::new(),
        false => events(&given.value, &given.place, mistakes),
    });
    fields.finish(mistakes);
    notify
}

/// `[quiet_hours]`; `None` once what is wrong with it was noted.
pub(super) fn quiet_hours(mut fields: Fields, mistakes: &mut Mistakes) -> Option<QuietHours> {
    let from = fields.text("from", mistakes, time_of_day);
    let to = fields.text("to", mistakes, time_of_day);
    let time_zone = fields.text("time_zone", mistakes, |text| {
        TimeZone::get(text).map_err(|_| {
            Complaint::new(
                format!("{} is no time zone that this machine knows", shown(text)),
                "Write it as in `Europe/Berlin`, or leave it out for the time zone of this machine.",
            )
        })
    });
    require(&fields, "from", from.is_some(), "Write when they begin, such as `from = \"22:00\"`.", mistakes);
    require(&fields, "to", to.is_some(), "Write when they end, such as `to = \"07:00\"`.", mistakes);
    let same = from.as_ref().zip(to.as_ref()).filter(|(from, to)| from.value == to.value);
    if let Some((_, to)) = &same {
        let hint = "Write another time; to be told of nothing but a master that is down, use `on = [\"master_down\"]`.";
        mistakes.add(&to.place, Complaint::new("they end when they begin", hint));
    }
    let is_same = same.is_some();
    fields.finish(mistakes);
    let hours = QuietHours { from: from?.value, to: to?.value, time_zone: time_zone.map(|given| given.value) };
    (!is_same).then_some(hours)
}

/// That a token would be sent over the network in the clear.
fn in_the_clear(address: &WebAddress) -> Complaint {
    Complaint::new(
        format!("the token would go to {address} over the network in the clear"),
        "Write `https://`, or take the token out: with `insecure = true` only messages are sent, never a token.",
    )
}

fn kind(text: &str) -> Result<NotifyKind, Complaint> {
    let known: Vec<&str> = NotifyKind::ALL.iter().map(|kind| kind.as_str()).collect();
    text.parse().map_err(|_| {
        let hint = format!("{}Known are {}.", did_you_mean(text, "", &known), list(&known));
        Complaint::new(format!("{} is no way to send word", shown(text)), hint)
    })
}

fn name(text: &str) -> Result<NotifyName, Complaint> {
    if text.eq_ignore_ascii_case(PING) {
        let hint = "Give it another name: under this one, trouble with `[schedule] ping_url` is told.";
        return Err(Complaint::new(format!("`{PING}` cannot be used as a name"), hint));
    }
    parse_id(text)
}

fn all_events() -> BTreeSet<NotifyEvent> {
    NotifyEvent::ALL.iter().copied().collect()
}

fn events(words: &[String], place: &str, mistakes: &mut Mistakes) -> BTreeSet<NotifyEvent> {
    let known: Vec<&str> = NotifyEvent::ALL.iter().map(|event| event.as_str()).collect();
    if words.is_empty() {
        let hint = format!("Name what it is told of, or leave `on` out for all of it: {}.", list(&known));
        mistakes.add(place, Complaint::new("it would be told of nothing", hint));
    }
    let read = |word: &String| {
        word.parse().map_err(|_| {
            let hint = format!("{}Known are {}.", did_you_mean(word, "", &known), list(&known));
            Complaint::new(format!("{} is nothing that word is sent of", shown(word)), hint)
        })
    };
    words.iter().filter_map(|word| mistakes.take(place, read(word))).collect()
}

/// In the clear only where that was said, since `insecure` alone is its mend.
fn address(text: &str, plain: Plain) -> Result<WebAddress, Complaint> {
    let read = WebAddress::read(text, Plain::Anywhere)?;
    if read.is_clear() && plain == Plain::Loopback {
        return Err(Complaint::new(
            format!(
                "{read} would be told over the network in the clear, and whoever is on the way could tell lies in its name"
            ),
            "Write `https://`. For a server in your own network that has no other, say `insecure = true` beside it; no token is \
             sent there.",
        ));
    }
    Ok(read)
}

/// An ntfy server takes messages at the address of a topic.
fn topic(address: &WebAddress) -> Result<(), Complaint> {
    let (parts, has_query) = address.parts();
    let is_topic = |text: &String| {
        text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if parts.last().is_some_and(is_topic) && !has_query {
        return Ok(());
    }
    Err(Complaint::new(
        format!("the address at {address} does not end with the name of a topic"),
        "Write server and topic, as in `https://ntfy.sh/TOPIC`: 1 to 64 of A-Z a-z 0-9 _ -, and nothing after it. Choose one that \
         nobody guesses.",
    ))
}

fn program(words: &[String], places: &Places<'_>) -> Result<NotifyCommand, Complaint> {
    let hint = "Write `command = [\"program\", \"argument\"]`; it is run without a shell.";
    let Some((program, arguments)) = words.split_first().filter(|(program, _)| !program.trim().is_empty()) else {
        return Err(Complaint::new("it names no program", hint));
    };
    if words.iter().any(|word| word.contains('\0')) {
        return Err(Complaint::new("it has a character that no argument can have", hint));
    }
    // A bare name is looked for on PATH; anything else is a path, which never depends on where Standin was started.
    let is_bare = !program.contains(['/', '\\']) && !program.starts_with('~');
    let program = if is_bare { PathBuf::from(program) } else { values::path(program, places.folder, places.home)? };
    Ok(NotifyCommand { program, arguments: arguments.to_vec() })
}

/// The name of a variable of the process.
fn variable(text: &str) -> Result<String, Complaint> {
    // In capitals, so that no token is taken for a name: those of ntfy would be one else.
    let is_name = text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty();
    if !is_name {
        return Err(Complaint::new(
            "this is no name of a variable in capitals (it is not shown, since it may be a token)",
            "Write the name of the variable that holds the token, as in `token_env = \"NTFY_TOKEN\"`; never the token itself.",
        ));
    }
    if OF_GITHUB.contains(&text) || text.starts_with("MIRROR_") {
        return Err(Complaint::new(
            format!("`{text}` holds a token of GitHub, which nobody is told"),
            "Name a variable of its own, as in `token_env = \"NTFY_TOKEN\"`.",
        ));
    }
    Ok(text.to_owned())
}

/// `22:00`.
fn time_of_day(text: &str) -> Result<Time, Complaint> {
    let number = |part: &str| {
        let is_number = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse::<i8>().ok()).flatten()
    };
    let parts = text.split_once(':').filter(|(_, minutes)| minutes.len() == 2);
    let time = parts.and_then(|(hours, minutes)| Time::new(number(hours)?, number(minutes)?, 0, 0).ok());
    time.ok_or_else(|| {
        Complaint::new(
            format!("{} is no time of the day", shown(text)),
            "Write hours and minutes, as in `22:00`; midnight is `00:00`.",
        )
    })
}

/// Notes that a key is missing, unless it is there with a mistake of its own.
fn require(fields: &Fields, key: &str, is_there: bool, hint: &str, mistakes: &mut Mistakes) {
    let place = fields.place(key);
    if !is_there && !mistakes.errors.iter().any(|mistake| mistake.place == place) {
        mistakes.add(place, Complaint::new("it is missing", hint));
    }
}

/// Notes a key that the other keys leave without a meaning.
fn refuse(place: Option<&String>, hint: &str, mistakes: &mut Mistakes) {
    if let Some(place) = place {
        mistakes.add(place, Complaint::new("it has no meaning here", hint));
    }
}
