package middleware

// An lru remembers values by short numbers. It is limited in the number of its values
// and in the bytes of their text, and drops the values that were used longest ago.
//
// The links of the list are in the values themselves, so a value takes no memory
// besides its own and a place in the map. An lru must be initialized by init, and is
// not safe for concurrent use.
type lru[V any, P listed[V]] struct {
	byNumber       map[uint64]P
	newest, oldest P
	values, most   int // the limits
	held           int // bytes of text
}

// listed is a value of an [lru].
type listed[V any] interface {
	*V
	short() uint64
	text() int // must not change
	neighbours() *links[V]
}

// links connect a value with those that were used next before and after it.
type links[V any] struct{ older, newer *V }

func (l *links[V]) neighbours() *links[V] { return l }

// init makes l an empty list with these limits.
func (l *lru[V, P]) init(values, text int) {
	*l = lru[V, P]{byNumber: map[uint64]P{}, values: values, most: text}
}

// get returns the value with that number, or nil.
func (l *lru[V, P]) get(short uint64) P { return l.byNumber[short] }

// use makes v, which is in the list, the newest value.
func (l *lru[V, P]) use(v P) {
	if v != l.newest {
		l.unlink(v)
		l.link(v)
	}
}

// put stores v in place of an earlier value with its number. It drops the oldest values
// until v fits, and returns how many these were. It reports whether v is stored: a
// value that does not fit into an empty list is not.
func (l *lru[V, P]) put(v P) (dropped int, ok bool) {
	l.remove(v.short())
	text := v.text()
	if text > l.most {
		return 0, false
	}

	for l.oldest != nil && (len(l.byNumber) >= l.values || l.held+text > l.most) {
		l.remove(l.oldest.short())
		dropped++
	}

	l.byNumber[v.short()] = v
	l.held += text
	l.link(v)
	return dropped, true
}

// remove drops the value with that number, if there is one.
func (l *lru[V, P]) remove(short uint64) {
	v := l.byNumber[short]
	if v == nil {
		return
	}
	delete(l.byNumber, short)
	l.held -= v.text()
	l.unlink(v)
}

// purge drops all values. A dropped value must not keep others in memory, so each of
// them is unlinked.
func (l *lru[V, P]) purge() {
	for l.oldest != nil {
		l.remove(l.oldest.short())
	}
}

// link makes v, which is not in the list, the newest value.
func (l *lru[V, P]) link(v P) {
	v.neighbours().older = l.newest
	if l.newest == nil {
		l.oldest = v
	} else {
		l.newest.neighbours().newer = v
	}
	l.newest = v
}

// unlink takes v out of the list.
func (l *lru[V, P]) unlink(v P) {
	n := v.neighbours()
	if n.older == nil {
		l.oldest = n.newer
	} else {
		P(n.older).neighbours().newer = n.newer
	}
	if n.newer == nil {
		l.newest = n.older
	} else {
		P(n.newer).neighbours().older = n.older
	}
	*n = links[V]{}
}
