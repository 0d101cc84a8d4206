//! Plugins that never were, with their releases and backtests.

use crate::data::{credits, form, time};
use ledger_core::{Amount, Digest, Timestamp};
use pages::console::{
    BacktestRow, BacktestStanding, BacktestTarget, BacktestsView, Demand, Mode, Pair, PluginForms, PluginKind,
    PluginRow, PluginSlot, PluginView, PluginsView, Progress, ReleaseRow, Released, ShadowDifference, ShadowSums,
    ShadowView, StartBacktest, UploadRow,
};

fn digest(seed: &str) -> Digest {
    Digest::of(seed.as_bytes())
}

fn pair(version: &str, config: &str) -> Pair {
    Pair { digest: digest(version), config_digest: digest(config) }
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
