package middleware

import (
	"net/netip"
	"strings"
)

// An element is what one proxy says of the peer that it got a request from.
type element struct {
	addr  netip.Addr // the zero Addr if the proxy does not say, or not clearly
	https bool
}

// lastForwardedFor returns the last element of an X-Forwarded-For header, and
// what stands before it.
func lastForwardedFor(header string) (e element, before string, more bool) {
	comma := strings.LastIndexByte(header, ',')
	e.addr, _ = parseAddr(strings.TrimSpace(header[comma+1:]))
	return e, header[:max(comma, 0)], comma >= 0
}

// lastForwarded returns the last element of a Forwarded header (RFC 7239), and
// what stands before it.
//
// The header is read from its end: the last element is a trusted proxy's, and an
// opening quote that a client sends before it must not swallow it.
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
		if !ok || seen[name] { // an element that is malformed says nothing
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

// lastUnquoted returns where the last separator outside of a quoted-string is, or
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

// escaped reports whether an odd number of backslashes stands before s[i].
func escaped(s string, i int) bool {
	return (i-len(strings.TrimRight(s[:i], `\`)))%2 == 1
}

// unquote returns the text of a quoted-string without escapes, which no address
// and no protocol needs, and any other text as it is.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// parseNode reads a node of RFC 7239 section 6, in which an IPv6 address has
// brackets.
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

// parseAddr reads an IP address as connections and proxies write it: alone, in
// brackets, or with a port. It drops a zone, and the IPv6 form of an IPv4 address.
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
