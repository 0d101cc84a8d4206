//! Overload is refused early, before it takes memory: so many requests at a time, and so many bytes of large bodies.

use crate::problem::Problem;
use ledger_service::ServiceError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is under way.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    requests: AtomicUsize,
    batch_bytes: AtomicUsize,
}

/// A part of a bound, given back when it is let go.
#[derive(Debug)]
pub(crate) struct Admitted<'a> {
    taken: &'a AtomicUsize,
    amount: usize,
}

impl Admission {
    /// Lets a request in, unless so many are under way already.
    pub(crate) fn request(&self, requests_max: usize) -> Result<Admitted<'_>, Problem> {
        take(&self.requests, 1, requests_max)
    }

    /// Lets the body of a batch in, unless so many bytes of them are under way already. One alone always is.
    pub(crate) fn batch_body(&self, bytes: usize, bytes_max: usize) -> Result<Admitted<'_>, Problem> {
        take(&self.batch_bytes, bytes, bytes_max.max(bytes))
    }
}

fn take(taken: &AtomicUsize, amount: usize, max: usize) -> Result<Admitted<'_>, Problem> {
    let admitted = Admitted { taken, amount };
    if taken.fetch_add(amount, Ordering::Relaxed).saturating_add(amount) > max {
        // What was taken is given back as it is dropped.
        return Err(ServiceError::Overloaded.into());
    }
    Ok(admitted)
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.amount, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_given_back() {
        let admission = Admission::default();
        let held: Vec<_> = (0..3).map(|_| admission.request(3).unwrap()).collect();
        assert_eq!(admission.request(3).unwrap_err().kind.code, "overloaded");
        drop(held);
        assert!(admission.request(1).is_ok());
        let large = admission.batch_body(100, 10).unwrap();
        assert_eq!(admission.batch_body(1, 10).unwrap_err().kind.code, "overloaded");
        drop(large);
        let _small = [admission.batch_body(5, 10).unwrap(), admission.batch_body(5, 10).unwrap()];
        assert!(admission.batch_body(1, 10).is_err());
    }
}
