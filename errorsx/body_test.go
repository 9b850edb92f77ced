package errorsx_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
)

// TestBody renders answers with a user's function. Only the content type and the body
// may differ from the standard answers.
func TestBody(t *testing.T) {
	cause := errors.New("the cause")
	for _, err := range []error{
		errorsx.CredentialsMissing,
		&errorsx.Error{Code: errorsx.ScopeNotAuthorized, Scope: "a", Err: cause},
		&errorsx.Error{Code: errorsx.TooManyRequests, RetryAfter: 1},
		errorsx.NotFound(),
		cause,
	} {
		var got errorsx.Refusal
		own := &errorsx.Writer{Dialect: errorsx.RFC, Log: discard, Body: func(r errorsx.Refusal) (string, []byte) {
			got = r
			return "text/plain", []byte("mine")
		}}
		rec, standard := resource(own, "Bearer", err), resource(&errorsx.Writer{Dialect: errorsx.RFC, Log: discard}, "Bearer", err)
		if rec.Body.String() != "mine" || rec.Header().Get("Content-Type") != "text/plain" || rec.Code != standard.Code {
			t.Errorf("%v: got %d %v %s", err, rec.Code, rec.Header(), rec.Body)
		}
		rec.Header().Set("Content-Type", "application/json")
		if !reflect.DeepEqual(rec.Header(), standard.Header()) {
			t.Errorf("%v: got %v, want %v", err, rec.Header(), standard.Header())
		}

		var body struct{ Code, Message, Error string }
		if err := json.Unmarshal(standard.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		failed := got.Code.IsServerError()
		if got.Code.String() != body.Code || got.Status != rec.Code || got.Message != body.Message || got.OAuthError != body.Error || (got.RequestID != "") != failed {
			t.Errorf("%v: the function got %+v, the standard body is %s", err, got, standard.Body)
		}
	}
}

// TestBodyFallsBack tests that the standard body is sent if the function renders
// none.
func TestBodyFallsBack(t *testing.T) {
	for name, body := range map[string]func(errorsx.Refusal) (string, []byte){
		"panic":           func(errorsx.Refusal) (string, []byte) { panic("out of order") },
		"no content type": func(errorsx.Refusal) (string, []byte) { return "", []byte("mine") },
	} {
		var log bytes.Buffer
		rec := resource(&errorsx.Writer{Body: body, Log: slog.New(slog.NewJSONHandler(&log, nil))}, "Bearer", errorsx.TokenExpired)
		standard := resource(&errorsx.Writer{}, "Bearer", errorsx.TokenExpired)
		if rec.Code != standard.Code || rec.Body.String() != standard.Body.String() || !reflect.DeepEqual(rec.Header(), standard.Header()) {
			t.Errorf("%s: got %d %v %s", name, rec.Code, rec.Header(), rec.Body)
		}
		if logged := strings.Contains(log.String(), "out of order"); logged != (name == "panic") {
			t.Errorf("%s: logged %s", name, log.String())
		}
	}
}

// TestBodyAborts tests that http.ErrAbortHandler passes, which ends the connection.
func TestBodyAborts(t *testing.T) {
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("recovered %v", p)
		}
	}()
	resource(&errorsx.Writer{Body: func(errorsx.Refusal) (string, []byte) { panic(http.ErrAbortHandler) }}, "", errorsx.TokenExpired)
}

// TestBodyIsForResources tests that the token endpoint answers in the form of RFC
// 6749.
func TestBodyIsForResources(t *testing.T) {
	w := &errorsx.Writer{Body: func(errorsx.Refusal) (string, []byte) { return "text/plain", []byte("mine") }}
	rec := httptest.NewRecorder()
	w.RefuseAtTokenEndpoint(rec, httptest.NewRequest("POST", "/", nil), "", errorsx.UnknownToken)
	if rec.Header().Get("Content-Type") != "application/json" || !strings.Contains(rec.Body.String(), `"error":"invalid_grant"`) {
		t.Errorf("got %v %s", rec.Header(), rec.Body)
	}
}
