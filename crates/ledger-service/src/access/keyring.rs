//! The keys: made, found by what callers send, revoked.

use super::records::{KeyRecord, RequestMark, TOPIC};
use super::{Caller, Scope, hash_of_secret, portal, tokens};
use crate::error::ServiceError;
use crate::idempotency::Content;
use crate::ports::{Clock, Random};
use arc_swap::ArcSwap;
use hmac::{Hmac, KeyInit, Mac};
use ledger_core::{Refusal, Timestamp, hex};
use ledger_store::{Batch, LedgerStore, SystemRecord};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, OnceLock};
use subtle::ConstantTimeEq;

/// What every secret begins with, so that scanners of leaked secrets can find them.
const SECRET_PREFIX: &str = "purser_";
/// The id of the key that the first start makes, and of the one that the environment gives.
const ADMIN: &str = "admin";

/// Every key, and who is let in with them.
pub struct Keyring {
    store: Arc<dyn LedgerStore>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    keys: ArcSwap<FxHashMap<Arc<str>, Arc<Known>>>,
    /// The hash of the environment's key, where it gives one.
    environment: Option<([u8; 32], Arc<Caller>)>,
    /// What tokens are signed with, from the first one on.
    signing_secret: OnceLock<[u8; 32]>,
    /// Keys change one at a time.
    changing: Mutex<()>,
}

struct Known {
    key: KeyRecord,
    caller: Arc<Caller>,
}

/// A key to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInput {
    /// What it is called; acts with it are signed so.
    pub name: Arc<str>,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// The accounts that it is for; `None` for all.
    pub accounts: Option<Vec<Arc<str>>>,
    /// From when on it counts no more.
    pub expires_at: Option<Timestamp>,
    /// The id of the key that asks; `None` where whoever holds the data directory does.
    pub by: Option<Arc<str>>,
    /// The `Idempotency-Key` header, and the secret that the caller sent: the new key's secret is derived of both, so
    /// that the same request gets it again although it is not kept.
    pub once: Option<(String, String)>,
}

/// A key that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedKey {
    /// The key.
    pub key: KeyRecord,
    /// What is sent as `Authorization: Bearer`. It is kept nowhere.
    pub secret: String,
    /// Whether an earlier request had made it.
    pub replay: bool,
}

impl Keyring {
    /// Loads the keys. `environment` is the hash of an administrator's key that counts beside them while this runs.
    pub fn load(
        store: Arc<dyn LedgerStore>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        environment: Option<[u8; 32]>,
    ) -> Result<Self, ServiceError> {
        let mut keys = FxHashMap::default();
        for record in store.system_records(TOPIC)? {
            let key = KeyRecord::read(&record)?;
            keys.insert(key.id.clone(), Arc::new(Known { caller: Arc::new(key.caller()), key }));
        }
        let admin = |hash| {
            let (id, name): (Arc<str>, Arc<str>) = (ADMIN.into(), ADMIN.into());
            let (scopes, accounts, expires_at) = (vec![Scope::Admin], None, None);
            (hash, Arc::new(Caller { id, name, scopes, accounts, expires_at, is_portal: false }))
        };
        Ok(Self {
            signing_secret: tokens::stored_secret(&*store)?.map(OnceLock::from).unwrap_or_default(),
            store,
            clock,
            random,
            keys: ArcSwap::from_pointee(keys),
            environment: environment.map(admin),
            changing: Mutex::new(()),
        })
    }

    /// Who sends a key or a portal token; `None` where it is none that counts. Secrets are compared in constant time.
    pub fn caller(&self, sent: &str) -> Option<Arc<Caller>> {
        if sent.starts_with(portal::PREFIX) {
            return self.portal_caller(sent);
        }
        let hash = hash_of_secret(sent);
        let is_it = |known: &[u8; 32]| bool::from(known.ct_eq(&hash));
        match &self.environment {
            Some((admin, caller)) if is_it(admin) => Some(caller.clone()),
            _ => self.caller_of_hash(id_of(sent)?, is_it),
        }
    }

    /// Who comes with a portal token; `None` where it is none that counts.
    pub fn portal_caller(&self, token: &str) -> Option<Arc<Caller>> {
        let caller = portal::read(token, self.signing_secret.get()?)?;
        caller.lasts_at(self.clock.now()).then(|| Arc::new(caller))
    }

