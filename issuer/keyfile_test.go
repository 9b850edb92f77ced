package issuer_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

var keyText = base64.StdEncoding.EncodeToString(encryptionKey) + "\n"

func openWith(t *testing.T, db store.Store, cfg issuer.Config) error {
	t.Helper()
	iss, err := issuer.Open(t.Context(), testURL, db, &cfg)
	if err == nil {
		must(t, iss.Close())
	}
	return err
}

// signingKeys returns the number of signing keys in a store.
func signingKeys(t *testing.T, db store.Store) int {
	t.Helper()
	ks, err := db.SigningKeys(t.Context(), "authtier")
	must(t, err)
	return len(ks)
}

// TestKeyFileIsMadeOnce starts twice, and once more without the file.
func TestKeyFileIsMadeOnce(t *testing.T) {
	db, file := memory.New(), filepath.Join(t.TempDir(), "auth.key")
	for range 2 {
		must(t, openWith(t, db, issuer.Config{KeyFile: file}))
	}
	info, err := os.Stat(file)
	must(t, err)
	if info.Mode() != 0o600 || signingKeys(t, db) != 1 {
		t.Errorf("the file has the mode %v, and the store %d keys", info.Mode(), signingKeys(t, db))
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
		t.Errorf("in the folder: %v, %v", entries, err)
	}

	must(t, os.Rename(file, file+".away"))
	if err := openWith(t, db, issuer.Config{KeyFile: file}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), file) {
		t.Errorf("without the file: got %v, want one that names it", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a second key file was made, beside keys that it cannot open")
	}
	must(t, os.Rename(file+".away", file))
	must(t, openWith(t, db, issuer.Config{KeyFile: file}))

	other := filepath.Join(t.TempDir(), "other.key")
	must(t, openWith(t, memory.New(), issuer.Config{KeyFile: other}))
	if err := openWith(t, db, issuer.Config{KeyFile: other}); err == nil || signingKeys(t, db) != 1 {
		t.Errorf("the file of another store: got %v, and %d keys", err, signingKeys(t, db))
	}
}

// TestKeyFileIsRefused uses files that hold no key, or that others can access. None of
// them is changed, and nothing is encrypted.
func TestKeyFileIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		mode fs.FileMode
		cfg  issuer.Config
		ok   bool
	}{
		"good":                    {keyText, 0o600, issuer.Config{}, true},
		"read-only":               {keyText, 0o400, issuer.Config{}, true},
		"without a line end":      {strings.TrimSpace(keyText), 0o600, issuer.Config{}, true},
		"empty":                   {"", 0o600, issuer.Config{}, false},
		"a line end":              {"\n", 0o600, issuer.Config{}, false},
		"too short":               {base64.StdEncoding.EncodeToString(encryptionKey[1:]), 0o600, issuer.Config{}, false},
		"cut off":                 {keyText[:20], 0o600, issuer.Config{}, false},
		"too long":                {keyText + keyText, 0o600, issuer.Config{}, false},
		"very long":               {strings.Repeat("A", 1<<20), 0o600, issuer.Config{}, false},
		"no base64":               {strings.Repeat("!", 44), 0o600, issuer.Config{}, false},
		"zeros":                   {base64.StdEncoding.EncodeToString(make([]byte, 32)), 0o600, issuer.Config{}, false},
		"readable":                {keyText, 0o644, issuer.Config{}, false},
		"readable by the group":   {keyText, 0o640, issuer.Config{}, false},
		"readable, allowed":       {keyText, 0o644, issuer.Config{AllowReadableKeyFile: true}, true},
		"writable":                {keyText, 0o602, issuer.Config{}, false},
		"writable, reading is ok": {keyText, 0o664, issuer.Config{AllowReadableKeyFile: true}, false},
	} {
		db, file := memory.New(), filepath.Join(t.TempDir(), "auth.key")
		must(t, os.WriteFile(file, []byte(tt.text), 0o600))
		must(t, os.Chmod(file, tt.mode))
		tt.cfg.KeyFile = file
		err := openWith(t, db, tt.cfg)
		if (err == nil) != tt.ok || !tt.ok && signingKeys(t, db) != 0 {
			t.Errorf("%s: got %v, and %d signing keys", name, err, signingKeys(t, db))
		}
		if text := strings.TrimSpace(tt.text); err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
		if text, err := os.ReadFile(file); err != nil || string(text) != tt.text {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
	}
}

