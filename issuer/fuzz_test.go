package issuer_test

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtier/authtier/issuer"
)

var discard = slog.New(slog.DiscardHandler)

// FuzzTokenRequest states that every request is answered with tokens, or with a refusal
// that blames the client. Only a request with the client's secret gets tokens.
func FuzzTokenRequest(f *testing.F) {
	const form = "application/x-www-form-urlencoded"
	good := "client_id=app&client_secret=app-secret&grant_type=client_credentials"
	f.Add("", form, good)
	f.Add("grant_type=client_credentials", "application/json", `{"client_id":"app","client_secret":"app-secret"}`)
	f.Add("", "", `{"grant_type":"client_credentials","client_id":"app","client_secret":"app-secret","x":[1,{"y":null}]}`)
	f.Add("", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\npassword\r\n--x--\r\n")
	f.Add("", form, good+"&scope=a&scope=b")
	f.Add("", form, "%zz")
	f.Add("grant_type=refresh_token;", form, "client_id=app&client_secret=app-secret&refresh_token=authtier_rt_x")
	iss := newIssuer(f, nil, issuer.Config{OpaqueTokens: true, AllowPassword: true})
	h := inRFC(iss.TokenHandler())
	f.Fuzz(func(t *testing.T, query, contentType, body string) {
		r := httptest.NewRequest("POST", "/token", strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var answer struct{ Code, Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("got %d %q: %v", w.Code, w.Body, err)
		}
		switch {
		case w.Code == 200 && !strings.Contains(body, "app-secret") && !strings.Contains(body, `\`) && !strings.Contains(body, "%"):
			t.Errorf("tokens without a secret: %q", body)
		case w.Code != 200 && (w.Code < 400 || w.Code >= 500 || answer.Code == "" || answer.Error == ""):
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
}
