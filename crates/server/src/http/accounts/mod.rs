//! Accounts: signing in and out, users, API keys, and the trail of what was changed.

mod api_keys;
mod audit_logs;
mod change;
mod login;
mod logout;
mod trail;
mod user;
mod users;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::AppState;

pub(super) use trail::Trail;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(login::login))
        .routes(routes!(login::login_v1))
        .routes(routes!(logout::logout))
        .routes(routes!(logout::logout_v1))
        .routes(routes!(users::users))
        .routes(routes!(users::sign_up))
        .routes(routes!(user::user, user::change_user))
        .routes(routes!(api_keys::api_keys, api_keys::make_api_key))
        .routes(routes!(api_keys::revoke_api_key))
        .routes(routes!(audit_logs::audit_logs))
}
