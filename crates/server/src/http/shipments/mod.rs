//! Shipments: made one by one or in batches, read, listed.

mod batch;
mod create;
mod list;
mod read;
mod wish;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create::create_shipment, list::list_shipments))
        .routes(routes!(batch::create_shipments))
        .routes(routes!(read::shipment))
}
