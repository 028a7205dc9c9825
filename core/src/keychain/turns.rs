//! One question at a time, each on a thread of its own.
//!
//! The libraries below wait for an answer however long it takes, so the thread that asks belongs to nobody: not to the
//! runtime, which would wait for it at the end of the program, and not to who asked, who goes on at the limit. One
//! question that stays without an answer keeps the next ones from being asked, unless the keychain is seen to be well
//! again; and only so many are ever left behind.

use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{Mutex, oneshot};
use tokio::time::{Instant, timeout};

use super::failure::Failure;
use super::look::{EntrySight, Sight, look, look_for};
use super::store::Store;
use super::{Limits, Manner};

/// How many threads may wait for answers that nobody expects any more.
const LEFT_BEHIND: usize = 3;
/// How long a look may take that is only taken to understand what happened.
pub(super) const GLANCE: Duration = Duration::from_secs(3);
/// How long a dismissed dialog counts for those who asked at the same time.
const DISMISSED: Duration = Duration::from_secs(5);

/// What the keychain is asked.
#[derive(Clone)]
pub(super) enum Question {
    Get,
    Set(SecretString),
    Remove,
}

/// What it answers.
pub(super) enum Answer {
    Value(SecretString),
    Done,
    /// There is no such entry.
    Nothing,
}

impl Question {
    pub fn changes(&self) -> bool {
        match self {
            Self::Get => false,
            Self::Set(_) | Self::Remove => true,
        }
    }

    fn about(&self, account: &str) -> String {
        match self {
            Self::Get => format!("reading `{account}`"),
            Self::Set(_) => format!("storing `{account}`"),
            Self::Remove => format!("removing `{account}`"),
        }
    }
}

/// The line of those who ask.
#[derive(Default)]
pub(super) struct Turns(Mutex<State>);

#[derive(Default)]
struct State {
    store: Option<Store>,
    open: Option<Open>,
    left_behind: usize,
    trouble: Option<(Instant, Trouble)>,
}

/// What keeps those from asking who come right after.
enum Trouble {
    Dismissed,
    /// It did not even let itself be looked at.
    Blind(String),
}

type Outcome = Result<Answer, Failure>;

/// A question that has no answer yet.
struct Open {
    answer: oneshot::Receiver<(Outcome, Option<Store>)>,
    about: String,
    since: Instant,
    limit: Duration,
    /// Whose answer is missing, as it was seen when it was late.
    owner: Option<String>,
}

impl Turns {
    /// Asks when it is this one's turn.
    pub async fn ask(&self, question: Question, account: &str, manner: Manner, limits: Limits) -> Outcome {
        let limit = limits.of(manner);
        let mut state = self.0.lock().await;
        state.told_before(limit)?;
        if state.open.is_some() {
            state.settle().await?;
        }
        if manner == Manner::Quiet {
            match state.look(&question, account, limit).await? {
                EntrySight::Open => {}
                EntrySight::Locked => return Err(Failure::Locked),
                EntrySight::Nothing if matches!(question, Question::Set(_)) => {}
                EntrySight::Nothing => return Ok(Answer::Nothing),
            }
        }
        state.ask(question, account, limit).await
    }

    /// Forgets the connection, so that the next question goes over a new one.
    pub async fn forget_store(&self) {
        self.0.lock().await.store = None;
    }
}

