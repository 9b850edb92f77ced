package idp

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// tenant returns the tenant of an iss that one of the templates matches. A template with
// Tenants matches only these.
func (t *trusted) tenant(iss string) (tenant string, ok bool) {
	tenant = t.anyTenant(iss)
	return tenant, tenant != "" && t.accepts(tenant)
}

// anyTenant returns the tenant of an iss that one of the templates matches, even if it is
// not one of Tenants, or "".
func (t *trusted) anyTenant(iss string) string {
	for _, template := range t.cfg.Issuers {
		before, after, isTemplate := cutTenant(template)
		if !isTemplate || !strings.HasPrefix(iss, before) || !strings.HasSuffix(iss, after) || len(iss) <= len(before)+len(after) {
			continue
		}
		if tenant := iss[len(before) : len(iss)-len(after)]; isTenant(tenant) {
			return tenant
		}
	}
	return ""
}

// accepts reports whether the configuration accepts a tenant.
func (t *trusted) accepts(tenant string) bool {
	if t.cfg.preset.guids {
		tenant = strings.ToLower(tenant)
	}
	return t.cfg.AllowAnyTenant || slices.Contains(t.cfg.Tenants, tenant)
}

// otherTenant returns the fault of a token whose iss names a tenant that is not accepted.
func otherTenant(c Claims, tenant string) *tokenFault {
	return newFault("tenant in "+c.part, "iss", words("one of the configured tenants"), '"', tenant).see("Tenants")
}

// lower returns the texts in lower case.
func lower(texts []string) (lowered []string) {
	for _, s := range texts {
		lowered = append(lowered, strings.ToLower(s))
	}
	return lowered
}

// checkGUIDs returns an error if a preset requires that Tenants are GUIDs, and they are
// not. The iss of a token never has the domain of a tenant.
func (cfg *Config) checkGUIDs() error {
	for _, tenant := range cfg.Tenants {
		if cfg.preset.guids && !isGUID(tenant) {
			return fmt.Errorf("the Tenants hold %q, expected the tenant's ID, which is a GUID: tokens do not name its domain", tenant)
		}
	}
	return nil
}

// isTenant reports whether s can be a tenant: letters, digits, '-', '.' and '_', but not
// only dots, which are path segments of their own kind.
func isTenant(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return strings.Trim(s, ".") != ""
}

// cutTenant splits an issuer around its segment {tenant} or {tenantid}. ok is false if it
// has none.
func cutTenant(iss string) (before, after string, ok bool) {
	for _, segment := range []string{"/{tenant}", "/{tenantid}"} {
		before, after, ok = strings.Cut(iss, segment)
		if ok && (after == "" || after[0] == '/') {
			return before + "/", after, true
		}
	}
	return iss, "", false
}

// overlaps returns an error if a template of t and one of other accept the same tenant, so
// that their order would decide.
func (t *trusted) overlaps(other *trusted) error {
	for _, template := range t.cfg.Issuers {
		before, after, isTemplate := cutTenant(template)
		for _, theirs := range other.cfg.Issuers {
			b, a, ok := cutTenant(theirs)
			if !isTemplate || !ok || a != after || b != before {
				continue
			}
			common := t.cfg.AllowAnyTenant || other.cfg.AllowAnyTenant || slices.ContainsFunc(t.cfg.Tenants, other.accepts)
			if common {
				return fmt.Errorf("the template %q: two issuers accept the same tenant", template)
			}
		}
	}
	return nil
}

// checkTenant returns the fault of a token whose claims name another tenant than iss.
func (t *trusted) checkTenant(c Claims, tenant string) error {
	if tenant != "" && c.Text(t.cfg.TenantClaim) != tenant {
		return c.fault(t.cfg.TenantClaim, words("the tenant that iss names")).see("TenantClaim")
	}
	return nil
}

// checkKeyIssuer returns an error if the key has a member issuer that names another
// tenant than the token's. tenant is the one that the template has matched, or "", and
// claimed the one in the token's claims.
func (t *trusted) checkKeyIssuer(k verifyKey, claimed, tenant string) error {
	if k.issuer == "" || strings.Contains(k.issuer, "{tenantid}") || strings.Contains(k.issuer, "{tenant}") {
		return nil
	}
	tenant = cmp.Or(tenant, claimed)
	if tenant != "" && slices.Contains(strings.Split(k.issuer, "/"), tenant) {
		return nil
	}
	return errors.New("the key verifies tokens of another tenant only")
}
