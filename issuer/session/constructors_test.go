package session_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// TestNewErrors passes invalid arguments. The error must name all of them.
func TestNewErrors(t *testing.T) {
	s := newSite(t, session.Config{})
	for name, tt := range map[string]struct {
		iss   *issuer.Issuer
		db    store.Sessions
		cfg   *session.Config
		wants []string
	}{
		"nothing":       {nil, nil, nil, []string{"no issuer", "no store"}},
		"a zero issuer": {&issuer.Issuer{}, s.db, nil, []string{"no issuer", "issuer.Open"}},
		"a nil pointer": {s.iss, (*memory.Store)(nil), nil, []string{"no store"}},
		"everything": {nil, nil, &session.Config{
			Base: "api/", Timeout: time.Millisecond, MaxAge: -1, Cookie: "a;b", Header: "X Y",
			Redirects: []session.Redirect{{}, {URI: "https://%zz"}, {URI: "https://:443/"}, {URI: "https://a.example/cb", Params: []string{"access_token"}}},
		}, []string{
			"no issuer", "no store", `the Base "api/"`, "the Timeout is 1ms", "the MaxAge is -1ns", `the Cookie is "a;b"`, `the Header is "X Y"`,
			`redirect "": expected`, `redirect "https://%zz": it does not parse`, `redirect "https://:443/": expected`, `redirect "https://a.example/cb": Params must not contain access_token`,
		}},
		"no unit":            {s.iss, s.db, &session.Config{Timeout: 300}, []string{"the Timeout is 300ns"}},
		"a short age":        {s.iss, s.db, &session.Config{Timeout: time.Hour, MaxAge: time.Minute}, []string{"the MaxAge is 1m"}},
		"an endless age":     {s.iss, s.db, &session.Config{MaxAge: 1<<63 - 1}, []string{"the MaxAge is 2562047h"}},
		"an endless timeout": {s.iss, s.db, &session.Config{Timeout: idp.MaxLifetime + 1}, []string{"the MaxAge is 8784h"}},
		"the cookie's own":   {s.iss, s.db, &session.Config{Header: "cookie"}, []string{`the Header is "cookie"`}},
		"the host":           {s.iss, s.db, &session.Config{Header: "HOST"}, []string{`the Header is "HOST"`}},
		"a header's colon":   {s.iss, s.db, &session.Config{Header: "X-Token:"}, []string{`the Header is "X-Token:"`}},
		"blanks":             {s.iss, s.db, &session.Config{Base: " ", Header: " ", Cookie: " "}, []string{"the Base", "the Header", "the Cookie"}},
	} {
		m, err := session.New(tt.iss, tt.db, tt.cfg)
		if err == nil || m != nil || !strings.HasPrefix(err.Error(), "session: New: ") {
			t.Errorf("%s: got %v, %v", name, m, err)
			continue
		}
		for _, want := range tt.wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want %q in it", name, err, want)
			}
		}
	}
}

// TestMethodsOfNoManager calls the methods by which a program is wired, on managers
// that New has not returned.
func TestMethodsOfNoManager(t *testing.T) {
	var none *session.Manager
	whole := newSite(t, session.Config{}).sessions
	for want, wire := range map[string]func(){
		"session: Bearer: the Manager does not come from New":   func() { none.Bearer() },
		"session: Register: the Manager does not come from New": func() { (&session.Manager{}).Register(http.NewServeMux()) },
		"session: Register: nil ServeMux":                       func() { whole.Register(nil) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); got != want {
					t.Errorf("got the panic %q, want %q", got, want)
				}
			}()
			wire()
		}()
	}
}
