package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

func TestPartitions(t *testing.T) {
	server := container.Postgres(t)
	for name, test := range map[string]func(*testing.T, partitioned){
		"months":             testMonths,
		"direct access":      testDirectAccess,
		"replicas at once":   testReplicasAdd,
		"ingest meanwhile":   testIngestMeanwhile,
		"deleted meanwhile":  testDeletedMeanwhile,
		"older replica":      testOlderReplica,
		"locked":             testLocked,
		"platform retention": testPlatformRetention,
		"tenant retention":   testTenantRetention,
		"expired keys":       testExpiredKeys,
		"one worker":         testOneWorker,
		"many tenants":       testManyTenants,
		"failed expiry":      testFailedExpiry,
		"read-only":          testReadOnly,
		"as one role":        nil,
	} {
		t.Run(name, func(t *testing.T) {
			ownerURL, serviceURL := server.Database(t)
			if test == nil { // the service's URL is the owner's, and nothing else differs
				serviceURL, test = ownerURL, func(t *testing.T, p partitioned) { testReplicasAdd(t, p); testPlatformRetention(t, p) }
			}
			server.Admin(t, databaseOf(t, ownerURL), `ALTER DATABASE "`+databaseOf(t, ownerURL)+`" SET timezone = 'America/New_York'`)
			p := partitioned{Database: migrated(t, options(ownerURL, serviceURL)), server: server, options: options(ownerURL, serviceURL)}
			p.owner, p.service, p.admin = driverConn(t, ownerURL), driverConn(t, serviceURL), driverConn(t, server.AdminURL(databaseOf(t, ownerURL)))
			test(t, p)
		})
	}
}

// partitioned is a database with plain connections: as the owner of the tables, as the service and as a superuser.
type partitioned struct {
	*postgres.Database
	server                *container.Container
	options               postgres.Options
	owner, service, admin *sql.DB
}

func exec(t *testing.T, db interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func scalar[T any](t *testing.T, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, query string, args ...any) (v T) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// queryTexts returns the rows of a query with one column.
func queryTexts(t *testing.T, db *sql.DB, query string) (texts []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return texts
}

func begin(t *testing.T, db *sql.DB) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() }) // does nothing after the commit
	return tx
}

func hasCode(err error, code pqerror.Code) bool {
	var e *pq.Error
	return errors.As(err, &e) && e.Code == code
}

const lockNotAvailable, readOnlyTransaction, checkViolation = "55P03", "25006", "23514"

// dropPartition is a call that removes the events of the oldest partition that is kept no longer; 'none' without one.
const dropPartition = "COALESCE(drop_event_partitions('00000000-0000-0000-0000-000000000000')::text, 'none')"

// boundOf returns the smallest id of an event at that time.
func boundOf(at time.Time) string {
	text := fmt.Sprintf("%012x80008000000000000000", at.UnixMilli())
	return uuid.MustParse(text).String()
}

// addEvent adds an event of the tenant, as a superuser. It returns its id.
func addEvent(t *testing.T, admin *sql.DB, tenant string, at time.Time) string {
	t.Helper()
	bound, random := boundOf(at), uuid.NewString()
	id := bound[:19] + random[19:] // of the month, and unique
	exec(t, admin, "INSERT INTO events (tenant_id, id, occurred_at, event_type, user_identifier) VALUES ($1, $2, $3, 'view', 'u')", tenant, id, at.UnixMicro())
	return id
}

// addTenant adds a tenant that keeps events for so many days, or for ever if that is 0.
func (p partitioned) addTenant(t *testing.T, days int) string {
	t.Helper()
	tenant := uuid.NewString()
	exec(t, p.admin, "INSERT INTO tenants (id, slug, created_at, retention_days) VALUES ($1::uuid, $1::text, now(), NULLIF($2, 0))", tenant, days)
	return tenant
}

func (p partitioned) eventsOf(t *testing.T, tenant string) int {
	t.Helper()
	return scalar[int](t, p.admin, "SELECT COUNT(*) FROM events WHERE tenant_id = $1", tenant)
}

