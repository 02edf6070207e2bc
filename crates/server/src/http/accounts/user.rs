//! One user: looked at and changed by itself or by an admin.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use model::ids::Version;
use model::role::Role;
use serde::Serialize;
use store::accounts::{User, UserRef};
use utoipa::ToSchema;

use super::super::auth::{Asker, Credential};
use super::super::fields::{self, Fields};
use super::super::front::ClientAddress;
use super::super::idempotency::JsonAnswer;
use super::super::precondition::if_match;
use super::super::problem::{Kind, Problem, ProblemSchema};
use super::super::rate_limit::Caller;
use super::super::state::AppState;
use super::super::{body, limits};
use super::change::{Told, answered};
use super::trail::Trail;
use super::users::{UserBody, taken, with_broken_rules};
use crate::accounts::{
    BrokenRule, Unchangeable, UserChange, client_id_problem, email_problem, name_problem, password_problem,
};

/// In the place of an id: whoever asks.
const ME: &str = "me";

/// A user
///
/// The caller itself by `me` or its id; any other only for admins.
#[utoipa::path(get, path = "/api/v1/users/{user_id}", tag = "accounts",
    params(("user_id" = String, Path, description = "An id, or `me`")),
    responses((status = 200, description = "The user", body = UserBody),
        (status = 404, description = "No user has this id", body = ProblemSchema)))]
pub(super) async fn user(
    State(state): State<AppState>,
    asker: Asker,
    Path(user_id): Path<String>,
) -> Result<Response<Body>, Problem> {
    let target = target(&state, &asker, user_id).await?;
    let user = &target.user;
    let answer = JsonAnswer::new(StatusCode::OK, &UserBody::from(user)).with_version(user.version);
    Ok(answer.into_response())
}

/// What of a user is to be changed; what is left out stays.
#[derive(ToSchema)]
#[schema(as = UserChange)]
#[expect(dead_code, reason = "describes what `change_user` reads")]
pub(super) struct UserChangeSchema {
    name: Option<String>,
    email: Option<String>,
    /// 8 to 128 characters, not the username. Ends every session of the user, but for the one in which users change their own.
    password: Option<String>,
    /// Required beside `password`, but not of admins.
    current_password: Option<String>,
    /// Only by admins; ends every session of the user.
    role: Option<String>,
    /// Only by admins; of clients and drivers. Ends every session of the user.
    client_id: Option<String>,
    /// Only by admins; ends every session of the user.
    disabled: Option<bool>,
}

/// A user who was changed.
#[derive(Serialize, ToSchema)]
pub(super) struct ChangedUser {
    #[serde(flatten)]
    user: UserBody,
    /// A new token for whoever changes the own password. The one that asked for it goes on as well, until it expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// Change a user
///
/// The caller itself by `me` or its id; any other only for admins. A new password, role, client or being shut out ends every
/// session of the user. Who changes the own password ends every other session: the token that asks goes on, and a new `token` is
/// in the answer. Admins can neither disable nor demote themselves.
#[utoipa::path(put, path = "/api/v1/users/{user_id}", tag = "accounts", request_body = UserChangeSchema,
    params(("user_id" = String, Path, description = "An id, or `me`")),
    responses((status = 200, description = "The user as it is now", body = ChangedUser),
        (status = 404, description = "No user has this id", body = ProblemSchema),
        (status = 409, description = "The e-mail address is taken, or an admin would lock itself out", body = ProblemSchema),
        (status = 412, description = "If-Match names an older version", body = ProblemSchema),
        (status = 422, description = "The Idempotency-Key came with another body", body = ProblemSchema),
        (status = 429, description = "Too many requests, or `current_password` was wrong too often: as when signing in", body = ProblemSchema)))]
