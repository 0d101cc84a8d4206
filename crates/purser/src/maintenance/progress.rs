//! How far work has come, on the terminal, and nothing where there is none.

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, Read, Write};
use std::time::Duration;

const TICK: Duration = Duration::from_millis(200);

/// A bar over something that is counted, whose end may be learned on the way.
pub(super) fn counted(what: &str) -> anyhow::Result<ProgressBar> {
    styled(0, &format!("{{elapsed_precise}} [{{bar:40}}] {{pos}}/{{len}} {what}, {{per_sec}}, {{eta}} to go"))
}

/// A bar over bytes.
pub(super) fn bytes(of: u64) -> anyhow::Result<ProgressBar> {
    styled(of, "{elapsed_precise} [{bar:40}] {bytes}/{total_bytes}, {binary_bytes_per_sec}, {eta} to go")
}

/// Bytes of which nobody knows how many there will be.
pub(super) fn bytes_without_end() -> anyhow::Result<ProgressBar> {
    ticking("{elapsed_precise} {spinner} {bytes}, {binary_bytes_per_sec}")
}

/// Work of unknown length.
pub(super) fn spinner(what: &'static str) -> anyhow::Result<ProgressBar> {
    Ok(ticking("{elapsed_precise} {spinner} {msg}")?.with_message(what))
}

fn styled(of: u64, template: &str) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template(template).context("the progress bar's template is wrong")?;
    Ok(ProgressBar::new(of).with_style(style.progress_chars("=> ")))
}

fn ticking(template: &str) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template(template).context("the progress bar's template is wrong")?;
    let bar = ProgressBar::new_spinner().with_style(style.tick_chars("-\\|/ "));
    bar.enable_steady_tick(TICK);
    Ok(bar)
}

/// Counts what passes through.
pub(super) struct Counted<'a, T> {
    pub(super) inner: T,
    pub(super) bar: &'a ProgressBar,
}

impl<T> Counted<'_, T> {
    fn count(&self, bytes: usize) {
        self.bar.inc(u64::try_from(bytes).unwrap_or(0));
    }
}

impl<T: Read> Read for Counted<'_, T> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.count(count);
        Ok(count)
    }
}

impl<T: Write> Write for Counted<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.count(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_template_is_one() {
        for bar in [super::counted("records"), super::bytes(7), super::bytes_without_end(), super::spinner("working")] {
            bar.unwrap().finish_and_clear();
        }
    }
}
