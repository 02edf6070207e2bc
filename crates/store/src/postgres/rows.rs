//! What a group writes of the log, as columns: one statement a table, whatever the group's size.
//!
//! Rows that have to be unique are sorted by what is unique of them, so that two groups that insert the same ones wait for
//! each other in one direction only. The heads that change are locked already.

use model::Entry;
use model::fingerprint::{Fingerprint, FingerprintHash};
use model::ids::{OrderKey, Version};
use model::sealed::Sealed;
use model::time::Timestamp;

use super::convert::{get, integer};
use super::session::{Session, Step};
use crate::error::Error;
use crate::pages::ContactHasher;
use crate::records::{HeadChange, NewOrder, Placement};
use crate::waiting::waiting_to_bytes;

/// Whose a row is, and by which definition: columns that orders, heads and entries have in common.
#[derive(Default)]
struct OwnerColumns {
    lifecycle: Vec<i32>,
    tenant: Vec<i32>,
    client: Vec<i32>,
    customer: Vec<i32>,
}

impl OwnerColumns {
    fn push(&mut self, lifecycle: model::ids::LifecycleId, owner: &model::ids::Owner) -> Result<(), Error> {
        self.lifecycle.push(integer(lifecycle.get(), "lifecycle")?);
        self.tenant.push(integer(owner.tenant.get(), "tenant")?);
        self.client.push(integer(owner.client.get(), "client")?);
        self.customer.push(integer(owner.customer.get(), "customer")?);
        Ok(())
    }
}

/// New orders.
#[derive(Default)]
pub(super) struct OrderColumns<'a> {
    order: Vec<i64>,
    public_id: Vec<&'a str>,
    owner: OwnerColumns,
    created_at: Vec<i64>,
    reference: Vec<Option<&'a [u8]>>,
    details: Vec<&'a [u8]>,
    contact_hash: Vec<Option<i64>>,
}

impl<'a> OrderColumns<'a> {
    pub(super) fn of(orders: &'a [NewOrder], contacts: &ContactHasher) -> Result<Self, Error> {
        let mut sorted: Vec<&NewOrder> = orders.iter().collect();
        sorted.sort_unstable_by_key(|order| order.public_id.as_str());
        let mut columns = Self::default();
        for order in sorted {
            columns.order.push(order.order.get());
            columns.public_id.push(order.public_id.as_str());
            columns.owner.push(order.lifecycle, &order.owner)?;
            columns.created_at.push(order.created_at.as_nanos());
            columns
                .reference
                .push(order.reference.as_deref().map(str::as_bytes));
            columns.details.push(order.details.as_bytes());
            let contact = order.contact.as_deref();
            columns
                .contact_hash
                .push(contact.map(|contact| contacts.hash(contact)));
        }
        Ok(columns)
    }

    pub(super) fn step(&self) -> Option<Step<'_>> {
        let sql = "INSERT INTO order_identities (order_key, public_id, lifecycle_id, tenant_id, client_id, customer_id, created_at, reference, \
                   details, contact_hash) SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::int[], $4::int[], $5::int[], $6::int[], \
                   $7::bigint[], $8::bytea[], $9::bytea[], $10::bigint[])";
        (!self.order.is_empty()).then(|| {
            Step::new(
                sql,
                &[
                    &self.order,
                    &self.public_id,
                    &self.owner.lifecycle,
                    &self.owner.tenant,
                    &self.owner.client,
                    &self.owner.customer,
                    &self.created_at,
                    &self.reference,
                    &self.details,
                    &self.contact_hash,
                ],
            )
        })
    }
}

/// New entries, in the order of their places.
#[derive(Default)]
pub(super) struct EntryColumns<'a> {
    first_place: i64,
    order: Vec<i64>,
    version: Vec<i32>,
    kind: Vec<i16>,
    format: Vec<i16>,
    owner: OwnerColumns,
    status: Vec<i16>,
    occurred_at: Vec<i64>,
    recorded_at: Vec<i64>,
    body: Vec<&'a [u8]>,
    private: Vec<Option<&'a [u8]>>,
}

