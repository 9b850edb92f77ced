package main

import (
	"fmt"
	"strings"
)

// A row compares two benchmarks. A zero limit means that there is no limit.
type row struct {
	label      string
	ours, peer key
	who        string // the peer, in words
	limit      limit
	chart      bool
}

// A limit is the result that ours must reach.
type limit struct {
	ratio  float64
	ns     float64
	allocs float64 // at most; below zero, none are allowed
	bytes  float64
}

func on(cpu int, name string) key { return key{name, cpu} }
func one(name string) key         { return on(1, name) }

// bearerRatios are for a token that the cache knows.
var bearerRatios = []struct {
	alg   string
	ratio float64
}{{"HS256", 0.05}, {"RS256", 0.020}, {"ES256", 0.006}, {"EdDSA", 0.010}}

// rows are the promises of the suite, in the order of the table.
func rows() []row {
	var list []row
	for _, b := range bearerRatios {
		list = append(list, row{
			label: "Bearer, JWT cached, " + b.alg, who: "golang-jwt + keyfunc", chart: true,
			ours:  one("Bearer/peer=authtier/alg=" + b.alg + "/outcome=accept"),
			peer:  one("Bearer/peer=keyfunc/alg=" + b.alg + "/outcome=accept"),
			limit: limit{ratio: b.ratio, allocs: 2, bytes: 400},
		})
	}
	for _, b := range bearerRatios {
		list = append(list, row{
			label: "Bearer, JWT seen first, entered into the cache, " + b.alg, who: "golang-jwt + keyfunc",
			ours:  one("BearerFresh/peer=authtier/alg=" + b.alg),
			peer:  one("BearerFresh/peer=keyfunc/alg=" + b.alg),
			limit: limit{ratio: 1}, chart: true,
		})
	}
	for _, b := range bearerRatios {
		list = append(list, row{
			label: "the same on two cores, " + b.alg, who: "golang-jwt + keyfunc",
			ours:  on(2, "BearerFresh/peer=authtier/alg="+b.alg),
			peer:  on(2, "BearerFresh/peer=keyfunc/alg="+b.alg),
			limit: limit{ratio: 1.05},
		})
	}
	list = append(list, lookups...)
	list = append(list, chains()...)
	return append(list, others...)
}

var lookups = []row{
	{"Bearer, opaque token, cached", one("Opaque/peer=authtier/outcome=accept"),
		one("Opaque/peer=fosite/outcome=accept"), "fosite", limit{ratio: 0.10}, true},
	{"Bearer, opaque token, from the memory store", one("Opaque/peer=authtier-store/outcome=accept"),
		one("Opaque/peer=fosite/outcome=accept"), "fosite", limit{ratio: 0.13}, true},
	{"Bearer, opaque token, from the memory store", one("Opaque/peer=authtier-store/outcome=accept"),
		one("Opaque/peer=go-oauth2/outcome=accept"), "go-oauth2", limit{}, false},
	{"API key, cached", one("APIKey/peer=authtier/outcome=accept"),
		one("APIKey/peer=by-hand/outcome=accept"), "SHA-256 and a map by hand", limit{ratio: 1.25, allocs: 2}, true},
	{"Basic with a bcrypt hash, cached", one("Basic/peer=authtier/outcome=accept"),
		one("Basic/peer=go-http-auth/outcome=accept"), "go-http-auth", limit{ratio: 0.00001}, true},
	{"Basic with a bcrypt hash, cached", one("Basic/peer=authtier/outcome=accept"),
		one("Basic/peer=chi/outcome=accept"), "chi, which knows the password itself", limit{}, false},
}

