package idp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
)

const (
	maxRemoteBody      = 1 << 20 // bytes of an answer
	maxRemoteRedirects = 3
	idleRemoteConns    = 32
)

// remoteURL returns an error unless raw is an https URL, or an http URL on the
// loopback interface. Only there can the identity of the server be trusted.
func remoteURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		// The parser's error could contain a password from the URL.
		return errors.New("the URL does not parse")
	case u.User != nil || u.Fragment != "" || u.Hostname() == "":
		return errors.New("expected a URL with a host, and without user information and fragment")
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("the URL's scheme is %q, expected https (http only on loopback)", u.Scheme)
}

// checkURL returns an error unless raw may be fetched: it is https, or http on loopback,
// or by AllowHTTP http of a host that the configuration itself names with http: in
// Issuers, in JWKSURL or in further.
func (cfg *Config) checkURL(raw string, further ...string) error {
	err := remoteURL(raw)
	if err == nil {
		return nil
	}
	u, parseErr := url.Parse(raw)
	if parseErr != nil || u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return err
	}
	named := func(known string) bool {
		k, err := url.Parse(known)
		return err == nil && k.Scheme == "http" && k.Host == u.Host
	}
	switch isNamed := slices.ContainsFunc(slices.Concat(cfg.Issuers, []string{cfg.JWKSURL}, further), named); {
	case isNamed && cfg.AllowHTTP:
		return nil
	case isNamed:
		return fmt.Errorf("%w; AllowHTTP allows http for this host", err)
	}
	return err
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// remoteClient returns a copy of c, or a new client if c is nil, with the given
// policy for redirects.
func remoteClient(c *http.Client, redirect func(*http.Request, []*http.Request) error) *http.Client {
	var own http.Client
	if c != nil {
		own = *c
	} else if t, ok := http.DefaultTransport.(*http.Transport); ok {
		// The default of two idle connections for each host is too few for one
		// endpoint.
		t = t.Clone()
		t.MaxIdleConnsPerHost = idleRemoteConns
		own.Transport = t
	}
	own.CheckRedirect = redirect
	return &own
}

// sameHost follows redirects to the same scheme, host and port.
func sameHost(r *http.Request, via []*http.Request) error {
	switch from := via[0].URL; {
	case r.URL.Scheme != from.Scheme || r.URL.Host != from.Host:
		return errors.New("a redirect to another host")
	case len(via) > maxRemoteRedirects:
		return errors.New("too many redirects")
	}
	return nil
}

// noRedirect returns a redirect as the answer. Its status is not 200, so it is an
// error.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// remoteBody returns the body of an answer with status 200. It returns an error for
// any other status and for a body over maxRemoteBody.
func remoteBody(client *http.Client, r *http.Request) ([]byte, error) {
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()

	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered with status %d", r.URL.Host, resp.StatusCode)
	}

	// One byte more tells a body of the largest size from a longer one.
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRemoteBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxRemoteBody {
		return nil, fmt.Errorf("%s answered with more than %d bytes", r.URL.Host, maxRemoteBody)
	}
	return body, nil
}
