-- What an issuer keeps. Names are kept as bytes and looked up by their SHA-256
-- (the columns *_key); times are microseconds since 1970, 0 for none; flags are
-- 0 or 1.

CREATE TABLE authtier_clients (
	id_key   BYTEA PRIMARY KEY,
	id       BYTEA NOT NULL,
	version  BIGINT NOT NULL,
	disabled BIGINT NOT NULL,
	lists    BYTEA NOT NULL -- JSON: secrets, scopes, grants
);

CREATE TABLE authtier_users (
	login_key BYTEA PRIMARY KEY,
	login     BYTEA NOT NULL,
	version   BIGINT NOT NULL,
	disabled  BIGINT NOT NULL,
	password  BYTEA NOT NULL, -- its hash
	first     BYTEA NOT NULL,
	last      BYTEA NOT NULL,
	lang      BYTEA NOT NULL
);

CREATE TABLE authtier_api_keys (
	id_key     BYTEA PRIMARY KEY,
	id         BYTEA NOT NULL,
	digest     BYTEA NOT NULL UNIQUE, -- of the whole key
	client_key BYTEA NOT NULL,
	client     BYTEA NOT NULL,
	scopes     BYTEA NOT NULL, -- JSON
	expires    BIGINT NOT NULL
);
CREATE INDEX authtier_api_keys_client ON authtier_api_keys (client_key);

-- Refresh tokens and opaque access tokens.
CREATE TABLE authtier_tokens (
	digest         BYTEA PRIMARY KEY,
	id_key         BYTEA NOT NULL,
	id             BYTEA NOT NULL,
	family_key     BYTEA NOT NULL,
	family         BYTEA NOT NULL,
	client         BYTEA NOT NULL,
	login          BYTEA NOT NULL,
	audience       BYTEA NOT NULL,
	scopes         BYTEA NOT NULL,
	refresh        BIGINT NOT NULL,
	used           BIGINT NOT NULL, -- it was rotated
	client_version BIGINT NOT NULL,
	user_version   BIGINT NOT NULL,
	issued         BIGINT NOT NULL,
	expires        BIGINT NOT NULL,
	family_ends    BIGINT NOT NULL,
	droppable      BIGINT NOT NULL -- when nobody can use or reuse it any more
);
CREATE INDEX authtier_tokens_id ON authtier_tokens (id_key);
CREATE INDEX authtier_tokens_family ON authtier_tokens (family_key);
CREATE INDEX authtier_tokens_droppable ON authtier_tokens (droppable);

CREATE TABLE authtier_sessions (
	token        BYTEA PRIMARY KEY, -- digests
	id_key       BYTEA NOT NULL,
	id           BYTEA NOT NULL,
	cookie       BYTEA NOT NULL,
	login        BYTEA NOT NULL,
	user_version BIGINT NOT NULL,
	expires      BIGINT NOT NULL,
	ends         BIGINT NOT NULL
);
CREATE INDEX authtier_sessions_id ON authtier_sessions (id_key);
CREATE INDEX authtier_sessions_ends ON authtier_sessions (ends);

CREATE TABLE authtier_signing_keys (
	set_key   BYTEA NOT NULL,
	set_name  BYTEA NOT NULL,
	id_key    BYTEA NOT NULL,
	id        BYTEA NOT NULL,
	alg       BYTEA NOT NULL,
	sealed    BYTEA NOT NULL, -- the key, encrypted
	published BIGINT NOT NULL,
	signs     BIGINT NOT NULL,
	ends      BIGINT NOT NULL,
	PRIMARY KEY (set_key, id_key)
);

-- The sequence of changes. Whoever appends locks the head first, so that the
-- numbers are in the order of commits.
CREATE TABLE authtier_head (
	one BIGINT PRIMARY KEY CHECK (one = 1),
	n   BIGINT NOT NULL
);
CREATE TABLE authtier_changes (
	n       BIGINT PRIMARY KEY,
	nonce   BYTEA NOT NULL,
	kind    BIGINT NOT NULL,
	id      BYTEA NOT NULL,
	version BIGINT NOT NULL,
	until   BIGINT NOT NULL
);
INSERT INTO authtier_head (one, n) VALUES (1, 1);
INSERT INTO authtier_changes (n, nonce, kind, id, version, until) VALUES (1, substring(uuid_send(gen_random_uuid()) FROM 9 FOR 8), 0, '', 0, 0);

-- What of the changes holds: revocations until they may be forgotten, and the
-- versions of clients and users, also of deleted ones.
CREATE TABLE authtier_in_force (
	kind    BIGINT NOT NULL,
	id_key  BYTEA NOT NULL,
	id      BYTEA NOT NULL,
	version BIGINT NOT NULL,
	until   BIGINT NOT NULL,
	PRIMARY KEY (kind, id_key)
);
CREATE INDEX authtier_in_force_until ON authtier_in_force (until);
