//! Live streams: what is written to the log, told to whoever listens.
//!
//! One thread a node, the follower, goes with the log, whatever the number of streams, and sleeps while there are none. It makes a message of
//! each entry that somebody wants, once, and hands it to the streams that it concerns: found by order, client or customer, authorized by the
//! entry's owner alone, then asked for their own filters. A stream has a bounded buffer; one that does not keep up is closed and told where to
//! go on. One that begins in the past is caught up by a shared pass over the log: see `catch_up`.
//!
//! Nothing is missed and nothing comes twice: a stream knows the position up to which it has everything, and takes nothing at or before it.
//! Nothing here knows HTTP, tokens or roles. See `docs/LIVE.md`.

mod catch_up;
mod counters;
mod deliver;
mod filter;
mod follow;
mod hub;
mod index;
mod labels;
mod limits;
mod message;
mod rendered;
mod stream;

pub use counters::Counters;
pub use filter::{Filter, Reference};
pub use hub::{Hub, Opening};
pub use limits::Limits;
pub use message::{Message, MessageType};
pub use rendered::Rendered;
pub use stream::{Closed, Closer, Item, Reset, Stream};