impl<'a> EntryColumns<'a> {
    pub(super) fn of(entries: &'a [(usize, Entry)], first_place: i64) -> Result<Self, Error> {
        let mut columns = Self {
            first_place,
            ..Self::default()
        };
        for (_, entry) in entries {
            columns.order.push(entry.order.get());
            columns.version.push(integer(entry.version.get(), "version")?);
            columns.kind.push(i16::from(entry.kind.number()));
            columns.format.push(i16::from(entry.format));
            columns.owner.push(entry.lifecycle, &entry.owner)?;
            columns.status.push(i16::from(entry.status.number()));
            columns.occurred_at.push(entry.occurred_at.as_nanos());
            columns.recorded_at.push(entry.recorded_at.as_nanos());
            columns.body.push(&entry.body);
            columns.private.push(entry.private.as_ref().map(Sealed::as_bytes));
        }
        Ok(columns)
    }

    pub(super) fn step(&self) -> Option<Step<'_>> {
        let sql = "INSERT INTO entries (place, order_key, version, kind, format, lifecycle_id, tenant_id, client_id, customer_id, status, \
                   occurred_at, recorded_at, body, private) \
                   SELECT $1 + number - 1, order_key, version, kind, format, lifecycle_id, tenant_id, client_id, customer_id, status, \
                   occurred_at, recorded_at, body, private \
                   FROM UNNEST($2::bigint[], $3::int[], $4::smallint[], $5::smallint[], $6::int[], $7::int[], $8::int[], $9::int[], \
                   $10::smallint[], $11::bigint[], $12::bigint[], $13::bytea[], $14::bytea[]) WITH ORDINALITY \
                   AS e (order_key, version, kind, format, lifecycle_id, tenant_id, client_id, customer_id, status, occurred_at, \
                   recorded_at, body, private, number)";
        (!self.order.is_empty()).then(|| {
            Step::new(
                sql,
                &[
                    &self.first_place,
                    &self.order,
                    &self.version,
                    &self.kind,
                    &self.format,
                    &self.owner.lifecycle,
                    &self.owner.tenant,
                    &self.owner.client,
                    &self.owner.customer,
                    &self.status,
                    &self.occurred_at,
                    &self.recorded_at,
                    &self.body,
                    &self.private,
                ],
            )
        })
    }
}

/// Heads, by rising key: of new orders, or of those that changed.
#[derive(Default)]
pub(super) struct HeadColumns {
    order: Vec<i64>,
    version_before: Vec<i32>,
    owner: OwnerColumns,
    first_place: Vec<i64>,
    last_place: Vec<i64>,
    recorded_at: Vec<i64>,
    due_at: Vec<Option<i64>>,
    version: Vec<i32>,
    status: Vec<i16>,
    recent: Vec<Vec<u8>>,
    waiting: Vec<Option<Vec<u8>>>,
}

impl HeadColumns {
    /// Those of new orders, and those that changed.
    pub(super) fn of(heads: &[HeadChange], placements: &[Placement]) -> Result<(Self, Self), Error> {
        let mut sorted: Vec<(&HeadChange, &Placement)> = heads.iter().zip(placements).collect();
        sorted.sort_unstable_by_key(|(change, _)| change.head.order);
        let (mut born, mut changed) = (Self::default(), Self::default());
        for (change, placement) in sorted {
            let before = change.before.map(|(_, placement)| placement.last_version);
            let columns = if before.is_some() { &mut changed } else { &mut born };
            columns.push(change, placement, before.unwrap_or_default())?;
        }
        Ok((born, changed))
    }

    fn push(&mut self, change: &HeadChange, placement: &Placement, before: Version) -> Result<(), Error> {
        let head = &change.head;
        self.order.push(head.order.get());
        self.version_before.push(integer(before.get(), "version")?);
        self.owner.push(head.lifecycle, &head.owner)?;
        self.first_place.push(placement.first.get());
        self.last_place.push(placement.last.get());
        self.recorded_at.push(head.recorded_at.as_nanos());
        self.due_at.push(head.due_at().map(Timestamp::as_nanos));
        self.version.push(integer(head.version.get(), "version")?);
        self.status.push(i16::from(head.status.number()));
        self.recent.push(head.recent.to_bytes());
        self.waiting.push(waiting_to_bytes(head));
        Ok(())
    }

