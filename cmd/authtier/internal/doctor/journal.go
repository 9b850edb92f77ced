package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/meter"
)

// The names of the files that a meter makes, see package meter.
var (
	journalName = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)-[0-9a-f]{32}\.usage$`)
	unfinished  = ".usage.new"
)

// leastFree is the free space below which a warning is due. A meter makes files of at most
// 8 MiB, and refuses uses if it cannot.
const leastFree = 256 << 20

// A folder describes the files of a journal.
type folder struct {
	files    int
	bytes    int64
	oldest   time.Time // when the file was last changed that was not changed for longest
	late     tally     // files whose day is over, and which a server should have removed
	foreign  tally     // files that no meter has made
	leftover tally     // files that were never finished
	damaged  tally     // files that a meter cannot read, or only in part
	cause    error     // why, for the first of them
}

// checkJournal looks at the folder of the journal. It opens no file for writing and takes
// no lock, so that it does not disturb a server.
func (e *examination) checkJournal(context.Context) error {
	info, err := os.Stat(e.usageDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.missingFolder()
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		e.add(fault, "correct --usage-dir", "%q is not a folder", e.usageDir)
		return nil
	}

	before := len(e.findings)
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o022 != 0 {
		e.add(fault, fmt.Sprintf("run chmod 700 %q", e.usageDir), "others can write to the folder %q (mode %04o), so that no server opens it", e.usageDir, mode)
	}
	if free, known := e.freeBytes(e.usageDir); known && free < leastFree {
		e.add(warning, "make room: without it, uses are refused", "only %d MiB are free for the folder %q", free>>20, e.usageDir)
	}

	f, err := e.readFolder()
	if err != nil {
		return err
	}
	e.reportFolder(f)
	if len(e.findings) == before {
		e.add(good, "", "the folder %q%s holds %s, %d KiB%s", e.usageDir, ownerOf(info), cli.Plural(f.files, "file"), f.bytes>>10, f.age(e.now()))
	}
	return nil
}

// missingFolder tells of a folder that does not exist. A server makes it, but not the folder
// that it is in.
func (e *examination) missingFolder() {
	if _, err := os.Stat(filepath.Dir(e.usageDir)); err != nil {
		e.add(fault, "correct --usage-dir, or make its parent", "the folder %q does not exist, and neither does its parent", e.usageDir)
		return
	}
	e.add(good, "", "there is no folder %q; a server makes it, and a copy of a store needs none", e.usageDir)
}

// age tells when the file was changed that was not changed for longest.
func (f *folder) age(now time.Time) string {
	if f.files == 0 {
		return ""
	}
	return ", the oldest changed " + inWords(now.Sub(f.oldest)) + " ago"
}

func (e *examination) readFolder() (*folder, error) {
	entries, err := os.ReadDir(e.usageDir)
	if err != nil {
		return nil, err
	}
	f := &folder{}
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // a server has removed it
		}
		if err != nil {
			return nil, err
		}
		e.look(f, info)
	}

	asides, err := meter.Examine(e.usageDir)
	for _, a := range asides {
		if journalName.MatchString(a.File) {
			f.cause = cmp.Or(f.cause, a.Err)
			f.damaged.add(a.File)
		}
	}
	return f, err
}

// look notes one file of the folder.
func (e *examination) look(f *folder, info fs.FileInfo) {
	f.files++
	f.bytes += info.Size()
	if f.oldest.IsZero() || info.ModTime().Before(f.oldest) {
		f.oldest = info.ModTime()
	}

	name := journalName.FindStringSubmatch(info.Name())
	switch {
	case strings.HasSuffix(info.Name(), unfinished):
		// A file is finished within moments.
		if e.now().Sub(info.ModTime()) > time.Hour {
			f.leftover.add(info.Name())
		}
	case name == nil:
		f.foreign.add(info.Name())
	default:
		day, err := time.Parse(time.DateOnly, name[1])
		// A running server removes the file within a day.
		if err == nil && store.DayOf(day) < store.DayOf(e.now())-store.LateDays-1 {
			f.late.add(info.Name())
		}
	}
}

func (e *examination) reportFolder(f *folder) {
	if f.damaged.n > 0 {
		e.add(fault, "let the user of the server read them, or restore them from a copy; no report has the counts that they alone have", "the folder %q holds %s that cannot be read, or only in part (%v). The first one: %v", e.usageDir, cli.Plural(f.damaged.n, "file"), &f.damaged, f.cause)
	}
	if f.foreign.n > 0 {
		e.add(warning, "look at them and move them elsewhere: servers set them aside", "the folder %q holds %s that no server made (%v)", e.usageDir, cli.Plural(f.foreign.n, "file"), &f.foreign)
	}
	if f.late.n > 0 {
		e.add(warning, "start a server with this folder, which records what the store lacks and removes them", "the folder %q still holds %s of days that are over (%v)", e.usageDir, cli.Plural(f.late.n, "file"), &f.late)
	}
	if f.leftover.n > 0 {
		e.add(warning, "start a server with this folder, which removes them", "the folder %q holds %s whose making was interrupted (%v)", e.usageDir, cli.Plural(f.leftover.n, "file"), &f.leftover)
	}
}

// behind is how old the time may be up to which usage is complete. Servers record once a
// second.
const behind = time.Hour

// checkUsage asks the store up to when usage is complete. A process that counted and has
// not ended properly holds this time back.
func (e *examination) checkUsage(ctx context.Context) error {
	// The time is the same for every API. The rows are not read.
	today := store.DayOf(e.now())
	r, err := e.db.Report(ctx, store.Query{API: backend.UsageAPI, Issuer: e.flags.Issuer, From: today, To: today})
	if err != nil {
		return err
	}
	through := r.CompleteThrough.Format("2006-01-02 15:04:05 UTC")
	if age := e.now().Sub(r.CompleteThrough); age > behind {
		e.add(warning, "start a server in the folder of the process that has ended without recording its counts", "usage is complete only through %s, %s ago", through, inWords(age))
		return nil
	}
	e.add(good, "", "usage is complete through %s", through)
	return nil
}
