package errorsx_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/authtier/authtier/errorsx"
)

// A plain mux answers an unknown path and a wrong method with text. Clients of a
// guarded mux expect the JSON of all other refusals.
func ExampleMux() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /reports", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "[]") })

	for _, h := range []http.Handler{mux, errorsx.Mux(mux)} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/nowhere", nil))
		fmt.Print(w.Code, " ", w.Body)
		w = httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/reports", nil))
		fmt.Println(w.Code, w.Header().Get("Content-Type"), w.Header().Get("Allow"))
	}
	// Output:
	// 404 404 page not found
	// 405 text/plain; charset=utf-8 GET, HEAD
	// 404 {"code":"AUTH-6","message":"No such path","error":"invalid_request","error_description":"No such path"}
	// 405 application/json GET, HEAD
}

// The dialect chooses the status. The body is the same.
func ExampleWriter() {
	for _, dialect := range []errorsx.Dialect{errorsx.Table, errorsx.RFC} {
		writer := &errorsx.Writer{Dialect: dialect, Realm: "shop"}
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		writer.Refuse(w, r, "Bearer", errorsx.UnknownToken)
		fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
		fmt.Print(w.Body)
	}
	// Output:
	// 404 Bearer realm="shop", error="invalid_token", error_description="Invalid token"
	// {"code":"AUTH-12","message":"Invalid token","error":"invalid_token","error_description":"Invalid token"}
	// 401 Bearer realm="shop", error="invalid_token", error_description="Invalid token"
	// {"code":"AUTH-12","message":"Invalid token","error":"invalid_token","error_description":"Invalid token"}
}

// Errors that are not refusals are failures of the server. Their text stays in the log.
func ExampleFrom() {
	var (
		code    error = errorsx.ScopeNotAuthorized
		refusal error = &errorsx.Error{Code: errorsx.CredentialsIncorrect, Message: "The client is suspended"}
		wrapped       = fmt.Errorf("validating: %w", refusal)
		other         = errors.New("the database is down")
	)
	for _, err := range []error{code, refusal, wrapped, other} {
		e := errorsx.From(err)
		fmt.Println(e.Code.String(), e.Code.IsServerError())
	}
	// Output:
	// AUTH-7 false
	// AUTH-1 false
	// AUTH-1 false
	// AUTH-8 true
}