    pub(super) fn len(&self) -> i64 {
        i64::try_from(self.order.len()).unwrap_or(i64::MAX)
    }

    pub(super) fn insert(&self) -> Option<Step<'_>> {
        let sql = "INSERT INTO order_heads (order_key, lifecycle_id, tenant_id, client_id, customer_id, first_place, last_place, \
                   recorded_at, due_at, version, status, recent, waiting) \
                   SELECT * FROM UNNEST($1::bigint[], $2::int[], $3::int[], $4::int[], $5::int[], $6::bigint[], $7::bigint[], \
                   $8::bigint[], $9::bigint[], $10::int[], $11::smallint[], $12::bytea[], $13::bytea[])";
        (!self.order.is_empty()).then(|| {
            Step::new(
                sql,
                &[
                    &self.order,
                    &self.owner.lifecycle,
                    &self.owner.tenant,
                    &self.owner.client,
                    &self.owner.customer,
                    &self.first_place,
                    &self.last_place,
                    &self.recorded_at,
                    &self.due_at,
                    &self.version,
                    &self.status,
                    &self.recent,
                    &self.waiting,
                ],
            )
        })
    }

    /// Gives how many there were: a head that is not as it was loaded is none of them.
    pub(super) fn update(&self) -> Step<'_> {
        let sql = "WITH changed AS (UPDATE order_heads h SET last_place = u.last_place, recorded_at = u.recorded_at, \
                   due_at = u.due_at, version = u.version, status = u.status, recent = u.recent, waiting = u.waiting \
                   FROM UNNEST($1::bigint[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[], $7::smallint[], \
                   $8::bytea[], $9::bytea[]) \
                   AS u (order_key, version_before, last_place, recorded_at, due_at, version, status, recent, waiting) \
                   WHERE h.order_key = u.order_key AND h.version = u.version_before RETURNING 1) SELECT count(*) FROM changed";
        Step::new(
            sql,
            &[
                &self.order,
                &self.version_before,
                &self.last_place,
                &self.recorded_at,
                &self.due_at,
                &self.version,
                &self.status,
                &self.recent,
                &self.waiting,
            ],
        )
    }
}

/// Fingerprints that no longer fit their heads.
#[derive(Default)]
pub(super) struct SpilledColumns {
    order: Vec<i64>,
    fingerprint: Vec<i64>,
}

impl SpilledColumns {
    pub(super) fn of(heads: &[HeadChange]) -> Self {
        let mut columns = Self::default();
        for change in heads {
            for fingerprint in &change.spilled {
                columns.order.push(change.head.order.get());
                columns.fingerprint.push(fingerprint.get().cast_signed());
            }
        }
        columns
    }

    pub(super) fn step(&self) -> Option<Step<'_>> {
        let sql = "INSERT INTO older_fingerprints (order_key, fingerprint) SELECT * FROM UNNEST($1::bigint[], $2::bigint[])";
        (!self.order.is_empty()).then(|| Step::new(sql, &[&self.order, &self.fingerprint]))
    }
}

pub(super) fn older_versions(
    session: &mut Session,
    order: OrderKey,
    hash: FingerprintHash,
) -> Result<Vec<Version>, Error> {
    // A hash and all versions it could stand with are neighbours: see `Fingerprint`.
    let first = Fingerprint::new(hash, Version::new(0)).get().cast_signed();
    let last = first | Fingerprint::VERSION_MASK.cast_signed();
    let sql = "SELECT fingerprint FROM older_fingerprints WHERE order_key = $1 AND fingerprint BETWEEN $2 AND $3 \
               ORDER BY fingerprint DESC";
    let rows = session.query(sql, &[&order.get(), &first, &last])?;
    rows.iter()
        .map(|row| Ok(Fingerprint::from_number(get::<i64>(row, 0)?.cast_unsigned()).version()))
        .collect()
}
