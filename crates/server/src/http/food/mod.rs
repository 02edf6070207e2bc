//! Food orders: made, read, listed, cancelled. Where `OPEN_ORDERS` is on, they take no token.

mod cancel;
mod create;
mod events;
mod guest;
mod list;
mod order;
mod read;

use model::StateId;
use model::ids::LifecycleId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::AppState;

/// The lifecycle of food orders, which SQL by other tools is shown: see `docs/adr/0025-relational-mapping.md`.
const LIFECYCLE: &str = "food";

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create::create_order, list::list_orders))
        .routes(routes!(read::order))
        .routes(routes!(cancel::cancel_order))
}

/// The statuses of that name, or all, of every definition of food orders that there ever was.
fn statuses(state: &AppState, wanted: Option<&str>) -> Vec<(LifecycleId, StateId)> {
    let mut statuses = Vec::new();
    for (id, lifecycle) in state.engine.lifecycles_named(LIFECYCLE) {
        let wanted = lifecycle
            .state_ids()
            .filter(|status| wanted.is_none_or(|wanted| lifecycle.state_name(*status) == wanted));
        statuses.extend(wanted.map(|status| (id, status)));
    }
    statuses
}
