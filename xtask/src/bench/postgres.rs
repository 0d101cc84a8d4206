//! PostgreSQL as a peer: a private cluster on a loopback port, with the settings that it comes with and data checksums,
//! under its own load generator, pgbench.

use super::load::latencies;
use super::process::{cpu_seconds, free_address, output};
use super::rounds::Sample;
use crate::workspace::output_of;
use anyhow::{Context, Result, bail};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Where Debian keeps the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The server refuses to run as root; this is who runs it then.
const SERVER_USER: &str = "postgres";
const DATABASE: &str = "postgres";
const STOP_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What pgbench is run with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub(super) script: &'static str,
    pub(super) clients: u32,
    pub(super) events_a_call: u32,
}

/// A running cluster, stopped when it is dropped.
#[derive(Debug)]
pub(super) struct Postgres {
    programs: PathBuf,
    scripts: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
}

/// The version that is installed.
pub(super) fn version() -> Option<String> {
    let version = output_of(programs()?.join("postgres").to_str()?, &["--version"])?;
    Some(version.trim().trim_start_matches("postgres (PostgreSQL) ").to_owned())
}

/// The folder of the newest programs that are complete.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let mut folders: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    folders.sort();
    let elsewhere = output_of("pg_config", &["--bindir"]).map(|path| PathBuf::from(path.trim()));
    let found = folders.into_iter().rev().map(|(_, folder)| folder).chain(elsewhere);
    let needed = ["initdb", "pg_ctl", "pgbench", "psql"];
    found.into_iter().find(|folder| needed.iter().all(|program| folder.join(program).is_file()))
}

impl Postgres {
    /// Makes a cluster in a folder and starts it; `None` where PostgreSQL is not installed.
    pub(super) fn start(folder: &Path, scripts: &Path) -> Result<Option<Self>> {
        let Some(programs) = programs() else {
            println!("PostgreSQL is left out: install it with its pgbench (Debian: apt-get install postgresql)");
            return Ok(None);
        };
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
        if is_root()? {
            output(Command::new("chown").arg(SERVER_USER).arg(folder))?;
        }
        let address = free_address()?;
        let this = Self { programs, scripts: scripts.to_owned(), folder: folder.to_owned(), address };
        output(this.as_server("initdb")?.arg("-D").arg(this.data()).args(["-U", SERVER_USER, "-A", "trust", "-k"]))
            .context("if it lacks a permission: the user postgres must reach the folder that --data names")?;
        let options =
            format!("-c listen_addresses={} -c port={} -c unix_socket_directories=", address.ip(), address.port());
        output(
            this.as_server("pg_ctl")?
                .arg("-D")
                .arg(this.data())
                .arg("-l")
                .arg(this.folder.join("log"))
                .args(["-o", &options, "-w", "start"]),
        )?;
        output(this.client("psql").args(["-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(this.scripts.join("schema.sql")))?;
        Ok(Some(this))
    }

    /// Runs one variant for a time.
    pub(super) fn measure(&self, work: Work, time: Duration) -> Result<Sample> {
        let logs = self.folder.with_file_name("pgbench");
        fs::create_dir_all(&logs)?;
        let server = self.process()?;
        let cpu_before_s = cpu_seconds(server)?;
        let clients = work.clients.to_string();
        let threads = if work.clients > 1 { "2" } else { "1" };
        let report = output(
            self.client("pgbench")
                .args(["-n", "-M", "prepared", "-c", &clients, "-j", threads, "-T", &time.as_secs().to_string()])
                .arg("-f")
                .arg(self.scripts.join(work.script))
                .arg("-l")
                .arg("--log-prefix")
                .arg(logs.join("calls")),
        )?;
        let cpu_s = cpu_seconds(server)? - cpu_before_s;
        let calls_per_second = read_rate(&report).with_context(|| format!("pgbench says no rate:\n{report}"))?;
        let mut latency_us = latencies()?;
        for entry in fs::read_dir(&logs)? {
            let path = entry?.path();
            for line in fs::read_to_string(&path)?.lines() {
                latency_us.saturating_record(read_latency_us(line).context("pgbench's log cannot be read")?);
            }
            fs::remove_file(path)?;
        }
        // What one variant leaves to be written must not burden the next, which may be another program's.
        output(self.client("psql").args(["-q", "-c", "checkpoint"]))?;
        let per_second = calls_per_second * f64::from(work.events_a_call);
        Ok(Sample { per_second, ..Sample::new(&latency_us, cpu_s, None) })
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A program of the server's side, run as who may run it.
    fn as_server(&self, program: &str) -> Result<Command> {
        let program = self.programs.join(program);
        let mut command = if is_root()? {
            let mut command = Command::new("runuser");
            command.args(["-u", SERVER_USER, "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(&self.folder);
        Ok(command)
    }

    /// A program of the client's side.
    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.arg("-h").arg(self.address.ip().to_string()).arg("-p").arg(self.address.port().to_string());
        command.args(["-U", SERVER_USER]).env("PGDATABASE", DATABASE);
        command
    }

    /// The server's process, which wrote down its own number.
    fn process(&self) -> Result<u32> {
        let path = self.data().join("postmaster.pid");
        let text = fs::read_to_string(&path).context("PostgreSQL does not run")?;
        text.lines().next().and_then(|line| line.trim().parse().ok()).context("postmaster.pid names no process")
    }

    fn stop(&self) -> Result<()> {
        let process = self.process()?.to_string();
        // A fast shutdown: connections are ended, and its processes are gone when it is.
        output(Command::new("kill").args(["-INT", &process]))?;
        let began = Instant::now();
        while Path::new("/proc").join(&process).exists() {
            if began.elapsed() > STOP_WITHIN {
                output(Command::new("kill").args(["-KILL", &process]))?;
                bail!("process {process} did not stop within {} s and was killed", STOP_WITHIN.as_secs());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Where it never came to run there is no file that names its process, and nothing to stop.
        if self.data().join("postmaster.pid").exists()
            && let Err(error) = self.stop()
        {
            println!("PostgreSQL was not stopped well: {error:#}");
        }
    }
}

/// Whether this program runs as root.
fn is_root() -> Result<bool> {
    let status = fs::read_to_string("/proc/self/status").context("there is no /proc")?;
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:")).context("a process without a user")?;
    Ok(users.split_whitespace().nth(1) == Some("0"))
}

/// The rate in pgbench's report, in calls a second.
fn read_rate(report: &str) -> Option<f64> {
    let line = report.lines().find_map(|line| line.strip_prefix("tps = "))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The latency in a line of pgbench's log: client, number, microseconds, and more.
fn read_latency_us(line: &str) -> Option<u64> {
    line.split_whitespace().nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_pgbench_is_read() {
        let report =
            "number of clients: 64\nlatency average = 10.900 ms\ntps = 5871.438 (without initial connection)\n";
        assert_eq!(read_rate(report), Some(5871.438));
        assert_eq!(read_rate("pgbench: error"), None);
        assert_eq!(read_latency_us("3 17 9412 0 1764000000 123456"), Some(9_412));
        assert_eq!(read_latency_us("3 17"), None);
    }
}
