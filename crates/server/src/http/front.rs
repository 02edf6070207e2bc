//! What happens to every request before and after its handler: request id, who is asking, the rate limit, the one form of
//! errors, counting and logging.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use super::auth::Asking;
use super::limits::REQUEST_ID_CHARS;
use super::problem::{Kind, Problem};
use super::rate_limit::Caller;
use super::state::{AppState, random};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// The id of a request: the caller's, or a new one.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

/// Where a request came from.
#[derive(Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

pub(super) async fn front(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let path = route.is_none().then(|| request.uri().path().to_owned());
    let path = path.unwrap_or_else(|| request.uri().path().to_owned());
    let request_id = request_id(request.headers());
    let trace_id = trace_id(request.headers()).map(str::to_owned);
    let address = client_address(&state, &request);
    request.extensions_mut().insert(RequestId(request_id.clone()));
    request.extensions_mut().insert(ClientAddress(address));

    let answered = AssertUnwindSafe(admitted(&state, &route, address, request, next)).catch_unwind();
    // The panic's words are on standard error already. What it was about to write, it has not written.
    let mut response = answered
        .await
        .unwrap_or_else(|_| Problem::internal().into_response());

    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        write_problem(&state, &mut response, &problem, &path, &request_id);
    } else if is_of_framework(&response) {
        let problem = of_framework(response.status());
        write_problem(&state, &mut response, &problem, &path, &request_id);
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    let status = response.status().as_u16();
    let took = began.elapsed();
    let route = route.as_ref().map(MatchedPath::as_str);
    state.metrics.answered(route, &method, status, took);
    tracing::debug!(
        http.method = %method, http.route = route.unwrap_or("unmatched"), http.status = status,
        request.id = &*request_id, trace.id = trace_id.as_deref(), took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        "answered"
    );
    response
}

/// Finds out who is asking and whether they may ask now, then asks the handler.
async fn admitted(
    state: &AppState,
    route: &Option<MatchedPath>,
    address: IpAddr,
    mut request: Request,
    next: Next,
) -> Response {
    let route = route.as_ref().map(MatchedPath::as_str);
    if matches!(route, Some("/healthz" | "/readyz" | "/metrics")) {
        return next.run(request).await;
    }
    if let Some(coding) = request.headers().get(header::CONTENT_ENCODING)
        && coding != "identity"
    {
        let detail = "the body is compressed: send it as it is, without Content-Encoding";
        return Problem::new(Kind::UnsupportedMediaType, detail).into_response();
    }
    let asking = match state.authenticate(request.headers()).await {
        // That a header is malformed or storage is down is told whatever the path; who is unknown, only where it matters.
        Err(problem) if !super::auth::is_unauthenticated(&problem) => return problem.into_response(),
        asking => asking,
    };
    let caller = match &asking {
        Ok(Some(principal)) => Caller::Principal(principal.subject().clone()),
        Ok(None) | Err(_) => Caller::at(address),
    };
    let standing = match state.rate_limit.count(&caller) {
        Ok(standing) => standing,
        Err(problem) => return problem.into_response(),
    };
    request.extensions_mut().insert(Asking(asking));
    let mut response = next.run(request).await;
    if let Some(standing) = standing {
        standing.tell(response.headers_mut());
    }
    response
}

/// Writes a problem's body, where only its status and headers stand so far.
fn write_problem(state: &AppState, response: &mut Response, problem: &Problem, path: &str, request_id: &str) {
    if problem.kind.status().is_server_error() {
        tracing::error!(
            request.id = request_id,
            problem.code = problem.kind.code(),
            error.detail = problem.cause,
            "{}",
            problem.detail
        );
    }
    let body = problem.to_json(path, request_id, state.now()).to_string();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(body);
}

/// Whether an answer is an error that the framework made: bare, or of one line of text. Ours are problems and documents.
fn is_of_framework(response: &Response) -> bool {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    (status.is_client_error() || status.is_server_error())
        && kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}

fn of_framework(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::not_found("there is nothing here"),
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(Kind::MethodNotAllowed, "not with this method"),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Kind::PayloadTooLarge, "the body is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new(Kind::UnsupportedMediaType, "send `application/json`")
        }
        StatusCode::BAD_REQUEST => Problem::field(
            "",
            "format",
            "the path is not UTF-8: encode it as such, percent by percent",
        ),
        _ => Problem::internal(),
    }
}

/// What no route matches.
pub(super) async fn unknown_path() -> Problem {
    Problem::not_found("there is no such path; /docs lists those that there are")
}

/// A path that is there, with a method that it has not. The framework adds `Allow`.
pub(super) async fn unknown_method(method: Method) -> Problem {
    let shown: String = method.as_str().chars().take(20).collect();
    Problem::new(
        Kind::MethodNotAllowed,
        format!("{shown} is not one of this path's methods: see Allow"),
    )
}

fn request_id(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |text: &&str| {
        (1..=REQUEST_ID_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match given.filter(plain) {
        Some(given) => given.into(),
        None => new_request_id().into(),
    }
}

/// An id for a request that brings none.
pub(super) fn new_request_id() -> String {
    // Without random numbers from the system nothing else would have begun.
    format!("{:032x}", random::<u128>().unwrap_or_default())
}

/// The trace that a request belongs to (W3C Trace Context), for the log.
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(TRACE_PARENT)?.to_str().ok()?;
    let mut parts = value.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (version.len() == 2 && trace.len() == 32 && hex(version) && hex(trace)).then_some(trace)
}

/// The address a request came from: the nearest one that is not a trusted proxy's.
fn client_address(state: &AppState, request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let mut address = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip());
    let is_proxy = |address| state.trusted_proxies.iter().any(|block| block.contains(address));
    if !is_proxy(address) {
        return address;
    }
    let forwarded: Vec<&str> = request
        .headers()
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in forwarded.into_iter().rev() {
        let Some(hop) = address_of_hop(hop.trim()) else {
            break;
        };
        address = hop;
        if !is_proxy(address) {
            break;
        }
    }
    address
}

/// The address of a hop: bare, in brackets, or with a port, as some proxies write it.
fn address_of_hop(hop: &str) -> Option<IpAddr> {
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let with_port = || Some(hop.parse::<SocketAddr>().ok()?.ip());
    hop.parse()
        .ok()
        .or_else(|| bracketed().map(IpAddr::V6))
        .or_else(with_port)
}
