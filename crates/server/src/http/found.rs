//! Orders that are asked for by reference: one that is not there is 404, another party's is 403.

use model::command::{OrderRef, Scope};
use model::public_id::PublicId;
use store::{Error, OrderRecord, Reader};

use super::problem::Problem;
use super::state::AppState;

/// What a look for an order found.
pub(crate) enum Found<T> {
    /// There is none.
    Nothing,
    /// It is there, and the caller may not see it.
    Anothers,
    /// It, or what was made of it.
    Order(T),
}

/// Looks for an order. Whose orders the caller sees is asked for only if it is there.
pub(crate) fn find(
    reader: &mut dyn Reader,
    id: &PublicId,
    scope: impl FnOnce(&mut dyn Reader) -> Result<Scope, Error>,
) -> Result<Found<OrderRecord>, Error> {
    let Some(order) = reader.order(&OrderRef::Public(id.clone()))? else {
        return Ok(Found::Nothing);
    };
    if scope(reader)?.covers(&order.head.owner) {
        Ok(Found::Order(order))
    } else {
        Ok(Found::Anothers)
    }
}

impl Found<OrderRecord> {
    /// Only if it is of a lifecycle of this name. One whose definition is not known here is told of where it is shown.
    pub(crate) fn of_lifecycle(self, state: &AppState, name: &str) -> Self {
        match self {
            Self::Order(order)
                if state
                    .engine
                    .lifecycle(order.head.lifecycle)
                    .is_some_and(|lifecycle| lifecycle.name() != name) =>
            {
                Self::Nothing
            }
            found => found,
        }
    }
}

impl<T> Found<T> {
    /// What is made of it, if it was found.
    pub(crate) fn try_map<U>(self, make: impl FnOnce(T) -> Result<U, Error>) -> Result<Found<U>, Error> {
        Ok(match self {
            Self::Nothing => Found::Nothing,
            Self::Anothers => Found::Anothers,
            Self::Order(order) => Found::Order(make(order)?),
        })
    }

    /// It, or what the caller is told; `what` it is called.
    pub(crate) fn or_told(self, what: &str, unknown: impl FnOnce() -> Problem) -> Result<T, Problem> {
        match self {
            Self::Nothing => Err(unknown()),
            Self::Anothers => Err(Problem::forbidden(format!("this {what} belongs to someone else"))),
            Self::Order(order) => Ok(order),
        }
    }
}
