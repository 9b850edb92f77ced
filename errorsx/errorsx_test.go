package errorsx_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// TestStatuses tests the table of codes, dialects and places.
func TestStatuses(t *testing.T) {
	const resource, token = errorsx.Resource, errorsx.TokenEndpoint
	for _, tt := range []struct {
		e                        errorsx.Error
		table, rfc, rfcToken     int
		resourceOAuth, tokenAuth string
	}{
		{errorsx.Error{Code: 1}, 401, 401, 401, "invalid_token", "invalid_client"},
		{errorsx.Error{Code: 1, OAuthError: "invalid_grant"}, 401, 400, 400, "invalid_grant", "invalid_grant"},
		{errorsx.Error{Code: 2}, 401, 401, 401, "invalid_request", "invalid_client"},
		{errorsx.Error{Code: 3}, 401, 400, 401, "invalid_request", "invalid_client"},
		{errorsx.Error{Code: 3, BareChallenge: true}, 401, 401, 401, "invalid_request", "invalid_client"},
		{errorsx.Error{Code: 4}, 500, 503, 503, "temporarily_unavailable", "temporarily_unavailable"},
		{errorsx.Error{Code: 5}, 500, 500, 500, "server_error", "server_error"},
		{errorsx.Error{Code: 6}, 422, 400, 400, "invalid_request", "invalid_request"},
		{errorsx.Error{Code: 6, OAuthError: "unsupported_grant_type"}, 422, 400, 400, "unsupported_grant_type", "unsupported_grant_type"},
		{errorsx.Error{Code: 7}, 403, 403, 400, "insufficient_scope", "invalid_scope"},
		{errorsx.Error{Code: 8}, 500, 503, 503, "temporarily_unavailable", "temporarily_unavailable"},
		{*errorsx.Fault(nil), 500, 500, 500, "server_error", "server_error"},
		{errorsx.Error{Code: 9}, 400, 401, 400, "invalid_token", "invalid_grant"},
		{errorsx.Error{Code: 10}, 400, 401, 400, "invalid_token", "invalid_grant"},
		{errorsx.Error{Code: 11}, 400, 401, 400, "invalid_token", "invalid_grant"},
		{errorsx.Error{Code: 12}, 404, 401, 400, "invalid_token", "invalid_grant"},
		{errorsx.Error{Code: 13}, 429, 429, 429, "temporarily_unavailable", "temporarily_unavailable"},
	} {
		for _, want := range []struct {
			dialect errorsx.Dialect
			place   errorsx.Place
			status  int
			oauth   string
		}{
			{errorsx.Table, resource, tt.table, tt.resourceOAuth},
			{errorsx.Table, token, tt.table, tt.tokenAuth},
			{errorsx.RFC, resource, tt.rfc, tt.resourceOAuth},
			{errorsx.RFC, token, tt.rfcToken, tt.tokenAuth},
		} {
			if status, oauth := want.dialect(want.place, &tt.e); status != want.status || oauth != want.oauth {
				t.Errorf("%+v at place %d: got %d %s, want %d %s", tt.e, want.place, status, oauth, want.status, want.oauth)
			}
		}
	}
}

func resource(w *errorsx.Writer, scheme string, err error) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.Refuse(rec, httptest.NewRequest("GET", "/path?secret=s3cret", nil), scheme, err)
	return rec
}

