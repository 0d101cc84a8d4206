//! Keys and portal tokens, across restarts.

use ledger_core::Refusal;
use ledger_service::ports::Clock;
use ledger_service::{
    CreatedKey, KeyInput, Keyring, PortalInput, SESSION_MS, Scope, ServiceError, TestClock, hash_of_secret,
};
use ledger_store::{LedgerStore, MemoryStore};
use std::sync::Arc;
use testkit::{Counting, START};

const KEEP_MS: i64 = 35 * 86_400_000;

struct Rings {
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    random: Arc<Counting>,
}

impl Rings {
    fn new() -> Self {
        let clock = Arc::new(TestClock::new(ledger_core::Timestamp::parse_rfc3339(START).unwrap()));
        Self { store: Arc::new(MemoryStore::new()), clock, random: Arc::default() }
    }

    /// The keys as a start finds them.
    fn start(&self, environment: Option<&str>) -> Keyring {
        let (store, clock, random) = (self.store.clone(), self.clock.clone(), self.random.clone());
        Keyring::load(store, clock, random, environment.map(hash_of_secret)).unwrap()
    }

    fn wait_ms(&self, ms: i64) {
        self.clock.advance_to(self.clock.now().plus_millis(ms));
    }
}

fn input(scopes: &[Scope]) -> KeyInput {
    let (name, scopes) = ("support".into(), scopes.to_vec());
    KeyInput { name, scopes, accounts: None, expires_at: None, by: Some("admin".into()), once: None }
}

fn once(key: &str) -> KeyInput {
    KeyInput { once: Some((key.to_owned(), "the caller's secret".to_owned())), ..input(&[Scope::Read]) }
}

#[test]
fn a_key_is_let_in_until_it_is_revoked_or_expires() {
    let rings = Rings::new();
    let ring = rings.start(None);
    let CreatedKey { key, secret, .. } = ring.create(input(&[Scope::Read]), KEEP_MS).unwrap();
    let end = rings.clock.now().plus_millis(1000);
    let brief = KeyInput { expires_at: Some(end), ..input(&[Scope::Read]) };
    let brief = ring.create(brief, KEEP_MS).unwrap();
    let again = rings.start(None);
    for ring in [&ring, &again] {
        let caller = ring.caller(&secret).unwrap();
        assert_eq!((&*caller.id, &*caller.name), (&*key.id, "support"));
        assert!(ring.is_still_let_in(&caller));
        assert!(ring.caller(&brief.secret).is_some());
        assert_eq!(ring.caller(&secret.replace("purser_", "")), None);
        assert_eq!(ring.caller(&format!("{secret}0")), None);
        let others = format!("purser_{}_{}", key.id, brief.secret.rsplit_once('_').unwrap().1);
        assert_eq!(ring.caller(&others), None, "the secret of one key with the id of another");
    }
    let caller = again.caller(&secret).unwrap();
    again.revoke(&key.id).unwrap();
    assert_eq!(again.caller(&secret), None);
    assert!(!again.is_still_let_in(&caller));
    assert_eq!(rings.start(None).caller(&secret), None, "after a restart too");
    rings.wait_ms(1000);
    assert_eq!(again.caller(&brief.secret), None);
    assert!(matches!(again.revoke("nothing"), Err(ServiceError::NotFound { what: "key", .. })));
}

#[test]
fn secrets_are_not_kept() {
    let rings = Rings::new();
    let ring = rings.start(None);
    let secrets = [
        ring.create(input(&[Scope::Admin]), KEEP_MS).unwrap().secret,
        ring.create(once("k"), KEEP_MS).unwrap().secret,
        ring.ensure_admin().unwrap().unwrap_or_default(),
    ];
    let kept: Vec<String> =
        rings.store.system_records("key").unwrap().into_iter().map(|record| format!("{record:?}")).collect();
    assert_eq!(kept.len(), 2, "a key that opens everything was there, and no other was made");
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let random_part = secret.rsplit_once('_').unwrap().1;
        assert!(kept.iter().all(|record| !record.contains(random_part)), "{kept:?}");
    }
}

#[test]
fn the_same_request_makes_one_key_whatever_happens_in_between() {
    let rings = Rings::new();
    let first = rings.start(None).create(once("k1"), KEEP_MS).unwrap();
    let again = rings.start(None).create(once("k1"), KEEP_MS).unwrap();
    assert_eq!((&again.key, &again.secret, again.replay), (&first.key, &first.secret, true));
    let ring = rings.start(None);
    let other = KeyInput { name: "other".into(), ..once("k1") };
    let refused = ring.create(other, KEEP_MS).unwrap_err();
    assert_eq!(refused, Refusal::IdempotencyMismatch { first_seen_at: first.key.created_at }.into());
    assert_ne!(ring.create(once("k2"), KEEP_MS).unwrap().key.id, first.key.id);
    let stranger = KeyInput { by: Some("somebody".into()), ..once("k1") };
    assert_ne!(ring.create(stranger, KEEP_MS).unwrap().key.id, first.key.id, "keys are of the caller who sends them");
    let brief = KeyInput { expires_at: Some(rings.clock.now().plus_millis(1)), ..once("k3") };
    let made = ring.create(brief.clone(), KEEP_MS).unwrap();
    rings.wait_ms(KEEP_MS);
    assert_eq!(ring.create(brief, KEEP_MS).unwrap().secret, made.secret, "it has expired, and was made all the same");
    rings.wait_ms(1);
    let late = ring.create(once("k1"), KEEP_MS).unwrap();
    assert!(!late.replay && late.key.id != first.key.id);
    assert!(ring.caller(&first.secret).is_some(), "the first key stays as it is");
}

