// Package middlewaretest writes who may call what, as a file that a review shows.
//
//	func TestWhoMayCallWhat(t *testing.T) {
//		middlewaretest.Matrix(t, handler, []string{"GET /reports", "POST /reports"}, map[string]func(*http.Request){
//			"nobody": nil,
//			"reader": middlewaretest.Header("Authorization", "Bearer "+token),
//		})
//	}
//
// A change of a guard changes the file testdata/TestWhoMayCallWhat.matrix, or fails the
// test. [Guarded] tests that no route is open by mistake.
package middlewaretest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// updateVariable is the environment variable that writes files anew.
const updateVariable = "UPDATE_MATRIX"

// Matrix calls each route as each identity and compares the answers with the file
// testdata/NAME.matrix, where NAME is that of the test. With UPDATE_MATRIX=1 in the
// environment, it writes the file instead.
//
// A route is a method and a path that a request may have, such as "GET /users/7". Matrix
// sends real requests to h, so its handlers run. An identity changes a request before it
// is sent; a nil function sends it as it is. A cell holds the status, and for a refusal
// of this suite its code.
func Matrix(t testing.TB, h http.Handler, routes []string, identities map[string]func(*http.Request)) {
	t.Helper()
	got, err := table(h, routes, identities)
	if err != nil {
		t.Fatal("middlewaretest: Matrix: ", err)
	}

	name := filepath.Join("testdata", strings.ReplaceAll(t.Name(), "/", "_")+".matrix")
	if os.Getenv(updateVariable) == "1" {
		if err := write(name, got); err != nil {
			t.Fatal("middlewaretest: Matrix: ", err)
		}
		return
	}

	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("middlewaretest: Matrix: %v; run the test with %s=1 to write the file, and review it:\n%s", err, updateVariable, got)
	}
	// An editor or a checkout may have changed the line ends.
	if want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n")); !bytes.Equal(got, want) {
		t.Errorf("middlewaretest: Matrix: who may call what has changed (%s=1 writes %s anew):\n%s", updateVariable, name, changes(want, got))
	}
}

// Header returns an identity that sets a header.
func Header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// Guarded calls each route without a credential. It fails the test if a route outside of
// open is not refused with AUTH-2 or AUTH-3. It also fails if a route in open is refused
// with one of these codes, or is not in routes. A [http.ServeMux] cannot list its routes:
// keep the list beside them.
func Guarded(t testing.TB, h http.Handler, routes []string, open ...string) {
	t.Helper()
	for _, route := range open {
		if !slices.Contains(routes, route) {
			t.Errorf("middlewaretest: Guarded: the open route %q is not among the routes", route)
		}
	}
	for _, route := range routes {
		cell, err := call(h, route, nil)
		refused := strings.HasSuffix(cell, " AUTH-2") || strings.HasSuffix(cell, " AUTH-3")
		switch isOpen := slices.Contains(open, route); {
		case err != nil:
			t.Errorf("middlewaretest: Guarded: %v", err)
		case refused && isOpen:
			t.Errorf("middlewaretest: Guarded: %s is listed as open, and is refused without a credential: %s", route, cell)
		case !refused && !isOpen:
			t.Errorf("middlewaretest: Guarded: %s without a credential answers %s, expected a refusal with AUTH-2 or AUTH-3", route, cell)
		}
	}
}

// table returns the answers, a line for each route.
func table(h http.Handler, routes []string, identities map[string]func(*http.Request)) ([]byte, error) {
	if len(routes) == 0 || len(identities) == 0 {
		return nil, fmt.Errorf("%d routes and %d identities, expected some of both", len(routes), len(identities))
	}
	names := slices.Sorted(maps.Keys(identities))
	rows := [][]string{append([]string{"route"}, names...)}
	for _, route := range routes {
		row := []string{route}
		for _, name := range names {
			cell, err := call(h, route, identities[name])
			if err != nil {
				return nil, err
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return aligned(rows), nil
}

// call returns the status of a route's answer, and the code of a refusal.
func call(h http.Handler, route string, identity func(*http.Request)) (cell string, err error) {
	method, path, ok := strings.Cut(route, " ")
	if !ok || !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("the route %q, expected a method, a blank and a path", route)
	}

	r := httptest.NewRequest(method, path, nil)
	if identity != nil {
		identity(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)

	var refusal struct {
		Code string `json:"code"`
	}
	if w.Code >= 400 && json.Unmarshal(w.Body.Bytes(), &refusal) == nil && strings.HasPrefix(refusal.Code, "AUTH-") {
		return fmt.Sprintf("%d %s", w.Code, refusal.Code), nil
	}
	return fmt.Sprint(w.Code), nil
}

// aligned returns the rows as text whose columns begin below each other.
func aligned(rows [][]string) []byte {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}

	var b bytes.Buffer
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&line, "%-*s  ", widths[i], cell)
		}
		fmt.Fprintln(&b, strings.TrimRight(line.String(), " "))
	}
	return b.Bytes()
}

// changes returns the lines that only one of the two files has.
func changes(want, got []byte) string {
	var b strings.Builder
	for _, side := range []struct {
		mark       string
		has, other []byte
	}{{"- ", want, got}, {"+ ", got, want}} {
		others := strings.Split(string(side.other), "\n")
		for line := range strings.SplitSeq(strings.TrimSuffix(string(side.has), "\n"), "\n") {
			if !slices.Contains(others, line) {
				fmt.Fprintln(&b, side.mark+line)
			}
		}
	}
	return b.String()
}

func write(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644)
}