func monthStart(ahead int) time.Time {
	now := time.Now().UTC()
	return time.Date(now.Year(), now.Month()+time.Month(ahead), 1, 0, 0, 0, 0, time.UTC)
}

func partitionOf(month time.Time) string { return month.Format("events_2006_01") }

// testMonths: the partitions meet at the smallest ids of the months in UTC, whatever the time zone of a session.
func testMonths(t *testing.T, p partitioned) {
	for what, count := range map[string]func(context.Context) (int, error){"added": p.AddPartitions, "left": p.EventMonthsLeft} {
		if n, err := count(t.Context()); err != nil || n != 24 {
			t.Errorf("%s: %d months, %v", what, n, err)
		}
	}
	got := queryTexts(t, p.service, `SELECT c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid)
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'events'::regclass ORDER BY c.relname`)
	var want []string
	for ahead := -61; ahead <= 24; ahead++ {
		want = append(want, fmt.Sprintf("%s FOR VALUES FROM ('%s') TO ('%s')", partitionOf(monthStart(ahead)), boundOf(monthStart(ahead)), boundOf(monthStart(ahead+1))))
	}
	want = append(want, "events_older FOR VALUES FROM (MINVALUE) TO ('"+boundOf(monthStart(-61))+"')")
	if !slices.Equal(got, want) {
		t.Errorf("the partitions are %q, want %q", got, want)
	}
}

// testDirectAccess: the service can't access a partition, and one that is granted by mistake shows no rows, also to the owner.
func testDirectAccess(t *testing.T, p partitioned) {
	tenant := p.addTenant(t, 0)
	addEvent(t, p.admin, tenant, time.Now())
	partition := partitionOf(monthStart(0))
	insert := fmt.Sprintf("INSERT INTO %s (tenant_id, id, occurred_at, event_type, user_identifier) VALUES ('%s', '%s', 0, 'x', 'u')",
		partition, tenant, boundOf(time.Now()))
	in := func(db *sql.DB, statement string) (sql.Result, error) {
		tx := begin(t, db)
		exec(t, tx, "SET LOCAL app.tenant_id = '"+tenant+"'")
		return tx.ExecContext(t.Context(), statement)
	}
	for _, statement := range []string{
		"SELECT * FROM " + partition, insert, "UPDATE " + partition + " SET value = 1", "DELETE FROM " + partition, "TRUNCATE " + partition,
		"DROP TABLE " + partition, "ALTER TABLE events DETACH PARTITION " + partition, "SELECT add_event_partition('x', 'MINVALUE', gen_random_uuid())",
		"UPDATE retention SET days = 1", "SELECT FROM retention FOR UPDATE", "LOCK TABLE retention", "UPDATE tenants SET retention_days = 1",
	} {
		if _, err := in(p.service, statement); !refused(err) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	exec(t, p.admin, fmt.Sprintf(`GRANT ALL ON %s TO "%s"`, partition, roleOf(t, p.options.URL)))
	for who, db := range map[string]*sql.DB{"the service": p.service, "the owner": p.owner} {
		for _, statement := range []string{"SELECT * FROM " + partition, "UPDATE " + partition + " SET value = 1", "DELETE FROM " + partition} {
			result, err := in(db, statement)
			if err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
			if n, err := result.RowsAffected(); n != 0 || err != nil {
				t.Errorf("%s as %s: %d rows, %v", statement, who, n, err)
			}
		}
		if _, err := in(db, insert); !refused(err) {
			t.Errorf("%s as %s: %v", insert, who, err)
		}
	}
}

// dropLast drops the partitions of the last two months.
func (p partitioned) dropLast(t *testing.T) {
	t.Helper()
	exec(t, p.owner, "DROP TABLE "+partitionOf(monthStart(24))+", "+partitionOf(monthStart(23)))
}

// testReplicasAdd: several replicas add the same partitions at once, and a transaction that is lost adds none.
func testReplicasAdd(t *testing.T, p partitioned) {
	p.dropLast(t)
	lost := begin(t, p.service)
	if n := scalar[int](t, lost, "SELECT add_event_partitions()"); n != 24 {
		t.Errorf("in a transaction: %d months", n)
	}
	if err := lost.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n, err := p.EventMonthsLeft(t.Context()); err != nil || n != 22 {
		t.Errorf("after a lost transaction: %d months, %v", n, err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if n, err := p.AddPartitions(t.Context()); err != nil || n != 24 {
				t.Errorf("%d months, %v", n, err)
			}
		})
	}
	wg.Wait()
}

