//! `GET /api/v1/lifecycles`: what orders may do.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::IntoResponse;
use model::lifecycle::{Arrow, Effect, Lifecycle, delay_text};
use model::role::{Role, RoleSet};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::auth::Asker;
use super::super::page;
use super::super::problem::{Problem, ProblemSchema};
use super::super::query::Parameters;
use super::super::state::AppState;

/// A page of lifecycles.
#[derive(Serialize, ToSchema)]
pub(super) struct LifecyclePage {
    /// By name; of each the newest version.
    data: Vec<LifecycleBody>,
    next_cursor: Option<String>,
}

/// A lifecycle.
#[derive(Serialize, ToSchema)]
#[schema(as = Lifecycle)]
pub(super) struct LifecycleBody {
    name: String,
    /// Orders keep the version that they were born under.
    version: u32,
    description: String,
    /// The status of a new order.
    initial: String,
    /// The status that a cancellation leads to, if there is one.
    cancelled: Option<String>,
    /// The roles that make orders of it; `system` is the server itself.
    #[schema(value_type = Vec<String>)]
    created_by: Vec<&'static str>,
    reports: Reports,
    /// How far automatic delays lie from what the arrows say, at most, either way.
    jitter_percent: u8,
    states: Vec<StateBody>,
    arrows: Vec<ArrowBody>,
}

/// What becomes of reports that do not fit.
#[derive(Serialize, ToSchema)]
#[schema(as = LifecycleReports)]
struct Reports {
    /// Of one whose step the order has passed: `reject` or `record`.
    #[schema(value_type = String)]
    late: &'static str,
    /// Of one that comes before a step it needs: `reject`, `record` or `park`.
    #[schema(value_type = String)]
    early: &'static str,
    /// How long a parked one waits, such as `1h`.
    park_for: String,
}

/// A status.
#[derive(Serialize, ToSchema)]
#[schema(as = LifecycleState)]
struct StateBody {
    name: String,
    /// `pending`, `active`, `moving`, `done` or `stopped`.
    #[schema(value_type = String)]
    phase: &'static str,
    /// Whether an order in it has ended.
    r#final: bool,
}

/// A step from one status to another.
#[derive(Serialize, ToSchema)]
#[schema(as = LifecycleArrow)]
struct ArrowBody {
    from: String,
    to: String,
    /// The roles that may take it.
    #[schema(value_type = Vec<String>)]
    by: Vec<&'static str>,
    /// The server takes it by itself after this time, such as `20s`.
    after: Option<String>,
    /// What else it does.
    #[schema(value_type = Vec<String>)]
    effects: Vec<&'static str>,
    /// What a correction that takes it back does; without one, and with effects or into a final status, it is not taken back.
    #[schema(value_type = Option<Vec<String>>)]
    compensation: Option<Vec<&'static str>>,
}

/// Lifecycles
///
/// What orders may do, and who may have them do it.
#[utoipa::path(get, path = "/api/v1/lifecycles", tag = "orders",
    params(("limit" = Option<u32>, Query, description = "1 to 500; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "As the page before had it")),
    responses((status = 200, description = "A page; `Link` has the next", body = LifecyclePage)))]
pub(super) async fn lifecycles(
    State(state): State<AppState>,
    _asker: Asker,
    uri: Uri,
    mut parameters: Parameters,
) -> Result<impl IntoResponse, Problem> {
    let limit = parameters.limit();
    let after = page::cursor_of(&mut parameters);
    parameters.finish()?;
    let mut newest: BTreeMap<String, Arc<Lifecycle>> = BTreeMap::new();
    for (_, lifecycle) in state.engine.lifecycles() {
        let known = newest.get(lifecycle.name());
        if known.is_none_or(|known| known.version() < lifecycle.version()) {
            newest.insert(lifecycle.name().to_owned(), lifecycle);
        }
    }
    let wanted = newest
        .values()
        .filter(|lifecycle| after.as_deref().is_none_or(|after| lifecycle.name() > after));
    let mut data: Vec<LifecycleBody> = wanted
        .map(|lifecycle| LifecycleBody::from(&**lifecycle))
        .collect();
    let next_cursor = page::cut(&mut data, limit, |last| last.name.clone());
    let page = LifecyclePage { data, next_cursor };
    Ok((page::link(&uri, page.next_cursor.as_deref()), Json(page)))
}

/// A lifecycle
///
/// The newest version of it, or the one that is asked for.
#[utoipa::path(get, path = "/api/v1/lifecycles/{name}", tag = "orders",
    params(("name" = String, Path, description = "Such as `delivery`"),
        ("version" = Option<u32>, Query, description = "The newest if not given")),
    responses(
        (status = 200, description = "The lifecycle", body = LifecycleBody),
        (status = 404, description = "No lifecycle has this name, or none this version", body = ProblemSchema)))]
pub(super) async fn lifecycle(
    State(state): State<AppState>,
    _asker: Asker,
    Path(name): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<LifecycleBody>, Problem> {
    let version = parameters.number("version", 1, u64::from(u32::MAX));
    parameters.finish()?;
    let named = state.engine.lifecycles_named(&name).into_iter();
    let wanted = named
        .map(|(_, lifecycle)| lifecycle)
        .filter(|lifecycle| version.is_none_or(|version| u64::from(lifecycle.version()) == version))
        .max_by_key(|lifecycle| lifecycle.version());
    let found =
        wanted.ok_or_else(|| Problem::not_found("there is no such lifecycle: GET /api/v1/lifecycles"))?;
    Ok(Json((&*found).into()))
}

impl From<&Lifecycle> for LifecycleBody {
    fn from(lifecycle: &Lifecycle) -> Self {
        let name = |state| lifecycle.state_name(state).to_owned();
        Self {
            name: lifecycle.name().to_owned(),
            version: lifecycle.version(),
            description: lifecycle.description().to_owned(),
            initial: name(lifecycle.initial()),
            cancelled: lifecycle.cancelled().map(name),
            created_by: roles(lifecycle.created_by()),
            reports: Reports {
                late: lifecycle.late().name(),
                early: lifecycle.early().name(),
                park_for: delay_text(lifecycle.park_for()),
            },
            jitter_percent: lifecycle.jitter_percent(),
            states: lifecycle
                .states()
                .iter()
                .map(|state| StateBody {
                    name: state.name.to_string(),
                    phase: state.phase.name(),
                    r#final: state.phase.is_final(),
                })
                .collect(),
            arrows: lifecycle
                .arrows()
                .iter()
                .map(|arrow| arrow_body(lifecycle, arrow))
                .collect(),
        }
    }
}

fn arrow_body(lifecycle: &Lifecycle, arrow: &Arrow) -> ArrowBody {
    let effects = |effects: &[Effect]| effects.iter().map(|effect| effect.name()).collect();
    ArrowBody {
        from: lifecycle.state_name(arrow.from).to_owned(),
        to: lifecycle.state_name(arrow.to).to_owned(),
        by: roles(arrow.by),
        after: arrow.after.map(delay_text),
        effects: effects(&arrow.effects),
        compensation: arrow.compensation.as_deref().map(effects),
    }
}

fn roles(roles: RoleSet) -> Vec<&'static str> {
    roles.iter().map(Role::name).collect()
}
