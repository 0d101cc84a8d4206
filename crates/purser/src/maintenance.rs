//! Looking after a ledger: verifying it, backing it up, making one of a backup, and archiving old journal segments.
//!
//! One process owns the files. So a command opens the data directory where nobody holds it, and otherwise asks the server
//! that does; what runs there is [`StoreMaintenance`], over the same functions.

mod archive;
mod backup;
mod bundle;
mod erasures;
mod kept;
mod manifest;
mod measures;
mod pace;
mod progress;
mod remote;
mod reprice;
mod restore;
mod scratch;
mod server;
mod target;
mod unpack;
mod verify;

pub(crate) use archive::archive;
pub(crate) use backup::backup;
pub(crate) use erasures::export_erasures;
pub(crate) use restore::restore;
pub(crate) use scratch::remove_leftovers;
pub(crate) use server::StoreMaintenance;
pub(crate) use target::Target;
pub(crate) use verify::verify;
