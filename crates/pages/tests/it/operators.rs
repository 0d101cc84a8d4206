//! What the operator's pages say in each state, and what their forms send.

use crate::console as sample;
use crate::skeleton::said;
use crate::{console_accounts, console_plugins, console_webhooks};
use pages::console::{
    AccountForms, AccountView, Console, EndpointForms, EndpointView, Live, OverviewView, PluginForms, PluginView,
    Sections, account_page, endpoint_page, overview_page, plugin_page,
};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A sample by its name.
fn page(name: &str) -> String {
    let found = sample::pages().into_iter().find(|(other, _)| *other == name);
    found.unwrap_or_else(|| panic!("there is no sample {name}")).1
}

/// What a page says between its head and its foot.
fn main(page: &str) -> String {
    said(&page[page.find("<main").unwrap()..page.find("<dialog").unwrap()])
}

/// What a page sends: the action of each form, and its fields.
fn sent(page: &str) -> BTreeMap<String, Vec<String>> {
    let value = |text: &str, name: &str| {
        let start = text.find(&format!(" {name}=\""))? + name.len() + 3;
        Some(text[start..].split('"').next().unwrap_or_default().to_owned())
    };
    let mut forms = BTreeMap::new();
    for form in page.split("<form method=\"post\"").skip(1) {
        let form = form.split("</form>").next().unwrap_or_default();
        let mut fields: Vec<String> = form.split('<').filter_map(|tag| value(tag, "name")).collect();
        fields.dedup();
        forms.insert(value(form, "action").unwrap(), fields);
    }
    forms
}