// testIngestMeanwhile: adding a partition and ingesting, or a long query, don't wait for each other.
func testIngestMeanwhile(t *testing.T, p partitioned) {
	tenant := p.addTenant(t, 0)
	p.dropLast(t)
	ingesting, adding := begin(t, p.service), begin(t, p.service)
	exec(t, ingesting, "SET LOCAL statement_timeout = '5s'")
	exec(t, ingesting, "SET LOCAL app.tenant_id = '{"+tenant+"}'")
	ingest := "INSERT INTO events (tenant_id, id, occurred_at, event_type, user_identifier) VALUES ($1, $2, 0, 'x', 'u')"
	exec(t, ingesting, ingest, tenant, boundOf(monthStart(0)))
	if n := scalar[int](t, ingesting, "SELECT COUNT(*) FROM events"); n != 1 { // it has read all partitions
		t.Errorf("it sees %d events", n)
	}
	if n := scalar[int](t, adding, "SELECT add_event_partitions()"); n != 24 {
		t.Errorf("%d months", n)
	}
	exec(t, ingesting, ingest, tenant, boundOf(monthStart(1)))
	if n := scalar[int](t, ingesting, "SELECT COUNT(*) FROM events"); n != 2 {
		t.Errorf("while a partition is added, it sees %d events", n)
	}
	if err := errors.Join(adding.Commit(), ingesting.Commit()); err != nil {
		t.Fatal(err)
	}
	_, err := p.admin.ExecContext(t.Context(), ingest, tenant, boundOf(monthStart(25)))
	if !hasCode(err, "23514") {
		t.Errorf("an event beyond the last partition: %v", err)
	}
}

// testLocked: who can't get a lock gives up after a second, before the statement timeout, and has changed nothing.
func testLocked(t *testing.T, p partitioned) {
	exec(t, p.owner, "UPDATE retention SET days = 100")
	old := monthStart(-12)
	tenant := p.addTenant(t, 0)
	addEvent(t, p.admin, tenant, old)
	p.dropLast(t)

	locking := begin(t, p.owner)
	exec(t, locking, "LOCK TABLE events IN SHARE MODE")
	if n, err := p.AddPartitions(t.Context()); !hasCode(err, lockNotAvailable) {
		t.Errorf("adding: %d, %v", n, err)
	}
	if err := locking.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n, err := p.AddPartitions(t.Context()); err != nil || n != 24 {
		t.Errorf("once the lock is released: %d months, %v", n, err)
	}

	querying := begin(t, p.service)
	exec(t, querying, "SELECT * FROM events WHERE id < '"+boundOf(monthStart(-11))+"'")
	if n, err := p.DropExpired(t.Context()); !hasCode(err, lockNotAvailable) {
		t.Errorf("dropping what a long query reads: %d, %v", n, err)
	}
	if n := p.eventsOf(t, tenant); n != 1 {
		t.Errorf("%d events are left", n)
	}
	if err := querying.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n, err := p.DropExpired(t.Context()); err != nil || n != 1 {
		t.Errorf("once the query has ended: %d partitions, %v", n, err)
	}
}

// testReadOnly: none of the functions runs in the transactions of queries.
func testReadOnly(t *testing.T, p partitioned) {
	for _, call := range []string{"add_event_partitions()", dropPartition, "expire_events(1)"} {
		tx, err := p.service.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "SELECT "+call); !hasCode(err, readOnlyTransaction) {
			t.Errorf("%s: %v", call, err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}
