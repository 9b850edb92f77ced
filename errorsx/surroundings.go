package errorsx

import "net/http"

// Surroundings are the wrappers around a handler, as a [Writer] sees them. A package
// that implements wrappers stores its Surroundings in the request's context under a
// [SurroundingsKey]. Handlers and their users need not use them.
//
// A Writer uses Surroundings only when it refuses a request. The methods must be safe
// for concurrent use.
type Surroundings interface {
	// Writer returns the nearest Writer outside of the handler, or nil if there
	// is none. It answers in place of a nil *Writer.
	Writer() *Writer

	// Refused is called once for each refusal, after its status is decided and
	// before the answer is sent. It must not change e.
	Refused(e *Error, status int)
}

// SurroundingsKey is the key under which the context of a request holds its
// [Surroundings].
type SurroundingsKey struct{}

// surroundingsOf returns the Surroundings of r, or nil.
func surroundingsOf(r *http.Request) Surroundings {
	s, _ := r.Context().Value(SurroundingsKey{}).(Surroundings)
	return s
}

// inherit returns w, or the nearest writer outside if w is nil. The result may
// be nil.
func (w *Writer) inherit(s Surroundings) *Writer {
	if w != nil || s == nil {
		return w
	}
	return s.Writer()
}
