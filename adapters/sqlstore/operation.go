package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// RecordEnvironment keeps on record that the database serves an environment. What it once served stays on record.
func (s *Store) RecordEnvironment(ctx context.Context, environment string, now time.Time) error {
	_, err := s.outside(write).exec(ctx, "recording what the database serves",
		"INSERT INTO served (environment, first_at) VALUES (?, ?) ON CONFLICT (environment) DO NOTHING", environment, dbTime{now})
	return err
}

// Environments returns the environments that the database has served; "unknown" is among them where it is older than the record.
func (s *Store) Environments(ctx context.Context) ([]string, error) {
	var environments []string
	err := s.outside(write).list(ctx, &environments, "asking what the database has served", "SELECT environment FROM served ORDER BY environment")
	return environments, err
}

// CanGrantSuperAdmin reports whether the store may give and take super_admin as the role that it works as, of a database that
// guards tenants.
func (s *Store) CanGrantSuperAdmin(ctx context.Context) (may bool, err error) {
	err = s.outside(lookUp).get(ctx, &may, nil, "asking who may give super_admin", "SELECT has_column_privilege('users', 'super_admin', 'UPDATE')")
	return may, err
}

const (
	// pingInterval is how long the answer to a Ping holds: how often, at most, a database is written to find out that it can be.
	pingInterval = time.Second
	// pingTimeout is how long a database may take to show that it can be written.
	pingTimeout = 4 * time.Second
)

// errSchema says that the database answers, and that its schema is not one that this program can work with.
var errSchema = fmt.Errorf("the schema is older than version %d, or its heartbeat is gone", migrations.Newest)

// lastPing is the last proof that the database can be written. Probes ask for it more often than it is worth a write.
type lastPing struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

// Ping reports whether the database answers, can be written and has the schema of this program or a newer one, by a write.
// What it found holds for pingInterval. Errors: ports.ErrUnavailable.
func (s *Store) Ping(ctx context.Context) error {
	s.lastPing.mu.Lock()
	defer s.lastPing.mu.Unlock()
	if time.Since(s.lastPing.at) >= pingInterval {
		s.lastPing.err = s.writeHeartbeat(ctx)
		s.lastPing.at = time.Now()
	}
	return s.lastPing.err
}

// writeHeartbeat goes on where the one who asked has left: others are told what it finds.
func (s *Store) writeHeartbeat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	// A newer schema is that of a newer program, which migrates before the last of the older ones has ended.
	const query = "UPDATE heartbeat SET at = ? WHERE id = 1 AND (SELECT MAX(version_id) FROM goose_db_version) >= ?"
	err := s.outside(write).execOne(ctx, errSchema, "writing the heartbeat", query, dbTime{time.Now()}, migrations.Newest)
	if err != nil && !errors.Is(err, ports.ErrUnavailable) {
		err = ports.ErrUnavailable.Because(err)
	}
	return err
}
