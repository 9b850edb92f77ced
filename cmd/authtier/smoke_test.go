package main

import "testing"

func TestPing(t *testing.T) {
	w := startDemo(t)
	w.do("GET", "/ext/ping").want(t, 200, "")
	w.rawTarget("CONNECT", "/ext/../user/me").want(t, 404, "AUTH-6")
	w.do("POST", "/partner/onboarding").want(t, 405, "AUTH-6")
	w.do("POST", "/api/me").want(t, 405, "AUTH-6")
	w.do("GET", "/partner").want(t, 404, "AUTH-6")
	w.do("GET", "/oauth2").want(t, 404, "AUTH-6")
	w.do("GET", "/oauth2/token").want(t, 405, "AUTH-6")
}
