package bench

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver of the service

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// rowsAtOnce is how many rows a raw statement inserts, and how many events a batch has.
const rowsAtOnce = 1000

// columns of the table of events.
const columns = "tenant_id, id, occurred_at, event_type, user_identifier, session_id, value, source"

// storage is a database, of which the service has one part and raw statements another.
type storage interface {
	// prepare makes an empty table like that of events. The service must have migrated.
	prepare(ctx context.Context) error
	// insert stores rows in that table, rowsAtOnce in a transaction, and returns how long that took.
	insert(ctx context.Context, rows []row) (time.Duration, error)
	// size returns the bytes that the events of the service take, with indexes and journals.
	size(ctx context.Context) (int64, error)
	// sealing returns what is sealed of the events of a tenant of the service.
	sealing(ctx context.Context, tenant id.Tenant) (sealing, error)
	// compare asks the SQL of a comparison about a tenant of the service, and returns how long that took.
	compare(ctx context.Context, tenant id.Tenant, c comparison) (time.Duration, error)
	// readAll reads all columns of the events of a tenant of the service, and returns how long that took.
	readAll(ctx context.Context, tenant id.Tenant) (time.Duration, error)
	close() error
}

// sealing is what is sealed of the events of a tenant.
type sealing struct {
	events, bytes int64  // of blocks
	waiting       int64  // events in deltas
	covered       bool   // whether no event is in rows only
	oldest        []byte // the id of the oldest delta
}

// sealed reports whether all events are in blocks.
func (s sealing) sealed() bool { return s.covered && s.waiting == 0 && s.events > 0 }

// lag returns how long the oldest delta has been waiting.
func (s sealing) lag(now time.Time) time.Duration {
	if len(s.oldest) < 6 {
		return 0
	}
	return now.Sub(time.UnixMilli(int64(binary.BigEndian.Uint64(s.oldest) >> 16)))
}

// The statements about a tenant of the service, whose id is the parameter, in both databases.
const (
	sealingOf = `SELECT (SELECT COALESCE(SUM(events), 0) FROM blocks WHERE tenant_id = $1), (SELECT COALESCE(SUM(LENGTH(data)), 0) FROM block_parts WHERE tenant_id = $1),
(SELECT COALESCE(SUM(events), 0) FROM deltas WHERE tenant_id = $1), EXISTS (SELECT 1 FROM seals WHERE tenant_id = $1 AND covered_from < 0),
(SELECT id FROM deltas WHERE tenant_id = $1 ORDER BY id LIMIT 1)`
	allOf    = "SELECT id, occurred_at, event_type, user_identifier, session_id, value, source, properties FROM events WHERE tenant_id = $1 ORDER BY id"
	byTypeOf = "SELECT event_type, COUNT(*), AVG(value) FROM events WHERE tenant_id = $1 GROUP BY event_type ORDER BY COUNT(*) DESC LIMIT 100"
)

// sqliteStorage is the database of the service in a folder, and raw.db beside it.
type sqliteStorage struct {
	dir     string
	raw     *sql.DB
	tenant  [16]byte
	service *sql.DB // the service's file
}

const sqliteName = "data.db"

// eventsFile is the file in which the service keeps events.
func (s *sqliteStorage) eventsFile() string { return filepath.Join(s.dir, "data-events.db") }

// source returns the name of a file as the driver reads it, with the settings of the service.
func source(path string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"
}

func (s *sqliteStorage) prepare(ctx context.Context) error {
	statement, err := s.statement(ctx)
	if err != nil {
		return fmt.Errorf("reading how the service made the table of events: %w", err)
	}
	if s.raw, err = sql.Open("sqlite", source(filepath.Join(s.dir, "raw.db"))); err != nil {
		return fmt.Errorf("opening the raw database: %w", err)
	}
	s.raw.SetMaxOpenConns(1)
	s.tenant = uuid.New()
	if _, err := s.raw.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("making the raw table: %w", err)
	}
	return nil
}

// statement returns the statement that made the service's table of events.
func (s *sqliteStorage) statement(ctx context.Context) (statement string, err error) {
	if s.service, err = sql.Open("sqlite", source(s.eventsFile())); err != nil {
		return "", err
	}
	err = s.service.QueryRowContext(ctx, "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'events'").Scan(&statement)
	return statement, err
}

func (s *sqliteStorage) insert(ctx context.Context, rows []row) (time.Duration, error) {
	const width = 8
	values := strings.TrimSuffix(strings.Repeat("("+strings.TrimSuffix(strings.Repeat("?,", width), ",")+"),", rowsAtOnce), ",")
	statement, err := s.raw.PrepareContext(ctx, "INSERT INTO events ("+columns+") VALUES "+values)
	if err != nil {
		return 0, fmt.Errorf("preparing the raw statement: %w", err)
	}
	batches := make([][]any, 0, len(rows)/rowsAtOnce)
	for ; len(rows) >= rowsAtOnce; rows = rows[rowsAtOnce:] {
		batch := make([]any, 0, rowsAtOnce*width)
		for _, r := range rows[:rowsAtOnce] {
			batch = append(batch, s.tenant[:], r.id[:], r.at.UnixMicro(), r.eventType, r.user, optional(r.session), r.value, optional(r.source))
		}
		batches = append(batches, batch)
	}
	began := time.Now()
	for _, batch := range batches {
		if _, err := statement.ExecContext(ctx, batch...); err != nil {
			return 0, errors.Join(fmt.Errorf("inserting raw rows: %w", err), statement.Close())
		}
	}
	return time.Since(began), statement.Close()
}

// optional returns nil for an empty text.
func optional(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (s *sqliteStorage) size(context.Context) (total int64, err error) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(s.eventsFile() + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("measuring the database: %w", err)
		}
		total += info.Size()
	}
	return total, nil
}

func (s *sqliteStorage) sealing(ctx context.Context, tenant id.Tenant) (state sealing, err error) {
	key := uuid.MustParse(string(tenant))
	err = s.service.QueryRowContext(ctx, sealingOf, key[:]).Scan(&state.events, &state.bytes, &state.waiting, &state.covered, &state.oldest)
	if err != nil {
		return sealing{}, fmt.Errorf("reading what is sealed: %w", err)
	}
	return state, nil
}

func (s *sqliteStorage) compare(ctx context.Context, tenant id.Tenant, c comparison) (time.Duration, error) {
	key := uuid.MustParse(string(tenant))
	return timeRows(ctx, s.service, c.sqlite, key[:])
}

func (s *sqliteStorage) readAll(ctx context.Context, tenant id.Tenant) (time.Duration, error) {
	key := uuid.MustParse(string(tenant))
	return timeRows(ctx, s.service, allOf, key[:])
}

// timeRows returns how long it takes to read all rows of a query.
func timeRows(ctx context.Context, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, query string, args ...any) (took time.Duration, err error) {
	began := time.Now()
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("querying rows by SQL: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(sql.RawBytes)
	}
	for rows.Next() {
		if err := rows.Scan(values...); err != nil {
			return 0, err
		}
	}
	return time.Since(began), rows.Err()
}

func (s *sqliteStorage) close() error {
	var closed []error
	for _, db := range []*sql.DB{s.raw, s.service} {
		if db != nil {
			closed = append(closed, db.Close())
		}
	}
	return errors.Join(closed...)
}
