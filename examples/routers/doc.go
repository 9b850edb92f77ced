// Package routers shows authtier in front of and inside of chi, gin, echo, gorilla/mux,
// connect and grpc-gateway. Each router has one file, which serves the same API. Copy the
// file of your router, and the adapter in it if there is one.
package routers
