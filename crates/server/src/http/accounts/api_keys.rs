//! API keys: made, listed and revoked by admins.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use model::role::Role;
use model::time::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use store::accounts::ApiKey;
use utoipa::ToSchema;

use super::super::auth::{Asker, NewKey};
use super::super::fields::{self, Fields};
use super::super::idempotency::JsonAnswer;
use super::super::page;
use super::super::problem::{Problem, ProblemSchema};
use super::super::query::Parameters;
use super::super::state::AppState;
use super::super::{body, limits};
use super::change::{Told, answered, in_transaction};
use super::trail::Trail;
use super::users::with_broken_rules;
use crate::accounts::{Entity, States, client_problem, fresh_id, name_problem};

/// A key; the secret only where it was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(super) struct ApiKeyBody {
    id: String,
    name: String,
    #[schema(value_type = String)]
    role: &'static str,
    client_id: Option<String>,
    /// The username, or `key:{id}`, of who made it.
    created_by: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// Void from then on.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// Void since then.
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
}

impl From<&ApiKey> for ApiKeyBody {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.key_id.to_string(),
            name: key.name.to_string(),
            role: key.role.name(),
            client_id: key.client.as_deref().map(str::to_owned),
            created_by: key.created_by.to_string(),
            created_at: key.created_at.to_string(),
            expires_at: key.expires_at.map(|at| at.to_string()),
            revoked_at: key.revoked_at.map(|at| at.to_string()),
        }
    }
}

/// A page of keys.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiKeyPage {
    /// Newest first.
    data: Vec<ApiKeyBody>,
    next_cursor: Option<String>,
}

/// API keys
///
/// For admins; newest first, those that are void too. The keys themselves are not kept and cannot be shown.
#[utoipa::path(get, path = "/api/v1/api-keys", tag = "accounts",
    params(("limit" = Option<u32>, Query, description = "1 to 500; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "As the page before had it")),
    responses((status = 200, description = "A page; `Link` has the next", body = ApiKeyPage)))]
pub(super) async fn api_keys(
    State(state): State<AppState>,
    asker: Asker,
    uri: Uri,
    mut parameters: Parameters,
) -> Result<impl IntoResponse, Problem> {
    asker.must_be(&[Role::Admin])?;
    let limit = parameters.limit();
    let before = page::cursor_of(&mut parameters);
    parameters.finish()?;
    // One more tells whether there is another page.
    let mut keys = state
        .read(move |reader| reader.api_keys(before.as_deref(), limit + 1))
        .await?;
    let page = ApiKeyPage {
        next_cursor: page::cut(&mut keys, limit, |last| last.key_id.to_string()),
        data: keys.iter().map(ApiKeyBody::from).collect(),
    };
    Ok((page::link(&uri, page.next_cursor.as_deref()), Json(page)))
}

/// A key to be made.
#[derive(ToSchema)]
#[schema(as = NewApiKey)]
#[expect(dead_code, reason = "describes what `make_api_key` reads")]
pub(super) struct NewApiKeySchema {
    /// What it is for.
    name: String,
    /// `client`, `driver`, `operator` or `admin`.
    role: String,
    /// Of clients and drivers, and of nobody else.
    client_id: Option<String>,
    /// In the future.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeApiKey {
    /// The key itself: shown this once.
    key: String,
    #[serde(flatten)]
    about: ApiKeyBody,
}

/// Make an API key
///
/// For admins. The key is shown this once; with an `Idempotency-Key`, a repetition is therefore 409.
#[utoipa::path(post, path = "/api/v1/api-keys", tag = "accounts", request_body = NewApiKeySchema,
    responses((status = 201, description = "The key", body = MadeApiKey),
        (status = 409, description = "It was made before with this Idempotency-Key, and is not shown again", body = ProblemSchema),
        (status = 422, description = "The Idempotency-Key came with another body", body = ProblemSchema)))]
