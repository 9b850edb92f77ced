package store

import (
	"fmt"
	"log/slog"
)

// Records are printed and logged without hashes, digests and sealed keys. These fields
// have the tag json:"-", because a handler of slog writes nested values as JSON.

// Format formats c for all verbs, without the digests of its secrets.
func (c Client) Format(f fmt.State, _ rune) { format(f, "client", c) }

// LogValue returns what Format writes.
func (c Client) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", c.ID), slog.Any("secrets", c.Secrets), slog.Any("scopes", c.Scopes),
		slog.Any("default", c.Default), slog.Any("grants", c.Grants), slog.Bool("disabled", c.Disabled),
		slog.Uint64("version", c.Version))
}

// Format formats s for all verbs, without its digest.
func (s Secret) Format(f fmt.State, _ rune) { format(f, "secret", s) }

// LogValue returns what Format writes.
func (s Secret) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", s.ID), slog.Time("created", s.Created), slog.Time("expires", s.Expires),
		slog.Time("last_used", s.LastUsed))
}

// Format formats u for all verbs, without the password's hash.
func (u User) Format(f fmt.State, _ rune) { format(f, "user", u) }

// LogValue returns what Format writes.
func (u User) LogValue() slog.Value {
	return slog.GroupValue(slog.String("login", u.Login), slog.Any("scopes", u.Scopes), slog.Bool("limit_scopes", u.LimitScopes),
		slog.Bool("disabled", u.Disabled), slog.Uint64("version", u.Version))
}

// Format formats k for all verbs, without its digest.
func (k APIKey) Format(f fmt.State, _ rune) { format(f, "API key", k) }

// LogValue returns what Format writes.
func (k APIKey) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", k.ID), slog.String("name", k.Name), slog.String("client", k.Client),
		slog.Any("scopes", k.Scopes), slog.String("owner", k.Owner), slog.Any("addrs", k.Addrs),
		slog.Time("created", k.Created), slog.Time("expires", k.Expires), slog.Time("last_used", k.LastUsed))
}

// Format formats t for all verbs, without its digest.
func (t Token) Format(f fmt.State, _ rune) { format(f, "token", t) }

// LogValue returns what Format writes.
func (t Token) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", t.ID), slog.String("family", t.Family), slog.String("client", t.Client),
		slog.String("user", t.User), slog.String("scopes", t.Scopes), slog.Bool("refresh", t.Refresh), slog.Bool("used", t.Used),
		slog.Time("issued", t.Issued), slog.Time("expires", t.Expires), slog.Time("family_ends", t.FamilyEnds),
		slog.Time("used_at", t.UsedAt))
}

// Format formats s for all verbs, without the digests of its token and cookie.
func (s Session) Format(f fmt.State, _ rune) { format(f, "session", s) }

// LogValue returns what Format writes.
func (s Session) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", s.ID), slog.String("user", s.User), slog.Uint64("user_version", s.UserVersion),
		slog.Time("expires", s.Expires), slog.Time("ends", s.Ends))
}

// Format formats k for all verbs, without the sealed key.
func (k SigningKey) Format(f fmt.State, _ rune) { format(f, "signing key", k) }

// LogValue returns what Format writes.
func (k SigningKey) LogValue() slog.Value {
	return slog.GroupValue(slog.String("set", k.Set), slog.String("id", k.ID), slog.String("alg", k.Alg),
		slog.Time("published", k.Published), slog.Time("signs", k.Signs), slog.Time("ends", k.Ends))
}

func format(f fmt.State, what string, record slog.LogValuer) {
	fmt.Fprintf(f, "%s %v", what, record.LogValue().Group())
}
