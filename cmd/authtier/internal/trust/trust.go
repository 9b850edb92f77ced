// Package trust reads the flag --trust-issuer, which names providers whose tokens are
// accepted.
//
//	trust.AddFlag(cmd.Flags(), &values)
//	configs, err := trust.Read(cmd, values)
package trust

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/middleware/idp"
)

// flag is the name of the flag.
const flag = "trust-issuer"

// AddFlag adds --trust-issuer and its variable.
func AddFlag(flags *pflag.FlagSet, values *[]string, usage string) {
	flags.StringArrayVar(values, flag, nil, usage)
	cli.Env(flags, flag)
}

// Forms returns a line for each preset, with its arguments.
func Forms() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(presets)) {
		b.WriteString("  " + name + ":" + presets[name].form + "\n")
	}
	return b.String()
}

// A preset is a function of package idp whose arguments are texts.
type preset struct {
	form   string // of the arguments
	config func(a []string) idp.Config
}

var presets = map[string]preset{
	"auth0":             {"DOMAIN,AUDIENCE", func(a []string) idp.Config { return idp.Auth0(a[0], a[1]) }},
	"clerk":             {"ISSUER,ORIGIN...", func(a []string) idp.Config { return idp.Clerk(a[0], a[1:]...) }},
	"cloudflare-access": {"TEAM,AUDIENCE", func(a []string) idp.Config { return idp.CloudflareAccess(a[0], a[1]) }},
	"cognito":           {"REGION,POOL,CLIENT...", func(a []string) idp.Config { return idp.Cognito(a[0], a[1], a[2:]...) }},
	"entra":             {"AUDIENCE,TENANT...", func(a []string) idp.Config { return idp.Entra(a[0], a[1:]...) }},
	"firebase":          {"PROJECT", func(a []string) idp.Config { return idp.Firebase(a[0]) }},
	"github-actions":    {"AUDIENCE,REPOSITORY...", func(a []string) idp.Config { return idp.GitHubActions(a[0], a[1:]...) }},
	"gitlab":            {"INSTANCE,AUDIENCE,PROJECT...", func(a []string) idp.Config { return idp.GitLab(a[0], a[1], a[2:]...) }},
	"google":            {"CLIENT...", func(a []string) idp.Config { return idp.Google(a...) }},
	"hydra":             {"ISSUER,AUDIENCE", func(a []string) idp.Config { return idp.Hydra(a[0], a[1]) }},
	"keycloak":          {"REALM_URL,AUDIENCE[,CLIENT...]", keycloak},
	"kubernetes":        {"ISSUER,AUDIENCE,ACCOUNT...", func(a []string) idp.Config { return idp.Kubernetes(a[0], a[1], a[2:]...) }},
	"okta":              {"ISSUER,AUDIENCE", func(a []string) idp.Config { return idp.Okta(a[0], a[1]) }},
	"own":               {"ISSUER[,AUDIENCE...]", func(a []string) idp.Config { return idp.Own(a[0], a[1:]...) }},
	"supabase":          {"PROJECT_URL", func(a []string) idp.Config { return idp.Supabase(a[0]) }},
	"zitadel":           {"ISSUER,AUDIENCE,CLIENT...", func(a []string) idp.Config { return idp.Zitadel(a[0], a[1], a[2:]...) }},
}

// keycloak limits the tokens to clients, if there are any.
func keycloak(a []string) idp.Config {
	cfg := idp.Keycloak(a[0], a[1])
	cfg.Clients = slices.Clone(a[2:])
	return cfg
}

// anyIssuer is an issuer without a preset.
var anyIssuer = preset{"https://ISSUER,AUDIENCE[,AUDIENCE...]", func(a []string) idp.Config {
	return idp.Config{Issuers: a[:1], Audience: a[1:]}
}}

// fits reports whether the preset takes these arguments.
func (p preset) fits(a []string) bool {
	needed, _, _ := strings.Cut(p.form, "[")
	least := strings.Count(needed, ",") + 1
	return (len(a) == least || len(a) > least && strings.Contains(p.form, "...")) && !slices.Contains(a, "")
}

// parse returns the configuration for one value.
func parse(value string) (idp.Config, error) {
	name, rest, _ := strings.Cut(value, ":")
	p, known := presets[name]
	form := name + ":" + p.form
	if name == "https" || name == "http" {
		p, known, rest, form = anyIssuer, true, value, anyIssuer.form
	}
	if !known {
		return idp.Config{}, fmt.Errorf("expected %s, or a provider's name and its arguments: %s", anyIssuer.form, strings.Join(slices.Sorted(maps.Keys(presets)), ", "))
	}

	arguments := strings.Split(rest, ",")
	if !p.fits(arguments) {
		return idp.Config{}, fmt.Errorf("expected %s", form)
	}
	cfg := p.config(arguments)
	if u, err := url.Parse(cfg.Issuers[0]); err != nil || u.Host == "" || u.Scheme != "https" && !isLoopback(u) {
		return idp.Config{}, fmt.Errorf("its issuer would be %q, expected an https URL", cfg.Issuers[0])
	}
	return cfg, nil
}

// isLoopback reports whether u is an http URL on this machine, for which package idp
// needs no TLS.
func isLoopback(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}

// Read returns the configuration for each value of --trust-issuer. In the variable, spaces
// separate the values. Its errors are for people, and it asks no provider.
func Read(cmd *cobra.Command, values []string) (all []idp.Config, err error) {
	place := cli.Place(cmd, flag)
	for _, list := range values {
		if strings.TrimSpace(list) == "" {
			return nil, cli.Usagef("%s is empty, expected %s", place, anyIssuer.form)
		}
		for value := range strings.FieldsSeq(list) {
			cfg, err := parse(value)
			if err != nil {
				return nil, cli.Usagef("%s: %q: %w", place, value, err)
			}
			all = append(all, cfg)
		}
	}
	if err := trial(all); err != nil {
		return nil, cli.Usagef("%s: %w", place, err)
	}
	return all, nil
}

// trial returns the faults that package idp finds in the configurations. It asks no
// provider.
func trial(trusted []idp.Config) error {
	if len(trusted) == 0 {
		return nil
	}
	offline := slices.Clone(trusted)
	for n := range offline {
		offline[n].AllowEmptyStart = true
		offline[n].HTTPClient = &http.Client{Transport: unreachable{}}
		offline[n].Log = slog.New(slog.DiscardHandler)
	}

	v, err := idp.Open(context.Background(), offline...)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "idp: Open: "))
	}
	return v.Close()
}

// unreachable is a network without hosts.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("the settings are only being checked")
}
