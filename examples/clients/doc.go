// Package clients shows that OAuth 2.0 clients of other languages and libraries work with
// the issuer, unmodified: each program in the folders below gets a token, and calls a
// guarded route with it. The test runs all of them.
package clients
