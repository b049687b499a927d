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

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// SQLSTATEs that must be told apart.
const (
	uniqueViolation       = "23505"
	insufficientPrivilege = "42501"
	serializationFailure  = "40001"
	deadlockDetected      = "40P01"
	idleInTransaction     = "25P03"
	featureNotSupported   = "0A000"
	readOnlyTransaction   = "25006"
)

type dialect struct {
	timeout time.Duration
}

// Timeout leaves time to connect and for a statement.
func (d dialect) Timeout() time.Duration { return d.timeout }

func (dialect) Rebind(query string) string { return sqlx.Rebind(sqlx.DOLLAR, query) }

// ForUpdate does not conflict with the locks that foreign keys take.
func (dialect) ForUpdate() string { return " FOR NO KEY UPDATE" }

func (dialect) Day(column string) string {
	return "to_char(" + column + " AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
}

func (dialect) RowLevelSecurity() bool { return true }

// EnterTenant is a statement of its own and no call of set_config, since Citus passes nothing else on to its workers.
// SET takes no parameter, so that what is written into it must be a UUID.
func (dialect) EnterTenant(ctx context.Context, tx *sqlx.Tx, tenant id.Tenant) error {
	parsed, err := id.Parse[id.Tenant]("tenant_id", string(tenant))
	if err != nil {
		return fmt.Errorf("%q is not the id of a tenant", tenant)
	}
	_, err = tx.ExecContext(ctx, "SET LOCAL app.tenant_id = "+pq.QuoteLiteral(string(parsed)))
	return err
}

// Duplicate also knows how Citus reports the constraint of a shard (users_email_key_102009), and that what a worker
// reports has no field for the constraint, only a message.
func (dialect) Duplicate(err error, table, column string) bool {
	var e *pq.Error
	if !errors.As(err, &e) || e.Code != uniqueViolation {
		return false
	}
	// The message puts quotes around the name, of the kind that the server's language has.
	return regexp.MustCompile(`\b` + table + `_` + column + `_key(_\d+)?\b`).MatchString(cmp.Or(e.Constraint, e.Message))
}

// Retryable knows deadlocks and failures to serialize. The rest of class 40 does not say that nothing was changed.
func (dialect) Retryable(err error) bool {
	var e *pq.Error
	return errors.As(err, &e) && (e.Code == serializationFailure || e.Code == deadlockDetected)
}

// RolledBack knows the answers to COMMIT that leave no doubt: a constraint was found broken (class 23), and another
// transaction went first. All else, such as a node of a cluster that was lost (XX000), may come after a part was committed.
func (d dialect) RolledBack(err error) bool {
	var e *pq.Error
	return d.Retryable(err) || errors.As(err, &e) && e.Code.Class() == "23"
}

// Unavailable knows the ways in which a connection does not come to stand or goes, and those in which a server says that it can't
// now: connection failures (08), lack of resources (53), intervention by an operator (57), conflicts that may be repeated
// (40), and a transaction that it has given up (25P03). A standby is known to watchedConn.
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

// Denied knows what row level security and the lack of a right answer.
func (dialect) Denied(err error) bool {
	var e *pq.Error
	return errors.As(err, &e) && e.Code == insufficientPrivilege
}

func (dialect) Clock() string { return "clock_timestamp()" }

// TimedOut knows a statement that was cancelled (57014), which its own timeout does and a context that ends.
func (dialect) TimedOut(err error) bool {
	var e *pq.Error
	return errors.As(err, &e) && e.Code == "57014"
}
