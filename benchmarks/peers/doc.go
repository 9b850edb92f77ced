// Package peers measures the suite beside others, on the same requests and with
// the same checks. It is a module of its own, so that the suite depends on none
// of them. One command runs it and writes the table:
//
//	go -C benchmarks/peers run ./compare -count 5
//
// Each library has a package below and with it a test binary, a process of its
// own that holds what its users have in theirs and no other library: some keep a
// megabyte of pointers from their initialisation, which every collection marks,
// and whoever is in one process with them would pay for that. What all packages
// have in common is in bench; it imports nothing but golang-jwt, which signs the
// tokens. The suite itself is in ours, together with what one writes by hand.
//
// Whoever is measured has first shown, in the same process, that it accepts the
// good credential and refuses the bad ones.
//
// Package discovery measures nothing. It tests that resource servers of others
// work with the URL of our issuer alone.
package peers
