//! The world `pricing-plugin`: what a guest is asked to price, and what counts as a price.

use super::bindings::exports::purser::plugin::pricing::{Quote, Refusal, Unpriced};
use super::bindings::purser::plugin::types::UsageEvent as WitEvent;
use super::event::Borrowed;
use super::{NAME_BYTES_MAX, TEXT_BYTES_MAX};
use crate::error::ConfigProblem;
use crate::failure::Failure;
use crate::kind::Kind;
use crate::limits::{Limiter, Limits};
use crate::world::World;
use ledger_core::{Amount, LineItem, UsageEvent};
use ledger_service::ports::PricingError;
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Instance, TypedFunc};

/// Plugins that price.
pub(crate) struct Pricing;

type Price<'a> = TypedFunc<(WitEvent<'a>,), (Result<Quote, Refusal>,)>;

impl Kind for Pricing {
    const WORLD: World = World::Pricing;
    const FUNCTION: &'static str = "price";

    type Function = Price<'static>;
    type Question<'a> = &'a UsageEvent;
    /// The lines, or a refusal: never [`PricingError::Failed`].
    type Answer = Result<Vec<LineItem>, PricingError>;
    type Configured = ();
    type Told = ();

    fn find(
        store: &mut Store<Limiter>,
        instance: &Instance,
        function: &ComponentExportIndex,
    ) -> wasmtime::Result<Self::Function> {
        instance.get_typed_func(store, function)
    }

    fn ask(
        store: &mut Store<Limiter>,
        function: Self::Function,
        event: Self::Question<'_>,
        limits: &Limits,
    ) -> Result<Self::Answer, Failure> {
        let borrowed = Borrowed::new(event);
        if borrowed.bytes() > limits.input_bytes_max {
            let reason = format!("the event has more than {} bytes", limits.input_bytes_max);
            return Ok(Err(PricingError::InvalidUsage(reason)));
        }
        let function: Price<'_> = function;
        match function.call(&mut *store, (borrowed.view(),)) {
            Ok((Ok(quote),)) => lines(quote, limits.items_max).map(Ok),
            Ok((Err(refusal),)) => refused(refusal).map(Err),
            Err(error) => Err(Failure::of(store, &error)),
        }
    }

    fn told((): ()) -> Result<(), Vec<ConfigProblem>> {
        Ok(())
    }

    fn keep((): &()) -> String {
        String::new()
    }

    fn recall(kept: &str) -> Option<()> {
        kept.is_empty().then_some(())
    }
}

/// Holds a quote to what a price must be: lines in range, whose sum exists and is not negative.
fn lines(quote: Quote, items_max: usize) -> Result<Vec<LineItem>, Failure> {
    let bad = |reason: String| Failure::bad_answer(reason);
    if quote.items.len() > items_max {
        return Err(bad(format!("the answer has {} lines; at most {items_max} are taken", quote.items.len())));
    }
    let mut sum = Amount::ZERO;
    let mut items = Vec::with_capacity(quote.items.len());
    for item in quote.items {
        if item.label.len() > NAME_BYTES_MAX || item.unit.len() > NAME_BYTES_MAX {
            return Err(bad(format!("a line's label or unit has more than {NAME_BYTES_MAX} bytes")));
        }
        let credits = Amount::from_micros(item.credits).ok_or_else(|| bad("a line is out of range".to_owned()))?;
        sum = sum.checked_add(credits).ok_or_else(|| bad("the sum of the lines is out of range".to_owned()))?;
        items.push(LineItem { label: item.label.into(), unit: item.unit.into(), quantity: item.quantity, credits });
    }
    if sum.is_negative() {
        return Err(bad(format!("the lines sum to {sum}, below zero")));
    }
    Ok(items)
}

/// Reads a refusal, whose texts have bounds too.
fn refused(refusal: Refusal) -> Result<PricingError, Failure> {
    match refusal {
        Refusal::Unpriced(Unpriced { model, activity, unit }) => {
            let names = [model.as_deref(), Some(activity.as_str()), unit.as_deref()];
            if names.into_iter().flatten().any(|name| name.len() > NAME_BYTES_MAX) {
                let reason = format!("a refusal names something with more than {NAME_BYTES_MAX} bytes");
                return Err(Failure::bad_answer(reason));
            }
            let (model, unit) = (model.map(Arc::from), unit.map(Arc::from));
            Ok(PricingError::Unpriced { model, activity: activity.into(), unit })
        }
        Refusal::InvalidUsage(reason) if reason.len() > TEXT_BYTES_MAX => {
            Err(Failure::bad_answer(format!("a refusal has a reason of more than {TEXT_BYTES_MAX} bytes")))
        }
        Refusal::InvalidUsage(reason) => Ok(PricingError::InvalidUsage(reason)),
    }
}
