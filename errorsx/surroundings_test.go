package errorsx_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
)

// around is a Surroundings that records the calls of Refused.
type around struct {
	writer   *errorsx.Writer
	codes    []errorsx.Code
	statuses []int
}

func (a *around) Writer() *errorsx.Writer { return a.writer }

func (a *around) Refused(e *errorsx.Error, status int) {
	a.codes, a.statuses = append(a.codes, e.Code), append(a.statuses, status)
}

// within returns a request with a as its surroundings.
func within(a errorsx.Surroundings, method, target string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	return r.WithContext(context.WithValue(r.Context(), errorsx.SurroundingsKey{}, a))
}

var discard = slog.New(slog.DiscardHandler)

// TestInheritedWriter refuses requests with and without a writer of the handler's
// own, at both places. Each refusal must be reported to the surroundings once.
func TestInheritedWriter(t *testing.T) {
	rfc := &errorsx.Writer{Dialect: errorsx.RFC, Realm: "outer", Log: discard}
	table := &errorsx.Writer{Realm: "own", Log: discard}
	for _, tt := range []struct {
		name       string
		outer, own *errorsx.Writer
		err        error
		resource   int
		token      int
		challenge  string
	}{
		{"nothing", nil, nil, errorsx.UnknownToken, 404, 404, `Bearer realm="api", error=`},
		{"inherited", rfc, nil, errorsx.UnknownToken, 401, 400, `Bearer realm="outer", error=`},
		{"own", rfc, table, errorsx.UnknownToken, 404, 404, `Bearer realm="own", error=`},
		{"own alone", nil, table, errorsx.UnknownToken, 404, 404, `Bearer realm="own", error=`},
		{"failure", rfc, nil, errors.New("down"), 503, 503, ""},
		{"client inherited", rfc, nil, errorsx.CredentialsIncorrect, 401, 401, `Bearer realm="outer", error=`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &around{writer: tt.outer}
			rec := httptest.NewRecorder()
			tt.own.Refuse(rec, within(a, "GET", "/"), "Bearer", tt.err)
			if got := rec.Header().Get("WWW-Authenticate"); rec.Code != tt.resource || !strings.HasPrefix(got, tt.challenge) || got != "" && tt.challenge == "" {
				t.Errorf("resource: got %d %s, want %d %s", rec.Code, got, tt.resource, tt.challenge)
			}

			rec = httptest.NewRecorder()
			tt.own.RefuseAtTokenEndpoint(rec, within(a, "POST", "/"), "Basic", tt.err)
			if got := rec.Header().Get("WWW-Authenticate"); rec.Code != tt.token || (got != "") != (tt.token == 401) {
				t.Errorf("token endpoint: got %d %q, want %d", rec.Code, got, tt.token)
			}

			code := errorsx.From(tt.err).Code
			if !slices.Equal(a.codes, []errorsx.Code{code, code}) || !slices.Equal(a.statuses, []int{tt.resource, tt.token}) {
				t.Errorf("the surroundings were told %v %v", a.codes, a.statuses)
			}
		})
	}
}

// TestMuxInherits tests that a Mux without a writer of its own uses the outer one.
// Answers that are not refusals must not be reported to the surroundings.
func TestMuxInherits(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /a", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "mine", 404) })
	mux.HandleFunc("GET /dir/", func(w http.ResponseWriter, r *http.Request) {})
	a := &around{writer: &errorsx.Writer{Dialect: func(errorsx.Place, *errorsx.Error) (int, string) { return 418, "outer" }}}
	h := errorsx.Mux(mux)
	for _, tt := range []struct {
		method, target, want string
		told                 int
	}{
		{"GET", "/none", `"error":"outer"`, 404},
		{"DELETE", "/a", `"error":"outer"`, 405},
		{"GET", "/a", "mine", 0},
		{"GET", "/dir", "Temporary Redirect", 0},
	} {
		a.statuses = nil
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, within(a, tt.method, tt.target))
		if !strings.Contains(rec.Body.String(), tt.want) {
			t.Errorf("%s %s: got %d %s", tt.method, tt.target, rec.Code, rec.Body)
		}
		if want := []int{tt.told}; tt.told != 0 && !slices.Equal(a.statuses, want) || tt.told == 0 && a.statuses != nil {
			t.Errorf("%s %s: the surroundings were told %v", tt.method, tt.target, a.statuses)
		}
	}
}
