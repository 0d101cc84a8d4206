//! The operator's pages with one name in the place of every name.

use crate::console as sample;
use crate::data;
use crate::{console_accounts, console_plugins, console_webhooks};
use ledger_core::Amount;
use pages::console::{
    AccountRow, AccountsView, ActRow, Attention, AuditFilter, BacktestStanding, Console, EndpointRow, EndpointStanding,
    Fact, HoldRow, NewSecret, PluginSlot, Sections, ShadowDifference, ShadowSums, SignInView, account_page,
    accounts_page, audit_page, backtests_page, confirm_act_page, endpoint_page, holds_page, overview_page, plugin_page,
    plugins_page, sign_in_page, webhooks_page,
};
use pages::{Form, Frame, LogEntry, Notice, Tone};

pub(super) fn pages(name: &str, entry: &LogEntry) -> Vec<String> {
    let some = || Some(name.to_owned());
    let text = || name.to_owned();
    let form = || Form {
        action: text(),
        csrf: text(),
        request: text(),
        typed: ["credits", "reason", "charge", "digest", "url", "accounts", "description", "share_percent", "amount"]
            .map(|field| (field.to_owned(), text()))
            .to_vec(),
    };
    // What is said in the caller's own words.
    let words = || name.chars().take(300).collect::<String>();
    let sections = Sections {
        overview: some(),
        accounts: some(),
        holds: some(),
        plugins: some(),
        backtests: some(),
        webhooks: some(),
        audit: some(),
    };
    let frame = Frame { product: text(), notice: Some(Notice { tone: Tone::Good, text: words() }), ..data::frame() };
    let console = Console {
        frame: Frame { account: None, ..frame },
        stylesheet: text(),
        script: text(),
        sections,
        operator: some(),
        sign_out: Some(form()),
    };

    let mut overview = sample::overview();
    overview.live.version = text();
    overview.live_url = some();
    overview.attention = vec![Attention { tone: Tone::Bad, text: text(), url: some() }];

    let mut accounts: AccountsView = console_accounts::accounts();
    accounts.path = text();
    accounts.search = some();
    accounts.paging.next_url = some();
    let row = AccountRow { id: text(), name: some(), plan: some(), url: text(), ..accounts.rows[0].clone() };
    accounts.rows = vec![row];
    accounts.rows[0].spend[0].currency = text();

    let mut account = console_accounts::account();
    account.path = text();
    account.id = text();
    account.name = some();
    account.parent = some();
    account.parent_url = some();
    account.plan = some();
    account.next_plan = some();
    account.customer_url = some();
    account.spend[0].currency = text();
    account.recent = vec![entry.clone(), LogEntry { entry_type: "charge".to_owned(), ..entry.clone() }];
    for grant in &mut account.grants {
        grant.row.id = text();
        grant.row.source = text();
        grant.row.reason = some();
    }
    for purchase in &mut account.purchases {
        purchase.id = text();
        purchase.price.currency = text();
        purchase.refunded.currency = text();
    }
    if let Some(choice) = &mut account.forms.plan {
        choice.plans = vec![text()];
    }
    account.chosen_charge = some();
    account.chosen_grant = some();
    account.chosen_purchase = some();

    let mut confirm = console_accounts::plan_change();
    confirm.title = text();
    confirm.text = words();
    confirm.facts = vec![(words(), Fact::Text(text()))];
    confirm.fields = vec![(text(), text())];
    confirm.verb = words();
    confirm.back_url = text();

    let mut holds = sample::holds();
    let (activity, account_url) = (text(), some());
    let row = HoldRow { id: text(), account: text(), account_url, activity, ..holds.rows[0].clone() };
    holds.rows = vec![HoldRow { agent: some(), model: some(), ..row }];

    let slot = |slot: &PluginSlot| PluginSlot { name: text(), ..slot.clone() };
    let mut plugins = console_plugins::plugins();
    for row in &mut plugins.rows {
        row.name = text();
        row.url = text();
        row.slots = row.slots.iter().map(slot).collect();
    }

    let mut plugin = console_plugins::plugin();
    plugin.name = text();
    plugin.slots = plugin.slots.iter().map(slot).collect();
    plugin.slots.push(plugin.slots[0].clone());
    plugin.backtest_url = some();
    for upload in plugin.versions.iter_mut().chain(&mut plugin.configs) {
        upload.actor = text();
    }
    for release in &mut plugin.releases {
        release.slot = text();
        release.reason = text();
        release.actor = text();
    }
    let sums = || ShadowSums { name: some(), events: 3, live: data::credits("1"), would: Amount::ZERO };
    let shadow = &mut plugin.shadows[0];
    shadow.slot = text();
    shadow.models = vec![sums()];
    shadow.activities = vec![sums()];
    let difference = ShadowDifference {
        account: text(),
        account_url: some(),
        activity: text(),
        agent: some(),
        model: some(),
        usage: vec![(text(), text())],
        would: Err(text()),
        ..shadow.differences[0].clone()
    };
    shadow.differences = vec![difference];

    let mut backtests = console_plugins::backtests();
    for row in &mut backtests.rows {
        row.id = text();
        row.plugin = text();
        row.slot = text();
        row.reason = text();
        row.actor = text();
        row.report_url = row.report_url.as_ref().map(|_| text());
        if matches!(row.standing, BacktestStanding::Failed(_)) {
            row.standing = BacktestStanding::Failed(text());
        }
    }
    if let Some(start) = &mut backtests.start {
        start.chosen = some();
        for target in &mut start.targets {
            target.plugin = text();
            target.slots = vec![text()];
        }
    }

    let endpoint = |row: &EndpointRow| EndpointRow {
        id: text(),
        url: text(),
        description: some(),
        events: vec![text(), text(), text()],
        accounts: Some(vec![text()]),
        page_url: text(),
        standing: match &row.standing {
            EndpointStanding::Disabled { at, .. } => EndpointStanding::Disabled { reason: text(), at: *at },
            other => other.clone(),
        },
        ..row.clone()
    };
    let delivery = |mut row: pages::console::DeliveryRow| {
        row.id = text();
        row.endpoint = text();
        row.endpoint_url = text();
        row.event = text();
        row.account = some();
        row.account_url = some();
        row.last_error = some();
        row
    };
    let mut webhooks = console_webhooks::webhooks();
    webhooks.endpoints = webhooks.endpoints.iter().map(endpoint).collect();
    webhooks.dead = webhooks.dead.into_iter().map(delivery).collect();
    webhooks.secret = Some(NewSecret { url: text(), secret: text() });
    if let Some(add) = &mut webhooks.add {
        add.events = vec![text()];
    }
    let mut webhook = console_webhooks::webhook();
    webhook.path = text();
    webhook.endpoint = endpoint(&webhook.endpoint);
    webhook.rows = webhook.rows.into_iter().map(delivery).collect();
    let mut disabled = console_webhooks::webhook_disabled();
    disabled.endpoint = endpoint(&disabled.endpoint);

    let mut audit = sample::audit();
    audit.path = text();
    audit.filter = AuditFilter { account: some(), operation: some(), key: some() };
    for row in &mut audit.rows {
        *row = ActRow {
            at: row.at,
            actor: text(),
            key: text(),
            operation: text(),
            path: text(),
            account: some(),
            account_url: some(),
            reason: some(),
            made: some(),
            request_id: some(),
        };
    }

    vec![
        sign_in_page(&console, &SignInView { form: form(), next: some(), ..sample::sign_in() }),
        overview_page(&console, &overview),
        accounts_page(&console, &accounts),
        account_page(&console, &account),
        confirm_act_page(&console, &confirm),
        holds_page(&console, &holds),
        plugins_page(&console, &plugins),
        plugin_page(&console, &plugin),
        backtests_page(&console, &backtests),
        webhooks_page(&console, &webhooks),
        endpoint_page(&console, &webhook),
        endpoint_page(&console, &disabled),
        audit_page(&console, &audit),
    ]
}
