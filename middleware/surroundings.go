package middleware

import (
	"net/http"

	"github.com/authtier/authtier/errorsx"
)

// Surroundings are the effects of Errors and Observe on everything inside of them.
// They must not be changed once they are published. An inner wrapper publishes a
// changed copy.
type surroundings struct {
	writer      *errorsx.Writer // of the nearest Errors, or nil
	observation *observation    // of the nearest Observe, or nil
}

// Writer implements [errorsx.Surroundings].
func (a *surroundings) Writer() *errorsx.Writer { return a.writer }

// Refused implements [errorsx.Surroundings].
func (a *surroundings) Refused(e *errorsx.Error, _ int) { a.observation.refused(e) }

// surround serves r with changed surroundings. It restores the previous ones when
// next has returned, because a handler may call several others one after another.
func (s *state) surround(w http.ResponseWriter, r *http.Request, next http.Handler, change func(*surroundings)) {
	before := s.around.Load()
	var inside surroundings
	if before != nil {
		inside = *before
	}
	change(&inside)

	s.around.Store(&inside)
	defer s.around.Store(before)
	next.ServeHTTP(w, r)
}

// errorsWriter returns the writer of the nearest Errors, or nil.
func (s *state) errorsWriter() *errorsx.Writer {
	if a := s.around.Load(); a != nil {
		return a.writer
	}
	return nil
}

// Errors makes ew the writer of all refusals inside: by wrappers, by [errorsx.Mux]
// and by the suite's handlers that have no writer of their own. An inner Errors
// replaces ew for everything inside of it. Errors panics if ew is nil or its Check
// returns an error.
func Errors(ew *errorsx.Writer) Wrapper {
	if ew == nil {
		panic("middleware: Errors: nil Writer")
	}
	if err := ew.Check(); err != nil {
		panic("middleware: Errors: " + err.Error())
	}
	alone := &surroundings{writer: ew}
	return func(next http.Handler) http.Handler {
		notNil("Errors", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, inside := join(r)
			// A new state means that this is the outermost wrapper. Then there are no
			// surroundings to copy, and nothing outside sees the state afterwards, so
			// there is nothing to restore.
			if inside != r && s.around.Load() == nil {
				s.around.Store(alone)
				next.ServeHTTP(w, inside)
				return
			}
			s.surround(w, inside, next, func(a *surroundings) { a.writer = ew })
		})
	}
}
