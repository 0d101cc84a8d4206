//! What is expected of an event, and what is found: the lines of a price, or a decision.

use crate::plugin::format::{duration, parse_duration};
use ledger_core::Amount;
use ledger_service::ports::PricingError;
use plugin_host::World;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// A line of a price.
    Line { label: String, quantity: u64, credits: Amount },
    /// What a price comes to.
    Total(Amount),
    /// There is no price, and why.
    Refused(String),
    /// The plugin failed, and how.
    Failed(String),
    /// It may go on.
    Allow,
    /// It may go on, and the caller is told something.
    Advise { policy: Option<String>, suggestion: Option<String> },
    /// It may not.
    Deny { policy: Option<String>, reason: Option<String> },
    /// When it may be worth trying again, in milliseconds; 0 where waiting does not help.
    Retry(u64),
}

const REFUSED: &str = "refused: ";
const FAILED: &str = "failed: ";
const TOTAL: &str = "total";
const COUNTED: &str = "counted";
const RETRY: &str = "retry after ";
const NO_RETRY: &str = "waiting does not help";

impl Row {
    pub(crate) fn line(label: &str, quantity: u64, credits: Amount) -> Self {
        Self::Line { label: plain(label), quantity, credits }
    }

    pub(crate) fn deny(policy: &str, reason: &str) -> Self {
        Self::Deny { policy: Some(plain(policy)), reason: Some(plain(reason)) }
    }

    pub(crate) fn advise(policy: &str, suggestion: &str) -> Self {
        Self::Advise { policy: Some(plain(policy)), suggestion: Some(plain(suggestion)) }
    }

    /// The row of a refusal, in as few words as tell it from others.
    pub(crate) fn refused(refusal: &PricingError) -> Self {
        match refusal {
            PricingError::Unpriced { unit: Some(unit), .. } => Self::Refused(format!("unpriced unit {}", plain(unit))),
            PricingError::Unpriced { unit: None, .. } => Self::Refused("unpriced model".to_owned()),
            PricingError::InvalidUsage(reason) => Self::Refused(plain(reason)),
            PricingError::Failed(failure, _) => Self::Failed(failure.name().to_owned()),
        }
    }

    /// Reads a row.
    pub(super) fn parse(text: &str, world: World) -> Result<Self, String> {
        if let Some(failure) = text.strip_prefix(FAILED) {
            return Ok(Self::Failed(plain(failure)));
        }
        match world {
            World::Pricing => parse_price(text),
            World::Throttling => parse_decision(text),
        }
    }

    /// The columns that it is written in.
    fn columns(&self) -> (String, String, String) {
        let alone = |text: String| (text, String::new(), String::new());
        let named = |word: &str, policy: &Option<String>, text: &Option<String>| {
            let policy = policy.as_ref().map(|policy| format!(" {policy}")).unwrap_or_default();
            let text = text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
            alone(format!("{word}{policy}{text}"))
        };
        match self {
            Self::Line { label, quantity, credits } => (label.clone(), quantity.to_string(), credits.to_string()),
            Self::Total(credits) => (TOTAL.to_owned(), String::new(), credits.to_string()),
            Self::Refused(reason) => alone(format!("{REFUSED}{reason}")),
            Self::Failed(failure) => alone(format!("{FAILED}{failure}")),
            Self::Allow => alone("allow".to_owned()),
            Self::Advise { policy, suggestion } => named("advise", policy, suggestion),
            Self::Deny { policy, reason } => named("deny", policy, reason),
            Self::Retry(0) => alone(NO_RETRY.to_owned()),
            Self::Retry(millis) => alone(format!("{RETRY}{}", duration(*millis))),
        }
    }
}

fn parse_price(text: &str) -> Result<Row, String> {
    if let Some(reason) = text.strip_prefix(REFUSED) {
        return Ok(Row::Refused(plain(reason)));
    }
    let amount =
        |text: &str| text.parse::<Amount>().map_err(|error| format!("{text} is no amount of credits: {error}"));
    match columns(text).as_slice() {
        [TOTAL, credits] => Ok(Row::Total(amount(credits)?)),
        [label, quantity, credits] => {
            let quantity = quantity.parse().map_err(|_| format!("{quantity} is no whole number of a unit"))?;
            Ok(Row::line(label, quantity, amount(credits)?))
        }
        _ => {
            Err("a line of a price has a label, a quantity and credits, two spaces or more between them; a total has \
                  credits; and what has no price is `refused: `, and why"
                .to_owned())
        }
    }
}