// chains compare the whole chain with the copy of a request, refused requests with
// accepted ones, and two cores with one.
func chains() []row {
	var list []row
	for _, token := range []string{"HS256", "RS256", "ES256", "EdDSA", "opaque"} {
		l := limit{ratio: 3.6, allocs: 2}
		if token == "RS256" {
			l.ratio = 4.8
		}
		accept := one("Chain/peer=authtier/token=" + token + "/outcome=accept")
		list = append(list,
			row{"Tiers, APIKey, Bearer, Scope, Usage, cached, " + token, accept, one("Chain/peer=copy"), "one copy of the request", l, true},
			row{"the same, refused just before, " + token, one("Chain/peer=authtier/token=" + token + "/outcome=refuse"),
				accept, "accepted", limit{ratio: 2}, false})
	}
	opaque := one("Chain/peer=authtier/token=opaque/outcome=accept")
	list = append(list,
		row{"the same, junk with a bad checksum, new each time", one("Chain/peer=authtier/token=opaque/outcome=junk"), opaque, "accepted", limit{ratio: 2}, false},
		row{"the same, accepted, opaque", opaque, one("Chain/peer=copy-per-wrapper"), "a copy for each wrapper, nothing checked", limit{}, false},
		row{"the same, accepted, opaque", opaque, one("Chain/peer=floor"), "only copy, clock and two SHA-256", limit{}, false},
		row{"only copy, clock and two SHA-256", one("Chain/peer=floor"), one("Chain/peer=copy"), "one copy of the request", limit{}, false})
	for _, token := range []string{"ES256", "opaque"} {
		name := "ChainCores/peer=authtier/token=" + token
		list = append(list, row{"the same on two cores, per request, GOGC=1600, " + token, on(2, name), one(name), "one core", limit{ratio: 0.75}, false})
	}
	return list
}

var others = []row{
	{"Token endpoint, client credentials, opaque", one("TokenEndpoint/peer=authtier/token=opaque"),
		one("TokenEndpoint/peer=go-oauth2/token=opaque"), "go-oauth2", limit{ratio: 0.30, allocs: 45}, true},
	{"Token endpoint, client credentials, opaque", one("TokenEndpoint/peer=authtier/token=opaque"),
		one("TokenEndpoint/peer=fosite/token=opaque"), "fosite", limit{}, false},
	{"Token endpoint, client credentials, ES256", one("TokenEndpoint/peer=authtier/token=ES256"),
		one("TokenEndpoint/peer=fosite/token=ES256"), "fosite", limit{ratio: 0.80}, true},
	{"Token endpoint, client credentials, RS256", one("TokenEndpoint/peer=authtier/token=RS256"),
		one("TokenEndpoint/peer=fosite/token=RS256"), "fosite", limit{}, true},
	{"Token endpoint, client credentials, RS256, bound by its signature", one("TokenEndpoint/peer=authtier/token=RS256"),
		one("TokenEndpoint/peer=signature/token=RS256"), "only the RSA signature", limit{ratio: 1.1}, false},
	{"Token endpoint, client credentials, ES256, bound by its signature", one("TokenEndpoint/peer=authtier/token=ES256"),
		one("TokenEndpoint/peer=signature/token=ES256"), "only the ECDSA signature", limit{}, false},
	{"One count of 1,000, two cores", on(2, "Count/peer=authtier"),
		on(2, "Count/peer=mutex-map"), "a map and a mutex", limit{ns: 12, allocs: -1}, true},
	{"One count of 1,000, two cores", on(2, "Count/peer=authtier"),
		on(2, "Count/peer=atomic"), "a bare atomic addition", limit{}, false},
}

// String returns the limit in words.
func (l limit) String() string {
	var parts []string
	say := func(limit float64, format string) {
		if limit > 0 {
			parts = append(parts, "≤ "+fmt.Sprintf(format, limit))
		}
	}
	if l.ratio > 0 {
		parts = append(parts, "≤ "+ratio(l.ratio))
	}
	say(l.ns, "%g ns")
	say(l.allocs, "%g allocs")
	say(l.bytes, "%g B")
	if l.allocs < 0 {
		parts = append(parts, "0 allocs")
	}
	return strings.Join(parts, ", ")
}

// reached says whether ours keeps to l with that ratio to the peer. It returns "" if
// there is no limit.
func (l limit) reached(ours result, ratio float64) string {
	within := func(v, limit float64) bool { return limit == 0 || v <= max(limit, 0) }
	switch {
	case l == limit{}:
		return ""
	case within(ratio, l.ratio) && within(ours.ns, l.ns) && within(ours.allocs, l.allocs) && within(ours.bytes, l.bytes):
		return "yes"
	}
	return "**no**"
}
