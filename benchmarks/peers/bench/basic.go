package bench

import (
	"net/http"
	"testing"
)

// The one user of HTTP Basic authentication.
const (
	Login    = "ada"
	Password = "correct horse"
)

func basic(user, password string) *http.Request {
	r := Request()
	r.SetBasicAuth(user, password)
	return r
}

// CheckBasic fails unless p knows the user and the password.
func (p Party) CheckBasic(tb testing.TB) {
	tb.Helper()
	p.Check(tb, basic(Login, Password), map[string]*http.Request{
		"another password": basic(Login, "a guess"),
		"another user":     basic("bob", Password),
		"no header":        Request(),
	})
}

// BenchBasic sends the password, and another one, again and again.
func (p Party) BenchBasic(b *testing.B) {
	p.CheckBasic(b)
	p.Outcomes(b, "", basic(Login, Password), basic(Login, "a guess"))
}
