//! `/openapi.json`, and `/docs`: the same for people, with nothing from elsewhere.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use axum::extract::{Path, State};
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::Config;

use super::problem::{Problem, ProblemSchema};
use super::state::AppState;

/// The pages' scripts and pictures come from here; their style is partly made by the script.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    Arc::new(
        Config::from("/openapi.json")
            .try_it_out_enabled(true)
            .validator_url("none"),
    )
});

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(openapi))
        .routes(routes!(docs))
        .routes(routes!(docs_file))
}

/// This description
#[utoipa::path(get, path = "/openapi.json", tag = "pages", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
async fn openapi(State(state): State<AppState>) -> impl IntoResponse {
    let document = state.openapi.get().cloned().unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], document)
}

/// Documentation
#[utoipa::path(get, path = "/docs", tag = "pages", security(()),
    responses((status = 200, description = "A page, readable without a network", body = String, content_type = "text/html")))]
async fn docs() -> Result<impl IntoResponse, Problem> {
    let (headers, page) = file("index.html")?;
    // The page expects to lie in the folder of its files.
    let page = String::from_utf8_lossy(&page)
        .replace("\"./", "\"/docs/")
        .replace("\"index.css\"", "\"/docs/index.css\"")
        .replace("<title>Swagger UI</title>", "<title>Waybill API</title>");
    Ok((headers, page))
}

/// The documentation's files
#[utoipa::path(get, path = "/docs/{file}", tag = "pages", security(()),
    params(("file" = String, Path, description = "One of the page's files")),
    responses((status = 200, description = "The file", body = String, content_type = "text/html"),
        (status = 404, description = "There is no such file", body = ProblemSchema)))]
async fn docs_file(Path(name): Path<String>) -> Result<impl IntoResponse, Problem> {
    file(&name)
}

type File = ([(HeaderName, String); 3], Bytes);

fn file(name: &str) -> Result<File, Problem> {
    let found = utoipa_swagger_ui::serve(name, CONFIG.clone()).map_err(|_| Problem::internal())?;
    let found = found.ok_or_else(|| Problem::not_found("there is no such file"))?;
    let headers = [
        (header::CONTENT_TYPE, found.content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        // The files change with the version only.
        (header::CACHE_CONTROL, "max-age=3600".to_owned()),
    ];
    let bytes = match found.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Ok((headers, bytes))
}
