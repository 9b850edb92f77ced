-- When API keys and secrets were made and used last. The secrets themselves are
-- among a client's lists, and last_used of a client is JSON: microseconds, by a
-- secret's ID.

ALTER TABLE authtier_api_keys ADD COLUMN created BIGINT NOT NULL DEFAULT 0;
ALTER TABLE authtier_api_keys ADD COLUMN last_used BIGINT NOT NULL DEFAULT 0;
ALTER TABLE authtier_clients ADD COLUMN last_used BYTEA NOT NULL DEFAULT '';
