-- Usage. A stream is one source of counts; what it counts is a dimension; a
-- count is the highest total that the stream has told for it.

CREATE TABLE authtier_streams (
	number  INTEGER PRIMARY KEY,
	id      BLOB NOT NULL UNIQUE,
	seq     BIGINT NOT NULL,
	through BIGINT NOT NULL
);

CREATE TABLE authtier_dimensions (
	number  INTEGER PRIMARY KEY,
	names   BLOB NOT NULL, -- SHA-256 of API, issuer, client, product and label
	scope   BLOB NOT NULL, -- SHA-256 of API and issuer
	day     BIGINT NOT NULL, -- since 1970
	client  BLOB NOT NULL,
	product BLOB NOT NULL,
	label   BLOB NOT NULL,
	UNIQUE (names, day)
);
CREATE INDEX authtier_dimensions_scope ON authtier_dimensions (scope, day);

CREATE TABLE authtier_counts (
	stream    BIGINT NOT NULL,
	counter   BIGINT NOT NULL,
	dimension BIGINT NOT NULL,
	total     BIGINT NOT NULL,
	PRIMARY KEY (stream, counter)
) WITHOUT ROWID;
CREATE INDEX authtier_counts_dimension ON authtier_counts (dimension);
