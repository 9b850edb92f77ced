package issuer_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestConstantTime reads the source of the functions that compare secrets, because
// times on a busy machine prove nothing. They must use crypto/subtle, and must not
// compare digests and hashes with an operator.
func TestConstantTime(t *testing.T) {
	for file, names := range map[string][]string{
		"clientauth.go":                 {"authenticateClient"},
		"internal/password/password.go": {"matches"},
		"session/wrapper.go":            {"confirm"},
	} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			for _, name := range names {
				if f.Name.Name != name {
					continue
				}
				found++
				if calls(f) == 0 {
					t.Errorf("%s: %s compares without subtle.ConstantTimeCompare", file, name)
				}
			}
			for _, operand := range compared(f) {
				if strings.Contains(operand, "igest") || operand == "got" || operand == "h.key" || strings.HasSuffix(operand, "Confirm") {
					t.Errorf("%s: %s compares %s with an operator", file, f.Name.Name, operand)
				}
			}
		}
		if found != len(names) {
			t.Errorf("%s: %d of %v found", file, found, names)
		}
	}
}

// calls counts the calls of subtle.ConstantTimeCompare in f.
func calls(f *ast.FuncDecl) (n int) {
	ast.Inspect(f, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok && text(call.Fun) == "subtle.ConstantTimeCompare" {
			n++
		}
		return true
	})
	return n
}

// compared returns the operands of == and != in f, conversions left out.
func compared(f *ast.FuncDecl) (operands []string) {
	ast.Inspect(f, func(node ast.Node) bool {
		b, ok := node.(*ast.BinaryExpr)
		if ok && (b.Op == token.EQL || b.Op == token.NEQ) {
			operands = append(operands, text(b.X), text(b.Y))
		}
		return true
	})
	return operands
}

// text returns the source of names and selectors. For a conversion it returns that of
// its operand.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return text(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		if name, ok := e.Fun.(*ast.Ident); ok && name.Name == "string" && len(e.Args) == 1 {
			return text(e.Args[0])
		}
	}
	return ""
}
