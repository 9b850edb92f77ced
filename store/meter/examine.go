package meter

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/authtier/authtier/store/meter/internal/journal"
)

var errTorn = errors.New("has torn slots")

// Examine reads the files of a folder, and returns those that a meter would set aside. It
// changes nothing and takes no lock, so that it can run beside meters. The error is that of
// the folder.
func Examine(dir string) (found []Aside, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("meter: Examine: %w", err)
	}
	for _, entry := range entries {
		if journal.IsUnfinished(entry.Name()) {
			continue // a meter removes it
		}
		slots, err := examine(filepath.Join(dir, entry.Name()), entry)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a meter has removed the file
			found = append(found, Aside{File: entry.Name(), Slots: slots, Err: err})
		}
	}
	return found, nil
}

// examine returns why a file would be set aside, and the number of its torn slots.
func examine(path string, entry fs.DirEntry) (slots int, err error) {
	if !entry.Type().IsRegular() {
		return 0, journal.ErrForeign
	}
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()

	content, err := journal.Read(file)
	switch {
	case err != nil:
		return 0, err
	case content.Short:
		return content.Torn, journal.ErrTruncated
	case content.Torn > 0:
		return content.Torn, errTorn
	}
	return 0, nil
}
