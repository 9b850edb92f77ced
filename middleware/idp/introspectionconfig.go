package idp

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// IntrospectionConfig says how an introspection endpoint is asked. See
// [OpenIntrospection].
type IntrospectionConfig struct {
	// Endpoint is the URL of the endpoint. If empty, it is the introspection_endpoint of
	// the issuer's metadata: at its place of RFC 8414, then at the one of OpenID Connect
	// Discovery. It must be https, or http on loopback or by [Config.AllowHTTP].
	Endpoint string

	// ClientID and ClientSecret authenticate this resource server at the endpoint. They
	// must be set, unless BearerToken or AllowUnauthenticated is.
	ClientID     string
	ClientSecret string `json:"-"`

	// Method says how ClientID and ClientSecret are sent. If empty, it is
	// [ClientSecretBasic].
	Method ClientAuthMethod

	// BearerToken, if not nil, returns the access token that authenticates this resource
	// server, instead of ClientID and ClientSecret. It is called for each question, within
	// Timeout, and must be safe for concurrent use. Its errors are failures of the server
	// (AUTH-8).
	BearerToken func(context.Context) (string, error) `json:"-"`

	// AllowUnauthenticated asks the endpoint without authentication.
	AllowUnauthenticated bool

	// Timeout bounds the time for one question. If 0, it is two seconds. At least a
	// millisecond. More than two seconds have no effect in a [middleware.Cache], which
	// does not wait longer.
	Timeout time.Duration

	// AllowAnyAudience accepts a token of any audience and client, so that the endpoint
	// alone decides for this resource server (RFC 7662 section 2.2). It takes the place of
	// Audience and Clients of [Config].
	AllowAnyAudience bool
}

// A ClientAuthMethod is a way to send a client's ID and secret. Its values are those of
// introspection_endpoint_auth_methods_supported in an issuer's metadata (RFC 8414).
type ClientAuthMethod string

const (
	// ClientSecretBasic sends the ID and the secret by HTTP Basic (RFC 6749 section 2.3.1).
	ClientSecretBasic ClientAuthMethod = "client_secret_basic"

	// ClientSecretPost sends them as client_id and client_secret in the body.
	ClientSecretPost ClientAuthMethod = "client_secret_post"
)

// Format writes ask without the client's secret, for every verb.
func (ask IntrospectionConfig) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "introspection by client %q", ask.ClientID)
}

// LogValue returns ask without the client's secret.
func (ask IntrospectionConfig) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(ask)) }

const (
	introspectionTimeout    = 2 * time.Second
	minIntrospectionTimeout = time.Millisecond
)

// check returns an error that names every fault of ask.
func (ask *IntrospectionConfig) check(cfg *Config) error {
	errs := []error{ask.checkAuthentication()}
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if ask.Endpoint != "" {
		if err := cfg.checkURL(ask.Endpoint, ask.Endpoint); err != nil {
			fault("the Endpoint: %w", err)
		}
	}
	if ask.Timeout != 0 && ask.Timeout < minIntrospectionTimeout {
		fault("the Timeout is %v, expected at least %v: a number without a unit is nanoseconds", ask.Timeout, minIntrospectionTimeout)
	}
	if ask.AllowAnyAudience && len(cfg.Audience)+len(cfg.Clients) > 0 {
		fault("AllowAnyAudience is set beside Audience or Clients, expected one of them")
	}
	return errors.Join(errs...)
}

// checkAuthentication returns an error unless exactly one way to authenticate is
// configured.
func (ask *IntrospectionConfig) checkAuthentication() error {
	var errs []error
	if m := ask.Method; m != "" && m != ClientSecretBasic && m != ClientSecretPost {
		errs = append(errs, fmt.Errorf("the Method is %q, expected one of %q", m, []ClientAuthMethod{ClientSecretBasic, ClientSecretPost}))
	}

	byClient := ask.ClientID != "" || ask.ClientSecret != "" || ask.Method != ""
	switch {
	case ask.BearerToken != nil && ask.AllowUnauthenticated:
		errs = append(errs, errors.New("both BearerToken and AllowUnauthenticated are set, expected one of them"))
	case ask.BearerToken != nil && byClient:
		errs = append(errs, errors.New("BearerToken is set beside ClientID, ClientSecret or Method, expected one way to authenticate"))
	case ask.AllowUnauthenticated && byClient:
		errs = append(errs, errors.New("AllowUnauthenticated is set beside ClientID, ClientSecret or Method, expected one of them"))
	case ask.BearerToken != nil || ask.AllowUnauthenticated:
	default:
		errs = append(errs, missingClient(ask.ClientID, ask.ClientSecret))
	}
	return errors.Join(errs...)
}

func missingClient(id, secret string) error {
	var errs []error
	if id == "" {
		errs = append(errs, errors.New("no ClientID"))
	}
	if secret == "" {
		errs = append(errs, errors.New("no ClientSecret"))
	}
	return errors.Join(errs...)
}

// An authenticator adds the resource server's credential to the form or the header of a
// request.
type authenticator func(ctx context.Context, form url.Values, header http.Header) error

// authenticator returns the way that a checked ask configures. The secret is only in the
// function, where nothing prints it.
func (ask IntrospectionConfig) authenticator() authenticator {
	switch {
	case ask.AllowUnauthenticated:
		return func(context.Context, url.Values, http.Header) error { return nil }

	case ask.BearerToken != nil:
		return func(ctx context.Context, _ url.Values, header http.Header) error {
			token, err := ask.BearerToken(ctx)
			if err != nil {
				return fmt.Errorf("BearerToken: %w", err)
			}
			if token == "" {
				return errors.New("BearerToken returned an empty token")
			}
			header.Set("Authorization", "Bearer "+token)
			return nil
		}

	case ask.Method == ClientSecretPost:
		return func(_ context.Context, form url.Values, _ http.Header) error {
			form.Set("client_id", ask.ClientID)
			form.Set("client_secret", ask.ClientSecret)
			return nil
		}
	}

	// RFC 6749 section 2.3.1 asks for form encoding of both before Basic.
	pair := url.QueryEscape(ask.ClientID) + ":" + url.QueryEscape(ask.ClientSecret)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
	return func(_ context.Context, _ url.Values, header http.Header) error {
		header.Set("Authorization", basic)
		return nil
	}
}
