package trust

import (
	"strings"
	"testing"

	"github.com/authtier/authtier/middleware/idp"
)

// Each preset calls the function of its name.
func TestPresets(t *testing.T) {
	tested := map[string]bool{}
	for _, tt := range []struct{ value, issuer, audience, clients string }{
		{"auth0:example.eu.auth0.com,api", "https://example.eu.auth0.com/", "api", ""},
		{"clerk:https://clerk.example.com,https://app.example.com", "https://clerk.example.com", "", "https://app.example.com"},
		{"cloudflare-access:example.cloudflareaccess.com,api", "https://example.cloudflareaccess.com", "api", ""},
		{"cognito:eu-central-1,eu-central-1_pool,app,web", "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_pool", "", "app web"},
		{"firebase:project", "https://securetoken.google.com/project", "project", ""},
		{"github-actions:api,owner:1,2", "https://token.actions.githubusercontent.com", "api", ""},
		{"gitlab:https://gitlab.example.com,api,1,namespace:2", "https://gitlab.example.com", "api", ""},
		{"google:app", "https://accounts.google.com", "app", ""},
		{"hydra:https://hydra.example.com,api", "https://hydra.example.com", "api", ""},
		{"keycloak:https://sso.example.com/realms/main,api", "https://sso.example.com/realms/main", "api", ""},
		{"keycloak:https://sso.example.com/realms/main,account,app", "https://sso.example.com/realms/main", "account", "app"},
		{"kubernetes:https://k8s.example.com,api,default/builder", "https://k8s.example.com", "api", ""},
		{"okta:https://example.okta.com/oauth2/default,api", "https://example.okta.com/oauth2/default", "api", ""},
		{"own:https://auth.example.com,api", "https://auth.example.com", "api", ""},
		{"supabase:https://abc.supabase.co", "https://abc.supabase.co/auth/v1", "authenticated", ""},
		{"zitadel:https://zitadel.example.com,1,app", "https://zitadel.example.com", "1", ""},
		{"entra:5d3f0a4e-6f10-4d7e-9d0e-0c7bb1d0a001,5d3f0a4e-6f10-4d7e-9d0e-0c7bb1d0a002", "", "", ""},
		{"https://id.example.com/x,api,other", "https://id.example.com/x", "api other", ""},
	} {
		cfg, err := parse(tt.value)
		if err == nil {
			err = trial([]idp.Config{cfg})
		}
		if err != nil {
			t.Errorf("%s: %v", tt.value, err)
			continue
		}
		name, _, _ := strings.Cut(tt.value, ":")
		tested[name] = true
		if tt.issuer != "" && (cfg.Issuers[0] != tt.issuer || tt.audience != "" && strings.Join(cfg.Audience, " ") != tt.audience || strings.Join(cfg.Clients, " ") != tt.clients) {
			t.Errorf("%s: issuer %q, audience %q, clients %q", tt.value, cfg.Issuers, cfg.Audience, cfg.Clients)
		}
	}
	for name := range presets {
		if !tested[name] {
			t.Errorf("%s is not tested", name)
		}
	}
}

// Each value that a preset needs is needed.
func TestPresetsNeedTheirArguments(t *testing.T) {
	for name, p := range presets {
		needed, _, _ := strings.Cut(p.form, "[")
		values := strings.Split(strings.Repeat(",x", strings.Count(needed, ",")), ",")[1:]
		if _, err := parse(name + ":" + strings.Join(values, ",")); err == nil || !strings.Contains(err.Error(), name+":"+p.form) {
			t.Errorf("%s with %q: got %v", name, values, err)
		}
	}
}
