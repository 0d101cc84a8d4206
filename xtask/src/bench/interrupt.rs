//! Ctrl-C, and the signal that asks a process to end: noticed here and looked for between steps, so that every server
//! that was started is stopped by who started it.

use anyhow::{Context, Result, bail};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Builder;

/// A signal is the process's, and so is what is known of it.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Watches for signals from now on, in a thread of its own.
pub(super) fn watch() -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
    std::thread::spawn(move || {
        let heard = runtime.block_on(asked_to_stop());
        if let Err(error) = &heard {
            println!("signals cannot be awaited ({error}); servers may be left behind by Ctrl-C");
        }
        ASKED.store(heard.is_ok(), Ordering::Relaxed);
    });
    Ok(())
}

/// Whether somebody asked to stop.
pub(super) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Fails once somebody asked to stop.
pub(super) fn check() -> Result<()> {
    if asked() {
        bail!("stopped before the end, as asked");
    }
    Ok(())
}

#[cfg(unix)]
async fn asked_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn asked_to_stop() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
