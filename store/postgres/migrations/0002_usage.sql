-- Usage. A stream is one source of counts; what it counts is a dimension; a
-- count is the highest total that the stream has told for it.

CREATE TABLE authtier_streams (
	number  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id      BYTEA NOT NULL UNIQUE,
	seq     BIGINT NOT NULL,
	through BIGINT NOT NULL
);

CREATE TABLE authtier_dimensions (
	number  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	names   BYTEA NOT NULL, -- SHA-256 of API, issuer, client, product and label
	scope   BYTEA NOT NULL, -- SHA-256 of API and issuer
	day     BIGINT NOT NULL, -- since 1970
	client  BYTEA NOT NULL,
	product BYTEA NOT NULL,
	label   BYTEA NOT NULL,
	UNIQUE (names, day)
);
CREATE INDEX authtier_dimensions_scope ON authtier_dimensions (scope, day);

CREATE TABLE authtier_counts (
	stream    BIGINT NOT NULL,
	counter   BIGINT NOT NULL,
	dimension BIGINT NOT NULL,
	total     BIGINT NOT NULL,
	PRIMARY KEY (stream, counter)
);
CREATE INDEX authtier_counts_dimension ON authtier_counts (dimension);
