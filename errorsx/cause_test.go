package errorsx_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
)

// TestCauseAtDebugLevel tests that the cause of a refusal that is the client's fault
// is logged at level Debug. The log has an ID that the answer does not contain.
func TestCauseAtDebugLevel(t *testing.T) {
	cause := errors.New(`claim "aud": another`)
	e := &errorsx.Error{Code: errorsx.UnknownToken, Client: "app", Err: cause}
	for _, tt := range []struct {
		name   string
		level  slog.Level
		err    error
		logged bool
	}{
		{"debug", slog.LevelDebug, e, true},
		{"wrapped", slog.LevelDebug, fmt.Errorf("outer: %w", e), true},
		{"info", slog.LevelInfo, e, false},
		{"no cause", slog.LevelDebug, &errorsx.Error{Code: errorsx.UnknownToken}, false},
		{"a code", slog.LevelDebug, errorsx.UnknownToken, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			w := &errorsx.Writer{Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: tt.level}))}
			rec := resource(w, "Bearer", tt.err)
			if rec.Body.String() != resource(nil, "Bearer", errorsx.UnknownToken).Body.String() {
				t.Errorf("the client got %s", rec.Body)
			}
			if !tt.logged {
				if log.Len() > 0 {
					t.Errorf("logged %s", log.String())
				}
				return
			}

			var line map[string]any
			if err := json.Unmarshal(log.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			id, _ := line["request_id"].(string)
			if len(id) < 16 || line["level"] != "DEBUG" || line["code"] != "AUTH-12" || line["status"] != 404.0 || line["method"] != "GET" ||
				line["path"] != "/path" || line["client"] != "app" || !strings.Contains(fmt.Sprint(line["cause"]), cause.Error()) {
				t.Errorf("logged %s", log.String())
			}
			if strings.Contains(log.String(), "s3cret") {
				t.Errorf("the query was logged: %s", log.String())
			}
		})
	}
}

// TestCauseOfInheritedWriter tests that an inherited writer logs the cause.
func TestCauseOfInheritedWriter(t *testing.T) {
	var log bytes.Buffer
	outer := &errorsx.Writer{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	rec := httptest.NewRecorder()
	(*errorsx.Writer)(nil).Refuse(rec, within(&around{writer: outer}, "GET", "/"), "", &errorsx.Error{Code: errorsx.BadSignature, Err: errors.New("the cause")})
	if !strings.Contains(log.String(), "the cause") || strings.Contains(rec.Body.String(), "the cause") {
		t.Errorf("logged %s, answered %s", log.String(), rec.Body)
	}
}