func TestAnswer(t *testing.T) {
	rec := resource(nil, "Bearer", errorsx.CredentialsMissing)
	want := `{"code":"AUTH-2","message":"Missing \"Authorization\" header","error":"invalid_request","error_description":"Missing Authorization header"}` + "\n"
	if rec.Code != 401 || rec.Body.String() != want {
		t.Errorf("got %d %s, want %s", rec.Code, rec.Body, want)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "WWW-Authenticate": `Bearer realm="api"`, "X-Content-Type-Options": "nosniff",
	} {
		if got := rec.Header().Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestChallenges(t *testing.T) {
	e := errorsx.Error{Code: errorsx.ScopeNotAuthorized, Message: "Say \"é\\\" please", Scope: "a b"}
	for _, tt := range []struct {
		scheme string
		realm  string
		err    error
		want   string
	}{
		{"Bearer", "", &e, `Bearer realm="api", error="insufficient_scope", error_description="Say  please", scope="a b"`},
		{"Bearer", "", errorsx.TokenExpired, `Bearer realm="api", error="invalid_token", error_description="Token expired"`},
		{"Bearer", "", errorsx.CredentialsMissing, `Bearer realm="api"`},
		{"Bearer", "", &errorsx.Error{Code: errorsx.CredentialsMalformed, BareChallenge: true}, `Bearer realm="api"`},
		{"Basic", "", &e, `Basic realm="api", charset="UTF-8"`},
		{"ApiKey", "", &e, `ApiKey realm="api"`},
		{"Basic", "a \"b\" \\ \r\nx", &e, `Basic realm="a \"b\" \\ x", charset="UTF-8"`}, // H20
		{"", "", &e, ""},
		{"Bearer", "", errorsx.CredentialStore, ""},
		{"Bearer", "", errorsx.TokenNotMade, ""},
		{"Bearer", "", errors.New("any other"), ""},
		{"Bearer", "", errorsx.NotFound(), ""},
	} {
		rec := resource(&errorsx.Writer{Realm: tt.realm, Log: slog.New(slog.DiscardHandler)}, tt.scheme, tt.err)
		if got := rec.Header().Get("WWW-Authenticate"); got != tt.want {
			t.Errorf("%v %v: got %s, want %s", tt.scheme, tt.err, got, tt.want)
		}
	}
}

// TestFurtherChallenges tests that only the challenge of the scheme that failed has
// the error.
func TestFurtherChallenges(t *testing.T) {
	others := []string{"Basic", "ApiKey"}
	for _, tt := range []struct {
		scheme string
		err    error
		want   []string
	}{
		{"Bearer", errorsx.TokenExpired, []string{
			`Bearer realm="r", error="invalid_token", error_description="Token expired"`, `Basic realm="r", charset="UTF-8"`, `ApiKey realm="r"`}},
		{"Bearer", errorsx.CredentialsMissing, []string{`Bearer realm="r"`, `Basic realm="r", charset="UTF-8"`, `ApiKey realm="r"`}},
		{"Bearer", errorsx.Internal, nil},
		{"Bearer", errors.New("any other"), nil},
		{"Bearer", errorsx.NotFound(), nil},
	} {
		rec := httptest.NewRecorder()
		w := &errorsx.Writer{Realm: "r", Log: slog.New(slog.DiscardHandler)}
		w.Refuse(rec, httptest.NewRequest("GET", "/", nil), tt.scheme, tt.err, others...)
		if got := rec.Header().Values("WWW-Authenticate"); !slices.Equal(got, tt.want) {
			t.Errorf("%v: got %q, want %q", tt.err, got, tt.want)
		}
	}
}

func TestTokenEndpointChallenges401Alone(t *testing.T) {
	for code, want := range map[errorsx.Code]string{
		errorsx.CredentialsIncorrect: `Basic realm="api", charset="UTF-8"`,
		errorsx.UnknownToken:         "",
		errorsx.InvalidParameter:     "",
	} {
		rec := httptest.NewRecorder()
		(&errorsx.Writer{Dialect: errorsx.RFC}).RefuseAtTokenEndpoint(rec, httptest.NewRequest("POST", "/", nil), "Basic", code)
		if got := rec.Header().Get("WWW-Authenticate"); got != want {
			t.Errorf("%v: got %d %q, want %q", code, rec.Code, got, want)
		}
	}
}

// TestOurFailure tests that the cause of a failure of the server reaches only the
// log.
func TestOurFailure(t *testing.T) {
	var log bytes.Buffer
	w := &errorsx.Writer{
		Dialect: errorsx.RFC, Log: slog.New(slog.NewJSONHandler(&log, nil)),
	}
	rec := resource(w, "Bearer", fmt.Errorf("lookup: %w", errors.New("connection refused by 10.0.0.7")))
	var body, line map[string]any
	if err := errors.Join(json.Unmarshal(rec.Body.Bytes(), &body), json.Unmarshal(log.Bytes(), &line)); err != nil {
		t.Fatal(err)
	}
	if rec.Code != 503 || rec.Header().Get("Retry-After") != "1" || body["code"] != "AUTH-8" || body["message"] != "Internal error" {
		t.Errorf("got %d %v %v", rec.Code, rec.Header(), body)
	}
	if strings.Contains(rec.Body.String(), "10.0.0.7") || strings.Contains(log.String(), "s3cret") {
		t.Errorf("body %s, log %s", rec.Body, log.String())
	}
	if id, _ := body["request_id"].(string); len(id) < 16 || id != line["request_id"] {
		t.Errorf("request_id %q in the body, %q in the log", body["request_id"], line["request_id"])
	}
	if !strings.Contains(fmt.Sprint(line["cause"]), "10.0.0.7") {
		t.Errorf("log %s", log.String())
	}
	if rec := resource(w, "", &errorsx.Error{Code: errorsx.CredentialStore, Message: "s3cret detail"}); strings.Contains(rec.Body.String(), "s3cret") {
		t.Errorf("a message of ours was sent: %s", rec.Body)
	}
}

func TestRetryAfter(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "1", time.Millisecond: "1", 90 * time.Second: "90", 1500 * time.Millisecond: "2"} {
		rec := resource(nil, "", &errorsx.Error{Code: errorsx.TooManyRequests, RetryAfter: d})
		if got := rec.Header().Get("Retry-After"); rec.Code != 429 || got != want {
			t.Errorf("%v: got %d, Retry-After %q, want %q", d, rec.Code, got, want)
		}
	}
}

func TestOwnDialect(t *testing.T) {
	for _, status := range []int{0, 200, 302, 600} {
		w := &errorsx.Writer{Dialect: func(errorsx.Place, *errorsx.Error) (int, string) { return status, "x" }}
		if rec := resource(w, "", errorsx.TokenExpired); rec.Code != 500 {
			t.Errorf("a dialect that says %d: got %d, want 500", status, rec.Code)
		}
	}
	teapot := &errorsx.Writer{Dialect: func(errorsx.Place, *errorsx.Error) (int, string) { return 418, "short_and_stout" }}
	if rec := resource(teapot, "", errorsx.TokenExpired); rec.Code != 418 || !strings.Contains(rec.Body.String(), `"error":"short_and_stout"`) {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
	if rec := resource(teapot, "", errorsx.NotFound()); rec.Code != 404 {
		t.Errorf("a fixed status: got %d, want 404", rec.Code)
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("cause")
	var err error = fmt.Errorf("wrapped: %w", &errorsx.Error{Code: errorsx.UnknownToken, Err: cause})
	e, ok := errors.AsType[*errorsx.Error](err)
	if !ok || e.Code != errorsx.UnknownToken || !errors.Is(err, errorsx.UnknownToken) || !errors.Is(err, cause) || errors.Is(err, errorsx.TokenExpired) {
		t.Errorf("%v does not show code and cause", err)
	}
	if got, want := err.Error(), "wrapped: AUTH-12: Invalid token: cause"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := errorsx.From(errorsx.UnknownToken).Error(), "AUTH-12: Invalid token"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, tt := range []struct {
		err  error
		want errorsx.Code
	}{
		{errorsx.TokenExpired, errorsx.TokenExpired},
		{fmt.Errorf("x: %w", errorsx.TokenExpired), errorsx.TokenExpired},
		{new(errorsx.Error{}), errorsx.Internal},
		{new(errorsx.Error{Code: 99}), errorsx.Internal},
		{errorsx.Code(0), errorsx.Internal},
		{io.EOF, errorsx.Internal},
	} {
		if got := errorsx.From(tt.err).Code; got != tt.want {
			t.Errorf("From(%v): got %v, want %v", tt.err, got, tt.want)
		}
	}
	if errorsx.Code(13).String() != "AUTH-13" || errorsx.TooManyRequests != 13 {
		t.Error("the codes are not numbered 1 to 13")
	}
}

func TestMux(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /a", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Pattern) })
	mux.HandleFunc("POST /a", func(w http.ResponseWriter, r *http.Request) {})
	mux.HandleFunc("/own404/{id}", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "mine "+r.PathValue("id"), 404) })
	mux.HandleFunc("/dir/", func(w http.ResponseWriter, r *http.Request) {})
	h := errorsx.Mux(mux)
	for _, tt := range []struct {
		method, target string
		status         int
		want           string
	}{
		{"GET", "/a", 200, "GET /a"},
		{"GET", "/nope", 404, `"code":"AUTH-6"`},
		{"DELETE", "/a", 405, `"code":"AUTH-6"`},
		{"GET", "/own404/7", 404, "mine 7"},
		{"GET", "/dir", 307, ""},
		{"GET", "/b/../a", 307, ""},
		{"GET", "/b/../a?access_token=t", 307, "t"},
	} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(tt.method, tt.target, nil))
		if rec.Code != tt.status || !strings.Contains(rec.Body.String(), tt.want) {
			t.Errorf("%s %s: got %d %s", tt.method, tt.target, rec.Code, rec.Body)
		}
		secret := strings.Contains(tt.target, "access_token")
		if h := rec.Header(); secret && (h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer") {
			t.Errorf("%s: a token is redirected with %v", tt.target, h)
		}
		if tt.status == 405 && rec.Header().Get("Allow") != "GET, HEAD, POST" {
			t.Errorf("Allow: got %q", rec.Header().Get("Allow"))
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.URL.Path, r.RequestURI = "*", "*"
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	if rec.Code != 404 {
		t.Errorf("*: got %d, want 404", rec.Code)
	}
}

// TestBodyIsJSON sends messages with all characters that need an escape.
func TestBodyIsJSON(t *testing.T) {
	for _, message := range []string{"plain", `quote " and \`, "tab \t newline \n NUL \x00", "é 😀", "not UTF-8 \xff", "</script>"} {
		rec := resource(nil, "", &errorsx.Error{Code: errorsx.InvalidParameter, Message: message})
		var got struct{ Message string }
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || got.Message != strings.ToValidUTF8(message, "\ufffd") {
			t.Errorf("%q: got %q, %v", message, rec.Body, err)
		}
	}
}

// TestZeroWriter tests that the Table dialect is the default, and that the time to
// wait is sent in whole seconds.
func TestZeroWriter(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		retry  string
	}{
		{errorsx.UnknownToken, 404, ""}, {errorsx.InvalidParameter, 422, ""}, {errorsx.Internal, 500, ""},
		{&errorsx.Error{Code: errorsx.TooManyRequests, RetryAfter: 89*time.Second + 1}, 429, "90"},
		{errorsx.TooManyRequests, 429, "1"},
	} {
		for _, ew := range []*errorsx.Writer{nil, {Log: slog.New(slog.DiscardHandler)}} {
			w := httptest.NewRecorder()
			ew.Refuse(w, httptest.NewRequest("GET", "/", nil), "Bearer", tt.err)
			if w.Code != tt.status || w.Header().Get("Retry-After") != tt.retry {
				t.Errorf("%v: got %d, Retry-After %q, want %d, %q", tt.err, w.Code, w.Header().Get("Retry-After"), tt.status, tt.retry)
			}
		}
	}
}
