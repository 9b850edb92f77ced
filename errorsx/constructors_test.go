package errorsx_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
)

// TestWiring passes invalid arguments. Mux panics, and Check returns an error. The text
// must name all faults, and never a password.
func TestWiring(t *testing.T) {
	mux := func() (text string) {
		defer func() { text = fmt.Sprint(recover()) }()
		errorsx.Mux(nil)
		return ""
	}
	check := func(url string) func() string {
		return func() string { return fmt.Sprint((&errorsx.Writer{ResourceMetadata: url}).Check()) }
	}
	const expected, escape = "errorsx: ResourceMetadata: expected an absolute", "errorsx: ResourceMetadata: contains a character"
	for name, tt := range map[string]struct {
		text  func() string
		wants []string
	}{
		"no mux":               {mux, []string{"errorsx: Mux: nil ServeMux"}},
		"both faults":          {check("ftp://a.example/a b"), []string{expected, escape}},
		"a blank":              {check(" "), []string{expected, escape}},
		"no host, but a port":  {check("https://:443/x"), []string{expected}},
		"a garbled escape":     {check("https://u:s3cret@a.example/%zz"), []string{"errorsx: ResourceMetadata: the URL does not parse"}},
		"a garbled host":       {check("https://u:s3cret@a b/"), []string{"the URL does not parse", escape}},
		"a password":           {check("https://u:s3cret@a.example/"), []string{expected}},
		"a line break, a port": {check("https://a.example:x/\n"), []string{"the URL does not parse", escape}},
	} {
		text := tt.text()
		for _, want := range tt.wants {
			if !strings.Contains(text, want) || strings.Contains(text, "s3cret") {
				t.Errorf("%s: got %q, want %q in it", name, text, want)
			}
		}
	}
}
