//! Reads the members of a request body, or the parameters of a query, and collects everything that is wrong with them
//! before saying no: a caller learns of all mistakes at once, each by its field.

use crate::json::Json;
use crate::time::parse_time;
use axum::extract::Query;
use axum::http::Uri;
use ledger_core::ids::{NAME_BYTES_MAX, is_account_id, is_name};
use ledger_core::{Amount, Quantity, Timestamp};
use ledger_service::ServiceError;
use ledger_service::error::FieldProblem;
use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use url::Url;

/// Most bytes of the attributes of an event, or of the metadata of an account, all keys and values together.
const MAP_BYTES_MAX: usize = 16 * 1024;
/// Most members of such a map.
const MAP_MEMBERS_MAX: usize = 64;
/// Most units in one event.
pub(crate) const UNITS_MAX: usize = 64;
/// Most bytes of a free text.
pub(crate) const TEXT_BYTES_MAX: usize = 1024;
/// Most bytes of an idempotency key or an event's id.
pub(crate) const KEY_BYTES_MAX: usize = 256;

/// The members of a body that have not been read yet, and what was wrong so far.
pub(crate) struct Fields<'a> {
    /// What one of them is called.
    noun: &'static str,
    members: Vec<(Cow<'a, str>, Json<'a>)>,
    problems: Vec<FieldProblem>,
    /// Names that were read before, where many bodies are read together.
    names: Option<&'a mut Names>,
}

/// The last few names that were read: the items of a batch mostly have the same ones, and then share them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: Vec<Arc<str>>,
    /// Which is forgotten next.
    oldest: usize,
}

impl Names {
    const KEPT: usize = 16;

    fn share(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.known.iter().find(|known| known.len() == name.len() && &***known == name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        if self.known.len() < Self::KEPT {
            self.known.push(name.clone());
        } else {
            self.known[self.oldest] = name.clone();
            self.oldest = (self.oldest + 1) % Self::KEPT;
        }
        name
    }
}

impl<'a> Fields<'a> {
    /// Opens a body, which must be an object.
    pub(crate) fn open(body: Json<'a>) -> Result<Self, ServiceError> {
        let Json::Object(members) = body else {
            return Err(ServiceError::field("", format!("the body must be a JSON object, not {}", body.kind())));
        };
        let fields = Self { noun: "field", members, problems: Vec::new(), names: None };
        Ok(fields.without_doubles("the member comes twice"))
    }

    /// Shares names with the bodies that were read before this one.
    pub(crate) fn sharing(self, names: &'a mut Names) -> Self {
        Self { names: Some(names), ..self }
    }

    /// Opens the query of an address. Each parameter is a text.
    pub(crate) fn of_query(uri: &Uri) -> Result<Self, ServiceError> {
        let read = Query::<Vec<(String, String)>>::try_from_uri(uri);
        let Query(pairs) = read.map_err(|rejection| ServiceError::field("query", rejection.body_text()))?;
        let members =
            pairs.into_iter().map(|(name, value)| (Cow::Owned(name), Json::Text(Cow::Owned(value)))).collect();
        let fields = Self { noun: "parameter", members, problems: Vec::new(), names: None };
        Ok(fields.without_doubles("the parameter comes twice"))
    }

    /// Opens a form. Each field is a text; an empty one was not filled in.
    pub(crate) fn of_form(pairs: &'a [(String, String)]) -> Self {
        let filled =
            pairs.iter().map(|(name, value)| (name.as_str(), value.trim())).filter(|(_, value)| !value.is_empty());
        let members = filled.map(|(name, value)| (Cow::Borrowed(name), Json::Text(Cow::Borrowed(value)))).collect();
        let fields = Self { noun: "field", members, problems: Vec::new(), names: None };
        fields.without_doubles("the field comes twice")
    }

    fn without_doubles(mut self, reason: &str) -> Self {
        for index in (1..self.members.len()).rev() {
            if self.members[..index].iter().any(|(earlier, _)| *earlier == self.members[index].0) {
                let (name, _) = self.members.remove(index);
                self.problem(&name, reason);
            }
        }
        self
    }

    /// Notes that a field is wrong.
    pub(crate) fn problem(&mut self, field: &str, reason: impl Into<String>) {
        self.problems.push(FieldProblem { field: field.to_owned(), reason: reason.into() });
    }

