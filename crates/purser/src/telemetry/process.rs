//! The process as the kernel sees it, from `/proc`. Where there is none, as on other systems than Linux, these measures
//! are left out. Names are those that client libraries of Prometheus agree on.

use std::fmt::{Display, Write};
use std::fs;
use std::sync::LazyLock;

/// Clock ticks in a second, as the kernel shows them to programs; it has been 100 on every architecture that Rust's
/// standard library runs Linux on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Writes them in Prometheus's text format.
pub(super) fn write(text: &mut String) {
    let mut metric = |name: &str, kind: &str, help: &str, value: Option<&dyn Display>| {
        if let Some(value) = value {
            // Writing to a text never fails.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n\n");
        }
    };
    let own = |file: &str| fs::read_to_string(format!("/proc/self/{file}")).ok();
    let stat = own("stat").and_then(|stat| Stat::read(&stat));
    let resident = own("status").and_then(|status| resident_bytes(&status));
    // One of them is the folder that is being read.
    let open = fs::read_dir("/proc/self/fd").ok().map(|files| files.count().saturating_sub(1));
    let most = own("limits").and_then(|limits| open_files_max(&limits));
    let started = stat.as_ref().and_then(|stat| Some(*BOOTED_AT_SECONDS.as_ref()? + stat.started_after_seconds));
    fn shown<T: Display>(value: &Option<T>) -> Option<&dyn Display> {
        value.as_ref().map(|value| value as &dyn Display)
    }
    let cpu = stat.as_ref().map(|stat| stat.cpu_seconds);
    let threads = stat.as_ref().map(|stat| stat.threads);
    metric("process_cpu_seconds_total", "counter", "Time that the process spent on processors", shown(&cpu));
    metric("process_resident_memory_bytes", "gauge", "Memory that the process occupies", shown(&resident));
    metric("process_open_fds", "gauge", "Files and connections that are open", shown(&open));
    metric("process_max_fds", "gauge", "How many may be open", shown(&most));
    metric("process_threads", "gauge", "Threads", shown(&threads));
    metric("process_start_time_seconds", "gauge", "When the process started, in seconds since 1970", shown(&started));
}

/// When the machine started, in seconds since 1970.
static BOOTED_AT_SECONDS: LazyLock<Option<f64>> = LazyLock::new(|| {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
});

#[derive(Debug, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    threads: u64,
    started_after_seconds: f64,
}

impl Stat {
    /// Reads `/proc/[pid]/stat` (proc_pid_stat(5)). The program's name is in parentheses and may hold anything.
    fn read(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(") ")?;
        // The first of these is the third field of the manual's page.
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u32>().ok();
        let seconds = |ticks: f64| ticks / TICKS_PER_SECOND;
        Some(Self {
            cpu_seconds: seconds(f64::from(field(14)?) + f64::from(field(15)?)),
            threads: field(20)?.into(),
            started_after_seconds: seconds(fields.get(22 - 3)?.parse().ok()?),
        })
    }
}

fn resident_bytes(status: &str) -> Option<u64> {
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    kib.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn open_files_max(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_read() {
        let stat = "4242 (a ) (b) S 1 4242 4242 0 -1 4194304 1 2 3 4 1250 250 5 6 20 0 9 0 86400 1000 200 1 1";
        assert_eq!(
            Stat::read(stat),
            Some(Stat { cpu_seconds: 15.0, threads: 9, started_after_seconds: 864.0 }),
            "utime, stime, num_threads and starttime"
        );
        assert_eq!(Stat::read("4242 (cut) S 1"), None);
        assert_eq!(resident_bytes("VmSize:\t 9 kB\nVmRSS:\t    1024 kB\n"), Some(1_048_576));
        let limits = "Limit    Soft Limit  Hard Limit  Units\nMax open files            1024    524288   files\n";
        assert_eq!(open_files_max(limits), Some(1024));
    }
}
