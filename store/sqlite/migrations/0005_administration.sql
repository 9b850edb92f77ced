-- What limits users and API keys, what lists them, and what was revoked. The
-- previous version ignores all of it, and the defaults limit nothing. Scopes and
-- addrs are JSON, or empty; an owner is a login of at most 255 bytes.

ALTER TABLE authtier_users ADD COLUMN scopes BLOB NOT NULL DEFAULT x'';
ALTER TABLE authtier_users ADD COLUMN limit_scopes BIGINT NOT NULL DEFAULT 0;

ALTER TABLE authtier_api_keys ADD COLUMN name BLOB NOT NULL DEFAULT x'';
ALTER TABLE authtier_api_keys ADD COLUMN owner BLOB NOT NULL DEFAULT x'';
ALTER TABLE authtier_api_keys ADD COLUMN addrs BLOB NOT NULL DEFAULT x'';
CREATE INDEX authtier_api_keys_owner ON authtier_api_keys (owner) WHERE length(owner) > 0;

-- Records are listed by name. Old names may be longer than an index takes.
CREATE INDEX authtier_clients_listed ON authtier_clients (substr(id, 1, 256));
CREATE INDEX authtier_users_listed ON authtier_users (substr(login, 1, 256));
CREATE INDEX authtier_api_keys_listed ON authtier_api_keys (substr(id, 1, 256));
CREATE INDEX authtier_api_keys_listed_of ON authtier_api_keys (client_key, substr(id, 1, 256));

-- API keys and secrets that can never be created again. Kind 1 has the SHA-256 of
-- a key's ID, kind 2 a key's digest, and kind 3 the SHA-256 of a client's id_key
-- followed by a secret's digest.
CREATE TABLE authtier_tombstones (
	kind BIGINT NOT NULL,
	key  BLOB NOT NULL,
	PRIMARY KEY (kind, key)
) WITHOUT ROWID;
