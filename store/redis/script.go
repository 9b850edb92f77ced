package redis

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

//go:embed lua/*.lua
var lua embed.FS

// A script is run by its digest, which the server knows after the first run.
type script struct{ source, digest string }

// newScript returns the script in a file, preceded by the common code and the files after.
func newScript(name string, after ...string) *script {
	var source strings.Builder
	source.WriteString(file("common"))
	for _, other := range append(after, name) {
		source.WriteString(file(other))
	}
	sum := sha1.Sum([]byte(source.String())) // the name that EVALSHA expects
	return &script{source.String(), hex.EncodeToString(sum[:])}
}

func file(name string) string {
	b, err := lua.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err)
	}
	return string(b)
}

var (
	putTokens      = newScript("puttokens")
	rotate         = newScript("rotate")
	putSession     = newScript("putsession")
	renew          = newScript("renew")
	createClient   = newScript("createclient", "records", "secrets")
	deleteClient   = newScript("deleteclient", "secrets")
	createUsers    = newScript("createusers", "records")
	setPassword    = newScript("setpassword")
	rehash         = newScript("rehash")
	deleteUser     = newScript("deleteuser")
	createAPIKeys  = newScript("createapikeys", "records")
	replaceAPIKey  = newScript("replaceapikey", "records")
	readRecord     = newScript("read", "records")
	listRecords    = newScript("list", "records")
	updateRecord   = newScript("update", "records")
	catchUp        = newScript("catchup", "records")
	indexRecords   = newScript("index", "records")
	addSecret      = newScript("addsecret", "secrets")
	deleteSecret   = newScript("deletesecret", "secrets")
	touch          = newScript("touch", "secrets")
	putSigningKeys = newScript("putsigningkeys")
	revoke         = newScript("revoke")
	snapshot       = newScript("snapshot")
	sweep          = newScript("sweep")
	recordCounts   = newScript("recordcounts", "totals")
	fold           = newScript("fold", "totals")
	adjust         = newScript("adjust", "totals")
	forget         = newScript("forget", "totals")
	readDay        = newScript("day", "totals")
)

// run runs a script and returns its reply.
func (s *Store) run(ctx context.Context, sc *script, args ...any) (reply any, err error) {
	err = call(ctx, func(ctx context.Context) error {
		reply, err = s.load(ctx, sc, args)
		return err
	})
	return reply, err
}

// load runs a script. It sends the source only if the server does not know the script.
func (s *Store) load(ctx context.Context, sc *script, args []any) (any, error) {
	reply, err := s.eval(ctx, "evalsha", sc.digest, args)
	// The script did not run, so that sending it again does not repeat anything.
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		return s.eval(ctx, "eval", sc.source, args)
	}
	return reply, err
}

func (s *Store) eval(ctx context.Context, name, source string, args []any) (any, error) {
	cmd := once{redis.NewCmd(ctx, append([]any{name, source, 1, s.prefix + "format"}, args...)...)}
	if err := s.db.Process(ctx, cmd); err != nil {
		return nil, err
	}
	return cmd.Result()
}

// errChanged means that a record has changed since it was read.
var errChanged = errors.New("redis: the record has changed")

// outcomes are the outcomes that a script may return, and their errors.
var outcomes = map[string]error{
	"ok": nil, "missing": store.ErrNotFound, "reused": store.ErrReused,
	"exists": store.ErrExists, "revoked": store.ErrRevoked, "changed": errChanged,
}

// do runs a script that returns an outcome. The outcome may be followed by the type and
// the name of the record at fault. "scope" is followed by an API key and the scope at
// fault.
func (s *Store) do(ctx context.Context, sc *script, args ...any) error {
	reply, err := s.run(ctx, sc, args...)
	if err != nil {
		return err
	}

	parts, ok := reply.([]any)
	if !ok {
		parts = []any{reply}
	}
	var texts [3]string
	for i := range min(len(parts), len(texts)) {
		texts[i], _ = parts[i].(string)
	}

	switch err, ok := outcomes[texts[0]]; {
	case texts[0] == "scope":
		return record.ScopeError(texts[1], texts[2])
	case !ok:
		return fmt.Errorf("redis: a script returned %v", reply)
	case len(parts) == len(texts):
		return record.Error(texts[1], texts[2], err)
	default:
		return err
	}
}

// change runs a script that adds changes. Their nonces are derived from one random
// argument, because a script may add any number of changes.
func (s *Store) change(ctx context.Context, sc *script, args ...any) error {
	return s.do(ctx, sc, append([]any{rand.Text()}, args...)...)
}
