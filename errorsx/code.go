package errorsx

import "strconv"

// A Code says why a request was refused. It is part of the wire format and
// clients branch on it, so a code never changes its meaning.
//
// A Code is an error. It can be matched with [errors.Is], and returned instead of
// an [Error] that has nothing but that code.
type Code uint8

// The codes, AUTH-1 to AUTH-13.
const (
	CredentialsIncorrect Code = 1 + iota // AUTH-1: wrong client, user or API key
	CredentialsMissing                   // AUTH-2: the credential's header is missing
	CredentialsMalformed                 // AUTH-3: the credential's header is malformed
	CredentialStore                      // AUTH-4: internal: the credential store failed
	TokenNotMade                         // AUTH-5: internal: a token could not be made or signed
	InvalidParameter                     // AUTH-6: a parameter is missing, repeated or invalid
	ScopeNotAuthorized                   // AUTH-7: a scope is malformed, not authorized or lacking
	Internal                             // AUTH-8: internal: another store failed, or a fault in wiring
	WrongTokenType                       // AUTH-9: the token is of another type
	BadSignature                         // AUTH-10: the token's signature is wrong
	TokenExpired                         // AUTH-11: the token is expired
	UnknownToken                         // AUTH-12: the token is unknown, garbled, revoked or for somebody else
	TooManyRequests                      // AUTH-13: throttled, overloaded or over quota
)

var messages = [...]string{
	CredentialsIncorrect: "The credentials provided are incorrect",
	CredentialsMissing:   "Missing \"Authorization\" header",
	CredentialsMalformed: "Invalid \"Authorization\" header",
	CredentialStore:      "Internal error",
	TokenNotMade:         "Internal error",
	InvalidParameter:     "A parameter is missing or invalid",
	ScopeNotAuthorized:   "One of the scopes is not authorized",
	Internal:             "Internal error",
	WrongTokenType:       "The token does not have the correct type",
	BadSignature:         "Invalid token signature",
	TokenExpired:         "Token expired",
	UnknownToken:         "Invalid token",
	TooManyRequests:      "Too many requests",
}

// String returns the code in its form on the wire, such as "AUTH-7".
func (c Code) String() string { return "AUTH-" + strconv.Itoa(int(c)) }

// Error returns the code and its meaning.
func (c Code) Error() string {
	if !c.valid() {
		return c.String()
	}
	return c.String() + ": " + messages[c]
}

// IsServerError reports whether the code is for a failure of the server. Such an answer
// contains no cause and no challenge.
func (c Code) IsServerError() bool {
	return c == CredentialStore || c == TokenNotMade || c == Internal
}

func (c Code) valid() bool { return c >= CredentialsIncorrect && c <= TooManyRequests }
