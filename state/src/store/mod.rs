//! What is remembered between runs: one SQLite file, `standin.db`, in the state folder.
//!
//! WAL, `synchronous=FULL`, numbered migrations in `state/migrations/`. Everything is keyed by repository, then
//! mirror. A [`Store`] may be cloned and used from several threads; each call is one transaction and short. Values
//! of secrets and tokens never come here: of secrets only keyed fingerprints.

mod records;

pub use records::{
    AuditEntry, Change, ChangeAction, ChangeOutcome, Decision, DecisionChoice, FenceMemory, HeldWorkflow, JournalEntry,
    RecordedChange,
    JournalKind, Rescue, RescueReason, RunFilter, RunRecord, RunTotals, SentSecret,
};
