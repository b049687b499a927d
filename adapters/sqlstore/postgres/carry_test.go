package postgres_test

import (
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// testCarriedBack: the versions after 3, rolled back, leave the table of events as version 3 made it.
func testCarriedBack(t *testing.T, server *container.Container) {
	ownerURL, serviceURL := server.Database(t)
	owner := driverConn(t, ownerURL)
	applyUpTo(t, owner, beforePartitions)
	before := layout(t, owner, "events")
	runner, err := migrated(t, options(ownerURL, serviceURL)).Migrations()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"00008_erasures.sql", "00007_sealed_days.sql", "00006_partitions_once.sql", "00005_carry_events.go", "00004_events_by_month.sql"} {
		if name, err := runner.Down(t.Context()); err != nil || name != want {
			t.Fatalf("rolled back: %q, %v, want %s", name, err, want)
		}
	}
	if got := layout(t, owner, "events"); got != before {
		t.Errorf("after they were rolled back, the table is\n%s\nand was\n%s", got, before)
	}
}
