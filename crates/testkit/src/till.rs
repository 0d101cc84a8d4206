//! A provider of payments that waits until it is told.

use ledger_service::ports::{Begun, Payment, PaymentError, PaymentOrder, PaymentProvider, Settled};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Mutex;
use std::task::Poll;

/// The provider `till`: asks for money at an address of its own, and begins each payment once.
#[derive(Debug, Default)]
pub struct Till(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What was begun, by the order's id: the payment's number.
    begun: BTreeMap<String, (usize, PaymentOrder)>,
    /// How often it was asked.
    asked: usize,
    answers: Answers,
}

/// How a [`Till`] answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    /// As it should: the buyer has yet to pay.
    #[default]
    Pending,
    /// The money is here already.
    Paid,
    /// It begins nothing, and says so.
    Fails,
    /// It begins the payment, and the answer is lost.
    IsLost,
    /// With what is no address.
    Nonsense,
    /// It begins the payment, and answers once it is told to answer otherwise.
    Waits,
}

impl Till {
    /// Answers so from now on.
    pub fn answer(&self, answers: Answers) {
        self.0.lock().unwrap().answers = answers;
    }

    /// How often it was asked to begin a payment.
    pub fn asked(&self) -> usize {
        self.0.lock().unwrap().asked
    }

    /// The payments that were begun, by their orders' ids.
    pub fn begun(&self) -> Vec<PaymentOrder> {
        self.0.lock().unwrap().begun.values().map(|(_, order)| order.clone()).collect()
    }
}

impl Till {
    /// Notes what was asked, and answers the payment's number.
    fn enter(&self, order: &PaymentOrder) -> usize {
        let mut state = self.0.lock().unwrap();
        state.asked += 1;
        if state.answers == Answers::Fails {
            return 0;
        }
        let next = state.begun.len() + 1;
        let (number, first) = state.begun.entry(order.id.to_string()).or_insert_with(|| (next, order.clone()));
        assert_eq!(first, order, "an order does not change");
        *number
    }
}

impl PaymentProvider for Till {
    fn name(&self) -> &str {
        "till"
    }

    fn begin<'a>(&'a self, order: &'a PaymentOrder) -> Begun<'a> {
        let number = self.enter(order);
        Box::pin(async move {
            let answers = poll_fn(|context| {
                context.waker().wake_by_ref();
                let answers = self.0.lock().unwrap().answers;
                if answers == Answers::Waits { Poll::Pending } else { Poll::Ready(answers) }
            });
            match answers.await {
                Answers::Paid => Ok(Payment::Settled(Settled { invoice: Some("r-1".into()), is_paid: true })),
                Answers::Fails => Err(PaymentError { reason: "out of paper".to_owned() }),
                Answers::IsLost => Err(PaymentError { reason: "no answer".to_owned() }),
                Answers::Nonsense => {
                    Ok(Payment::Pending { checkout_url: "javascript:alert(1)".to_owned(), reference: "x".to_owned() })
                }
                Answers::Pending | Answers::Waits => Ok(Payment::Pending {
                    checkout_url: format!("https://till.example/pay/{number}"),
                    reference: format!("payment-{number}"),
                }),
            }
        })
    }
}
