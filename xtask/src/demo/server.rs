//! The demo's server: a child process that is started, awaited, and asked to stop.

use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use trace_replay::client::{Call, Client};

/// How long the server may take until it answers: opening replays a journal, and compiles plugins the first time.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long the server may take to finish what it accepted.
const STOP_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
}

impl Server {
    /// Starts the server that was built last.
    pub(super) fn start(workspace: &Workspace, listen: SocketAddr, data: &Path, key: &str) -> Result<Self> {
        if TcpStream::connect_timeout(&super::reachable(listen), Duration::from_secs(1)).is_ok() {
            bail!("something listens on {listen} already; stop it, or choose another address with --listen");
        }
        let program = workspace.target.join("release").join(format!("purser{}", std::env::consts::EXE_SUFFIX));
        let mut command = Command::new(&program);
        command.current_dir(&workspace.root).arg("serve");
        command.arg("--listen").arg(listen.to_string()).arg("--data").arg(data);
        command.env("PURSER_ADMIN_KEY", key).stdin(Stdio::null());
        // In a group of its own the child does not get the terminal's Ctrl-C beside ours: it is asked to stop once.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().with_context(|| format!("{} cannot be started", program.display()))?;
        Ok(Self { child })
    }

    /// Waits until the server takes requests.
    pub(super) async fn until_ready(&mut self, client: &Client) -> Result<()> {
        let began = Instant::now();
        let ready = Call::get("/readyz");
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended before it was ready ({status}); what it said is above");
            }
            if client.send(&ready).await.is_ok_and(|answer| answer.is_success()) {
                return Ok(());
            }
            if began.elapsed() > READY_WITHIN {
                bail!("the server was not ready within {} s; what it said is above", READY_WITHIN.as_secs());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until the server ends by itself, which it should not.
    pub(super) async fn until_exited(&mut self) -> Result<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended by itself ({status}); what it said is above");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Asks the server to stop, and waits until it has; a server that does not is killed.
    pub(super) async fn stop(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        println!("\nstopping the server");
        terminate(&mut self.child)?;
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > STOP_WITHIN {
                self.child.kill().context("the server cannot be killed")?;
                self.child.wait()?;
                bail!("the server did not stop within {} s and was killed", STOP_WITHIN.as_secs());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

/// Asks a process to end. The standard library only kills, and one signal is no reason for a dependency.
#[cfg(unix)]
fn terminate(child: &mut Child) -> Result<()> {
    let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    if !status.context("`kill` cannot be run")?.success() {
        child.kill().context("the server cannot be killed")?;
    }
    Ok(())
}

/// Windows has no signal that asks; what was acknowledged is durable all the same.
#[cfg(not(unix))]
fn terminate(child: &mut Child) -> Result<()> {
    child.kill().context("the server cannot be killed")
}

/// Waits for Ctrl-C, or for the signal that asks a process to end.
pub(super) async fn until_asked_to_stop() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminated = signal(SignalKind::terminate()).context("signals cannot be awaited")?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted.context("signals cannot be awaited"),
            _ = terminated.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.context("signals cannot be awaited")
}
