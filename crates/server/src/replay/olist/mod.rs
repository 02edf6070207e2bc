//! The Olist marketplace data as a replay: reading the files ([`Dataset`]) and saying what to send ([`Plan`]).
//!
//! Both halves are free of the network and of the clock: the same files give the same plan, byte for byte. Sending it,
//! and how fast, is left to the caller. The data is for tests and replays only (CC BY-NC-SA 4.0) and is in no release.
//!
//! # What becomes of an order
//!
//! One shipment per order and seller, under the reference `ORDER_ID/SELLER_ID`. The seller is the client, so its name is
//! the seller's id. An order of several sellers gives as many shipments, all with the order's one set of timestamps.
//!
//! | field of `POST /shipments` | from |
//! |---|---|
//! | `origin_address`, `destination_address` | `city, ST, zip` of the seller, of the customer |
//! | `origin_lat`, `origin_lng`, `destination_lat`, `destination_lng` | the geo row of the zip prefix; without one, the mean of the geo rows of the same city and state, else of the same state ([`Basis`]) |
//! | `weight_kg` | the sum of `product_weight_g` over the seller's items of the order, / 1000 |
//! | `length_cm`, `width_cm` | the largest among those items |
//! | `height_cm` | the sum of the heights: the items lie on each other |
//! | `content_description` | the categories with their counts, alphabetical, `bebes x2, uncategorised x1`; at most 500 characters |
//!
//! | column | becomes | `source` | `location` |
//! |---|---|---|---|
//! | `order_purchase_timestamp` | the creation, `occurred_at` | | |
//! | `order_approved_at` | `picked_up` | `seller` | origin |
//! | `order_delivered_carrier_date` | `in_warehouse`, and right after it, at the same time, `in_transit` | `carrier` | origin, then none |
//! | `order_delivered_customer_date` | `delivered` | `courier` | destination |
//! | `order_status` is `canceled` or `unavailable` | `cancelled` | `marketplace` | none |
//!
//! **The time of a cancellation is invented**: the data has none. It is one hour after the latest of the order's own four
//! timestamps above (the estimated delivery is a promise, not an event, and is not looked at). A few canceled orders do
//! have a delivery time; their `cancelled` therefore follows a `delivered`, and it is the server's to refuse it.
//!
//! An empty timestamp gives no step. Orders that are `shipped`, `invoiced`, `processing`, `created` or `approved` end
//! where their timestamps end: the data says no more of them.
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
