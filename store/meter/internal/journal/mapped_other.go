//go:build !linux

package journal

import (
	"errors"
	"os"
)

func allocate(f *os.File, size int64) error { return writeZeros(f, size) }

// mappable reports false: files are mapped on Linux only.
func mappable(*os.File) bool { return false }

func mapFile(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmap([]byte) {}

func syncMapped([]byte) error { return errors.ErrUnsupported }
