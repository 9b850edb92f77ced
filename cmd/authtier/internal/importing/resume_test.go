package importing

import (
	"context"
	"database/sql"
	"fmt"
	"math/bits"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

func TestStoredKeys(t *testing.T) {
	f := newFixture(t)
	if err := f.CreateClient(t.Context(), store.Client{ID: "other", Scopes: []string{"a", "b"}}); err != nil {
		t.Fatal(err)
	}
	record := func(n int) store.APIKey {
		return store.APIKey{ID: fmt.Sprint("k", n), Client: "acme", Digest: store.DigestOf(plain(n)), Scopes: []string{"a", "b"}, Name: "one"}
	}
	if err := f.CreateAPIKeys(t.Context(), record(1), record(2), record(3), record(4), record(5), record(6), record(7)); err != nil {
		t.Fatal(err)
	}
	if err := f.Revoke(t.Context(), store.Change{Kind: store.KindAPIKey, ID: "k7"}, store.Change{Kind: store.KindAPIKey, ID: "k8"}); err != nil {
		t.Fatal(err)
	}

	const differs = "it differs from the stored key, expected the same: change the file or the stored key\n"
	const revoked = "this ID or key was revoked, replaced or deleted earlier and cannot be imported again: expected another key with another ID\n"
	csv := "id,client,key,scopes,name,expires\n" +
		"k1,acme," + plain(1) + ",b a,one,\n" +
		"k2,other," + plain(2) + ",a b,one,\n" +
		"k3,acme," + plain(3) + ",a,two,\n" +
		"k4,acme," + plain(4) + ",a b,one,2999-01-01\n" +
		"k5,acme," + plain(50) + ",a b,one,\n" +
		"k60,acme," + plain(6) + ",a b,one,\n" +
		"k7,acme," + plain(70) + ",a b,one,\n" +
		"k70,acme," + plain(7) + ",a b,one,\n" +
		"k8,acme," + plain(8) + ",a b,one,\n" +
		"k9,acme," + plain(9) + ",a b,one,\n"
	f.want(t, 1, "1 imported, 1 already there, 8 faulty lines",
		"line 3, column client: "+differs+
			"line 4, column scopes: "+differs+"line 4, column name: "+differs+
			"line 5, column expires: "+differs+
			"line 6, column id: another key is stored under this ID, expected an ID that is not in use\n"+
			"line 7, column key: the key is stored under another ID, expected a key that is not stored yet, or its ID\n"+
			"line 8: "+revoked+"line 9: "+revoked+"line 10: "+revoked, csv, "keys")

	one := record(11)
	one.Scopes = []string{"a"}
	if err := f.CreateAPIKeys(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	f.want(t, 1, "0 imported, 0 already there, 1 faulty line", "line 2, column scopes: "+differs, "id,client,key,scopes\nk11,acme,"+plain(11)+",b\n", "keys")
	// Columns that the file does not have are not compared.
	f.want(t, 0, "0 imported, 1 already there, 0 faulty lines", "", "id,client,key\nk1,acme,"+plain(1)+"\n", "keys")
	for _, d := range []int{7, 8, 70} {
		if _, err := f.APIKey(t.Context(), store.DigestOf(plain(d))); err != store.ErrNotFound {
			t.Errorf("the key %d: %v", d, err)
		}
	}
}

// TestExpiredSince checks that a key that was imported and has expired since is no fault.
func TestExpiredSince(t *testing.T) {
	f := newFixture(t)
	expires := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	k := store.APIKey{ID: "k1", Client: "acme", Digest: store.DigestOf(plain(1)), Created: expires.Add(-time.Hour), Expires: time.Now().Add(time.Hour)}
	if err := f.CreateAPIKeys(t.Context(), k); err != nil {
		t.Fatal(err)
	}

	// The store itself takes no key that has expired.
	raw, err := sql.Open("sqlite", f.file)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Exec(`UPDATE authtier_api_keys SET expires = ?`, expires.UnixMicro()); err != nil {
		t.Fatal(err)
	}
	f.want(t, 0, "1 imported, 1 already there, 0 faulty lines", "",
		"id,client,key,expires\nk1,acme,"+plain(1)+","+expires.Format(time.RFC3339)+"\nk2,acme,"+plain(2)+",\n", "keys")
}

const (
	bcryptHash = "$2a$10$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzABCDE"
	argonHash  = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	argonOther = "$argon2id$v=19$m=19456,t=2,p=1$BBBBBBBBBBBBBBBBBBBBBA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	argonCheap = "$argon2id$v=19$m=4096,t=3,p=1$BBBBBBBBBBBBBBBBBBBBBA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

func TestUsersAreStoredWithAllFields(t *testing.T) {
	f := newFixture(t)
	csv := "scopes,lang,last,first,hash,login\n,en,Lovelace,Ada,\"" + argonHash + "\",ada\na b,,,,,bob\n,,,," + bcryptHash + ",eve\n"
	f.want(t, 0, "3 imported, 0 already there, 0 faulty lines", "", csv, "users")
	for login, want := range map[string]store.User{
		"ada": {Login: "ada", Password: argonHash, First: "Ada", Last: "Lovelace", Lang: "en", Version: 1},
		"bob": {Login: "bob", Scopes: []string{"a", "b"}, LimitScopes: true, Version: 1},
		"eve": {Login: "eve", Password: bcryptHash, Version: 1},
	} {
		got := f.user(t, login)
		if fmt.Sprint(got.Scopes) != fmt.Sprint(want.Scopes) {
			t.Errorf("%s has the scopes %v", login, got.Scopes)
		}
		got.Scopes, want.Scopes = nil, nil
		if fmt.Sprintf("%#v", *got) != fmt.Sprintf("%#v", want) || got.Password != want.Password {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	f.want(t, 0, "0 imported, 3 already there, 0 faulty lines", "", csv, "users")
}

func TestFaultyUsers(t *testing.T) {
	f := newFixture(t)
	csv := "login,hash,first,scopes\n,,,\nada,SECRET,,\nbob,," + strings.Repeat("x", 300) + ",\neve,,,a \"b\"\nada,,,\nada,,,\n\"x\ny\",,,\nz,,,\n"
	f.want(t, 1, "2 imported, 0 already there, 7 faulty lines", "line 2, column login: it is empty\n"+
		"line 3, column hash: it is not a hash, expected argon2id in PHC form or bcrypt\n"+
		"line 4, column first: it has 300 bytes, expected at most 255\n"+
		"line 5: a quote stands in a field that does not begin with one: expected quotes around the field, and \"\" for a quote in it\n"+
		"line 7, column login: it stands on line 6 already, expected it once\n"+
		"lines 8 to 9, column login: it has a line break, expected text on one line: perhaps a quote is not closed\n", csv, "users")
	f.user(t, "z") // line 10
}

// TestPasswordsSince resumes an import after people have logged in and changed passwords.
func TestPasswordsSince(t *testing.T) {
	const differs = "it differs from the stored user, expected the same: change the file or the stored user\n"
	for _, tt := range []struct {
		name, stored, file string
		since              func(f *fixture, ctx context.Context) error
		newer              bool
	}{
		{name: "bcrypt was rehashed", stored: argonHash, file: bcryptHash, newer: true},
		{name: "costs were raised", stored: argonHash, file: argonCheap, newer: true},
		{name: "another salt", stored: argonHash, file: argonOther},
		{name: "another bcrypt", stored: bcryptHash, file: strings.Replace(bcryptHash, "ABCDE", "ABCDF", 1)},
		{name: "bcrypt in place of argon2id", stored: bcryptHash, file: argonHash},
		{name: "no password is stored", stored: "", file: argonHash},
		{name: "the file has no password", stored: argonHash, file: ""},
		{name: "the password was changed", stored: argonHash, file: argonHash, newer: true, since: func(f *fixture, ctx context.Context) error {
			return f.SetPassword(ctx, "ada", argonOther)
		}},
		{name: "the password was removed", stored: argonHash, file: argonHash, newer: true, since: func(f *fixture, ctx context.Context) error {
			return f.SetPassword(ctx, "ada", "")
		}},
		{name: "the user was given a password", stored: "", file: "", newer: true, since: func(f *fixture, ctx context.Context) error {
			return f.SetPassword(ctx, "ada", argonHash)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			if err := f.CreateUsers(t.Context(), store.User{Login: "ada", Password: tt.stored, First: "Ada"}); err != nil {
				t.Fatal(err)
			}
			if tt.since != nil {
				if err := tt.since(f, t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			before := f.user(t, "ada").Password

			csv := "login,hash\nada,\"" + tt.file + "\"\n"
			if tt.newer {
				f.want(t, 0, "0 imported, 1 already there (1 with a newer password), 0 faulty lines", "", csv, "users")
			} else {
				f.want(t, 1, "0 imported, 0 already there, 1 faulty line", "line 2, column hash: "+differs, csv, "users")
			}
			if f.user(t, "ada").Password != before {
				t.Error("the stored password was changed")
			}

			// All other columns must be the same.
			_, _, errs := f.run("login,hash,first\nada,\""+tt.file+"\",Eve\n", "users")
			if !strings.HasPrefix(errs, "line 2, column first: "+differs) {
				t.Errorf("another first name: %s", errs)
			}
		})
	}
}

// refusing is a kind whose store refuses all records but those that are allowed.
type refusing struct {
	keys
	allowed func(id string) bool
	calls   int
	records int
}

func (r *refusing) create(_ context.Context, batch []*entry[keyRecord]) error {
	r.calls++
	r.records += len(batch)
	for _, e := range batch {
		if !r.allowed(e.record.ID) {
			return store.ErrRevoked
		}
	}
	return nil
}

func (r *refusing) compare(context.Context, *keyRecord) (verdict, error) { return verdict{}, nil }
func (r *refusing) creatable(context.Context, []*entry[keyRecord]) error { return nil }

// TestManyRefused checks how much work the store has with records that it refuses.
func TestManyRefused(t *testing.T) {
	const size = 4096
	for _, faulty := range []int{1, 10, size} {
		r := &refusing{allowed: func(id string) bool {
			var n int
			fmt.Sscan(id, &n)
			return n%(size/faulty) != 0 || n/(size/faulty) >= faulty
		}}
		l := &load[keyRecord]{kind: r, out: &output{}, opts: &options{}}
		var entries []*entry[keyRecord]
		for n := range size {
			entries = append(entries, &entry[keyRecord]{line: n, record: keyRecord{APIKey: store.APIKey{ID: fmt.Sprint(n)}}})
		}
		if err := l.storeValid(t.Context(), entries); err != nil {
			t.Fatal(err)
		}

		got := 0
		for _, e := range entries {
			got += len(e.faults)
		}
		if got != faulty || l.out.imported != size-faulty {
			t.Errorf("%d refused: %d faults, %d imported", faulty, got, l.out.imported)
		}
		levels := bits.Len(size)
		if r.calls > 2*faulty*levels+2 || r.records > size*(levels+2) {
			t.Errorf("%d refused: %d calls with %d records", faulty, r.calls, r.records)
		}
	}
}
