package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/bench"
)

// TestBenchRefuses: what it does not measure.
func TestBenchRefuses(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		errs string
	}{
		{"bench now", 2, "takes no arguments"},
		{"bench --events 9999", 2, "--events must be 10000 or more"},
		{"bench --asked 99999", 2, "--asked must be 100000 or more"},
		{"bench --postgres", 2, "--postgres needs DATABASE_URL"},
		{"bench --dir " + filepath.Join(t.TempDir(), "none"), 1, "creating a folder"},
	} {
		if out, errs := newCommand(t).want(t, c.code, "", strings.Fields(c.args)...); out != "" || !strings.Contains(errs, c.errs) {
			t.Errorf("%s: %q and %q", c.args, out, errs)
		}
	}
}

// TestPrintResults: a row for each result, with its bar if it has one.
func TestPrintResults(t *testing.T) {
	results := []bench.Result{
		{What: "batches", Measured: bench.Figure{Value: 1500, Unit: "events/s"}, Compared: &bench.Figure{Value: 2000, Unit: "rows/s"}, Ratio: 0.75, Bar: &bench.Bar{AtLeast: 0.5, Met: true}},
		{What: "space", Measured: bench.Figure{Value: 120, Unit: "bytes"}, Ratio: 120, Bar: &bench.Bar{AtMost: 110}},
		{What: "query", Measured: bench.Figure{Value: 1.5, Unit: "ms"}, Ratio: 1.5},
	}
	var out bytes.Buffer
	if err := printResults(&out, false, results); err != nil {
		t.Fatal(err)
	}
	want := `
WHAT     MEASURED        COMPARED WITH  RATIO  BAR           MET
batches  1,500 events/s  2,000 rows/s   0.75   at least 0.5  yes
space    120 bytes       -              -      at most 110   no
query    1.5 ms          -              -      -             -
`
	if got := "\n" + out.String(); got != want {
		t.Errorf("printed %s", got)
	}
	out.Reset()
	if err := printResults(&out, true, results); err != nil || !strings.Contains(out.String(), `"at_most": 110,`) || strings.Count(out.String(), `"compared"`) != 1 {
		t.Errorf("printed %s: %v", out.String(), err)
	}
}
