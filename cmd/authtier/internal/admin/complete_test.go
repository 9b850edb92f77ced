package admin

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completed returns the completions of a command line.
func (b *box) completed(args ...string) []string {
	b.t.Helper()
	// The word to complete is the last one, so no flag may follow.
	b.t.Setenv("AUTHTIER_STORE", "sqlite:"+b.file)
	out, _, status := b.execute(append([]string{"__complete"}, args...)...)
	if status != 0 {
		b.t.Errorf("%q: status %d", args, status)
	}
	var words []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, ":") {
			break
		}
		words = append(words, line)
	}
	return words
}

// TestCompletion completes IDs and grants.
func TestCompletion(t *testing.T) {
	b := newBox(t)
	for _, id := range []string{"app", "app2", "other"} {
		b.ok("client", "create", id)
	}
	b.ok("user", "create", "ada", "--no-password")
	id := b.json("key", "create", "--client", "app", "--name", "nightly")["id"].(string)
	key := id + "\tnightly of app"

	for _, tt := range []struct {
		args, want string
	}{
		{"client show |", "app app2 other"}, {"client delete app|", "app app2"}, {"client update app2|", "app2"}, {"client show x|", ""},
		{"client show app |", ""}, {"client create |", ""}, {"client rotate-secret o|", "other"},
		{"user show |", "ada"}, {"user set-password a|", "ada"},
		{"key revoke |", key}, {"key rotate " + id + "|", key}, {"key list --client ap|", "app app2"}, {"key create --owner |", "ada"},
		{"client create x --grant |", "client_credentials password refresh_token"}, {"client list --output |", "text json"},
	} {
		args := strings.Split(strings.TrimSuffix(tt.args, "|"), " ")
		got := b.completed(args...)
		want := strings.Split(tt.want, " ")
		if strings.Contains(tt.want, "\t") || tt.want == "" {
			want = slices.DeleteFunc([]string{tt.want}, func(s string) bool { return s == "" })
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", tt.args, got, want)
		}
	}

	// A store that cannot be opened is no error.
	b.file = filepath.Join(t.TempDir(), "none.db")
	if got := b.completed("client", "show", ""); len(got) != 0 {
		t.Errorf("without a store: got %q", got)
	}
}
