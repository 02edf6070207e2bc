-- Partitions of the log that were detached, the oldest first and without a gap: see docs/adr/0024-archived-partitions.md. Places below
-- the highest `places_end` are archived; an order whose first entry lies there lies there whole, and nothing is added to it.
-- `entries` and `orders` are those of the partition; `sha256` is that of the file, which had this name when it was written.
CREATE TABLE log_archives (
    first_place BIGINT  NOT NULL PRIMARY KEY,
    places_end  BIGINT  NOT NULL UNIQUE CHECK (places_end > first_place),
    partition   TEXT    COLLATE "C" NOT NULL,
    entries     BIGINT  NOT NULL,
    orders      BIGINT  NOT NULL,
    file        TEXT    COLLATE "C" NOT NULL,
    sha256      BYTEA   NOT NULL CHECK (octet_length(sha256) = 32),
    archived_at BIGINT  NOT NULL
);
