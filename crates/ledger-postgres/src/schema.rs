//! Makes the tables where they are missing, and refuses a database that this program does not understand.

use crate::failure::Failure;
use crate::session::Session;
use ledger_store::StoreError;
use ledger_store::rows::ROWS_FORMAT;
use postgres::error::SqlState;
use std::path::PathBuf;

/// The version of the tables.
pub const SCHEMA_VERSION: u64 = 1;

const TABLES: &str = include_str!("schema.sql");

const VERSIONS: &str =
    "CREATE TABLE IF NOT EXISTS ledger_format (schema_version bigint NOT NULL, rows_format bigint NOT NULL)";

/// Nodes that start together on an empty database get into each other's way, which PostgreSQL tells in several ways.
const ATTEMPTS_MAX: u32 = 5;

/// Sees to it that the tables are there and are those of this program.
pub(crate) fn ensure(session: &mut Session) -> Result<(), Failure> {
    let mut attempt = 1;
    loop {
        match attempt_once(session) {
            Err(failure) if attempt < ATTEMPTS_MAX && was_beaten(&failure) => attempt += 1,
            done => return done,
        }
    }
}

/// Whether another node made the tables at the same time.
fn was_beaten(failure: &Failure) -> bool {
    let codes = [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_TABLE, SqlState::DUPLICATE_OBJECT];
    failure.is_any_of(&codes) || failure.is_passing()
}

fn attempt_once(session: &mut Session) -> Result<(), Failure> {
    let mut transaction = session.client.transaction()?;
    transaction.batch_execute(VERSIONS)?;
    let Some(row) = transaction.query_opt("SELECT schema_version, rows_format FROM ledger_format", &[])? else {
        transaction.batch_execute(TABLES)?;
        let [schema_version, rows_format] = [SCHEMA_VERSION, ROWS_FORMAT].map(u64::cast_signed);
        transaction.execute("INSERT INTO ledger_format VALUES ($1, $2)", &[&schema_version, &rows_format])?;
        return Ok(transaction.commit()?);
    };
    let [schema_version, rows_format] = [row.try_get::<_, i64>(0)?, row.try_get::<_, i64>(1)?].map(i64::cast_unsigned);
    check("the schema of the PostgreSQL database", schema_version, SCHEMA_VERSION)?;
    check("what the rows of the PostgreSQL database hold", rows_format, ROWS_FORMAT)?;
    Ok(())
}

fn check(what: &str, found: u64, supported: u64) -> Result<(), StoreError> {
    match found {
        _ if found == supported => Ok(()),
        _ if found > supported => Err(StoreError::NewerFormat { path: PathBuf::from(what), found, supported }),
        // Other nodes may be at work on it, so that it is not for the first newer one to convert it.
        _ => Err(StoreError::unavailable(format_args!(
            "{what} has format {found}, and this Purser writes {supported}; it must be converted first"
        ))),
    }
}
