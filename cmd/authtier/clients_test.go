package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Common OAuth 2.0 clients work with the token endpoint without changes.

var authStyles = map[string]oauth2.AuthStyle{
	"detected": oauth2.AuthStyleAutoDetect, "header": oauth2.AuthStyleInHeader, "params": oauth2.AuthStyleInParams,
}

func oauth2Config(w *wire, style oauth2.AuthStyle, scopes ...string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: "demo-client", ClientSecret: "demo-secret", Scopes: scopes,
		Endpoint: oauth2.Endpoint{TokenURL: w.url + "/oauth2/token", AuthStyle: style},
	}
}

func wantStatus(t *testing.T, c *http.Client, url string, status int) *answer {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	a := read(t, resp)
	if a.status != status {
		t.Errorf("%s: got %d %s, want %d", url, a.status, a.body, status)
	}
	return a
}

func TestOAuth2LibraryClientCredentials(t *testing.T) {
	w := sharedDemo(t)
	for name, style := range authStyles {
		t.Run(name, func(t *testing.T) {
			cfg := clientcredentials.Config{
				ClientID: "demo-client", ClientSecret: "demo-secret", TokenURL: w.url + "/oauth2/token",
				Scopes: []string{"files", "base"}, AuthStyle: style,
			}
			token, err := cfg.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if token.AccessToken == "" || token.Type() != "Bearer" || token.RefreshToken != "" || token.Extra("scope") != "files base" {
				t.Errorf("type %q, refresh token %q, scope %v", token.Type(), token.RefreshToken, token.Extra("scope"))
			}
			if left := time.Until(token.Expiry); left > time.Hour || left < 59*time.Minute {
				t.Errorf("expires in %v", left)
			}
			if a := wantStatus(t, cfg.Client(t.Context()), w.url+"/v1/me", 200); a.text("client_id") != "demo-client" {
				t.Errorf("got %s", a.body)
			}
		})
	}
}

func TestOAuth2LibraryPasswordAndRefresh(t *testing.T) {
	w := sharedDemo(t)
	for name, style := range authStyles {
		t.Run(name, func(t *testing.T) {
			cfg := oauth2Config(w, style)
			token, err := cfg.PasswordCredentialsToken(t.Context(), userLogin, userPassword)
			if err != nil {
				t.Fatal(err)
			}
			if token.RefreshToken == "" || !token.Valid() || token.Extra("scope") != "base" {
				t.Errorf("token %+v", token)
			}
			refreshed := *token
			for range 3 { // each refresh token works once
				expired := refreshed
				expired.Expiry = time.Now().Add(-time.Minute)
				source := cfg.TokenSource(t.Context(), &expired)
				next, err := source.Token()
				if err != nil {
					t.Fatal(err)
				}
				if next.AccessToken == expired.AccessToken || next.RefreshToken == expired.RefreshToken || !next.Valid() {
					t.Errorf("refreshed to %+v", next)
				}
				a := wantStatus(t, oauth2.NewClient(t.Context(), source), w.url+"/v1/me", 200)
				if a.text("user") != userLogin {
					t.Errorf("got %s", a.body)
				}
				refreshed = *next
			}
			token.Expiry = time.Now().Add(-time.Minute)
			_, err = cfg.TokenSource(t.Context(), token).Token() // used before
			wantRetrieveError(t, err, 400, "invalid_grant")
			refreshed.Expiry = time.Now().Add(-time.Minute)
			_, err = cfg.TokenSource(t.Context(), &refreshed).Token()
			wantRetrieveError(t, err, 400, "invalid_grant")
		})
	}
}

func wantRetrieveError(t *testing.T, err error, status int, code string) {
	t.Helper()
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		t.Fatalf("%T %v, want a RetrieveError", err, err)
	}
	if e.Response.StatusCode != status || e.ErrorCode != code || e.ErrorDescription == "" {
		t.Errorf("status %d, ErrorCode %q, ErrorDescription %q, want %d %s", e.Response.StatusCode, e.ErrorCode, e.ErrorDescription, status, code)
	}
	a := &answer{body: string(e.Body)}
	if a.text("error_description") != e.ErrorDescription || !strings.HasPrefix(a.text("code"), "AUTH-") {
		t.Errorf("ErrorDescription %q of %s", e.ErrorDescription, e.Body)
	}
}

func TestOAuth2LibraryErrors(t *testing.T) {
	w := sharedDemo(t)
	stranger := oauth2Config(w, oauth2.AuthStyleInHeader)
	stranger.ClientSecret = "wrong"
	header, params := oauth2Config(w, oauth2.AuthStyleInHeader), oauth2Config(w, oauth2.AuthStyleInParams)
	for _, tt := range []struct {
		name   string
		token  func(context.Context) (*oauth2.Token, error)
		status int
		code   string
	}{
		{"wrong client", func(ctx context.Context) (*oauth2.Token, error) {
			return stranger.PasswordCredentialsToken(ctx, userLogin, userPassword)
		}, 401, "invalid_client"},
		{"wrong password", func(ctx context.Context) (*oauth2.Token, error) {
			return header.PasswordCredentialsToken(ctx, userLogin, "wrong")
		}, 400, "invalid_grant"},
		{"wrong password, client in the body", func(ctx context.Context) (*oauth2.Token, error) {
			return params.PasswordCredentialsToken(ctx, userLogin, "wrong")
		}, 400, "invalid_grant"},
		{"no password", func(ctx context.Context) (*oauth2.Token, error) {
			return header.PasswordCredentialsToken(ctx, userLogin, "")
		}, 400, "invalid_request"},
		{"scope it may not have", func(ctx context.Context) (*oauth2.Token, error) {
			return oauth2Config(w, oauth2.AuthStyleInHeader, "nope").PasswordCredentialsToken(ctx, userLogin, userPassword)
		}, 400, "invalid_scope"},
		{"unsupported grant", func(ctx context.Context) (*oauth2.Token, error) {
			return header.Exchange(ctx, "code")
		}, 400, "unsupported_grant_type"},
		{"unknown refresh token", func(ctx context.Context) (*oauth2.Token, error) {
			return header.TokenSource(ctx, &oauth2.Token{RefreshToken: "x"}).Token()
		}, 400, "invalid_grant"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token, err := tt.token(t.Context())
			if err == nil {
				t.Fatalf("got a token with scope %v", token.Extra("scope"))
			}
			wantRetrieveError(t, err, tt.status, tt.code)
		})
	}
}
