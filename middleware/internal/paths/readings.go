package paths

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/authtier/authtier/middleware/internal/syntax"
)

// rewritings are the ways in which servers are known to rewrite a path. None changes
// letter case, because the lookup ignores it. They run only on paths that scan calls
// odd or that have a RawPath. A byte on which a new rewriting acts must therefore make
// a path odd in scan, for example by being strange in pathBytes.
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

// decodeOnce decodes one level of percent-encoding. Invalid escapes stay.
func decodeOnce(p string) string { return decode(p, func(byte) bool { return true }) }

// decodeDots decodes escaped dots. RFC 3986 section 6.2.2 allows that to servers that
// keep all other escapes.
func decodeDots(p string) string { return decode(p, func(c byte) bool { return c == '.' }) }

// decodeAllButSlashes decodes everything but escaped slashes, as some servers do.
func decodeAllButSlashes(p string) string {
	return decode(p, func(c byte) bool { return c != '/' && c != '\\' })
}

// decodeUnreserved decodes the characters that mean the same with and without an
// escape (RFC 3986 section 2.3), except the dot.
func decodeUnreserved(p string) string {
	return decode(p, func(c byte) bool { return syntax.Alphanumeric(c) || c == '-' || c == '_' || c == '~' })
}

func decode(p string, want func(byte) bool) string {
	var b []byte
	done := 0 // how many bytes of p are in b
	for i := strings.IndexByte(p, '%'); i >= 0 && i+2 < len(p); {
		next := i + 1
		hi, lo := unhex(p[i+1]), unhex(p[i+2])
		if c := hi<<4 | lo; hi >= 0 && lo >= 0 && want(byte(c)) {
			b = append(append(b, p[done:i]...), byte(c))
			next = i + 3
			done = next
		}
		i = strings.IndexByte(p[next:], '%')
		if i >= 0 {
			i += next
		}
	}

	if done == 0 {
		return p
	}
	return string(append(b, p[done:]...))
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

// cutParameters drops the text after a semicolon in each segment.
func cutParameters(p string) string {
	if !strings.Contains(p, ";") {
		return p
	}
	return eachSegment(p, func(s string) string {
		s, _, _ = strings.Cut(s, ";")
		return s
	})
}

// cutSegments cuts each segment at NUL, ? or #.
func cutSegments(p string) string {
	const ends = "\x00?#"
	if !strings.ContainsAny(p, ends) {
		return p
	}
	return eachSegment(p, func(s string) string {
		if i := strings.IndexAny(s, ends); i >= 0 {
			s = s[:i]
		}
		return s
	})
}

// cutPath cuts the whole path at NUL, where a C string ends, and at ?, # and a
// semicolon, where a URL parser may end a path.
func cutPath(p string) string {
	if i := strings.IndexAny(p, "\x00?#;"); i >= 0 {
		return p[:i]
	}
	return p
}

// trimSpace drops the white space at the end of each segment.
func trimSpace(p string) string { return trimSegments(p, unicode.IsSpace) }

// trimBlanks drops white space and control characters at the end of each segment. The
// result may be a dot segment.
func trimBlanks(p string) string { return trimSegments(p, blank) }

// trimBlanksAndDots drops dots too, as file systems do.
func trimBlanksAndDots(p string) string {
	return trimSegments(p, func(r rune) bool { return r == '.' || blank(r) })
}

func trimSegments(p string, off func(rune) bool) string {
	return eachSegment(p, func(s string) string {
		if last := s[len(s)-1]; last > ' ' && last < unicode.MaxASCII && last != '.' {
			return s
		}
		return strings.TrimRightFunc(s, off)
	})
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// eachSegment applies cut to each segment that is not empty. It runs in linear time,
// because a path may consist of slashes only.
func eachSegment(p string, cut func(string) string) string {
	var b []byte
	done := 0 // how many bytes of p are in b
	start := 0
	for i := range len(p) + 1 {
		if i < len(p) && p[i] != '/' {
			continue
		}

		if i > start {
			if kept := cut(p[start:i]); len(kept) < i-start {
				b = append(append(b, p[done:start]...), kept...)
				done = i
			}
		}
		start = i + 1
	}

	if done == 0 {
		return p
	}
	return string(append(b, p[done:]...))
}

// removeDotSegments implements RFC 3986 section 5.2.4.
func removeDotSegments(p string) string {
	if !strings.HasPrefix(p, "/") || !strings.Contains(p, "/.") {
		return p
	}
	out := make([]byte, 0, len(p))
	for i := 1; i <= len(p); {
		s, _, more := strings.Cut(p[i:], "/")
		i += len(s) + 1

		if s == ".." {
			out = out[:max(0, bytes.LastIndexByte(out, '/'))]
		}
		dots := s == "." || s == ".."
		if !dots || !more {
			out = append(out, '/')
		}
		if !dots {
			out = append(out, s...)
		}
	}
	return string(out)
}

func mergeSlashes(p string) string {
	if !strings.Contains(p, "//") {
		return p
	}
	out := make([]byte, 0, len(p))
	for i := range len(p) {
		if p[i] != '/' || i == 0 || p[i-1] != '/' {
			out = append(out, p[i])
		}
	}
	return string(out)
}

// dropAuthority reads //host at the start as the host of a network-path reference
// (RFC 3986 section 4.2) and drops it. More than two slashes count as two, as in
// browsers (WHATWG URL).
func dropAuthority(p string) string {
	rest, ok := strings.CutPrefix(p, "//")
	if !ok {
		return p
	}
	rest = strings.TrimLeft(rest, "/")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}

// fold returns p with one spelling for all case variants of a letter. It does so
// beyond ASCII too: a server may read the Kelvin sign as a k, or a dotless i as an i.
func fold(p string) string {
	return strings.Map(func(r rune) rune {
		if r <= unicode.MaxASCII {
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			return r
		}

		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return unicode.ToLower(unicode.ToUpper(least))
	}, p)
}
