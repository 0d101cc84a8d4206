//! Reads canonical details back.

use crate::StoreError;
use ledger_core::{Details, Salted};
use serde_json::Value;

/// The details that a canonical text holds.
pub fn details_of(salted: &Salted) -> Result<Details, StoreError> {
    let damaged = || StoreError::corrupt("an entry's details are not the JSON that was written");
    let Ok(Value::Object(members)) = serde_json::from_str(&salted.text) else {
        return Err(damaged());
    };
    let mut details = Details::default();
    for (key, value) in members {
        match (key.as_str(), value) {
            ("actor", Value::String(text)) => details.actor = Some(text),
            ("id", Value::String(text)) => details.id = Some(text),
            ("name", Value::String(text)) => details.name = Some(text),
            ("reason", Value::String(text)) => details.reason = Some(text),
            ("attributes", Value::Object(map)) => details.attributes = texts(map).ok_or_else(damaged)?,
            ("metadata", Value::Object(map)) => details.metadata = Some(texts(map).ok_or_else(damaged)?),
            _ => return Err(damaged()),
        }
    }
    Ok(details)
}

fn texts(map: serde_json::Map<String, Value>) -> Option<Vec<(String, String)>> {
    let text = |(key, value)| {
        if let Value::String(value) = value { Some((key, value)) } else { None }
    };
    map.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_survive_their_canonical_text() {
        let details = Details {
            actor: Some("key_1".into()),
            attributes: vec![("a".into(), "\u{1}\"\\ü".into()), ("b".into(), "2".into())],
            id: Some("evt".into()),
            metadata: Some(vec![("crm".into(), "77".into())]),
            name: Some("ACME".into()),
            reason: Some("because".into()),
        };
        let salted = Salted::new(&details, [7; 32]).unwrap();
        assert_eq!(details_of(&salted).unwrap(), details);
        assert!(details_of(&Salted { salt: [0; 32], text: "{\"x\":1}".into() }).is_err());
    }
}
