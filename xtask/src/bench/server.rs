//! The Purser that is measured: a release build as a process of its own, talked to over HTTP alone, with the
//! configuration that is compiled in.

use super::charges::Accounts;
use super::load::{self, Outcome};
use super::process::{Guarded, free_address};
use super::sources::{Batches, Budget, Opening, Singles};
use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The administrator's key of a server that lives as long as a measurement.
pub(super) const KEY: &str = "purser-bench-admin-key";
/// How long the server may take until it answers: opening replays a journal, and compiles plugins the first time.
const READY_WITHIN: Duration = Duration::from_secs(300);
const READY_ANSWER_WITHIN: Duration = Duration::from_secs(5);
const OPENING_CONNECTIONS: u64 = 64;
const OPENING_WITHIN: Duration = Duration::from_secs(1_800);

/// How a server is started.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) working_directory: PathBuf,
    pub(super) data: PathBuf,
}

/// A running server.
#[derive(Debug)]
pub(super) struct Purser {
    process: Guarded,
    pub(super) address: SocketAddr,
}

impl Launch {
    /// Starts a server and waits until it takes requests; answers how long that took too.
    pub(super) fn start(&self) -> Result<(Purser, Duration)> {
        let address = free_address()?;
        let mut command = Command::new(&self.program);
        command.current_dir(&self.working_directory).arg("serve");
        command.arg("--listen").arg(address.to_string()).arg("--data").arg(&self.data);
        command.env("PURSER_ADMIN_KEY", KEY).env("PURSER_LOG", "warn").env_remove("PURSER_CONFIG");
        let mut process = Guarded::start("purser", command)?;
        let took = process.until(READY_WITHIN, || is_ready(address))?;
        Ok((Purser { process, address }, took))
    }
}

impl Purser {
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Opens accounts from 1 to a number, with credits.
    pub(super) fn open_accounts(&self, accounts: u64) -> Result<Outcome> {
        let sources = Opening::connections(self.address, OPENING_CONNECTIONS, accounts);
        load::drive(self.address, sources, OPENING_WITHIN).context("accounts could not be opened")
    }

    /// Charges one by one.
    pub(super) fn charge(&self, connections: usize, accounts: Accounts, limit: Duration) -> Result<Outcome> {
        load::drive(self.address, Singles::connections(self.address, connections, accounts), limit)
    }

    /// Charges in batches, of events that happen now.
    pub(super) fn charge_batches(&self, connections: usize, accounts: Accounts, limit: Duration) -> Result<Outcome> {
        let budget = Budget::new(0, u64::MAX / 2);
        load::drive(self.address, Batches::connections(self.address, connections, accounts, &budget, None), limit)
    }

    /// Kills the server as a power cut would.
    pub(super) fn kill(mut self) -> Result<()> {
        self.process.kill().context("the server cannot be killed").map(|_| ())
    }
}

/// Whether the server says that it is ready.
fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, READY_ANSWER_WITHIN)?;
        stream.set_read_timeout(Some(READY_ANSWER_WITHIN))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut start = [0; 12];
        stream.read_exact(&mut start)?;
        Ok(start.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}
