// Package paths decides which tier a path belongs to.
//
// A server behind this one may read a path in another way: it may decode it once more,
// merge slashes or cut parameters. A path is therefore accepted only if all such
// readings of it belong to one tier. Nothing is repaired; an ambiguous path is refused.
package paths

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxOddPath  = 2 << 10 // bytes of a path that is not plain
	maxReadings = 32
)

// A Table finds the tier of a path by its longest prefix. The zero value has no
// prefix. A Table is safe for concurrent use once all prefixes are added.
type Table struct {
	tiers  map[string]int // by the prefix without its last slash, in folded letter case
	exact  []string       // the same prefixes in the letter case in which they were given
	depths []bool         // whether a prefix has that number of segments
}

var (
	errPrefixPattern = errors.New("a prefix is compared as it is, and this one looks like a router's pattern: expected no {, }, * and no segment that begins with a colon")
	errPrefixShape   = errors.New("a prefix begins and ends with a slash, and holds plain segments between single slashes")
	errPrefixTwice   = errors.New("another prefix reads the same")
)

// Add stores a prefix under the next index, from 0. It returns an error if the prefix
// is not a plain path between slashes, or reads like an earlier one.
func (t *Table) Add(prefix string) error {
	if strings.ContainsAny(prefix, "{}*") || strings.Contains(prefix, "/:") {
		return errPrefixPattern
	}

	key, ok := strings.CutSuffix(prefix, "/")
	if class, _ := t.scan(prefix, nil); !ok || class == odd {
		return errPrefixShape
	}
	if _, twice := t.tiers[fold(key)]; twice {
		return errPrefixTwice
	}

	if t.tiers == nil {
		t.tiers = map[string]int{}
	}
	t.tiers[fold(key)] = len(t.exact)
	t.exact = append(t.exact, key)

	// scan cuts only where a prefix may end, so that few lookups are needed.
	for depth := strings.Count(key, "/"); len(t.depths) <= depth; {
		t.depths = append(t.depths, false)
	}
	t.depths[strings.Count(key, "/")] = true
	return nil
}

// Find returns the index of the tier that u's path belongs to. It returns false if
// the path belongs to no tier, or can be read as belonging to another one.
func (t *Table) Find(u *url.URL) (int, bool) {
	// Most paths are plain. They have one reading, so one lookup decides.
	if u.RawPath == "" || u.RawPath == u.Path {
		var stack [8]int
		switch class, cuts := t.scan(u.Path, stack[:0]); class {
		case plain:
			return t.longest(u.Path, u.Path, cuts)
		case upper:
			if len(cuts) == 0 {
				return 0, false
			}
			return t.longest(u.Path, fold(u.Path[:cuts[len(cuts)-1]]), cuts)
		}
	}
	return t.closure(u)
}

// longest returns the tier of the longest prefix of path. It returns false if there
// is none, or if the prefix matches only without regard to letter case. folded is
// path in folded letter case, and cuts are the positions that scan returned.
func (t *Table) longest(path, folded string, cuts []int) (int, bool) {
	for k := len(cuts) - 1; k >= 0; k-- {
		if tier, ok := t.tiers[folded[:cuts[k]]]; ok {
			// Letter case must match too, because some servers tell it apart.
			prefix := t.exact[tier]
			return tier, strings.HasPrefix(path, prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/')
		}
	}
	return 0, false
}

// closure looks up every reading of u's path and requires one result. Escaped
// unreserved characters count as decoded. A router that keeps them escaped uses the
// path as it was sent. That reading may belong to no tier, but not to another tier.
func (t *Table) closure(u *url.URL) (int, bool) {
	sent := []string{u.EscapedPath()}
	// A RawPath that differs from EscapedPath is not a valid encoding of Path. Routers
	// differ in which of the two they use.
	if u.RawPath != "" && u.RawPath != sent[0] {
		sent = append(sent, u.RawPath)
	}

	// Looking up all readings of a long path would take long. It belongs to no tier.
	if max(len(sent[0]), len(u.RawPath)) > maxOddPath || !strings.HasPrefix(u.Path, "/") || !utf8.ValidString(u.Path) {
		return 0, false
	}

	rs := readings{table: t, tier: -1}
	for _, p := range sent {
		rs.add(decodeUnreserved(p))
	}
	if !rs.agree(false) {
		return 0, false
	}

	for _, p := range sent {
		rs.add(p)
	}
	return rs.tier, rs.agree(true)
}

// readings is the set of readings of one path.
type readings struct {
	table *Table
	tier  int
	all   []string
	seen  int // how many have been looked up
}

// add appends a reading, unless it is known already.
func (rs *readings) add(path string) {
	if !slices.Contains(rs.all, path) {
		rs.all = append(rs.all, path)
	}
}

// agree looks up the readings that have not been looked up, and all their rewritings.
// It reports whether they belong to one tier. If allowNone is set, a reading may also
// belong to no tier.
func (rs *readings) agree(allowNone bool) bool {
	for ; rs.seen < len(rs.all); rs.seen++ {
		path := rs.all[rs.seen]
		folded := fold(path)
		_, cuts := rs.table.scan(folded, nil)
		tier, covered := rs.table.longest(path, folded, cuts)

		switch {
		case !covered && !allowNone, covered && rs.tier >= 0 && tier != rs.tier:
			return false
		case covered:
			rs.tier = tier
		}

		// Rewritings combine, so each new reading is rewritten in turn.
		for _, rewrite := range rewritings {
			rs.add(rewrite(path))
		}
		if len(rs.all) > maxReadings {
			return false
		}
	}
	return true
}

// The classes of a path. A plain path has one reading. An upper path has a second
// one, for servers that ignore letter case. An odd path may have more.
const (
	plain = iota
	upper
	odd
)

// scan returns the class of path. It appends to cuts the positions at which a prefix
// of the table may end: after as many segments as some prefix has. Capitals count
// only in those first segments that prefixes can cover.
func (t *Table) scan(path string, cuts []int) (class int, _ []int) {
	if path == "" || path[0] != '/' || path[len(path)-1] == '.' {
		class = odd
	}
	if t.deep(0) {
		cuts = append(cuts, 0)
	}

	depth := 1
	for i := 1; i < len(path); i++ {
		kind := pathBytes[path[i]]
		if kind == ordinary {
			// This test before the switch makes the loop faster: the switch costs
			// more than all the rest.
			continue
		}
		switch kind {
		case slash:
			if prev := path[i-1]; prev == '/' || prev == '.' {
				class = odd
			}

			if t.deep(depth) {
				cuts = append(cuts, i)
			}
			depth++
		case capital:
			if depth < len(t.depths) {
				class = max(class, upper)
			}
		case strange:
			class = odd
		}
	}
	if t.deep(depth) {
		cuts = append(cuts, len(path))
	}
	return class, cuts
}

// deep reports whether a prefix has that number of segments.
func (t *Table) deep(depth int) bool { return depth < len(t.depths) && t.depths[depth] }

// The classes of bytes in a path.
const (
	ordinary = iota
	slash
	capital
	strange
)

var pathBytes = func() (t [256]uint8) {
	for i := range t {
		switch c := byte(i); {
		case c == '/':
			t[c] = slash
		case 'A' <= c && c <= 'Z':
			t[c] = capital
		case c <= ' ' || c > '~' || strings.IndexByte(`%\;?#`, c) >= 0:
			t[c] = strange
		}
	}
	return t
}()
