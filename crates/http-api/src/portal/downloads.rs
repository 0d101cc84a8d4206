//! `GET /portal/{account}/activity.csv` and `/usage.csv`: what the credits page shows, for spreadsheets.

use super::{credits, log, read};
use crate::entries::EntryStream;
use crate::formats::StreamFormat;
use crate::html::Viewer;
use crate::problem::Problem;
use crate::router::{Api, Segment};
use crate::stream::{self, Pages};
use axum::extract::State;
use axum::http::{HeaderName, Uri, header};
use axum::response::{IntoResponse, Response};
use ledger_service::ServiceError;
use ledger_store::Recorded;
use pages::{Address, breakdown_csv, days_csv};
use std::sync::Arc;
use url::form_urlencoded;

/// `GET /portal/{account}/activity.csv`: the whole log of the window with the filters of the page, not one page of it.
pub(crate) async fn activity_csv(
    State(api): State<Arc<Api>>,
    Segment(account): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let asked = Address::parse(uri.query().unwrap_or_default());
    let name = format!("{account}-activity-{}", asked.window.code());
    let pages = move || {
        let query = log::selection(&asked);
        let log = EntryStream::new(api.ledger.clone(), account, credits::window(&asked), query)?;
        Ok(Wanted { log, asked })
    };
    stream::answer(pages, StreamFormat::Csv, &name).await
}

/// The entries of a log that an address asks for.
struct Wanted {
    log: EntryStream,
    asked: Address,
}

impl Pages for Wanted {
    type Item = Arc<Recorded>;

    fn columns(&self) -> Vec<&'static str> {
        self.log.columns()
    }

    fn next_page(&mut self) -> Result<Option<Vec<Self::Item>>, ServiceError> {
        let page = self.log.next_page()?;
        let is_wanted = |recorded: &Arc<Recorded>| log::is_wanted(self.log.ledger(), recorded, &self.asked);
        Ok(page.map(|page| page.into_iter().filter(is_wanted).collect()))
    }

    fn write_json(&self, item: &Self::Item, out: &mut Vec<u8>) -> Result<(), ServiceError> {
        self.log.write_json(item, out)
    }

    fn cells(&self, item: &Self::Item) -> Result<Vec<String>, ServiceError> {
        self.log.cells(item)
    }
}

/// `GET /portal/{account}/usage.csv`: usage by day, or with `of=models` or `of=agents` a breakdown.
pub(crate) async fn usage_csv(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Segment(account): Segment,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = uri.query().unwrap_or_default().to_owned();
    let asked = Address::parse(&query);
    let of =
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "of").map(|(_, value)| value.into_owned());
    let of = of.filter(|of| ["models", "agents"].contains(&of.as_str())).unwrap_or_else(|| "days".to_owned());
    let name = format!("{account}-usage-{of}-{}", asked.window.code());
    let csv = read(&api, viewer, account, move |api, _, account| {
        let overview = api.ledger.usage_overview(&account.id, credits::window(&asked), credits::grouping(&asked))?;
        let usage = credits::usage_of(&overview);
        Ok(match of.as_str() {
            "models" => breakdown_csv("model", &usage.models),
            "agents" => breakdown_csv("agent", &usage.agents),
            _ => days_csv(asked.by.code(), &usage.by_day),
        })
    });
    let headers: [(HeaderName, String); 3] = [
        (header::CONTENT_TYPE, StreamFormat::Csv.content_type().to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.csv\"", name.replace(':', "_"))),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, csv.await?).into_response())
}
