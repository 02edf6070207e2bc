//! What a head waits for, as it is stored when reports are parked.

use model::StateId;
use model::head::{Head, Parked};
use model::ids::Version;
use model::role::Role;
use model::time::Timestamp;

/// In the place of a step's due time where no step is due.
const NO_STEP: i64 = i64::MIN;

/// `waiting` of a head with parked reports: the step's due time, then 22 bytes each, all big-endian.
pub(crate) fn waiting_to_bytes(head: &Head) -> Option<Vec<u8>> {
    if head.parked.is_empty() {
        return None;
    }
    let mut bytes = Vec::with_capacity(8 + 22 * head.parked.len());
    bytes.extend(head.step_due.map_or(NO_STEP, Timestamp::as_nanos).to_be_bytes());
    for parked in &head.parked {
        bytes.extend(parked.version.get().to_be_bytes());
        bytes.extend([parked.status.number(), parked.role.number()]);
        bytes.extend(parked.occurred_at.as_nanos().to_be_bytes());
        bytes.extend(parked.until.as_nanos().to_be_bytes());
    }
    Some(bytes)
}

pub(crate) fn waiting_from_bytes(bytes: &[u8]) -> Option<(Option<Timestamp>, Vec<Parked>)> {
    let (step_due, parked) = bytes.split_first_chunk::<8>()?;
    let step_due = Some(i64::from_be_bytes(*step_due))
        .filter(|due| *due != NO_STEP)
        .map(Timestamp::from_nanos);
    let (parked, []) = parked.as_chunks::<22>() else {
        return None;
    };
    let parked: Option<Vec<Parked>> = parked.iter().map(parked_from_bytes).collect();
    Some((step_due, parked?))
}

fn parked_from_bytes(bytes: &[u8; 22]) -> Option<Parked> {
    let (version, rest) = bytes.split_first_chunk::<4>()?;
    let (&[status, role], rest) = rest.split_first_chunk::<2>()?;
    let (occurred_at, until) = rest.split_first_chunk::<8>()?;
    Some(Parked {
        version: Version::new(u32::from_be_bytes(*version)),
        status: StateId::new(status),
        role: Role::from_number(role)?,
        occurred_at: Timestamp::from_nanos(i64::from_be_bytes(*occurred_at)),
        until: Timestamp::from_nanos(i64::from_be_bytes(until.try_into().ok()?)),
    })
}
