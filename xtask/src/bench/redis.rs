//! Redis as a peer: a private server on a loopback port that syncs its file before it answers, under its own load
//! generator, redis-benchmark.

use super::process::{Guarded, cpu_seconds, free_address, output, resident_bytes};
use super::rounds::Sample;
use crate::workspace::output_of;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const CONNECTIONS: &str = "50";
/// How many requests a second of measurement stands for: redis-benchmark ends by number and not by time.
const REQUESTS_A_SECOND: u64 = 16_000;
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Accounts, and the range of every random number in a request, of which redis-benchmark has but one.
const ACCOUNTS: &str = "10000";
/// Three random numbers are unique enough; fewer entries than this share of the requests would be another measurement.
const BOOKED_SHARE_MIN: f64 = 0.999;
const DETAILS: &str = r#"{"activity":"chat","agent":"support-bot","model":"gpt-4o-mini","input_tokens":4211,"output_tokens":812,"messages":1}"#;

/// A running server, killed when it is dropped.
#[derive(Debug)]
pub(super) struct Redis {
    process: Guarded,
    address: SocketAddr,
    script: String,
}

/// The version that is installed.
pub(super) fn version() -> Option<String> {
    let text = output_of("redis-server", &["--version"])?;
    text.split_whitespace().find_map(|word| word.strip_prefix("v=")).map(str::to_owned)
}

impl Redis {
    /// Starts a server with its data in a folder; `None` where Redis is not installed.
    pub(super) fn start(folder: &Path, scripts: &Path) -> Result<Option<Self>> {
        if ["redis-server", "redis-cli", "redis-benchmark"].iter().any(|name| output_of(name, &["--version"]).is_none())
        {
            println!("Redis is left out: install it (Debian: apt-get install redis-server redis-tools)");
            return Ok(None);
        }
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
        let address = free_address()?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", &address.ip().to_string(), "--port", &address.port().to_string(), "--dir"]);
        command.arg(folder).args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
        // Rewriting its file in between would only cost it.
        command.args(["--auto-aof-rewrite-percentage", "0", "--daemonize", "no"]);
        let mut process = Guarded::start("redis-server", command)?;
        process.until(READY_WITHIN, || ask(address, &["PING"]).is_ok_and(|answer| answer == "PONG"))?;
        let text = |name: &str| {
            let path = scripts.join(name);
            fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
        };
        ask(address, &["EVAL", &text("accounts.lua")?, "0"])?;
        let script = ask(address, &["SCRIPT", "LOAD", &text("charge.lua")?])?;
        Ok(Some(Self { process, address, script }))
    }

    /// Charges for about so long.
    pub(super) fn measure(&self, time: Duration) -> Result<Sample> {
        let requests = time.as_secs() * REQUESTS_A_SECOND;
        let (entries_before, cpu_before_s) = (self.entries()?, cpu_seconds(self.process.id())?);
        let mut command = Command::new("redis-benchmark");
        command.args(["-h", &self.address.ip().to_string(), "-p", &self.address.port().to_string()]);
        command.args(["-n", &requests.to_string(), "-r", ACCOUNTS, "-c", CONNECTIONS, "--csv"]);
        command.args(["EVALSHA", &self.script, "3"]);
        command.args(["event:__rand_int__-__rand_int__-__rand_int__", "account:__rand_int__", "entries"]);
        command.args(["82500", DETAILS]);
        let report = output(&mut command)?;
        let cpu_s = cpu_seconds(self.process.id())? - cpu_before_s;
        let booked = self.entries()? - entries_before;
        ensure!(
            booked as f64 >= requests as f64 * BOOKED_SHARE_MIN,
            "Redis booked {booked} of {requests} charges; the first answers: {report}"
        );
        let figures = Figures::read(&report).with_context(|| format!("redis-benchmark says no figures: {report}"))?;
        Ok(Sample {
            per_second: figures.per_second,
            p50_us: figures.p50_ms * 1e3,
            p99_us: figures.p99_ms * 1e3,
            cpu_s,
            resident_bytes: Some(resident_bytes(self.process.id())? as f64),
        })
    }

    fn entries(&self) -> Result<u64> {
        ask(self.address, &["XLEN", "entries"])?.parse().context("a stream without a length")
    }
}

/// Sends one command and returns the answer.
fn ask(server: SocketAddr, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("redis-cli");
    command.args(["-e", "-h", &server.ip().to_string(), "-p", &server.port().to_string()]).args(arguments);
    output(&mut command).map(|answer| answer.trim().to_owned())
}

/// What redis-benchmark measured.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Figures {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Figures {
    /// Reads its table, whose last line ends with rate, average, least, p50, p95, p99 and most. The line begins with the
    /// command, which has commas and quotes of its own.
    fn read(report: &str) -> Option<Self> {
        let line = report.lines().rfind(|line| !line.trim().is_empty())?;
        let numbers: Vec<f64> =
            line.rsplit(',').take(7).map_while(|field| field.trim_matches('"').parse().ok()).collect();
        match numbers[..] {
            [_most, p99_ms, _p95, p50_ms, _least, _average, per_second] => Some(Self { per_second, p50_ms, p99_ms }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_from_its_end() {
        let report = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\",\
            \"p99_latency_ms\",\"max_latency_ms\"\n\
            \"EVALSHA 1f 3 a b {\"x\":1,\"y\":2}\",\"18975.33\",\"2.5\",\"0.3\",\"2.3\",\"4.1\",\"5.8\",\"9.9\"\n";
        let figures = Figures { per_second: 18_975.33, p50_ms: 2.3, p99_ms: 5.8 };
        assert_eq!(Figures::read(report), Some(figures));
        assert_eq!(Figures::read("Error from server: NOSCRIPT"), None);
    }
}