pub(super) async fn change_user(
    State(state): State<AppState>,
    Extension(address): Extension<ClientAddress>,
    asker: Asker,
    trail: Trail,
    headers: HeaderMap,
    Path(user_id): Path<String>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    body::must_be_json(&headers)?;
    let received = body::whole(&state.room, body, limits::BODY_BYTES).await?;
    let precondition = if_match(&headers)?;
    let path = format!("PUT /api/v1/users/{user_id}");
    let Target { user: seen, is_self } = target(&state, &asker, user_id).await?;
    let value = fields::parse(&received.bytes)?;
    let wish = Wish::read(Fields::of(&value), asker.role == Role::Admin, &seen)?;
    if is_self {
        wish.must_not_lock_out()?;
    }
    let keyed = state
        .under_way
        .key(&headers, &asker, &path, &received.bytes, state.now())?;
    let is_proven = match wish.current_password {
        Some(current) => is_password_of(&state, &seen, current, address).await?,
        None => true,
    };
    let mut change = wish.change;
    if let Some(password) = wish.password.filter(|_| is_proven) {
        change.password_hash = Some(state.auth.passwords.hash(password.to_owned()).await?);
    }
    change.kept_token = match &asker.credential {
        Credential::Token { id, .. } if is_self && change.password_hash.is_some() => Some(id.clone()),
        Credential::Token { .. } | Credential::Key { .. } => None,
    };
    let wants_token = change.kept_token.is_some();
    let by = trail.by(&asker);
    let (shared, now) = (state.clone(), state.now());
    answered(&state, keyed.as_ref(), now, move |accounts| {
        let Some(user) = accounts.user(UserRef::Id(&seen.user_id))? else {
            return Ok(Err(unknown()));
        };
        if let Err(problem) = allowed(&user, &seen, precondition, is_proven) {
            return Ok(Err(problem));
        }
        // The time of the writer's turn: whatever session began while the password was hashed ends too. By the clock that sessions
        // of all nodes begin by.
        let now = accounts.shared_time()?.unwrap_or_else(|| shared.now());
        let made = change.make(accounts, &user, now, &by)?;
        Ok(made.map_err(unchangeable).and_then(|user| {
            let token = wants_token.then(|| shared.auth.tokens.sign(&user, now));
            told(&user, token.transpose()?)
        }))
    })
    .await
}

/// Whether it is the user's password. Guessing it here is as slow as when signing in.
async fn is_password_of(
    state: &AppState,
    user: &User,
    password: &str,
    address: ClientAddress,
) -> Result<bool, Problem> {
    let slowdown = &state.auth.slowdown;
    let attempt = slowdown.begin(&user.username, Caller::at(address.0), state.now())?;
    let hash = Some(user.password_hash.clone());
    let is_right = state.auth.passwords.verify(password.to_owned(), hash).await?;
    if is_right {
        slowdown.succeeded(attempt);
    } else {
        slowdown.failed(attempt, state.now());
    }
    Ok(is_right)
}

/// Whether the user is still as it must be for the change.
fn allowed(user: &User, seen: &User, expected: Option<Version>, is_proven: bool) -> Result<(), Problem> {
    if let Some(version) = expected
        && version != Version::new(user.version)
    {
        let detail = format!("the user is at version {}, not {}", user.version, version.get());
        return Err(Problem::new(Kind::PreconditionFailed, detail));
    }
    if user.password_hash != seen.password_hash {
        return Err(Problem::new(
            Kind::Conflict,
            "the password was changed meanwhile: try again",
        ));
    }
    if is_proven {
        Ok(())
    } else {
        Err(Problem::field("current_password", "value", "is not the password"))
    }
}

fn told(user: &User, token: Option<String>) -> Result<Told, Problem> {
    let is_secret = token.is_some();
    let body = ChangedUser {
        user: user.into(),
        token,
    };
    Ok(Told {
        answer: JsonAnswer::new(StatusCode::OK, &body).with_version(user.version),
        is_secret,
    })
}

