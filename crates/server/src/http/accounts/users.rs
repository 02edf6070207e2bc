//! Users: the list of them, and signing up.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use model::role::Role;
use serde::Serialize;
use store::accounts::{Taken, User};
use utoipa::ToSchema;

use super::super::auth::Asker;
use super::super::fields::{self, Fields};
use super::super::idempotency::JsonAnswer;
use super::super::page;
use super::super::problem::{FieldProblem, Kind, Problem, ProblemSchema};
use super::super::query::Parameters;
use super::super::state::AppState;
use super::super::{body, limits};
use super::change::{Told, answered};
use super::trail::Trail;
use crate::accounts::{BrokenRule, By, NewUser, Wish};

/// A user; never its password.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct UserBody {
    user_id: String,
    username: String,
    email: String,
    name: String,
    #[schema(value_type = String)]
    role: &'static str,
    client_id: Option<String>,
    disabled: bool,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<&User> for UserBody {
    fn from(user: &User) -> Self {
        Self {
            user_id: user.user_id.to_string(),
            username: user.username.to_string(),
            email: user.email.to_string(),
            name: user.name.to_string(),
            role: user.role.name(),
            client_id: user.client.as_deref().map(str::to_owned),
            disabled: user.disabled,
            created_at: user.created_at.to_string(),
            updated_at: user.updated_at.to_string(),
        }
    }
}

/// A page of users.
#[derive(Serialize, ToSchema)]
pub(super) struct UserPage {
    /// By username.
    data: Vec<UserBody>,
    next_cursor: Option<String>,
}

/// Users
///
/// For admins; by username.
#[utoipa::path(get, path = "/auth/users", tag = "accounts",
    params(("limit" = Option<u32>, Query, description = "1 to 500; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "As the page before had it")),
    responses((status = 200, description = "A page; `Link` has the next", body = UserPage)))]
pub(super) async fn users(
    State(state): State<AppState>,
    asker: Asker,
    uri: Uri,
    mut parameters: Parameters,
) -> Result<impl IntoResponse, Problem> {
    asker.must_be(&[Role::Admin])?;
    let limit = parameters.limit();
    let after = page::cursor_of(&mut parameters).unwrap_or_default();
    parameters.finish()?;
    // One more tells whether there is another page.
    let mut users = state.read(move |reader| reader.users(&after, limit + 1)).await?;
    let page = UserPage {
        next_cursor: page::cut(&mut users, limit, |last| last.username.to_string()),
        data: users.iter().map(UserBody::from).collect(),
    };
    Ok((page::link(&uri, page.next_cursor.as_deref()), Json(page)))
}

/// Who signs up.
#[derive(ToSchema)]
#[schema(as = SignUp)]
#[expect(dead_code, reason = "describes what `sign_up` reads")]
pub(super) struct SignUpSchema {
    /// 1 to 200 visible characters; the e-mail address if not given. With an @ it must be that address.
    username: Option<String>,
    /// Required where there is no username.
    email: Option<String>,
    /// To be shown.
    name: String,
    /// 8 to 128 characters, not the username.
    password: String,
}

/// A new user.
#[derive(Serialize, ToSchema)]
pub(super) struct SignedUp {
    user_id: String,
    username: String,
    email: String,
    name: String,
    /// Always `customer`: an admin may change it.
    #[schema(value_type = String)]
    role: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
}

/// Sign up
///
/// Open to everyone; always as a customer.
#[utoipa::path(post, path = "/api/v1/users", tag = "accounts", security(()), request_body = SignUpSchema,
    responses((status = 201, description = "The user; `Location` is where it can be changed", body = SignedUp),
        (status = 409, description = "The username or the e-mail address is taken", body = ProblemSchema),
        (status = 422, description = "The Idempotency-Key came with another body", body = ProblemSchema)))]
pub(super) async fn sign_up(
    State(state): State<AppState>,
    asker: Result<Asker, Problem>,
    trail: Trail,
    headers: HeaderMap,
    body: Body,
) -> Result<Response<Body>, Problem> {
    body::must_be_json(&headers)?;
    let received = body::whole(&state.room, body, limits::BODY_BYTES).await?;
    let value = fields::parse(&received.bytes)?;
    let (user, password) = wish(Fields::of(&value))?;
    // Open as it is, a session that has ended keeps nobody out.
    let asker = asker.ok();
    let subject = asker.as_ref().map_or("", |asker| asker.subject());
    let keyed = state.under_way.key_of_subject(
        &headers,
        subject,
        "POST /api/v1/users",
        &received.bytes,
        state.now(),
    )?;
    let hash = state.auth.passwords.hash(password.to_owned()).await?;
    let now = state.now();
    let by = match &asker {
        Some(asker) => trail.by(asker),
        None => By {
            actor: user.username().into(),
            role: Role::Customer,
            ..trail.by_nobody()
        },
    };
    answered(&state, keyed.as_ref(), now, move |accounts| {
        let made = user.insert(accounts, hash, now, &by)?;
        Ok(made.map(|user| signed_up(&user)).map_err(taken))
    })
    .await
}

fn wish(mut fields: Fields<'_>) -> Result<(NewUser, &str), Problem> {
    let (username, email) = (
        fields.optional_string("username"),
        fields.optional_string("email"),
    );
    let name = fields
        .required("name")
        .and_then(|_| fields.optional_string("name"));
    let password = fields
        .required("password")
        .and_then(|_| fields.optional_string("password"));
    let password = password.unwrap_or_default();
    let wish = Wish {
        username,
        email,
        name: name.unwrap_or_default(),
        role: Role::Customer,
        client: None,
        password,
    };
    let user = NewUser::check(&wish).map_err(|_| Problem::internal())?;
    let problems = fields.problems();
    match user {
        Ok(user) if problems.is_empty() => Ok((user, password)),
        Ok(_) => Err(Problem::fields(problems)),
        Err(broken) => Err(with_broken_rules(problems, broken)),
    }
}

/// What is wrong with the fields, and what is not allowed of those that are well-formed.
pub(super) fn with_broken_rules(mut problems: Vec<FieldProblem>, broken: Vec<BrokenRule>) -> Problem {
    for rule in broken {
        if !problems.iter().any(|known| known.field == rule.field) {
            problems.push(FieldProblem::new(rule.field, rule.code, rule.message));
        }
    }
    Problem::fields(problems)
}

fn signed_up(user: &User) -> Told {
    let body = SignedUp {
        user_id: user.user_id.to_string(),
        username: user.username.to_string(),
        email: user.email.to_string(),
        name: user.name.to_string(),
        role: user.role.name(),
        created_at: user.created_at.to_string(),
    };
    let answer = JsonAnswer::new(StatusCode::CREATED, &body)
        .with_location(format!("/api/v1/users/{}", user.user_id))
        .with_version(user.version);
    Told {
        answer,
        is_secret: false,
    }
}

pub(super) fn taken(taken: Taken) -> Problem {
    let what = match taken {
        Taken::Username => "username",
        Taken::Email => "email",
    };
    Problem::new(Kind::Conflict, format!("the {what} is taken: choose another"))
}
