package throttle_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/throttle"
)

// onePassword is a validator that knows one password.
var onePassword = middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if c.Secret != "correct horse" {
		return nil, errorsx.CredentialsIncorrect
	}
	return &middleware.Identity{Client: c.Username}, nil
})

// A number without a unit is nanoseconds, and hardly what the program means.
func ExampleNew() {
	_, err := throttle.New(&throttle.Config{Failures: 3, Window: time.Minute})
	fmt.Println(err)
	_, err = throttle.New(&throttle.Config{Failures: 3, Window: 60})
	fmt.Println(err)
	// Output:
	// <nil>
	// throttle: New: the Window is 60ns, expected at least 1s, or 0 for 15m: a number without a unit is nanoseconds
}

// The block of one address leaves the account open to others.
func ExampleThrottle_Around() {
	t, err := throttle.New(&throttle.Config{Failures: 2, Window: time.Hour})
	if err != nil {
		log.Fatal(err)
	}
	basic := middleware.Basic(t.Around(onePassword), nil)

	login := func(addr, password string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = addr
		r.SetBasicAuth("acme", password)
		id, err := middleware.Check(r, basic)
		fmt.Printf("%q %v\n", id.Client, err)
	}
	for _, guess := range []string{"1234", "qwerty", "letmein", "correct horse"} {
		login("198.51.100.66:4711", guess)
	}
	login("203.0.113.9:4711", "correct horse")
	// Output:
	// "" AUTH-1: The credentials provided are incorrect
	// "" AUTH-1: The credentials provided are incorrect
	// "" AUTH-1: The credentials provided are incorrect
	// "" AUTH-13: Too many failed attempts for this account from this address
	// "acme" <nil>
}
