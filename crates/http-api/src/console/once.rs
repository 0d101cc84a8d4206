//! What a form does where no entry is written under its name: done once all the same, however often it is sent. What came
//! of it is kept under the form's name, as answers to programs are under their `Idempotency-Key`.

use crate::html::PageForm;
use crate::router::{Api, blocking};
use ledger_service::idempotency::Content;
use ledger_service::{KeptAnswer, ServiceError};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Such forms are rare, so that they may go one at a time: a second sending then waits for the first.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// What came of a form.
pub(super) struct Once {
    /// The id of what came into being, or of what was changed.
    pub(super) id: String,
    /// Whether an earlier sending did it.
    pub(super) replay: bool,
}

/// Does something unless the same form did it before.
pub(super) async fn once(
    api: &Arc<Api>,
    form: &PageForm,
    what: &str,
    act: impl Future<Output = Result<String, ServiceError>>,
) -> Result<Once, ServiceError> {
    let mut of_key = Content::new("form");
    of_key.text(&form.viewer.caller.id);
    of_key.text(&form.key());
    let mut of_content = Content::new(what);
    for (name, value) in form.typed() {
        of_content.text(name);
        of_content.text(value);
    }
    let (key, content) = (of_key.finish(), of_content.finish());
    let _turn = ONE_AT_A_TIME.lock().await;
    let ledger = api.ledger.clone();
    if let Some(kept) = blocking(move || ledger.kept_answer(key, content)).await? {
        return Ok(Once { id: kept.body, replay: true });
    }
    let id = act.await?;
    let kept = KeptAnswer::new(content, api.ledger.now(), 303, id.clone());
    let ledger = api.ledger.clone();
    blocking(move || ledger.keep_answer(key, &kept)).await?;
    Ok(Once { id, replay: false })
}
