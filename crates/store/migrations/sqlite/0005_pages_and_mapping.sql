-- Pages by key, the relations that other tools read, and a log that the schema itself keeps as it is: see
-- docs/adr/0025-relational-mapping.md.

ALTER TABLE orders RENAME TO order_identities;

-- The first 8 bytes of SHA-256 over the store's event_id_key and the customer's contact: found by it, never told from it.
ALTER TABLE order_identities ADD COLUMN contact_hash INTEGER;
CREATE INDEX orders_by_contact ON order_identities (contact_hash, order_key) WHERE contact_hash IS NOT NULL;

-- What definitions call their statuses: written with each of them.
CREATE TABLE lifecycle_states (
    lifecycle_id INTEGER NOT NULL,
    status       INTEGER NOT NULL,
    name         TEXT    NOT NULL,
    phase        TEXT    NOT NULL,
    PRIMARY KEY (lifecycle_id, status)
) STRICT, WITHOUT ROWID;

-- Where the entries of food orders are: nothing else finds entries by their order. Written with each group.
CREATE TABLE mapped_entries (
    order_key INTEGER NOT NULL,
    version   INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    PRIMARY KEY (order_key, version)
) STRICT, WITHOUT ROWID;
INSERT INTO mapped_entries (order_key, version, position)
SELECT e.order_key, e.version, e.position FROM entries e
WHERE e.lifecycle_id IN (SELECT lifecycle_id FROM lifecycles WHERE name = 'food');

-- The log is never changed, but for what is personal, which can be erased.
CREATE TRIGGER entries_are_not_changed BEFORE UPDATE ON entries
WHEN NEW.private IS NOT NULL
  OR (NEW.position, NEW.order_key, NEW.version, NEW.previous_position, NEW.kind, NEW.format, NEW.lifecycle_id, NEW.tenant_id,
      NEW.client_id, NEW.customer_id, NEW.status, NEW.occurred_at, NEW.recorded_at, NEW.body)
     IS NOT
     (OLD.position, OLD.order_key, OLD.version, OLD.previous_position, OLD.kind, OLD.format, OLD.lifecycle_id, OLD.tenant_id,
      OLD.client_id, OLD.customer_id, OLD.status, OLD.occurred_at, OLD.recorded_at, OLD.body)
BEGIN
    SELECT RAISE(ABORT, 'history is never changed: of an entry, only private may be set to NULL');
END;
CREATE TRIGGER entries_are_not_deleted BEFORE DELETE ON entries
BEGIN
    SELECT RAISE(ABORT, 'history is never changed: no entry may be deleted');
END;

-- Food orders as they are now. What was told of one is NULL once it was erased.
CREATE VIEW orders (order_id, customer_name, address, item, size, status, created_at, updated_at) AS
SELECT t.public_id,
       json_extract(t.told, '$.customer_name'),
       json_extract(t.told, '$.address'),
       json_extract(t.told, '$.item'),
       json_extract(t.told, '$.size'),
       s.name,
       strftime('%Y-%m-%dT%H:%M:%S', t.created_at / 1000000000, 'unixepoch') || printf('.%06dZ', t.created_at / 1000 % 1000000),
       strftime('%Y-%m-%dT%H:%M:%S', h.recorded_at / 1000000000, 'unixepoch') || printf('.%06dZ', h.recorded_at / 1000 % 1000000)
FROM (SELECT o.order_key, o.lifecycle_id, o.public_id, o.created_at,
             CASE WHEN json_valid(CAST(substr(o.details, 17) AS TEXT)) THEN CAST(substr(o.details, 17) AS TEXT) END AS told
      FROM order_identities o) t
JOIN lifecycles l ON l.lifecycle_id = t.lifecycle_id AND l.name = 'food'
JOIN order_heads h ON h.order_key = t.order_key
JOIN lifecycle_states s ON s.lifecycle_id = h.lifecycle_id AND s.status = h.status;

-- What happened to food orders. The first entry is two events: the order was created, and it has its first status. Kinds of entries
-- as EntryKind of the model numbers them.
CREATE VIEW order_events (id, order_id, event, timestamp, meta) AS
SELECT o.public_id || '-' || (m.version + part.number),
       o.public_id,
       CASE WHEN part.number = 0 THEN 'CREATED' WHEN e.kind = 7 THEN 'CORRECTED' ELSE s.name END,
       strftime('%Y-%m-%dT%H:%M:%S', e.occurred_at / 1000000000, 'unixepoch') || printf('.%06dZ', e.occurred_at / 1000 % 1000000),
       json_object('version', m.version,
                   'kind', CASE e.kind WHEN 1 THEN 'created' WHEN 2 THEN 'status_applied' WHEN 5 THEN 'released'
                                       WHEN 7 THEN 'correction' WHEN 8 THEN 'override' END,
                   'recorded_at', strftime('%Y-%m-%dT%H:%M:%S', e.recorded_at / 1000000000, 'unixepoch')
                                  || printf('.%06dZ', e.recorded_at / 1000 % 1000000))
FROM order_identities o
JOIN mapped_entries m ON m.order_key = o.order_key
JOIN entries e ON e.position = m.position
JOIN lifecycle_states s ON s.lifecycle_id = e.lifecycle_id AND s.status = e.status
JOIN (SELECT 0 AS number UNION ALL SELECT 1) part ON part.number = 1 OR e.kind = 1
WHERE e.kind IN (1, 2, 5, 7, 8);
