//! The providers that there are: `manual`, and those that the program brings.

use crate::error::ServiceError;
use crate::ports::{Begun, Payment, PaymentOrder, PaymentProvider, Settled};
use std::sync::Arc;

/// The name of the provider that is always there.
pub(crate) const MANUAL: &str = "manual";

/// Asks nobody for money: whoever runs the service writes an invoice.
struct Manual;

impl PaymentProvider for Manual {
    fn name(&self) -> &str {
        MANUAL
    }

    fn asks_for_money(&self) -> bool {
        false
    }

    fn begin<'a>(&'a self, _: &'a PaymentOrder) -> Begun<'a> {
        Box::pin(async { Ok(Payment::Settled(Settled::default())) })
    }
}

/// The providers, `manual` first.
pub(crate) struct Payments(Vec<Arc<dyn PaymentProvider>>);

impl Payments {
    /// Those that the program brings, and `manual`. Two of one name are a mistake of the program.
    pub(crate) fn new(brought: Vec<Arc<dyn PaymentProvider>>) -> Result<Self, ServiceError> {
        let mut all: Vec<Arc<dyn PaymentProvider>> = vec![Arc::new(Manual)];
        for provider in brought {
            if all.iter().any(|known| known.name() == provider.name()) {
                let detail = format!("two providers of payments are named {:?}", provider.name());
                return Err(ServiceError::Internal { detail });
            }
            all.push(provider);
        }
        Ok(Self(all))
    }

    /// The provider of a name.
    pub(crate) fn find(&self, name: &str) -> Result<&Arc<dyn PaymentProvider>, ServiceError> {
        self.0.iter().find(|provider| provider.name() == name).ok_or_else(|| {
            let known: Vec<&str> = self.0.iter().map(|provider| provider.name()).collect();
            ServiceError::field("provider", format!("no provider is named {name:?}; there are {}", known.join(", ")))
        })
    }

    /// The provider that a customer pays, who has no say in being sent an invoice: the first that asks for money, where
    /// there is one.
    pub(crate) fn of_customers(&self, asked: Option<&str>) -> Result<&Arc<dyn PaymentProvider>, ServiceError> {
        let asking = self.0.iter().find(|provider| provider.asks_for_money());
        match (asked, asking) {
            (None, Some(asking)) => Ok(asking),
            (None, None) => self.find(MANUAL),
            (Some(name), None) => self.find(name),
            (Some(name), Some(asking)) => {
                Some(self.find(name)?).filter(|found| found.asks_for_money()).ok_or_else(|| {
                    let reason = format!("customers pay at once, such as by {:?}", asking.name());
                    ServiceError::field("provider", reason)
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(&'static str, bool);

    impl PaymentProvider for Named {
        fn name(&self) -> &str {
            self.0
        }

        fn asks_for_money(&self) -> bool {
            self.1
        }

        fn begin<'a>(&'a self, _: &'a PaymentOrder) -> Begun<'a> {
            Box::pin(async { Ok(Payment::Settled(Settled::default())) })
        }
    }

    fn with(named: &[(&'static str, bool)]) -> Result<Payments, ServiceError> {
        Payments::new(
            named.iter().map(|(name, asks)| Arc::new(Named(name, *asks)) as Arc<dyn PaymentProvider>).collect(),
        )
    }

    #[test]
    fn names_are_unique() {
        assert!(with(&[("card", true), ("bank", true)]).is_ok());
        for twice in [["card", "card"], ["card", "manual"]] {
            assert!(with(&twice.map(|name| (name, true))).is_err(), "{twice:?}");
        }
    }

    #[test]
    fn customers_pay_where_somebody_takes_their_money() {
        let invoices_alone: &[(&str, bool)] = &[("barter", false)];
        let cards: &[(&str, bool)] = &[("barter", false), ("card", true), ("bank", true)];
        for (brought, asked, expected) in [
            (invoices_alone, None, Some("manual")),
            (invoices_alone, Some("barter"), Some("barter")),
            (invoices_alone, Some("card"), None),
            (cards, None, Some("card")),
            (cards, Some("bank"), Some("bank")),
            (cards, Some("manual"), None),
            (cards, Some("nobody"), None),
        ] {
            let payments = with(brought).unwrap();
            let found = payments.of_customers(asked).ok().map(|provider| provider.name().to_owned());
            assert_eq!(found.as_deref(), expected, "{asked:?}");
        }
    }
}
