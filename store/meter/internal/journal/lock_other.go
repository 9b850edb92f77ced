//go:build !windows && (!unix || aix || solaris)

package journal

import (
	"errors"
	"os"
)

const openFlags = 0

// lock fails. Without locks there can be no journal.
func lock(*os.File) error { return errors.ErrUnsupported }

func unlock(*os.File) error { return nil }

func checkFolder(string, os.FileInfo) error { return errors.ErrUnsupported }

func rename(*os.Root, *os.File, string, string) (*os.File, error) { return nil, errors.ErrUnsupported }

func syncFolder(*os.Root) error { return errors.ErrUnsupported }
