//! The styles, scripts and the icon of pages. A hash of what is in them is in their names, so that browsers keep them for ever and
//! never have an old one.

use crate::problem::Problem;
use crate::router::Segment;
use axum::http::{HeaderName, Uri, header};
use axum::response::{IntoResponse, Response};
use ledger_core::{Digest, hex};
use std::sync::LazyLock;

/// A file that pages fetch.
pub(crate) struct Asset {
    /// Where it is.
    pub(crate) address: String,
    content_type: &'static str,
    text: &'static str,
}

impl Asset {
    fn new(stem: &str, extension: &str, content_type: &'static str, text: &'static str) -> Self {
        let hash = hex::encode(&Digest::of(text.as_bytes()).0[..6]);
        Self { address: format!("/assets/{stem}-{hash}.{extension}"), content_type, text }
    }
}

/// The style.
pub(crate) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page", "css", "text/css; charset=utf-8", pages::assets::CSS));

/// The script.
pub(crate) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page", "js", "text/javascript; charset=utf-8", pages::assets::JS));

/// What the operator's pages have besides.
pub(crate) static CONSOLE_STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("console", "css", "text/css; charset=utf-8", pages::assets::CONSOLE_CSS));

/// What the operator's pages do besides.
pub(crate) static CONSOLE_SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("console", "js", "text/javascript; charset=utf-8", pages::assets::CONSOLE_JS));

/// The icon beside the title.
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", pages::assets::ICON));

/// `GET /assets/{file}`
pub(crate) async fn read(Segment(file): Segment, uri: Uri) -> Result<Response, Problem> {
    let known = [&*STYLE, &*SCRIPT, &*CONSOLE_STYLE, &*CONSOLE_SCRIPT, &*ICON]
        .into_iter()
        .find(|asset| asset.address.strip_prefix("/assets/") == Some(&*file));
    let asset = known.ok_or_else(|| Problem::not_found(uri.path()))?;
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, asset.text).into_response())
}
