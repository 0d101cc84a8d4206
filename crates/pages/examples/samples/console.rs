//! A service that never was, for the operator's pages to look at and to try.

use crate::console_accounts::{account, account_fresh, account_in_debt, accounts, plan_change, suspension};
use crate::console_plugins::{backtests, plugin, plugin_fresh, plugins};
use crate::console_webhooks::{webhook, webhook_disabled, webhooks};
use crate::data::{self, credits, form, time};
use pages::console::{
    AccountStatus, AccountsView, ActRow, Attention, AuditFilter, AuditView, BacktestsView, Console, HoldRow, HoldsView,
    Live, NewSecret, OverviewView, Paging, PluginsView, Sections, SignInRefusal, SignInView, WebhooksView,
    account_page, accounts_page, audit_page, backtests_page, confirm_act_page, endpoint_page, holds_page,
    overview_page, plugin_page, plugins_page, sign_in_page, webhooks_page,
};
use pages::{Frame, Kind, Links, Money, Notice, Tone};

pub(crate) fn console() -> Console {
    let page = |name: &str| Some(format!("console-{name}.html"));
    Console {
        frame: Frame { account: None, links: Links::default(), zone: chrono_tz::Tz::UTC, ..data::frame() },
        stylesheet: "console.css".to_owned(),
        script: "console.js".to_owned(),
        sections: Sections {
            overview: page("overview"),
            accounts: page("accounts"),
            holds: page("holds"),
            plugins: page("plugins"),
            backtests: page("backtests"),
            webhooks: page("webhooks"),
            audit: page("audit"),
        },
        operator: Some("mara@knock.example".to_owned()),
        sign_out: Some(form("sign-out")),
    }
}

/// The same with nobody signed in.
pub(crate) fn signed_out() -> Console {
    Console { sections: Sections::default(), operator: None, sign_out: None, ..console() }
}

pub(crate) fn sign_in() -> SignInView {
    SignInView { form: form("sign-in"), refusal: None, next: None }
}

pub(crate) fn dollars(amount: &str) -> Money {
    Money { amount: credits(amount), currency: "USD".to_owned(), decimals: 2 }
}

pub(crate) fn more() -> Paging {
    Paging { first_url: Some("console-overview.html".to_owned()), next_url: Some("console-overview.html".to_owned()) }
}

pub(crate) fn overview() -> OverviewView {
    let attention = |tone, text: &str, page: &str| Attention {
        tone,
        text: text.to_owned(),
        url: Some(format!("console-{page}.html")),
    };
    // A quiet hour with a campaign in it.
    let wave = |n: u64| 9_000 + (n * 7919 % 5_000) + if (30..55).contains(&n) { (n - 30) * 1_100 } else { 0 };
    OverviewView {
        live: Live {
            charges_per_second_e3: 12_640,
            p99_us: Some(3_180),
            queue: 4,
            queue_max: 4_096,
            last_checkpoint: Some(time("2026-11-24T17:41:22Z")),
            open_holds: Some(37),
            held: Some(credits("412.5")),
            accounts: Some(1_284),
            started_at: time("2026-11-21T05:12:40Z"),
            version: "0.4.0".to_owned(),
            is_ready: true,
        },
        recent_e3: (0..74).map(wave).collect(),
        live_url: Some("console-live.json".to_owned()),
        attention: vec![
            attention(Tone::Bad, "3 webhook deliveries were given up", "webhooks"),
            attention(
                Tone::Warning,
                "The endpoint https://hooks.bluebird.example/purser has failed since 16:05",
                "endpoint",
            ),
            attention(Tone::Good, "A backtest of voice-minutes is done", "backtests"),
        ],
    }
}

/// A service that has just been started.
pub(crate) fn first_minute() -> OverviewView {
    let view = overview();
    OverviewView {
        live: Live {
            charges_per_second_e3: 0,
            p99_us: None,
            queue: 0,
            last_checkpoint: None,
            open_holds: None,
            held: None,
            accounts: None,
            started_at: time("2026-11-24T17:41:58Z"),
            is_ready: false,
            ..view.live
        },
        recent_e3: Vec::new(),
        attention: Vec::new(),
        ..view
    }
}

