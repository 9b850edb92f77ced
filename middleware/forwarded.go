package middleware

import (
	"net/netip"
	"strings"
)

// An element is one proxy's statement about the peer that sent it the request.
type element struct {
	addr  netip.Addr // the zero Addr if the proxy gives no usable address
	https bool
}

// lastForwardedFor returns the last element of an X-Forwarded-For header and the text
// before it. It reports whether there are more elements.
func lastForwardedFor(header string) (e element, before string, more bool) {
	comma := strings.LastIndexByte(header, ',')
	e.addr, _ = parseAddr(strings.TrimSpace(header[comma+1:]))
	return e, header[:max(comma, 0)], comma >= 0
}

// lastForwarded returns the last element of a Forwarded header (RFC 7239) and the
// text before it. It reports whether there are more elements.
//
// The header is read from its end, because the last element is from a trusted proxy.
// A client could send an opening quote before it, which must not swallow that
// element.
func lastForwarded(header string) (e element, before string, more bool) {
	start := lastUnquoted(header, ',')
	before, more = header[:max(start, 0)], start >= 0

	seen := map[string]bool{}
	for rest, parts := header[start+1:], true; parts; {
		semicolon := lastUnquoted(rest, ';')
		pair := strings.TrimSpace(rest[semicolon+1:])
		rest, parts = rest[:max(semicolon, 0)], semicolon >= 0

		name, value, ok := strings.Cut(pair, "=")
		name = strings.ToLower(name)
		if pair == "" {
			continue
		}
		// A malformed element is ignored as a whole. It gives no address.
		if !ok || seen[name] {
			return element{}, before, more
		}
		seen[name] = true
		switch value = unquote(value); name {
		case "for":
			e.addr = parseNode(value)
		case "proto":
			e.https = value == "https"
		}
	}
	return e, before, more
}

// lastUnquoted returns the index of the last separator outside of a quoted-string, or
// -1.
func lastUnquoted(s string, separator byte) int {
	quoted := false
	for i := len(s) - 1; i >= 0; i-- {
		switch {
		case s[i] == '"' && !escaped(s, i):
			quoted = !quoted
		case s[i] == separator && !quoted:
			return i
		}
	}
	return -1
}

// escaped reports whether an odd number of backslashes precedes s[i].
func escaped(s string, i int) bool {
	return (i-len(strings.TrimRight(s[:i], `\`)))%2 == 1
}

// unquote removes the quotes of a quoted-string. It leaves escapes as they are,
// because no address and no protocol needs them. Any other text is returned
// unchanged.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// parseNode parses a node (RFC 7239 section 6), in which an IPv6 address has
// brackets. It returns the zero Addr for any other text.
func parseNode(s string) netip.Addr {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 || end+1 < len(s) && s[end+1] != ':' {
			return netip.Addr{}
		}
		a, _ := parseAddr(s[:end+1])
		return a
	}
	host, _, _ := strings.Cut(s, ":")
	a, _ := parseAddr(host)
	return a
}

// parseAddr parses an IP address as connections and proxies write it: alone, in
// brackets, or with a port. It drops an IPv6 zone and unmaps an IPv4-mapped address.
func parseAddr(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)

	if err != nil {
		var p netip.AddrPort
		p, err = netip.ParseAddrPort(s)
		a = p.Addr()
	}

	if inside, ok := strings.CutPrefix(s, "["); ok && err != nil && strings.HasSuffix(inside, "]") {
		a, err = netip.ParseAddr(inside[:len(inside)-1])
	}
	if err != nil {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}
