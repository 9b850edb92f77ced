package middleware_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/authtier/authtier/middleware"
)

// TestScopesHas finds in each short list what splitting it finds, and nothing that
// is no single scope.
func TestScopesHas(t *testing.T) {
	words := func(longest int) []string {
		all := []string{""}
		for i := 0; i < len(all) && len(all[i]) < longest; i++ {
			all = append(all, all[i]+"a", all[i]+"b", all[i]+" ")
		}
		return all
	}
	for _, list := range words(7) {
		split := strings.Split(list, " ")
		for _, scope := range words(3) {
			want := scope != "" && slices.Contains(split, scope)
			if got := middleware.Scopes(list).Has(scope); got != want {
				t.Errorf("%q has %q: got %t", list, scope, got)
			}
		}
	}
}
