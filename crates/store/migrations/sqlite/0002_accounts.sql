-- Who may ask and what was answered; and where orders of a status are: see docs/adr/0014-lists-without-a-mutable-index.md.

CREATE TABLE users (
    user_id             TEXT    NOT NULL PRIMARY KEY,
    username            TEXT    NOT NULL UNIQUE,
    email               TEXT    NOT NULL UNIQUE CHECK (email = lower(email)),
    name                TEXT    NOT NULL,
    password_hash       TEXT    NOT NULL,
    role                INTEGER NOT NULL,
    client              TEXT,
    disabled            INTEGER NOT NULL,
    sessions_valid_from INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    version             INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A number of its own, as two keys may be of one instant: the newest has the highest. Keys are voided, never deleted.
CREATE TABLE api_keys (
    key_number  INTEGER NOT NULL PRIMARY KEY,
    key_id      TEXT    NOT NULL UNIQUE,
    name        TEXT    NOT NULL,
    role        INTEGER NOT NULL,
    client      TEXT,
    secret_hash BLOB    NOT NULL UNIQUE,
    created_by  TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,
    revoked_at  INTEGER
) STRICT;

CREATE TABLE revoked_tokens (
    token_id   TEXT    NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);

CREATE TABLE audit_log (
    audit_id    INTEGER NOT NULL PRIMARY KEY,
    at          INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    role        INTEGER NOT NULL,
    action      TEXT    NOT NULL,
    entity_type TEXT    NOT NULL,
    entity_id   TEXT    NOT NULL,
    before      TEXT,
    after       TEXT,
    ip          TEXT,
    request_id  TEXT
) STRICT;
CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE ON audit_log BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_log_is_not_deleted BEFORE DELETE ON audit_log BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- REPLACE deletes without asking the trigger above.
CREATE TRIGGER audit_log_is_not_replaced BEFORE INSERT ON audit_log
WHEN EXISTS (SELECT 1 FROM audit_log WHERE audit_id = NEW.audit_id) BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- The key is a hash of principal, method, path and idempotency key.
CREATE TABLE answers (
    key       BLOB    NOT NULL PRIMARY KEY,
    body_hash BLOB    NOT NULL,
    stored_at INTEGER NOT NULL,
    content   BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX answers_by_time ON answers (stored_at);

-- With a rowid, unlike `answers`: a receipt may be long, and in a tree of keys would be spread over overflow pages early.
CREATE TABLE batches (
    batch_id   TEXT    NOT NULL PRIMARY KEY,
    actor_id   INTEGER NOT NULL,
    decided_at INTEGER NOT NULL,
    content    BLOB    NOT NULL
) STRICT;
CREATE INDEX batches_by_time ON batches (decided_at);

-- As what a letter was accepted in the end: all three or none.
ALTER TABLE dead_letters ADD COLUMN redriven_order_key INTEGER;
ALTER TABLE dead_letters ADD COLUMN redriven_version INTEGER;
ALTER TABLE dead_letters ADD COLUMN redriven_at INTEGER;
CREATE INDEX dead_letters_by_time ON dead_letters (decided_at);

-- Dead letters per principal, kept with each group: a quota is a look-up.
CREATE TABLE dead_letter_counts (
    actor_id INTEGER NOT NULL PRIMARY KEY,
    letters  INTEGER NOT NULL CHECK (letters >= 0)
) STRICT;
INSERT INTO dead_letter_counts (actor_id, letters)
SELECT actor_id, count(*) FROM dead_letters GROUP BY actor_id;

-- Orders per lifecycle, status and block of 4,096 keys, kept with each group: where the orders of a status are.
CREATE TABLE status_blocks (
    lifecycle_id INTEGER NOT NULL,
    status       INTEGER NOT NULL,
    block        INTEGER NOT NULL,
    orders       INTEGER NOT NULL CHECK (orders >= 0),
    PRIMARY KEY (lifecycle_id, status, block)
) STRICT, WITHOUT ROWID;
INSERT INTO status_blocks (lifecycle_id, status, block, orders)
SELECT lifecycle_id, status, order_key >> 12, count(*) FROM order_heads GROUP BY 1, 2, 3;