    /// Who has the key of this id, the environment's among them, if the hash of its secret is it and the key counts.
    pub(super) fn caller_of_hash(&self, id: &str, is_it: impl Fn(&[u8; 32]) -> bool) -> Option<Arc<Caller>> {
        let of_environment = self.environment.as_ref().filter(|(hash, caller)| *caller.id == *id && is_it(hash));
        if let Some((_, caller)) = of_environment {
            return Some(caller.clone());
        }
        let keys = self.keys.load();
        let known = keys.get(id)?;
        let counts = known.key.revoked_at.is_none() && known.caller.lasts_at(self.clock.now());
        (is_it(&known.key.hash) && counts).then(|| known.caller.clone())
    }

    /// Whether a caller who was let in before would be let in again: for what lasts longer than a request.
    pub fn is_still_let_in(&self, caller: &Caller) -> bool {
        let is_environments = self.environment.as_ref().is_some_and(|(_, known)| **known == *caller);
        let is_known = || self.keys.load().get(&caller.id).is_some_and(|known| known.key.revoked_at.is_none());
        caller.lasts_at(self.clock.now()) && (caller.is_portal || is_environments || is_known())
    }

    /// Every key, in order of its id.
    pub fn list(&self) -> Vec<KeyRecord> {
        let mut keys: Vec<KeyRecord> = self.keys.load().values().map(|known| known.key.clone()).collect();
        keys.sort_by(|a, b| a.id.cmp(&b.id));
        keys
    }

    /// Makes a key. The same request with the same `Idempotency-Key` gets the key that it made before.
    pub fn create(&self, input: KeyInput, keep_ms: i64) -> Result<CreatedKey, ServiceError> {
        let now = self.clock.now();
        let _changing = self.changing.lock().map_err(|_| poisoned())?;
        let content = hex::encode(&content_of(&input));
        let mut attempt = 0;
        let (id, once) = loop {
            let Some((idempotency_key, caller_secret)) = &input.once else { break (None, None) };
            let id = derived_id(input.by.as_deref(), idempotency_key, attempt);
            let Some(known) = self.keys.load().get(&*id).map(|known| known.key.clone()) else {
                break (Some(id), input.once.clone());
            };
            let first_seen_at = known.created_at;
            if first_seen_at.plus_millis(keep_ms) < now {
                // The earlier request is forgotten by now, and its key stands under the id.
                attempt += 1;
                continue;
            }
            return match &known.request {
                Some(mark) if mark.content == content => {
                    let secret = derived_secret(&known.id, &mark.nonce, idempotency_key, caller_secret);
                    Ok(CreatedKey { key: known, secret, replay: true })
                }
                _ => Err(Refusal::IdempotencyMismatch { first_seen_at }.into()),
            };
        };
        if input.expires_at.is_some_and(|end| end <= now) {
            return Err(ServiceError::field("expires_at", format!("must be after the present time, {now}")));
        }
        let id = id.unwrap_or_else(|| format!("key_{}", &hex::encode(&self.random.bytes32())[..16]).into());
        let nonce = hex::encode(&self.random.bytes32());
        let secret = match &once {
            Some((idempotency_key, caller_secret)) => derived_secret(&id, &nonce, idempotency_key, caller_secret),
            None => secret_text(&id, &self.random.bytes32()),
        };
        let key = KeyRecord {
            id,
            name: input.name,
            hash: hash_of_secret(&secret),
            scopes: input.scopes,
            accounts: input.accounts,
            expires_at: input.expires_at,
            created_at: now,
            created_by: input.by,
            revoked_at: None,
            request: once.map(|_| RequestMark { content, nonce }),
        };
        self.put(key.clone())?;
        Ok(CreatedKey { key, secret, replay: false })
    }

    /// Makes the administrator's key where nobody could come in otherwise, and returns its secret.
    pub fn ensure_admin(&self) -> Result<Option<String>, ServiceError> {
        let now = self.clock.now();
        let opens = |known: &Arc<Known>| {
            let lasts = known.key.revoked_at.is_none() && known.caller.lasts_at(now);
            lasts && known.caller.has(&[Scope::Admin]) && known.key.accounts.is_none()
        };
        if self.environment.is_some() || self.keys.load().values().any(opens) {
            return Ok(None);
        }
        let id: Arc<str> = ADMIN.into();
        let secret = secret_text(&id, &self.random.bytes32());
        let _changing = self.changing.lock().map_err(|_| poisoned())?;
        self.put(KeyRecord {
            name: id.clone(),
            id,
            hash: hash_of_secret(&secret),
            scopes: vec![Scope::Admin],
            accounts: None,
            expires_at: None,
            created_at: now,
            created_by: None,
            revoked_at: None,
            request: None,
        })?;
        Ok(Some(secret))
    }

