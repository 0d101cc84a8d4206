//! A writer that keeps to a pace, so that a backup leaves disk and network to those who serve. Time that was not used is
//! not made up for: a pause is followed by no burst.

use std::io::{self, Write};
use std::time::{Duration, Instant};

/// When the next bytes may follow.
#[derive(Clone, Copy, Debug)]
struct Pace {
    bytes_per_second: u64,
    /// Since the beginning.
    free_at: Duration,
}

impl Pace {
    /// Notes that so many bytes were written, and says how long to wait before the next.
    fn after(&mut self, now: Duration, bytes: usize) -> Duration {
        let nanos = u128::try_from(bytes).unwrap_or(0) * 1_000_000_000 / u128::from(self.bytes_per_second.max(1));
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.free_at = self.free_at.max(now).saturating_add(takes);
        self.free_at.saturating_sub(now)
    }
}

/// The writer. Writes are taken as they come; let them be small against the pace, so that pauses are short.
pub(super) struct Paced<W> {
    inner: W,
    began: Instant,
    pace: Option<Pace>,
}

impl<W> Paced<W> {
    pub(super) fn new(inner: W, bytes_per_second_max: Option<u64>) -> Self {
        let pace = bytes_per_second_max.map(|bytes_per_second| Pace { bytes_per_second, free_at: Duration::ZERO });
        Self { inner, began: Instant::now(), pace }
    }
}

impl<W: Write> Write for Paced<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        if let Some(pace) = &mut self.pace {
            std::thread::sleep(pace.after(self.began.elapsed(), written));
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_kept_without_bursts() {
        let ms = Duration::from_millis;
        let mut pace = Pace { bytes_per_second: 1000, free_at: Duration::ZERO };
        assert_eq!(pace.after(ms(0), 100), ms(100));
        assert_eq!(pace.after(ms(100), 50), ms(50));
        assert_eq!(pace.after(ms(120), 50), ms(80), "what was written early waits for longer");
        assert_eq!(pace.after(ms(5000), 100), ms(100), "a pause gives no credit");
        let mut slow = Pace { bytes_per_second: 0, free_at: Duration::ZERO };
        assert_eq!(slow.after(ms(0), 1), ms(1000));
    }

    #[test]
    fn a_paced_writer_writes_everything_and_takes_its_time() {
        let began = Instant::now();
        let mut paced = Paced::new(Vec::new(), Some(1 << 20));
        for _ in 0..8 {
            paced.write_all(&[7; 16 << 10]).unwrap();
        }
        assert_eq!(paced.inner.len(), 128 << 10);
        assert!(began.elapsed() >= Duration::from_millis(120), "{:?}", began.elapsed());
        let mut unpaced = Paced::new(Vec::new(), None);
        unpaced.write_all(b"x").unwrap();
        assert_eq!(unpaced.inner, b"x");
    }
}
