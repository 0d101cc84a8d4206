//! The checkpoint: writes what has gathered in memory into the state file, while commits go on.
//!
//! [`Core::checkpoint`] is a step: it has no thread and no clock of its own. A running server calls it from the thread
//! that [`run`] is; the crash tests call it where they please.

use crate::keys::{Run, Stored, merged};
use crate::overlay::Overlay;
use crate::store::Core;
use ledger_store::StoreError;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Runs of like size are merged once there are so many.
const RUNS_OF_A_SIZE: usize = 6;
/// Larger runs than this are left as they are, until they lapse.
const RUN_KEYS_MAX: u64 = 1 << 25;

impl Core {
    /// Writes what has gathered, if anything. Returns whether something was written. After an error nothing is lost:
    /// the same is tried again by the next call.
    pub(crate) fn checkpoint(&self) -> Result<bool, StoreError> {
        let began = Instant::now();
        let result = self.write_checkpoint();
        self.measures.checkpoint(began.elapsed(), &result);
        result
    }

    fn write_checkpoint(&self) -> Result<bool, StoreError> {
        let _one_at_a_time = self.checkpointing()?;
        let (overlay, runs) = {
            let mut shared = self.layers_mut()?;
            if shared.frozen.is_none() {
                if shared.active.is_empty() {
                    return Ok(false);
                }
                shared.frozen = Some(Arc::new(std::mem::take(&mut shared.active)));
            }
            (shared.frozen.clone().unwrap_or_default(), shared.runs.clone())
        };
        let Some(mark) = overlay.mark else {
            return Err(StoreError::corrupt("what has gathered names no journal record"));
        };
        let kept = self.next_runs(&overlay, &runs, mark.record)?;
        self.state()?.write(&overlay, &kept, mark)?;
        let view = self.state()?.view()?.ok_or_else(|| StoreError::corrupt("the state file lost its mark"))?;
        {
            let mut shared = self.layers_mut()?;
            shared.view = Arc::new(view);
            shared.runs.clone_from(&kept);
            shared.frozen = None;
        }
        self.written.notify_all();
        for run in runs.iter().filter(|run| kept.iter().all(|kept| kept.name != run.name)) {
            self.medium.remove(&run.name)?;
        }
        tracing::debug!(items = overlay.items, record = mark.record, runs = kept.len(), "checkpoint written");
        Ok(true)
    }

    /// The runs that are to be after this checkpoint, the new one among them.
    fn next_runs(&self, overlay: &Overlay, runs: &[Arc<Run>], record: u64) -> Result<Vec<Arc<Run>>, StoreError> {
        let forget_before_ms = self.forget_before_ms.load(Ordering::Relaxed);
        let mut kept: Vec<Arc<Run>> = runs.iter().filter(|run| run.newest_ms >= forget_before_ms).cloned().collect();
        if !overlay.keys.is_empty() {
            let mut stored: Vec<Stored> =
                overlay.keys.iter().map(|(key, (_, position))| Stored { key: *key, position: *position }).collect();
            stored.sort_unstable();
            let newest_ms = overlay.keys.values().map(|(record, _)| record.recorded_at.millis()).max().unwrap_or(0);
            let count = u64::try_from(stored.len()).unwrap_or(0);
            let name = format!("keys/{record:016}-0.run");
            let run = Run::write(&*self.medium, &name, newest_ms, count, stored.into_iter().map(Ok))?;
            kept.push(Arc::new(run));
        }
        while let Some(from) = mergeable(&kept) {
            let parts = &kept[from..];
            let count = parts.iter().map(|run| run.keys).sum();
            let newest_ms = parts.iter().map(|run| run.newest_ms).max().unwrap_or(0);
            let name = format!("keys/{record:016}-{}.run", kept.len());
            let run = Run::write(&*self.medium, &name, newest_ms, count, merged(parts))?;
            // A part that was only just written is in no checkpoint yet, and nobody else will remove it.
            for part in parts.iter().filter(|part| runs.iter().all(|run| run.name != part.name)) {
                self.medium.remove(&part.name)?;
            }
            kept.truncate(from);
            kept.push(Arc::new(run));
        }
        Ok(kept)
    }
}

/// Where the newest runs begin that are to be made one: the last few, each of about the size of the newest.
fn mergeable(runs: &[Arc<Run>]) -> Option<usize> {
    let size = |run: &Arc<Run>| run.keys.max(1).ilog(8);
    let newest = size(runs.last()?);
    let alike = runs.iter().rev().take_while(|run| size(run) <= newest && run.keys < RUN_KEYS_MAX).count();
    (alike >= RUNS_OF_A_SIZE).then(|| runs.len() - alike)
}

/// What the thread is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Much has gathered.
    Checkpoint,
    /// End.
    Stop,
}

/// Checkpoints when told to, and otherwise every so often; has full segments sealed. Ends when it is told to.
pub(crate) fn run(core: &Arc<Core>, told: &Receiver<Told>) {
    let interval = Duration::from_millis(core.settings.checkpoint_interval_ms);
    let mut sealing: Option<JoinHandle<()>> = None;
    loop {
        let mut word = told.recv_timeout(interval);
        // Whoever commits says so again and again until it is done: one word is as good as many.
        while let Ok(next) = told.try_recv() {
            if word != Ok(Told::Stop) {
                word = Ok(next);
            }
        }
        let is_wanted = match word {
            Ok(Told::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => true,
            // The word may be older than the last checkpoint.
            Ok(Told::Checkpoint) => core
                .layers()
                .is_ok_and(|layers| layers.frozen.is_some() || layers.active.items >= core.settings.checkpoint_items),
        };
        if is_wanted {
            let began = Instant::now();
            match core.checkpoint() {
                Ok(written) => tracing::debug!(written, took_ms = began.elapsed().as_millis(), "checkpoint"),
                // What has gathered stays in memory and in the journal. Commits wait once there is twice as much as
                // usual, so that memory stays bounded.
                Err(error) => {
                    tracing::error!(%error, "the state file cannot be written; the next start will take longer");
                    std::thread::sleep(Duration::from_millis(200));
                }
            }
        }
        // Packing a segment takes a second or two, for which no checkpoint may wait.
        if sealing.as_ref().is_none_or(JoinHandle::is_finished) {
            let core = core.clone();
            let thread = std::thread::Builder::new().name("ledger-seal".to_owned());
            sealing = thread.spawn(move || seal(&core)).ok();
        }
    }
    if let Some(sealing) = sealing {
        // A panic in it has been printed; there is nothing to add.
        let _ = sealing.join();
    }
}

fn seal(core: &Core) {
    loop {
        match core.journal().and_then(|journal| journal.seal_one()) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, "a full journal segment cannot be sealed yet");
                return;
            }
        }
    }
}