pub(super) async fn make_api_key(
    State(state): State<AppState>,
    asker: Asker,
    trail: Trail,
    headers: HeaderMap,
    body: Body,
) -> Result<Response<Body>, Problem> {
    asker.must_be(&[Role::Admin])?;
    body::must_be_json(&headers)?;
    let received = body::whole(&state.room, body, limits::BODY_BYTES).await?;
    let value = fields::parse(&received.bytes)?;
    let now = state.now();
    let wish = Wish::read(Fields::of(&value), now)?;
    let keyed = state
        .under_way
        .key(&headers, &asker, "POST /api/v1/api-keys", &received.bytes, now)?;
    let made = NewKey::make()?;
    let key = ApiKey {
        key_id: fresh_id("key_").map_err(|_| Problem::internal())?,
        name: wish.name.into(),
        role: wish.role,
        client: wish.client.map(Into::into),
        secret_hash: made.hash,
        created_by: (**asker.subject()).into(),
        created_at: now,
        expires_at: wish.expires_at,
        revoked_at: None,
    };
    let states = States {
        before: None,
        after: Some(shown(&key)),
    };
    let by = trail.by(&asker);
    let record = by.record("api_key.create", Entity::ApiKey, &key.key_id, &states, now);
    answered(&state, keyed.as_ref(), now, move |accounts| {
        accounts.insert_api_key(&key)?;
        accounts.append_audit(&record)?;
        let body = MadeApiKey {
            key: made.secret,
            about: ApiKeyBody::from(&key),
        };
        Ok(Ok(Told {
            answer: JsonAnswer::new(StatusCode::CREATED, &body),
            is_secret: true,
        }))
    })
    .await
}

struct Wish<'a> {
    name: &'a str,
    role: Role,
    client: Option<&'a str>,
    expires_at: Option<Timestamp>,
}

impl<'a> Wish<'a> {
    fn read(mut fields: Fields<'a>, now: Timestamp) -> Result<Self, Problem> {
        let name = fields
            .required("name")
            .and_then(|_| fields.optional_string("name"));
        let role_name = fields
            .required("role")
            .and_then(|_| fields.optional_string("role"));
        let client = fields.optional_string("client_id");
        let expires_at = fields.optional_timestamp("expires_at");
        let role = role_name
            .and_then(Role::from_name)
            .filter(|role| !matches!(role, Role::Customer | Role::System));
        if role_name.is_some() && role.is_none() {
            fields.complain("role", "value", "must be client, driver, operator or admin");
        }
        if expires_at.is_some_and(|at| at <= now) {
            fields.complain("expires_at", "range", "must be in the future");
        }
        let broken = [
            name.and_then(name_problem),
            role.and_then(|role| client_problem(role, client)),
        ];
        let broken: Vec<_> = broken.into_iter().flatten().collect();
        let problems = fields.problems();
        match (name, role) {
            (Some(name), Some(role)) if problems.is_empty() && broken.is_empty() => Ok(Self {
                name,
                role,
                client,
                expires_at,
            }),
            (_, _) => Err(with_broken_rules(problems, broken)),
        }
    }
}

/// Revoke an API key
///
/// For admins. It is void at once; again is no error.
#[utoipa::path(delete, path = "/api/v1/api-keys/{id}", tag = "accounts",
    params(("id" = String, Path, description = "As the list has it")),
    responses((status = 204, description = "The key is void"),
        (status = 404, description = "No key has this id", body = ProblemSchema)))]
pub(super) async fn revoke_api_key(
    State(state): State<AppState>,
    asker: Asker,
    trail: Trail,
    Path(key_id): Path<String>,
) -> Result<StatusCode, Problem> {
    asker.must_be(&[Role::Admin])?;
    let (by, now) = (trail.by(&asker), state.now());
    in_transaction(&state, move |accounts| {
        let Some(key) = accounts.api_key(&key_id)? else {
            return Ok(Err(Problem::not_found("no API key has this id")));
        };
        if key.revoked_at.is_none() {
            accounts.revoke_api_key(&key_id, now)?;
            let after = ApiKey {
                revoked_at: Some(now),
                ..key.clone()
            };
            let states = States {
                before: Some(shown(&key)),
                after: Some(shown(&after)),
            };
            accounts.append_audit(&by.record("api_key.revoke", Entity::ApiKey, &key.key_id, &states, now))?;
        }
        Ok(Ok(()))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A key as the trail has it: without its hash.
fn shown(key: &ApiKey) -> Value {
    json!({
        "id": key.key_id,
        "name": key.name,
        "role": key.role.name(),
        "client_id": key.client,
        "expires_at": key.expires_at.map(|at| at.to_string()),
        "revoked_at": key.revoked_at.map(|at| at.to_string()),
    })
}
