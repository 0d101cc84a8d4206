//! The log as pages show it: entries with all that is known of each, searched and filtered.

use crate::entries::EntryAnswer;
use crate::router::Api;
use ledger_core::{Account, Body, Entry, Id, IdKind};
use ledger_service::{ActivityKind, Ledger, ServiceError, rated};
use ledger_store::{EntryQuery, Recorded, details_of as read_details};
use pages::{Address, Draw, Kind, KindFilter, Line, Log, LogEntry, PluginUsed};

/// A page is to be light, and each entry comes with all its details.
const PAGE_ITEMS: usize = 25;

/// The page of the log that an address asks for.
pub(super) fn page(api: &Api, account: &Account, asked: &Address) -> Result<Log, ServiceError> {
    let query = EntryQuery { limit: PAGE_ITEMS, before: asked.before, ..selection(asked) };
    let query = api.ledger.entries_in(&account.id, super::credits::window(asked), query)?;
    let found = api.ledger.entries_where(&account.id, &query, |recorded| is_wanted(&api.ledger, recorded, asked))?;
    let rows = found.entries.iter().map(|recorded| row_of(api, account, recorded));
    Ok(Log { entries: rows.collect::<Result<_, _>>()?, older: found.next })
}

/// What of an address's filters the ledger finds by itself.
pub(super) fn selection(asked: &Address) -> EntryQuery {
    EntryQuery { model: asked.model.clone(), agent: asked.agent.clone(), ..EntryQuery::default() }
}

/// Whether an entry is of the kind that an address asks for, and has what it searches.
pub(super) fn is_wanted(ledger: &Ledger, recorded: &Recorded, asked: &Address) -> bool {
    let entry = &recorded.sealed.entry;
    asked.kind.is_none_or(|kind| is_of_kind(ledger, entry, kind))
        && asked.search.as_deref().is_none_or(|wanted| has(recorded, &wanted.to_lowercase()))
}

fn is_of_kind(ledger: &Ledger, entry: &Entry, wanted: KindFilter) -> bool {
    let kind = crate::entries::activity_of(&entry.body).map(|activity| ledger.kind_of(activity));
    match wanted {
        KindFilter::Chat => kind == Some(ActivityKind::Chat),
        KindFilter::Voice => kind == Some(ActivityKind::Voice),
        KindFilter::Other => kind == Some(ActivityKind::Other),
        KindFilter::Added => kind.is_none() && entry.credits.is_positive(),
    }
}

/// Whether any text of an entry has a text in it, in lower case.
fn has(recorded: &Recorded, wanted: &str) -> bool {
    let entry = &recorded.sealed.entry;
    let counted = entry.body.counted();
    let names = counted.iter().flat_map(|counted| {
        [Some(&**counted.activity), counted.agent.as_deref(), counted.model.as_deref()].into_iter().flatten()
    });
    let details = recorded.details.iter().map(|details| &*details.text);
    let mut texts = names.chain(details).chain([entry.body.type_name()]);
    texts.any(|text| text.to_lowercase().contains(wanted))
        || entry.id().to_string().contains(wanted)
        || crate::entries::id_of(entry).to_string().contains(wanted)
}

/// An entry with all that is known of it.
pub(crate) fn row_of(api: &Api, account: &Account, recorded: &Recorded) -> Result<LogEntry, ServiceError> {
    let answer = EntryAnswer::new(&api.ledger, &account.id, recorded)?;
    let entry = &recorded.sealed.entry;
    let rated = rated(entry);
    let lines = rated.iter().flat_map(|rated| rated.items.iter());
    let of_charge = matches!(entry.body, Body::Charge(_)) || rated.is_some();
    Ok(LogEntry {
        sequence: entry.sequence,
        id: answer.id.0.to_string(),
        entry_type: answer.r#type.to_owned(),
        kind: answer.activity.map_or(Kind::Ledger, |activity| kind_of(&api.ledger, activity)),
        activity: answer.activity.map(str::to_owned),
        at: entry.at,
        recorded_at: entry.recorded_at,
        model: answer.model.map(str::to_owned),
        agent: answer.agent.map(str::to_owned),
        credits: entry.credits,
        lines: lines
            .map(|line| Line {
                label: line.label.to_string(),
                quantity: line.quantity.to_string(),
                unit: line.unit.to_string(),
                credits: line.credits,
            })
            .collect(),
        usage: answer
            .usage
            .iter()
            .flat_map(|usage| usage.0.iter())
            .map(|quantity| (quantity.amount.to_string(), quantity.unit.to_string()))
            .collect(),
        plugin: rated.as_ref().map(|rated| PluginUsed {
            name: rated.rating.plugin.to_string(),
            version: rated.rating.digest.to_string(),
        }),
        draws: answer
            .grants
            .iter()
            .map(|draw| Draw {
                grant: draw.grant.0.to_string(),
                source: account.grants.get(draw.grant.0.sequence).map(|grant| grant.source.name().to_owned()),
                credits: draw.credits.0,
            })
            .collect(),
        details: details_of(recorded)?,
        hash: answer.hash.0.to_string(),
        receipt_url: of_charge.then(|| format!("/v1/charges/{}/receipt", answer.id.0)),
    })
}

/// The kind of an activity.
pub(crate) fn kind_of(ledger: &Ledger, activity: &str) -> Kind {
    match ledger.kind_of(activity) {
        ActivityKind::Chat => Kind::Chat,
        ActivityKind::Voice => Kind::Voice,
        ActivityKind::Other => Kind::Other,
    }
}

/// What else is known of an entry, each with its name.
pub(crate) fn details_of(recorded: &Recorded) -> Result<Vec<(String, String)>, ServiceError> {
    let Some(salted) = &recorded.details else { return Ok(Vec::new()) };
    let details = read_details(salted)?;
    let named = [("reason", details.reason), ("by", details.actor), ("event", details.id), ("name", details.name)];
    let named = named.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?)));
    Ok(named.chain(details.attributes).chain(details.metadata.unwrap_or_default()).collect())
}

/// The id of a grant of an account.
pub(super) fn grant_id(account: &Account, sequence: u64) -> String {
    Id { kind: IdKind::Grant, account: account.number, sequence }.to_string()
}
