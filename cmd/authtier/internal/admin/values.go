package admin

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

// A list is the value of a flag that may be given several times. A value may hold several
// words with spaces between them, as in RFC 6749 section 3.3. An empty value is an error:
// it is probably a variable of a script that is not set.
type list []string

// Set implements [pflag.Value].
func (l *list) Set(s string) error {
	words := strings.Fields(s)
	if len(words) == 0 {
		return errors.New("it is empty, expected a word; to have none, see the flags that begin with --no-")
	}
	*l = append(*l, words...)
	return nil
}

// String implements [pflag.Value].
func (l *list) String() string { return strings.Join(*l, " ") }

// Type implements [pflag.Value].
func (l *list) Type() string { return "WORD" }

// networks is the value of a flag that may be given several times, once for each network.
type networks []netip.Prefix

// Set implements [pflag.Value]. An address is the network that has only that address.
func (n *networks) Set(s string) error {
	p, err := cli.ParseNetwork(s)
	if err == nil {
		*n = append(*n, p)
	}
	return err
}

// String implements [pflag.Value].
func (n *networks) String() string { return strings.Join(n.texts(), " ") }

// Type implements [pflag.Value].
func (n *networks) Type() string { return "NETWORK" }

func (n networks) texts() []string {
	texts := []string{}
	for _, p := range n {
		texts = append(texts, p.String())
	}
	return texts
}

// An expiry is the value of a flag for a time in the future.
type expiry struct{ time.Time }

// Set implements [pflag.Value]. It takes a date, a time, or a duration from now.
func (e *expiry) Set(s string) error {
	t, err := cli.ParseTime(s)
	if err != nil {
		var d time.Duration
		d, err = cli.ParseDuration(s)
		t = time.Now().UTC().Add(d).Truncate(time.Microsecond)
	}

	switch {
	case err != nil:
		return errors.New("expected a date such as 2030-01-31, a time such as 2030-01-31T12:00:00Z or a duration such as 30d")
	case !t.After(time.Now()):
		return errors.New("expected a time in the future; to end a key now, revoke it")
	}
	e.Time = t
	return nil
}

// String implements [pflag.Value].
func (e *expiry) String() string { return stamp{e.Time}.text("") }

// Type implements [pflag.Value].
func (e *expiry) Type() string { return "TIME" }

// An overlap is how long a replaced key or secret goes on working.
type overlap time.Duration

// Set implements [pflag.Value].
func (o *overlap) Set(s string) error {
	d, err := cli.ParseDuration(s)
	if err != nil || d != 0 && d < time.Second {
		return errors.New("expected 0 or a duration of at least a second, such as 90s or 24h or 7d")
	}
	*o = overlap(d)
	return nil
}

// String implements [pflag.Value].
func (o *overlap) String() string { return time.Duration(*o).String() }

// Type implements [pflag.Value].
func (o *overlap) Type() string { return "DURATION" }
