-- The token in which a user changed the own password: issued before `sessions_valid_from`, and valid all the same.
ALTER TABLE users ADD COLUMN kept_token TEXT;
