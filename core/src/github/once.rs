//! What is read once for all who ask: the source's variables and workflow states, for all mirrors of one sync.

use std::sync::Arc;
use std::time::{Duration, Instant};

use standin_state::model::Slug;
use tokio::sync::Mutex;

use super::{Client, Variable, Workflow};
use crate::Result;

/// How long a failure is told to those who ask too, before somebody tries again.
const FAILURE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Reads {
    variables: Once<Vec<Variable>>,
    workflows: Once<Vec<Workflow>>,
}

struct Once<T> {
    read: Mutex<Option<(Instant, Result<Arc<T>>)>>,
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self { read: Mutex::new(None) }
    }
}

impl<T> Once<T> {
    async fn get(&self, read: impl Future<Output = Result<T>>) -> Result<Arc<T>> {
        let mut known = self.read.lock().await;
        if let Some((at, result)) = &*known
            && (result.is_ok() || at.elapsed() < FAILURE)
        {
            return result.clone();
        }
        let result = read.await.map(Arc::new);
        *known = Some((Instant::now(), result.clone()));
        result
    }
}

impl Client {
    /// The variables of the source, read once by this client and its clones.
    ///
    /// # Errors
    /// As [`Client::variables`].
    pub async fn source_variables(&self, slug: &Slug) -> Result<Arc<Vec<Variable>>> {
        self.shared.reads.variables.get(self.variables(slug)).await
    }

    /// The workflows of the source, read once by this client and its clones.
    ///
    /// # Errors
    /// As [`Client::workflows`].
    pub async fn source_workflows(&self, slug: &Slug) -> Result<Arc<Vec<Workflow>>> {
        self.shared.reads.workflows.get(self.workflows(slug)).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::{Code, Error};

    #[tokio::test]
    async fn all_who_ask_at_once_share_one_read_and_one_failure() {
        let reads = AtomicU32::new(0);
        let once = Once::default();
        let ask = |result: Result<u32>| {
            once.get(async {
                reads.fetch_add(1, Ordering::Relaxed);
                result
            })
        };
        let failure = || Err(Error::passing(Code::Network, "down", ""));
        let (one, two) = tokio::join!(ask(failure()), ask(Ok(7)));
        assert!(one.is_err() && two.is_err());
        assert_eq!(reads.load(Ordering::Relaxed), 1);
        let well = Once::default();
        assert_eq!(*well.get(async { Ok(7) }).await.unwrap(), 7);
        assert_eq!(*well.get(async { failure() }).await.unwrap(), 7);
    }
}
