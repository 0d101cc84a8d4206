//! Every operation of the interface. A route that is not here does not exist, and one that `describe` says nothing of
//! fails a test.

use crate::operation::Access::{self, Key, Open};
use crate::operation::{About, Operation};
use crate::router::Api;
use crate::{
    accounts, alerts, audit, auto_top_up, backtests, batch, charges, console, deductions, entries, erasures, events,
    grants, health, holds, html, journal, keys, maintenance, plugins, portal, purchases, quotes, receipts, reference,
    refunds, scrape, statements, subscriptions, test_clock, transfers, usage, webhooks,
};
use axum::handler::Handler;
use axum::http::Method;
use ledger_service::Scope;
use std::sync::Arc;

const fn admin(about: About) -> Access {
    Key { scopes: &[Scope::Admin], about }
}

const fn read(about: About) -> Access {
    Key { scopes: &[Scope::Read], about }
}

const fn spend(about: About) -> Access {
    Key { scopes: &[Scope::Charge], about }
}

/// What those who spend may read of their own doings.
const fn spend_or_read(about: About) -> Access {
    Key { scopes: &[Scope::Charge, Scope::Read], about }
}

const fn operate_plugins() -> Access {
    Key { scopes: &[Scope::Plugins], about: About::Everybody }
}

const fn buy(about: About) -> Access {
    Key { scopes: &[Scope::Purchase], about }
}

/// What those who buy may read of what they may set.
const fn read_or_buy(about: About) -> Access {
    Key { scopes: &[Scope::Read, Scope::Purchase], about }
}

/// What whoever may see anything in the console may.
const fn see_console() -> Access {
    Key { scopes: &[Scope::Read, Scope::Plugins], about: About::Everybody }
}

/// What an administrator does by a form of the console.
fn by_form<H: Handler<T, Arc<Api>>, T: 'static>(path: &'static str, id: &'static str, handler: H) -> Operation {
    Operation::post(path, id, admin(About::Everybody), handler).for_browsers()
}

