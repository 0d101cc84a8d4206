//! Who takes the money for credits that are bought.

use crate::purchases::Offer;
use std::pin::Pin;
use std::sync::Arc;

/// Takes money: for invoices that somebody writes by hand, for a card.
pub trait PaymentProvider: Send + Sync {
    /// Its name on the wire, which no other provider has.
    fn name(&self) -> &str;

    /// Whether somebody is asked for money before the credits are there. A provider that asks nobody settles every payment
    /// at once and does nothing else in [`PaymentProvider::begin`], so that no order has to be written down for it.
    fn asks_for_money(&self) -> bool {
        true
    }

    /// Begins the payment of an order, within a time of its own. It may be asked again for an order that it has begun,
    /// after a crash or a failure, and then begins no second payment but answers as before: the order's id tells.
    fn begin<'a>(&'a self, order: &'a PaymentOrder) -> Begun<'a>;
}

/// What comes of beginning a payment.
pub type Begun<'a> = Pin<Box<dyn Future<Output = Result<Payment, PaymentError>> + Send + 'a>>;

/// What is to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentOrder {
    /// Its id, the same however often it is asked for.
    pub id: Arc<str>,
    /// The account that buys.
    pub account: Arc<str>,
    /// What, and its price.
    pub offer: Offer,
    /// Where the buyer's browser is to come back to.
    pub return_url: Option<String>,
}

/// How a payment stands when it has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payment {
    /// The credits may be there at once.
    Settled(Settled),
    /// The buyer has yet to pay.
    Pending {
        /// Where: an address for the buyer's browser.
        checkout_url: String,
        /// What the provider calls the payment; no other of its payments is called so.
        reference: String,
    },
}

/// What is recorded of a payment that counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The provider's invoice or receipt.
    pub invoice: Option<Arc<str>>,
    /// Whether the money is here; else it is invoiced.
    pub is_paid: bool,
}

/// A payment that was not begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentError {
    /// Why, for the log of whoever runs the service.
    pub reason: String,
}