#[test]
fn nobody_is_locked_out() {
    let rings = Rings::new();
    let environments = rings.start(Some("from the environment"));
    assert_eq!(environments.ensure_admin().unwrap(), None);
    assert!(environments.caller("from the environment").unwrap().has(&[Scope::Admin]));
    let ring = rings.start(None);
    assert_eq!(ring.caller("from the environment"), None, "it counts while it is given");
    let secret = ring.ensure_admin().unwrap().unwrap();
    assert_eq!(ring.ensure_admin().unwrap(), None);
    assert!(rings.start(None).caller(&secret).unwrap().has(&[Scope::Plugins]), "admin includes the others");
    let narrow = KeyInput { accounts: Some(vec!["acme".into()]), ..input(&[Scope::Admin]) };
    ring.create(narrow, KEEP_MS).unwrap();
    ring.revoke("admin").unwrap();
    let anew = rings.start(None).ensure_admin().unwrap().unwrap();
    assert_ne!(anew, secret);
    assert_eq!(rings.start(None).caller(&secret), None);
}

#[test]
fn a_portal_token_is_for_one_account_and_a_time() {
    let rings = Rings::new();
    let ring = rings.start(None);
    let input = PortalInput { account: "acme".into(), scopes: vec![Scope::Read], ttl_ms: 1000 };
    let made = ring.portal_token(&input).unwrap();
    assert_eq!(made.expires_at, rings.clock.now().plus_millis(1000));
    let again = rings.start(None);
    let caller = again.caller(&made.token).unwrap();
    assert!(caller.is_portal && caller.sees("acme") && !caller.sees("globex"));
    assert!(caller.has(&[Scope::Read]) && !caller.has(&[Scope::Purchase]));
    let (payload, signature) = made.token.strip_prefix("purser_portal_").unwrap().split_once('.').unwrap();
    let other = ring.portal_token(&PortalInput { account: "globex".into(), ..input }).unwrap().token;
    let (others, _) = other.strip_prefix("purser_portal_").unwrap().split_once('.').unwrap();
    for forged in [
        format!("purser_portal_{others}.{signature}"),
        format!("purser_portal_{payload}."),
        format!("purser_portal_{payload}"),
        format!("purser_portal_{payload}.{}", &signature[1..]),
        "purser_portal_.".to_owned(),
    ] {
        assert_eq!(again.caller(&forged), None, "{forged}");
    }
    rings.wait_ms(1000);
    assert_eq!(again.caller(&made.token), None);
    assert!(!again.is_still_let_in(&caller));
    assert_eq!(Rings::new().start(None).caller(&made.token), None, "another server's");
}

#[test]
fn a_session_lasts_as_long_as_its_key_and_a_working_day() {
    let rings = Rings::new();
    let ring = rings.start(Some("from the environment"));
    let CreatedKey { key, secret, .. } = ring.create(input(&[Scope::Admin]), KEEP_MS).unwrap();
    let token = ring.open_session(&secret).unwrap().unwrap();
    assert_eq!(ring.session_caller(&token).unwrap().id, key.id);
    assert_eq!(ring.caller(&token), None, "a session is no key");
    assert_eq!(ring.session_caller(&secret), None, "and a key no session");
    assert_eq!(ring.open_session("purser_nobody_00").unwrap(), None);
    let portal = PortalInput { account: "acme".into(), scopes: vec![Scope::Read], ttl_ms: 1000 };
    let portal = ring.portal_token(&portal).unwrap().token;
    assert_eq!(ring.open_session(&portal).unwrap(), None, "whoever was sent a link is no operator");
    assert_eq!(ring.session_caller(&portal.replace("portal", "session")), None);
    assert_eq!(ring.portal_caller(&token.replace("session", "portal")), None);
    // It counts after a restart, and ends with its time.
    rings.wait_ms(SESSION_MS - 1);
    assert!(rings.start(None).session_caller(&token).is_some());
    rings.wait_ms(1);
    assert_eq!(ring.session_caller(&token), None);
    // And with its key.
    let token = ring.open_session(&secret).unwrap().unwrap();
    ring.revoke(&key.id).unwrap();
    assert_eq!(ring.session_caller(&token), None);
    let token = ring.open_session("from the environment").unwrap().unwrap();
    assert_eq!(&*ring.session_caller(&token).unwrap().name, "admin");
    assert_eq!(rings.start(Some("another one")).session_caller(&token), None);
}
