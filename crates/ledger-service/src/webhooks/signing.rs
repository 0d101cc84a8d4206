//! Standard Webhooks: how a delivery is signed (<https://www.standardwebhooks.com>, version 1).

use super::deliveries::Delivery;
use super::endpoints::Endpoint;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use ledger_core::Timestamp;
use sha2::Sha256;

/// The headers of a delivery that is sent now.
pub(super) fn headers(endpoint: &Endpoint, delivery: &Delivery, now: Timestamp) -> Vec<(&'static str, String)> {
    let timestamp_s = (now.millis() / 1000).to_string();
    let signatures = endpoint.secrets(now).map(|secret| sign(secret, &delivery.notice, &timestamp_s, &delivery.body));
    let signatures = signatures.collect::<Vec<_>>().join(" ");
    vec![
        ("webhook-id", delivery.notice.to_string()),
        ("webhook-timestamp", timestamp_s),
        ("webhook-signature", signatures),
    ]
}

/// `v1,` and the HMAC-SHA256 of id, timestamp and body with points between, in base64.
fn sign(secret: &str, id: &str, timestamp_s: &str, body: &str) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).unwrap_or_default();
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return String::new() };
    for part in [id, ".", timestamp_s, ".", body] {
        mac.update(part.as_bytes());
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_is_signed_as_published() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = r#"{"test": 2432232314}"#;
        let signed = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
