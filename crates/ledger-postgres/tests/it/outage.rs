//! Lost connections, databases that are not ours, and threads on which the driver would rather not be.

use crate::accounts::{at, batch, granted, load, opened};
use crate::cluster::new_database;
use ledger_postgres::{PostgresStore, SCHEMA_VERSION};
use ledger_store::{LedgerStore, StoreError, SystemRecord};
use postgres::{Client, NoTls};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Ends every connection to the database but this one.
const CUT: &str = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

/// After a failed commit nothing is taken until the store has recovered; reads mend themselves.
#[test]
fn a_lost_connection_is_recovered_from() {
    let url = new_database();
    let store = PostgresStore::open(&url).unwrap();
    let first = opened(&store, "a");
    store.commit(batch(vec![first.clone()])).unwrap();
    Client::connect(&url, NoTls).unwrap().batch_execute(CUT).unwrap();
    assert_eq!(load(&store, "a"), Some(first.account.clone()), "a read does not know that the connection was lost");
    let next = granted(&first.account, 1, at(1));
    let failed = store.commit(batch(vec![next.clone()])).unwrap_err();
    assert!(matches!(&failed, StoreError::Unavailable { .. }), "{failed}");
    let refused = store.commit(batch(vec![next.clone()])).unwrap_err();
    assert!(refused.to_string().contains("an earlier commit failed"), "{refused}");
    store.recover().unwrap();
    assert_eq!(load(&store, "a"), Some(first.account), "what was not acknowledged never happened");
    assert!(store.commit(batch(vec![next.clone()])).unwrap().conflicts.is_empty());
    assert_eq!(load(&store, "a"), Some(next.account));
}

/// Whatever fails in a batch, nothing of the batch is there.
#[test]
fn a_batch_that_fails_leaves_nothing() {
    let url = new_database();
    let store = PostgresStore::open(&url).unwrap();
    let first = opened(&store, "a");
    let record = SystemRecord { topic: "t".into(), key: "no text of PostgreSQL: \0".into(), value: Some("1".into()) };
    let mut failing = batch(vec![first.clone()]);
    failing.system.push(record);
    assert!(store.commit(failing).is_err());
    store.recover().unwrap();
    assert_eq!(load(&store, "a"), None);
    assert_eq!(store.entry(first.account.number, 1).unwrap(), None);
    assert!(store.commit(batch(vec![first])).unwrap().conflicts.is_empty());
}

/// A server whose commits do not wait for the disk is made to wait for those of the ledger.
#[test]
fn commits_wait_for_the_disk_whatever_the_database_is_set_to() {
    let url = new_database();
    let name = url.rsplit('/').next().unwrap();
    let mut admin = Client::connect(&url, NoTls).unwrap();
    admin.batch_execute(&format!("ALTER DATABASE {name} SET synchronous_commit = off")).unwrap();
    let store = PostgresStore::open(&url).unwrap();
    // A session's settings are seen by the session alone, so that its own commit writes them down.
    admin.batch_execute(WRITE_SETTING_DOWN).unwrap();
    store.commit(batch(vec![opened(&store, "a")])).unwrap();
    let seen: String = admin.query_one("SELECT setting FROM seen", &[]).unwrap().get(0);
    assert_eq!(seen, "on");
}

const WRITE_SETTING_DOWN: &str = "
    CREATE TABLE seen (setting text);
    CREATE FUNCTION write_down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL;
    END $$;
    CREATE TRIGGER write_down AFTER INSERT ON accounts FOR EACH STATEMENT EXECUTE FUNCTION write_down()";

/// The connection is lost while the server is in the middle of the commit, and goes on with it. Had the store only
/// connected again, it would have read that the commit never happened, and then it would have happened.
#[test]
fn a_commit_that_is_still_at_work_is_over_when_the_store_has_recovered() {
    let url = new_database();
    let (port, cut) = proxy(&url);
    let name = url.rsplit('/').next().unwrap();
    let store = PostgresStore::open(&format!("postgresql://postgres@127.0.0.1:{port}/{name}")).unwrap();
    let first = opened(&store, "a");
    let mut admin = Client::connect(&url, NoTls).unwrap();
    admin.batch_execute(SLOW_COMMIT).unwrap();
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| store.commit(batch(vec![first.clone()])));
        // Each look is a round trip to the server, and so does not spin.
        while count(&mut admin, COMMITTING) == 0 {}
        cut();
        assert!(commit.join().unwrap().is_err());
    });
    assert_eq!(count(&mut admin, COMMITTING), 1, "the server did not notice");
    store.recover().unwrap();
    assert_eq!(count(&mut admin, COMMITTING), 0);
    assert_eq!(load(&store, "a"), None);
    admin.batch_execute("DROP TRIGGER slow ON entries").unwrap();
    assert!(store.commit(batch(vec![first.clone()])).unwrap().conflicts.is_empty());
    assert_eq!(load(&store, "a"), Some(first.account));
}

const SLOW_COMMIT: &str = "
    CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON entries DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION sleep()";

const COMMITTING: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND query = 'COMMIT'";

fn count(client: &mut Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).unwrap().get(0)
}

/// A way to the server that can be cut on the client's side alone, for the connections that there are then.
fn proxy(url: &str) -> (u16, impl Fn()) {
    let server = url.split(['@', '/']).find(|part| part.starts_with("127.0.0.1:")).unwrap().to_owned();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let clients: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let known = clients.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            known.lock().unwrap().push(client.try_clone().unwrap());
            for (mut from, mut to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
                // Neither end is told when the other one goes: the sockets are kept until the program ends.
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    std::thread::park();
                });
            }
        }
    });
    let cut = move || {
        for client in clients.lock().unwrap().drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    };
    (port, cut)
}

/// Tables of a newer program are refused, and so is a place where there is no database.
#[test]
fn a_database_that_is_not_ours_is_refused() {
    let url = new_database();
    drop(PostgresStore::open(&url).unwrap());
    let mut admin = Client::connect(&url, NoTls).unwrap();
    admin.execute("UPDATE ledger_format SET schema_version = schema_version + 1", &[]).unwrap();
    let refused = PostgresStore::open(&url).err().unwrap();
    let StoreError::NewerFormat { found, supported, .. } = refused else { panic!("{refused}") };
    assert_eq!((found, supported), (SCHEMA_VERSION + 1, SCHEMA_VERSION));
    let nowhere = PostgresStore::open("postgresql://somebody:secret@127.0.0.1:1/nowhere").err().unwrap().to_string();
    assert!(nowhere.contains("the store is unavailable: ") && !nowhere.contains("secret"), "{nowhere}");
    let nonsense = PostgresStore::open("postgresql://somebody:secret@127.0.0.1:none/").err().unwrap().to_string();
    assert!(nonsense.contains("port") && !nonsense.contains("secret"), "{nonsense}");
}

/// The store may be called from any thread, those of a runtime included, and be dropped there.
#[test]
fn a_runtime_does_not_get_in_the_way() {
    let url = new_database();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = PostgresStore::open(&url).unwrap();
        let first = opened(&store, "a");
        store.commit(batch(vec![first.clone()])).unwrap();
        assert_eq!(load(&store, "a"), Some(first.account));
        store.recover().unwrap();
    });
}
