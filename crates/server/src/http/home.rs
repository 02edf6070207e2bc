//! `/`: what runs here; `/problems/{slug}`: what an error means.

use axum::extract::Path;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{Kind, Problem, ProblemSchema};
use super::state::AppState;

/// Nothing from elsewhere, nothing that runs.
pub(super) const PLAIN_PAGE: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("style.css");

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(home))
        .routes(routes!(style))
        .routes(routes!(problem_list))
        .routes(routes!(problem_page))
}

/// What runs here
#[utoipa::path(get, path = "/", tag = "pages", security(()),
    responses((status = 200, description = "A page", body = String, content_type = "text/html")))]
async fn home(headers: HeaderMap) -> impl IntoResponse {
    let version = env!("CARGO_PKG_VERSION");
    let here = here(&headers);
    let body = format!(
        "<h1>Waybill</h1>\n\
         <p>Takes orders and shipments through their life, and lets everyone concerned watch it happen.</p>\n\
         <p class=\"status\">Version {version} is running here.</p>\n\
         <ul>\n\
         <li><a href=\"/docs\">API documentation</a>, readable without a network; \
         <a href=\"/openapi.json\">the same for machines</a></li>\n\
         <li><a href=\"/health\">How the server is</a>, <a href=\"/metrics\">what it counts</a></li>\n\
         <li><a href=\"/problems\">What each error means</a></li>\n\
         </ul>\n\
         <h2>First steps</h2>\n\
         <pre>curl {here}/auth/login -H 'Content-Type: application/json' \\\n     \
         -d '{{\"username\":\"…\",\"password\":\"…\"}}'\n\
         curl {here}/shipments -H \"Authorization: Bearer $TOKEN\"</pre>"
    );
    page("Waybill", &body)
}

/// The address that the browser has this page from, if its header is nothing but that.
fn here(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let plain = |host: &&str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        !host.is_empty() && host.bytes().all(fits)
    };
    match host.filter(plain) {
        Some(host) => format!("http://{host}"),
        None => "http://…".to_owned(),
    }
}

/// How pages look
#[utoipa::path(get, path = "/style.css", tag = "pages", security(()),
    responses((status = 200, description = "A style sheet", body = String, content_type = "text/css")))]
async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

/// What each error means
#[utoipa::path(get, path = "/problems", tag = "pages", security(()),
    responses((status = 200, description = "A page", body = String, content_type = "text/html")))]
async fn problem_list() -> impl IntoResponse {
    let row = |kind: Kind| {
        format!(
            "<tr><td><a href=\"/problems/{}\">{}</a></td><td><code>{}</code></td><td>{}</td></tr>\n",
            kind.slug(),
            kind.title(),
            kind.code(),
            kind.status().as_u16()
        )
    };
    let rows: String = Kind::all().map(row).collect();
    page("Errors", &format!("<h1>Errors</h1>\n<table>\n{rows}</table>"))
}

/// What an error means
///
/// `/problems/{slug}` is the `type` of errors.
#[utoipa::path(get, path = "/problems/{slug}", tag = "pages", security(()),
    params(("slug" = String, Path, description = "As in an error's `type`")),
    responses((status = 200, description = "A page", body = String, content_type = "text/html"),
        (status = 404, description = "There is no such kind of error", body = ProblemSchema)))]
async fn problem_page(Path(slug): Path<String>) -> Result<impl IntoResponse, Problem> {
    let kind = Kind::all().find(|kind| kind.slug() == slug);
    let kind = kind.ok_or_else(|| Problem::not_found("there is no such kind of error"))?;
    let body = format!(
        "<p><a href=\"/problems\">All errors</a></p>\n<h1>{}</h1>\n<p><code>{}</code>, HTTP status {}</p>\n<p>{}</p>",
        kind.title(),
        kind.code(),
        kind.status().as_u16(),
        in_code(kind.cure())
    );
    Ok(page(kind.title(), &body))
}

/// Our own text, with what stands between backticks set as code.
fn in_code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(number, part)| {
            if number % 2 == 1 {
                format!("<code>{part}</code>")
            } else {
                part.to_owned()
            }
        })
        .collect()
}

pub(super) fn page(title: &str, body: &str) -> impl IntoResponse + use<> {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    );
    ([(header::CONTENT_SECURITY_POLICY, PLAIN_PAGE)], Html(html))
}
