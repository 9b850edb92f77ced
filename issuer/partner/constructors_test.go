package partner_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/partner"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/meter"
)

// reporterFunc is a function that reports.
type reporterFunc func(ctx context.Context, q store.Query) (*store.Report, error)

func (f reporterFunc) Report(ctx context.Context, q store.Query) (*store.Report, error) {
	return f(ctx, q)
}

// TestNewErrors passes invalid arguments. The error must name all of them.
func TestNewErrors(t *testing.T) {
	iss, _, _ := newPartner(t, &reporter{})
	var noMeter *meter.Meter
	var noFunc reporterFunc
	for name, tt := range map[string]struct {
		iss   *issuer.Issuer
		u     partner.Reporter
		cfg   *partner.Config
		wants []string
	}{
		"nothing":        {nil, nil, nil, []string{"no issuer", "no reporter"}},
		"everything":     {&issuer.Issuer{}, noMeter, &partner.Config{Base: "partner/"}, []string{"no issuer", "issuer.Open", "no reporter", `the Base "partner/"`}},
		"a nil function": {iss, noFunc, nil, []string{"no reporter"}},
		"a wildcard":     {iss, &reporter{}, &partner.Config{Base: "/{x}"}, []string{`the Base "/{x}"`}},
		"a blank":        {iss, &reporter{}, &partner.Config{Base: " "}, []string{`the Base " "`}},
		"the root":       {iss, &reporter{}, &partner.Config{Base: "/"}, []string{`the Base "/"`}},
	} {
		p, err := partner.New(tt.iss, tt.u, tt.cfg)
		if err == nil || p != nil || !strings.HasPrefix(err.Error(), "partner: New: ") {
			t.Errorf("%s: got %v, %v", name, p, err)
			continue
		}
		for _, want := range tt.wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want %q in it", name, err, want)
			}
		}
	}
}

// TestMethodsOfNoPartner calls the methods by which a program is wired, on partners
// that New has not returned.
func TestMethodsOfNoPartner(t *testing.T) {
	var none *partner.Partner
	_, whole, _ := newPartner(t, &reporter{})
	for want, wire := range map[string]func(){
		"partner: Basic: the Partner does not come from New":    func() { none.Basic() },
		"partner: Register: the Partner does not come from New": func() { (&partner.Partner{}).Register(http.NewServeMux()) },
		"partner: Register: nil ServeMux":                       func() { whole.Register(nil) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); got != want {
					t.Errorf("got the panic %q, want %q", got, want)
				}
			}()
			wire()
		}()
	}
}
