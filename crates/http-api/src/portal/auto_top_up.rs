//! `POST /portal/{account}/auto-top-up`: when the account buys by itself.

use super::purchases;
use crate::auto_top_up::{AT_MOST_MAX, DAY_MS, PERIOD_DAYS_MAX};
use crate::fields::{number_in, positive_amount, text};
use crate::html::PageForm;
use crate::problem::Problem;
use crate::router::{Api, Segment};
use axum::extract::State;
use axum::response::Response;
use ledger_service::top_ups::TopUpRule;
use std::borrow::Cow;
use std::sync::Arc;

pub(crate) async fn save(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    form: PageForm,
) -> Result<Response, Problem> {
    let mut fields = form.fields();
    // What is no number of days is refused below; a box that is not ticked is not sent.
    let rule = TopUpRule {
        enabled: fields.optional("enabled", text).is_some(),
        threshold_micros: fields.required("threshold", positive_amount).micros(),
        pack: fields.required("pack", |value| text(value).map(Cow::into_owned)),
        at_most: fields.required("at_most", number_in(1..=AT_MOST_MAX)),
        period_ms: fields.required("period_days", number_in(1..=PERIOD_DAYS_MAX)) * DAY_MS,
    };
    let read = fields.finish();
    purchases::saved(api, account, form.viewer, "auto-top-up", move |api, account| {
        read?;
        api.ledger.put_auto_top_up(account, Some(rule))
    })
    .await
}
