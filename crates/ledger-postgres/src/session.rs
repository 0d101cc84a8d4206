//! A connection with the statements that were prepared on it, and the settings that the ledger relies on.

use crate::failure::Failure;
use ledger_store::StoreError;
use postgres::types::ToSql;
use postgres::{Client, Config, IsolationLevel, NoTls, Row, Statement, Transaction};
use std::collections::HashMap;
use std::time::Duration;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long data may stay unacknowledged before the connection counts as lost.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long an abandoned server process is waited for; see [`Session::end`].
const END_WITHIN_MS: i64 = 10_000;

/// Waiting is bounded on the server too: a node that has vanished in the middle of a transaction must not keep its
/// accounts locked. A server whose commits do not wait for the disk is made to wait; one that waits for replicas as
/// well is left alone. Every statement finds its rows by a key, and is planned so whatever the statistics say: a plan
/// is kept with its statement, and one that reads whole tables is cheapest while they are empty.
const SETTINGS: &str = "
    SET idle_in_transaction_session_timeout = '15s';
    SET lock_timeout = '15s';
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

const WHO_AM_I: &str =
    "SELECT pid, extract(epoch FROM backend_start)::text FROM pg_stat_activity WHERE pid = pg_backend_pid()";

const END: &str = "SELECT pg_terminate_backend(pid, $2) FROM pg_stat_activity
    WHERE pid = $1 AND extract(epoch FROM backend_start)::text = $3";

type Statements = HashMap<&'static str, Statement>;

/// A connection.
pub(crate) struct Session {
    pub(crate) client: Client,
    statements: Statements,
    /// The process that serves it.
    pub(crate) backend: Backend,
}

/// A process of the database server. Process numbers come again, so its beginning belongs to its name.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    pid: i32,
    began: String,
}

impl Session {
    pub(crate) fn connect(config: &Config) -> Result<Self, Failure> {
        let mut config = config.clone();
        config.application_name("purser").tcp_user_timeout(ANSWER_WITHIN);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_WITHIN);
        }
        let mut client = config.connect(NoTls)?;
        client.batch_execute(SETTINGS)?;
        let row = client.query_one(WHO_AM_I, &[])?;
        let backend = Backend { pid: row.try_get(0)?, began: row.try_get(1)? };
        Ok(Self { client, statements: HashMap::new(), backend })
    }

    /// Begins a transaction.
    pub(crate) fn begin(&mut self) -> Result<Work<'_>, Failure> {
        // What others committed while it waited for their locks is what it must see, so that it reads what is
        // committed and not what was when it began.
        let transaction = self.client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start()?;
        Ok(Work { transaction, statements: &mut self.statements })
    }

    /// A statement, prepared once for the connection.
    pub(crate) fn prepare(&mut self, sql: &'static str) -> Result<Statement, Failure> {
        prepared(&mut self.statements, sql, |sql| self.client.prepare(sql))
    }

    pub(crate) fn query(&mut self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Failure> {
        let statement = self.prepare(sql)?;
        Ok(self.client.query(&statement, parameters)?)
    }

    pub(crate) fn execute(&mut self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64, Failure> {
        let statement = self.prepare(sql)?;
        Ok(self.client.execute(&statement, parameters)?)
    }

    /// Sees to it that the process of a lost connection is gone. Until then it may still be committing, and what it
    /// was told to commit could appear after it was said that it never happened.
    pub(crate) fn end(&mut self, lost: &Backend) -> Result<(), Failure> {
        let rows = self.query(END, &[&lost.pid, &END_WITHIN_MS, &lost.began])?;
        let has_ended = rows.first().map_or(Ok(true), |row| row.try_get(0))?;
        if has_ended {
            return Ok(());
        }
        Err(StoreError::unavailable("the server process of a lost connection is still at work").into())
    }
}

/// A transaction. Dropped, it is undone.
pub(crate) struct Work<'a> {
    transaction: Transaction<'a>,
    statements: &'a mut Statements,
}

impl Work<'_> {
    pub(crate) fn query(&mut self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Failure> {
        let statement = self.prepare(sql)?;
        Ok(self.transaction.query(&statement, parameters)?)
    }

    pub(crate) fn execute(&mut self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64, Failure> {
        let statement = self.prepare(sql)?;
        Ok(self.transaction.execute(&statement, parameters)?)
    }

    pub(crate) fn commit(self) -> Result<(), Failure> {
        Ok(self.transaction.commit()?)
    }

    fn prepare(&mut self, sql: &'static str) -> Result<Statement, Failure> {
        prepared(self.statements, sql, |sql| self.transaction.prepare(sql))
    }
}

fn prepared(
    statements: &mut Statements,
    sql: &'static str,
    prepare: impl FnOnce(&str) -> Result<Statement, postgres::Error>,
) -> Result<Statement, Failure> {
    if let Some(statement) = statements.get(sql) {
        return Ok(statement.clone());
    }
    let statement = prepare(sql)?;
    statements.insert(sql, statement.clone());
    Ok(statement)
}
