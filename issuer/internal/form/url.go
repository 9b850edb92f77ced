package form

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// CheckBase returns an error unless base is a path below which routes can be
// registered. The caller names the field.
func CheckBase(base string) error {
	if !strings.HasPrefix(base, "/") || base == "/" || path.Clean(base) != base || (&url.URL{Path: base}).EscapedPath() != base {
		return fmt.Errorf("%q: expected single slashes, none of them at the end, and between them characters that need no escape", base)
	}
	return nil
}

// Loopback reports whether the host of a URL is localhost or a loopback address.
func Loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
