package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// SQLSTATE codes that are handled individually.
const (
	uniqueViolation       = "23505"
	insufficientPrivilege = "42501"
	serializationFailure  = "40001"
	deadlockDetected      = "40P01"
	idleInTransaction     = "25P03"
	featureNotSupported   = "0A000"
	readOnlyTransaction   = "25006"
)

// typeNames are the types of columns.
var typeNames = map[sqlstore.ColumnType]string{
	sqlstore.UUID: "uuid", sqlstore.Bytes: "bytea", sqlstore.Integer: "bigint", sqlstore.Real: "double precision", sqlstore.Text: "text",
	sqlstore.Timestamp: "timestamptz",
}

type dialect struct {
	timeout time.Duration
}

// Timeout covers connecting and a statement.
func (d dialect) Timeout() time.Duration { return d.timeout }

func (dialect) Rebind(query string) string { return sqlx.Rebind(sqlx.DOLLAR, query) }

// ForUpdate does not conflict with the locks that foreign keys take.
func (dialect) ForUpdate() string { return " FOR NO KEY UPDATE" }

func (dialect) Day(column string) string {
	return "to_char(to_timestamp(" + column + " / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
}

// ID returns the text of a UUID.
func (dialect) ID(text string) (any, error) { return text, nil }

// Rows returns the values from one array for each column.
func (dialect) Rows(columns []sqlstore.ColumnType, values []any) (query string, args []any) {
	arrays := make([]string, 0, len(columns))
	for i, column := range columns {
		arrays = append(arrays, "?::"+typeNames[column]+"[]")
		args = append(args, array(values[i:], len(columns)))
	}
	return "SELECT * FROM unnest(" + strings.Join(arrays, ", ") + ")", args
}

func (dialect) InsertSize(rows int) int { return rows }

// AfterErasing returns nothing: what is deleted stays in the files until it is vacuumed, and in the log of changes until that is recycled.
func (dialect) AfterErasing() string { return "" }

func (dialect) InsertsByWith() bool { return true }

func (dialect) RowLevelSecurity() bool { return true }

// EnterTenant uses SET and not set_config, since Citus propagates only SET to its workers. SET takes no parameters, so the
// value is embedded, and must be a UUID. The braces tell that this version stores deltas; see version 7 of the schema.
func (dialect) EnterTenant(ctx context.Context, tx *sqlx.Tx, tenant id.Tenant) error {
	parsed, err := id.Parse[id.Tenant]("tenant_id", string(tenant))
	if err != nil {
		return fmt.Errorf("%q is not a tenant id", tenant)
	}
	_, err = tx.ExecContext(ctx, "SET LOCAL app.tenant_id = "+pq.QuoteLiteral("{"+string(parsed)+"}"))
	return err
}

// Duplicate also recognizes errors of Citus: they name the constraint of a shard (users_email_key_102009), and those of a
// worker have it in the message only, not in the constraint field.
func (dialect) Duplicate(err error, table, column string) bool {
	var e *pq.Error
	if !errors.As(err, &e) || e.Code != uniqueViolation {
		return false
	}
	// The message quotes the name, in the style of the server's language.
	return regexp.MustCompile(`\b` + table + `_` + column + `_key(_\d+)?\b`).MatchString(cmp.Or(e.Constraint, e.Message))
}

func (dialect) KeyExists(err error) bool {
	var e *pq.Error
	return errors.As(err, &e) && e.Code == uniqueViolation
}

// Unsupported covers what Citus refuses, such as INSERT ... SELECT into a table with row level security, unless it has ON CONFLICT.
func (dialect) Unsupported(err error) bool {
	var e *pq.Error
	return errors.As(err, &e) && e.Code == featureNotSupported
}

// Retryable covers deadlocks and serialization failures. Other errors of class 40 do not guarantee a rollback.
func (dialect) Retryable(err error) bool {
	var e *pq.Error
	return errors.As(err, &e) && (e.Code == serializationFailure || e.Code == deadlockDetected)
}

// RolledBack covers the errors of COMMIT that guarantee a rollback: constraint violations (class 23) and retryable ones. Any
// other, such as a lost node of a cluster (XX000), may follow a partial commit.
func (d dialect) RolledBack(err error) bool {
	var e *pq.Error
	return d.Retryable(err) || errors.As(err, &e) && e.Code.Class() == "23"
}

// Unavailable covers failed and lost connections, and errors of a server that can't work at the moment: connection exceptions
// (08), insufficient resources (53), operator intervention (57), transaction rollback (40), and the timeout of an idle
// transaction (25P03). watchedConn handles standbys.
func (dialect) Unavailable(err error) bool {
	if errors.Is(err, errConnecting) || errors.Is(err, driver.ErrBadConn) {
		return true
	}
	var e *pq.Error
	if errors.As(err, &e) {
		switch class := string(e.Code); {
		case strings.HasPrefix(class, "08"), strings.HasPrefix(class, "53"), strings.HasPrefix(class, "57"), strings.HasPrefix(class, "40"), class == idleInTransaction:
			return true
		}
		return false
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

// Denied covers violations of row level security and missing privileges.
func (dialect) Denied(err error) bool {
	var e *pq.Error
	return errors.As(err, &e) && e.Code == insufficientPrivilege
}

func (dialect) Clock() string { return "clock_timestamp()" }

// TimedOut covers cancelled statements (57014): by the statement timeout or by the end of a context.
func (dialect) TimedOut(err error) bool {
	var e *pq.Error
	return errors.As(err, &e) && e.Code == "57014"
}
