// Package setup is the command init, which makes the first store.
package setup

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

const long = `init makes what authtier serve needs: the store, the key file, a first client, a first
user and a first API key. It prints each secret once, with curl commands that try
them out. Secrets cannot be shown again; replace a lost one with authtier client rotate-secret,
authtier user set-password or authtier key rotate.

It never overwrites anything. If the store has records already, or if the key file belongs
to another store, it says so and exits with status 1. An init that is interrupted leaves no
store. In a shared store, it may leave a client whose secret nobody has seen: give it a new
one with authtier client rotate-secret.

Other servers on the same store need no init: copy the key file to them.`

type flags struct {
	backend.Flags
	client, user string
	scopes       []string
}

// Command returns the command.
func Command() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:     "init",
		Short:   "Make a store, a key file, and a first client, user and API key",
		Long:    long,
		Example: "  authtier init\n  authtier serve",
		Args:    cli.Args(),
		RunE:    cli.Run(func(cmd *cobra.Command, _ []string) error { return f.run(cmd) }),
	}

	f.AddStore(cmd.Flags())
	f.AddKeyFile(cmd.Flags())
	f.AddIssuer(cmd.Flags())
	cmd.Flags().StringVar(&f.client, "client", "app", "the ID of the first client")
	cmd.Flags().StringVar(&f.user, "user", "user", "the login of the first user")
	cmd.Flags().StringArrayVar(&f.scopes, "scope", []string{"api"}, "a scope of the client and its API key; repeat it, or give several with spaces between them")
	cli.AddOutput(cmd)
	return cmd
}

// A created holds what init prints: the only copy of the secrets.
type created struct {
	Store   string `json:"store"`
	KeyFile string `json:"key_file"`
	Issuer  string `json:"issuer"`

	Client struct {
		ID     string `json:"id"`
		Secret string `json:"secret"`
	} `json:"client"`

	User struct {
		Login    string `json:"login"`
		Password string `json:"password"`
	} `json:"user"`

	APIKey struct {
		ID  string `json:"id"`
		Key string `json:"key"`
	} `json:"api_key"`

	serve string // the command
}

// print writes the secrets and the calls that use them.
func (c *created) print(w io.Writer) {
	fmt.Fprintf(w, `Made the store %s and the key file %s. Keep a copy of both.

client	%s	secret	%s
user	%s	password	%s
API key	%s	key	%s

The secrets are not shown again. Start the server:

%s

Then try them out in another terminal:

curl -u %[10]s %[11]s/oauth2/token -d grant_type=client_credentials
curl -u %[12]s -c cookies.txt '%[11]s/api/login?_json=true'
curl -H 'X-API-KEY: %[8]s' %[11]s/me
`, c.Store, c.KeyFile, c.Client.ID, c.Client.Secret, c.User.Login, c.User.Password, c.APIKey.ID, c.APIKey.Key, c.serve,
		quoted(c.Client.ID+":"+c.Client.Secret), c.Issuer, quoted(c.User.Login+":"+c.User.Password))
}

// serveCommand returns the command that serves what was made. It repeats the flags that
// were given, so that the server has the same store, key file and issuer.
func serveCommand(cmd *cobra.Command) string {
	words := []string{"authtier serve"}
	for _, name := range []string{"store", "store-file", "allow-plaintext-store", "allow-volatile-store", "key-file", "issuer"} {
		if f := cmd.Flags().Lookup(name); f.Changed {
			words = append(words, "--"+name+"="+quoted(f.Value.String()))
		}
	}

	switch u, err := url.Parse(cmd.Flag("issuer").Value.String()); {
	case err != nil: // it was checked before
	case u.Scheme == "https":
		words = append(words, "   # with --tls-cert and --tls-key, or --trusted-proxy: see authtier serve --help")
	case cmd.Flag("issuer").Changed && u.Port() != "":
		words = append(words, "--addr="+u.Host)
	}
	return strings.Join(words, " ")
}

// quoted returns a word for a shell.
func quoted(s string) string {
	plain := func(r rune) bool {
		return r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("-_./:,@%+=", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