fn parse_decision(text: &str) -> Result<Row, String> {
    if let Some(wait) = text.strip_prefix(RETRY) {
        let millis = parse_duration(wait).ok_or_else(|| format!("{wait} is no time such as 12s or 500ms"))?;
        return Ok(Row::Retry(millis));
    }
    if text == NO_RETRY {
        return Ok(Row::Retry(0));
    }
    let (decision, reason) = text.split_once(": ").map_or((text, None), |(head, reason)| (head, Some(plain(reason))));
    let (word, policy) =
        decision.split_once(' ').map_or((decision, None), |(word, policy)| (word, Some(plain(policy))));
    match word {
        "allow" if policy.is_none() && reason.is_none() => Ok(Row::Allow),
        "deny" => Ok(Row::Deny { policy, reason }),
        "advise" => Ok(Row::Advise { policy, suggestion: reason }),
        _ => Err("a decision is `allow`, `advise POLICY: WHAT` or `deny POLICY: WHY`, and after a denial `retry after 12s` or \
                  `waiting does not help`; what is counted stands before it"
            .to_owned()),
    }
}

/// Whether a line says what is counted.
pub(super) fn is_counted(text: &str) -> bool {
    text.strip_prefix(COUNTED).is_some_and(|more| more.starts_with(char::is_whitespace))
}

/// The columns of a line: two spaces or more, or a tab, stand between them.
pub(super) fn columns(text: &str) -> Vec<&str> {
    text.split('\t').flat_map(|part| part.split("  ")).map(str::trim).filter(|column| !column.is_empty()).collect()
}

/// A text as it can stand in a column: on one line, with single spaces.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() { "-".to_owned() } else { words.join(" ") }
}

/// What was found, in as much detail as is expected: what is not written is not checked.
pub(crate) fn as_detailed_as(found: &[Row], expected: &[Row]) -> Vec<Row> {
    let has_total = expected.iter().any(|row| matches!(row, Row::Total(_)));
    let has_lines = expected.iter().any(|row| matches!(row, Row::Line { .. }));
    let has_retry = expected.iter().any(|row| matches!(row, Row::Retry(_)));
    let is_denial = matches!(expected.first(), Some(Row::Deny { .. }));
    let is_checked = |row: &&Row| match row {
        Row::Line { .. } => has_lines || !has_total,
        Row::Total(_) => has_total || !has_lines,
        Row::Retry(_) => has_retry || !is_denial,
        Row::Refused(_) | Row::Failed(_) | Row::Allow | Row::Advise { .. } | Row::Deny { .. } => true,
    };
    let as_expected = |row: &Row| match (row, expected.first()) {
        (Row::Deny { policy, reason }, Some(Row::Deny { policy: of, reason: why })) => Row::Deny {
            policy: policy.clone().filter(|_| of.is_some()),
            reason: reason.clone().filter(|_| why.is_some()),
        },
        (Row::Advise { policy, suggestion }, Some(Row::Advise { policy: of, suggestion: what })) => Row::Advise {
            policy: policy.clone().filter(|_| of.is_some()),
            suggestion: suggestion.clone().filter(|_| what.is_some()),
        },
        (row, _) => row.clone(),
    };
    found.iter().filter(is_checked).map(as_expected).collect()
}

/// Rows below one another: labels to the left, numbers by their units.
pub(crate) fn aligned(rows: &[Row]) -> Vec<String> {
    let columns: Vec<_> = rows.iter().map(Row::columns).collect();
    let width = |text: &str| text.chars().count();
    let whole = |credits: &str| width(credits.split('.').next().unwrap_or_default());
    let is_table = |(_, _, credits): &&(String, String, String)| !credits.is_empty();
    let table = || columns.iter().filter(is_table);
    let labels = table().map(|(label, ..)| width(label)).max().unwrap_or(0);
    let quantities = table().map(|(_, quantity, _)| width(quantity)).max().unwrap_or(0);
    let wholes = table().map(|(.., credits)| whole(credits)).max().unwrap_or(0);
    let line = |(label, quantity, credits): &(String, String, String)| {
        if credits.is_empty() {
            return label.clone();
        }
        let space = |wanted: usize, has: usize| " ".repeat(wanted.saturating_sub(has));
        let after_label = space(labels, width(label));
        let before_quantity = space(quantities, width(quantity));
        let before_credits = space(wholes, whole(credits));
        let gap = if quantities == 0 { "" } else { "   " };
        format!("{label}{after_label}{gap}{before_quantity}{quantity}   {before_credits}{credits}")
    };
    columns.iter().map(line).collect()
}

/// Rows as they stand in a file.
pub(super) fn write(rows: &[Row]) -> String {
    aligned(rows).iter().map(|row| format!("    {row}\n")).collect()
}
