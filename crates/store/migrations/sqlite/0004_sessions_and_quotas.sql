-- The token in which a user changed the own password: issued before `sessions_valid_from`, and valid all the same.
ALTER TABLE users ADD COLUMN kept_token TEXT;

-- Receipts of batches per principal, kept with each group: a quota is a look-up. A receipt counts once, and once more for each KiB.
CREATE TABLE batch_counts (
    actor_id INTEGER NOT NULL PRIMARY KEY,
    receipts INTEGER NOT NULL CHECK (receipts >= 0)
) STRICT;
INSERT INTO batch_counts (actor_id, receipts)
SELECT actor_id, sum(1 + length(content) / 1024) FROM batches GROUP BY actor_id;