#[test]
fn what_forms_send() {
    let mut forms = BTreeMap::new();
    for (_, page) in sample::pages() {
        for (action, fields) in sent(&page) {
            // A confirmation goes where the first form went.
            let is_second = fields.contains(&"confirmed".to_owned());
            let action = if is_second { format!("{action}, confirmed") } else { action };
            forms.entry(action).or_insert_with(|| fields.join(" "));
        }
    }
    let mut text = String::new();
    for (action, fields) in forms {
        writeln!(text, "{action}: {fields}").unwrap();
    }
    insta::assert_snapshot!(text, @r"
    add: csrf request url events accounts description
    cancel: csrf request backtest
    deduct: csrf request credits allow_debt reason
    delete: csrf request endpoint
    enable: csrf request endpoint
    end-shadow: csrf request plugin_config reason
    grant: csrf request credits source expires_on reason
    plan: csrf request plan when package_credits restart_cycle reason
    plan, confirmed: csrf request plan when reason confirmed
    refund: csrf request charge credits reason
    refund-purchase: csrf request purchase amount dispute reason
    release: csrf request plugin_config digest config_digest mode share_percent reason
    resend: csrf request endpoint delivery
    resend-dead: csrf request endpoint
    resume: csrf request reason
    rollback: csrf request plugin_config reason
    rotate: csrf request endpoint
    sign-in: csrf request key
    sign-out: csrf request
    start: csrf request plugin_config digest config_digest accounts from to cpu_percent reason
    suspend: csrf request reason
    suspend, confirmed: csrf request reason confirmed
    void: csrf request grant reason
    ");
}

#[test]
fn the_overview() {
    insta::assert_snapshot!(main(&page("overview")), @r"
    Overview
    Live
    Charges per second
    12.6
    The last 3 min
    Answered within | 3.18 ms99 of 100 charges | Queue | 4waiting, of 4,096 at most | Open holds | 37412.5 credits held · Show | Accounts | 1,284Show all
    State | Readyfor requests | Last checkpoint | 48 s ago24 Nov, 17:41 | Up for | 3 d 12 hsince 21 Nov, 05:12 | Version | 0.4.0of the program
    To look at
    now3 webhook deliveries were given upLook at this: 3 webhook deliveries were given up
    soonThe endpoint https://hooks.bluebird.example/purser has failed since 16:05Look at this: The endpoint https://hooks.bluebird.example/purser has failed since 16:05
    noteA backtest of voice-minutes is doneLook at this: A backtest of voice-minutes is done
    ");
    insta::assert_snapshot!(main(&page("overview-first-minute")), @r"
    Overview
    Live
    Charges per second
    0
    The last 3 min
    Answered within | – ms99 of 100 charges | Queue | 0waiting, of 4,096 at most | Open holds | –– credits held · Show | Accounts | –Show all
    State | Not readyfor requests | Last checkpoint | –none so far | Up for | 12 ssince 24 Nov, 17:41 | Version | 0.4.0of the program
    To look at
    Nothing needs anybody at the moment.
    ");
}

#[test]
fn an_account_in_debt() {
    let page = main(&page("account-in-debt"));
    let (figures, _) = page.split_once("\nTime | Type").unwrap();
    insta::assert_snapshot!(figures, @r"
    Accounts
    Bluebird Travel suspended
    As the customer sees it
    Remaining | −3.5left to use | Consumed | 340.25used in this cycle, 100% | Package | 1,000included in this cycle | Purchased | 250bought on top
    Recent activity
    All of it
    What happened on the account of late, newest first
    ");
    let facts = &page[page.find("\nGrants").unwrap()..page.find("\nChange the plan").unwrap()];
    insta::assert_snapshot!(facts, @r"
    Grants
    Grants of the account
    Source | Left | Of | Expires | Void
    Packagegr_3f_4100 | 647.75 | 1,000.00 | 6 Dec 2026 | Void gr_3f_4100
    PromotionSorry for the outage of 12 Novembergr_3f_4233 | 12.50 | 50.00 | 1 Jan 2027 | Void gr_3f_4233
    Purchasegr_3f_4210 | 250.00 | 250.00 | never | Void gr_3f_4210
    Purchasegr_3f_2907 | 0.00 | 1,000.00 | never
    Purchases
    Purchases of the account, newest first
    Date | Credits | Price | Refund
    19 Nov 2026pu_3f_4210 | 250 | $1.25 | Refund pu_3f_4210
    21 Oct 2026pu_3f_2907 | 1,000 | $5.00 | Refund pu_3f_2907
    18 Sep 2026pu_3f_1240 | 5,000 | $22.50$22.50 refunded
    Account
    Id | bluebird | Plan | starter | Cycle | 6 Nov 2026 – 5 Dec 2026renewed in 12 days | Held | 12 | Owed | 3.5 debt | Can be spent | 0 | Spend | $28.75 | Time zone | Europe/Berlin | Opened | 6 Sep 2026
    Do by hand
    Each is on record for ever, with your key and the reason.
    Grant credits
    Credits | As
    Adjustment
    Promotion
    Can be used until
    Left empty, they do not expire.
    Reason
    Grant
    Deduct credits
    Credits | Take more than there is, and leave a debt | Reason
    Deduct
    Refund a charge
    Charge
    Its id, as the activity log has it behind “Entry”.
    Credits
    Left empty, all that is left of the charge is given back.
    Reason
    Refund
    ");
}

#[test]
fn a_shadow() {
    let page = main(&page("plugin"));
    let shadow = &page[page.find("Shadow of").unwrap()..page.find("Releases").unwrap()];
    insta::assert_snapshot!(shadow, @r"
    Shadow of calls
    8e38a1ea with 7c1c97df prices beside since 23 Nov 2026, 08:00. Nobody pays by it.
    Events | 18,402 | Same price | 15,120 | Another price | 3,270 | Not priced | 12 | Failed | 0 | Left out | 3
    Charged | 41,207.50 | Would be | 43,920.25 | Change | +2,712.75 +6.5%
    By model
    Name | Events | Charged | Would be | Change
    gpt-4o-realtime | 12,004 | 33,100.00 | 35,812.75 | +8.1%
    gemini-2.5-flash | 6,380 | 8,107.50 | 8,107.50 | 0%
    none | 6 | 0.00 | 0.00
    By activity
    Name | Events | Charged | Would be | Change
    Voice inbound | 14,001 | 30,110.00 | 31,200.00 | +3.6%
    Voice outbound | 4,389 | 11,097.50 | 12,720.25 | +14.6%
    Largest differences
    Event | Usage | Charged | Would be
    Voice outbound, riverside24 Nov, 15:12 · gpt-4o-realtime · recall-campaign | 41 minutes18,204 tokens | 492.00 | 615.00
    Voice outbound, acme24 Nov, 15:12 · gpt-4o-realtime · recall-campaign | 12 minutes18,204 tokens | 144.00 | not pricedno price for a call that was transferred to a person
    Voice outbound, acme24 Nov, 15:12 · gpt-4o-realtime · recall-campaign | 9 minutes18,204 tokens | 108.00 | 90.00
    End the shadow
    Reason
    End
    ");
}

#[test]
fn each_state_says_what_it_is() {
    for (name, expected) in [
        ("sign-in-wrong", "No key is like this"),
        ("sign-in-not-allowed", "is for other things"),
        ("sign-in-ended", "the session had ended"),
        ("accounts-nothing-matches", "No account matches"),
        ("accounts-nothing-more", "There is nothing more"),
        ("accounts-none", "No accounts yet"),
        ("account-done", "50 credits were granted to acme."),
        ("account-fresh", "Nothing happened so far"),
        ("holds", "overdue"),
        ("holds-none", "No holds are open"),
        ("plugins", "in no configuration"),
        ("plugins-none", "No plugins yet"),
        ("plugin-fresh", "Nothing was released by hand so far"),
        ("plugin-fresh", "Nothing was released that could be taken back"),
        ("plugin-fresh", "No event was priced beside so far"),
        ("backtests", "812 of 1,284 accounts"),
        ("backtests", "the store could not be read"),
        ("backtests-none", "No backtests yet"),
        ("webhooks", "answered 503: Service Unavailable"),
        ("webhooks-added", "Keep this secret"),
        ("webhooks-added", "Everything that was sent has arrived"),
        ("webhooks-none", "No endpoints yet"),
        ("endpoint", "Nothing has arrived since"),
        ("endpoint-disabled", "Nothing is sent to it since"),
        ("endpoint-disabled", "No deliveries are like this"),
        ("audit-nothing-matches", "Show all acts"),
        ("audit-none", "Nothing was done by hand so far"),
    ] {
        let page = main(&page(name));
        assert!(page.contains(expected), "{name} does not say {expected:?}:\n{page}");
    }
}

#[test]
fn nobody_is_offered_what_they_may_not_do() {
    let console = Console { sign_out: None, ..sample::console() };
    let account = AccountView { forms: AccountForms::default(), ..console_accounts::account() };
    let plugin = PluginView { forms: PluginForms::default(), ..console_plugins::plugin() };
    let endpoint = EndpointView { forms: EndpointForms::default(), ..console_webhooks::webhook() };
    for page in [account_page(&console, &account), plugin_page(&console, &plugin), endpoint_page(&console, &endpoint)] {
        assert!(!page.contains("method=\"post\""));
        assert!(!page.contains(">Void<") && !page.contains("Refund this charge"));
    }
    // Sections that are not there are not led to, and one alone is no way.
    let alone = Console { sections: Sections { overview: Some("o".to_owned()), ..Sections::default() }, ..console };
    assert!(!overview_page(&alone, &sample::overview()).contains("aria-label=\"Pages\""));
}

#[test]
fn what_takes_something_away_is_asked_about() {
    for (name, asked) in [
        ("account", &["void", "refund-purchase", "suspend"][..]),
        ("plugin", &["rollback"]),
        ("endpoint", &["rotate", "delete"]),
    ] {
        let page = page(name);
        for (action, _) in sent(&page) {
            let start = page.find(&format!("<form method=\"post\" action=\"{action}\"")).unwrap();
            let tag = page[start..].split('>').next().unwrap();
            assert_eq!(tag.contains("data-ask=\""), asked.contains(&action.as_str()), "{name}: {action}");
        }
    }
    for (action, fields) in sent(&page("confirm-suspend")) {
        assert_eq!(action == "suspend", fields.contains(&"confirmed".to_owned()), "{action}");
    }
}

#[test]
fn by_hand_needs_a_reason() {
    for name in ["account", "account-in-debt", "plugin", "backtests"] {
        for (action, fields) in sent(&page(name)) {
            let has_none = ["sign-out", "cancel"].contains(&action.as_str());
            assert_eq!(fields.contains(&"reason".to_owned()), !has_none, "{name}: {action}");
        }
    }
    assert_eq!(page("account").matches("name=\"reason\" required").count(), 7);
}

#[test]
fn every_form_carries_its_proof() {
    for (name, page) in sample::pages() {
        let forms = page.matches("method=\"post\"").count();
        assert!(forms > 0, "{name}");
        for field in ["name=\"csrf\"", "name=\"request\""] {
            assert_eq!(page.matches(field).count(), forms, "{name}: {field}");
        }
    }
}

#[test]
fn only_what_moves_is_fetched_again() {
    let moves = |page: &str| page.contains("data-every-ms=");
    assert!(moves(&page("backtests")) && moves(&page("holds")) && moves(&page("plugin")));
    assert!(!moves(&page("backtests-idle")) && !moves(&page("account")) && !moves(&page("webhooks")));
    // What the script is given is what the page has.
    let mut named: Vec<String> =
        page("overview").split(" data-live=\"").skip(1).map(|at| at.split('"').next().unwrap().to_owned()).collect();
    named.sort_unstable();
    let mut given: Vec<&str> = sample::LIVE_JSON
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| text.chars().all(|c| c.is_ascii_lowercase() || "_9".contains(c)))
        .collect();
    given.sort_unstable();
    assert_eq!(named, given);
    let still = OverviewView { live_url: None, ..sample::overview() };
    assert!(!overview_page(&sample::console(), &still).contains("data-live-url"));
    let none = OverviewView { live: Live { p99_us: None, ..sample::overview().live }, ..sample::overview() };
    assert!(overview_page(&sample::console(), &none).contains("data-live=\"p99_ms\">–<"));
}

#[test]
fn ids_are_of_one_element_each() {
    for (name, page) in sample::pages() {
        let mut ids: Vec<&str> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name}");
        for label in page.split("<label").skip(1) {
            let target = label.split(" for=\"").nth(1).unwrap().split('"').next().unwrap();
            assert!(ids.contains(&target), "{name}: a label is for {target}");
        }
    }
}

#[test]
fn nothing_is_inline() {
    for (name, page) in sample::pages() {
        for inline in [" style=", "<style", " onclick", " onload", "javascript:"] {
            assert!(!page.contains(inline), "{name}: {inline}");
        }
        assert_eq!(page.matches("<script").count(), 2, "{name}");
        assert!(page.contains("<script src=\"page.js\"></script>"), "{name}");
        assert!(page.contains("<script src=\"console.js\"></script>"), "{name}");
    }
}
