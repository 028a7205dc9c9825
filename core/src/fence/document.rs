//! `fence.json`: what stands in a fence commit. Pure data and the rules by which one document follows another.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use standin_state::model::{Oid, RefName, Site};

use crate::{Code, Error, Result};

/// The version that this program writes.
pub const VERSION: u32 = 1;

/// The kind of the open change while the mastership moves.
pub const ROLE_CHANGE: &str = "role_change";

/// The highest epoch and sequence, 2^53: what every reader of JSON keeps exactly. Nobody gets there by counting, and
/// beyond it a forged fence could never be overcome by one step on.
const HIGHEST: u64 = 1 << 53;

/// Who is master, and what was pushed: the content of one fence commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document<Refs = BTreeMap<RefName, Oid>> {
    /// The version of this form; a higher one was written by a newer Standin.
    pub version: u32,
    /// Rises at each change of master; 1 for the first.
    pub epoch: u64,
    /// Rises with each move of the fence.
    pub sequence: u64,
    /// The master: a slug, a URL without credentials, or a path behind the id of its installation (`1a2b3c4d:/srv/app`).
    pub master: Site,
    /// Whether that master is only `TEMPORARY_MASTER`: it stands in for one that was gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub temporary: bool,
    /// Who wrote this commit: `user@host` and the id of the installation.
    pub writer: String,
    /// When it was written.
    pub time_iso: Timestamp,
    /// A change that was begun on the mirror and not ended.
    #[serde(default)]
    pub open_change: Option<OpenChange>,
    /// The refs that we pushed, with the tips that we gave them.
    #[serde(default)]
    pub refs: Refs,
    /// Tips that a push under way gives to refs, where the remote cannot move them together with the fence.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pending: BTreeMap<RefName, Oid>,
    /// Workflow files that we switched off on the mirror, with their state before.
    #[serde(default)]
    pub held: BTreeMap<String, String>,
    /// Workflow states at the master when it was last read.
    #[serde(default)]
    pub master_workflows: BTreeMap<String, String>,
    /// The epoch in which this repository was master, where it lost that without handing back: what it committed then
    /// waits to be brought home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreturned: Option<u64>,
    /// Fields that this version does not know; kept as they are. Read by [`Document::parse`] apart from the others, since serde
    /// would keep the whole document twice to tell them from the known ones.
    #[serde(flatten, skip_deserializing)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// A document whose refs were not read: of tens of thousands only who asks for them pays.
pub type Summary = Document<IgnoredAny>;

/// A change that was begun and must be ended, whatever happens in between. Any machine may end it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenChange {
    /// What kind: `actions_off` around a push, `role_change` while the mastership moves.
    pub kind: String,
    /// Who began it.
    pub writer: String,
    /// When.
    pub since_iso: Timestamp,
    /// What is needed to end it, such as the settings to restore.
    #[serde(default)]
    pub settings: serde_json::Value,
}

/// The fields that this version knows.
const KNOWN: [&str; 13] = [
    "version",
    "epoch",
    "sequence",
    "master",
    "temporary",
    "writer",
    "time_iso",
    "open_change",
    "refs",
    "pending",
    "held",
    "master_workflows",
    "unreturned",
];

/// The other fields of a document.
struct Unknown(serde_json::Map<String, serde_json::Value>);

impl<'de> Deserialize<'de> for Unknown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Unknown;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a document")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Unknown, A::Error> {
                let mut unknown = serde_json::Map::new();
                while let Some(name) = fields.next_key::<String>()? {
                    if KNOWN.contains(&name.as_str()) {
                        fields.next_value::<IgnoredAny>()?;
                    } else {
                        unknown.insert(name, fields.next_value()?);
                    }
                }
                Ok(Unknown(unknown))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

impl Summary {
    /// Reads a document but for its refs.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn summary(bytes: &[u8]) -> Result<Self> {
        Self::read(bytes)
    }
}

impl<Refs: DeserializeOwned + Default> Document<Refs> {
    fn read(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let unreadable = |error: serde_json::Error| {
            Error::new(Code::FenceLost, format!("its `fence.json` cannot be read: {error}"), "")
        };
        let Version { version } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if version > VERSION {
            return Err(Error::new(
                Code::UnexpectedAnswer,
                format!("it was written by a newer Standin (form {version}; this one knows {VERSION})"),
                "Update Standin on this machine, then sync again.",
            ));
        }
        let mut document: Self = serde_json::from_slice(bytes).map_err(unreadable)?;
        document.unknown = serde_json::from_slice::<Unknown>(bytes).map_err(unreadable)?.0;
        if [document.epoch, document.sequence].iter().any(|number| !(1..=HIGHEST).contains(number)) {
            return Err(Error::new(
                Code::FenceLost,
                format!(
                    "it has epoch {} and sequence {}; both begin at 1 and end at {HIGHEST}",
                    document.epoch, document.sequence
                ),
                "",
            ));
        }
        Ok(document)
    }
}

