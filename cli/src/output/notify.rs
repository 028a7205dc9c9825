//! Where word of what changed goes, as text.

use standin_core::engine::{NotifyPlace, NotifyPlaces};
use standin_core::notify::Delivery;
use standin_core::notify::secret::SecretFrom;
use standin_core::state::model::{NotifyEvent, NotifyKind, NotifyTrouble};

/// The lines of `standin notify list`.
pub fn places(report: &NotifyPlaces) -> Vec<String> {
    let mut lines: Vec<String> = report.places.iter().flat_map(place).collect();
    if lines.is_empty() {
        lines.push("nobody is told of anything: standin.toml has no [[notify]]".to_owned());
    }
    if let Some(hours) = &report.quiet_hours {
        let zone = hours.time_zone.as_ref().map_or_else(String::new, |zone| format!(" in {zone}"));
        lines.push(format!("quiet from {} to {}{zone}, but for a master that is down", hours.from, hours.to));
    }
    if let Some(host) = &report.ping {
        lines.push(format!("{host} is asked after each round in which all is in step"));
        lines.extend(report.ping_trouble.iter().flat_map(trouble));
    }
    lines
}

/// The lines of what became of one message.
pub fn delivery(delivery: &Delivery) -> Vec<String> {
    let Delivery { name, to, error, .. } = delivery;
    match error {
        None => vec![format!("✅ {name}: {to} took it")],
        Some(error) if error.hint.is_empty() => vec![format!("❌ {name}: {}", error.message)],
        Some(error) => vec![format!("❌ {name}: {}", error.message), format!("   → {}", error.hint)],
    }
}

/// The lines of word that did not arrive.
pub fn trouble(trouble: &NotifyTrouble) -> Vec<String> {
    let waits = match trouble.waiting {
        0 => String::new(),
        1 => " (1 message waits to be sent again)".to_owned(),
        count => format!(" ({count} messages wait to be sent again)"),
    };
    let mut lines = vec![format!("  ⚠️  word to {} did not arrive: {}{waits}", trouble.name, trouble.error)];
    if !trouble.hint.is_empty() {
        lines.push(format!("     → {}", trouble.hint));
    }
    lines
}

fn place(place: &NotifyPlace) -> Vec<String> {
    let told = match place.on.len() == NotifyEvent::ALL.len() {
        true => "all".to_owned(),
        false => place.on.iter().map(|event| event.as_str()).collect::<Vec<_>>().join(", "),
    };
    let mut lines =
        vec![format!("{}  {}  {}", place.name, place.kind, place.to), format!("  {:<10} {told}", "told of")];
    if place.kind != NotifyKind::Command {
        lines.push(format!("  {:<10} {}", "token", token(place)));
    }
    lines.extend(place.trouble.iter().flat_map(trouble));
    lines
}

fn token(place: &NotifyPlace) -> String {
    match &place.token {
        SecretFrom::Nowhere => "none".to_owned(),
        SecretFrom::Environment { variable } => format!("from {variable}"),
        SecretFrom::Keychain => "in the keychain".to_owned(),
        SecretFrom::Missing { variable } => format!("missing: {variable} is not set"),
        SecretFrom::GivenForAnother => {
            format!("given for another host: give it again with `standin notify token {}`", place.name)
        }
    }
}
