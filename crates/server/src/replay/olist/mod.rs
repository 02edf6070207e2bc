//! The Olist marketplace data as a replay: reading the files ([`Dataset`]) and saying what to send ([`Plan`]).
//!
//! Both halves are free of the network and of the clock: the same files give the same plan, byte for byte. Sending it,
//! and how fast, is left to the caller. The data is for tests and replays only (CC BY-NC-SA 4.0) and is in no release.
//!
//! `docs/REPLAY.md` tells what becomes of an order: one shipment per order and seller, under the reference
//! `ORDER_ID/SELLER_ID`, its milestones as scan events. **The time of a cancellation is invented**: the data has none. It is
//! one hour after the latest of the order's own timestamps (the estimated delivery is a promise, not an event).
//!
//! An empty timestamp gives no step. Orders that stall in the data end where their timestamps end.
//!
//! # Time and order
//!
//! The timestamps are local wall-clock text without a zone. They are read as UTC, so that a printed timeline shows
//! exactly what the CSV says; distances in time are right but for changes of daylight saving.
//!
//! Steps are sorted by that time; at the same time by the natural course (creation, `picked_up`, `in_warehouse`,
//! `in_transit`, `delivered`, `cancelled`), then by shipment. Times that contradict the natural course are kept as they
//! are: a hand-over before the approval comes first here too, and a report may even come before its shipment's
//! creation ([`Notes::reports_before_creation`]). What to do with those is the sender's choice.
//!
//! # What is left out
//!
//! Nothing is left out in silence: a broken row is a [`RowProblem`], an order or shipment that cannot be sent is counted
//! under a [`SkipReason`], a guess is counted in [`Notes`].

mod cell;
mod dataset;
mod plan;
mod table;

pub use dataset::{Customer, Dataset, GeoRow, Item, Order, OrderStatus, Product, Seller};
pub use plan::{Basis, Notes, Parcel, Place, Plan, PlannedKind, PlannedShipment, PlannedStep, SkipReason};
pub use table::{DatasetError, RowProblem};
