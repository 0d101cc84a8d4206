//! A notice as a system record.

use super::{Notice, NoticeKind, TOPIC};
use ledger_core::Timestamp;
use ledger_store::SystemRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// The JSON of a record's value.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    id: Cow<'a, str>,
    kind: Cow<'a, str>,
    account: Option<Cow<'a, str>>,
    at_ms: i64,
    data: Cow<'a, Value>,
}

impl Notice {
    /// The record that keeps it until it is handed on. Records stand in order of their keys, which is that of time.
    pub fn to_record(&self) -> SystemRecord {
        let stored = Stored {
            id: Cow::Borrowed(&self.id),
            kind: Cow::Borrowed(self.kind.name()),
            account: self.account.as_deref().map(Cow::Borrowed),
            at_ms: self.at.millis(),
            data: Cow::Borrowed(&self.data),
        };
        // A struct of texts, numbers and JSON has JSON.
        let value = serde_json::to_string(&stored).unwrap_or_default();
        SystemRecord { value: Some(value.into()), ..self.done() }
    }

    /// The record that ends it.
    pub fn done(&self) -> SystemRecord {
        SystemRecord { topic: TOPIC.into(), key: self.key(), value: None }
    }

    /// Reads a record; `None` for one that ends a notice.
    pub fn from_record(record: &SystemRecord) -> Result<Option<Self>, String> {
        let Some(value) = &record.value else {
            return Ok(None);
        };
        let stored: Stored<'_> = serde_json::from_str(value).map_err(|error| error.to_string())?;
        let kind = NoticeKind::named(&stored.kind).ok_or_else(|| format!("no kind is named {:?}", stored.kind))?;
        Ok(Some(Self {
            id: stored.id.into(),
            kind,
            account: stored.account.map(Arc::from),
            at: Timestamp::from_millis(stored.at_ms),
            data: stored.data.into_owned(),
        }))
    }

    fn key(&self) -> Arc<str> {
        // Thirteen digits of milliseconds last until the year 2286.
        format!("{:013}/{}", self.at.millis(), self.id).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_core::AccountNumber;
    use serde_json::json;

    fn notice(at_ms: i64, index: usize) -> Notice {
        Notice {
            id: Notice::id_of_commit(AccountNumber(12), 812, index),
            kind: NoticeKind::ThresholdReached,
            account: Some("acme".into()),
            at: Timestamp::from_millis(at_ms),
            data: json!({ "remaining": "12.5", "\"": ["ü"] }),
        }
    }

    #[test]
    fn a_record_gives_the_notice_back() {
        for notice in [notice(1_790_000_000_000, 0), Notice { account: None, data: Value::Null, ..notice(5, 1) }] {
            let record = notice.to_record();
            assert_eq!(Notice::from_record(&record), Ok(Some(notice.clone())));
            assert_eq!((&notice.done().key, notice.done().value), (&record.key, None));
        }
    }

    #[test]
    fn records_stand_in_order_of_time() {
        let keys = [notice(9, 3), notice(10, 2), notice(1_790_000_000_000, 1)].map(|notice| notice.to_record().key);
        assert!(keys.is_sorted(), "{keys:?}");
    }

    #[test]
    fn what_is_no_notice_is_refused_with_a_reason() {
        let record = |value: &str| SystemRecord { value: Some(value.into()), ..notice(1, 1).done() };
        assert!(Notice::from_record(&record("{}")).unwrap_err().contains("missing field"));
        let unknown = notice(1, 1).to_record().value.unwrap().replace("threshold_reached", "of_tomorrow");
        assert_eq!(Notice::from_record(&record(&unknown)), Err("no kind is named \"balance.of_tomorrow\"".into()));
    }
}
