//! A service that never was, for the operator's pages to look at and to try.

use crate::data::{self, credits, form, time};
use ledger_core::{Amount, Digest, Timestamp};
use pages::console::{
    AccountForms, AccountRow, AccountStatus, AccountView, AccountsView, ActRow, AddWebhook, Attention, AuditFilter,
    AuditView, BacktestRow, BacktestStanding, BacktestTarget, BacktestsView, ConfirmAct, Console, ConsoleGrant,
    ConsolePurchase, DeliveryFilter, DeliveryRow, DeliveryStanding, Demand, EndpointForms, EndpointRow,
    EndpointStanding, EndpointView, Fact, HoldRow, HoldsView, Live, Mode, NewSecret, OverviewView, Paging, Pair,
    PlanChoice, PluginForms, PluginKind, PluginRow, PluginSlot, PluginView, PluginsView, Progress, ReleaseRow,
    Released, Section, Sections, ShadowDifference, ShadowSums, ShadowView, SignInRefusal, SignInView, StartBacktest,
    UploadRow, WebhooksView, account_page, accounts_page, audit_page, backtests_page, confirm_act_page, endpoint_page,
    holds_page, overview_page, plugin_page, plugins_page, sign_in_page, webhooks_page,
};
use pages::{Frame, GrantRow, Kind, Links, Money, Notice, Tone};

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

fn dollars(amount: &str) -> Money {
    Money { amount: credits(amount), currency: "USD".to_owned(), decimals: 2 }
}

fn digest(seed: &str) -> Digest {
    Digest::of(seed.as_bytes())
}

fn pair(version: &str, config: &str) -> Pair {
    Pair { digest: digest(version), config_digest: digest(config) }
}

fn more() -> Paging {
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
            open_holds: 37,
            held: credits("412.5"),
            accounts: 1_284,
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
            open_holds: 0,
            held: Amount::ZERO,
            accounts: 0,
            started_at: time("2026-11-24T17:41:58Z"),
            is_ready: false,
            ..view.live
        },
        recent_e3: Vec::new(),
        attention: Vec::new(),
        ..view
    }
}

pub(crate) fn accounts() -> AccountsView {
    let row = |id: &str, name: Option<&str>, plan, status, figures: (&str, &str, u32), spend: &[&str]| AccountRow {
        id: id.to_owned(),
        name: name.map(str::to_owned),
        plan,
        status,
        remaining: credits(figures.0),
        consumed: credits(figures.1),
        used_share_e4: figures.2,
        spend: spend.iter().map(|amount| dollars(amount)).collect(),
        url: "console-account.html".to_owned(),
    };
    let plan = |name: &str| Some(name.to_owned());
    AccountsView {
        path: "console-accounts.html".to_owned(),
        search: None,
        status: None,
        rows: vec![
            row(
                "acme",
                Some("Acme Dental Group"),
                plan("starter"),
                AccountStatus::Active,
                ("910.25", "340.25", 2_695),
                &["28.75"],
            ),
            row(
                "bluebird",
                Some("Bluebird Travel"),
                plan("growth"),
                AccountStatus::Active,
                ("-3.5", "1503.5", 10_000),
                &["80", "400"],
            ),
            row(
                "harbour",
                Some("Harbour Lane Lettings"),
                plan("starter"),
                AccountStatus::Suspended,
                ("1000", "0", 0),
                &[],
            ),
            row("kiln", Some("Kiln & Clay"), plan("starter"), AccountStatus::Trial, ("987.4975", "12.5025", 125), &[]),
            row(
                "northside",
                Some("Northside Physiotherapy"),
                plan("starter"),
                AccountStatus::Active,
                ("87.2", "912.8", 9_128),
                &["5"],
            ),
            row("org_01HV8Z2J3K4M5N6P7Q8R9S", None, None, AccountStatus::Cancelled, ("0", "0", 0), &[]),
            row(
                "riverside",
                Some("Riverside Veterinary Clinic"),
                plan("growth"),
                AccountStatus::Active,
                ("18240.75", "1759.25", 880),
                &["1250"],
            ),
        ],
        paging: Paging { first_url: None, next_url: Some("console-accounts.html".to_owned()) },
    }
}

