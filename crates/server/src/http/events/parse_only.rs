//! A baseline of the bench: takes a batch in as `POST /events/batch` does, with the same parser and the same checks, and stores
//! nothing. Only [`super::super::measuring`] has a route to it.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use axum::response::IntoResponse;
use model::command::Actor;

use super::super::auth::Asker;
use super::super::limits::BATCH_BODY_BYTES;
use super::super::problem::Problem;
use super::super::state::AppState;
use super::super::{body, fields};
use super::REPORTERS;
use super::batch;
use super::cut::{Block, Line, Lines};
use super::event::Expected;
use super::lines::line_too_long;
use super::tally::Tally;

pub(in crate::http) async fn parse_only(
    State(state): State<AppState>,
    asker: Asker,
    headers: HeaderMap,
    body: Body,
) -> Result<Response<Body>, Problem> {
    asker.must_be(&REPORTERS)?;
    let actor = asker.actor(&state.engine).await?;
    let mut tally = Tally::begin()?;
    if body::media_type(&headers).as_deref() == Some("application/x-ndjson") {
        let mut lines = Lines::of(&state.room, body);
        while let Some(block) = lines.next_block().await? {
            parse_block(&state, actor, &block, &mut tally)?;
        }
    } else {
        let received = body::whole(&state.room, body, BATCH_BODY_BYTES).await?;
        std::hint::black_box(batch::read(&state, actor, &received.bytes, &mut tally)?);
    }
    Ok(tally.accepted_answer().into_response())
}

fn parse_block(state: &AppState, actor: Actor, block: &Block, tally: &mut Tally) -> Result<(), Problem> {
    let (_, lifecycle) = state.shipment_lifecycle()?;
    let expected = Expected {
        lifecycle: &lifecycle,
        now: state.now(),
    };
    for line in &block.lines {
        let event = match line {
            Line::Whole(range) => {
                let bytes = block.bytes.get(range.clone()).unwrap_or_default();
                fields::text(bytes).and_then(|text| expected.read(text))
            }
            Line::TooLong => Err(line_too_long()),
        };
        tally.receive(event.as_ref().err());
        std::hint::black_box(event.map(|event| batch::command(actor, event)).ok());
    }
    Ok(())
}
