//! What an order is and how it changes.
//!
//! A pure model: [`decide`](decide::decide) judges a command against an order's [`Head`], giving the log entries it
//! makes or the [`Refusal`]; [`Head::apply`] takes an entry into the head; [`History`] folds all entries of
//! an order, at the end or as of an instant. Time and randomness are parameters; there is no
//! I/O, no async and no clock in this crate, and nothing here knows of SQL or HTTP.

mod block;
pub mod command;
pub mod cursor;
pub mod decide;
pub mod entry;
pub mod event_id;
pub mod fingerprint;
pub mod head;
pub mod history;
pub mod ids;
pub mod lifecycle;
pub mod limits;
pub mod money;
pub mod public_id;
pub mod refusal;
pub mod role;
pub mod sealed;
pub mod stock;
pub mod time;

pub use entry::{Entry, EntryKind};
pub use head::Head;
pub use history::History;
pub use lifecycle::{Lifecycle, StateId};
pub use refusal::Refusal;
