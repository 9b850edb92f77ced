// Package metrics shows how to measure and to audit requests with Observe. Each of
// prometheus.go, otel.go and audit.go is one file that stands for itself: copy the one
// that you need.
package metrics