fn unchangeable(why: Unchangeable) -> Problem {
    match why {
        Unchangeable::Taken(which) => taken(which),
        Unchangeable::Rule(rule) => with_broken_rules(Vec::new(), vec![rule]),
    }
}

fn unknown() -> Problem {
    Problem::not_found("no user has this id")
}

/// A user that the caller may look at and change.
struct Target {
    user: User,
    is_self: bool,
}

/// Whose user it is, is told to admins only: another's is forbidden whether there is one or not.
async fn target(state: &AppState, asker: &Asker, user_id: String) -> Result<Target, Problem> {
    let subject = asker.subject().clone();
    let own = state
        .read(move |reader| reader.user(UserRef::Username(&subject)))
        .await?;
    if user_id == ME {
        let user = own.ok_or_else(|| {
            Problem::not_found("no user of this server is signed in: an API key or a token from elsewhere")
        })?;
        return Ok(Target { user, is_self: true });
    }
    if let Some(user) = own.filter(|own| *own.user_id == *user_id) {
        return Ok(Target { user, is_self: true });
    }
    if asker.role != Role::Admin {
        return Err(Problem::forbidden(
            "users see and change themselves only: use `me`",
        ));
    }
    let user = state
        .read(move |reader| reader.user(UserRef::Id(&user_id)))
        .await?;
    Ok(Target {
        user: user.ok_or_else(unknown)?,
        is_self: false,
    })
}

/// What a body asks for.
struct Wish<'a> {
    change: UserChange,
    password: Option<&'a str>,
    current_password: Option<&'a str>,
}

impl<'a> Wish<'a> {
    fn read(mut fields: Fields<'a>, is_admin: bool, user: &User) -> Result<Self, Problem> {
        let name = fields.optional_string("name");
        let email = fields.optional_string("email").map(str::to_lowercase);
        let password = fields.optional_string("password");
        let current_password = fields.optional_string("current_password");
        let role_name = fields.optional_string("role");
        let client = fields.optional_string("client_id");
        let disabled = fields.optional_bool("disabled");
        if !is_admin && (role_name.is_some() || client.is_some() || disabled.is_some()) {
            return Err(Problem::forbidden(
                "role, client_id and disabled are set by admins only",
            ));
        }
        let role = role_name.and_then(user_role);
        if role_name.is_some() && role.is_none() {
            fields.complain(
                "role",
                "value",
                "must be customer, client, driver, operator or admin",
            );
        }
        match (password, current_password) {
            (Some(_), None) if !is_admin => {
                fields.complain(
                    "current_password",
                    "required",
                    "is required to change the password",
                );
            }
            (None, Some(_)) => fields.complain("password", "required", "is required beside current_password"),
            (Some(_) | None, _) => {}
        }
        let broken: Vec<BrokenRule> = [
            name.and_then(name_problem),
            email.as_deref().and_then(email_problem),
            password.and_then(|password| password_problem(password, &user.username)),
            client.and_then(client_id_problem),
        ]
        .into_iter()
        .flatten()
        .collect();
        let problems = fields.problems();
        if !problems.is_empty() || !broken.is_empty() {
            return Err(with_broken_rules(problems, broken));
        }
        Ok(Self {
            change: UserChange {
                name: name.map(Into::into),
                email: email.map(Into::into),
                password_hash: None,
                role,
                client: client.map(Into::into),
                disabled,
                kept_token: None,
            },
            password,
            current_password,
        })
    }

    /// Of what a caller asks for itself.
    fn must_not_lock_out(&self) -> Result<(), Problem> {
        let is_demoted = self.change.role.is_some_and(|role| role != Role::Admin);
        if is_demoted || self.change.disabled == Some(true) {
            return Err(Problem::new(
                Kind::Conflict,
                "admins neither disable nor demote themselves: another admin does",
            ));
        }
        Ok(())
    }
}

/// A role that a user may have.
pub(super) fn user_role(name: &str) -> Option<Role> {
    Role::from_name(name).filter(|role| *role != Role::System)
}