impl Document {
    /// The document before the first: nothing pushed, sequence 0. It is never written as it is.
    pub fn before_first(epoch: u64, master: impl Into<Site>, writer: &str, now: Timestamp) -> Self {
        Self {
            version: VERSION,
            epoch,
            sequence: 0,
            master: master.into(),
            temporary: false,
            writer: writer.to_owned(),
            time_iso: now,
            open_change: None,
            refs: BTreeMap::new(),
            pending: BTreeMap::new(),
            held: BTreeMap::new(),
            master_workflows: BTreeMap::new(),
            unreturned: None,
            unknown: serde_json::Map::new(),
        }
    }

    /// The document that follows this one: the same, one step on, by `writer`.
    #[must_use]
    pub fn next(&self, writer: &str, now: Timestamp) -> Self {
        Self { sequence: self.sequence.saturating_add(1), writer: writer.to_owned(), time_iso: now, ..self.clone() }
    }

    /// Names another master than this document did, in this epoch, on the repository `here`. Where `here` was master itself
    /// and did not hand back, that is kept; a change of master of an older epoch can go on no more.
    pub fn follow(&mut self, master: &Site, epoch: u64, here: &Site) {
        if epoch > self.epoch {
            if self.master == *here && master != here {
                self.unreturned = self.unreturned.or(Some(self.epoch));
            }
            self.open_change.take_if(|open| open.kind == ROLE_CHANGE);
        }
        if self.master != *master {
            self.temporary = false;
        }
        self.epoch = self.epoch.max(epoch);
        self.master.clone_from(master);
    }

    /// The epoch in which the repository `here`, on which this document stands, was master, where it lost that without
    /// handing back; `now` is the epoch of the present master, of which it may not have heard.
    pub fn lost_mastership(&self, here: &Site, now: u64) -> Option<u64> {
        let is_unheard = self.epoch < now && self.master == *here;
        self.unreturned.or(is_unheard.then_some(self.epoch))
    }

    /// What orders documents; it only rises along a chain.
    pub fn position(&self) -> (u64, u64) {
        (self.epoch, self.sequence)
    }