    /// Takes a key back, for ever: no request that comes after this returns is let in with it.
    pub fn revoke(&self, id: &str) -> Result<KeyRecord, ServiceError> {
        let _changing = self.changing.lock().map_err(|_| poisoned())?;
        let known = self.keys.load().get(id).map(|known| known.key.clone());
        let Some(mut key) = known else {
            return Err(ServiceError::NotFound { what: "key", id: id.to_owned() });
        };
        if key.revoked_at.is_none() {
            key.revoked_at = Some(self.clock.now());
            self.put(key.clone())?;
        }
        Ok(key)
    }

    /// What tokens are signed with; it is made when the first one is.
    pub(super) fn signing_secret(&self) -> Result<[u8; 32], ServiceError> {
        let _changing = self.changing.lock().map_err(|_| poisoned())?;
        match self.signing_secret.get() {
            Some(secret) => Ok(*secret),
            None => {
                let secret = tokens::make_secret(&*self.store, &*self.random)?;
                Ok(*self.signing_secret.get_or_init(|| secret))
            }
        }
    }

    /// What tokens are signed with, if there ever was one.
    pub(super) fn known_signing_secret(&self) -> Option<[u8; 32]> {
        self.signing_secret.get().copied()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn random_bytes(&self) -> [u8; 32] {
        self.random.bytes32()
    }

    /// Makes it durable, then lets it count.
    fn put(&self, key: KeyRecord) -> Result<(), ServiceError> {
        let record: SystemRecord = key.record()?;
        self.store.commit(Batch { accounts: Vec::new(), system: vec![record] })?;
        let mut keys = FxHashMap::clone(&self.keys.load());
        keys.insert(key.id.clone(), Arc::new(Known { caller: Arc::new(key.caller()), key }));
        self.keys.store(Arc::new(keys));
        Ok(())
    }
}

fn poisoned() -> ServiceError {
    ServiceError::Internal { detail: "a thread panicked while it changed the keys".to_owned() }
}

/// `purser_<id>_<64 digits>`.
fn secret_text(id: &str, bytes: &[u8; 32]) -> String {
    format!("{SECRET_PREFIX}{id}_{}", hex::encode(bytes))
}

/// The id within a secret.
fn id_of(secret: &str) -> Option<&str> {
    secret.strip_prefix(SECRET_PREFIX)?.rsplit_once('_').map(|(id, _)| id)
}

fn content_of(input: &KeyInput) -> [u8; 16] {
    let mut content = Content::new("POST /v1/keys");
    content.text(&input.name);
    content.list(&input.scopes, |content, scope| content.text(scope.name()));
    content.option(input.accounts.as_deref(), |content, accounts| {
        content.list(accounts, |content, account| content.text(account));
    });
    content.option(input.expires_at, |content, end| content.number(i128::from(end.millis())));
    content.finish()
}

/// The id of the key that a request makes.
fn derived_id(by: Option<&str>, idempotency_key: &str, attempt: u32) -> Arc<str> {
    let mut content = Content::new("key");
    content.option(by, |content, by| content.text(by));
    content.text(idempotency_key);
    content.number(i128::from(attempt));
    format!("key_{}", &hex::encode(&content.finish())[..16]).into()
}

/// A secret that whoever sends the same request again gets again. What is stored does not give it away: it takes the
/// secret of the key that asked, of which only a hash is kept.
fn derived_secret(id: &str, nonce: &str, idempotency_key: &str, caller_secret: &str) -> String {
    // HMAC takes keys of any length, so that this cannot fail; hashing first keeps long ones from mattering.
    let key = Sha256::digest(caller_secret.as_bytes());
    let mut secret = [0; 32];
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) {
        for part in ["purser key", id, nonce, idempotency_key] {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            mac.update(part.as_bytes());
        }
        secret.copy_from_slice(&mac.finalize().into_bytes());
    }
    secret_text(id, &secret)
}
