-- Who may ask and what was answered.

CREATE TABLE users (
    user_id             TEXT     COLLATE "C" NOT NULL PRIMARY KEY,
    username            TEXT     COLLATE "C" NOT NULL UNIQUE,
    email               TEXT     COLLATE "C" NOT NULL UNIQUE CHECK (email = lower(email)),
    name                TEXT     COLLATE "C" NOT NULL,
    password_hash       TEXT     COLLATE "C" NOT NULL,
    role                SMALLINT NOT NULL,
    client              TEXT     COLLATE "C",
    disabled            BOOLEAN  NOT NULL,
    sessions_valid_from BIGINT   NOT NULL,
    kept_token          TEXT     COLLATE "C",
    created_at          BIGINT   NOT NULL,
    updated_at          BIGINT   NOT NULL,
    version             BIGINT   NOT NULL
);

-- A number of its own, as two keys may be of one instant: the newest has the highest. Keys are voided, never deleted.
CREATE TABLE api_keys (
    key_number  BIGINT   NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_id      TEXT     COLLATE "C" NOT NULL UNIQUE,
    name        TEXT     COLLATE "C" NOT NULL,
    role        SMALLINT NOT NULL,
    client      TEXT     COLLATE "C",
    secret_hash BYTEA    NOT NULL UNIQUE,
    created_by  TEXT     COLLATE "C" NOT NULL,
    created_at  BIGINT   NOT NULL,
    expires_at  BIGINT,
    revoked_at  BIGINT
);

CREATE TABLE revoked_tokens (
    token_id   TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);

CREATE TABLE audit_log (
    audit_id    BIGINT   NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          BIGINT   NOT NULL,
    actor       TEXT     COLLATE "C" NOT NULL,
    role        SMALLINT NOT NULL,
    action      TEXT     COLLATE "C" NOT NULL,
    entity_type TEXT     COLLATE "C" NOT NULL,
    entity_id   TEXT     COLLATE "C" NOT NULL,
    before      TEXT     COLLATE "C",
    after       TEXT     COLLATE "C",
    ip          TEXT     COLLATE "C",
    request_id  TEXT     COLLATE "C"
);
CREATE FUNCTION refuse_change_of_audit_log() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit_log();

-- The key is a hash of principal, method, path and idempotency key.
CREATE TABLE answers (
    key       BYTEA  NOT NULL PRIMARY KEY,
    body_hash BYTEA  NOT NULL,
    stored_at BIGINT NOT NULL,
    content   BYTEA  NOT NULL
);
CREATE INDEX answers_by_time ON answers (stored_at);

CREATE TABLE batches (
    batch_id   TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    actor_id   INTEGER NOT NULL,
    decided_at BIGINT  NOT NULL,
    content    BYTEA   NOT NULL
);
CREATE INDEX batches_by_time ON batches (decided_at);

-- Receipts of batches per principal, kept with each group: a quota is a look-up. A receipt counts once, and once more for each KiB.
CREATE TABLE batch_counts (
    actor_id INTEGER NOT NULL PRIMARY KEY,
    receipts BIGINT  NOT NULL CHECK (receipts >= 0)
);
