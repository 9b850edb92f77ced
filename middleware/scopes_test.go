package middleware_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/authtier/authtier/middleware"
)

// TestScopesHas compares Has with a search in the split list, for all short lists. A
// text that is not a single scope is never found.
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
