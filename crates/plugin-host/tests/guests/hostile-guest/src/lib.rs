//! A pricing plugin that misbehaves as the event's model says, and prices a credit a message where it says nothing. Its
//! configuration says how it misbehaves while being configured.
#![allow(missing_docs, unreachable_pub, reason = "nobody but the host's tests calls it")]

use plugin_sdk::{ConfigProblem, LineItem, PricingPlugin, Quote, Refusal, Unpriced, UsageEvent};
use std::hint::black_box;
use std::sync::atomic::{AtomicI64, Ordering};

pub struct Hostile {
    /// Misbehave in this way, whatever the model.
    always: Option<String>,
    /// Price no more messages than a sum can hold, so that no sample shows what it is.
    is_careful: bool,
}

static CALLS: AtomicI64 = AtomicI64::new(0);

impl PricingPlugin for Hostile {
    fn configure(config: &str) -> Result<Self, Vec<ConfigProblem>> {
        // A server takes nothing but tables as configurations.
        let table = config.strip_prefix("{\"does\":").and_then(|rest| rest.strip_suffix('}'));
        let config = table.unwrap_or(config);
        match config {
            "\"loop\"" => spin(),
            "\"panic\"" => panic!("no"),
            "\"memory\"" => hoard(),
            _ => {}
        }
        let always = config.strip_prefix("\"always ").and_then(|rest| rest.strip_suffix('"'));
        Ok(Self { always: always.map(str::to_owned), is_careful: config == "\"careful\"" })
    }

    fn price(&self, event: &UsageEvent) -> Result<Quote, Refusal> {
        let messages = event.quantities.first().map_or(0, |quantity| quantity.amount);
        let messages = if self.is_careful { messages.min(1_000_000) } else { messages };
        let price = i64::try_from(messages).unwrap_or(0) * 1_000_000;
        let calls = CALLS.fetch_add(1, Ordering::Relaxed);
        let items = match self.always.as_deref().or(event.model.as_deref()).unwrap_or_default() {
            "loop" => {
                spin();
                Vec::new()
            }
            "panic" => panic!("no"),
            "memory" => {
                hoard();
                Vec::new()
            }
            "recursion" => vec![item(i64::from(descend(u32::MAX)))],
            "lines" => (0..100_000).map(|_| item(0)).collect(),
            "aliased" => aliased(),
            "negative" => vec![item(5), item(-6)],
            "discount" => vec![item(price), item(-price / 2)],
            "line out of range" => vec![item(i64::MAX)],
            "sum out of range" => vec![item(9_000_000_000_000_000_000); 2],
            "long label" => vec![LineItem { label: "x".repeat(1000), ..item(price) }],
            "huge label" => vec![LineItem { label: "x".repeat(4 << 20), ..item(price) }],
            "long reason" => return Err(Refusal::InvalidUsage("x".repeat(10_000))),
            "long unit" => {
                let unit = Some("x".repeat(10_000));
                return Err(Refusal::Unpriced(Unpriced { model: None, activity: String::new(), unit }));
            }
            "memory of calls" => vec![item(calls)],
            _ => vec![item(price)],
        };
        Ok(Quote { items })
    }
}

fn item(credits: i64) -> LineItem {
    LineItem { label: "messages".to_owned(), unit: "messages".to_owned(), quantity: 1, credits }
}

fn spin() {
    loop {
        black_box(0);
    }
}

fn hoard() {
    let mut hoarded = Vec::new();
    loop {
        hoarded.push(black_box(vec![1_u8; 1 << 20]));
    }
}

fn descend(depth: u32) -> u32 {
    let frame = black_box([depth; 64]);
    if depth == 0 { 0 } else { descend(depth - 1) + frame[1] % 2 }
}

/// A hundred gigabytes of lines in a few megabytes of memory: each line's label is the same bytes. They are freed more than once, if
/// anybody gets so far.
#[allow(unsafe_code, reason = "a hostile guest does not keep to safe Rust")]
fn aliased() -> Vec<LineItem> {
    let label = "x".repeat(1 << 20).leak();
    // SAFETY: there is none. The host has to stand it.
    let alias = |label: &mut str| unsafe { String::from_raw_parts(label.as_mut_ptr(), label.len(), label.len()) };
    (0..100_000).map(|_| LineItem { label: alias(label), ..item(0) }).collect()
}

plugin_sdk::export_pricing!(Hostile);
