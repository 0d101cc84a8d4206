//! The server that a command speaks to, and what is said of its refusals.

use crate::plugin::args::{At, Place, Version};
use crate::plugin::configuration::{Configuration, listed};
use crate::plugin::project::{Project, component};
use crate::system;
use anyhow::{Context, anyhow};
use ledger_core::Digest;
use serde::Deserialize;
use serde_json::Value;
use tokio::runtime::Runtime;
use trace_replay::client::{Answer, Call, Client, ClientError};

/// A server.
pub(crate) struct Server<'a> {
    client: Client,
    runtime: Runtime,
    at: &'a At,
}

/// What a server says of a request that it refuses.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    detail: String,
    errors: Vec<FieldError>,
    failure: Option<String>,
}

#[derive(Deserialize)]
struct FieldError {
    field: String,
    reason: String,
}

impl<'a> Server<'a> {
    pub(crate) fn new(at: &'a At) -> anyhow::Result<Self> {
        Ok(Self { client: Client::new(&at.server, at.key.as_deref())?, runtime: system::runtime()?, at })
    }

    /// Asks, and returns the answer, which must be a success; `what` is what was asked for, as in "cannot upload".
    pub(crate) fn ask(&self, what: &str, call: &Call) -> anyhow::Result<Answer> {
        let answer = match self.runtime.block_on(self.client.send(call)) {
            Ok(answer) => answer,
            Err(error @ ClientError::Unreachable(_)) => {
                let hint = "is a server running there? --server or PURSER_SERVER names another";
                return Err(error)
                    .with_context(|| format!("cannot {what}: {} does not answer; {hint}", self.at.server));
            }
            Err(error) => return Err(error).with_context(|| format!("cannot {what} at {}", self.at.server)),
        };
        if answer.is_success() { Ok(answer) } else { Err(self.refused(what, &answer)) }
    }

    /// The same, with the answer's JSON.
    pub(crate) fn ask_json(&self, what: &str, call: &Call) -> anyhow::Result<Value> {
        Ok(self.ask(what, call)?.json()?)
    }

    fn refused(&self, what: &str, answer: &Answer) -> anyhow::Error {
        let server = &self.at.server;
        let problem: Problem = answer.json().unwrap_or_default();
        match answer.status {
            401 if self.at.key.is_none() => anyhow!(
                "cannot {what}: {server} wants a key with the scope plugins, in PURSER_KEY or --key; `purser keys create \
                 --scopes plugins` makes one"
            ),
            401 => anyhow!("cannot {what}: {server} does not know the key, or it has expired or was revoked (401)"),
            403 => anyhow!("cannot {what}: the key has not the scope plugins (403); {}", problem.detail),
            _ if !problem.errors.is_empty() => {
                let errors: Vec<_> = problem.errors.into_iter().map(|error| (error.field, error.reason)).collect();
                anyhow!("cannot {what}: {server} refuses it ({})\n{}", answer.status, listed(&errors))
            }
            _ if problem.code.is_empty() => anyhow!("cannot {what}: {server} answered {}", answer.problem()),
            404 if problem.code == "plugin-not-found" => anyhow!(
                "cannot {what}: {} (404); `purser plugin push` uploads a component and its configuration",
                problem.detail
            ),
            status => {
                let failure = problem.failure.map(|failure| format!(", {failure}")).unwrap_or_default();
                anyhow!("cannot {what}: {} ({status} {}{failure})", problem.detail, problem.code)
            }
        }
    }

    /// The address, for people.
    pub(crate) fn name(&self) -> &str {
        &self.at.server
    }
}

/// A member that is a text.
pub(crate) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

/// As much of a digest as people compare.
pub(crate) fn short(digest: &str) -> &str {
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    hex.get(..12).unwrap_or(hex)
}

/// What is meant where a command names neither a component nor a configuration: those of the project that it is given in,
/// as they were pushed. It is never guessed from what a server has: what was uploaded last may be another's.
pub(crate) fn meant(version: &Version) -> anyhow::Result<(Option<String>, Option<String>)> {
    let Version { mut digest, mut config_digest } = *version;
    if digest.is_none() && config_digest.is_none() {
        let project = Project::find(&Place { path: None }).map_err(|_| {
            anyhow!(
                "say what is meant with --digest or --config-digest, which `purser plugin push` printed, or go to the \
                 project's folder, whose component and configuration are meant there"
            )
        })?;
        digest = Some(Digest::of(&component(None, Some(&project))?.1));
        if project.config.is_some() {
            let config = Configuration::read(project.config.as_deref())?;
            config_digest = Some(Digest::of(config.json.as_bytes()));
        }
    }
    let text = |digest: Digest| digest.to_string();
    Ok((digest.map(text), config_digest.map(text)))
}
