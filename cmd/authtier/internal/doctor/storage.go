package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store/sqlite"
)

// slow is how long one read of the store may take before it is worth a warning.
const slow = 250 * time.Millisecond

// checkStore opens the store, if it has the right version, and reads from it.
func (e *examination) checkStore(ctx context.Context) error {
	v, err := e.flags.Version(ctx, e.cmd)
	if err != nil {
		e.addError("the store cannot be reached: %s", err)
		return nil
	}
	switch state := v.State(); state {
	case backend.Missing:
		e.add(fault, state.Advice()+", or correct --store", "there is no store yet")
		return nil
	case backend.Older, backend.TooNew:
		e.add(fault, state.Advice(), "the store has version %d, and this program knows version %d", v.Stored, v.Known)
		return nil
	case backend.Newer:
		e.add(warning, state.Advice(), "the store has version %d, one more than this program knows", v.Stored)
	}

	db, err := e.flags.Open(ctx, e.cmd)
	if err != nil {
		e.addError("the store cannot be opened: %s", err)
		return nil
	}
	e.db, e.close = db, db.Close

	if c, ok := e.db.(checked); ok {
		switch err := c.Check(ctx); {
		case errors.Is(err, sqlite.ErrDamaged):
			e.add(fault, "stop the servers, and restore a copy of the store", "the store is damaged: %s", cli.OneLine(err))
		case err != nil:
			e.addError("the store could not be checked: %s", err)
		}
	}

	// The first read may make a connection.
	if _, err := db.ListClients(ctx, "", 1); err != nil {
		return err
	}
	began := time.Now()
	if _, err := db.ListClients(ctx, "", 1); err != nil {
		return err
	}
	took := time.Since(began)
	if took > slow {
		e.add(warning, "look at the load of the store and at the network", "the store has version %d, and a read takes %v", v.Stored, took.Round(time.Millisecond))
	} else {
		e.add(good, "", "the store has version %d, and a read takes %v", v.Stored, took.Round(10*time.Microsecond))
	}
	return nil
}

// A checked is a store that can look for damage.
type checked interface {
	Check(ctx context.Context) error
}

// checkStoreFile checks who can read the file of an SQLite store, and that of the DSN.
func (e *examination) checkStoreFile(context.Context) error {
	if info, err := os.Stat(e.flags.StoreFile); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o044 != 0 {
		e.add(warning, fmt.Sprintf("run chmod 600 %q", e.flags.StoreFile), "others can read the DSN in the file of --store-file (mode %04o)", info.Mode().Perm())
	}

	file, err := e.flags.SQLiteFile(e.cmd)
	if err != nil || file == "" {
		return nil // checkStore tells of the error
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil
	}

	if info.Mode().Perm()&0o002 != 0 && runtime.GOOS != "windows" {
		return nil // no command opens it, as checkStore has said
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		e.add(warning, fmt.Sprintf("run chmod 600 %q", file), "others can read or write the file of the store (mode %04o)", info.Mode().Perm())
		return nil
	}
	e.add(good, "", "only its owner can use the file of the store")
	return nil
}

// A clocked is a store whose server has a clock.
type clocked interface {
	Clock(ctx context.Context) (time.Time, error)
}

// How far the clock of this machine may be from the store's. Other nodes compare their
// own clocks with times that this one has stored.
const (
	drifting = 2 * time.Second
	wrong    = 30 * time.Second
)

func (e *examination) checkClock(ctx context.Context) error {
	server, has := e.db.(clocked)
	if !has {
		e.add(good, "", "the store is on this machine and has the same clock, %s", e.now().UTC().Format(time.RFC3339))
		return nil
	}

	before := e.now()
	there, err := server.Clock(ctx)
	if err != nil {
		return err
	}
	after := e.now()

	// The server read its clock at some time between the two readings.
	var apart time.Duration
	switch {
	case there.Before(before):
		apart = there.Sub(before)
	case there.After(after):
		apart = there.Sub(after)
	}

	const do = "synchronize both clocks, for example with chrony or systemd-timesyncd"
	switch size := apart.Abs(); {
	case size >= wrong:
		e.add(fault, do, "the clock of this machine is %v apart from the store's", size.Round(time.Second))
	case size >= drifting:
		e.add(warning, do, "the clock of this machine is %v apart from the store's", size.Round(100*time.Millisecond))
	default:
		e.add(good, "", "the clocks of this machine and of the store agree")
	}
	return nil
}

// checkChanges reads the feed by which nodes learn of revocations, as a starting node does.
func (e *examination) checkChanges(ctx context.Context) error {
	began := time.Now()
	inForce, at, err := e.db.Snapshot(ctx)
	if err == nil {
		_, _, err = e.db.Since(ctx, at)
	}
	if err != nil {
		e.add(fault, "look at the log of the store: without this feed, servers refuse every token", "the changes cannot be read: %s", cli.OneLine(err))
		return nil
	}
	e.add(good, "", "the changes can be read, in %v: %s in force", time.Since(began).Round(10*time.Microsecond), cli.Plural(len(inForce), "revocation"))
	return nil
}
