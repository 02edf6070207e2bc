//! Refused events: an admin looks at them and sends them again.

mod redrive;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::IntoResponse;
use model::event_id::EventRef;
use model::ids::{DeadLetterId, PartyId};
use model::role::Role;
use serde::Serialize;
use store::{Error, KeptDeadLetter, Reader};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Asker;
use super::page;
use super::problem::Problem;
use super::query::Parameters;
use super::state::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(dead_letters))
        .routes(routes!(redrive::redrive))
}

/// A page of refused events.
#[derive(Serialize, ToSchema)]
struct DeadLetterPage {
    /// Newest first.
    data: Vec<DeadLetterBody>,
    next_cursor: Option<String>,
}

/// A refused event.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
struct DeadLetterBody {
    /// Its id, under which its receipt stands too.
    dead_letter_id: String,
    tracking_number: String,
    /// Whose shipment that is, if there is one.
    client_id: Option<String>,
    /// Who sent it.
    actor: String,
    /// The problem's code.
    #[schema(value_type = String)]
    error: &'static str,
    /// Why it was refused.
    reason: String,
    #[schema(format = DateTime)]
    received_at: String,
    #[schema(format = DateTime)]
    decided_at: String,
    /// What was sent, as it was sent.
    content: String,
    /// When it was sent again and accepted.
    #[schema(format = DateTime)]
    redriven_at: Option<String>,
}

/// Refused events
///
/// For admins; newest first.
#[utoipa::path(get, path = "/api/v1/admin/dead-letters", tag = "administration",
    params(("limit" = Option<u32>, Query, description = "1 to 500; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "As the page before had it")),
    responses((status = 200, description = "A page; `Link` has the next", body = DeadLetterPage)))]
async fn dead_letters(
    State(state): State<AppState>,
    asker: Asker,
    uri: Uri,
    mut parameters: Parameters,
) -> Result<impl IntoResponse, Problem> {
    asker.must_be(&[Role::Admin])?;
    let limit = parameters.limit();
    let before = page::numbered_cursor_of(&mut parameters).map(DeadLetterId::new);
    parameters.finish()?;
    let reading = state.clone();
    let page = state
        .read_list(move |reader| {
            // One more tells whether there is another page.
            let mut letters = reader.dead_letters(before, limit + 1)?;
            let next_cursor = page::cut(&mut letters, limit, |last| last.id.to_string());
            let data: Result<Vec<DeadLetterBody>, Error> = letters
                .into_iter()
                .map(|letter| shown(&reading, reader, letter))
                .collect();
            Ok(DeadLetterPage {
                data: data?,
                next_cursor,
            })
        })
        .await?;
    Ok((page::link(&uri, page.next_cursor.as_deref()), Json(page)))
}

fn shown(state: &AppState, reader: &mut dyn Reader, kept: KeptDeadLetter) -> Result<DeadLetterBody, Error> {
    let letter = kept.letter;
    let client_id = match letter.owner.client {
        PartyId::NOBODY => None,
        client => Some(state.party_name(reader, client)?.to_string()),
    };
    Ok(DeadLetterBody {
        dead_letter_id: state
            .engine
            .event_ids()
            .encode(EventRef::DeadLetter(kept.id))
            .to_string(),
        tracking_number: letter.public_id.into(),
        client_id,
        actor: state.party_name(reader, letter.actor)?.to_string(),
        error: Problem::of_refusal(&letter.code, &letter.detail).kind.code(),
        reason: letter.detail.into(),
        received_at: letter.received_at.to_string(),
        decided_at: letter.decided_at.to_string(),
        content: String::from_utf8_lossy(&letter.content).into_owned(),
        redriven_at: kept.redriven.map(|redriven| redriven.at.to_string()),
    })
}
