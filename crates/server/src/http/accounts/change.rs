//! Changes of accounts: one transaction each, and whoever was known before it is looked at anew.

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use axum::response::IntoResponse;
use model::time::Timestamp;
use store::accounts::Accounts;
use store::{Error, StoredAnswer};

use super::super::idempotency::{self, JsonAnswer, Keyed};
use super::super::problem::Problem;
use super::super::state::AppState;

/// What a change is answered with.
pub(super) struct Told {
    pub(super) answer: JsonAnswer,
    /// Whether it shows a secret: it is given once, and kept nowhere on the way.
    pub(super) is_secret: bool,
}

/// What became of a change that is made once.
enum Once {
    Now(Told),
    Before(StoredAnswer),
    KeyReused,
}

/// Makes a change, or none if the job refuses.
pub(super) async fn in_transaction<T: Send + 'static>(
    state: &AppState,
    job: impl FnOnce(&mut dyn Accounts) -> Result<Result<T, Problem>, Error> + Send + 'static,
) -> Result<T, Problem> {
    let shared = state.clone();
    let done = state.engine.with_writer(move |writer| {
        let mut accounts = writer.accounts()?;
        let made = job(&mut *accounts)?;
        if made.is_ok() {
            let committed = accounts.commit();
            // Here and not by the handler: that one may have gone away with its caller.
            shared.auth.forget();
            committed?;
        }
        Ok(made)
    });
    done.await?
}

/// Makes a change and answers; a request with a key is answered as its first was.
pub(super) async fn answered(
    state: &AppState,
    keyed: Option<&Keyed>,
    now: Timestamp,
    job: impl FnOnce(&mut dyn Accounts) -> Result<Result<Told, Problem>, Error> + Send + 'static,
) -> Result<Response<Body>, Problem> {
    let keyed = keyed.cloned();
    let done = in_transaction(state, move |accounts| {
        let Some(keyed) = keyed else {
            return Ok(job(accounts)?.map(Once::Now));
        };
        let once = keyed.once();
        let known = accounts.answer(&once.key)?;
        match known.filter(|known| known.stored_at >= once.not_before) {
            Some(known) if known.body_hash == once.body_hash => Ok(Ok(Once::Before(known))),
            Some(_) => Ok(Ok(Once::KeyReused)),
            None => match job(accounts)? {
                Ok(told) => {
                    let stored = if told.is_secret {
                        told.answer.to_stored_without_secret(once, now)
                    } else {
                        told.answer.to_stored(once, now)
                    };
                    accounts.store_answer(&stored)?;
                    Ok(Ok(Once::Now(told)))
                }
                Err(problem) => Ok(Err(problem)),
            },
        }
    });
    match done.await? {
        Once::Before(stored) => idempotency::replay(&stored),
        Once::KeyReused => Err(idempotency::reused()),
        Once::Now(told) => {
            let is_secret = told.is_secret;
            let mut response = told.answer.into_response();
            if is_secret {
                let no_store = HeaderValue::from_static("no-store");
                response.headers_mut().insert(header::CACHE_CONTROL, no_store);
            }
            Ok(response)
        }
    }
}
