package idp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// GitHubActions accepts the tokens of jobs of GitHub Actions. A job chooses the audience
// itself, so the tokens are also limited to repositories: each is the numeric ID of a
// repository (repository_id), or with the prefix "owner:" that of an owner
// (repository_owner_id). Names can be given up and taken by others.
//
// A job is no user: the client is sub, such as "repo:octo-org/octo-repo:ref:refs/heads/main".
//
// See https://docs.github.com/en/actions/reference/security/oidc.
func GitHubActions(audience string, repositories ...string) Config {
	own := slices.Clone(repositories)
	return jobs(preset{
		faults: append(missing("GitHubActions", "audience", audience), none("GitHubActions: no repositories", own)...),
		refuse: func(c Claims, _ string) error {
			owner := c.Text("repository_owner_id")
			if repository := c.Text("repository_id"); repository != "" && slices.Contains(own, repository) || owner != "" && slices.Contains(own, "owner:"+owner) {
				return nil
			}
			return c.fault("repository_id", words("one of the configured repositories or owners"))
		},
	}, "https://token.actions.githubusercontent.com", audience)
}

// GitLab accepts the ID tokens of CI jobs of a GitLab instance, such as
// "https://gitlab.com". A job chooses the audience itself, so the tokens are also limited
// to projects: each is a project_id, or with the prefix "namespace:" a namespace_id.
//
// A job is no user: the client is sub, such as "project_path:group/project:ref_type:branch:ref:main".
//
// See https://docs.gitlab.com/ci/secrets/id_token_authentication/.
func GitLab(instance, audience string, projects ...string) Config {
	own := slices.Clone(projects)
	return jobs(preset{
		faults: append(missing("GitLab", "instance", instance, "audience", audience), none("GitLab: no projects", own)...),
		refuse: func(c Claims, _ string) error {
			namespace := c.Text("namespace_id")
			if project := c.Text("project_id"); project != "" && slices.Contains(own, project) || namespace != "" && slices.Contains(own, "namespace:"+namespace) {
				return nil
			}
			return c.fault("project_id", words("one of the configured projects or namespaces"))
		},
	}, instance, audience)
}

// Kubernetes accepts the tokens of a cluster's service accounts. Any of them can ask for
// any audience, so the tokens are also limited to accounts: each is NAMESPACE/NAME.
//
// A service account is no user: the client is sub, such as
// "system:serviceaccount:default:builder".
//
// See https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/.
func Kubernetes(issuer, audience string, accounts ...string) Config {
	var own []string
	faults := append(missing("Kubernetes", "issuer", issuer, "audience", audience), none("Kubernetes: no accounts", accounts)...)
	for _, account := range accounts {
		if namespace, name, _ := strings.Cut(account, "/"); namespace == "" || name == "" || strings.ContainsAny(account, ": ") {
			faults = append(faults, fmt.Errorf("Kubernetes: the account %q, expected NAMESPACE/NAME", account))
		}
		own = append(own, "system:serviceaccount:"+strings.ReplaceAll(account, "/", ":"))
	}
	return jobs(preset{
		faults: faults,
		refuse: func(c Claims, _ string) error {
			if !slices.Contains(own, c.Text("sub")) {
				return c.fault("sub", words("one of the configured service accounts"))
			}
			return nil
		},
	}, issuer, audience)
}

// jobs returns the Config of a provider whose tokens are never a person's and name the
// client in sub.
func jobs(p preset, issuer, audience string) Config {
	p.machine = func(Claims) bool { return true }
	return Config{Issuers: []string{issuer}, Audience: []string{audience}, Client: "sub", Scopes: []string{}, preset: p}
}

// none returns an error if a list of second conditions is empty or holds an empty one.
func none(text string, list []string) []error {
	if len(list) == 0 || slices.Contains(list, "") {
		return []error{errors.New(text + ": any of them could ask for the audience")}
	}
	return nil
}

// CloudflareAccess accepts the tokens that Cloudflare Access adds to requests. team is
// the team's domain, such as "example.cloudflareaccess.com", and audience is the AUD tag
// of the application.
//
// The user is sub. The token of a service has an empty sub and names the service in
// common_name, which is then the client. There are no scopes.
//
// See https://developers.cloudflare.com/cloudflare-one/identity/authorization-cookie/validating-json/.
func CloudflareAccess(team, audience string) Config {
	return Config{
		Issuers: []string{"https://" + team}, Audience: []string{audience}, JWKSURL: "https://" + team + "/cdn-cgi/access/certs",
		Client: "common_name", Scopes: []string{},
		preset: preset{
			faults:  append(domainFault("CloudflareAccess", "team", team), missing("CloudflareAccess", "audience", audience)...),
			machine: func(c Claims) bool { return c.Has("common_name") },
		},
	}
}
