//! Live streams: what happens, as it happens.

mod authorization;
mod bad_wishes;
mod catching_up;
mod filters;
mod killed;
mod messages;
mod resuming;
mod sockets;
mod standing;
mod tickets;
mod two_nodes;
