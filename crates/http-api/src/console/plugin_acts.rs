//! Releases, rollbacks and the end of a shadow, by the forms of a plugin's page.

use super::once::{Once, once};
use super::plugin::{ByForm, again};
use super::plugins::address;
use super::{ask, notice_of, refused};
use crate::acts::mark;
use crate::auth::made;
use crate::fields::{Fields, member, number_in, text};
use crate::html::{PageForm, see_other};
use crate::plugins::{actor, digest, slot};
use crate::problem::Problem;
use crate::router::{Api, Segment};
use axum::extract::State;
use axum::response::Response;
use ledger_service::{ReleaseInput, ReleaseMode, ServiceError};
use pages::console::{ConfirmAct, Fact, Section};
use std::borrow::Cow;
use std::sync::Arc;

const MODES: [(ReleaseMode, &str); 3] =
    [(ReleaseMode::Live, "live"), (ReleaseMode::Shadow, "shadow"), (ReleaseMode::Share(0), "share")];

fn reason(fields: &mut Fields<'_>) -> String {
    fields.required("reason", |value| text(value).map(Cow::into_owned))
}

/// `POST /console/plugins/{name}/release`
pub(crate) async fn release(
    State(api): State<Arc<Api>>,
    Segment(plugin): Segment,
    form: PageForm,
) -> Result<Response, Problem> {
    let mut fields = form.fields();
    let slot = slot(&mut fields);
    let names_nothing = !fields.has("digest") && !fields.has("config_digest");
    let version = fields.optional("digest", digest);
    let config_digest = fields.optional("config_digest", digest);
    let mode = fields.required("mode", |value| member(&MODES)(value).map(Some));
    let has_percent = fields.has("share_percent");
    let percent = fields.optional("share_percent", number_in(1..=100));
    match mode {
        Some(ReleaseMode::Share(_)) if !has_percent => fields.problem("share_percent", "is required for a share"),
        Some(ReleaseMode::Live | ReleaseMode::Shadow) if has_percent => {
            fields.problem("share_percent", "goes with a share only");
        }
        _ => {}
    }
    if names_nothing {
        fields.problem("version", "or configuration: choose one, since what is left as it is live changes nothing");
    }
    let why = reason(&mut fields);
    let read = fields.finish();
    let mode = match (mode, percent) {
        (Some(ReleaseMode::Share(_)), Some(percent)) => ReleaseMode::Share(percent),
        (mode, _) => mode.unwrap_or(ReleaseMode::Shadow),
    };
    let input = ReleaseInput {
        plugin: plugin.clone(),
        slot,
        digest: version,
        config_digest,
        mode,
        reason: why,
        actor: actor(&form.viewer.caller),
    };
    let act = async {
        read?;
        api.ledger.release(input).await.map(|release| release.number.to_string())
    };
    let came = once(&api, &form, &ByForm::Release.address(&plugin), act).await;
    ended(&api, plugin, form, ByForm::Release, came).await
}

/// `POST /console/plugins/{name}/rollback`
pub(crate) async fn roll_back(
    State(api): State<Arc<Api>>,
    Segment(plugin): Segment,
    mut form: PageForm,
) -> Result<Response, Problem> {
    let is_confirmed = form.take_confirmed();
    let mut fields = form.fields();
    let slot = slot(&mut fields);
    let why = reason(&mut fields);
    if let Err(error) = fields.finish() {
        return ended(&api, plugin, form, ByForm::RollBack, Err(error)).await;
    }
    if !is_confirmed {
        let facts = [("Plugin configuration", slot.unwrap_or_default()), ("Reason", why)];
        let question = ConfirmAct {
            section: Section::Plugins,
            title: format!("Roll {} back?", api.ledger.plugin(&plugin)?.name),
            text: "What was live before is live again at once, for all accounts. What was charged meanwhile stays."
                .to_owned(),
            facts: facts
                .into_iter()
                .filter(|(_, text)| !text.is_empty())
                .map(|(name, text)| (name.to_owned(), Fact::Text(text)))
                .collect(),
            form: super::form(&api, &form.viewer, ByForm::RollBack.address(&plugin), None),
            fields: form.typed().to_vec(),
            verb: "Roll back".to_owned(),
            is_dangerous: true,
            back_url: address(&plugin, ""),
        };
        return Ok(ask(&api, &form, &question, None));
    }
    let by = actor(&form.viewer.caller);
    let act = async {
        let release = api.ledger.roll_back(&plugin, slot.as_deref(), why, by).await?;
        Ok(release.number.to_string())
    };
    let came = once(&api, &form, &ByForm::RollBack.address(&plugin), act).await;
    ended(&api, plugin, form, ByForm::RollBack, came).await
}

/// `POST /console/plugins/{name}/end-shadow`
pub(crate) async fn end_shadow(
    State(api): State<Arc<Api>>,
    Segment(plugin): Segment,
    form: PageForm,
) -> Result<Response, Problem> {
    let mut fields = form.fields();
    let slot = slot(&mut fields);
    let why = reason(&mut fields);
    let read = fields.finish();
    let by = actor(&form.viewer.caller);
    let act = async {
        read?;
        let ended = api.ledger.end_shadow(&plugin, slot.as_deref(), why, by).await?;
        let none = || ServiceError::NotFound { what: "shadow", id: plugin.clone() };
        ended.map(|release| release.number.to_string()).ok_or_else(none)
    };
    let came = once(&api, &form, &ByForm::EndShadow.address(&plugin), act).await;
    ended(&api, plugin, form, ByForm::EndShadow, came).await
}

async fn ended(
    api: &Arc<Api>,
    plugin: String,
    form: PageForm,
    by: ByForm,
    came: Result<Once, ServiceError>,
) -> Result<Response, Problem> {
    match came {
        Ok(came) => {
            let mut response = made(see_other(&address(&plugin, &format!("?step={}", came.id))), &came.id);
            mark(&mut response, came.replay);
            Ok(response)
        }
        Err(error) => {
            let notice = notice_of(error)?;
            let typed = form.typed().to_vec();
            refused(api, form.viewer, move |api, viewer| again(api, viewer, &plugin, (by, &typed), notice)).await
        }
    }
}
