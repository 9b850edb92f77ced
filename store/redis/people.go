package redis

import (
	"context"

	"github.com/authtier/authtier/store"
)

// Client implements [store.Clients].
func (s *Store) Client(ctx context.Context, id string) (*store.Client, error) {
	r, err := s.record(ctx, "client:"+id)
	if err != nil {
		return nil, err
	}
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

// PutClient implements [store.Admin].
func (s *Store) PutClient(ctx context.Context, c store.Client) error {
	secrets, ids := []secret{}, []string{}
	for _, sec := range c.Secrets {
		secrets, ids = append(secrets, keptSecret(sec)), append(ids, sec.ID)
	}
	disabled := formatFlag(c.Disabled)
	args := append([]any{c.ID, disabled}, fields(
		"disabled", disabled, "secrets", formatList(secrets),
		"scopes", formatList(c.Scopes), "default", formatList(c.Default), "grants", formatList(c.Grants))...)
	return s.change(ctx, putClient, append(args, formatList(ids))...)
}

// DeleteClient implements [store.Admin].
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	return s.change(ctx, deleteClient, id)
}

// User implements [store.Users].
func (s *Store) User(ctx context.Context, login string) (*store.User, error) {
	r, err := s.record(ctx, "user:"+login)
	if err != nil {
		return nil, err
	}
	u := store.User{
		Login: login, Password: r.text("password"),
		First: r.text("first"), Last: r.text("last"), Lang: r.text("lang"),
		Disabled: r.flag("disabled"), Version: r.number("version"),
	}
	if r.err != nil {
		return nil, r.err
	}
	return &u, nil
}

// PutUser implements [store.Admin].
func (s *Store) PutUser(ctx context.Context, u store.User) error {
	disabled := formatFlag(u.Disabled)
	args := append([]any{u.Login, disabled, u.Password}, fields(
		"password", u.Password, "first", u.First, "last", u.Last, "lang", u.Lang, "disabled", disabled)...)
	return s.change(ctx, putUser, args...)
}

// Rehash implements [store.Admin].
func (s *Store) Rehash(ctx context.Context, login, from, to string) error {
	return s.do(ctx, rehash, login, from, to)
}

// DeleteUser implements [store.Admin].
func (s *Store) DeleteUser(ctx context.Context, login string) error {
	return s.change(ctx, deleteUser, login)
}
