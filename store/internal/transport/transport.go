// Package transport decides which connections need no encryption ([IsLocal]).
package transport

import (
	"net/netip"
	"strings"
)

// IsLocal reports whether connections to a host stay on this machine. The host must be a
// loopback address, "localhost", or the path of a Unix socket. An "@" begins the name of
// an abstract socket, which has no path.
func IsLocal(host string) bool {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}