impl State {
    /// What an earlier question has just met holds for this one too.
    fn told_before(&mut self, limit: Duration) -> Result<(), Failure> {
        match &self.trouble {
            Some((at, Trouble::Dismissed)) if at.elapsed() < DISMISSED => Err(Failure::Dismissed),
            Some((at, Trouble::Blind(about))) if at.elapsed() < limit => {
                Err(Failure::Busy(about.clone(), at.elapsed() + limit))
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn look(&mut self, question: &Question, account: &str, limit: Duration) -> Result<EntrySight, Failure> {
        match timeout(limit, look_for(account, question.changes())).await {
            Ok(seen) => seen,
            Err(_) => {
                self.trouble = Some((Instant::now(), Trouble::Blind(question.about(account))));
                // It was not asked yet, so nothing can come of it later.
                Err(Failure::Unseen(limit))
            }
        }
    }

    async fn ask(&mut self, question: Question, account: &str, limit: Duration) -> Outcome {
        let about = question.about(account);
        let answer = start(question, account, self.store.take())?;
        let open = self.open.insert(Open { answer, about, since: Instant::now(), limit, owner: None });
        let outcome = match timeout(limit, &mut open.answer).await {
            Ok(Ok((outcome, store))) => {
                (self.open, self.store) = (None, store);
                outcome
            }
            Ok(Err(_)) => {
                self.open = None;
                Err(Failure::Refused("the question ended by a bug".to_owned()))
            }
            Err(_) => {
                match glance().await {
                    Some(sight) => open.owner = Some(sight.owner),
                    None => self.trouble = Some((Instant::now(), Trouble::Blind(open.about.clone()))),
                }
                Err(Failure::Silent(limit))
            }
        };
        if outcome.as_ref().is_err_and(|failure| *failure == Failure::Dismissed) {
            self.trouble = Some((Instant::now(), Trouble::Dismissed));
        }
        outcome
    }

    /// Clears away the question that has no answer yet: by its answer, or because the keychain is well without it.
    async fn settle(&mut self) -> Result<(), Failure> {
        let Some(open) = &mut self.open else { return Ok(()) };
        // Who asked it may have gone before its time was over.
        let left = open.limit.saturating_sub(open.since.elapsed());
        match timeout(left, &mut open.answer).await {
            Ok(answer) => {
                self.store = answer.ok().and_then(|(_, store)| store);
                self.open = None;
                return Ok(());
            }
            Err(_) if self.left_behind < LEFT_BEHIND => {}
            Err(_) => return Err(open.busy()),
        }
        let is_well = match (glance().await, &open.owner) {
            (Some(sight), Some(owner)) if sight.owner != *owner => true,
            (Some(sight), _) => !sight.locked,
            (None, _) => false,
        };
        if !is_well {
            return Err(open.busy());
        }
        self.open = None;
        self.left_behind += 1;
        Ok(())
    }
}

impl Open {
    fn busy(&self) -> Failure {
        Failure::Busy(self.about.clone(), self.since.elapsed())
    }
}

/// A short look, to understand what happened.
pub(super) async fn glance() -> Option<Sight> {
    timeout(GLANCE, look()).await.ok()?.ok()
}

/// Asks on a new thread, with the store that is open already; where that has gone stale, with a new one.
fn start(
    question: Question,
    account: &str,
    kept: Option<Store>,
) -> Result<oneshot::Receiver<(Outcome, Option<Store>)>, Failure> {
    let (sender, answer) = oneshot::channel();
    let account = account.to_owned();
    let asking = move || {
        // Nobody may be waiting any more.
        let _ = sender.send(ask_for_long(&question, &account, kept));
    };
    std::thread::Builder::new()
        .name("keychain".to_owned())
        .spawn(asking)
        .map(|_| answer)
        .map_err(|error| Failure::Refused(format!("the operating system gave no thread to ask it: {error}")))
}

fn ask_for_long(question: &Question, account: &str, kept: Option<Store>) -> (Outcome, Option<Store>) {
    let mut before = None;
    if let Some(store) = kept {
        match store.ask(question, account) {
            Err(failure) if failure.ends_a_store() => before = Some(failure),
            outcome => return (outcome, Some(store)),
        }
    }
    match (Store::open(), before) {
        (Ok(store), _) => {
            let outcome = store.ask(question, account);
            let stale = outcome.as_ref().is_err_and(Failure::ends_a_store);
            (outcome, (!stale).then_some(store))
        }
        // It is gone now, and may have done before what it was asked.
        (Err(_), Some(lost @ Failure::Lost(_))) if question.changes() => (Err(lost), None),
        (Err(failure), _) => (Err(failure), None),
    }
}
