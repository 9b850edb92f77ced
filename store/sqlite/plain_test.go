package sqlite_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/store"
)

// TestPlainPasswordIsNowhere passes plain passwords to every method that takes a hash. Each
// must be refused, and no file of the database may contain one.
func TestPlainPasswordIsNowhere(t *testing.T) {
	ctx, file := t.Context(), filepath.Join(t.TempDir(), "a.db")
	s := open(t, file)
	hash := "$2b$04$" + strings.Repeat("h", 53)
	if err := s.CreateUsers(ctx, store.User{Login: "u", Password: hash, First: "the first name"}); err != nil {
		t.Fatal(err)
	}
	const plain = "correct horse battery staple"
	for what, err := range map[string]error{
		"CreateUsers": s.CreateUsers(ctx, store.User{Login: "v"}, store.User{Login: "w", Password: plain}),
		"UpdateUser":  s.UpdateUser(ctx, "u", func(u *store.User) error { u.Password = plain; return nil }),
		"SetPassword": s.SetPassword(ctx, "u", plain),
		"Rehash":      s.Rehash(ctx, "u", hash, plain),
	} {
		if err == nil || !strings.Contains(err.Error(), "Password") || strings.Contains(err.Error(), "horse") {
			t.Errorf("%s: got %v, want an error that names the field and nothing of the password", what, err)
		}
	}

	wantInFiles(t, file, map[string]bool{"the first name": true, hash: true, "horse": false, "battery": false})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantInFiles(t, file, map[string]bool{"the first name": true, hash: true, "horse": false, "battery": false})
}

// wantInFiles checks which texts the files of a database contain.
func wantInFiles(t *testing.T, file string, texts map[string]bool) {
	t.Helper()
	var all []byte
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		b, err := os.ReadFile(file + suffix)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	for text, want := range texts {
		if bytes.Contains(all, []byte(text)) != want {
			t.Errorf("the files contain %q: %t, want %t", text, !want, want)
		}
	}
}
