package middleware

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// From returns the address of the client that sends r: the connection's own, or
// where that is a trusted proxy's, the last one in X-Forwarded-For that is not. It
// is the zero Addr where the connection has none, as on a Unix socket, which is
// trusted like a proxy if there are trusted ones.
func (t *Throttle) From(r *http.Request) netip.Addr {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	from := peer.Addr().Unmap()
	if t == nil {
		return from
	}
	said := strings.Join(r.Header["X-Forwarded-For"], ",")
	for range maxHops {
		if !isProxy(from, t.cfg.TrustedProxies) || said == "" {
			return from
		}
		last := said[strings.LastIndexByte(said, ',')+1:]
		said = strings.TrimSuffix(said[:len(said)-len(last)], ",")
		addr, ok := parseHop(strings.TrimSpace(last))
		if !ok {
			return from // what stands before it, anybody may have written
		}
		from = addr
	}
	return from
}

// FromProxy reports whether r was sent by one of the proxies, or over a connection
// without an address, as on a Unix socket, if there are any.
func FromProxy(r *http.Request, proxies []netip.Prefix) bool {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	return isProxy(peer.Addr().Unmap(), proxies)
}

func isProxy(a netip.Addr, proxies []netip.Prefix) bool {
	if !a.IsValid() {
		return len(proxies) > 0
	}
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// parseHop reads an address as proxies write it, some with a port.
func parseHop(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		var p netip.AddrPort
		p, err = netip.ParseAddrPort(s)
		a = p.Addr()
	}
	return a.Unmap(), err == nil
}