pub(crate) fn holds() -> HoldsView {
    let row =
        |number: u64, account: &str, kind, activity: &str, model: &str, held: &str, since: &str, expires: &str| {
            HoldRow {
                id: format!("hd_{number:x}_{}", 900 + number),
                account: account.to_owned(),
                account_url: Some("console-account.html".to_owned()),
                kind,
                activity: activity.to_owned(),
                agent: Some("front-desk".to_owned()),
                model: Some(model.to_owned()),
                held: credits(held),
                since: time(since),
                expires_at: time(expires),
            }
        };
    HoldsView {
        open: Some((37, credits("412.5"))),
        rows: vec![
            row(
                1,
                "acme",
                Kind::Voice,
                "voice_inbound",
                "gpt-4o-realtime",
                "12",
                "2026-11-24T17:40:51Z",
                "2026-11-24T18:40:51Z",
            ),
            row(
                2,
                "acme",
                Kind::Voice,
                "voice_outbound",
                "gpt-4o-realtime",
                "36",
                "2026-11-24T17:31:02Z",
                "2026-11-24T18:31:02Z",
            ),
            row(
                3,
                "northside",
                Kind::Chat,
                "chat",
                "claude-sonnet-4-5",
                "0.4125",
                "2026-11-24T17:42:01Z",
                "2026-11-24T17:47:01Z",
            ),
            row(
                4,
                "riverside",
                Kind::Other,
                "assistant",
                "gemini-2.5-flash",
                "250",
                "2026-11-24T11:02:00Z",
                "2026-11-24T17:02:00Z",
            ),
        ],
        paging: Paging { first_url: None, next_url: Some("console-holds.html".to_owned()) },
    }
}

pub(crate) fn audit() -> AuditView {
    let act = |at: &str, operation: &str, path: &str, account: Option<&str>, made: Option<&str>| ActRow {
        at: time(at),
        actor: "mara@knock.example".to_owned(),
        key: "key_8d21".to_owned(),
        operation: operation.to_owned(),
        path: path.to_owned(),
        account: account.map(str::to_owned),
        account_url: account.map(|_| "console-account.html".to_owned()),
        reason: made.is_none().then(|| "the invoice is overdue".to_owned()),
        made: made.map(str::to_owned),
        request_id: Some("req_5f0a9c".to_owned()),
    };
    AuditView {
        path: "console-audit.html".to_owned(),
        filter: AuditFilter::default(),
        rows: vec![
            act("2026-11-24T17:20:11Z", "create_grant", "/v1/accounts/acme/grants", Some("acme"), Some("gr_3f_4233")),
            act(
                "2026-11-24T09:01:47Z",
                "refund_charge",
                "/v1/charges/ch_3f_4101/refunds",
                Some("acme"),
                Some("rf_3f_4240"),
            ),
            act("2026-11-23T08:00:12Z", "release_plugin", "/v1/plugins/voice-minutes/releases", None, Some("8")),
            act("2025-12-30T15:44:00Z", "update_account", "/v1/accounts/harbour", Some("harbour"), None),
        ],
        paging: more(),
    }
}

/// What the overview's script fetches.
pub(crate) const LIVE_JSON: &str = r#"{
  "charges_per_second": "14.2", "p99_ms": "2.9", "queue": 7, "open_holds": 38, "held": "424.5", "accounts": 1285,
  "last_checkpoint": "2026-11-24T17:42:22Z", "started_at": "2026-11-21T05:12:40Z", "version": "0.4.0", "ready": true
}"#;

