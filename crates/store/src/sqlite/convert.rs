//! Numbers and errors between SQLite and the model.

use model::ids::{LifecycleId, Owner, PartyId, TenantId, Version};
use model::lifecycle::StateId;
use model::role::Role;
use rusqlite::ErrorCode;

use crate::error::{Error, Trouble};

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let detail = error.to_string();
        let unavailable = |trouble| Self::Unavailable {
            trouble,
            detail: detail.clone(),
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => unavailable(Trouble::DiskFull),
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::AuthorizationForStatementDenied,
            ) => unavailable(Trouble::NotWritable),
            Some(
                ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::FileLockingProtocolFailed,
            ) => unavailable(Trouble::Io),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => unavailable(Trouble::Busy),
            Some(
                ErrorCode::ConstraintViolation
                | ErrorCode::TooBig
                | ErrorCode::TypeMismatch
                | ErrorCode::ParameterOutOfRange,
            ) => Self::Statement(detail),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(detail),
            Some(ErrorCode::OperationInterrupted) => Self::ReadTooLong,
            // Without a code the error came from reading a row: a value of another type or range than was written.
            None => Self::Damaged(detail),
            Some(_) => unavailable(Trouble::Failed),
        }
    }
}

/// A stored number in the range that its column has; anything else is damage.
pub(super) fn number<T: TryFrom<i64>>(stored: i64, what: &str) -> Result<T, Error> {
    T::try_from(stored).map_err(|_| Error::damaged(format!("{what} {stored} is out of range")))
}

pub(super) fn version(stored: i64) -> Result<Version, Error> {
    number(stored, "version").map(Version::new)
}

pub(super) fn state(stored: i64) -> Result<StateId, Error> {
    number(stored, "status").map(StateId::new)
}

pub(super) fn lifecycle_id(stored: i64) -> Result<LifecycleId, Error> {
    number(stored, "lifecycle").map(LifecycleId::new)
}

pub(super) fn role(stored: i64) -> Result<Role, Error> {
    let role: u8 = number(stored, "role")?;
    Role::from_number(role).ok_or_else(|| Error::damaged(format!("unknown role {role}")))
}

pub(super) fn owner(tenant: i64, client: i64, customer: i64) -> Result<Owner, Error> {
    Ok(Owner {
        tenant: TenantId::new(number(tenant, "tenant")?),
        client: PartyId::new(number(client, "client")?),
        customer: PartyId::new(number(customer, "customer")?),
    })
}
