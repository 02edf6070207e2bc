-- Pages by key, the relations that other tools read, and a log that the schema itself keeps as it is: see
-- docs/adr/0025-relational-mapping.md.

ALTER TABLE orders RENAME TO order_identities;

-- The first 8 bytes of SHA-256 over the store's event_id_key and the customer's contact: found by it, never told from it.
ALTER TABLE order_identities ADD COLUMN contact_hash BIGINT;
CREATE INDEX orders_by_contact ON order_identities (contact_hash, order_key) WHERE contact_hash IS NOT NULL;

-- What definitions call their statuses: written with each of them.
CREATE TABLE lifecycle_states (
    lifecycle_id INTEGER  NOT NULL,
    status       SMALLINT NOT NULL,
    name         TEXT     COLLATE "C" NOT NULL,
    phase        TEXT     COLLATE "C" NOT NULL,
    PRIMARY KEY (lifecycle_id, status)
);

-- The log is never changed, but for what is personal, which can be erased. The triggers for rows are those of every partition; the one
-- for TRUNCATE each has of its own.
CREATE FUNCTION refuse_change_of_history() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.private IS NULL
           AND (NEW.place, NEW.order_key, NEW.occurred_at, NEW.recorded_at, NEW.version, NEW.lifecycle_id, NEW.tenant_id,
                NEW.client_id, NEW.customer_id, NEW.kind, NEW.format, NEW.status, NEW.body)
               IS NOT DISTINCT FROM
               (OLD.place, OLD.order_key, OLD.occurred_at, OLD.recorded_at, OLD.version, OLD.lifecycle_id, OLD.tenant_id,
                OLD.client_id, OLD.customer_id, OLD.kind, OLD.format, OLD.status, OLD.body) THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'history is never changed: of an entry, only private may be set to NULL'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RAISE EXCEPTION 'history is never changed: no entry may be deleted' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER entries_are_not_changed BEFORE UPDATE OR DELETE ON entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_history();
CREATE TRIGGER entries_are_not_truncated BEFORE TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_history();
DO $$
DECLARE
    name REGCLASS;
BEGIN
    FOR name IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'entries'::regclass LOOP
        EXECUTE format('CREATE TRIGGER entries_are_not_truncated BEFORE TRUNCATE ON %s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_history()', name);
    END LOOP;
END $$;

-- As before; a new partition has its trigger from the start.
CREATE OR REPLACE FUNCTION make_log_partitions(needed BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    size CONSTANT BIGINT := 67108864;
    name TEXT;
BEGIN
    PERFORM pg_advisory_xact_lock(1463962956, 3);
    FOR number IN needed / size .. needed / size + 1 LOOP
        name := 'entries_' || number;
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE entries)', name);
            EXECUTE format('CREATE TRIGGER entries_are_not_truncated BEFORE TRUNCATE ON %I '
                           'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_history()', name);
            EXECUTE format('ALTER TABLE entries ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                           name, number * size, (number + 1) * size);
        END IF;
    END LOOP;
    RETURN (needed / size + 2) * size;
END $$;

-- What was told of an order. No text holds U+0000, which JSON can name: U+FFFD stands for it.
CREATE FUNCTION told_of_order(details BYTEA) RETURNS JSON LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(convert_from(substr(details, 17), 'UTF8'), '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')::json
$$;

-- Food orders as they are now. What was told of one is NULL once it was erased.
CREATE VIEW orders (order_id, customer_name, address, item, size, status, created_at, updated_at) AS
SELECT o.public_id,
       told_of_order(o.details) ->> 'customer_name',
       told_of_order(o.details) ->> 'address',
       told_of_order(o.details) ->> 'item',
       told_of_order(o.details) ->> 'size',
       s.name,
       TIMESTAMPTZ 'epoch' + o.created_at / 1000 * INTERVAL '1 microsecond',
       TIMESTAMPTZ 'epoch' + h.recorded_at / 1000 * INTERVAL '1 microsecond'
FROM order_identities o
JOIN lifecycles l ON l.lifecycle_id = o.lifecycle_id AND l.name = 'food'
JOIN order_heads h ON h.order_key = o.order_key
JOIN lifecycle_states s ON s.lifecycle_id = h.lifecycle_id AND s.status = h.status;

-- What happened to food orders, as far as it is not archived. The first entry is two events: the order was created, and it has its first
-- status. Kinds of entries as EntryKind of the model numbers them.
CREATE VIEW order_events (id, order_id, event, timestamp, meta) AS
SELECT o.public_id || '-' || (e.version + part.number),
       o.public_id,
       CASE WHEN part.number = 0 THEN 'CREATED' WHEN e.kind = 7 THEN 'CORRECTED' ELSE s.name END,
       TIMESTAMPTZ 'epoch' + e.occurred_at / 1000 * INTERVAL '1 microsecond',
       jsonb_build_object(
           'version', e.version,
           'kind', CASE e.kind WHEN 1 THEN 'created' WHEN 2 THEN 'status_applied' WHEN 5 THEN 'released'
                               WHEN 7 THEN 'correction' WHEN 8 THEN 'override' END,
           'recorded_at', to_char(TIMESTAMP 'epoch' + e.recorded_at / 1000 * INTERVAL '1 microsecond',
                                  'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
FROM order_identities o
JOIN lifecycles l ON l.lifecycle_id = o.lifecycle_id AND l.name = 'food'
JOIN entries e ON e.order_key = o.order_key
JOIN lifecycle_states s ON s.lifecycle_id = e.lifecycle_id AND s.status = e.status
JOIN (VALUES (0), (1)) part (number) ON part.number = 1 OR e.kind = 1
WHERE e.kind IN (1, 2, 5, 7, 8);
