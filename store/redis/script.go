package redis

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/authtier/authtier/store"
)

//go:embed lua/*.lua
var lua embed.FS

// A script is run by its digest once the server knows it.
type script struct{ source, digest string }

func newScript(name string) *script {
	source := file("common") + file(name)
	sum := sha1.Sum([]byte(source)) // the server's name for it
	return &script{source, hex.EncodeToString(sum[:])}
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
	putClient      = newScript("putclient")
	deleteClient   = newScript("deleteclient")
	putUser        = newScript("putuser")
	rehash         = newScript("rehash")
	deleteUser     = newScript("deleteuser")
	putAPIKey      = newScript("putapikey")
	replaceAPIKey  = newScript("replaceapikey")
	listAPIKeys    = newScript("listapikeys")
	addSecret      = newScript("addsecret")
	deleteSecret   = newScript("deletesecret")
	touch          = newScript("touch")
	putSigningKeys = newScript("putsigningkeys")
	revoke         = newScript("revoke")
	snapshot       = newScript("snapshot")
	sweep          = newScript("sweep")
	tell           = newScript("tell")
	fold           = newScript("fold")
	adjust         = newScript("adjust")
	forget         = newScript("forget")
	readDay        = newScript("day")
)

// run returns what the script returns.
func (s *Store) run(ctx context.Context, sc *script, args ...any) (reply any, err error) {
	err = call(ctx, func(ctx context.Context) error {
		reply, err = s.load(ctx, sc, args)
		return err
	})
	return reply, err
}

// load runs a script, which is sent to the server if that does not have it.
func (s *Store) load(ctx context.Context, sc *script, args []any) (any, error) {
	reply, err := s.eval(ctx, "evalsha", sc.digest, args)
	if redis.HasErrorPrefix(err, "NOSCRIPT") { // it did not run
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

// do runs a script that returns how it went.
func (s *Store) do(ctx context.Context, sc *script, args ...any) error {
	reply, err := s.run(ctx, sc, args...)
	switch {
	case err != nil:
		return err
	case reply == "ok":
		return nil
	case reply == "missing":
		return store.ErrNotFound
	case reply == "reused":
		return store.ErrReused
	case reply == "taken":
		return errors.New("redis: an API key cannot replace itself or another")
	}
	return fmt.Errorf("redis: a script returned %v", reply)
}

// change runs a script that enters changes. Their nonces are made from a random
// argument, since a script may enter any number.
func (s *Store) change(ctx context.Context, sc *script, args ...any) error {
	return s.do(ctx, sc, append([]any{rand.Text()}, args...)...)
}
