// Package transport decides which connections need no encryption ([IsLocal]), and finds
// passwords that would be taken for something else ([CheckPassword]).
package transport

import (
	"errors"
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

// CheckPassword returns an error if the password in a URL ends at a character that was not
// percent-encoded. The rest of the password would be taken for a host or a path, which
// errors show and which is looked up.
func CheckPassword(dsn string) error {
	_, rest, isURL := strings.Cut(dsn, "://")
	if !isURL || !strings.Contains(rest, "@") {
		return nil
	}

	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	at := strings.IndexByte(rest, '@')
	isSplit := at < end && strings.Count(rest[:end], "@") > 1
	isCut := at > end && !strings.Contains(rest[end:at], "=") // else it is in the value of a parameter
	if isSplit || isCut {
		return errors.New("the DSN has an @ at the wrong place: percent-encode the characters @ / ? # % of the password")
	}
	return nil
}
