//! What operators watch of verifications and backups.

use ledger_core::Timestamp;
use ledger_service::ServiceError;
use ledger_service::ports::Verification;
use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

/// Verifications and backups of the server, as they end.
pub(crate) struct Measures {
    sound: Counter,
    damaged: Counter,
    unverified: Counter,
    damages: Gauge,
    backed_up: Counter,
    not_backed_up: Counter,
    last_verified: Gauge,
    last_backed_up: Gauge,
}

impl Measures {
    pub(crate) fn new() -> Self {
        describe_counter!("purser_verifications_total", "Verifications that ended, by outcome");
        describe_gauge!("purser_verification_damages", "Damages that the last verification found");
        describe_counter!("purser_backups_total", "Backups that ended, by outcome");
        describe_gauge!("purser_last_verification_timestamp_seconds", "When a verification last ended; 0 for not yet");
        describe_gauge!("purser_last_backup_timestamp_seconds", "When a backup was last completed; 0 for not yet");
        let verified = |outcome: &'static str| counter!("purser_verifications_total", "outcome" => outcome);
        let backed_up = |outcome: &'static str| counter!("purser_backups_total", "outcome" => outcome);
        Self {
            sound: verified("sound"),
            damaged: verified("damaged"),
            unverified: verified("failed"),
            damages: gauge!("purser_verification_damages"),
            backed_up: backed_up("done"),
            not_backed_up: backed_up("failed"),
            last_verified: gauge!("purser_last_verification_timestamp_seconds"),
            last_backed_up: gauge!("purser_last_backup_timestamp_seconds"),
        }
    }

    pub(crate) fn verified(&self, at: Timestamp, outcome: &Result<Verification, ServiceError>) {
        let Ok(found) = outcome else { return self.unverified.increment(1) };
        if found.damages_found == 0 { &self.sound } else { &self.damaged }.increment(1);
        self.damages.set(found.damages_found as f64);
        self.last_verified.set(seconds(at));
    }

    pub(crate) fn backed_up(&self, at: Timestamp, outcome: &Result<(), ServiceError>) {
        if outcome.is_err() {
            return self.not_backed_up.increment(1);
        }
        self.backed_up.increment(1);
        self.last_backed_up.set(seconds(at));
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.millis() as f64 / 1e3
}
