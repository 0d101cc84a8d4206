//! What figures mean nothing without: the machine, the versions, the day, and the command.

use super::process::kib_of;
use super::{postgres, redis};
use crate::workspace::output_of;
use ledger_core::Timestamp;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// The facts as a list in Markdown.
pub(super) fn facts(command_line: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let rustc = output_of("rustc", &["--version"]);
    let facts = [
        ("command", format!("`{command_line}`")),
        ("date", day(now())),
        (
            "processor",
            format!("{}, {cores} cores", read("/proc/cpuinfo").and_then(|text| model(&text)).unwrap_or_else(unknown)),
        ),
        ("memory", read("/proc/meminfo").and_then(|text| memory(&text)).unwrap_or_else(unknown)),
        ("kernel", read("/proc/sys/kernel/osrelease").map_or_else(unknown, |text| format!("Linux {}", text.trim()))),
        ("rustc", rustc.map_or_else(unknown, |text| text.trim().trim_start_matches("rustc ").to_owned())),
        ("PostgreSQL", postgres::version().unwrap_or_else(|| "not installed".to_owned())),
        ("Redis", redis::version().unwrap_or_else(|| "not installed".to_owned())),
    ];
    facts.iter().map(|(name, value)| format!("- {name}: {value}\n")).collect()
}

#[allow(
    clippy::disallowed_methods,
    reason = "figures carry the day on which they were measured, by this machine's clock"
)]
pub(super) fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

fn day(time: Timestamp) -> String {
    let text = time.to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory(meminfo: &str) -> Option<String> {
    let kib = kib_of(meminfo, "MemTotal:")?;
    Some(format!("{:.0} GiB", kib as f64 / 1_048_576.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_as_the_kernel_writes_them() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2.0GHz\nmodel name\t: other\n";
        assert_eq!(model(cpuinfo).unwrap(), "Some CPU @ 2.0GHz");
        assert_eq!(memory("MemTotal:       24117248 kB\nMemFree: 1 kB\n").unwrap(), "23 GiB");
        assert_eq!(day(Timestamp::from_millis(0)), "1970-01-01");
    }
}
