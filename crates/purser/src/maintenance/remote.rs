//! Asks a running server over HTTP.

use anyhow::{Context, bail};
use trace_replay::client::{Call, Client, Opened, Stream};

/// A server.
pub(super) struct Remote {
    client: Client,
    url: String,
    has_key: bool,
}

impl Remote {
    pub(super) fn new(url: String, key: Option<&str>) -> anyhow::Result<Self> {
        Ok(Self { client: Client::new(&url, key)?, url, has_key: key.is_some() })
    }

    /// Asks, and returns once the answer begins.
    pub(super) async fn ask(&self, path: String) -> anyhow::Result<Stream> {
        match self.client.open(&Call::get(path)).await.with_context(|| format!("cannot ask {}", self.url))? {
            Opened::Stream(stream) => Ok(stream),
            Opened::Refused(answer) if answer.status == 401 && !self.has_key => {
                bail!("{} holds the ledger and wants the administrator's key: --key or PURSER_KEY", self.url)
            }
            Opened::Refused(answer) => bail!("{} answered {}", self.url, answer.problem()),
        }
    }
}
