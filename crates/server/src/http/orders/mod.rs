//! Orders of every lifecycle: made, moved, cancelled, corrected, read as they are and as they were, listed.
//!
//! One file a path. Whose an order is and what its lifecycle allows is judged by the engine; here requests are read, and answers made
//! of what the engine says. Shipments and food orders have paths of their own beside these, in their own shapes.

mod cancel;
mod change;
mod corrections;
mod create;
pub(crate) mod details;
mod force;
mod history;
mod lifecycles;
mod list;
mod order;
mod read;
mod status;
mod transitions;
mod wish;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create::create_order, list::list_orders))
        .routes(routes!(list::list_all_orders))
        .routes(routes!(read::order))
        .routes(routes!(read::order_status, status::report_status))
        .routes(routes!(history::history))
        .routes(routes!(transitions::transitions))
        .routes(routes!(cancel::cancel_order))
        .routes(routes!(corrections::correct_order))
        .routes(routes!(force::set_status))
        .routes(routes!(lifecycles::lifecycles))
        .routes(routes!(lifecycles::lifecycle))
}
