package errorsx

import "net/http"

// A Place is the kind of endpoint that refused a request. A code has one OAuth
// error at the token endpoint (RFC 6749 section 5.2) and another at a protected
// resource (RFC 6750 section 3.1).
type Place uint8

// The places.
const (
	Resource      Place = iota // protected resources, login, everything else
	TokenEndpoint              // token, introspection and revocation
)

// A Dialect returns the HTTP status and the OAuth error of a refusal. If
// [Error.Status] is set, it replaces the dialect's status. A status outside 400
// to 599 becomes 500, so a dialect cannot turn a refusal into an admission.
//
// A Dialect must be safe for concurrent use and must not change the Error.
type Dialect func(Place, *Error) (status int, oauth string)

var tableStatus = [...]int{
	CredentialsIncorrect: 401,
	CredentialsMissing:   401,
	CredentialsMalformed: 401,
	CredentialStore:      500,
	TokenNotMade:         500,
	InvalidParameter:     422,
	ScopeNotAuthorized:   403,
	Internal:             500,
	WrongTokenType:       400,
	BadSignature:         400,
	TokenExpired:         400,
	UnknownToken:         404,
	TooManyRequests:      429,
}

// Table is the default dialect. It has one status for each code, at both places.
func Table(p Place, e *Error) (status int, oauth string) {
	return tableStatus[e.Code], oauthError(p, e)
}

// RFC is the dialect of RFC 6749 at the token endpoint and of RFC 6750 at a
// protected resource. A store that cannot be reached is 503.
func RFC(p Place, e *Error) (status int, oauth string) {
	oauth = oauthError(p, e)
	return rfcStatus(p, e, oauth), oauth
}

func rfcStatus(p Place, e *Error, oauth string) int {
	switch e.Code {
	case CredentialsIncorrect:
		if oauth == "invalid_grant" {
			return http.StatusBadRequest
		}
		return http.StatusUnauthorized

	case CredentialsMissing:
		return http.StatusUnauthorized

	case CredentialsMalformed:
		if p == Resource && !e.BareChallenge {
			return http.StatusBadRequest
		}
		return http.StatusUnauthorized

	case InvalidParameter:
		return http.StatusBadRequest

	case ScopeNotAuthorized:
		if p == TokenEndpoint {
			return http.StatusBadRequest
		}
		return http.StatusForbidden

	case WrongTokenType, BadSignature, TokenExpired, UnknownToken:
		if p == TokenEndpoint {
			return http.StatusBadRequest
		}
		return http.StatusUnauthorized

	case TooManyRequests:
		return http.StatusTooManyRequests
	}

	if oauth == "temporarily_unavailable" {
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

var oauthErrors = [...]struct{ resource, token string }{
	CredentialsIncorrect: {"invalid_token", "invalid_client"},
	CredentialsMissing:   {"invalid_request", "invalid_client"},
	CredentialsMalformed: {"invalid_request", "invalid_client"},
	CredentialStore:      {"temporarily_unavailable", "temporarily_unavailable"},
	TokenNotMade:         {"server_error", "server_error"},
	InvalidParameter:     {"invalid_request", "invalid_request"},
	ScopeNotAuthorized:   {"insufficient_scope", "invalid_scope"},
	Internal:             {"temporarily_unavailable", "temporarily_unavailable"},
	WrongTokenType:       {"invalid_token", "invalid_grant"},
	BadSignature:         {"invalid_token", "invalid_grant"},
	TokenExpired:         {"invalid_token", "invalid_grant"},
	UnknownToken:         {"invalid_token", "invalid_grant"},
	TooManyRequests:      {"temporarily_unavailable", "temporarily_unavailable"},
}

func oauthError(p Place, e *Error) string {
	switch {
	case e.OAuthError != "":
		return e.OAuthError
	case p == TokenEndpoint:
		return oauthErrors[e.Code].token
	}
	return oauthErrors[e.Code].resource
}
