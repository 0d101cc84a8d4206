//! What the tests of this crate share: short ways to say amounts, times and commands.

use ledger_core::{
    Account, Amount, ChargeRequest, Command, Digest, LineItem, OnExcess, Rating, Sealed, Timestamp, UsageEvent, apply,
    encoding,
};

pub(crate) fn amount(text: &str) -> Amount {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A date, which means its midnight in UTC, or an RFC 3339 time.
pub(crate) fn time(text: &str) -> Timestamp {
    let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Timestamp::parse_rfc3339(&full).unwrap_or_else(|| panic!("{text} is no time"))
}

pub(crate) fn rating() -> Rating {
    Rating { plugin: "test".into(), digest: Digest::default(), config_digest: Digest::default() }
}

/// A charge of a price.
pub(crate) fn charge(price: Amount, on_excess: OnExcess, occurred_at: Timestamp) -> Command {
    let event = UsageEvent {
        id: "evt".into(),
        account: "acme".into(),
        plan: "pro".into(),
        activity: "chat".into(),
        agent: None,
        model: None,
        occurred_at,
        quantities: [].into(),
        attributes: Vec::new(),
    };
    let items = [LineItem { label: "price".into(), unit: "".into(), quantity: 1, credits: price }];
    Command::Charge(Box::new(ChargeRequest { event, items: items.into(), price, rating: rating(), on_excess }))
}

/// The account that a journal makes, read from its bytes alone, its chain checked.
pub(crate) fn remade(journal: &[Sealed]) -> Account {
    let mut hash = encoding::GENESIS;
    let mut account: Option<Account> = None;
    for sealed in journal {
        let entry = encoding::decode(&sealed.bytes).unwrap();
        assert_eq!(entry, sealed.entry, "the bytes read back as the entry");
        let again = Sealed::new(entry, &hash);
        assert_eq!((&again.bytes, again.hash), (&sealed.bytes, sealed.hash), "one entry has one encoding");
        hash = again.hash;
        match &mut account {
            None => account = Some(Account::begin(&again).unwrap()),
            Some(account) => apply(account, &again).unwrap(),
        }
    }
    account.unwrap()
}

/// The identity at the head of the ledger rules, written out: what came in is what is there and what went.
pub(crate) fn assert_conserved(account: &Account) {
    let t = &account.totals;
    let micros = |terms: &[Amount]| terms.iter().map(|a| i128::from(a.micros())).sum::<i128>();
    let came = micros(&[t.granted, t.refunded, t.transferred_in, t.debt]);
    let went = micros(&[t.remaining, t.held, t.charged, t.expired, t.voided, t.deducted, t.transferred_out]);
    assert_eq!(came, went, "granted + refunded + transferred in + debt = what is there and what went: {t:?}");
    for (name, amount) in [("remaining", t.remaining), ("held", t.held), ("debt", t.debt)] {
        assert!(!amount.is_negative(), "{name} is {amount}");
    }
    assert!(!t.overage_held.is_negative());
    assert!(t.debt.is_zero() || t.remaining.is_zero(), "debt {} beside {} free", t.debt, t.remaining);
}
