//! Accounts that never were, as the console shows them.

use crate::console::dollars;
use crate::data::{self, credits, form, time};
use ledger_core::Amount;
use pages::GrantRow;
use pages::console::{
    AccountForms, AccountRow, AccountStatus, AccountView, AccountsView, ConfirmAct, ConsoleGrant, ConsolePurchase,
    Fact, Paging, PlanChoice, Section,
};

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
