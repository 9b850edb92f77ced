package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// atAnyTime runs a test on the demo under a clock that jumps. call passes a request to
// the demo's handler as the server would.
func atAnyTime(t *testing.T, test func(t *testing.T, w *fakeClock)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h, err := newKeyedDemo(t.Context(), "http://127.0.0.1:1", 5*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		test(t, &fakeClock{t, h})
	})
}

type fakeClock struct {
	t *testing.T
	h http.Handler
}

func (w *fakeClock) do(method, path string, options ...option) *answer {
	in := &req{method: method, path: path, header: http.Header{}}
	for _, o := range options {
		o(in)
	}
	r := httptest.NewRequest(method, path, strings.NewReader(in.body))
	for name, values := range in.header {
		for _, v := range values {
			r.Header.Add(name, v)
		}
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	return read(w.t, rec.Result())
}

func (w *fakeClock) session() (opened, func() *answer) {
	a := w.do("GET", "/api/login?_json=true", asDemoUser)
	a.want(w.t, 200, "")
	o := opened{a.text("authtoken"), a.text("sessionid")}
	return o, func() *answer {
		return w.do("GET", "/api/me", sessionHeader("Bearer "+o.token), header("Cookie", "JSESSIONID="+o.cookie))
	}
}

func TestAccessTokensExpire(t *testing.T) {
	atAnyTime(t, func(t *testing.T, w *fakeClock) {
		time.Sleep(time.Second - time.Duration(time.Now().Nanosecond())) // tokens count whole seconds
		key := header("X-API-KEY", "my_api_key")
		password := form("grant_type", "password", "username", userLogin, "password", userPassword)
		oauth2 := w.do("POST", "/oauth2/token", asDemoClient, password)
		tiers := w.do("POST", "/public/token", key, password)
		partner := w.do("POST", "/partner/tokens", asPartner, body(mimeJSON, `{"expires_in":3600}`)).text("access_token")
		as := basic("demo-partner", partner)
		child := w.do("POST", "/partner/tokens", as, body(mimeJSON, `{"expires_in":60}`)).text("access_token")
		verify := func(token string) *answer {
			return w.do("POST", "/partner/tokens/verify", asPartner, body(mimeJSON, `{"token":"`+token+`"}`))
		}
		live := func() {
			t.Helper()
			w.do("GET", "/v1/me", bearer(oauth2.text("access_token"))).want(t, 200, "")
			w.do("GET", "/partner/", as).want(t, 200, "")
			verify(partner).want(t, 200, "")
		}
		live()
		time.Sleep(time.Minute)
		w.do("GET", "/partner/", basic("demo-partner", child)).want(t, 400, "AUTH-11")
		verify(child).want(t, 400, "AUTH-11")
		w.do("POST", "/partner/tokens", basic("demo-partner", child)).want(t, 400, "AUTH-11")
		time.Sleep(time.Hour - time.Minute - time.Millisecond)
		live()
		if a := w.do("POST", "/partner/tokens", as); a.status == 201 && a.field("expires_in") != 1.0 {
			t.Errorf("minted in its last second: %s", a.body)
		}
		time.Sleep(time.Millisecond)
		w.do("GET", "/v1/me", bearer(oauth2.text("access_token"))).wantOAuth(t, 401, "AUTH-11", "invalid_token")
		w.do("GET", "/partner/", as).want(t, 400, "AUTH-11")
		w.do("GET", "/partner/", basic("other-partner", partner)).want(t, 401, "AUTH-1")
		verify(partner).want(t, 400, "AUTH-11")
		verify(mistyped(partner, len(partner)-20)).want(t, 400, "AUTH-10") // J32
		refresh := form("grant_type", "refresh_token", "refresh_token", oauth2.text("access_token"))
		w.do("POST", "/oauth2/token", asDemoClient, refresh).wantOAuth(t, 400, "AUTH-9", "invalid_grant")
		about := w.do("POST", "/oauth2/introspect", asDemoClient, form("token", oauth2.text("access_token")))
		if strings.TrimSpace(about.body) != `{"active":false}` { // O11
			t.Errorf("got %s", about.body)
		}
		w.do("GET", "/user/me", key, bearer(tiers.text("access_token"))).want(t, 200, "")
		for path, a := range map[string]*answer{"/oauth2/token": oauth2, "/public/token": tiers} {
			w.do("POST", path, asDemoClient, key, form("grant_type", "refresh_token", "refresh_token", a.text("refresh_token"))).want(t, 200, "")
		}
	})
}

func TestRotationStartsTheRefreshTokensLifetimeAnew(t *testing.T) {
	atAnyTime(t, func(t *testing.T, w *fakeClock) {
		ends := func(token string) time.Duration {
			t.Helper()
			a := w.do("POST", "/oauth2/introspect", asDemoClient, form("token", token, "token_type_hint", "refresh_token"))
			exp, _ := a.field("exp").(float64)
			return time.Until(time.Unix(int64(exp), 0)).Round(time.Minute)
		}
		a := w.do("POST", "/oauth2/token", asDemoClient, form("grant_type", "password", "username", userLogin, "password", userPassword))
		for range 2 {
			if got := ends(a.text("refresh_token")); got != 30*24*time.Hour {
				t.Fatalf("a new refresh token lives for %v", got)
			}
			time.Sleep(time.Hour)
			if got := ends(a.text("refresh_token")); got != 30*24*time.Hour-time.Hour {
				t.Fatalf("an unused refresh token lives for %v", got)
			}
			a = w.do("POST", "/oauth2/token", asDemoClient, form("grant_type", "refresh_token", "refresh_token", a.text("refresh_token")))
			a.want(t, 200, "")
		}
	})
}

func TestSessionsSlide(t *testing.T) {
	const timeout = 5 * time.Minute
	t.Run("idle", func(t *testing.T) {
		atAnyTime(t, func(t *testing.T, w *fakeClock) {
			_, me := w.session()
			for range 3 {
				time.Sleep(timeout - 100*time.Millisecond)
				me().want(t, 200, "")
			}
			time.Sleep(timeout + 100*time.Millisecond)
			if a := me(); a.status != 401 {
				t.Errorf("idle for longer than the timeout: got %d %s", a.status, a.body)
			}
			if a := me(); a.status != 401 {
				t.Errorf("revived: got %d %s", a.status, a.body)
			}
		})
	})
	t.Run("a refused call renews nothing", func(t *testing.T) {
		atAnyTime(t, func(t *testing.T, w *fakeClock) {
			o, me := w.session()
			time.Sleep(timeout / 2)
			w.do("GET", "/api/me", sessionHeader("Bearer "+o.token)).want(t, 401, "AUTH-1")
			w.do("GET", "/api/me", bearer(o.token), header("Cookie", "JSESSIONID="+o.cookie)).want(t, 401, "AUTH-2")
			time.Sleep(timeout/2 + 100*time.Millisecond)
			if a := me(); a.status != 401 {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	})
	t.Run("small steps", func(t *testing.T) {
		atAnyTime(t, func(t *testing.T, w *fakeClock) {
			_, me := w.session()
			for range 20 {
				time.Sleep(time.Second)
				me().want(t, 200, "")
			}
			time.Sleep(timeout - 100*time.Millisecond)
			me().want(t, 200, "")
		})
	})
	t.Run("twelve hours at most", func(t *testing.T) {
		atAnyTime(t, func(t *testing.T, w *fakeClock) {
			_, me := w.session()
			ends := time.Now().Add(12 * time.Hour)
			for time.Until(ends) > timeout {
				time.Sleep(timeout - time.Second)
				me().want(t, 200, "")
			}
			time.Sleep(time.Until(ends) - 100*time.Millisecond)
			me().want(t, 200, "")
			time.Sleep(200 * time.Millisecond)
			if a := me(); a.status != 401 {
				t.Errorf("after twelve hours: got %d %s", a.status, a.body)
			}
		})
	})
}

// TestUsesCountOnTheirDay admits a request on either side of a UTC midnight.
func TestUsesCountOnTheirDay(t *testing.T) {
	t.Parallel()
	atAnyTime(t, func(t *testing.T, w *fakeClock) {
		partner := basic("demo-partner", "demo-partner-secret")
		now := time.Now().UTC()
		midnight := now.Truncate(24 * time.Hour).Add(24 * time.Hour)
		time.Sleep(midnight.Sub(now) - time.Nanosecond)
		w.do("GET", "/partner/onboarding", partner).want(t, 200, "")
		time.Sleep(time.Nanosecond)
		for range 2 {
			w.do("GET", "/partner/onboarding", partner).want(t, 200, "")
		}
		for _, tt := range []struct {
			from, to int
			uses     string
		}{
			{-1, -1, `"quantities":1}`}, {0, 0, `"quantities":2}`}, {-1, 0, `"quantities":3}`}, {-2, -2, `"clients":[]`}, {1, 1, `"clients":[]`},
		} {
			day := func(n int) string { return midnight.AddDate(0, 0, n).Format(time.DateOnly) }
			a := w.do("GET", "/partner/usages?api_name=onboarding&start_date="+day(tt.from)+"&end_date="+day(tt.to), partner)
			if !strings.Contains(a.body, tt.uses) {
				t.Errorf("days %d to %d from midnight: got %s, want %s", tt.from, tt.to, a.body, tt.uses)
			}
		}
	})
}
