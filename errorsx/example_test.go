package errorsx_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// This example renders refusals as problem details (RFC 9457). It keeps the member
// error, so that OAuth clients understand the body too.
func ExampleWriter_problemDetails() {
	problem := func(r errorsx.Refusal) (contentType string, body []byte) {
		body, _ = json.Marshal(map[string]any{
			"type":   "https://api.example/errors/" + r.Code.String(),
			"title":  r.Message,
			"status": r.Status,
			"error":  r.OAuthError,
		})
		return "application/problem+json", body
	}
	errors := &errorsx.Writer{Dialect: errorsx.RFC, Body: problem}
	h := middleware.Errors(errors)(errorsx.Mux(http.NewServeMux()))

	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/nowhere", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	fmt.Println(w.Body)
	// Output:
	// 404 application/problem+json
	// {"error":"invalid_request","status":404,"title":"No such path","type":"https://api.example/errors/AUTH-6"}
}
