// Package peers compares the suite with other libraries, on the same requests and with
// the same checks. It is a separate module, so that the suite depends on none of them.
// One command runs it and writes the table:
//
//	go -C benchmarks/peers run ./compare -count 5
//
// Each library has a package below, and with it a test binary and a process of its own.
// The process holds only this library, as the processes of its users do. Some libraries
// keep a megabyte of pointers from their initialization, which every garbage collection
// marks; in a shared process, all others would pay for that.
//
// Package bench holds everything that the packages have in common. It imports only
// golang-jwt, which signs the tokens. Package ours measures the suite itself, and
// hand-written code.
//
// Before it is measured, each library shows in the same process that it accepts the
// valid credential and refuses the invalid ones.
//
// Package discovery measures nothing. It tests that resource servers of other projects
// work with only the URL of our issuer.
package peers
