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

// TestImportsPointInward reads every import of the project and holds it against the rules of the house: adapters and
// use cases know ports and domain, ports know the domain, the domain knows the standard library, and bootstrap alone
// knows all. An adapter knows no other adapter but its own parts. Packages that serve tests alone are imported by no others.
func TestImportsPointInward(t *testing.T) {
	allowed := map[string][]string{
		"domain":    {"domain"},
		"ports":     {"ports", "domain"},
		"app":       {"app", "ports", "domain"},
		"adapters":  {"ports", "domain"},
		"bootstrap": {"bootstrap", "app", "adapters", "ports", "domain"},
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
		room := strings.Split(name, "/")[0]
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		test := strings.HasSuffix(name, "_test.go") || servesTests(path.Dir(name))
		rooms, found := allowed[path.Dir(name)]
		if !found {
			rooms = allowed[room]
		}
		for _, i := range parsed.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			within, own := strings.CutPrefix(imported, module)
			switch {
			case own && room == "adapters" && strings.HasPrefix(within, "adapters/"):
				if strings.Split(name, "/")[1] != strings.Split(within, "/")[1] {
					t.Errorf("%s imports another adapter: %s", name, within)
				}
			case own && !slices.Contains(rooms, strings.Split(within, "/")[0]):
				t.Errorf("%s imports %s", name, within)
			case own && servesTests(within) && !test:
				t.Errorf("%s imports %s outside of a test", name, within)
			case !own && room == "domain" && !test && strings.Contains(strings.Split(imported, "/")[0], "."):
				t.Errorf("%s imports %s, which is not of the standard library", name, imported)
			}
		}
		return nil
	})
	if err != nil || walked < 50 {
		t.Fatalf("%d files were read: %v", walked, err)
	}
}

// servesTests reports whether a package serves tests alone: its name, or that of a folder around it, ends in test.
func servesTests(dir string) bool {
	return slices.ContainsFunc(strings.Split(dir, "/"), func(name string) bool { return strings.HasSuffix(name, "test") })
}

// TestTopLevel: nothing else stands at the top, but for what git ignores, such as a binary that go build left.
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
			t.Errorf("%s stands at the top level", e.Name())
		}
	}
}
