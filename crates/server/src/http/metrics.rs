//! What is counted, as Prometheus text. Every label has few values: routes are templates, methods and statuses known ones.

use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, header};
use axum::response::IntoResponse;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::state::AppState;
use crate::engine::{GroupObservation, Observe};
use crate::live::Counters;

/// From 0.5 ms to 10 s.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// All that is counted. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    transitions: IntCounterVec,
    events_queued: IntCounter,
    events_rejected: IntCounter,
    duplicates: IntCounter,
    queued_seconds: Histogram,
    decide_seconds: Histogram,
    commit_seconds: Histogram,
    write_seconds: Histogram,
    database_errors: IntCounter,
    timer_steps: IntCounter,
    timer_lateness: Histogram,
    pub(crate) connections: IntGauge,
    pub(crate) live: Counters,
}

impl Metrics {
    /// Everything at zero.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let http = ["route", "method", "status"];
        let steps = HistogramVec::new(
            buckets(
                "pipeline_step_duration_seconds",
                "Time a group of commands spends in each step",
            ),
            &["step"],
        )?;
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let requests = IntCounterVec::new(Opts::new("http_requests_total", "Requests answered"), &http)?;
        let request_seconds = HistogramVec::new(
            buckets(
                "http_request_duration_seconds",
                "Time from a request's head to its answer's",
            ),
            &http,
        )?;
        let transitions = IntCounterVec::new(
            Opts::new(
                "status_transitions_total",
                "Steps that orders took; from is empty for a creation",
            ),
            &["from", "to"],
        )?;
        let write_seconds = Histogram::with_opts(buckets(
            "db_write_latency_seconds",
            "Time of writing a group and making it durable",
        ))?;
        let timer_lateness = Histogram::with_opts(buckets(
            "timer_lateness_seconds",
            "How long after it was due what orders do by themselves was done",
        ))?;
        let connections = IntGauge::new("http_connections", "Connections open now")?;
        // Nothing of a broker yet: what is acknowledged by one or comes from one is none.
        counter("orders_produced_total", "Orders acknowledged by the broker")?;
        counter("orders_consumed_total", "Orders that came from the broker")?;
        let metrics = Self {
            events_queued: counter("events_accepted_total", "Events accepted for processing")?,
            events_rejected: counter("events_rejected_total", "Events decided against")?,
            duplicates: counter("events_duplicate_total", "Events that were repetitions")?,
            database_errors: counter("db_errors_total", "Reads and writes that the database failed")?,
            timer_steps: counter(
                "timer_steps_total",
                "What orders did by themselves when its time had come",
            )?,
            queued_seconds: steps.with_label_values(&["queue"]),
            decide_seconds: steps.with_label_values(&["decide"]),
            commit_seconds: steps.with_label_values(&["commit"]),
            requests,
            request_seconds,
            transitions,
            write_seconds,
            timer_lateness,
            connections,
            live: Counters::new(&registry)?,
            registry: registry.clone(),
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.request_seconds.clone()))?;
        registry.register(Box::new(metrics.transitions.clone()))?;
        registry.register(Box::new(steps))?;
        registry.register(Box::new(metrics.write_seconds.clone()))?;
        registry.register(Box::new(metrics.timer_lateness.clone()))?;
        registry.register(Box::new(metrics.connections.clone()))?;
        metrics.show_all();
        Ok(metrics)
    }

    /// A family without a single value is left out of the text: each gets one that will come anyway.
    fn show_all(&self) {
        let scrape = ["/metrics", "GET", "200"];
        self.requests.with_label_values(&scrape);
        self.request_seconds.with_label_values(&scrape);
        self.transitions.with_label_values(&["", "created"]);
    }

    /// A request was answered. `route` is its template; none for a path that is not there.
    pub(crate) fn answered(&self, route: Option<&str>, method: &Method, status: u16, took: Duration) {
        let mut digits = [0_u8; 3];
        let labels = [
            route.unwrap_or("unmatched"),
            known_method(method),
            status_text(status, &mut digits),
        ];
        self.requests.with_label_values(&labels).inc();
        self.request_seconds
            .with_label_values(&labels)
            .observe(took.as_secs_f64());
    }

    /// Events were taken in, and so many of them were decided against.
    pub(crate) fn events(&self, accepted: usize, rejected: usize) {
        self.events_queued
            .inc_by(u64::try_from(accepted).unwrap_or_default());
        self.events_rejected
            .inc_by(u64::try_from(rejected).unwrap_or_default());
    }

    pub(crate) fn database_failed(&self) {
        self.database_errors.inc();
    }

    fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

fn buckets(name: &str, help: &str) -> HistogramOpts {
    HistogramOpts::new(name, help).buckets(SECONDS.to_vec())
}

fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

/// A status in decimal, without asking for memory.
fn status_text(status: u16, digits: &mut [u8; 3]) -> &str {
    let mut rest = status;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    std::str::from_utf8(digits).unwrap_or("000")
}

/// Counts what the writer does.
impl Observe for Metrics {
    fn committed(&mut self, group: &GroupObservation) {
        let metrics = self;
        metrics.queued_seconds.observe(group.queued.as_secs_f64());
        metrics.decide_seconds.observe(group.decide.as_secs_f64());
        metrics.commit_seconds.observe(group.commit.as_secs_f64());
        metrics.write_seconds.observe(group.commit.as_secs_f64());
        metrics.repeated(group.duplicates);
        for (lifecycle, transition, times) in &group.transitions {
            let from = transition.from.map_or("", |from| lifecycle.state_name(from));
            let labels = [from, lifecycle.state_name(transition.to)];
            metrics.transitions.with_label_values(&labels).inc_by(*times);
        }
    }

    fn repeated(&mut self, duplicates: usize) {
        self.duplicates
            .inc_by(u64::try_from(duplicates).unwrap_or_default());
    }

    fn failed(&mut self) {
        self.database_failed();
    }

    fn advanced(&mut self, late: &[Duration]) {
        self.timer_steps
            .inc_by(u64::try_from(late.len()).unwrap_or_default());
        for late in late {
            self.timer_lateness.observe(late.as_secs_f64());
        }
    }
}

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Metrics, as Prometheus text
#[utoipa::path(get, path = "/metrics", tag = "operations", security(()),
    responses((status = 200, description = "Prometheus text format", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(state): State<AppState>) -> Result<impl IntoResponse, Problem> {
    let text = state.metrics.text().map_err(|_| Problem::internal())?;
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    ))
}

/// Every other path of an address that is for metrics alone.
pub(super) async fn elsewhere() -> Problem {
    Problem::not_found("this address serves /metrics and nothing else")
}
