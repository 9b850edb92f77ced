package middleware

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/authtier/authtier/errorsx"
)

// ProxyConfig configures [Proxy]. With the zero value, no proxy is trusted.
type ProxyConfig struct {
	// Trusted are the networks of the proxies in front of the server. A proxy that
	// connects over a Unix socket is trusted too, if Trusted is not empty: the
	// socket's file permissions say which programs may connect.
	Trusted []netip.Prefix

	// Header is the one header that the proxies write: "X-Forwarded-For", which is
	// the default, or "Forwarded" (RFC 7239). The other one is never read, because
	// a proxy that writes the one lets the client's other one through.
	//
	// With "X-Forwarded-For", the header X-Forwarded-Proto says whether the client
	// uses TLS, and every trusted proxy must set it or delete it.
	Header string
}

const (
	forwardedFor = "X-Forwarded-For"
	forwarded    = "Forwarded"
)

// Proxy finds out which client sent a request that came through trusted proxies,
// and whether the client uses TLS. Everything inside of it learns this by
// [ClientAddr], [OverTLS] and [Credential.From]: throttles, the networks of API
// keys, and the Secure attribute of session cookies. It belongs in front of all
// other wrappers but [Observe]. cfg may be nil.
//
// The client is the rightmost address in the header that is not a trusted proxy's.
// An element that is no IP address, such as "unknown" or an obfuscated identifier
// (RFC 7239 section 6), makes the client's address unknown: what stands before it
// may have been written by anybody. Ports and IPv6 zones are ignored. Of more than
// 32 trusted proxies in a row the address is unknown too.
//
// A second Proxy around one request, and one inside of a wrapper that has already
// asked for the address, is a fault in wiring: AUTH-8. Proxy panics if a prefix is
// invalid, covers all addresses or has bits beyond its length, and if Header is
// another one.
func Proxy(cfg *ProxyConfig) Wrapper {
	p := newProxies(cfg)
	return func(next http.Handler) http.Handler {
		notNil("Proxy", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, r := join(r)
			if err := s.mayAskProxies(); err != nil {
				(*errorsx.Writer)(nil).Resource(w, r, "", err)
				return
			}
			s.peer.Store(p.peer(r))
			next.ServeHTTP(w, r)
		})
	}
}

// mayAskProxies returns a fault if the client's address is decided already.
func (s *state) mayAskProxies() error {
	switch {
	case s.peer.Load() != nil:
		return errorsx.Fault(errors.New("middleware: Proxy: there is another Proxy around this one"))
	case s.asked.Load():
		return errorsx.Fault(errors.New("middleware: Proxy: a wrapper around it has already asked for the client's address"))
	}
	return nil
}

// A peer is what is known of the client at the other end.
type peer struct {
	addr netip.Addr // the zero Addr if it is not known
	tls  bool
}

// proxies are the trusted proxies.
type proxies struct {
	trusted []netip.Prefix
	header  string
}

func newProxies(cfg *ProxyConfig) *proxies {
	if cfg == nil {
		cfg = &ProxyConfig{}
	}
	for _, p := range cfg.Trusted {
		if !p.IsValid() || p.Masked() != p || p.Addr().Is4In6() {
			panic(fmt.Sprintf("middleware: Proxy: Trusted has %v, expected a prefix without bits beyond its length", p))
		}
		if p.Bits() == 0 {
			panic(fmt.Sprintf("middleware: Proxy: Trusted has %v, so that every client could choose its address: expected the networks of the proxies", p))
		}
	}
	header := cmp.Or(cfg.Header, forwardedFor)
	if header != forwardedFor && header != forwarded {
		panic(fmt.Sprintf("middleware: Proxy: Header is %q, expected %s or %s", header, forwardedFor, forwarded))
	}
	return &proxies{slices.Clone(cfg.Trusted), header}
}

// peer returns which client sent r.
func (p *proxies) peer(r *http.Request) *peer {
	addr, isUnix := remote(r)
	here := &peer{addr: addr, tls: r.TLS != nil}
	if !p.trusts(addr) && !(isUnix && len(p.trusted) > 0) {
		return here
	}

	said := strings.Join(r.Header[p.header], ",")
	if p.header == forwardedFor {
		proto := r.Header["X-Forwarded-Proto"]
		here.tls = here.tls || len(proto) == 1 && proto[0] == "https"
	}
	if strings.TrimSpace(said) == "" {
		return here // the proxy itself asks, for example for the server's health
	}
	return p.follow(here, said)
}

// maxHops is the number of trusted proxies through which a request is followed.
const maxHops = 32

// follow reads the header's elements from the right, up to the first that is not
// a trusted proxy.
func (p *proxies) follow(here *peer, said string) *peer {
	direct := here.tls
	for range maxHops {
		var e element
		var more bool
		if p.header == forwarded {
			e, said, more = lastForwarded(said)
		} else {
			e, said, more = lastForwardedFor(said)
		}
		here.addr, here.tls = e.addr, direct || e.https
		if !p.trusts(e.addr) || !more {
			return here
		}
	}
	here.addr = netip.Addr{}
	return here
}

func (p *proxies) trusts(a netip.Addr) bool {
	return a.IsValid() && slices.ContainsFunc(p.trusted, func(n netip.Prefix) bool { return n.Contains(a) })
}

// remote returns the address at the other end of r's connection, the zero Addr if
// it is none, and whether the connection is a Unix socket's. Only the local
// address tells that: a RemoteAddr may be whatever other code has made of it.
func remote(r *http.Request) (addr netip.Addr, isUnix bool) {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if _, isUnix := local.(*net.UnixAddr); isUnix {
			return netip.Addr{}, true
		}
	}
	addr, _ = parseAddr(r.RemoteAddr)
	return addr, false
}

// ClientAddr returns the address of the client that sent r: as [Proxy] found it,
// or without one that of the connection. It is the zero Addr if it is not known,
// as on a Unix socket. IPv4 addresses are never in IPv6 form, and none has a zone.
func ClientAddr(r *http.Request) netip.Addr {
	if p := askPeer(r); p != nil {
		return p.addr
	}
	addr, _ := remote(r)
	return addr
}

// OverTLS reports whether the request came over TLS: to this server, be it from the
// client or from a proxy, or to a trusted proxy that says so, see [Proxy].
func OverTLS(r *http.Request) bool {
	if p := askPeer(r); p != nil {
		return p.tls
	}
	return r.TLS != nil
}

// askPeer returns what Proxy found out, or nil without one. From then on a Proxy
// inside would contradict the answer, and is refused.
func askPeer(r *http.Request) *peer {
	s := stateOf(r.Context())
	if s == nil {
		return nil
	}
	s.asked.Store(true)
	return s.peer.Load()
}
