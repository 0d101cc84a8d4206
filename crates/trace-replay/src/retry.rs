//! Trying again: while the server cannot be reached, breaks off, or says that it cannot just now (502, 503, 504), for a
//! bounded time. Every request here is idempotent by an id or a key, so sending it again does no harm.

use crate::client::{Answer, Call, Client, ClientError};
use std::time::{Duration, Instant};

const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// For how long to try again.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Counted from the first failure of a request. Zero: once is all.
    pub retry_for: Duration,
}

/// Whether a status says "not now" rather than yes or no.
pub fn is_passing(status: u16) -> bool {
    matches!(status, 502..=504)
}

/// An answer, and what it took.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The last answer. It may still be a passing one, where patience ended.
    pub answer: Answer,
    /// How long the attempt took that brought it, without those before it and the pauses between them.
    pub latency: Duration,
    /// How many attempts went before it.
    pub retries: u32,
}

/// Sends a request until it is answered, or patience ends.
///
/// # Errors
/// The last failure, where patience ended without any answer.
pub async fn send(client: &Client, call: &Call, patience: Patience) -> Result<Tried, ClientError> {
    let mut pauses = Pauses::new(patience);
    let mut retries = 0;
    loop {
        let began = Instant::now();
        let result = client.send(call).await;
        let latency = began.elapsed();
        let asked_s = match &result {
            Ok(answer) if is_passing(answer.status) => answer.retry_after_s.unwrap_or(0),
            Err(ClientError::Unreachable(_) | ClientError::TimedOut { .. }) => 0,
            Ok(_) | Err(_) => return result.map(|answer| Tried { answer, latency, retries }),
        };
        if !pauses.pause(asked_s).await {
            return result.map(|answer| Tried { answer, latency, retries });
        }
        retries += 1;
    }
}

/// The pauses between attempts: each twice as long as the one before it, none past the end of patience.
#[derive(Debug)]
pub(crate) struct Pauses {
    patience: Patience,
    ends: Option<Instant>,
    next: Duration,
}

impl Pauses {
    pub(crate) fn new(patience: Patience) -> Self {
        Self { patience, ends: None, next: PAUSE_FIRST }
    }

    /// Waits, at least for as long as the server asked; `false` where patience would end first.
    pub(crate) async fn pause(&mut self, asked_s: u64) -> bool {
        let now = Instant::now();
        let ends = *self.ends.get_or_insert(now + self.patience.retry_for);
        let pause = self.next.max(Duration::from_secs(asked_s));
        if now + pause > ends {
            return false;
        }
        self.next = (self.next * 2).min(PAUSE_MAX);
        tokio::time::sleep(pause).await;
        true
    }
}
