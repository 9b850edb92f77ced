//go:build !linux && !darwin

package doctor

import "io/fs"

// freeBytes returns false, because the free space is not known on this system.
func freeBytes(string) (bytes uint64, ok bool) { return 0, false }

// ownerOf returns "", because the owner is not known on this system.
func ownerOf(fs.FileInfo) string { return "" }
