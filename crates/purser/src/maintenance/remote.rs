//! Asks a running server over HTTP.

use anyhow::{Context, anyhow};
use trace_replay::client::{Answer, Call, Client, Opened, Stream};

/// A server.
pub(crate) struct Remote {
    client: Client,
    url: String,
    has_key: bool,
}

impl Remote {
    pub(super) fn new(url: String, key: Option<&str>) -> anyhow::Result<Self> {
        Ok(Self { client: Client::new(&url, key)?, url, has_key: key.is_some() })
    }

    /// Asks, and returns the whole answer, which must be a success.
    pub(crate) async fn call(&self, call: &Call) -> anyhow::Result<Answer> {
        let answer = self.client.send(call).await.with_context(|| format!("cannot ask {}", self.url))?;
        if answer.is_success() { Ok(answer) } else { Err(self.refused(&answer)) }
    }

    fn refused(&self, answer: &Answer) -> anyhow::Error {
        if answer.status == 401 && !self.has_key {
            anyhow!("{} holds the ledger and wants the administrator's key: --key or PURSER_KEY", self.url)
        } else {
            anyhow!("{} answered {}", self.url, answer.problem())
        }
    }

    /// Asks, and returns once the answer begins.
    pub(super) async fn ask(&self, path: String) -> anyhow::Result<Stream> {
        match self.client.open(&Call::get(path)).await.with_context(|| format!("cannot ask {}", self.url))? {
            Opened::Stream(stream) => Ok(stream),
            Opened::Refused(answer) => Err(self.refused(&answer)),
        }
    }
}
