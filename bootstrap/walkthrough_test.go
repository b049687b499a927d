package bootstrap_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// TestWalkthrough runs the commands of the README's walkthrough, with curl, against the built program. It needs a real clock:
// a summary does not include the events of the instant at which it is generated.
func TestWalkthrough(t *testing.T) {
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("skipped: this test needs %s", program)
		}
	}
	p := newProgram(t, onSQLite(t))
	serving := p.serve(t)
	walk := exec.CommandContext(t.Context(), "bash", porttest.Fixture(t, "walkthrough"), "http://"+p.address, p.path)
	walk.Dir, walk.Env = t.TempDir(), append(os.Environ(), p.environment...)
	if output, err := walk.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
	stop(t, serving)
}
