package importing

import (
	"fmt"
	"strings"
	"testing"

	"github.com/authtier/authtier/store"
)

func TestFaultyKeys(t *testing.T) {
	const header = "id,client,key,sha256,scopes,name,expires\n"
	quote := `a quoted field does not end with a quote: expected quotes around the field, and "" for a quote in it`
	for _, tt := range []struct{ name, row, want string }{
		{"no ID", ",acme," + plain(1) + ",,,,", "column id: it is empty, expected an ID"},
		{"no client", "k1,," + plain(1) + ",,,,", "column client: it is empty, expected an ID"},
		{"unknown client", "k1,other," + plain(1) + ",,,,", "column client: there is no client of this ID, expected one that exists: create it first"},
		{"no key", "k1,acme,,,,,", "column key or sha256: both are empty, expected one of them"},
		{"two keys", "k1,acme," + plain(1) + "," + strings.Repeat("ab", 32) + ",,,", "column key or sha256: both are filled, expected one of them"},
		{"weak key", "k1,acme,SECRET,,,,", "column key: the key has 6 bytes, expected at least 16 unless --allow-weak is given"},
		{"key is its ID", plain(1) + ",acme," + plain(1) + ",,,,", "column key: the key equals its ID, which may be shown and logged"},
		{"digest of its ID", "k1,acme,," + fmt.Sprintf("%x", store.DigestOf("k1")) + ",,,", "column sha256: the key equals its ID, which may be shown and logged"},
		{"key with umlaut", "k1,acme,SECRET-ä-SECRET-ä,,,,", "column key: the key holds what no header does: expected printable ASCII, and no space at either end"},
		{"mistyped key", "k1,acme,authtier_key_SECRET-SECRET,,,,", "column key: the key begins with authtier_key_ and has another checksum: it is mistyped, or cut off"},
		{"swapped columns", "authtier_key_abcdefghijkl_SECRETSECRETSECRETSECRET,acme," + plain(1) + ",,,,", "column id: it looks like a key, expected an ID, which may be shown and logged: perhaps the columns are swapped"},
		{"digest too short", "k1,acme,,SECRET,,,", "column sha256: it has 6 characters, expected the 64 hexadecimal digits of a SHA-256, or base64 of 43 or 44"},
		{"digest of nothing", "k1,acme,," + fmt.Sprintf("%x", store.DigestOf("")) + ",,,", "column sha256: it is not the digest of a secret"},
		{"scope of another", "k1,acme," + plain(1) + ",,a c,,", `column scopes: the client lacks scope number 2 of it, expected scopes of the client: a b`},
		{"scope twice", "k1,acme," + plain(1) + ",,a a,,", `column scopes: it has the scope "a" twice`},
		{"long name", "k1,acme," + plain(1) + ",,," + strings.Repeat("x", 256) + ",", "column name: it has 256 bytes, expected at most 255"},
		{"expired", "k1,acme," + plain(1) + ",,,,2001-01-31", "column expires: it is 2001-01-31T00:00:00Z, which is past, expected a time in the future"},
		{"the zero time", "k1,acme," + plain(1) + ",,,,0001-01-01", "column expires: it is not a time, expected a time such as 2030-01-31T12:00:00Z, a date such as 2030-01-31, or nothing"},
		{"no time", "k1,acme," + plain(1) + ",,,,31.1.2030", "column expires: it is not a time, expected a time such as 2030-01-31T12:00:00Z, a date such as 2030-01-31, or nothing"},
		{"too few fields", "k1,acme," + plain(1), "it has 3 fields, expected 7, one for each column of line 1"},
		{"too many fields", "k1,acme," + plain(1) + ",,,,,", "it has 8 fields, expected 7, one for each column of line 1: perhaps a field with a comma, such as an argon2id hash, has no quotes around it"},
		{"invalid UTF-8", "k1,acme," + plain(1) + ",,,\xff,", "column name: it is not UTF-8, expected UTF-8"},
		{"NUL", "k1,acme," + plain(1) + ",,,a\x00b,", "column name: it has the character NUL, expected text"},
		{"control character", "k1,acme," + plain(1) + ",,,a\x1bb,", "column name: it has a control character, expected text"},
		{"two faults", "k\x00,acme," + plain(1) + ",,,\xff,", "column id: it has the character NUL, expected text\nline 3, column name: it is not UTF-8, expected UTF-8"},
		{"quote in a field", "k1,acme," + plain(1) + `,,,a"b,`, `a quote stands in a field that does not begin with one: expected quotes around the field, and "" for a quote in it`},
		{"text after a quote", "k1,acme," + plain(1) + `,,,"a"b,`, quote},
		{"lone quote", "k1,acme," + plain(1) + `,,,"ab,`, quote},
		{"ID twice", "k0,acme," + plain(1) + ",,,,", "column id: it stands on line 2 already, expected it once"},
		{"key twice", "k1,acme,," + fmt.Sprintf("%x", store.DigestOf(plain(0))) + ",,,", "column sha256: it stands on line 2 already, expected it once"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			csv := header + "k0,acme," + plain(0) + ",,,,\n" + tt.row + "\nk9,acme," + plain(9) + ",,,,\n"
			place := "line 3, "
			if !strings.HasPrefix(tt.want, "column") {
				place = "line 3: "
			}
			f.want(t, 1, "2 imported, 0 already there, 1 faulty line", place+tt.want+"\n", csv, "keys")

			_, _, errs := f.run(csv, "keys")
			if strings.Contains(errs, "SECRET") {
				t.Errorf("the errors repeat a key: %s", errs)
			}
			for _, id := range []string{"k0", "k9"} {
				f.key(t, id) // must be there
			}
			if ks, err := f.ListAPIKeys(t.Context(), "", "", 10); err != nil || len(ks) != 2 {
				t.Errorf("%d keys are stored, %v", len(ks), err)
			}
		})
	}
}

