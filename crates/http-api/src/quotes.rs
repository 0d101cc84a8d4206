//! `POST /v1/quotes`: what a charge would cost and whether it would be made; changes nothing.

use crate::auth::Known;
use crate::charges::{ItemsAnswer, NeedsKey, RatingAnswer, about, charge_input, rating};
use crate::problem::Problem;
use crate::rate_limits::told;
use crate::router::{Api, JsonBody};
use crate::shapes::AccountId;
use crate::wire::{Shown, json};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger_core::Amount;
use ledger_service::{ChargeInput, Quoted, Seen};
use ledger_store::Instance;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Quote")]
pub(crate) struct QuoteAnswer<'a> {
    /// The account.
    #[schemars(with = "AccountId")]
    account: &'a str,
    /// The price; null where there is none.
    credits: Option<Shown<Amount>>,
    /// The lines of the price.
    items: ItemsAnswer<'a>,
    /// What priced it.
    rating: Option<RatingAnswer<'a>>,
    /// Whether a charge would be made now.
    allowed: bool,
    /// What a charge would be refused for, as its problem.
    #[schemars(with = "Option<crate::document::AnyProblem>")]
    refusal: Option<Map<String, Value>>,
}

pub(crate) async fn create(State(api): State<Arc<Api>>, caller: Known, body: JsonBody) -> Result<Response, Problem> {
    let input = charge_input(body.parse()?, None, NeedsKey::No)?;
    caller.must_see(&input.account)?;
    let mut seen = Seen::default();
    let quoted = api.ledger.quote_seen(&input, &mut seen).await;
    told(&seen, quoted.map_err(Problem::from).map(|quoted| answer(&input, quoted)))
}

fn answer(input: &ChargeInput, quoted: Quoted) -> Response {
    let refusal = quoted.refusal.map(|refusal| about(refusal, &input.account).body());
    let answer = match &quoted.price {
        None => QuoteAnswer {
            account: &input.account,
            credits: None,
            items: ItemsAnswer(&[]),
            rating: None,
            allowed: refusal.is_none(),
            refusal,
        },
        Some((quote, by, price)) => {
            let instance = quote.fuel.map_or(Instance::Reused, |fuel| Instance::Fresh { fuel });
            QuoteAnswer {
                account: &input.account,
                credits: Some(Shown(*price)),
                items: ItemsAnswer(&quote.items),
                rating: Some(rating(by, instance)),
                allowed: refusal.is_none(),
                refusal,
            }
        }
    };
    json(StatusCode::OK, &answer)
}
