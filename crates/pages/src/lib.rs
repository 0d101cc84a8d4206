//! The pages that customers see: their credits, what they buy, and an agency's companies; and in [`console`] those that
//! operators see.
//!
//! View data in, text out. Whoever calls fills the structs of this crate from the ledger and sends what `render` functions
//! give back; nothing here reads a clock, a store or a request. Pages are whole without a script, which adds live numbers,
//! the viewer's time zone and way of writing numbers, and dialogs. Nothing in them is inline, so that a policy of `'self'`
//! alone lets them work. Names are other people's text: they reach a page through maud's escaping alone, isolated from the
//! direction of what is around them.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails"))]

mod address;
mod agency;
mod amounts;
pub mod assets;
mod chart;
pub mod console;
mod credits;
mod csv;
mod figures;
mod forms;
mod frame;
mod message;
mod names;
mod purchase;
mod receipt;
mod statement;
mod times;

pub use address::{Address, Breakdown, Grouping, KindFilter, Sort, SortBy, Window};
pub use agency::{AgencyView, Company, agency_page};
pub use amounts::Money;
pub use credits::{
    CreditsView, DaySum, Draw, GrantRow, Kind, Line, Log, LogEntry, PluginUsed, StatementRow, Usage, UsageSum,
    credits_page,
};
pub use csv::{breakdown_csv, days_csv};
pub use forms::Form;
pub use frame::{AccountHead, Frame, Links, Notice, Tone};
pub use message::{Message, message_page};
pub use purchase::{
    AlertSettings, AutoTopUp, Confirm, CustomAmount, Pack, PurchaseRow, PurchaseView, WaitingRow, confirm_page,
    purchase_page,
};
pub use receipt::{Party, ReceiptView, receipt_page};
pub use statement::{StatementView, statement_page};
