//! The Olist marketplace data: reading the files ([`Dataset`]).
//!
//! The data is for tests and replays only (CC BY-NC-SA 4.0) and is in no release.
//!
//! The timestamps are local wall-clock text without a zone. They are read as UTC, so that a printed timeline shows
//! exactly what the CSV says. Nothing is left out in silence: a broken row is a [`RowProblem`].

mod cell;
mod dataset;
mod table;

pub use dataset::{Customer, Dataset, GeoRow, Item, Order, OrderStatus, Product, Seller};
pub use table::{DatasetError, RowProblem};