/// Every page of the console in every state.
pub(crate) fn pages() -> Vec<(&'static str, String)> {
    let console = console();
    let out = signed_out();
    // Where one account is shown, its own zone counts.
    let mut berlin = console.clone();
    berlin.frame.zone = chrono_tz::Tz::Europe__Berlin;
    let noticed = |tone, text: &str| {
        let mut noticed = berlin.clone();
        noticed.frame.notice = Some(Notice { tone, text: text.to_owned() });
        noticed
    };
    let refused = |refusal| SignInView { refusal: Some(refusal), ..sign_in() };
    let searched = |found: bool| AccountsView {
        search: Some("dental".to_owned()),
        status: Some(AccountStatus::Active),
        rows: accounts().rows.into_iter().take(usize::from(found)).collect(),
        paging: Paging::default(),
        ..accounts()
    };
    let nothing_more = AccountsView { rows: Vec::new(), paging: Paging { next_url: None, ..more() }, ..accounts() };
    let no_accounts = AccountsView { rows: Vec::new(), paging: Paging::default(), ..accounts() };
    let no_holds = HoldsView { open: None, rows: Vec::new(), paging: Paging::default() };
    let idle = BacktestsView { rows: backtests().rows.split_off(2), ..backtests() };
    let no_backtests = BacktestsView { rows: Vec::new(), start: None, ..backtests() };
    let secret = NewSecret {
        url: "https://api.knock.example/hooks/credits".to_owned(),
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
    };
    let added = WebhooksView { secret: Some(secret), dead: Vec::new(), ..webhooks() };
    let no_webhooks = WebhooksView { endpoints: Vec::new(), dead: Vec::new(), ..webhooks() };
    let filtered = AuditFilter { account: Some("acme".to_owned()), ..AuditFilter::default() };
    let no_acts = |filter| AuditView { filter, rows: Vec::new(), paging: Paging::default(), ..audit() };
    vec![
        ("sign-in", sign_in_page(&out, &sign_in())),
        ("sign-in-wrong", sign_in_page(&out, &refused(SignInRefusal::WrongKey))),
        ("sign-in-not-allowed", sign_in_page(&out, &refused(SignInRefusal::NotAllowed))),
        ("sign-in-ended", sign_in_page(&out, &refused(SignInRefusal::Ended))),
        ("overview", overview_page(&console, &overview())),
        ("overview-first-minute", overview_page(&console, &first_minute())),
        ("accounts", accounts_page(&console, &accounts())),
        ("accounts-found", accounts_page(&console, &searched(true))),
        ("accounts-nothing-matches", accounts_page(&console, &searched(false))),
        ("accounts-nothing-more", accounts_page(&console, &nothing_more)),
        ("accounts-none", accounts_page(&console, &no_accounts)),
        ("account", account_page(&berlin, &account())),
        ("account-done", account_page(&noticed(Tone::Good, "50 credits were granted to acme."), &account())),
        (
            "account-refused",
            account_page(&noticed(Tone::Bad, "Nothing was deducted: acme has 910.25 credits."), &account()),
        ),
        ("account-in-debt", account_page(&berlin, &account_in_debt())),
        ("account-fresh", account_page(&berlin, &account_fresh())),
        ("confirm-plan", confirm_act_page(&console, &plan_change())),
        ("confirm-suspend", confirm_act_page(&console, &suspension())),
        ("holds", holds_page(&console, &holds())),
        ("holds-none", holds_page(&console, &no_holds)),
        ("plugins", plugins_page(&console, &plugins())),
        ("plugins-none", plugins_page(&console, &PluginsView { rows: Vec::new() })),
        ("plugin", plugin_page(&console, &plugin())),
        ("plugin-fresh", plugin_page(&console, &plugin_fresh())),
        ("backtests", backtests_page(&console, &backtests())),
        ("backtests-idle", backtests_page(&console, &idle)),
        ("backtests-none", backtests_page(&console, &no_backtests)),
        ("webhooks", webhooks_page(&console, &webhooks())),
        ("webhooks-added", webhooks_page(&console, &added)),
        ("webhooks-none", webhooks_page(&console, &no_webhooks)),
        ("endpoint", endpoint_page(&console, &webhook())),
        ("endpoint-disabled", endpoint_page(&console, &webhook_disabled())),
        ("audit", audit_page(&console, &audit())),
        ("audit-nothing-matches", audit_page(&console, &no_acts(filtered))),
        ("audit-none", audit_page(&console, &no_acts(AuditFilter::default()))),
    ]
}
