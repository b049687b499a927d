package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// attentive makes connections on which no wait for the server outlasts its context by much. The driver asks the server
// to cancel and then waits for its word, which a server that has fallen silent does not give.
type attentive struct {
	*pq.Connector
}

// wire is the connection to the server, once there is one.
type wire struct {
	atomic.Pointer[impatient]
}

// wireKey is under which a dialer finds the wire that it is to set.
type wireKey struct{}

// watch ends a wait for the server once the context has ended and the server has had its time to say so.
func (w *wire) watch(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		if c := w.Load(); c != nil {
			c.endBy(time.Now().Add(grace))
		}
	})
}

// errConnecting says that no connection came to stand, whatever stands against it: a network, a certificate, a password, a
// database or a host that is not there. Nothing was changed, and an operator may set it right while the service runs.
var errConnecting = errors.New("connecting to Postgres")

// Connect connects. Errors: errConnecting.
func (a attentive) Connect(ctx context.Context) (driver.Conn, error) {
	w := &wire{}
	defer w.watch(ctx)()
	c, err := a.Connector.Connect(context.WithValue(ctx, wireKey{}, w))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errConnecting, err)
	}
	whole, ok := c.(connection)
	if !ok {
		return nil, fmt.Errorf("the driver's connection is a %T", c)
	}
	return &attentiveConn{connection: whole, wire: w}, nil
}

// connection is what the driver's connection can do.
type connection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.NamedValueChecker
	driver.SessionResetter
	driver.Validator
}

// attentiveConn is used by one goroutine at a time, as the pool sees to it.
type attentiveConn struct {
	connection
	wire     *wire
	readOnly bool // whether the server turned out to be one that can't be written
}

// errReadOnly says that the server can't be written, as one that has become a standby. It refused, so that nothing was
// changed: the pool throws the connection away and tries by another one what was no part of a transaction.
var errReadOnly = fmt.Errorf("the server can only be read (%w)", driver.ErrBadConn)

// refused looks whether an error with one of the codes says that the server can't be written.
func (c *attentiveConn) refused(err error, codes ...pqerror.Code) error {
	var e *pq.Error
	if errors.As(err, &e) && slices.Contains(codes, e.Code) {
		c.readOnly = true
		return fmt.Errorf("%w: %w", errReadOnly, err)
	}
	return err
}

// QueryContext runs a query.
func (c *attentiveConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	defer c.wire.watch(ctx)()
	rows, err := c.connection.QueryContext(ctx, query, args)
	return rows, c.refused(err, readOnlyTransaction)
}

// ExecContext runs a statement.
func (c *attentiveConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	defer c.wire.watch(ctx)()
	result, err := c.connection.ExecContext(ctx, query, args)
	return result, c.refused(err, readOnlyTransaction)
}

// BeginTx begins a transaction, which is watched until it ends: COMMIT has no context of its own.
func (c *attentiveConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	stop := c.wire.watch(ctx)
	tx, err := c.connection.BeginTx(ctx, options)
	if err != nil {
		stop()
		// There is nothing else about a BEGIN that a server may not support: a standby begins no transaction that writes.
		return nil, c.refused(err, readOnlyTransaction, featureNotSupported)
	}
	return attentiveTx{Tx: tx, stop: stop}, nil
}

// ResetSession makes the connection fit for another user, whose context has not ended.
func (c *attentiveConn) ResetSession(ctx context.Context) error {
	if c.readOnly {
		return errReadOnly
	}
	if w := c.wire.Load(); w != nil {
		w.until.Store(0)
	}
	return c.connection.ResetSession(ctx)
}

// IsValid reports whether the connection may be used again.
func (c *attentiveConn) IsValid() bool { return !c.readOnly && c.connection.IsValid() }

type attentiveTx struct {
	driver.Tx
	stop func() bool
}

// Commit commits.
func (t attentiveTx) Commit() error {
	defer t.stop()
	return t.Tx.Commit()
}

// Rollback rolls back.
func (t attentiveTx) Rollback() error {
	defer t.stop()
	return t.Tx.Rollback()
}
