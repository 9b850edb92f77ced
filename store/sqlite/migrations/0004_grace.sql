-- When a refresh token was used first; 0 where it was not, or that was not noted.

ALTER TABLE authtier_tokens ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0;
