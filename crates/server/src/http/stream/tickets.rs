//! Tickets: for browsers, which can send no header with a WebSocket. One is good for 30 seconds and one stream.
//!
//! A ticket says itself who it is for, signed with the secret of tokens, so any node takes it; it is no token. Using it leaves its id in the
//! store, where the second to come finds it, on whichever node. What it was given for, a token or a key, is asked for again then.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::role::Role;
use model::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::auth::{Asker, Credential, Principal};
use super::super::body;
use super::super::limits::{BODY_BYTES, TICKET_LIFE};
use super::super::problem::Problem;
use super::super::state::{AppState, random};

/// What a ticket says.
#[derive(Serialize, Deserialize)]
struct Ticket<'a> {
    id: String,
    expires_at: i64,
    // One with a quotation mark in it is not in the text as it is.
    #[serde(borrow)]
    subject: Cow<'a, str>,
    role: &'a str,
    client: Option<String>,
    behind: Behind,
}

/// What it was given for.
#[derive(Serialize, Deserialize)]
enum Behind {
    Token {
        id: Box<str>,
        issued_at: i64,
        expires_at: i64,
    },
    Key {
        id: Box<str>,
        expires_at: Option<i64>,
    },
}

/// A new ticket.
#[derive(Serialize, ToSchema)]
#[schema(as = Ticket)]
pub(super) struct NewTicket {
    /// For `GET /api/v1/ws?ticket=…`, once.
    ticket: String,
    /// Seconds until it is void.
    expires_in: u64,
}

/// A ticket for a WebSocket
///
/// For browsers, which cannot send `Authorization` with one. Good for one stream, on any node, within 30 seconds; the stream ends when the token or key
/// does that this was asked with.
#[utoipa::path(post, path = "/api/v1/stream/tickets", tag = "live",
    responses((status = 200, description = "A ticket, not to be kept", body = NewTicket)))]
pub(super) async fn make_ticket(
    State(state): State<AppState>,
    asker: Asker,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    body::none(&state.room, body, BODY_BYTES).await?;
    let id: u128 = random()?;
    let life = Span::from_nanos(i64::try_from(TICKET_LIFE.as_nanos()).unwrap_or(i64::MAX));
    let ticket = Ticket {
        id: format!("{id:032x}"),
        expires_at: (state.now() + life).as_nanos(),
        subject: Cow::Borrowed(asker.subject()),
        role: asker.role.name(),
        client: asker.client.as_deref().map(str::to_owned),
        behind: Behind::of(&asker.credential),
    };
    let said = serde_json::to_vec(&ticket).map_err(|_| Problem::internal())?;
    let signature = state.auth.tokens.sign_ticket(&said);
    let ticket = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(said),
        URL_SAFE_NO_PAD.encode(signature)
    );
    let expires_in = TICKET_LIFE.as_secs();
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((no_store, Json(NewTicket { ticket, expires_in })))
}

/// A ticket that was made here, or on another node, and is used by now or not.
pub(super) struct Shown {
    id: String,
    expires_at: Timestamp,
    principal: Arc<Principal>,
}

impl Shown {
    /// Reads one. What it says is true; whether it still counts is known once it is used up.
    pub(super) fn read(state: &AppState, text: &str) -> Result<Self, Problem> {
        let (said, signature) = text.split_once('.').ok_or_else(void)?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| void());
        let (said, signature) = (decode(said)?, decode(signature)?);
        if !state.auth.tokens.is_ticket(&said, &signature) {
            return Err(void());
        }
        let ticket: Ticket<'_> = serde_json::from_slice(&said).map_err(|_| void())?;
        let expires_at = Timestamp::from_nanos(ticket.expires_at);
        if expires_at <= state.now() {
            return Err(Problem::unauthenticated(
                "the ticket has expired: ask for another",
            ));
        }
        let role = Role::from_name(ticket.role).ok_or_else(void)?;
        let client = ticket.client.map(Into::into);
        let principal = Principal::noted(&ticket.subject, role, client, ticket.behind.credential());
        Ok(Self {
            id: format!("ticket:{}", ticket.id),
            expires_at,
            principal: Arc::new(principal),
        })
    }

    /// Whom it was made for.
    pub(super) const fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// Uses it up. Gives whom it was made for, if what it was given for still counts.
    pub(super) async fn use_up(self, state: &AppState) -> Result<Arc<Principal>, Problem> {
        let Self {
            id,
            expires_at,
            principal,
        } = self;
        let is_first = state.engine.with_writer(move |writer| {
            let mut accounts = writer.accounts()?;
            let is_first = accounts.use_up(&id, expires_at)?;
            accounts.commit()?;
            Ok(is_first)
        });
        if !is_first.await? {
            return Err(void());
        }
        let (asking, asked) = (state.clone(), principal.clone());
        let counts = state.read(move |reader| asking.still_counts(reader, &asked));
        counts.await??;
        if principal.expires_at().is_some_and(|at| at <= state.now()) {
            return Err(Problem::unauthenticated(
                "the token behind the ticket has expired",
            ));
        }
        Ok(principal)
    }
}

fn void() -> Problem {
    Problem::unauthenticated("the ticket is not valid, or was used: ask for another")
}

impl Behind {
    fn of(credential: &Credential) -> Self {
        match credential {
            Credential::Token {
                id,
                issued_at,
                expires_at,
            } => Self::Token {
                id: id.clone(),
                issued_at: issued_at.as_nanos(),
                expires_at: expires_at.as_nanos(),
            },
            Credential::Key { id, expires_at } => Self::Key {
                id: id.clone(),
                expires_at: expires_at.map(Timestamp::as_nanos),
            },
        }
    }

    fn credential(self) -> Credential {
        match self {
            Self::Token {
                id,
                issued_at,
                expires_at,
            } => Credential::Token {
                id,
                issued_at: Timestamp::from_nanos(issued_at),
                expires_at: Timestamp::from_nanos(expires_at),
            },
            Self::Key { id, expires_at } => Credential::Key {
                id,
                expires_at: expires_at.map(Timestamp::from_nanos),
            },
        }
    }
}
