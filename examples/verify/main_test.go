package main

import (
	"crypto/ed25519"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestVerify(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := handler(public)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(audience string) string {
		token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
			"iss": "https://id.example.com", "aud": audience, "sub": "ada", "exp": time.Now().Add(time.Minute).Unix(),
		})
		token.Header["kid"] = "k1"
		s, err := token.SignedString(private)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, tt := range []struct {
		token  string
		status int
	}{
		{sign("https://api.example.com"), 200}, {sign("https://other.example.com"), 404}, {"junk", 404},
	} {
		r, w := httptest.NewRequest("GET", "/hello", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+tt.token)
		h.ServeHTTP(w, r)
		if w.Code != tt.status || tt.status == 200 && w.Body.String() != "hello, ada\n" {
			t.Errorf("%s: got %d %s, want %d", tt.token, w.Code, w.Body, tt.status)
		}
	}
}
