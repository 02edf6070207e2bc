//! Live streams over HTTP: server-sent events and WebSocket, which carry the same messages.
//!
//! What is told to whom, and in what order, is [`live`](crate::live)'s. Here a request becomes the opening of a stream ([`wish`]), a stream becomes
//! bytes ([`sse`], [`socket`]), and it ends when who opened it may not read on ([`watch`]).

mod opened;
mod socket;
mod sse;
mod tickets;
mod watch;
mod wish;
mod ws;

use std::time::Duration;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::limits::{FIRST_MESSAGE_TIME, HEARTBEAT, STREAMS_PER_PRINCIPAL};
use super::state::AppState;
use crate::live;

pub(crate) use watch::Watch;

/// Limits of live streams. Tests set them lower.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// See [`HEARTBEAT`].
    pub heartbeat: Duration,
    /// See [`FIRST_MESSAGE_TIME`].
    pub first_message_time: Duration,
    /// See [`STREAMS_PER_PRINCIPAL`].
    pub per_principal: usize,
    /// Of what is told.
    pub live: live::Limits,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            heartbeat: HEARTBEAT,
            first_message_time: FIRST_MESSAGE_TIME,
            per_principal: STREAMS_PER_PRINCIPAL,
            live: live::Limits::default(),
        }
    }
}

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(sse::stream))
        .routes(routes!(tickets::make_ticket))
        .routes(routes!(ws::socket))
}
