//! Processes that are measured: started, guarded, and read from `/proc`.
//!
//! Nothing that was started outlives this program: a guard ends its process by id when it is dropped, which also
//! happens where a step fails.

use super::interrupt;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What the kernel counts processor time in for programs, on every architecture that Purser runs on.
const TICKS_PER_SECOND: f64 = 100.0;
const LOOK_EVERY: Duration = Duration::from_millis(2);
const CPU_ATTEMPTS_MAX: u32 = 100;

/// A process of ours.
#[derive(Debug)]
pub(super) struct Guarded {
    child: Child,
    name: &'static str,
}

impl Guarded {
    /// Starts a program that speaks to nobody but, where something is wrong, through its standard error.
    pub(super) fn start(name: &'static str, mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        // In a group of its own the child does not get the terminal's Ctrl-C beside ours: it is stopped once.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        Ok(Self { child, name })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Looks again and again until the process is ready; fails where it ended, or where that takes too long.
    pub(super) fn until(&mut self, within: Duration, mut is_ready: impl FnMut() -> bool) -> Result<Duration> {
        let began = Instant::now();
        while !is_ready() {
            interrupt::check()?;
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended before it was ready ({status}); what it said is above", self.name);
            }
            if began.elapsed() > within {
                bail!("{} was not ready within {} s", self.name, within.as_secs());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(began.elapsed())
    }

    /// Kills without asking, as a power cut would, and waits until nothing is left of the process.
    pub(super) fn kill(&mut self) -> std::io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            println!("{}, process {}, cannot be stopped: {error}", self.name, self.child.id());
        }
    }
}

/// Runs a program to its end and returns what it said.
pub(super) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{name} cannot be run"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed ({}): {}", output.status, said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// An address on this machine that nobody listens on. Somebody may be faster to take it, and the start then fails.
pub(super) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    listener.local_addr().context("a listener without an address")
}

/// Processor time that a process, its children, and those children that ended have used.
pub(super) fn cpu_seconds(process: u32) -> Result<f64> {
    let missing = || format!("process {process} is not in /proc");
    let mut parent = stat(process).with_context(missing)?;
    for _ in 0..CPU_ATTEMPTS_MAX {
        let children_ticks = ticks_of_children(process)?;
        let again = stat(process).with_context(missing)?;
        // A child that ended in between may be in neither of the two sums, or in both.
        if again.ended_ticks == parent.ended_ticks {
            return Ok((again.ticks_with_ended() + children_ticks) as f64 / TICKS_PER_SECOND);
        }
        parent = again;
    }
    bail!("children of process {process} end faster than they can be counted")
}

fn ticks_of_children(process: u32) -> Result<u64> {
    let mut ticks = 0;
    for entry in fs::read_dir("/proc").context("there is no /proc")? {
        let Some(other) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process that has ended meanwhile is nobody's child.
        ticks += stat(other).filter(|stat| stat.parent == process).map_or(0, Stat::ticks_with_ended);
    }
    Ok(ticks)
}

/// Memory that a process has in RAM.
pub(super) fn resident_bytes(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    kib_of(&status, "VmRSS:").map(|kib| kib * 1024).with_context(|| format!("{path} has no VmRSS"))
}

/// A line of `/proc` such as `MemTotal: 24 kB`.
pub(super) fn kib_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// What is needed of `/proc/PROCESS/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    own_ticks: u64,
    ended_ticks: u64,
}

impl Stat {
    fn ticks_with_ended(self) -> u64 {
        self.own_ticks + self.ended_ticks
    }
}

fn stat(process: u32) -> Option<Stat> {
    read_stat(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

fn read_stat(text: &str) -> Option<Stat> {
    // The second field is the program's name, which may contain anything.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own_ticks: ticks(11)? + ticks(12)?,
        ended_ticks: ticks(13)? + ticks(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let text = "42 (a) b (c)) S 7 42 42 0 -1 4194560 900 0 0 0 250 50 30 3 20 0 5 0 1 2 3";
        assert_eq!(read_stat(text), Some(Stat { parent: 7, own_ticks: 300, ended_ticks: 33 }));
        assert_eq!(read_stat("42 (a) S 7"), None);
    }

    #[test]
    fn memory_is_read_by_name() {
        let status = "VmHWM:\t  200 kB\nVmRSS:\t  128 kB\nThreads:\t4\n";
        assert_eq!(kib_of(status, "VmRSS:"), Some(128));
        assert_eq!(kib_of(status, "Threads:"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        assert!(resident_bytes(std::process::id()).unwrap() > 0);
        assert!(cpu_seconds(std::process::id()).unwrap() >= 0.0);
    }
}
