package middleware

import (
	"errors"
	"net/http"

	"github.com/authtier/authtier/errorsx"
)

// Check returns the identity that wrapper proves for r, or the refusal with which it
// would answer, as an [*errorsx.Error]. It answers nothing: it is for frameworks,
// gRPC and upgraded connections, which have answers of their own. wrapper may be a
// [Chain].
//
// The identity is the zero Identity if wrapper lets r through without a credential.
// An [Observe] around r sees the refusal. Headers that wrapper sets on an answer, such
// as Vary, are lost. A wrapper that authenticates nobody, and one that neither
// refuses by this suite nor calls its handler, is a fault (AUTH-8).
func Check(r *http.Request, wrapper Wrapper) (Identity, error) {
	s, r := fork(r, stateOf(r.Context())) // what is proven here is not for others that are asked about r
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
		authenticated = id.names() || stateOf(r.Context()).openedBy() != nil
	})).ServeHTTP(&unanswered{header: http.Header{}}, r)

	switch refusal := o.decision().Refusal; {
	case refusal != nil: // also one that came after the handler, by a Usage that counts by status
		return Identity{}, refusal
	case !admitted:
		return Identity{}, errorsx.Fault(errors.New("middleware: Check: the wrapper neither refused the request nor let it through"))
	case !authenticated:
		return Identity{}, errorsx.Fault(errors.New("middleware: Check: the wrapper authenticates nobody"))
	}
	return id, nil
}

// An unanswered request has a writer that drops the answer.
type unanswered struct{ header http.Header }

func (w *unanswered) Header() http.Header         { return w.header }
func (w *unanswered) WriteHeader(int)             {}
func (w *unanswered) Write(b []byte) (int, error) { return len(b), nil }
