-- Orders, their heads and the log: see docs/adr/0019-postgres-positions.md. Times are nanoseconds since 1970 UTC.
-- Party 0 is nobody, tenant 0 the only one. Texts compare byte by byte (COLLATE "C"), whatever the database's language is.
--
-- What clients may write as they like (names of parties, references, what dead letters quote) is UTF-8 in BYTEA: it may hold U+0000,
-- which no TEXT takes. To read it: convert_from(name, 'UTF8').

CREATE TABLE store_meta (
    name  TEXT  COLLATE "C" NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

-- Definitions are immutable: an order names one from birth.
CREATE TABLE lifecycles (
    lifecycle_id INTEGER NOT NULL PRIMARY KEY,
    name         TEXT    COLLATE "C" NOT NULL,
    version      BIGINT  NOT NULL,
    content_hash BYTEA   NOT NULL UNIQUE,
    definition   TEXT    COLLATE "C" NOT NULL,
    stored_at    BIGINT  NOT NULL,
    UNIQUE (name, version)
);

CREATE TABLE parties (
    party_id  INTEGER  NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id INTEGER  NOT NULL DEFAULT 0,
    kind      SMALLINT NOT NULL,
    name      BYTEA    NOT NULL,
    UNIQUE (tenant_id, kind, name)
);

-- Numbers that writers take in blocks: see take_numbers. A place is where an entry lies; its position, which has no gaps, follows
-- from its commit.
CREATE SEQUENCE order_keys;
CREATE SEQUENCE dead_letter_ids;
CREATE SEQUENCE places;
-- Tells the sessions of writers apart, for ever.
CREATE SEQUENCE writer_claims;

-- Written once. `details` is 16 random bytes and what was told of the order; NULL once erased.
CREATE TABLE orders (
    order_key    BIGINT  NOT NULL PRIMARY KEY,
    public_id    TEXT    COLLATE "C" NOT NULL UNIQUE CHECK (length(public_id) BETWEEN 1 AND 64),
    lifecycle_id INTEGER NOT NULL,
    tenant_id    INTEGER NOT NULL,
    client_id    INTEGER NOT NULL,
    customer_id  INTEGER NOT NULL,
    created_at   BIGINT  NOT NULL,
    reference    BYTEA,
    details      BYTEA
);
CREATE INDEX orders_by_client ON orders (client_id, order_key);
CREATE INDEX orders_by_customer ON orders (customer_id, order_key) WHERE customer_id <> 0;
CREATE INDEX orders_by_reference ON orders (reference, order_key) WHERE reference IS NOT NULL;

-- Narrow, as it is rewritten with every entry. Room is left on each page, and no index has what changes (but for what is due), so
-- that a new version of a row stands beside the old one and no index is touched.
-- `due_at` is the earliest of what is due; `waiting` holds the parts when reports are parked.
CREATE TABLE order_heads (
    order_key    BIGINT   NOT NULL PRIMARY KEY,
    first_place  BIGINT   NOT NULL,
    last_place   BIGINT   NOT NULL,
    recorded_at  BIGINT   NOT NULL,
    due_at       BIGINT,
    lifecycle_id INTEGER  NOT NULL,
    tenant_id    INTEGER  NOT NULL,
    client_id    INTEGER  NOT NULL,
    customer_id  INTEGER  NOT NULL,
    version      INTEGER  NOT NULL,
    status       SMALLINT NOT NULL,
    recent       BYTEA    NOT NULL,
    waiting      BYTEA
) WITH (fillfactor = 70);
CREATE INDEX order_heads_due ON order_heads (due_at) WHERE due_at IS NOT NULL;

-- Fingerprints that no longer fit a head: only of orders with more than 64.
CREATE TABLE older_fingerprints (
    order_key   BIGINT NOT NULL,
    fingerprint BIGINT NOT NULL,
    PRIMARY KEY (order_key, fingerprint)
);

-- The log. A head says between which two places the entries of its order are, which also tells in which partitions.
CREATE TABLE entries (
    place        BIGINT   NOT NULL,
    order_key    BIGINT   NOT NULL,
    occurred_at  BIGINT   NOT NULL,
    recorded_at  BIGINT   NOT NULL,
    version      INTEGER  NOT NULL,
    lifecycle_id INTEGER  NOT NULL,
    tenant_id    INTEGER  NOT NULL,
    client_id    INTEGER  NOT NULL,
    customer_id  INTEGER  NOT NULL,
    kind         SMALLINT NOT NULL,
    format       SMALLINT NOT NULL,
    status       SMALLINT NOT NULL,
    body         BYTEA    NOT NULL,
    private      BYTEA,
    PRIMARY KEY (order_key, version, place)
) PARTITION BY RANGE (place);
CREATE UNIQUE INDEX entries_by_place ON entries (place);

-- `commit_id` counts all commits, in the order of their positions. `number` counts those of one writer, whose digests form
-- a chain; `claim` is the session that made it. The entries are the places from `first_place` on.
CREATE TABLE commits (
    commit_id      BIGINT  NOT NULL PRIMARY KEY,
    writer         INTEGER NOT NULL,
    number         BIGINT  NOT NULL,
    claim          BIGINT  NOT NULL,
    committed_at   BIGINT  NOT NULL,
    first_position BIGINT  NOT NULL,
    first_place    BIGINT  UNIQUE,
    entries        INTEGER NOT NULL CHECK ((entries = 0) = (first_place IS NULL)),
    node           TEXT    COLLATE "C" NOT NULL,
    digest         BYTEA   NOT NULL CHECK (octet_length(digest) = 32),
    UNIQUE (writer, number)
);
CREATE UNIQUE INDEX commits_by_position ON commits (first_position) WHERE entries > 0;

-- Where the log ends. Its row is the lock under which positions are given: taken by the last statements of a group, and
-- free again when the group is durable.
CREATE TABLE log_end (
    only_row      BOOLEAN NOT NULL DEFAULT TRUE PRIMARY KEY CHECK (only_row),
    last_position BIGINT  NOT NULL,
    last_commit   BIGINT  NOT NULL
) WITH (fillfactor = 10);
INSERT INTO log_end (last_position, last_commit) VALUES (0, 0);

-- The owner is the order's, 0 where there is no such order. `redriven_*` is as what a letter was accepted in the end: all
-- three or none.
CREATE TABLE dead_letters (
    dead_letter_id     BIGINT  NOT NULL PRIMARY KEY,
    received_at        BIGINT  NOT NULL,
    decided_at         BIGINT  NOT NULL,
    order_key          BIGINT,
    fingerprint        BIGINT  NOT NULL,
    tenant_id          INTEGER NOT NULL,
    client_id          INTEGER NOT NULL,
    customer_id        INTEGER NOT NULL,
    actor_id           INTEGER NOT NULL,
    code               TEXT    COLLATE "C" NOT NULL,
    public_id          BYTEA   NOT NULL,
    detail             BYTEA   NOT NULL,
    content            BYTEA   NOT NULL,
    redriven_order_key BIGINT,
    redriven_version   INTEGER,
    redriven_at        BIGINT
);
CREATE INDEX dead_letters_by_fingerprint ON dead_letters (fingerprint);
CREATE INDEX dead_letters_by_time ON dead_letters (decided_at);

-- Dead letters per principal, kept with each group: a quota is a look-up.
CREATE TABLE dead_letter_counts (
    actor_id INTEGER NOT NULL PRIMARY KEY,
    letters  BIGINT  NOT NULL CHECK (letters >= 0)
) WITH (fillfactor = 50);

-- Orders per client, lifecycle and status, kept with each group: a total is a look-up.
CREATE TABLE status_counts (
    client_id    INTEGER  NOT NULL,
    lifecycle_id INTEGER  NOT NULL,
    status       SMALLINT NOT NULL,
    orders       BIGINT   NOT NULL CHECK (orders >= 0),
    PRIMARY KEY (client_id, lifecycle_id, status)
) WITH (fillfactor = 50);

-- Orders per lifecycle, status and block of 4,096 keys: where the orders of a status are.
CREATE TABLE status_blocks (
    lifecycle_id INTEGER  NOT NULL,
    status       SMALLINT NOT NULL,
    block        BIGINT   NOT NULL,
    orders       BIGINT   NOT NULL CHECK (orders >= 0),
    PRIMARY KEY (lifecycle_id, status, block)
) WITH (fillfactor = 50);

-- Makes the partition that a place lies in, and the one after it, unless they are there. Gives the first place beyond them.
-- Made apart and attached, which nobody who reads or writes has to wait for. 64 Mi places each: some 10 GB.
CREATE FUNCTION make_log_partitions(needed BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    size CONSTANT BIGINT := 67108864;
    name TEXT;
BEGIN
    PERFORM pg_advisory_xact_lock(1463962956, 3);
    FOR number IN needed / size .. needed / size + 1 LOOP
        name := 'entries_' || number;
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE entries)', name);
            EXECUTE format('ALTER TABLE entries ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                           name, number * size, (number + 1) * size);
        END IF;
    END LOOP;
    RETURN (needed / size + 2) * size;
END $$;
SELECT make_log_partitions(1);

-- Takes so many numbers in a row, whatever becomes of the transaction, and gives the first. The lock is held within the
-- call only.
CREATE FUNCTION take_numbers(numbers REGCLASS, wanted BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    taken BIGINT;
BEGIN
    PERFORM pg_advisory_lock(1463962958, numbers::oid::int4);
    taken := nextval(numbers);
    PERFORM setval(numbers, taken + wanted - 1);
    PERFORM pg_advisory_unlock(1463962958, numbers::oid::int4);
    RETURN taken;
END $$;

-- Gives back the end of what was taken, if nobody has taken more since: with one writer numbers have no gaps then.
CREATE FUNCTION give_back_numbers(numbers REGCLASS, unused_from BIGINT, taken_to BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    following BIGINT;
BEGIN
    PERFORM pg_advisory_lock(1463962958, numbers::oid::int4);
    EXECUTE 'SELECT last_value + is_called::int FROM ' || numbers INTO following;
    IF following = taken_to + 1 THEN
        PERFORM setval(numbers, unused_from, FALSE);
    END IF;
    PERFORM pg_advisory_unlock(1463962958, numbers::oid::int4);
END $$;
