//! The model's tests, through its public API.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to fail")]

mod archived;
mod automatic;
mod bounds;
mod corrections;
mod creation;
mod cursors;
mod duplicates;
mod event_ids;
mod faults;
mod fingerprints;
mod golden;
mod history;
mod kinds;
mod lifecycle;
mod lifecycles;
mod order;
mod properties;
mod public_ids;
mod refusals;
mod roles;
mod stock_and_money;
mod time;
