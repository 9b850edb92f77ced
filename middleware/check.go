package middleware

import (
	"errors"
	"net/http"

	"github.com/authtier/authtier/errorsx"
)

// Check returns the identity that wrapper proves for r. If wrapper refuses r, Check
// returns the refusal as an [*errorsx.Error]. Check sends no answer: it is for
// frameworks, gRPC and upgraded connections, which send their own. wrapper may be a
// [Chain].
//
// The identity is the zero Identity if wrapper admits r without a credential. An
// [Observe] around r sees the refusal. A [Usage] inside of wrapper counts one use.
// Headers that wrapper sets on an answer, such as Vary, are lost.
//
// Check returns AUTH-8 if wrapper is nil, if it authenticates nobody, or if it neither
// calls its handler nor refuses through an [errorsx.Writer].
func Check(r *http.Request, wrapper Wrapper) (Identity, error) {
	if wrapper == nil {
		return Identity{}, errorsx.Fault(errors.New("middleware: Check: nil Wrapper"))
	}

	// A state of its own keeps the identity of this check out of other checks of r.
	s, r := fork(r, stateOf(r.Context()))
	// An outer wrapper may have admitted r without a credential. This must not count as
	// a result of wrapper.
	s.marks &^= openedHere

	o := &observation{outer: s.observation()}
	inside := surroundings{observation: o}
	if before := s.around.Load(); before != nil {
		inside.writer = before.writer
	}
	s.around.Store(&inside)

	var id Identity
	admitted, authenticated := false, false
	wrapper(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		admitted = true
		id, _ = IdentityFromContext(r.Context())
		authenticated = id.names() || stateOf(r.Context()).has(openedHere)
	})).ServeHTTP(&unanswered{header: http.Header{}}, r)

	switch refusal := o.decision().Refusal; {
	// A Usage that counts by status may refuse even after the handler was called.
	case refusal != nil:
		return Identity{}, refusal
	case !admitted:
		return Identity{}, errorsx.Fault(errors.New("middleware: Check: the wrapper neither refused the request nor let it through"))
	case !authenticated:
		return Identity{}, errorsx.Fault(errors.New("middleware: Check: the wrapper authenticates nobody"))
	}
	return id, nil
}

// An unanswered is a ResponseWriter that drops the answer.
type unanswered struct{ header http.Header }

func (w *unanswered) Header() http.Header         { return w.header }
func (w *unanswered) WriteHeader(int)             {}
func (w *unanswered) Write(b []byte) (int, error) { return len(b), nil }
