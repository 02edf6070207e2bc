-- What groups changed of heads that are not in `order_heads` yet: see docs/adr/0018-deferred-heads.md. One row a group; an order's
-- latest head is in the last row that names it, or else in its table.
CREATE TABLE deferred_heads (
    commit_id INTEGER NOT NULL PRIMARY KEY,
    heads     BLOB    NOT NULL
) STRICT;
