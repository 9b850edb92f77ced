package middleware

import (
	"net/http"
	"net/netip"
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
		if !t.trusted(from) || said == "" {
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

func (t *Throttle) trusted(a netip.Addr) bool {
	if !a.IsValid() {
		return len(t.cfg.TrustedProxies) > 0
	}
	for _, p := range t.cfg.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
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