fn grants() -> Vec<ConsoleGrant> {
    let grant = |id: &str, source: &str, reason: Option<&str>, figures: (&str, &str), expires_at: Option<&str>| {
        let row = GrantRow {
            id: id.to_owned(),
            source: source.to_owned(),
            reason: reason.map(str::to_owned),
            amount: credits(figures.0),
            remaining: credits(figures.1),
            effective_at: None,
            expires_at: expires_at.map(time),
        };
        ConsoleGrant { is_voidable: row.remaining.is_positive(), row }
    };
    vec![
        grant("gr_3f_4100", "package", None, ("1000", "647.75"), Some("2026-12-05T23:00:00Z")),
        grant(
            "gr_3f_4233",
            "promotion",
            Some("Sorry for the outage of 12 November"),
            ("50", "12.5"),
            Some("2026-12-31T23:00:00Z"),
        ),
        grant("gr_3f_4210", "purchase", None, ("250", "250"), None),
        grant("gr_3f_2907", "purchase", None, ("1000", "0"), None),
    ]
}

pub(crate) fn account() -> AccountView {
    let purchase = |id: &str, at: &str, figures: (&str, &str, &str), is_refundable| ConsolePurchase {
        id: id.to_owned(),
        at: time(at),
        credits: credits(figures.0),
        price: dollars(figures.1),
        refunded: dollars(figures.2),
        is_refundable,
    };
    AccountView {
        path: "console-account.html".to_owned(),
        id: "acme".to_owned(),
        name: Some("Acme Dental Group".to_owned()),
        parent: Some("knock".to_owned()),
        parent_url: Some("console-account.html".to_owned()),
        plan: Some("starter".to_owned()),
        next_plan: Some("growth".to_owned()),
        status: AccountStatus::Active,
        opened_at: time("2026-09-06T08:12:00Z"),
        balance: data::balance(),
        spend: vec![dollars("28.75")],
        customer_url: Some("credits.html".to_owned()),
        recent: data::log(8).entries,
        grants: grants(),
        purchases: vec![
            purchase("pu_3f_4210", "2026-11-19T09:12:33Z", ("250", "1.25", "0"), true),
            purchase("pu_3f_2907", "2026-10-21T15:40:02Z", ("1000", "5", "0"), true),
            purchase("pu_3f_1240", "2026-09-18T07:01:59Z", ("5000", "22.5", "22.5"), false),
        ],
        forms: AccountForms {
            grant: Some(form("grant")),
            deduct: Some(form("deduct")),
            refund: Some(form("refund")),
            suspend: Some(form("suspend")),
            resume: None,
            plan: Some(PlanChoice { form: form("plan"), plans: ["growth", "starter"].map(str::to_owned).to_vec() }),
            void_grant: Some(form("void")),
            refund_purchase: Some(form("refund-purchase")),
        },
        chosen_charge: None,
        chosen_grant: None,
        chosen_purchase: None,
    }
}

/// One that is suspended, owes, and of which a refund is to be made.
pub(crate) fn account_in_debt() -> AccountView {
    let view = account();
    let mut balance = view.balance;
    balance.remaining = credits("-3.5");
    balance.overage = credits("3.5");
    balance.spendable = Amount::ZERO;
    balance.used_share_e4 = 10_000;
    AccountView {
        id: "bluebird".to_owned(),
        name: Some("Bluebird Travel".to_owned()),
        parent: None,
        next_plan: None,
        status: AccountStatus::Suspended,
        balance,
        forms: AccountForms { suspend: None, resume: Some(form("resume")), ..view.forms },
        chosen_charge: Some("ch_3f_4812".to_owned()),
        ..view
    }
}

