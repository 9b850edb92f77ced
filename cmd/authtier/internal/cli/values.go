package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ParseNetwork parses a network or an address, which is the network of that address alone.
// It accepts what [middleware.ProxyConfig] accepts, except for ::ffff:0:0/96.
func ParseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil || p.Addr().Is4In6():
		return p, errors.New("expected a network such as 192.0.2.0/24 or an address such as 2001:db8::1")
	case p != p.Masked():
		return p, fmt.Errorf("it has bits beyond its length, expected %v", p.Masked())
	}
	return p, nil
}

// ParseTime parses a date, which means its beginning in UTC, or a time with a zone. The
// result is in UTC and has the precision that every store keeps.
func ParseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t, err = time.Parse(time.RFC3339, text)
	}
	return t.UTC().Truncate(time.Microsecond), err
}

// ParseDuration parses a duration such as 90s, 24h or 30d. A day has 24 hours.
func ParseDuration(text string) (time.Duration, error) {
	days, ok := strings.CutSuffix(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	return time.Duration(n) * 24 * time.Hour, err
}

// Plural returns a number with a noun, such as 1 client or 2 clients.
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