    /// Ends the reading: whatever is left is unknown, and refused by name.
    pub(crate) fn finish(mut self) -> Result<(), ServiceError> {
        for (name, _) in std::mem::take(&mut self.members) {
            self.problem(&name, format!("no such {}", self.noun));
        }
        if self.problems.is_empty() { Ok(()) } else { Err(ServiceError::Invalid(self.problems)) }
    }

    /// Takes a member; `null` counts as absent.
    fn take(&mut self, name: &str) -> Option<Json<'a>> {
        let index = self.members.iter().position(|(known, _)| known == name)?;
        Some(self.members.swap_remove(index).1).filter(|value| *value != Json::Null)
    }

    /// Whether a member is there. One that is `null` is as if it had not been sent, and is forgotten.
    pub(crate) fn has(&mut self, name: &str) -> bool {
        self.members.retain(|(known, value)| known != name || *value != Json::Null);
        self.members.iter().any(|(known, _)| known == name)
    }

    /// Reads a member that may be absent.
    pub(crate) fn optional<T>(&mut self, name: &str, read: impl FnOnce(Json<'a>) -> Result<T, String>) -> Option<T> {
        match read(self.take(name)?) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.problem(name, reason);
                None
            }
        }
    }

    /// Reads a member that must be there; the default stands in where it is not, and is never used.
    pub(crate) fn required<T: Default>(&mut self, name: &str, read: impl FnOnce(Json<'a>) -> Result<T, String>) -> T {
        if !self.has(name) {
            self.problem(name, "is required");
            return T::default();
        }
        self.optional(name, read).unwrap_or_default()
    }

    /// Reads a name of an activity, agent or model that may be absent.
    pub(crate) fn optional_name(&mut self, field: &str) -> Option<Arc<str>> {
        let mut names = self.names.take();
        let read = self.optional(field, |value| checked_name(value).map(|name| shared(&mut names, &name)));
        self.names = names;
        read
    }

    /// Reads a name that must be there.
    pub(crate) fn required_name(&mut self, field: &str) -> Arc<str> {
        if !self.has(field) {
            self.problem(field, "is required");
        }
        self.optional_name(field).unwrap_or_default()
    }

    /// Reads an object, noting each wrong member under its own path.
    pub(crate) fn members(&mut self, name: &str) -> Option<Vec<(Cow<'a, str>, Json<'a>)>> {
        match self.take(name)? {
            Json::Object(members) => Some(members),
            other => {
                self.problem(name, format!("must be an object, not {}", other.kind()));
                None
            }
        }
    }

    /// Reads a map of texts, sorted by key. Numbers and booleans are taken as their text.
    pub(crate) fn text_map(&mut self, name: &str) -> Option<Vec<(String, String)>> {
        let members = self.members(name)?;
        if members.len() > MAP_MEMBERS_MAX {
            self.problem(name, format!("has {} members; at most {MAP_MEMBERS_MAX} are taken", members.len()));
            return None;
        }
        let mut map: Vec<(String, String)> = Vec::with_capacity(members.len());
        for (key, value) in members {
            let text = match value {
                Json::Text(text) => text.into_owned(),
                Json::Whole(number) => number.to_string(),
                Json::Float(number) | Json::Huge(number) => number.to_string(),
                Json::Bool(value) => value.to_string(),
                other => {
                    self.problem(&format!("{name}.{key}"), format!("must be a string, not {}", other.kind()));
                    continue;
                }
            };
            if map.iter().any(|(known, _)| **known == *key) {
                self.problem(&format!("{name}.{key}"), "the member comes twice");
            } else {
                map.push((key.into_owned(), text));
            }
        }
        let bytes: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > MAP_BYTES_MAX {
            self.problem(name, format!("has {bytes} bytes; at most {MAP_BYTES_MAX} are taken"));
            return None;
        }
        map.sort();
        Some(map)
    }

    /// Reads quantities per unit, sorted by unit.
    pub(crate) fn quantities(&mut self, name: &str) -> Option<Vec<Quantity>> {
        let members = self.members(name)?;
        if members.len() > UNITS_MAX {
            self.problem(name, format!("has {} units; at most {UNITS_MAX} are taken", members.len()));
            return None;
        }
        let mut quantities: Vec<Quantity> = Vec::with_capacity(members.len());
        for (unit, value) in members {
            let field = || format!("{name}.{unit}");
            if !is_name(&unit) {
                let reason = format!("a unit's name has 1 to {NAME_BYTES_MAX} bytes and no control characters");
                self.problem(&field(), reason);
            } else if quantities.iter().any(|known| *known.unit == *unit) {
                self.problem(&field(), "the unit comes twice");
            } else {
                match quantity(&value) {
                    Ok(amount) => quantities.push(Quantity { unit: shared(&mut self.names, &unit), amount }),
                    Err(reason) => self.problem(&field(), reason),
                }
            }
        }
        quantities.sort();
        Some(quantities)
    }
}