/// One on which nothing happened, for somebody who may only look.
pub(crate) fn account_fresh() -> AccountView {
    AccountView {
        id: "kiln".to_owned(),
        name: None,
        parent: None,
        plan: None,
        next_plan: None,
        status: AccountStatus::Trial,
        balance: data::fresh().balance,
        spend: Vec::new(),
        recent: Vec::new(),
        grants: Vec::new(),
        purchases: Vec::new(),
        forms: AccountForms::default(),
        ..account()
    }
}

pub(crate) fn plan_change() -> ConfirmAct {
    let text = |text: &str| Fact::Text(text.to_owned());
    ConfirmAct {
        section: Section::Accounts,
        title: "Change acme to growth?".to_owned(),
        text: "The plan changes at once. Its package is granted for the rest of the cycle, and what is left of the old one ends.".to_owned(),
        facts: vec![
            ("Plan".to_owned(), text("starter → growth")),
            ("From".to_owned(), Fact::Time(time("2026-11-24T17:42:10Z"))),
            ("Package granted".to_owned(), Fact::Change(credits("8000"))),
            ("Package ended".to_owned(), Fact::Change(credits("-647.75"))),
            ("Remaining afterwards".to_owned(), Fact::Credits(credits("8262.5"))),
        ],
        form: form("plan"),
        fields: [("plan", "growth"), ("when", "now"), ("reason", "upgraded by phone")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        verb: "Change the plan".to_owned(),
        is_dangerous: false,
        back_url: "console-account.html".to_owned(),
    }
}

pub(crate) fn suspension() -> ConfirmAct {
    ConfirmAct {
        title: "Suspend acme?".to_owned(),
        text: "Its agents stop answering at once. Its credits stay, and its cycles go on.".to_owned(),
        facts: vec![("Reason".to_owned(), Fact::Text("the invoice is overdue".to_owned()))],
        form: form("suspend"),
        fields: vec![("reason".to_owned(), "the invoice is overdue".to_owned())],
        verb: "Suspend".to_owned(),
        is_dangerous: true,
        ..plan_change()
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
        open: 37,
        held: credits("412.5"),
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

fn slot() -> PluginSlot {
    PluginSlot {
        name: "calls".to_owned(),
        live: Some(Released { pair: pair("v3", "c2"), release: Some(6) }),
        share: Some((Released { pair: pair("v4", "c2"), release: Some(7) }, 10)),
        shadow: Some(pair("v4", "c3")),
        configured: Some(pair("v1", "c1")),
        demands: Some(Demand { days: 14, total_change_e4_max: Some(500), account_change_e4_max: Some(2_000) }),
    }
}

fn plain_slot(name: &str) -> PluginSlot {
    PluginSlot {
        name: name.to_owned(),
        live: Some(Released { pair: pair("t1", "ct"), release: None }),
        share: None,
        shadow: None,
        configured: Some(pair("t1", "ct")),
        demands: None,
    }
}

pub(crate) fn plugins() -> PluginsView {
    let row = |name: &str, kind, slots, uploaded_at: Option<&str>| PluginRow {
        name: name.to_owned(),
        kind,
        slots,
        uploaded_at: uploaded_at.map(time),
        url: "console-plugin.html".to_owned(),
    };
    let waiting = PluginSlot { live: None, configured: None, ..plain_slot("images") };
    PluginsView {
        rows: vec![
            row("fair-use", PluginKind::Throttling, vec![plain_slot("evenings")], None),
            row("rate-card", PluginKind::Pricing, vec![plain_slot("chats"), waiting], Some("2026-10-02T09:15:00Z")),
            row("token-experiment", PluginKind::Pricing, Vec::new(), Some("2026-11-23T18:01:44Z")),
            row("voice-minutes", PluginKind::Pricing, vec![slot()], Some("2026-11-22T10:20:31Z")),
        ],
    }
}

fn upload(seed: &str, at: &str, bytes: Option<usize>) -> UploadRow {
    UploadRow { digest: digest(seed), at: time(at), actor: "ci".to_owned(), bytes }
}

fn shadow() -> ShadowView {
    let sums = |name: Option<&str>, events, live: &str, would: &str| ShadowSums {
        name: name.map(str::to_owned),
        events,
        live: credits(live),
        would: credits(would),
    };
    let difference = |account: &str, minutes: &str, live: &str, would: Result<&str, &str>| ShadowDifference {
        account: account.to_owned(),
        account_url: Some("console-account.html".to_owned()),
        activity: "voice_outbound".to_owned(),
        agent: Some("recall-campaign".to_owned()),
        model: Some("gpt-4o-realtime".to_owned()),
        at: time("2026-11-24T15:12:09Z"),
        usage: vec![("minutes".to_owned(), minutes.to_owned()), ("tokens".to_owned(), "18,204".to_owned())],
        live: credits(live),
        would: would.map(credits).map_err(str::to_owned),
    };
    ShadowView {
        slot: "calls".to_owned(),
        candidate: pair("v4", "c3"),
        since: time("2026-11-23T08:00:12Z"),
        events: 18_402,
        same: 15_120,
        different: 3_270,
        refused: 12,
        failed: 0,
        dropped: 3,
        live: credits("41207.5"),
        would: credits("43920.25"),
        models: vec![
            sums(Some("gpt-4o-realtime"), 12_004, "33100", "35812.75"),
            sums(Some("gemini-2.5-flash"), 6_380, "8107.5", "8107.5"),
            sums(None, 6, "0", "0"),
        ],
        activities: vec![
            sums(Some("voice_inbound"), 14_001, "30110", "31200"),
            sums(Some("voice_outbound"), 4_389, "11097.5", "12720.25"),
        ],
        differences: vec![
            difference("riverside", "41", "492", Ok("615")),
            difference("acme", "12", "144", Err("no price for a call that was transferred to a person")),
            difference("acme", "9", "108", Ok("90")),
        ],
    }
}

pub(crate) fn plugin() -> PluginView {
    let release = |number, mode, pair, share_percent, reason: &str, at: &str| ReleaseRow {
        number,
        slot: "calls".to_owned(),
        mode,
        pair,
        share_percent,
        reason: reason.to_owned(),
        actor: "mara@knock.example".to_owned(),
        at: time(at),
    };
    PluginView {
        name: "voice-minutes".to_owned(),
        kind: PluginKind::Pricing,
        slots: vec![slot()],
        versions: vec![
            upload("v4", "2026-11-22T10:20:31Z", Some(184_320)),
            upload("v3", "2026-10-30T14:02:10Z", Some(181_004)),
            upload("v2", "2026-10-29T09:44:57Z", Some(43_210_000)),
        ],
        configs: vec![upload("c3", "2026-11-22T10:24:00Z", None), upload("c2", "2026-10-30T14:05:31Z", None)],
        releases: vec![
            release(
                8,
                Mode::Shadow,
                Some(pair("v4", "c3")),
                None,
                "the prices of December, tried beside",
                "2026-11-23T08:00:12Z",
            ),
            release(
                7,
                Mode::Share,
                Some(pair("v4", "c2")),
                Some(10),
                "calls that are transferred",
                "2026-11-22T11:30:00Z",
            ),
            release(
                6,
                Mode::Live,
                Some(pair("v3", "c2")),
                None,
                "minutes are rounded up to six seconds",
                "2026-10-30T14:20:00Z",
            ),
            release(5, Mode::Rollback, None, None, "voice calls came out too dear", "2026-10-29T10:31:00Z"),
            release(4, Mode::Live, Some(pair("v2", "c2")), None, "", "2026-10-29T09:50:00Z"),
            release(3, Mode::EndShadow, Some(pair("v2", "c2")), None, "", "2026-10-29T09:49:00Z"),
        ],
        shadows: vec![shadow()],
        forms: PluginForms {
            release: Some(form("release")),
            roll_back: Some(form("rollback")),
            end_shadow: Some(form("end-shadow")),
        },
        backtest_url: Some("console-backtests.html".to_owned()),
    }
}

/// One of which nothing was released.
pub(crate) fn plugin_fresh() -> PluginView {
    let nothing = PluginSlot { live: None, configured: None, ..plain_slot("images") };
    let mut counted = shadow();
    counted.slot = "chats".to_owned();
    counted.events = 0;
    counted.same = 0;
    counted.different = 0;
    counted.refused = 0;
    counted.dropped = 0;
    counted.live = Amount::ZERO;
    counted.would = Amount::ZERO;
    PluginView {
        name: "rate-card".to_owned(),
        slots: vec![plain_slot("chats"), nothing],
        versions: Vec::new(),
        configs: Vec::new(),
        releases: Vec::new(),
        shadows: vec![counted],
        backtest_url: None,
        ..plugin()
    }
}

pub(crate) fn backtests() -> BacktestsView {
    let row = |number: u64, standing, accounts_done, accounts_total, charges_done| BacktestRow {
        id: format!("bt_{:016x}", number * 0x9e37_79b9_7f4a),
        plugin: "voice-minutes".to_owned(),
        slot: "calls".to_owned(),
        candidate: pair("v4", "c3"),
        from: time("2026-10-25T00:00:00Z"),
        to: time("2026-11-24T17:40:00Z"),
        accounts: (number == 3).then_some(2),
        reason: "before the prices of December".to_owned(),
        actor: "mara@knock.example".to_owned(),
        created_at: time("2026-11-24T17:40:00Z"),
        report_url: (standing == BacktestStanding::Done).then(|| "report.html".to_owned()),
        standing,
        progress: Progress { accounts_done, accounts_total, charges_done },
    };
    let uploads = |uploads: Vec<UploadRow>| -> Vec<(Digest, Timestamp)> {
        uploads.into_iter().map(|upload| (upload.digest, upload.at)).collect()
    };
    let target = |plugin: &str, slots: &[&str]| BacktestTarget {
        plugin: plugin.to_owned(),
        slots: slots.iter().map(|slot| (*slot).to_owned()).collect(),
        versions: uploads(self::plugin().versions),
        configs: uploads(self::plugin().configs),
    };
    BacktestsView {
        rows: vec![
            row(6, BacktestStanding::Waiting, 0, None, 0),
            row(5, BacktestStanding::Running, 812, Some(1_284), 301_448),
            row(4, BacktestStanding::Done, 1_284, Some(1_284), 612_004),
            row(3, BacktestStanding::Done, 2, Some(2), 18_402),
            row(2, BacktestStanding::Cancelled, 120, Some(1_284), 44_020),
            row(1, BacktestStanding::Failed("the store could not be read".to_owned()), 0, None, 0),
        ],
        cancel: Some(form("cancel")),
        start: Some(StartBacktest {
            form: form("start"),
            targets: vec![target("rate-card", &["chats", "images"]), target("voice-minutes", &["calls"])],
            chosen: Some("calls".to_owned()),
        }),
    }
}

fn endpoint(id: &str, url: &str, standing: EndpointStanding, dead: u64) -> EndpointRow {
    EndpointRow {
        id: id.to_owned(),
        url: url.to_owned(),
        description: (dead == 0).then(|| "balance warnings for the support team".to_owned()),
        events: ["balance.threshold_reached", "balance.exhausted", "purchase.completed", "auto_top_up.failed"]
            .map(str::to_owned)
            .to_vec(),
        accounts: (dead > 0).then(|| vec!["bluebird".to_owned()]),
        last_success: Some(time("2026-11-24T16:03:11Z")),
        last_failure: (standing != EndpointStanding::Enabled).then(|| time("2026-11-24T17:35:40Z")),
        standing,
        pending: dead / 2,
        dead,
        created_at: time("2026-09-10T12:00:00Z"),
        page_url: "console-endpoint.html".to_owned(),
    }
}

fn delivery(
    number: u64,
    event: &str,
    standing: DeliveryStanding,
    attempts: u64,
    last: (Option<u16>, Option<&str>),
) -> DeliveryRow {
    DeliveryRow {
        id: format!("nt_3f_{}_0", 4_800 + number),
        endpoint: "wh_77b0".to_owned(),
        endpoint_url: "https://hooks.bluebird.example/purser".to_owned(),
        event: event.to_owned(),
        account: Some("bluebird".to_owned()),
        account_url: Some("console-account.html".to_owned()),
        standing,
        created_at: time("2026-11-24T16:05:02Z"),
        attempts,
        last_status: last.0,
        last_error: last.1.map(str::to_owned),
    }
}

fn failing() -> EndpointStanding {
    EndpointStanding::Failing(time("2026-11-24T16:05:02Z"))
}

fn disabled() -> EndpointStanding {
    EndpointStanding::Disabled { reason: "failing".to_owned(), at: time("2026-11-20T03:10:00Z") }
}

pub(crate) fn webhooks() -> WebhooksView {
    let dead = DeliveryStanding::Dead(time("2026-11-24T17:35:40Z"));
    WebhooksView {
        endpoints: vec![
            endpoint("wh_19c2", "https://api.knock.example/hooks/credits", EndpointStanding::Enabled, 0),
            endpoint("wh_77b0", "https://hooks.bluebird.example/purser", failing(), 3),
            endpoint(
                "wh_c0de",
                "https://old.example/a/very/long/path/that/somebody/chose/for/reasons/of/their/own?token=1",
                disabled(),
                12,
            ),
        ],
        paging: Paging::default(),
        dead: vec![
            delivery(3, "balance.exhausted", dead, 14, (Some(503), Some("Service Unavailable"))),
            delivery(2, "purchase.completed", dead, 14, (None, Some("the connection was refused by 203.0.113.7:443"))),
        ],
        resend: Some(form("resend")),
        add: Some(AddWebhook {
            form: form("add"),
            events: [
                "balance.threshold_reached",
                "balance.exhausted",
                "purchase.completed",
                "auto_top_up.failed",
                "release.changed",
                "webhook.disabled",
            ]
            .map(str::to_owned)
            .to_vec(),
        }),
        secret: None,
    }
}

pub(crate) fn webhook() -> EndpointView {
    let at = time("2026-11-24T17:50:00Z");
    EndpointView {
        path: "console-endpoint.html".to_owned(),
        endpoint: endpoint("wh_77b0", "https://hooks.bluebird.example/purser", failing(), 3),
        filter: DeliveryFilter::All,
        rows: vec![
            delivery(4, "balance.threshold_recovered", DeliveryStanding::Pending(at), 3, (Some(500), None)),
            delivery(3, "balance.exhausted", DeliveryStanding::Dead(at), 14, (Some(503), Some("Service Unavailable"))),
            delivery(1, "balance.threshold_reached", DeliveryStanding::Delivered(at), 1, (Some(204), None)),
        ],
        paging: more(),
        forms: EndpointForms {
            resend: Some(form("resend")),
            resend_dead: Some(form("resend-dead")),
            enable: Some(form("enable")),
            rotate: Some(form("rotate")),
            delete: Some(form("delete")),
        },
    }
}

/// One to which nothing is sent any more, with a filter that nothing matches.
pub(crate) fn webhook_disabled() -> EndpointView {
    EndpointView {
        endpoint: endpoint("wh_c0de", "https://old.example/hooks", disabled(), 12),
        filter: DeliveryFilter::Pending,
        rows: Vec::new(),
        paging: Paging::default(),
        ..webhook()
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
    let no_holds = HoldsView { open: 0, held: Amount::ZERO, rows: Vec::new(), paging: Paging::default() };
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
        ("sign-in-too-many", sign_in_page(&out, &refused(SignInRefusal::TooMany))),
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
