//! `POST /portal/{account}/alerts`: at which balances somebody wants to be told.

use super::purchases;
use crate::fields::text;
use crate::html::PageForm;
use crate::json::Json;
use crate::problem::Problem;
use crate::router::{Api, Segment};
use axum::extract::State;
use axum::response::Response;
use ledger_core::Amount;
use ledger_service::Alerts;
use std::sync::Arc;

pub(crate) async fn save(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    form: PageForm,
) -> Result<Response, Problem> {
    let mut fields = form.fields();
    let used = fields.optional("used_percent", |value| each(value, share_e4)).unwrap_or_default();
    let remaining = fields.optional("remaining", |value| each(value, not_negative)).unwrap_or_default();
    let read = fields.finish();
    purchases::saved(api, account, form.viewer, "alerts", move |api, account| {
        read?;
        api.ledger.put_alerts(account, Some(Alerts::new(used, remaining)))
    })
    .await
}

/// Reads a list with commas or spaces between.
fn each<T>(value: Json<'_>, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let text = text(value)?;
    let parts: Vec<&str> = text.split([',', ';', ' ']).filter(|part| !part.is_empty()).collect();
    if parts.len() > Alerts::ITEMS_MAX {
        return Err(format!("has {} members; at most {} are taken", parts.len(), Alerts::ITEMS_MAX));
    }
    parts.into_iter().map(read).collect()
}

/// Reads per cent, such as `80` or `99.5%`, as ten-thousandths.
fn share_e4(text: &str) -> Result<u32, String> {
    let rule = || format!("must be per cents above 0 and up to 100, such as 80, and has {text}");
    let percent: Amount = text.trim_end_matches('%').parse().map_err(|_| rule())?;
    let micros = percent.micros();
    let share = u32::try_from(micros / 10_000).ok().filter(|share| (1..=10_000).contains(share));
    share.filter(|_| micros % 10_000 == 0).ok_or_else(rule)
}

fn not_negative(text: &str) -> Result<Amount, String> {
    let amount: Result<Amount, _> = text.parse();
    amount
        .ok()
        .filter(|amount| !amount.is_negative())
        .ok_or_else(|| format!("must be numbers of credits, such as 100, with a point before decimals, and has {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn lists_are_read_as_people_write_them() {
        let used = |text: &'static str| each(Json::Text(Cow::Borrowed(text)), share_e4);
        assert_eq!(used("80, 100"), Ok(vec![8000, 10_000]));
        assert_eq!(used("80% 99.5%;"), Ok(vec![8000, 9950]));
        for wrong in ["0", "101", "-5", "many", "80.001", "1,2,3,4,5,6,7,8,9,10,11"] {
            assert!(used(wrong).is_err(), "{wrong}");
        }
        let remaining = |text: &'static str| each(Json::Text(Cow::Borrowed(text)), not_negative);
        assert_eq!(remaining("100,20.5"), Ok(vec!["100".parse().unwrap(), "20.5".parse().unwrap()]));
        assert!(remaining("-1").is_err());
    }
}
