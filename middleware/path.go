package middleware

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"
)

// This file is the rule by which a path belongs to a tier. A server behind may
// read a path in another way than this one does: it decodes once more, merges
// slashes, cuts a parameter. So a path is accepted only if every such reading
// of it stays in one tier. Nothing is repaired; what is ambiguous is refused.

const (
	maxOddPath  = 2 << 10 // bytes of a path that needs the analysis
	maxReadings = 32
)

// A pathTable finds the tier of a path by longest prefix.
type pathTable struct {
	tiers  map[string]int // by the prefix without its last slash, folded
	exact  []string       // the same prefixes as they were given
	depths []bool         // by number of segments: is there such a prefix?
}

var (
	errPrefixPattern = errors.New("a prefix is compared as it is, and this one looks like a router's pattern: expected no {, }, * and no segment that begins with a colon")
	errPrefixShape   = errors.New("a prefix begins and ends with a slash, and holds plain segments between single slashes")
	errPrefixTwice   = errors.New("another prefix reads the same")
)

// add enters a prefix under the next index.
func (t *pathTable) add(prefix string) error {
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
	for depth := strings.Count(key, "/"); len(t.depths) <= depth; {
		t.depths = append(t.depths, false)
	}
	t.depths[strings.Count(key, "/")] = true
	return nil
}

// find returns the index of the tier that u's path belongs to, and false if it
// belongs to none or can be read as belonging to another.
func (t *pathTable) find(u *url.URL) (int, bool) {
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

// longest returns the tier of the longest prefix of path, and false if there is
// none or if it is a prefix only when letter case is ignored. Folded is path
// without letter case, and cuts are what scan says of it.
func (t *pathTable) longest(path, folded string, cuts []int) (int, bool) {
	for k := len(cuts) - 1; k >= 0; k-- {
		if tier, ok := t.tiers[folded[:cuts[k]]]; ok {
			prefix := t.exact[tier]
			return tier, strings.HasPrefix(path, prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/')
		}
	}
	return 0, false
}

// closure looks up every reading of u's path and wants one answer. Escaped
// unreserved characters count as decoded. Routers that keep them escaped take the
// path as it was sent, which may be in no tier, but not in another.
func (t *pathTable) closure(u *url.URL) (int, bool) {
	sent := []string{u.EscapedPath()}
	if u.RawPath != "" && u.RawPath != sent[0] { // no path by RFC 3986, and routers differ in which of the two they take
		sent = append(sent, u.RawPath)
	}
	if max(len(sent[0]), len(u.RawPath)) > maxOddPath || !strings.HasPrefix(u.Path, "/") || !utf8.ValidString(u.Path) {
		return 0, false
	}
	rs := readings{table: t, tier: -1}
	for _, p := range sent {
		rs.all = appendNew(rs.all, decodeUnreserved(p))
	}
	if !rs.agree(false) {
		return 0, false
	}
	rs.all = appendNew(rs.all, sent...)
	return rs.tier, rs.agree(true)
}

// readings are those of one path.
type readings struct {
	table *pathTable
	tier  int
	all   []string
	seen  int // how many have been looked up
}

// agree looks up the readings that have not been, and what they can be rewritten
// to. They must be in one tier; some may be in none where that is allowed.
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
		for _, rewrite := range rewritings {
			rs.all = appendNew(rs.all, rewrite(path))
		}
		if len(rs.all) > maxReadings {
			return false
		}
	}
	return true
}

// The classes of a path: plain ones have one reading, upper ones another one
// where letter case is ignored.
const (
	plain = iota
	upper
	odd
)

// scan says whether any rewriting changes path, and appends to cuts where a
// prefix of the table may end in it: behind as many segments as one of them has.
// Letter case counts only in the first segments, as many as prefixes can have.
func (t *pathTable) scan(path string, cuts []int) (class int, _ []int) {
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
			continue // before the switch, which costs more than all else here
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
func (t *pathTable) deep(depth int) bool { return depth < len(t.depths) && t.depths[depth] }

// What a byte means in a path.
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