    /// Reads a document.
    ///
    /// # Errors
    /// [`Code::FenceLost`] when it is no fence document, [`Code::UnexpectedAnswer`] when a newer Standin wrote it.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        Self::read(bytes)
    }

    /// The document as it is committed: JSON with one field a line, so that one commit differs little from the next.
    ///
    /// # Errors
    /// [`Code::Internal`] when it cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::new(Code::Internal, format!("a fence cannot be written as JSON: {error}"), ""))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Every tip that we gave, or may have given, to each ref.
    pub fn pushed(&self) -> BTreeMap<RefName, BTreeSet<Oid>> {
        let mut pushed: BTreeMap<RefName, BTreeSet<Oid>> = BTreeMap::new();
        for (name, oid) in self.refs.iter().chain(&self.pending) {
            pushed.entry(name.clone()).or_default().insert(oid.clone());
        }
        pushed
    }

    /// Takes back what this document says of refs that a push did not move: what stands on the mirror is ours where the document
    /// before says so.
    pub fn take_back<'a>(
        &mut self,
        before: Option<&Self>,
        mirror: &BTreeMap<RefName, Oid>,
        names: impl Iterator<Item = &'a RefName>,
    ) {
        let pushed = before.map(Self::pushed).unwrap_or_default();
        for name in names {
            self.pending.remove(name);
            match mirror.get(name).filter(|tip| pushed.get(name).is_some_and(|ours| ours.contains(*tip))) {
                Some(tip) => self.refs.insert(name.clone(), tip.clone()),
                None => self.refs.remove(name),
            };
        }
    }

    /// Brings `refs` up to date with what the mirror was seen to hold, and empties `pending`: tips that arrived are
    /// ours, tips equal to the source's are kept in step from now on, names gone on both sides are forgotten. Where all
    /// that is there is ours, nothing waits to be brought home.
    pub fn settle(&mut self, mirror: &BTreeMap<RefName, Oid>, source: &BTreeMap<RefName, Oid>) {
        for (name, oid) in std::mem::take(&mut self.pending) {
            if mirror.get(&name) == Some(&oid) {
                self.refs.insert(name, oid);
            }
        }
        self.refs.retain(|name, _| mirror.contains_key(name));
        for (name, oid) in mirror {
            if source.get(name) == Some(oid) {
                self.refs.insert(name.clone(), oid.clone());
            }
        }
        if mirror.iter().all(|(name, oid)| self.refs.get(name) == Some(oid)) {
            self.unreturned = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(digit: char) -> Oid {
        digit.to_string().repeat(40).parse().expect("forty digits")
    }

    fn name(text: &str) -> RefName {
        text.parse().expect("a ref name")
    }

    fn document() -> Document {
        Document::before_first(1, "owner/name", "anna@laptop/1", Timestamp::UNIX_EPOCH)
            .next("anna@laptop/1", Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn fields_of_a_later_version_survive_being_read_and_written() {
        let mut json = serde_json::to_value(document()).expect("JSON");
        json["handback"] = serde_json::json!({"branch": "x"});
        let read = Document::parse(json.to_string().as_bytes()).expect("a document");
        let written: serde_json::Value =
            serde_json::from_slice(&read.next("w", Timestamp::UNIX_EPOCH).to_bytes().expect("bytes")).expect("JSON");
        assert_eq!(written["handback"], serde_json::json!({"branch": "x"}));
        assert_eq!(written["sequence"], 2);
    }

    #[test]
    fn what_is_no_document_is_refused_and_a_newer_one_asks_for_an_update() {
        for bad in ["", "[]", "{}", r#"{"version": 1}"#, r#"{"version": "1"}"#] {
            assert_eq!(Document::parse(bad.as_bytes()).expect_err(bad).code, Code::FenceLost, "{bad}");
        }
        let mut zero = document();
        zero.sequence = 0;
        assert_eq!(Document::parse(&zero.to_bytes().expect("bytes")).expect_err("sequence 0").code, Code::FenceLost);
        for (epoch, sequence) in [(HIGHEST + 1, 1), (1, HIGHEST + 1), (u64::MAX, u64::MAX)] {
            let garbage = Document { epoch, sequence, ..document() };
            let error = Document::parse(&garbage.to_bytes().expect("bytes")).expect_err("too high");
            assert_eq!(error.code, Code::FenceLost);
            assert_eq!(garbage.next("w", Timestamp::UNIX_EPOCH).sequence, sequence.saturating_add(1));
        }
        let newer = Document::parse(br#"{"version": 2, "anything": true}"#).expect_err("newer");
        assert_eq!(newer.code, Code::UnexpectedAnswer);
        assert!(newer.hint.contains("Update Standin"));
    }

    #[test]
    fn settling_takes_in_what_arrived_and_forgets_what_is_gone() {
        let mut document = document();
        document.refs = BTreeMap::from([(name("refs/heads/gone"), oid('1')), (name("refs/heads/moved"), oid('2'))]);
        document.pending =
            BTreeMap::from([(name("refs/heads/arrived"), oid('3')), (name("refs/heads/refused"), oid('4'))]);
        let mirror = BTreeMap::from([
            (name("refs/heads/moved"), oid('9')),
            (name("refs/heads/arrived"), oid('3')),
            (name("refs/heads/equal"), oid('5')),
            (name("refs/heads/foreign"), oid('6')),
        ]);
        let source = BTreeMap::from([(name("refs/heads/equal"), oid('5')), (name("refs/heads/moved"), oid('7'))]);
        document.settle(&mirror, &source);
        let expected = BTreeMap::from([
            (name("refs/heads/arrived"), oid('3')),
            (name("refs/heads/equal"), oid('5')),
            (name("refs/heads/moved"), oid('2')),
        ]);
        assert_eq!((document.refs, document.pending), (expected, BTreeMap::new()));
    }

    #[test]
    fn every_field_is_known_and_what_is_not_is_kept() {
        let mut document = Document::before_first(3, "o/n", "somebody", Timestamp::UNIX_EPOCH);
        document.sequence = 2;
        document.temporary = true;
        document.unreturned = Some(2);
        document.open_change = Some(OpenChange {
            kind: ROLE_CHANGE.to_owned(),
            writer: "somebody".to_owned(),
            since_iso: Timestamp::UNIX_EPOCH,
            settings: serde_json::json!({"a": 1}),
        });
        document.refs.insert("refs/heads/main".parse().expect("a name"), oid('1'));
        document.pending.insert("refs/heads/dev".parse().expect("a name"), oid('2'));
        document.held.insert("a.yml".to_owned(), "active".to_owned());
        document.master_workflows.insert("b.yml".to_owned(), "active".to_owned());
        let read = Document::parse(&document.to_bytes().expect("bytes")).expect("a document");
        assert_eq!(read, document);
        assert!(read.unknown.is_empty());
        document.unknown.insert("newer".to_owned(), serde_json::json!({"x": [1, 2]}));
        assert_eq!(Document::parse(&document.to_bytes().expect("bytes")).expect("a document"), document);
    }
}
