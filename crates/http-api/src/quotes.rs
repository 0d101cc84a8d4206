//! `POST /v1/quotes`: what a charge would cost and whether it would be made; changes nothing.

use crate::charges::{ItemAnswer, NeedsKey, RatingAnswer, about, charge_input, items, rating};
use crate::problem::Problem;
use crate::router::{Api, JsonBody};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ledger_store::Instance;
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;

#[derive(Serialize)]
struct QuoteAnswer<'a> {
    account: &'a str,
    credits: Option<String>,
    items: Vec<ItemAnswer<'a>>,
    rating: Option<RatingAnswer<'a>>,
    allowed: bool,
    refusal: Option<Map<String, Value>>,
}

pub(crate) async fn create(State(api): State<Arc<Api>>, JsonBody(body): JsonBody) -> Result<Response, Problem> {
    let input = charge_input(body, None, NeedsKey::No)?;
    let quoted = api.ledger.quote(&input)?;
    let refusal = quoted.refusal.map(|refusal| about(refusal, &input.account).body());
    let answer = match &quoted.price {
        None => QuoteAnswer {
            account: &input.account,
            credits: None,
            items: Vec::new(),
            rating: None,
            allowed: refusal.is_none(),
            refusal,
        },
        Some((quote, by, price)) => {
            let instance = quote.fuel.map_or(Instance::Reused, |fuel| Instance::Fresh { fuel });
            QuoteAnswer {
                account: &input.account,
                credits: Some(price.to_string()),
                items: items(&quote.items),
                rating: Some(rating(by, instance)),
                allowed: refusal.is_none(),
                refusal,
            }
        }
    };
    Ok(axum::Json(answer).into_response())
}
