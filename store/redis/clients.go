package redis

import (
	"context"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// Client implements [store.Clients].
func (s *Store) Client(ctx context.Context, id string) (*store.Client, error) {
	r, err := s.hash(ctx, "client:"+id)
	if err != nil {
		return nil, err
	}
	return r.client(id)
}

func (r *hash) client(id string) (*store.Client, error) {
	c := store.Client{ID: id, Disabled: r.flag("disabled"), Version: r.number("version")}
	r.list("scopes", &c.Scopes)
	r.list("default", &c.Default)
	r.list("grants", &c.Grants)
	c.Secrets = r.secrets()
	if r.err != nil {
		return nil, r.err
	}
	return &c, nil
}

// clientFields are the fields that an update may change.
func clientFields(c *store.Client) []any {
	return []any{
		"disabled", formatFlag(c.Disabled),
		"scopes", formatList(c.Scopes), "default", formatList(c.Default), "grants", formatList(c.Grants),
	}
}

// CreateClient implements [store.Admin].
func (s *Store) CreateClient(ctx context.Context, c store.Client) error {
	if err := record.CheckClient(ctx, &c, s); err != nil {
		return err
	}

	secrets := []secret{}
	for _, sec := range c.Secrets {
		secrets = append(secrets, keptSecret(sec))
	}
	return s.change(ctx, createClient, append([]any{c.ID, formatList(secrets)}, counted(clientFields(&c)...)...)...)
}

// UpdateClient implements [store.Admin].
func (s *Store) UpdateClient(ctx context.Context, id string, f func(*store.Client) error) error {
	var seen *hash
	return record.Update(record.Clients, f, func() (c *store.Client, err error) {
		if seen, err = s.stored(ctx, "client", id); err != nil {
			return nil, err
		}
		return seen.client(id)
	}, func(old, changed *store.Client) (bool, error) {
		read := seen.values("disabled", "version", "scopes", "default", "grants", "secrets")
		return s.update(ctx, "client", id, changed.Disabled && !old.Disabled, read, clientFields(changed))
	})
}

// DeleteClient implements [store.Admin].
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	return s.change(ctx, deleteClient, id)
}

// ListClients implements [store.Lister].
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]store.Client, error) {
	return list(ctx, s, "client", "", after, limit, func(id string, r *hash) (*store.Client, error) {
		c, err := r.client(id)
		if err != nil {
			return nil, err
		}
		r.lastUses(c.Secrets)
		return c, r.err
	})
}
