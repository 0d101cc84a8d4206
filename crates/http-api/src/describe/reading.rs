//! What happened, described.

use super::spending::PageQuery;
use super::{CSV, Description, Form, NDJSON, Part, Tag};
use crate::entries::EntryAnswer;
use crate::journal::LineAnswer;
use crate::problem::kinds;
use crate::router::PageAnswer;
use crate::shapes::{EntryType, Name, Window};
use crate::statements::StatementAnswer;
use crate::time::Day;
use crate::usage::{BreakdownAnswer, GroupAnswer};
use crate::wire::Shown;
use ledger_core::Timestamp;
use schemars::JsonSchema;

pub(super) const ALL: Part = &[
    ("listEntries", list_entries),
    ("getUsage", get_usage),
    ("getStatement", get_statement),
    ("exportJournal", export_journal),
];

#[derive(JsonSchema)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct EntriesQuery {
    /// How far back; all where it is left out.
    window: Option<Window>,
    /// Entries of what happened at this time or later.
    from: Option<Shown<Timestamp>>,
    /// Entries of what happened before this time.
    to: Option<Shown<Timestamp>>,
    /// Entries of this type.
    r#type: Option<EntryType>,
    /// Entries about this activity.
    activity: Option<Name>,
    /// Entries about this model.
    model: Option<Name>,
    /// Entries about this agent.
    agent: Option<Name>,
    #[schemars(flatten)]
    page: PageQuery,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct UsageQuery {
    /// How far back; all where it is left out.
    window: Option<Window>,
    /// The first day, in the account's time zone.
    from: Option<Shown<Day>>,
    /// The last day.
    to: Option<Shown<Day>>,
    /// What it is grouped by: some of `model`, `agent`, `activity`, `day` and `company`, each once, with commas between;
    /// by model where it is left out. `company` lays a parent's children out.
    #[schemars(extend("examples" = ["model,day"], "pattern" = "^(model|agent|activity|day|company)(,(model|agent|activity|day|company))*$"))]
    group_by: Option<String>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct JournalQuery {
    /// The form; NDJSON where it is left out.
    format: Option<JournalFormat>,
}

#[derive(JsonSchema)]
#[schemars(rename = "JournalFormat", rename_all = "lowercase")]
#[allow(dead_code, reason = "it describes what is read by hand")]
enum JournalFormat {
    Hledger,
    Beancount,
    Ndjson,
}

fn list_entries() -> Description {
    Description::new(
        Tag::Reading,
        "Read what happened",
        "The log of an account, the newest first: a page of JSON, or all of the selection as a stream of CSV or of lines \
         of JSON, by what `Accept` names. A stream takes neither `limit` nor `cursor`.",
    )
    .query::<EntriesQuery>()
    .answers::<PageAnswer<EntryAnswer<'_>>>(200, "A page of entries, or all of them.")
    .or::<EntryAnswer<'_>>(NDJSON, Form::Lines)
    .or_bytes(CSV)
}

fn get_usage() -> Description {
    Description::new(
        Tag::Reading,
        "See where credits went",
        "Credits, events and usage by model, agent, activity or day, the largest group first. `Accept` names CSV or \
         lines of JSON where the groups are many.",
    )
    .query::<UsageQuery>()
    .answers::<BreakdownAnswer<'_>>(200, "Where they went.")
    .or::<GroupAnswer<'_>>(NDJSON, Form::Lines)
    .or_bytes(CSV)
}

fn get_statement() -> Description {
    Description::new(
        Tag::Reading,
        "Get the statement of a cycle",
        "What there was, what came, what went and by what, and what is left.",
    )
    .answers::<StatementAnswer<'_>>(200, "The statement.")
    .refuses(&[kinds::STATEMENT_NOT_FOUND])
}

fn export_journal() -> Description {
    Description::new(
        Tag::Reading,
        "Export the books",
        "The whole journal as double entry: for hledger, for beancount, or, as lines of JSON with each entry's canonical \
         bytes, for any program.",
    )
    .query::<JournalQuery>()
    .answers_empty(200, "The journal.")
    .or::<LineAnswer>(NDJSON, Form::Lines)
    .or_bytes("text/plain")
}
