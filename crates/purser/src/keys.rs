//! `purser keys`: makes, lists and revokes keys, at the server that holds the ledger, or in its directory while nobody
//! does: whoever holds the directory is the administrator, so that a lost key locks nobody out.

use crate::cli::{CreateKey, Keys, Place};
use crate::maintenance::Target;
use crate::system::{self, SystemRandom};
use anyhow::anyhow;
use ledger_redb::RedbStore;
use ledger_service::{Key, KeyInput, Keyring, Scope, ServiceError, SystemClock};
use ledger_store::LedgerStore;
use serde::Deserialize;
use serde_json::json;
use std::process::ExitCode;
use std::sync::Arc;
use trace_replay::client::Call;

pub(crate) fn run(command: &Keys) -> anyhow::Result<ExitCode> {
    system::log("warn")?;
    match command {
        Keys::Create(arguments) => create(arguments)?,
        Keys::List(place) => list(place)?,
        Keys::Revoke(arguments) => revoke(&arguments.place, &arguments.id)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A key as the server shows it.
#[derive(Deserialize)]
struct Shown {
    id: String,
    name: String,
    scopes: Vec<String>,
    accounts: Option<Vec<String>>,
    expires_at: Option<String>,
    created_at: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    secret: String,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Shown>,
    next_cursor: Option<String>,
}

impl Shown {
    fn new(key: &Key, secret: String) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.to_string(),
            scopes: key.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
            accounts: key.accounts.as_ref().map(|accounts| accounts.iter().map(ToString::to_string).collect()),
            expires_at: key.expires_at.map(|end| end.to_string()),
            created_at: key.created_at.to_string(),
            status: key.status(ledger_service::ports::Clock::now(&SystemClock)).name().to_owned(),
            secret,
        }
    }
}

fn create(arguments: &CreateKey) -> anyhow::Result<()> {
    let scopes: Vec<&str> = arguments.scopes.iter().map(|scope| scope.name()).collect();
    let name = arguments.name.clone().unwrap_or_else(|| scopes.join(" "));
    let target = Target::new(&arguments.place)?;
    let here = in_keyring(&target, |keyring| {
        let input = KeyInput {
            name: name.as_str().into(),
            scopes: arguments.scopes.clone(),
            accounts: (!arguments.accounts.is_empty())
                .then(|| arguments.accounts.iter().map(|account| account.as_str().into()).collect()),
            expires_at: arguments.expires_at,
            by: None,
            once: None,
        };
        keyring.create(input, 0).map(|created| Shown::new(&created.key, created.secret))
    })?;
    let key = match here {
        Some(key) => key,
        None => {
            let mut body = json!({ "name": name, "scopes": scopes });
            if !arguments.accounts.is_empty() {
                body["accounts"] = json!(arguments.accounts);
            }
            if let Some(end) = arguments.expires_at {
                body["expires_at"] = json!(end.to_string());
            }
            ask(&target, &Call::post("/v1/keys", &body)?)?
        }
    };
    println!("{}", key.secret);
    eprintln!("key {} ({}) was made; its secret is shown this once", key.id, key.name);
    Ok(())
}

fn list(place: &Place) -> anyhow::Result<()> {
    let target = Target::new(place)?;
    let here = in_keyring(&target, |keyring| {
        Ok(keyring.list().iter().map(|key| Shown::new(key, String::new())).collect::<Vec<_>>())
    })?;
    let keys = match here {
        Some(keys) => keys,
        None => system::runtime()?.block_on(listed(&target))?,
    };
    for key in keys {
        let accounts = key.accounts.map_or("all accounts".to_owned(), |accounts| accounts.join(" "));
        let end = key.expires_at.map_or("never".to_owned(), |end| end);
        let (id, status, scopes, name) = (key.id, key.status, key.scopes.join(" "), key.name);
        println!("{id}\t{status}\t{scopes}\t{accounts}\texpires {end}\tmade {}\t{name}", key.created_at);
    }
    Ok(())
}

async fn listed(target: &Target) -> anyhow::Result<Vec<Shown>> {
    let server = target.server()?;
    let mut keys = Vec::new();
    let mut path = "/v1/keys?limit=1000".to_owned();
    loop {
        let page: Page = server.call(&Call::get(path)).await?.json()?;
        keys.extend(page.items);
        match page.next_cursor {
            Some(cursor) => path = format!("/v1/keys?limit=1000&cursor={cursor}"),
            None => return Ok(keys),
        }
    }
}

fn revoke(place: &Place, id: &str) -> anyhow::Result<()> {
    let target = Target::new(place)?;
    let here = in_keyring(&target, |keyring| keyring.revoke(id).map(|key| Shown::new(&key, String::new())))?;
    if here.is_none() {
        ask(&target, &Call::delete(format!("/v1/keys/{id}")))?;
    }
    eprintln!("key {id} is revoked");
    Ok(())
}

/// Works on the keys in the data directory; `None` where a server is to be asked.
fn in_keyring<T>(target: &Target, work: impl FnOnce(&Keyring) -> Result<T, ServiceError>) -> anyhow::Result<Option<T>> {
    target.in_directory(|data, settings| {
        let store = Arc::new(RedbStore::open(data, settings)?);
        let keyring = Keyring::load(store.clone(), Arc::new(SystemClock), Arc::new(SystemRandom), None);
        let done = keyring.and_then(|keyring| work(&keyring));
        store.close()?;
        done.map_err(|error| match error {
            ServiceError::NotFound { what, id } => anyhow!("no {what} has the id {id}"),
            ServiceError::Invalid(problems) => {
                let said: Vec<String> = problems.into_iter().map(|p| format!("{}: {}", p.field, p.reason)).collect();
                anyhow!(said.join("; "))
            }
            error => anyhow!("{error:?}"),
        })
    })
}

fn ask(target: &Target, call: &Call) -> anyhow::Result<Shown> {
    let server = target.server()?;
    system::runtime()?.block_on(async { Ok(server.call(call).await?.json()?) })
}

/// Reads a scope.
pub(crate) fn parse_scope(text: &str) -> Result<Scope, String> {
    Scope::of_name(text).ok_or_else(|| {
        let names: Vec<&str> = Scope::ALL.iter().map(|(_, name)| *name).collect();
        format!("must be one of {}", names.join(", "))
    })
}