// TestCostlyHash refuses hashes with which anyone could occupy a server.
func TestCostlyHash(t *testing.T) {
	f := newFixture(t)
	const rest = "$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW\n"
	f.want(t, 1, "1 imported, 0 already there, 1 faulty line",
		"line 3, column hash: its cost is 16, expected at most 15: import the user without a hash, and set a new password\n",
		"login,hash\nada,$2b$15"+rest+"bob,$2b$16"+rest, "users")
}

func TestAllowWeak(t *testing.T) {
	f := newFixture(t)
	f.want(t, 0, "1 imported, 0 already there, 0 faulty lines", "", "id,client,key\nk1,acme,pin-1234\n", "keys", "--allow-weak")
}

func TestFaultyFiles(t *testing.T) {
	const keyColumns, userColumns = "id, client, key, sha256, scopes, name, expires", "login, hash, first, last, lang, scopes"
	for _, tt := range []struct{ name, kind, csv, want string }{
		{"empty", "keys", "", "it is empty, expected a header with the columns " + keyColumns},
		{"only blank lines", "keys", "\r\n\n", "it is empty, expected a header with the columns " + keyColumns},
		{"only a mark", "users", "\xef\xbb\xbf", "it is empty, expected a header with the columns " + userColumns},
		{"only a header", "keys", "id,client,key\n", "it has a header and no records, expected at least one"},
		{"semicolons", "keys", "id;client;key\nk1;acme;SECRET\n", "line 1: the columns are separated by semicolons, expected commas"},
		{"tabs", "users", "login\thash\n", "line 1: the columns are separated by tabs, expected commas"},
		{"no header", "keys", "k1,acme,SECRET\n", "line 1: it has none of the columns, expected a header with " + keyColumns},
		{"UTF-16", "keys", "\xff\xfei\x00d\x00", "the file is UTF-16, expected UTF-8"},
		{"quote in the header", "keys", "id,cli\"ent\n", `line 1: a quote stands in a field that does not begin with one: expected quotes around the field, and "" for a quote in it`},
		{"unknown column", "keys", "id,client,key,owner\n", "line 1, column owner: it is unknown, expected " + keyColumns},
		{"a value as a column", "keys", "id,client,key,x-SECRET-1\n", "line 1, column number 4: it is unknown, expected " + keyColumns},
		{"upper case", "keys", "ID,client,key\n", "line 1, column ID: it is unknown, expected " + keyColumns + "\nline 1, column id: it is missing"},
		{"missing column", "keys", "id,key\n", "line 1, column client: it is missing"},
		{"missing key", "keys", "id,client\n", "line 1, column key or sha256: it is missing"},
		{"missing hash", "users", "login\n", "line 1, column hash: it is missing"},
		{"twice", "keys", "id,client,key,id\n", "line 1, column id: it is there twice, expected it once"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			status, out, errs := f.run(tt.csv, tt.kind)
			if want := "error: the file cannot be imported: " + tt.want + "\n"; status != 1 || out != "" || errs != want {
				t.Errorf("status %d, output %q, errors\n%s\nwant\n%s", status, out, errs, want)
			}
			if strings.Contains(errs, "SECRET") {
				t.Errorf("the errors repeat a value: %s", errs)
			}
		})
	}
}

