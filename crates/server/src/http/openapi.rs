//! The `OpenAPI` description: what stands beside the handlers, and what holds for all of them.

use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, ContentBuilder, OpenApi as Document, Ref, RefOr, ResponseBuilder};

use super::problem::{Kind, ProblemSchema};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Waybill",
        description = "Orders and shipments through their life. Errors are `application/problem+json` (RFC 9457) everywhere. \
                       `Idempotency-Key` may be sent with every POST and PUT that changes something; `If-Match` with every change of \
                       one order; `X-Request-Id` is echoed or made.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ProblemSchema)),
    tags(
        (name = "accounts", description = "Signing in, users, API keys"),
        (name = "shipments", description = "Shipments"),
        (name = "orders", description = "Orders of every lifecycle"),
        (name = "events", description = "Scan events and their receipts"),
        (name = "food", description = "Food orders; open without a token where `OPEN_ORDERS` is on"),
        (name = "live", description = "What happens, as it happens"),
        (name = "administration", description = "For admins"),
        (name = "operations", description = "Health and metrics"),
        (name = "pages", description = "For people")
    )
)]
struct Base;

const BEARER: &str = "bearer";

/// What does not come from a handler.
pub(super) fn base() -> Document {
    let mut document = Base::openapi();
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of `POST /auth/login`, or an API key (`sk_live_…`)"))
        .build();
    if let Some(components) = &mut document.components {
        components.add_security_scheme(BEARER, SecurityScheme::Http(scheme));
    }
    document
}

/// The whole, as JSON: every operation with its security and the errors that any may give.
pub(super) fn finished(mut document: Document) -> String {
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            complete(operation);
        }
    }
    document.to_json().unwrap_or_default()
}

fn complete(operation: &mut Operation) {
    let open = operation.security.is_some();
    if !open {
        operation.security = Some(vec![SecurityRequirement::new(BEARER, Vec::<String>::new())]);
    }
    let has_body = operation.request_body.is_some();
    for kind in Kind::all() {
        let given = match kind {
            Kind::Internal | Kind::Unavailable | Kind::RateLimited | Kind::ValidationFailed => true,
            Kind::Unauthenticated | Kind::Forbidden => !open,
            Kind::PayloadTooLarge | Kind::UnsupportedMediaType | Kind::RequestTimeout => has_body,
            Kind::MalformedJson
            | Kind::NotFound
            | Kind::MethodNotAllowed
            | Kind::InvalidTransition
            | Kind::Conflict
            | Kind::PreconditionFailed
            | Kind::IdempotencyKeyReused
            | Kind::HeadersTooLarge => false,
        };
        let status = kind.status().as_str().to_owned();
        if given && !operation.responses.responses.contains_key(&status) {
            let response = ResponseBuilder::new()
                .description(kind.title())
                .content("application/problem+json", problem_content())
                .build();
            operation.responses.responses.insert(status, RefOr::T(response));
        }
    }
    // What the handlers name by its schema is a problem, and so of that media type.
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        let is_problem = response.content.get("application/json").is_some_and(is_problem);
        if is_problem && let Some(content) = response.content.shift_remove("application/json") {
            response
                .content
                .insert("application/problem+json".to_owned(), content);
        }
    }
}

fn problem_content() -> Content {
    ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build()
}

fn is_problem(content: &RefOr<Content>) -> bool {
    matches!(content, RefOr::T(Content { schema, .. }) if matches!(schema, Some(RefOr::Ref(schema)) if schema.ref_location.ends_with("/Problem")))
}
