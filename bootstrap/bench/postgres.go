package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// rawTable is the table for raw rows in Postgres.
const rawTable = "bench_events"

// postgresStorage is a Postgres database, seen as the owner of its tables.
type postgresStorage struct {
	owner  *sql.DB
	tenant uuid.UUID
}

// rawConnections are the numbers of connections with which rows are inserted; the fastest counts.
var rawConnections = []int{1, 4}

// prepare makes a table with the columns, the key and the partitions of the service's, without row level security.
func (p *postgresStorage) prepare(ctx context.Context) error {
	p.tenant = uuid.New()
	const make = `DO $$
DECLARE part record;
BEGIN
    DROP TABLE IF EXISTS ` + rawTable + `;
    CREATE TABLE ` + rawTable + ` (LIKE events INCLUDING ALL) PARTITION BY RANGE (id);
    FOR part IN SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
        WHERE inhparent = 'events'::regclass
    LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF ` + rawTable + ` %s', 'bench_' || part.relname, part.bound);
    END LOOP;
END $$`
	if _, err := p.owner.ExecContext(ctx, make); err != nil {
		return fmt.Errorf("making the raw table: %w", err)
	}
	return nil
}

// insert stores half of the rows with each number of connections, and returns twice the time of the faster half.
func (p *postgresStorage) insert(ctx context.Context, rows []row) (fastest time.Duration, err error) {
	part := len(rows) / len(rawConnections)
	for i, connections := range rawConnections {
		took, err := p.insertOver(ctx, connections, rows[i*part:(i+1)*part])
		if err != nil {
			return 0, fmt.Errorf("inserting raw rows: %w", err)
		}
		if total := took * time.Duration(len(rawConnections)); fastest == 0 || total < fastest {
			fastest = total
		}
	}
	return fastest, nil
}

func (p *postgresStorage) insertOver(ctx context.Context, connections int, rows []row) (time.Duration, error) {
	batches := make(chan []any, len(rows)/rowsAtOnce)
	for ; len(rows) >= rowsAtOnce; rows = rows[rowsAtOnce:] {
		batches <- p.arguments(rows[:rowsAtOnce])
	}
	close(batches)
	var (
		running sync.WaitGroup
		failed  = make(chan error, connections)
	)
	p.owner.SetMaxIdleConns(connections)
	began := time.Now()
	for range connections {
		running.Go(func() {
			for batch := range batches {
				if _, err := p.owner.ExecContext(ctx, `INSERT INTO `+rawTable+` (`+columns+`)
SELECT $1::uuid, * FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::float8[], $8::text[])`, batch...); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	running.Wait()
	took := time.Since(began)
	close(failed)
	return took, <-failed // nil if none
}

// arguments returns rows as an array for each column.
func (p *postgresStorage) arguments(rows []row) []any {
	var (
		ids, types, users, sessions, sources []sql.NullString
		times                                []int64
		values                               []sql.NullFloat64
	)
	text := func(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }
	for _, r := range rows {
		ids = append(ids, text(uuid.UUID(r.id).String()))
		times = append(times, r.at.UnixMicro())
		types, users = append(types, text(r.eventType)), append(users, text(r.user))
		sessions, sources = append(sessions, text(r.session)), append(sources, text(r.source))
		value := sql.NullFloat64{Valid: r.value != nil}
		if value.Valid {
			value.Float64 = *r.value
		}
		values = append(values, value)
	}
	return []any{p.tenant, pq.Array(ids), pq.Array(times), pq.Array(types), pq.Array(users), pq.Array(sessions), pq.Array(values), pq.Array(sources)}
}

func (p *postgresStorage) size(ctx context.Context) (total int64, err error) {
	err = p.owner.QueryRowContext(ctx, `SELECT pg_total_relation_size('event_keys') + sum(pg_total_relation_size(relid)) FROM pg_partition_tree('events')`).Scan(&total)
	if err != nil {
		return 0, fmt.Errorf("measuring the database: %w", err)
	}
	return total, nil
}

// entered calls fn in a transaction that sees the rows of a tenant.
func (p *postgresStorage) entered(ctx context.Context, tenant id.Tenant, fn func(*sql.Tx) error) error {
	tx, err := p.owner.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("reading what the service has stored: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, "SELECT set_config('app.tenant_id', $1, true)", string(tenant)); err != nil {
		return fmt.Errorf("reading what the service has stored: %w", err)
	}
	return fn(tx)
}

func (p *postgresStorage) sealing(ctx context.Context, tenant id.Tenant) (state sealing, err error) {
	err = p.entered(ctx, tenant, func(tx *sql.Tx) error {
		var oldest uuid.NullUUID
		err := tx.QueryRowContext(ctx, sealingOf, tenant).Scan(&state.events, &state.bytes, &state.waiting, &state.covered, &oldest)
		if oldest.Valid {
			state.oldest = oldest.UUID[:]
		}
		return err
	})
	return state, err
}

func (p *postgresStorage) compare(ctx context.Context, tenant id.Tenant, c comparison) (time.Duration, error) {
	return p.time(ctx, tenant, c.postgres)
}

func (p *postgresStorage) readAll(ctx context.Context, tenant id.Tenant) (time.Duration, error) {
	return p.time(ctx, tenant, allOf)
}

func (p *postgresStorage) time(ctx context.Context, tenant id.Tenant, query string) (took time.Duration, err error) {
	err = p.entered(ctx, tenant, func(tx *sql.Tx) (err error) {
		took, err = timeRows(ctx, tx, query, tenant)
		return err
	})
	return took, err
}

// close drops the raw table.
func (p *postgresStorage) close() error {
	_, err := p.owner.Exec("DROP TABLE IF EXISTS " + rawTable)
	return errors.Join(err, p.owner.Close())
}