/// All of them, in the order in which the document lists them.
pub(crate) fn all() -> Vec<Operation> {
    use About::{Account, Everybody, Identifier, Named, Nobody};
    vec![
        // Spending.
        Operation::post("/v1/charges", "charge", spend(Named), charges::create),
        Operation::post("/v1/charges/batch", "chargeBatch", spend(Named), batch::create),
        Operation::post("/v1/quotes", "quote", spend(Named), quotes::create),
        Operation::get("/v1/charges/{charge}", "getCharge", spend_or_read(Identifier), charges::read),
        Operation::post("/v1/charges/{charge}/refunds", "refundCharge", admin(Identifier), refunds::create),
        Operation::get("/v1/charges/{charge}/receipt", "getReceipt", spend_or_read(Identifier), receipts::read),
        Operation::post("/v1/holds", "openHold", spend(Named), holds::create),
        Operation::get("/v1/holds", "listHolds", spend_or_read(Named), holds::list),
        Operation::get("/v1/holds/{hold}", "getHold", spend_or_read(Identifier), holds::read),
        Operation::post("/v1/holds/{hold}/settle", "settleHold", spend(Identifier), holds::settle),
        Operation::post("/v1/holds/{hold}/extend", "extendHold", spend(Identifier), holds::extend),
        Operation::post("/v1/holds/{hold}/release", "releaseHold", spend(Identifier), holds::release),
        // Accounts.
        Operation::get("/v1/accounts", "listAccounts", read(Named), accounts::list),
        Operation::put("/v1/accounts/{account}", "putAccount", admin(Account), accounts::put),
        Operation::get("/v1/accounts/{account}", "getAccount", read(Account), accounts::read),
        Operation::get("/v1/accounts/{account}/balance", "getBalance", read(Account), accounts::read_balance),
        Operation::post("/v1/accounts/{account}/grants", "grant", admin(Account), grants::create),
        Operation::get("/v1/accounts/{account}/grants", "listGrants", read(Account), grants::list),
        Operation::post("/v1/accounts/{account}/grants/{grant}/void", "voidGrant", admin(Account), grants::void),
        Operation::post("/v1/accounts/{account}/deductions", "deduct", admin(Account), deductions::create),
        Operation::put("/v1/accounts/{account}/subscription", "putSubscription", admin(Account), subscriptions::put),
        Operation::post(
            "/v1/accounts/{account}/subscription/preview",
            "previewSubscription",
            read(Account),
            subscriptions::preview,
        ),
        Operation::post("/v1/accounts/{account}/transfers", "transfer", admin(Account), transfers::create),
        Operation::post("/v1/accounts/{account}/erasures", "erase", admin(Account), erasures::create),
        // Reading.
        Operation::get("/v1/accounts/{account}/entries", "listEntries", read(Account), entries::list),
        Operation::get("/v1/accounts/{account}/usage", "getUsage", read(Account), usage::read),
        Operation::get("/v1/accounts/{account}/statements/{cycle}", "getStatement", read(Account), statements::read),
        Operation::get("/v1/accounts/{account}/journal", "exportJournal", read(Account), journal::read),
        Operation::get("/v1/accounts/{account}/events", "streamAccount", read(Account), events::of_account),
        Operation::get("/v1/events/stream", "streamAccounts", read(Named), events::of_accounts),
        // Alerts.
        Operation::put("/v1/accounts/{account}/alerts", "putAlerts", buy(Account), alerts::put),
        Operation::get("/v1/accounts/{account}/alerts", "getAlerts", read_or_buy(Account), alerts::read),
        Operation::delete("/v1/accounts/{account}/alerts", "deleteAlerts", buy(Account), alerts::delete),
        // Buying.
        Operation::get(
            "/v1/packs",
            "listPacks",
            Key { scopes: &[Scope::Read, Scope::Purchase], about: Nobody },
            purchases::packs,
        ),
        Operation::get(
            "/v1/plans",
            "listPlans",
            Key { scopes: &[Scope::Read, Scope::Purchase], about: Nobody },
            subscriptions::plans,
        ),
        Operation::post("/v1/accounts/{account}/purchases", "purchase", buy(Account), purchases::create),
        Operation::get(
            "/v1/accounts/{account}/purchases",
            "listPurchases",
            Key { scopes: &[Scope::Read, Scope::Purchase], about: Account },
            purchases::list,
        ),
        Operation::post(
            "/v1/accounts/{account}/purchases/{purchase}/refunds",
            "refundPurchase",
            admin(Account),
            purchases::refund,
        ),
        Operation::put("/v1/accounts/{account}/auto-top-up", "putAutoTopUp", buy(Account), auto_top_up::put),
        Operation::get("/v1/accounts/{account}/auto-top-up", "getAutoTopUp", read_or_buy(Account), auto_top_up::read),
        Operation::delete("/v1/accounts/{account}/auto-top-up", "deleteAutoTopUp", buy(Account), auto_top_up::delete),
        // Plugins.
        Operation::get("/v1/plugins", "listPlugins", operate_plugins(), plugins::list),
        Operation::get("/v1/plugins/{name}", "getPlugin", operate_plugins(), plugins::read),
        Operation::put("/v1/plugins/{name}/versions", "putPluginVersion", operate_plugins(), plugins::upload_version),
        Operation::put("/v1/plugins/{name}/configs", "putPluginConfig", operate_plugins(), plugins::upload_config),
        Operation::post("/v1/plugins/{name}/releases", "releasePlugin", operate_plugins(), plugins::release)
            .keeping_answers(),
        Operation::post("/v1/plugins/{name}/rollback", "rollBackPlugin", operate_plugins(), plugins::roll_back)
            .keeping_answers(),
        Operation::get("/v1/plugins/{name}/shadow", "getShadow", operate_plugins(), plugins::read_shadow),
        Operation::delete("/v1/plugins/{name}/shadow", "endShadow", operate_plugins(), plugins::end_shadow),
        Operation::get(
            "/v1/plugins/{name}/versions/{digest}",
            "getPluginVersion",
            Key { scopes: &[Scope::Read, Scope::Plugins], about: Nobody },
            plugins::component,
        ),
        Operation::get(
            "/v1/plugins/{name}/configs/{digest}",
            "getPluginConfig",
            Key { scopes: &[Scope::Read, Scope::Plugins], about: Nobody },
            plugins::config,
        ),
        Operation::post("/v1/backtests", "startBacktest", operate_plugins(), backtests::create).keeping_answers(),
        Operation::get("/v1/backtests", "listBacktests", operate_plugins(), backtests::list_backtests),
        Operation::get("/v1/backtests/{id}", "getBacktest", operate_plugins(), backtests::read),
        Operation::delete("/v1/backtests/{id}", "cancelBacktest", operate_plugins(), backtests::cancel),
        // Operating.
        Operation::get("/v1/verification", "verify", admin(Everybody), maintenance::verify),
        Operation::get("/v1/backup", "backUp", admin(Everybody), maintenance::back_up),
        Operation::post("/v1/keys", "createKey", admin(Everybody), keys::create),
        Operation::get("/v1/keys", "listKeys", admin(Everybody), keys::list_keys),
        Operation::delete("/v1/keys/{id}", "revokeKey", admin(Everybody), keys::revoke),
        Operation::post("/v1/portal-tokens", "createPortalToken", admin(Named), portal::create_token),
        Operation::post("/v1/webhooks", "createWebhook", admin(Everybody), webhooks::create).keeping_answers(),
        Operation::get("/v1/webhooks", "listWebhooks", admin(Everybody), webhooks::list),
        Operation::get("/v1/webhooks/{id}", "getWebhook", admin(Everybody), webhooks::read),
        Operation::delete("/v1/webhooks/{id}", "deleteWebhook", admin(Everybody), webhooks::delete),
        Operation::post("/v1/webhooks/{id}/rotate-secret", "rotateWebhookSecret", admin(Everybody), webhooks::rotate)
            .keeping_answers(),
        Operation::post("/v1/webhooks/{id}/enable", "enableWebhook", admin(Everybody), webhooks::enable)
            .keeping_answers(),
        Operation::post("/v1/webhooks/{id}/resend", "resendDeadDeliveries", admin(Everybody), webhooks::resend_dead)
            .keeping_answers(),
        Operation::get("/v1/webhooks/{id}/deliveries", "listDeliveries", admin(Everybody), webhooks::deliveries),
        Operation::post(
            "/v1/webhooks/{id}/deliveries/{delivery}/resend",
            "resendDelivery",
            admin(Everybody),
            webhooks::resend,
        )
        .keeping_answers(),
        Operation::get("/v1/audit", "listAudit", admin(Everybody), audit::list),
        Operation::post("/v1/test-clock", "setTestClock", admin(Everybody), test_clock::advance).keeping_answers(),
        // The customer's page.
        Operation::get("/portal", "openPortal", Open, portal::open).for_browsers(),
        Operation::get("/portal/{account}", "showPortal", read(Account), portal::show).for_browsers(),
        Operation::get("/portal/{account}/activity.csv", "downloadActivity", read(Account), portal::activity_csv)
            .for_browsers(),
        Operation::get("/portal/{account}/usage.csv", "downloadUsage", read(Account), portal::usage_csv).for_browsers(),
        Operation::get("/portal/{account}/statements/{cycle}", "showStatement", read(Account), portal::show_statement)
            .for_browsers(),
        Operation::get("/portal/{account}/purchases", "showPurchases", read(Account), portal::show_purchases)
            .for_browsers(),
        Operation::get("/portal/{account}/purchases/confirm", "confirmPurchase", buy(Account), portal::confirm)
            .for_browsers(),
        Operation::post("/portal/{account}/purchases", "buy", buy(Account), portal::buy).for_browsers(),
        Operation::get(
            "/portal/{account}/purchases/{purchase}/receipt",
            "showPurchaseReceipt",
            read(Account),
            portal::receipt,
        )
        .for_browsers(),
        Operation::post("/portal/{account}/auto-top-up", "saveAutoTopUp", buy(Account), portal::save_auto_top_up)
            .for_browsers(),
        Operation::post("/portal/{account}/alerts", "saveAlerts", buy(Account), portal::save_alerts).for_browsers(),
        Operation::get("/portal/{account}/companies", "showCompanies", read(Account), portal::show_companies)
            .for_browsers(),
        Operation::post("/portal/{account}/companies", "allocate", buy(Account), portal::allocate).for_browsers(),
        // The operator's console.
        Operation::get("/console/sign-in", "showSignIn", Open, console::show_sign_in).for_browsers(),
        Operation::post("/console/sign-in", "signIn", Open, console::sign_in).for_browsers(),
        Operation::post("/console/sign-out", "signOut", see_console(), console::sign_out).for_browsers(),
        Operation::get("/console", "showConsole", see_console(), console::show_overview).for_browsers(),
        Operation::get("/console/live.json", "getLiveNumbers", read(Everybody), console::live).for_browsers(),
        Operation::get("/console/accounts", "showAccounts", read(Everybody), console::show_accounts).for_browsers(),
        Operation::get("/console/accounts/{account}", "showAccount", read(Everybody), console::show_account)
            .for_browsers(),
        by_form("/console/accounts/{account}/grant", "grantByForm", console::grant),
        by_form("/console/accounts/{account}/deduct", "deductByForm", console::deduct),
        by_form("/console/accounts/{account}/refund", "refundChargeByForm", console::refund),
        by_form("/console/accounts/{account}/void-grant", "voidGrantByForm", console::void_grant),
        by_form("/console/accounts/{account}/refund-purchase", "refundPurchaseByForm", console::refund_purchase),
        by_form("/console/accounts/{account}/suspend", "suspendByForm", console::suspend),
        by_form("/console/accounts/{account}/resume", "resumeByForm", console::resume),
        by_form("/console/accounts/{account}/plan", "changePlanByForm", console::change_plan),
        Operation::get("/console/holds", "showHolds", read(Everybody), console::show_holds).for_browsers(),
        Operation::get("/console/plugins", "showPlugins", operate_plugins(), console::show_plugins).for_browsers(),
        Operation::get("/console/plugins/{name}", "showPlugin", operate_plugins(), console::show_plugin).for_browsers(),
        Operation::post("/console/plugins/{name}/release", "releaseByForm", operate_plugins(), console::release)
            .for_browsers(),
        Operation::post("/console/plugins/{name}/rollback", "rollBackByForm", operate_plugins(), console::roll_back)
            .for_browsers(),
        Operation::post(
            "/console/plugins/{name}/end-shadow",
            "endShadowByForm",
            operate_plugins(),
            console::end_shadow,
        )
        .for_browsers(),
        Operation::get("/console/backtests", "showBacktests", operate_plugins(), console::show_backtests)
            .for_browsers(),
        Operation::post("/console/backtests/start", "startBacktestByForm", operate_plugins(), console::start_backtest)
            .for_browsers(),
        Operation::post(
            "/console/backtests/cancel",
            "cancelBacktestByForm",
            operate_plugins(),
            console::cancel_backtest,
        )
        .for_browsers(),
        Operation::get("/console/webhooks", "showWebhooks", admin(Everybody), console::show_webhooks).for_browsers(),
        Operation::get("/console/webhooks/{id}", "showWebhook", admin(Everybody), console::show_endpoint)
            .for_browsers(),
        by_form("/console/webhooks/add", "addWebhookByForm", console::add_webhook),
        by_form("/console/webhooks/resend", "resendDeliveryByForm", console::resend),
        by_form("/console/webhooks/{id}/resend-dead", "resendDeadByForm", console::resend_dead),
        by_form("/console/webhooks/{id}/enable", "enableWebhookByForm", console::enable),
        by_form("/console/webhooks/{id}/rotate", "rotateSecretByForm", console::rotate),
        by_form("/console/webhooks/{id}/delete", "deleteWebhookByForm", console::delete),
        Operation::get("/console/audit", "showAudit", admin(Everybody), console::show_audit).for_browsers(),
        Operation::get("/assets/{file}", "getAsset", Open, html::assets::read).for_browsers(),
        Operation::get("/healthz", "getHealth", Open, health::healthz),
        Operation::get("/readyz", "getReadiness", Open, health::readyz),
        // A setting closes it to whoever has no key.
        Operation::get("/metrics", "getMetrics", Open, scrape::read),
        // The reference.
        Operation::get("/openapi.json", "getOpenApi", Open, reference::openapi),
        Operation::get("/docs", "getReference", Open, reference::reference),
        Operation::get("/docs/problems/{code}", "getProblem", Open, reference::problem),
        Operation::get("/docs/style.css", "getReferenceStyle", Open, reference::style),
    ]
}

/// Those that programs call, which the document speaks of.
pub(crate) fn documented() -> Vec<Operation> {
    let mut all = all();
    all.retain(|operation| !operation.is_page);
    all
}

/// Every route, with the name of its operation, for tests that must leave none out.
pub fn routes() -> Vec<(Method, &'static str, &'static str)> {
    all().into_iter().map(|operation| (operation.method, operation.path, operation.id)).collect()
}
