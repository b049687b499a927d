package bootstrap_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/muhammad-ali-dev0/secure-data-api/"

// TestImportsPointInward checks every import of the project: the domain imports only the standard library, ports import the domain,
// adapters and use cases import ports and the domain, and bootstrap imports all. An adapter imports no other adapter. Packages for
// tests are imported only by tests.
func TestImportsPointInward(t *testing.T) {
	allowed := map[string][]string{
		"domain":    {"domain"},
		"ports":     {"ports", "domain"},
		"app":       {"app", "ports", "domain"},
		"adapters":  {"ports", "domain"},
		"bootstrap": {"bootstrap", "app", "adapters", "ports", "domain"},
		// Programs of the checks.
		".ci": {"adapters", "domain"},
		// The use cases, put together for their tests.
		"app/apptest": {"app", "adapters", "ports", "domain"},
	}
	walked := 0
	err := filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") {
			return err
		}
		walked++
		name := filepath.ToSlash(strings.TrimPrefix(file, ".."+string(filepath.Separator)))
		layer := strings.Split(name, "/")[0]
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		test := strings.HasSuffix(name, "_test.go") || isForTests(path.Dir(name))
		imports, found := allowed[path.Dir(name)]
		if !found {
			imports = allowed[layer]
		}
		for _, i := range parsed.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			within, own := strings.CutPrefix(imported, module)
			switch {
			case own && layer == "adapters" && strings.HasPrefix(within, "adapters/"):
				if strings.Split(name, "/")[1] != strings.Split(within, "/")[1] {
					t.Errorf("%s imports another adapter: %s", name, within)
				}
			case own && !slices.Contains(imports, strings.Split(within, "/")[0]):
				t.Errorf("%s imports %s", name, within)
			case own && isForTests(within) && !test:
				t.Errorf("%s imports %s outside of a test", name, within)
			case !own && layer == "domain" && !test && strings.Contains(strings.Split(imported, "/")[0], "."):
				t.Errorf("%s imports %s, which is not of the standard library", name, imported)
			}
		}
		return nil
	})
	if err != nil || walked < 50 {
		t.Fatalf("%d files were read: %v", walked, err)
	}
}

// isForTests reports whether a package is only for tests: an element of its path ends in test.
func isForTests(dir string) bool {
	return slices.ContainsFunc(strings.Split(dir, "/"), func(name string) bool { return strings.HasSuffix(name, "test") })
}

// TestTopLevel: there are no other files at the top level, except dot-files and ignored ones, such as a binary from go build.
func TestTopLevel(t *testing.T) {
	allowed := []string{
		"domain", "app", "adapters", "ports", "bootstrap", "testdata", "go.mod", "go.sum", "Taskfile.yml", "Dockerfile",
		"README.md", "LICENSE", "docker-compose.yml",
	}
	ignored, err := os.ReadFile("../.gitignore")
	if err != nil {
		t.Fatal(err)
	}
	patterns := strings.Fields(string(ignored))
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		isIgnored := slices.ContainsFunc(patterns, func(pattern string) bool {
			matched, err := path.Match(strings.Trim(pattern, "/"), e.Name())
			return err == nil && matched
		})
		if !strings.HasPrefix(e.Name(), ".") && !isIgnored && !slices.Contains(allowed, e.Name()) {
			t.Errorf("%s is not allowed at the top level", e.Name())
		}
	}
}