/// The largest quantity of a unit: what a JSON number carries exactly in every language.
pub(crate) const QUANTITY_MAX: u64 = (1 << 53) - 1;

/// Reads a list without repetitions, of so many members.
pub(crate) fn list<T: PartialEq>(
    value: Json<'_>,
    length: RangeInclusive<usize>,
    mut read: impl FnMut(Json<'_>) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let Json::List(members) = value else {
        return Err(format!("must be a list, not {}", value.kind()));
    };
    if !length.contains(&members.len()) {
        return Err(format!("must have {} to {} members", length.start(), length.end()));
    }
    let mut all = Vec::with_capacity(members.len());
    for (index, member) in members.into_iter().enumerate() {
        let member = read(member).map_err(|reason| format!("member {index} {reason}"))?;
        if all.contains(&member) {
            return Err(format!("member {index} comes twice"));
        }
        all.push(member);
    }
    Ok(all)
}

/// Reads a quantity: a whole number from 0 to 2^53 − 1.
pub(crate) fn quantity(value: &Json<'_>) -> Result<u64, String> {
    let out_of_range = || format!("must be from 0 to {QUANTITY_MAX}");
    match value {
        Json::Whole(number) => {
            u64::try_from(*number).ok().filter(|number| *number <= QUANTITY_MAX).ok_or_else(out_of_range)
        }
        Json::Huge(_) => Err(out_of_range()),
        other => Err(format!("must be a whole number of the unit, not {}", other.kind())),
    }
}

