//! What a replay will send: the trace's rows, shifted in time and assigned. Everything here is settled before the first
//! request, and depends on the options and the file alone (and on the present time, where no start is given).

use crate::Options;
use crate::assignment::assign;
use crate::trace::{self, Row};
use crate::wire::Charge;
use anyhow::{Context, ensure};
use ledger_core::Timestamp;
use ledger_core::ids::is_account_id;
use std::fs::File;
use std::io::{BufReader, Write};

/// A trace, ready to be charged.
#[derive(Clone, Debug)]
pub struct Plan {
    rows: Vec<Row>,
    start: Timestamp,
    seed: u64,
    activity: String,
    accounts: Vec<String>,
    agents: Vec<String>,
    models: Vec<String>,
}

impl Plan {
    /// Reads the trace and settles when its first row happened.
    ///
    /// # Errors
    /// Where the file cannot be read, or the prefix makes no account ids.
    pub fn read(options: &Options) -> anyhow::Result<Self> {
        let path = options.trace.display();
        let file = File::open(&options.trace).with_context(|| format!("the trace {path} cannot be opened"))?;
        let rows = trace::read(BufReader::new(file), options.limit).with_context(|| format!("in {path}"))?;
        Self::new(rows, options)
    }

    fn new(rows: Vec<Row>, options: &Options) -> anyhow::Result<Self> {
        let accounts: Vec<String> = (1..=options.accounts).map(|n| format!("{}{n}", options.account_prefix)).collect();
        ensure!(
            accounts.last().is_some_and(|id| is_account_id(id)),
            "--account-prefix {:?} makes no account ids: they are 1 to 128 of A-Z a-z 0-9 . _ : -",
            options.account_prefix
        );
        ensure!(!options.agents.is_empty() && !options.models.is_empty(), "there must be an agent and a model");
        let start = options.start.unwrap_or_else(|| now().plus_millis(-duration_ms(&rows)));
        Ok(Self {
            rows,
            start,
            seed: options.seed,
            activity: options.activity.clone(),
            accounts,
            agents: options.agents.clone(),
            models: options.models.clone(),
        })
    }

    /// How many charges there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is nothing to charge.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// When the first row happened.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The accounts' ids.
    pub fn accounts(&self) -> &[String] {
        &self.accounts
    }

    /// The charge of a row, counted from 0; `None` beyond the last.
    pub fn charge(&self, row: usize) -> Option<Charge<'_>> {
        let (first, Row { at, context_tokens, generated_tokens }) = (self.rows.first()?, *self.rows.get(row)?);
        let assigned = assign(self.seed, row, self.accounts.len(), self.agents.len(), self.models.len());
        Some(Charge {
            id: format!("replay-{}-{row}", self.seed),
            account: self.accounts.get(assigned.account.checked_sub(1)?)?,
            activity: &self.activity,
            agent: self.agents.get(assigned.agent)?,
            model: self.models.get(assigned.model)?,
            usage: vec![("input_tokens", context_tokens), ("output_tokens", generated_tokens), ("messages", 1)],
            occurred_at: Some(self.start.plus_millis(at.millis_since(first.at)).to_string()),
        })
    }

    /// Writes the charges as CSV, a header first.
    ///
    /// # Errors
    /// Where `out` cannot be written.
    pub fn write_csv(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record(["row", "id", "account", "agent", "model", "input_tokens", "output_tokens", "occurred_at"])?;
        for (number, row) in self.rows.iter().enumerate() {
            let Some(charge) = self.charge(number) else { continue };
            let tokens = [row.context_tokens.to_string(), row.generated_tokens.to_string()];
            let occurred_at = charge.occurred_at.unwrap_or_default();
            let [input, output] = &tokens;
            let number = number.to_string();
            csv.write_record([
                &number,
                &charge.id,
                charge.account,
                charge.agent,
                charge.model,
                input,
                output,
                &occurred_at,
            ])?;
        }
        csv.flush()?;
        Ok(())
    }
}

/// From the first row to the latest, which need not be the last.
fn duration_ms(rows: &[Row]) -> i64 {
    let Some(first) = rows.first() else { return 0 };
    rows.iter().map(|row| row.at.millis_since(first.at)).max().unwrap_or(0)
}

#[allow(clippy::disallowed_methods, reason = "a replay without a start ends now, by the clock of who runs it")]
fn now() -> Timestamp {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
