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

// ProxyConfig configures [Proxy]. The zero value trusts no proxy.
type ProxyConfig struct {
	// Trusted lists the networks of the proxies in front of the server. If it is not
	// empty, a proxy that connects over a Unix socket is trusted too: the socket's
	// file permissions decide which programs may connect.
	Trusted []netip.Prefix

	// Header is the only header that is read: "X-Forwarded-For", the default, or
	// "Forwarded" (RFC 7239). The other one is ignored, because a proxy that writes
	// one of them passes on the other as the client sent it.
	//
	// With "X-Forwarded-For", the header X-Forwarded-Proto says whether the client
	// uses TLS. Every trusted proxy must then set or delete X-Forwarded-Proto.
	Header string
}

const (
	forwardedFor = "X-Forwarded-For"
	forwarded    = "Forwarded"
)

// Proxy determines which client sent a request that came through trusted proxies, and
// whether that client uses TLS. [ClientAddr], [OverTLS] and [Credential.From] return
// the result to everything inside: throttles, the networks of API keys, and the
// Secure attribute of session cookies. Proxy belongs outside of all other wrappers
// except [Observe]. cfg may be nil.
//
// The client is the rightmost address in the header that is not a trusted proxy's. If
// an element is not an IP address, such as "unknown" or an obfuscated identifier (RFC
// 7239 section 6), the client's address is unknown, because anyone may have written
// the elements before it. Ports and IPv6 zones are ignored. The address is also
// unknown after 32 trusted proxies in a row.
//
// A second Proxy around one request is a fault in wiring (AUTH-8), and so is a Proxy
// inside of a wrapper that has already asked for the address. Proxy panics if a
// prefix is invalid, covers all addresses, has bits beyond its length or is
// IPv4-mapped, and if Header is any other header.
func Proxy(cfg *ProxyConfig) Wrapper {
	p := newProxies(cfg)
	return func(next http.Handler) http.Handler {
		notNil("Proxy", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, r := join(r)
			if err := s.mayAskProxies(); err != nil {
				(*errorsx.Writer)(nil).Refuse(w, r, "", err)
				return
			}
			s.peer.Store(p.peer(r))
			next.ServeHTTP(w, r)
		})
	}
}

// mayAskProxies returns a fault if the client's address has already been determined.
func (s *state) mayAskProxies() error {
	switch {
	case s.peer.Load() != nil:
		return errorsx.Fault(errors.New("middleware: Proxy: there is another Proxy around this one"))
	case s.asked.Load():
		return errorsx.Fault(errors.New("middleware: Proxy: a wrapper around it has already asked for the client's address"))
	}
	return nil
}

// A peer is the client that sent a request, as far as it is known.
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
	var errs []error
	for _, p := range cfg.Trusted {
		if !p.IsValid() || p.Masked() != p || p.Addr().Is4In6() {
			errs = append(errs, fmt.Errorf("the list Trusted has %v, expected a prefix without bits beyond its length", p))
		}
		if p.Bits() == 0 {
			errs = append(errs, fmt.Errorf("the list Trusted has %v, so that every client could choose its address: expected the networks of the proxies", p))
		}
	}

	header := cmp.Or(cfg.Header, forwardedFor)
	if header != forwardedFor && header != forwarded {
		errs = append(errs, fmt.Errorf("the Header is %q, expected %s or %s", header, forwardedFor, forwarded))
	}
	mustWire("Proxy", errs...)
	return &proxies{slices.Clone(cfg.Trusted), header}
}

// peer returns the client that sent r.
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
		// The proxy sends a request of its own, for example a health check.
		return here
	}
	return p.follow(here, said)
}

// maxHops is the largest number of trusted proxies that follow passes.
const maxHops = 32

// follow reads the header's elements from the right, until one is not a trusted
// proxy.
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

// remote returns the address at the other end of r's connection, or the zero Addr if
// it has none. It also reports whether the connection is a Unix socket. Only the
// local address shows that, because other code may have changed RemoteAddr.
func remote(r *http.Request) (addr netip.Addr, isUnix bool) {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if _, isUnix := local.(*net.UnixAddr); isUnix {
			return netip.Addr{}, true
		}
	}
	addr, _ = parseAddr(r.RemoteAddr)
	return addr, false
}

// ClientAddr returns the address of the client that sent r: the address that [Proxy]
// determined or, without a Proxy, the address of the connection. It is the zero Addr
// if it is unknown, as on a Unix socket. IPv4-mapped addresses are returned as IPv4,
// and no address has a zone.
func ClientAddr(r *http.Request) netip.Addr {
	if p := askPeer(r); p != nil {
		return p.addr
	}
	addr, _ := remote(r)
	return addr
}

// OverTLS reports whether the request came to this server over TLS, from the client
// or from a proxy. It is also true if a trusted proxy says that the client uses TLS,
// see [Proxy].
func OverTLS(r *http.Request) bool {
	if p := askPeer(r); p != nil {
		return p.tls
	}
	return r.TLS != nil
}

// askPeer returns the result of Proxy, or nil without a Proxy. An inner Proxy could
// contradict that answer later, so it is refused from then on.
func askPeer(r *http.Request) *peer {
	s := stateOf(r.Context())
	if s == nil {
		return nil
	}
	s.asked.Store(true)
	return s.peer.Load()
}
