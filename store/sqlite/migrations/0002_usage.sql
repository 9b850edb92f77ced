-- Usage. A stream is one source of counts; a count is the highest total that the
-- stream has told for one of its counters. Names are numbered: a count is
-- numbers alone.

CREATE TABLE authtier_streams (
	number   INTEGER PRIMARY KEY,
	id       BLOB NOT NULL UNIQUE,
	seq      BIGINT NOT NULL, -- the highest told
	through  BIGINT NOT NULL, -- up to when the counts are complete
	ended    BIGINT NOT NULL, -- it counts no more
	youngest BIGINT NOT NULL, -- the last day that it counted, since 1970
	closed   BIGINT NOT NULL, -- it is not heard any more
	folded   BIGINT NOT NULL  -- and its counts are added up
);

CREATE TABLE authtier_names (
	number INTEGER PRIMARY KEY,
	key    BLOB NOT NULL UNIQUE, -- SHA-256 of the name
	name   BLOB NOT NULL
);

CREATE TABLE authtier_counts (
	id      INTEGER PRIMARY KEY, -- the stream's number << 32, and the counter's
	scope   BIGINT NOT NULL, -- API and issuer
	day     BIGINT NOT NULL,
	client  BIGINT NOT NULL,
	product BIGINT NOT NULL,
	label   BIGINT NOT NULL,
	total   BIGINT NOT NULL
);
CREATE INDEX authtier_counts_scope ON authtier_counts (scope, day);

-- The counts of closed streams, added up.
CREATE TABLE authtier_folded (
	scope   BIGINT NOT NULL,
	day     BIGINT NOT NULL,
	client  BIGINT NOT NULL,
	product BIGINT NOT NULL,
	label   BIGINT NOT NULL,
	total   BIGINT NOT NULL,
	PRIMARY KEY (scope, day, client, product, label)
) WITHOUT ROWID;

CREATE TABLE authtier_adjustments (
	key_key  BLOB PRIMARY KEY,
	key      BLOB NOT NULL,
	scope    BIGINT NOT NULL,
	day      BIGINT NOT NULL,
	client   BIGINT NOT NULL,
	product  BIGINT NOT NULL,
	quantity BIGINT NOT NULL,
	reason   BLOB NOT NULL,
	author   BLOB NOT NULL,
	made     BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX authtier_adjustments_scope ON authtier_adjustments (scope, day);
