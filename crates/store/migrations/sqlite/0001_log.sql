-- Orders, their heads and the log. See docs/adr/0002-storage.md for the layout and its figures.
-- Times are nanoseconds since 1970 UTC. Party 0 is nobody, tenant 0 the only one.

CREATE TABLE store_meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Definitions are immutable: an order names one from birth.
CREATE TABLE lifecycles (
    lifecycle_id INTEGER NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    content_hash BLOB    NOT NULL UNIQUE,
    definition   TEXT    NOT NULL,
    stored_at    INTEGER NOT NULL,
    UNIQUE (name, version)
) STRICT;

CREATE TABLE parties (
    party_id  INTEGER NOT NULL PRIMARY KEY,
    tenant_id INTEGER NOT NULL DEFAULT 0,
    kind      INTEGER NOT NULL,
    name      TEXT    NOT NULL,
    UNIQUE (tenant_id, kind, name)
) STRICT;

-- Written once. `details` is 16 random bytes and what was told of the order; NULL once erased.
CREATE TABLE orders (
    order_key    INTEGER NOT NULL PRIMARY KEY,
    public_id    TEXT    NOT NULL UNIQUE CHECK (length(public_id) BETWEEN 1 AND 64),
    lifecycle_id INTEGER NOT NULL,
    tenant_id    INTEGER NOT NULL,
    client_id    INTEGER NOT NULL,
    customer_id  INTEGER NOT NULL,
    reference    TEXT,
    created_at   INTEGER NOT NULL,
    details      BLOB
) STRICT;
CREATE INDEX orders_by_client ON orders (client_id, order_key);
CREATE INDEX orders_by_customer ON orders (customer_id, order_key) WHERE customer_id <> 0;
CREATE INDEX orders_by_reference ON orders (reference, order_key) WHERE reference IS NOT NULL;

-- Narrow, as it is rewritten with every entry: the more heads on a page, the fewer pages a group dirties.
-- `due_at` is the earliest of what is due; `waiting` holds the parts when reports are parked.
CREATE TABLE order_heads (
    order_key      INTEGER NOT NULL PRIMARY KEY,
    lifecycle_id   INTEGER NOT NULL,
    tenant_id      INTEGER NOT NULL,
    client_id      INTEGER NOT NULL,
    customer_id    INTEGER NOT NULL,
    status         INTEGER NOT NULL,
    version        INTEGER NOT NULL,
    first_position INTEGER NOT NULL,
    last_position  INTEGER NOT NULL,
    recorded_at    INTEGER NOT NULL,
    due_at         INTEGER,
    recent         BLOB    NOT NULL,
    waiting        BLOB
) STRICT;
CREATE INDEX order_heads_due ON order_heads (due_at) WHERE due_at IS NOT NULL;

-- Fingerprints that no longer fit a head: only of orders with more than 64.
CREATE TABLE older_fingerprints (
    order_key   INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    PRIMARY KEY (order_key, fingerprint)
) STRICT, WITHOUT ROWID;

-- The log. A history is walked from the head's last position back through `previous_position` (0: none).
CREATE TABLE entries (
    position          INTEGER NOT NULL PRIMARY KEY,
    order_key         INTEGER NOT NULL,
    version           INTEGER NOT NULL,
    previous_position INTEGER NOT NULL,
    kind              INTEGER NOT NULL,
    format            INTEGER NOT NULL,
    lifecycle_id      INTEGER NOT NULL,
    tenant_id         INTEGER NOT NULL,
    client_id         INTEGER NOT NULL,
    customer_id       INTEGER NOT NULL,
    status            INTEGER NOT NULL,
    occurred_at       INTEGER NOT NULL,
    recorded_at       INTEGER NOT NULL,
    body              BLOB    NOT NULL,
    private           BLOB
) STRICT;

CREATE TABLE commits (
    commit_id      INTEGER NOT NULL PRIMARY KEY,
    node           TEXT    NOT NULL,
    committed_at   INTEGER NOT NULL,
    first_position INTEGER NOT NULL,
    entries        INTEGER NOT NULL,
    digest         BLOB    NOT NULL
) STRICT;

-- AUTOINCREMENT: an event id may point here for longer than the letter is kept, and must never point to another one.
-- The owner is the order's, 0 where there is no such order.
CREATE TABLE dead_letters (
    dead_letter_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    received_at    INTEGER NOT NULL,
    decided_at     INTEGER NOT NULL,
    order_key      INTEGER,
    tenant_id      INTEGER NOT NULL,
    client_id      INTEGER NOT NULL,
    customer_id    INTEGER NOT NULL,
    public_id      TEXT    NOT NULL,
    actor_id       INTEGER NOT NULL,
    code           TEXT    NOT NULL,
    detail         TEXT    NOT NULL,
    content        BLOB    NOT NULL,
    fingerprint    INTEGER NOT NULL
) STRICT;
CREATE INDEX dead_letters_by_fingerprint ON dead_letters (fingerprint);

-- Orders per client, lifecycle and status, kept with each group: a total is a look-up.
CREATE TABLE status_counts (
    client_id    INTEGER NOT NULL,
    lifecycle_id INTEGER NOT NULL,
    status       INTEGER NOT NULL,
    orders       INTEGER NOT NULL CHECK (orders >= 0),
    PRIMARY KEY (client_id, lifecycle_id, status)
) STRICT, WITHOUT ROWID;