// TestLoneQuote checks that a quote that is never closed costs one line.
func TestLoneQuote(t *testing.T) {
	f := newFixture(t)
	var csv strings.Builder
	csv.WriteString("id,client,key,name\n")
	for n := range 1000 {
		quote := ""
		if n == 300 {
			quote = `"`
		}
		fmt.Fprintf(&csv, "k%d,acme,%s,%s\r\n", n, plain(n), quote)
	}
	f.want(t, 1, "999 imported, 0 already there, 1 faulty line",
		`line 302: a quoted field does not end with a quote: expected quotes around the field, and "" for a quote in it`+"\n", csv.String(), "keys")
	f.key(t, "k301")
	f.key(t, "k999")
}

// TestLinesInQuotes checks that lines within a quoted field are not taken for records: an
// attacker may have chosen the text of the field.
func TestLinesInQuotes(t *testing.T) {
	const name = "lines 2 to 4, column name: it has a line break, expected text on one line: perhaps a quote is not closed\n"
	f := newFixture(t)
	csv := "id,client,key,name\nk1,acme," + plain(1) + ",\"x\nevil,acme," + plain(2) + ",x\n\"\nk3,acme," + plain(3) + ",\n"
	f.want(t, 1, "1 imported, 0 already there, 3 faulty lines", name, csv, "keys")
	f.key(t, "k3")

	long := strings.ReplaceAll(csv, "evil,", strings.Repeat("x\n", maxRecord)+"evil,")
	status, out, errs := f.run(long, "keys")
	want := "error: ended after line 0 with 0 imported: line 2: the record has more than 1048576 bytes: perhaps a quote is opened and never closed; correct the cause and run the same command again: it skips what is stored already\n"
	if status != 1 || out != "0 imported, 0 already there, 0 faulty lines\n" || errs != want {
		t.Errorf("status %d, output %s, errors %s", status, out, errs)
	}
	if _, err := f.APIKeyByID(t.Context(), "evil"); err != store.ErrNotFound {
		t.Errorf("the key in the name: %v", err)
	}
}

// TestLongRecord checks that the records before one that is too long are imported.
func TestLongRecord(t *testing.T) {
	f := newFixture(t)
	csv := "id,client,key\nk1,acme," + plain(1) + "\nk2,acme," + strings.Repeat("x", 2*maxRecord) + "\nk3,acme," + plain(3) + "\n"
	status, out, errs := f.run(csv, "keys")
	if status != 1 || out != "1 imported, 0 already there, 0 faulty lines\n" || !strings.HasPrefix(errs, "error: ended after line 2 with 1 imported: line 3: the record has more than") {
		t.Errorf("status %d, output %s, errors %s", status, out, errs)
	}
	f.key(t, "k1")
}
