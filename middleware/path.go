package middleware

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode"
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
	errPrefixShape = errors.New("a prefix begins and ends with a slash, and holds plain segments between single slashes")
	errPrefixTwice = errors.New("another prefix reads the same")
)

// add enters a prefix under the next index.
func (t *pathTable) add(prefix string) error {
	key, ok := strings.CutSuffix(prefix, "/")
	if !ok || !strings.HasPrefix(prefix, "/") || classify(prefix, 1<<30) == odd {
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
		switch classify(u.Path, len(t.depths)-1) {
		case plain:
			return t.lookup(u.Path, u.Path)
		case upper:
			return t.lookup(u.Path, fold(u.Path))
		}
	}
	return t.closure(u)
}

// lookup returns the tier of the longest prefix of path, and false if there is
// none or if it is a prefix only when letter case is ignored. Folded is path
// without letter case.
func (t *pathTable) lookup(path, folded string) (int, bool) {
	var ends [8]int
	cuts := ends[:0]
	for depth, i := 0, 0; depth < len(t.depths); depth++ {
		if t.depths[depth] {
			cuts = append(cuts, i)
		}
		if i == len(folded) {
			break
		}
		next := strings.IndexByte(folded[i+1:], '/')
		if next < 0 {
			i = len(folded)
		} else {
			i += 1 + next
		}
	}
	for k := len(cuts) - 1; k >= 0; k-- {
		if tier, ok := t.tiers[folded[:cuts[k]]]; ok {
			prefix := t.exact[tier]
			return tier, strings.HasPrefix(path, prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/')
		}
	}
	return 0, false
}

// closure looks up every reading of u's path and wants one answer.
func (t *pathTable) closure(u *url.URL) (int, bool) {
	raw := u.EscapedPath()
	if len(raw) > maxOddPath || !strings.HasPrefix(u.Path, "/") || !utf8.ValidString(u.Path) {
		return 0, false
	}
	readings := []string{decodeUnreserved(raw)}
	tier := 0
	for i := 0; i < len(readings); i++ {
		found, covered := t.lookup(readings[i], fold(readings[i]))
		if !covered || i > 0 && found != tier {
			return 0, false
		}
		tier = found
		for _, rewrite := range rewritings {
			next := rewrite(readings[i])
			if slices.Contains(readings, next) {
				continue
			}
			if len(readings) == maxReadings {
				return 0, false
			}
			readings = append(readings, next)
		}
	}
	return tier, true
}

// The classes of a path: plain ones have one reading, upper ones another one
// where letter case is ignored.
const (
	plain = iota
	upper
	odd
)

// classify says whether any rewriting changes path. Letter case counts only in
// the first segments, as many as prefixes can have.
func classify(path string, segments int) int {
	if path == "" || path[0] != '/' {
		return odd
	}
	class := plain
	for i := 1; i < len(path); i++ {
		switch c := path[i]; {
		case c == '/':
			if prev := path[i-1]; prev == '/' || prev == '.' {
				return odd
			}
			segments--
		case c <= ' ' || c > '~' || c == '%' || c == '\\' || c == ';' || c == '?' || c == '#':
			return odd
		case 'A' <= c && c <= 'Z' && segments > 0:
			class = upper
		}
	}
	if path[len(path)-1] == '.' {
		return odd
	}
	return class
}

// rewritings are the ways in which servers are known to read one path as
// another. Ignoring letter case, which none of them undoes, is part of lookup.
var rewritings = []func(string) string{
	decodeOnce,
	decodeDots,
	decodeAllButSlashes,
	slashBackslashes,
	cutParameters,
	removeDotSegments,
	mergeSlashes,
	cutSegments,
	cutPath,
	trimSpace,
	trimBlanks,
	trimBlanksAndDots,
	dropAuthority,
}

// decodeOnce decodes one level of percent-encoding; what is no escape stays.
func decodeOnce(p string) string { return decode(p, func(byte) bool { return true }) }

// decodeDots decodes what RFC 3986 section 6.2.2 lets a server decode, and those
// do that keep the rest: an escaped dot.
func decodeDots(p string) string { return decode(p, func(c byte) bool { return c == '.' }) }

// decodeAllButSlashes decodes as servers do that keep escaped slashes apart.
func decodeAllButSlashes(p string) string {
	return decode(p, func(c byte) bool { return c != '/' && c != '\\' })
}

// decodeUnreserved decodes the characters for which an escape means the same as
// none (RFC 3986 section 2.3), except the dot.
func decodeUnreserved(p string) string {
	return decode(p, func(c byte) bool { return alphanumeric(c) || c == '-' || c == '_' || c == '~' })
}

func decode(p string, want func(byte) bool) string {
	if !strings.Contains(p, "%") {
		return p
	}
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] == '%' && i+2 < len(p) {
			hi, lo := unhex(p[i+1]), unhex(p[i+2])
			if c := hi<<4 | lo; hi >= 0 && lo >= 0 && want(byte(c)) {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(p[i])
	}
	return b.String()
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

func slashBackslashes(p string) string { return strings.ReplaceAll(p, `\`, "/") }

// cutParameters drops what follows a semicolon in each segment.
func cutParameters(p string) string {
	return eachSegment(p, func(s string) string {
		s, _, _ = strings.Cut(s, ";")
		return s
	})
}

// cutSegments cuts each segment at NUL, ? or #.
func cutSegments(p string) string {
	return eachSegment(p, func(s string) string {
		if i := strings.IndexAny(s, "\x00?#"); i >= 0 {
			s = s[:i]
		}
		return s
	})
}

// cutPath cuts the whole path where C ends a string, and where a URL's parser
// ends a path.
func cutPath(p string) string {
	if i := strings.IndexAny(p, "\x00?#;"); i >= 0 {
		return p[:i]
	}
	return p
}

// trimSpace drops the white space at the end of each segment.
func trimSpace(p string) string {
	return eachSegment(p, func(s string) string { return strings.TrimRightFunc(s, unicode.IsSpace) })
}

// trimBlanks drops control characters too. What is left may be a dot segment.
func trimBlanks(p string) string {
	return eachSegment(p, func(s string) string { return strings.TrimRightFunc(s, blank) })
}

// trimBlanksAndDots drops the dots too, as file systems do.
func trimBlanksAndDots(p string) string {
	return eachSegment(p, func(s string) string {
		return strings.TrimRightFunc(s, func(r rune) bool { return r == '.' || blank(r) })
	})
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

func eachSegment(p string, change func(string) string) string {
	segments := strings.Split(p, "/")
	for i := range segments {
		segments[i] = change(segments[i])
	}
	return strings.Join(segments, "/")
}

// removeDotSegments is RFC 3986 section 5.2.4.
func removeDotSegments(p string) string {
	segments := strings.Split(p, "/")
	out := segments[:0:len(segments)]
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s != "." && s != "..":
			out = append(out, s)
			continue
		case s == ".." && len(out) > 1:
			out = out[:len(out)-1]
		}
		if last {
			out = append(out, "")
		}
	}
	return strings.Join(out, "/")
}

func mergeSlashes(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return p
}

// dropAuthority takes //host at the start for a network-path reference (RFC
// 3986 section 4.2).
func dropAuthority(p string) string {
	rest, ok := strings.CutPrefix(p, "//")
	if !ok {
		return p
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}

// fold returns p with each letter in the one spelling of its case variants,
// beyond ASCII too: a server may take the Kelvin sign for a k, or a dotless i
// for an i.
func fold(p string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return unicode.ToLower(unicode.ToUpper(least))
	}, p)
}
