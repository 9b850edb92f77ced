// Package peers measures the suite beside others, on the same requests and with
// the same checks. It is a module of its own, so that the suite depends on none
// of them. One command runs it and writes the table:
//
//	go -C benchmarks/peers run ./compare -count 5
//
// Whoever is measured has first shown, in the same process, that it accepts the
// good credential and refuses the bad ones.
package peers