// TestKeyFileElsewhere uses names at which no file can be created.
func TestKeyFileElsewhere(t *testing.T) {
	folder := t.TempDir()
	pipe := filepath.Join(folder, "pipe")
	makePipe(t, pipe)
	dangling := filepath.Join(folder, "dangling")
	must(t, os.Symlink(filepath.Join(folder, "nowhere"), dangling))
	for name, file := range map[string]string{
		"a folder": folder, "no folder": filepath.Join(folder, "x", "auth.key"), "a pipe": pipe, "a dangling link": dangling,
		"a file as folder": filepath.Join(pipe, "auth.key"), "a disk that takes no files": "/proc/auth.key",
	} {
		db := memory.New()
		if err := openWith(t, db, issuer.Config{KeyFile: file}); err == nil || signingKeys(t, db) != 0 || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: got %v, and %d signing keys", name, err, signingKeys(t, db))
		}
	}
}

// TestKeyFileAfterACrash starts again in each state that a crash can leave behind.
func TestKeyFileAfterACrash(t *testing.T) {
	const leftover = ".ABCDEFGHIJKLMNOPQRSTUVWXYZ.new" // as long as a temporary name
	for name, prepare := range map[string]func(file string){
		"before anything":                   func(string) {},
		"an empty temporary file":           func(file string) { must(t, os.WriteFile(file+leftover, nil, 0o600)) },
		"half a temporary file":             func(file string) { must(t, os.WriteFile(file+leftover, []byte(keyText[:20]), 0o600)) },
		"a temporary file, before the link": func(file string) { must(t, os.WriteFile(file+leftover, []byte(keyText), 0o600)) },
		"after the link": func(file string) {
			must(t, os.WriteFile(file+leftover, []byte(keyText), 0o600))
			must(t, os.Link(file+leftover, file))
		},
		"two temporary files": func(file string) {
			must(t, os.WriteFile(file+leftover, []byte(keyText), 0o600))
			must(t, os.WriteFile(file+strings.ToUpper(".zyxwvutsrqponmlkjihgfedcba")+".new", nil, 0o600))
		},
		"before the first signing key": func(file string) { must(t, os.WriteFile(file, []byte(keyText), 0o600)) },
	} {
		db, file := memory.New(), filepath.Join(t.TempDir(), "auth.key")
		prepare(file)
		for range 2 {
			if err := openWith(t, db, issuer.Config{KeyFile: file}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		text, err := os.ReadFile(file)
		must(t, err)
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
		must(t, err)
		if err := openWith(t, db, issuer.Config{EncryptionKey: key}); err != nil || signingKeys(t, db) != 1 {
			t.Errorf("%s: the file does not have the key of the store: %v, and %d signing keys", name, err, signingKeys(t, db))
		}
		if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
			t.Errorf("%s: left in the folder: %v, %v", name, entries, err)
		}
		if name != "before the first signing key" || len(text) == 0 {
			continue
		}
		if string(text) != keyText {
			t.Errorf("%s: the file was replaced", name)
		}
	}
}

// A halting store ends an opening at one of its calls. The process dies there as far as
// the store and the key file can tell.
type halting struct {
	*memory.Store
	at    string // the call, and whether it has an effect
	reads int
}

var errHalted = errors.New("halted")

func (h *halting) SigningKeys(ctx context.Context, set string) ([]store.SigningKey, error) {
	if h.reads++; h.at == fmt.Sprint("read ", h.reads) {
		return nil, errHalted
	}
	return h.Store.SigningKeys(ctx, set)
}

func (h *halting) PutSigningKeys(ctx context.Context, ks ...store.SigningKey) error {
	if h.at == "before the write" {
		return errHalted
	}
	err := h.Store.PutSigningKeys(ctx, ks...)
	if h.at == "after the write" {
		return errHalted
	}
	return err
}

func (h *halting) Since(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
	if h.at == "at the revocations" {
		return nil, store.Cursor{}, errHalted
	}
	return h.Store.Since(ctx, c)
}

// TestKeyFileOfAHaltedOpening ends the first opening at each call of the store. The
// next one must work, with the file that the first one made.
func TestKeyFileOfAHaltedOpening(t *testing.T) {
	for _, at := range []string{"read 1", "read 2", "before the write", "after the write", "read 3", "at the revocations"} {
		db, file := memory.New(), filepath.Join(t.TempDir(), "auth.key")
		if err := openWith(t, &halting{Store: db, at: at}, issuer.Config{KeyFile: file}); !errors.Is(err, errHalted) {
			t.Errorf("%s: got %v, want the opening halted", at, err)
		}
		made, err := os.ReadFile(file)
		if missing := errors.Is(err, fs.ErrNotExist); missing != (at == "read 1") || missing && signingKeys(t, db) != 0 {
			t.Errorf("%s: the file: %v, and %d signing keys", at, err, signingKeys(t, db))
		}

		for range 2 {
			if err := openWith(t, db, issuer.Config{KeyFile: file}); err != nil {
				t.Errorf("%s, again: %v", at, err)
			}
		}
		if again, err := os.ReadFile(file); err != nil || made != nil && !bytes.Equal(made, again) || signingKeys(t, db) != 1 {
			t.Errorf("%s: the file was replaced, or a key was lost: %v, and %d signing keys", at, err, signingKeys(t, db))
		}
	}
}

// TestKeyFileOfMany starts many programs at once. All must get the key of one of them.
func TestKeyFileOfMany(t *testing.T) {
	db, file := memory.New(), filepath.Join(t.TempDir(), "auth.key")
	results := make(chan error)
	for range 8 {
		go func() {
			iss, err := issuer.Open(t.Context(), testURL, db, &issuer.Config{KeyFile: file})
			if err == nil {
				iss.Close()
			}
			results <- err
		}()
	}
	for range 8 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	must(t, openWith(t, db, issuer.Config{KeyFile: file}))
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}

// TestKeysEndUnderAForeignKeyFile ends all signing keys and makes one with another key file,
// while an issuer runs that cannot decrypt it. The tokens of the old keys are refused there
// too, and the issuer signs no others.
func TestKeysEndUnderAForeignKeyFile(t *testing.T) {
	db, dir := memory.New(), t.TempDir()
	old, err := issuer.Open(t.Context(), testURL, db, &issuer.Config{KeyFile: filepath.Join(dir, "old.key")})
	must(t, err)
	defer old.Close()
	_, err = old.CreateClient(t.Context(), store.Client{ID: "acme", Scopes: []string{"read"}, Default: []string{"read"}})
	must(t, err)
	tokens, err := old.Mint(t.Context(), issuer.Grant{Client: "acme"})
	must(t, err)
	validator := old.Validator() // which caches
	bearer := middleware.Credential{Scheme: middleware.SchemeBearer, Secret: tokens.AccessToken}
	_, err = validator.Validate(t.Context(), bearer)
	must(t, err)

	keys, err := db.SigningKeys(t.Context(), "authtier")
	must(t, err)
	for n := range keys {
		keys[n].Ends = time.Now().Add(-time.Minute)
	}
	must(t, db.PutSigningKeys(t.Context(), keys...))
	must(t, openWith(t, db, issuer.Config{KeyFile: filepath.Join(dir, "new.key")}))

	refused := func() bool {
		_, err := old.InspectAccess(t.Context(), tokens.AccessToken)
		_, errCached := validator.Validate(t.Context(), bearer)
		return err != nil && !errorsx.From(err).Code.IsServerError() && errCached != nil
	}
	for deadline := time.Now().Add(time.Minute); !refused(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a token of a key that has ended is accepted")
		}
	}
	if _, err := old.Mint(t.Context(), issuer.Grant{Client: "acme"}); err == nil {
		t.Error("a key that has ended signs")
	}
	mux := http.NewServeMux()
	old.Register(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
	if strings.Contains(w.Body.String(), keys[0].ID) {
		t.Errorf("the key is published: %s", w.Body)
	}
}

// TestKeyVariable takes the key from the environment.
func TestKeyVariable(t *testing.T) {
	const name = "AUTHTIER_TEST_KEY"
	db := memory.New()
	for text, ok := range map[string]bool{keyText: true, "": false, "c2hvcnQ=": false, strings.Repeat("!", 44): false} {
		t.Setenv(name, text)
		err := openWith(t, db, issuer.Config{KeyVariable: name})
		if (err == nil) != ok || err != nil && (!strings.Contains(err.Error(), name) || text != "" && strings.Contains(err.Error(), text)) {
			t.Errorf("%q: got %v, want one that names the variable and does not show it", text, err)
		}
	}
}
