-- What an issuer keeps. Names are kept as bytes and looked up by their SHA-256
-- (the columns *_key); times are microseconds since 1970, 0 for none; flags are
-- 0 or 1.

CREATE TABLE authtier_clients (
	id_key   BLOB PRIMARY KEY,
	id       BLOB NOT NULL,
	version  BIGINT NOT NULL,
	disabled BIGINT NOT NULL,
	lists    BLOB NOT NULL -- JSON: secrets, scopes, grants
) WITHOUT ROWID;

CREATE TABLE authtier_users (
	login_key BLOB PRIMARY KEY,
	login     BLOB NOT NULL,
	version   BIGINT NOT NULL,
	disabled  BIGINT NOT NULL,
	password  BLOB NOT NULL, -- its hash
	first     BLOB NOT NULL,
	last      BLOB NOT NULL,
	lang      BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE authtier_api_keys (
	id_key     BLOB PRIMARY KEY,
	id         BLOB NOT NULL,
	digest     BLOB NOT NULL UNIQUE, -- of the whole key
	client_key BLOB NOT NULL,
	client     BLOB NOT NULL,
	scopes     BLOB NOT NULL, -- JSON
	expires    BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX authtier_api_keys_client ON authtier_api_keys (client_key);

-- Refresh tokens and opaque access tokens.
CREATE TABLE authtier_tokens (
	digest         BLOB PRIMARY KEY,
	id_key         BLOB NOT NULL,
	id             BLOB NOT NULL,
	family_key     BLOB NOT NULL,
	family         BLOB NOT NULL,
	client         BLOB NOT NULL,
	login          BLOB NOT NULL,
	audience       BLOB NOT NULL,
	scopes         BLOB NOT NULL,
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
	token        BLOB PRIMARY KEY, -- digests
	id_key       BLOB NOT NULL,
	id           BLOB NOT NULL,
	cookie       BLOB NOT NULL,
	login        BLOB NOT NULL,
	user_version BIGINT NOT NULL,
	expires      BIGINT NOT NULL,
	ends         BIGINT NOT NULL
);
CREATE INDEX authtier_sessions_id ON authtier_sessions (id_key);
CREATE INDEX authtier_sessions_ends ON authtier_sessions (ends);

CREATE TABLE authtier_signing_keys (
	set_key   BLOB NOT NULL,
	set_name  BLOB NOT NULL,
	id_key    BLOB NOT NULL,
	id        BLOB NOT NULL,
	alg       BLOB NOT NULL,
	sealed    BLOB NOT NULL, -- the key, encrypted
	published BIGINT NOT NULL,
	signs     BIGINT NOT NULL,
	ends      BIGINT NOT NULL,
	PRIMARY KEY (set_key, id_key)
) WITHOUT ROWID;

-- The sequence of changes. Whoever appends locks the head first, so that the
-- numbers are in the order of commits.
CREATE TABLE authtier_head (
	one BIGINT PRIMARY KEY CHECK (one = 1),
	n   BIGINT NOT NULL
);
CREATE TABLE authtier_changes (
	n       BIGINT PRIMARY KEY,
	nonce   BLOB NOT NULL,
	kind    BIGINT NOT NULL,
	id      BLOB NOT NULL,
	version BIGINT NOT NULL,
	until   BIGINT NOT NULL
);
INSERT INTO authtier_head (one, n) VALUES (1, 1);
INSERT INTO authtier_changes (n, nonce, kind, id, version, until) VALUES (1, randomblob(8), 0, x'', 0, 0);

-- What of the changes holds: revocations until they may be forgotten, and the
-- versions of clients and users, also of deleted ones.
CREATE TABLE authtier_in_force (
	kind    BIGINT NOT NULL,
	id_key  BLOB NOT NULL,
	id      BLOB NOT NULL,
	version BIGINT NOT NULL,
	until   BIGINT NOT NULL,
	PRIMARY KEY (kind, id_key)
) WITHOUT ROWID;
CREATE INDEX authtier_in_force_until ON authtier_in_force (until);
