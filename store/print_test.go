package store_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/authtier/authtier/store"
)

// TestD09RecordsPrintNoSecrets prints, encodes and logs each record by itself, by
// its pointer, in a list and in a struct. D09
func TestD09RecordsPrintNoSecrets(t *testing.T) {
	d, sealed := store.DigestOf("s3cret"), []byte("sealed private key")
	secret := store.Secret{ID: "shown", Digest: d}
	for what, values := range map[string][]any{
		"Client":     forms(store.Client{ID: "shown", Secrets: []store.Secret{secret}}),
		"Secret":     forms(secret),
		"User":       forms(store.User{Login: "shown", Password: bcryptHash}),
		"APIKey":     forms(store.APIKey{ID: "shown", Digest: d}),
		"Token":      forms(store.Token{ID: "shown", Digest: d}),
		"Session":    forms(store.Session{ID: "shown", Token: d, Cookie: d}),
		"SigningKey": forms(store.SigningKey{ID: "shown", Sealed: sealed}),
	} {
		for _, v := range values {
			var out strings.Builder
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			b, err := json.Marshal(v)
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			out.Write(b)
			slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v, slog.Group("g", "v", v))
			slog.New(slog.NewJSONHandler(&out, nil)).Info("JSON", "v", v, slog.Group("g", "v", v))

			if n := strings.Count(out.String(), "shown"); n < 10 {
				t.Errorf("%s: its name is printed %d times, want it each time: %s", what, n, &out)
			}
			for _, leak := range leaks(d[:], sealed, []byte(bcryptHash)) {
				if strings.Contains(strings.ToLower(out.String()), strings.ToLower(leak)) {
					t.Errorf("%s (%T): printed %s in %s", what, v, leak, &out)
				}
			}
		}
	}
}

// forms returns a record in the forms in which programs pass it to printers.
func forms[T any](record T) []any {
	return []any{record, &record, []T{record}, []*T{&record}, map[string]T{"k": record}, struct{ Record T }{record}}
}

// leaks returns all texts that would reveal one of the secrets.
func leaks(secrets ...[]byte) (all []string) {
	for _, s := range secrets {
		all = append(all, string(s), hex.EncodeToString(s), base64.StdEncoding.EncodeToString(s),
			strings.Trim(fmt.Sprint(s), "[]"), strings.ReplaceAll(strings.Trim(fmt.Sprint(s), "[]"), " ", ","),
			strings.Trim(strings.TrimPrefix(fmt.Sprintf("%#v", s), "[]byte"), "{}"))
	}
	return all
}
