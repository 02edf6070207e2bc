//! What is copied of each table, and what is not: a list that every migration of either schema has to be added to.
//!
//! A test compares it with both schemas, table by table and column by column.

/// The form in which PostgreSQL has a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `BIGINT`.
    Int8,
    /// `INTEGER`.
    Int4,
    /// `SMALLINT`.
    Int2,
    /// `BOOLEAN`: 0 and 1 in SQLite.
    Bool,
    /// `TEXT`, which holds no U+0000.
    Text,
    /// `BYTEA`: bytes, or a text that may hold anything.
    Bytes,
}

/// A column that is copied.
#[derive(Debug)]
pub struct Column {
    /// Its name in PostgreSQL.
    pub name: &'static str,
    /// What it is in SQLite: a column, or what is made of some.
    pub from: &'static str,
    /// Its form in PostgreSQL.
    pub kind: Kind,
}

/// A table that is copied. It has one name in both schemas.
#[derive(Debug)]
pub struct Table {
    /// The name.
    pub name: &'static str,
    /// Which rows are copied.
    pub rows: &'static str,
    /// By what they are sorted, each time in the same way: a copy that was ended goes on behind so many rows.
    pub order: &'static str,
    /// How many rows PostgreSQL has of those.
    pub count: &'static str,
    /// The columns.
    pub columns: &'static [Column],
}

macro_rules! column {
    ($name:ident $kind:ident) => {
        column!($name $kind stringify!($name))
    };
    ($name:ident $kind:ident $from:expr) => {
        Column {
            name: stringify!($name),
            from: $from,
            kind: Kind::$kind,
        }
    };
}

macro_rules! table {
    ($name:literal, $rows:literal, by $order:literal: $($column:ident $kind:ident $(= $from:literal)?),+ $(,)?) => {
        Table {
            name: $name,
            rows: $rows,
            order: $order,
            count: concat!("SELECT count(*) FROM ", $name, " WHERE ", $rows),
            columns: &[$(column!($column $kind $($from)?)),+],
        }
    };
    ($name:literal, by $order:literal: $($rest:tt)+) => {
        table!($name, "TRUE", by $order: $($rest)+)
    };
}

/// The heads: of each the newest is copied, which may not be in its table yet.
pub(crate) const HEADS: &str = "order_heads";

/// What is copied, in this order: what others name comes before them.
pub const TABLES: &[Table] = &[
    // What a store is for ever comes with its birth, and what the schema was is of the other one.
    table!("store_meta", "name NOT IN ('store_id', 'event_id_key', 'born_at', 'schema')", by "name": name Text, value Bytes),
    table!("lifecycles", by "lifecycle_id":
        lifecycle_id Int4, name Text, version Int8, content_hash Bytes, definition Text, stored_at Int8),
    table!("lifecycle_states", by "lifecycle_id, status": lifecycle_id Int4, status Int2, name Text, phase Text),
    table!("parties", by "party_id": party_id Int4, tenant_id Int4, kind Int2, name Bytes),
    table!("order_identities", by "order_key":
        order_key Int8, public_id Text, lifecycle_id Int4, tenant_id Int4, client_id Int4, customer_id Int4, created_at Int8,
        reference Bytes, details Bytes, contact_hash Int8),
    // Positions have no gaps here, so they can be places, whose gaps nobody minds. What was the entry before in the order
    // (`previous_position`) follows from its version.
    table!("entries", by "position":
        place Int8 = "position", order_key Int8, occurred_at Int8, recorded_at Int8, version Int4, lifecycle_id Int4,
        tenant_id Int4, client_id Int4, customer_id Int4, kind Int2, format Int2, status Int2, body Bytes, private Bytes),
    // One writer, whose chain nobody goes on with: no session there ever has the claim 0.
    table!("commits", by "commit_id":
        commit_id Int8, writer Int4 = "1", number Int8 = "commit_id", claim Int8 = "0", committed_at Int8,
        first_position Int8, first_place Int8 = "CASE WHEN entries > 0 THEN first_position END", entries Int4, node Text,
        digest Bytes),
    // In the order in which the embedded store reads heads.
    table!("order_heads", by "order_key":
        order_key Int8, lifecycle_id Int4, tenant_id Int4, client_id Int4, customer_id Int4, status Int2, version Int4,
        first_place Int8 = "first_position", last_place Int8 = "last_position", recorded_at Int8, due_at Int8, recent Bytes,
        waiting Bytes),
    table!("older_fingerprints", by "order_key, fingerprint": order_key Int8, fingerprint Int8),
    table!("status_counts", by "client_id, lifecycle_id, status":
        client_id Int4, lifecycle_id Int4, status Int2, orders Int8),
    table!("status_blocks", by "lifecycle_id, status, block":
        lifecycle_id Int4, status Int2, block Int8, orders Int8),
    table!("dead_letters", by "dead_letter_id":
        dead_letter_id Int8, received_at Int8, decided_at Int8, order_key Int8, fingerprint Int8, tenant_id Int4,
        client_id Int4, customer_id Int4, actor_id Int4, code Text, public_id Bytes, detail Bytes, content Bytes,
        redriven_order_key Int8, redriven_version Int4, redriven_at Int8),
    table!("dead_letter_counts", by "actor_id": actor_id Int4, letters Int8),
    table!("users", by "user_id":
        user_id Text, username Text, email Text, name Text, password_hash Text, role Int2, client Text, disabled Bool,
        sessions_valid_from Int8, kept_token Text, created_at Int8, updated_at Int8, version Int8),
    table!("api_keys", by "key_number":
        key_number Int8, key_id Text, name Text, role Int2, client Text, secret_hash Bytes, created_by Text, created_at Int8,
        expires_at Int8, revoked_at Int8),
    table!("revoked_tokens", by "token_id": token_id Text, expires_at Int8),
    table!("audit_log", by "audit_id":
        audit_id Int8, at Int8, actor Text, role Int2, action Text, entity_type Text, entity_id Text, before Text,
        after Text, ip Text, request_id Text),
    table!("answers", by "key": key Bytes, body_hash Bytes, stored_at Int8, content Bytes),
    // By their numbers within SQLite: a receipt is long, and its id says nothing of where it lies.
    table!("batches", by "rowid": batch_id Text, actor_id Int4, decided_at Int8, content Bytes),
    table!("batch_counts", by "actor_id": actor_id Int4, receipts Int8),
];

/// Tables, and columns as `table.column`, that are in one of the schemas and are not copied, and why.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("deferred_heads", "its heads are copied with those of order_heads"),
    (
        "entries.previous_position",
        "a history is a range of an index there",
    ),
    ("log_archives", "a data folder keeps its whole log"),
    ("log_end", "written at the end, from the last commit"),
    (
        "mapped_entries",
        "an order's entries are a range of an index there",
    ),
    (
        "sqlite_sequence",
        "the number of the last dead letter, which dead_letter_ids goes on from",
    ),
    ("store_migrations", "tells what PostgreSQL's own schema is"),
];
