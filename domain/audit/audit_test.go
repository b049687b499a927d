package audit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
)

// TestActs: no act that is declared is missing from the list.
func TestActs(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "audit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []audit.Act
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Act" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, audit.Act(text))
		}
		return true
	})
	if acts := audit.Acts(); len(declared) == 0 || !slices.Equal(acts, declared) {
		t.Errorf("the list has %v, declared are %v", acts, declared)
	}
}
