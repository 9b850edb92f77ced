package main

import (
	"cmp"
	"fmt"
	"strings"
)

// markdown returns the page. It describes the measurement, compares ours with the peers,
// and lists all results.
func markdown(rs *results) string {
	var b strings.Builder
	c := rs.config
	fmt.Fprintf(&b, "# Beside others\n\n%s, %s cores, %s, GOGC=%s, %s. One command measures, and writes this page:\n\n```sh\n%s\n```\n\n",
		cmp.Or(c["machine"], c["cpu"], "an unknown machine"), c["cores"], c["go"], c["gogc"], c["date"], c["command"])
	b.WriteString(preface)
	b.WriteString("![Time for each request, on a logarithmic scale](peers.svg)\n\n## To be reached\n\n")
	b.WriteString("| what | ours | allocs | B | beside | theirs | allocs | ratio | to reach | reached |\n")
	b.WriteString("|---|--:|--:|--:|---|--:|--:|--:|---|---|\n")
	for _, r := range rows() {
		b.WriteString(r.markdown(rs))
	}
	b.WriteString("\n## Everything measured\n\n| benchmark | one core | two cores | B | allocs |\n|---|--:|--:|--:|--:|\n")
	for _, k := range rs.order {
		if k.cpu != 1 {
			continue
		}
		first, second := rs.median[k], rs.median[key{k.name, 2}]
		fmt.Fprintf(&b, "| %s | %s | %s | %.0f | %.0f |\n", k.name, duration(first.ns), duration(second.ns), first.bytes, first.allocs)
	}
	return b.String()
}

const preface = `Each library is measured in a process of its own, which holds what its users have in theirs and no other library: some keep a
megabyte of pointers from their initialisation, which every collection marks, and all in one process with them would pay for it.
One process runs at a time. In each round everybody runs once, and one benchmark is run by all who have it before the next: what is
compared is seconds apart. It runs twice in a row, and the second run counts: in the first one its process takes its memory from the
system. Figures are medians over the rounds, on one core unless a row says otherwise. A ratio is the median of
the ratios within a round, so that a machine that is slow for a while tips no scale; it is not quite the ratio of the two figures.
Only the ratios carry over to other machines. On two cores, a figure is the time for each request, not of each.

Everybody gets the same kind of request and token, stands before the same handler, and checks the same: signature and algorithm, issuer,
audience, expiry and scope of a JWT; expiry, audience and scope of an opaque token, but for go-oauth2, which knows no audience. Before
it is measured, everybody has shown that it accepts the good credential and refuses those that are tampered with, expired, or made
for another audience, issuer or scope. The cache's figures are with expiry, audience, client and scope looked at on each
request, as always; the peers have no cache. go-http-auth and ours know the password by a bcrypt hash of cost 10, chi as it is. At
the token endpoint, fosite is given SHA-256 for secrets in place of its bcrypt, which ours uses for generated secrets; go-oauth2
compares them as they are. A signature by itself is of one digest, with the key and by the method of the endpoint beside it.

What is to be reached was set on a machine where the copy of a request takes some 250 ns and an atomic addition on two cores 5. Where
memory is faster than that, and the clock and SHA-256 are not, the chain weighs more beside a copy: the row of copy, clock and two
digests says how much of it these are. Like the chain, it takes one allocation; the bare copy takes two.

`

func (r row) markdown(rs *results) string {
	ours, peer, beside := rs.median[r.ours], rs.median[r.peer], rs.ratio(r.ours, r.peer)
	if beside == 0 {
		return fmt.Sprintf("| %s | not measured | | | %s | | | | %s | |\n", r.label, r.who, r.limit)
	}
	return fmt.Sprintf("| %s | %s | %.0f | %.0f | %s | %s | %.0f | %s | %s | %s |\n", r.label, duration(ours.ns), ours.allocs, ours.bytes,
		r.who, duration(peer.ns), peer.allocs, ratio(beside), r.limit, r.limit.reached(ours, beside))
}

// duration returns ns with three digits and a unit, and nothing for zero.
func duration(ns float64) string {
	switch {
	case ns == 0:
		return ""
	case ns < 999.5:
		return fmt.Sprintf("%.3g ns", ns)
	case ns < 999.5e3:
		return fmt.Sprintf("%.3g µs", ns/1e3)
	}
	return fmt.Sprintf("%.3g ms", ns/1e6)
}

// ratio returns r with three digits, and a very small one as a fraction.
func ratio(r float64) string {
	switch {
	case r >= 0.0001:
		return fmt.Sprintf("%.3g", r)
	}
	return fmt.Sprintf("1/%.0f", 1/r)
}