/// Reads a text of 1 to 1,024 bytes.
pub(crate) fn text(value: Json<'_>) -> Result<Cow<'_, str>, String> {
    match value {
        Json::Text(text) if text.is_empty() => Err("must not be empty".to_owned()),
        Json::Text(text) if text.len() > TEXT_BYTES_MAX => Err(format!("has more than {TEXT_BYTES_MAX} bytes")),
        Json::Text(text) => Ok(text),
        other => Err(format!("must be a string, not {}", other.kind())),
    }
}

/// Reads an address that a browser may be sent to.
pub(crate) fn web_address(value: Json<'_>) -> Result<String, String> {
    let text = text(value)?.into_owned();
    let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    if Url::parse(&text).as_ref().is_ok_and(is_web) {
        Ok(text)
    } else {
        Err("must be an absolute http or https URL, such as https://example.com/thanks".to_owned())
    }
}

/// Reads a name of an activity, agent, model or plan.
pub(crate) fn name(value: Json<'_>) -> Result<Arc<str>, String> {
    checked_name(value).map(Arc::from)
}

fn shared(names: &mut Option<&mut Names>, name: &str) -> Arc<str> {
    match names {
        Some(names) => names.share(name),
        None => name.into(),
    }
}

fn checked_name(value: Json<'_>) -> Result<Cow<'_, str>, String> {
    let text = text(value)?;
    if is_name(&text) {
        Ok(text)
    } else {
        Err(format!("must have at most {NAME_BYTES_MAX} bytes and no control characters"))
    }
}

/// Reads an account's id.
pub(crate) fn account_id(value: Json<'_>) -> Result<Arc<str>, String> {
    let text = text(value)?;
    if is_account_id(&text) { Ok(text.into()) } else { Err(ACCOUNT_ID_RULE.to_owned()) }
}

/// Why there is no such account, and what would make one: a text that is no account's id can never have one.
pub(crate) fn no_such_account(account: &str) -> String {
    if is_account_id(account) {
        format!("no account has the id {account}; PUT /v1/accounts/{account} creates it")
    } else {
        format!("{account:?} is no valid account id: {ACCOUNT_ID_RULE}")
    }
}

pub(crate) const ACCOUNT_ID_RULE: &str = "an account's id has 1 to 128 of A-Z a-z 0-9 . _ : -";

/// Reads an event's own id.
pub(crate) fn event_id(value: Json<'_>) -> Result<String, String> {
    let id = text(value)?;
    if id.len() > KEY_BYTES_MAX { Err(format!("has more than {KEY_BYTES_MAX} bytes")) } else { Ok(id.into_owned()) }
}

/// Reads an amount: a decimal string, or a JSON integer. A JSON float is refused, since it is not exact.
pub(crate) fn amount(value: Json<'_>) -> Result<Amount, String> {
    match value {
        Json::Text(text) => text.parse().map_err(|error: ledger_core::AmountError| error.to_string()),
        Json::Whole(credits) => i64::try_from(credits)
            .ok()
            .and_then(Amount::from_credits)
            .ok_or_else(|| ledger_core::AmountError::OutOfRange.to_string()),
        Json::Huge(_) => Err(ledger_core::AmountError::OutOfRange.to_string()),
        Json::Float(_) => {
            Err("a JSON number with a point or an exponent is not exact; send \"12.5\" as a string".into())
        }
        other => Err(format!("must be a decimal string such as \"12.5\", not {}", other.kind())),
    }
}

/// Reads an amount above zero.
pub(crate) fn positive_amount(value: Json<'_>) -> Result<Amount, String> {
    let amount = amount(value)?;
    if amount.is_positive() { Ok(amount) } else { Err("must be above zero".to_owned()) }
}

/// Reads a whole number in a query, where everything is text.
pub(crate) fn number_in<T: FromStr + PartialOrd + Display>(
    range: RangeInclusive<T>,
) -> impl FnOnce(Json<'_>) -> Result<T, String> {
    move |value| {
        let number = text(value)?.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("must be from {} to {}", range.start(), range.end()))
    }
}

/// The longest time to live: 31 days.
const TTL_MS_MAX: i64 = 31 * 86_400_000;

/// Reads whole seconds, from 1 to 31 days, as milliseconds.
pub(crate) fn seconds(value: Json<'_>) -> Result<i64, String> {
    seconds_to(value, TTL_MS_MAX)
}

/// Reads whole seconds, from 1 to so many milliseconds, as milliseconds.
#[allow(clippy::needless_pass_by_value, reason = "the readers of fields all take the value")]
pub(crate) fn seconds_to(value: Json<'_>, ms_max: i64) -> Result<i64, String> {
    let wrong = || format!("must be a whole number of seconds from 1 to {}", ms_max / 1000);
    let Json::Whole(seconds @ 1..) = value else { return Err(wrong()) };
    let ms = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1000));
    ms.filter(|ms| *ms <= ms_max).ok_or_else(wrong)
}

/// Reads true or false.
pub(crate) fn flag(value: Json<'_>) -> Result<bool, String> {
    match value {
        Json::Bool(flag) => Ok(flag),
        other => Err(format!("must be true or false, not {}", other.kind())),
    }
}

/// Reads an instant.
pub(crate) fn instant(value: Json<'_>) -> Result<Timestamp, String> {
    parse_time(&text(value)?)
}

/// Reads an instant in a query. There a plus sign means a space unless it is written as `%2B`, which is easily
/// forgotten; an offset is not preceded by a space otherwise.
pub(crate) fn query_instant(value: Json<'_>) -> Result<Timestamp, String> {
    let text = text(value)?;
    match text.rsplit_once(' ') {
        Some((time, offset)) if time.contains('T') => parse_time(&format!("{time}+{offset}")),
        _ => parse_time(&text),
    }
}

/// Reads one of a closed list of names.
pub(crate) fn member<T: Copy>(all: &[(T, &str)]) -> impl Fn(Json<'_>) -> Result<T, String> {
    move |value| {
        let found = match &value {
            Json::Text(text) => all.iter().find(|(_, name)| name == text).map(|(member, _)| *member),
            _ => None,
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|(_, name)| *name).collect();
            format!("must be one of {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests;
