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
// as Vary, are lost. A wrapper that neither refuses by this suite nor calls its
// handler is a fault (AUTH-8).
func Check(r *http.Request, wrapper Wrapper) (Identity, error) {
	s, r := join(r)
	before := s.around.Load()
	o := &observation{}
	inside := surroundings{observation: o}
	if before != nil {
		inside = *before
		o.outer, inside.observation = before.observation, o
	}
	s.around.Store(&inside)
	defer s.around.Store(before)

	var id Identity
	admitted := false
	wrapper(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		admitted = true
		id, _ = IdentityFromContext(r.Context())
	})).ServeHTTP(&unanswered{header: http.Header{}}, r)

	switch refusal := o.decision().Refusal; {
	case admitted:
		return id, nil
	case refusal != nil:
		return Identity{}, refusal
	}
	return Identity{}, errorsx.Fault(errors.New("middleware: Check: the wrapper neither refused the request nor let it through"))
}

// An unanswered request has a writer that drops the answer.
type unanswered struct{ header http.Header }

func (w *unanswered) Header() http.Header         { return w.header }
func (w *unanswered) WriteHeader(int)             {}
func (w *unanswered) Write(b []byte) (int, error) { return len(b), nil }
