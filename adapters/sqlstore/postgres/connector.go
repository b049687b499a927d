package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// pgConnector makes connections on which no wait for the server outlasts its context by much. The driver asks the server
// to cancel and then waits for its word, which a server that has fallen silent does not give.
type pgConnector struct {
	hosts []host
	// writable is whether the server must be one that can be written.
	writable bool
}

// host is where a server may be.
type host struct {
	*pq.Connector
	address string
}

// newConnector returns what connects as it is configured. Whether a server can be written the driver takes from what it is
// told in the beginning, and a PgBouncer tells that of the server that it saw first, also after its promotion. So each
// host is asked here.
func newConnector(config pq.Config, d dialer) (pgConnector, error) {
	a := pgConnector{writable: config.TargetSessionAttrs == pq.TargetSessionAttrsReadWrite}
	each := []pq.Config{config}
	if a.writable {
		each[0].Multi, each[0].TargetSessionAttrs = nil, pq.TargetSessionAttrsAny
		for _, other := range config.Multi {
			one := each[0].Clone()
			one.Host, one.Hostaddr, one.Port = other.Host, other.Hostaddr, other.Port
			each = append(each, one)
		}
	}
	for _, one := range each {
		connector, err := pq.NewConnectorConfig(one)
		if err != nil {
			return pgConnector{}, errOptions
		}
		connector.Dialer(d)
		a.hosts = append(a.hosts, host{Connector: connector, address: net.JoinHostPort(one.Host, strconv.Itoa(int(one.Port)))})
	}
	return a, nil
}

// Driver returns the driver.
func (a pgConnector) Driver() driver.Driver { return a.hosts[0].Driver() }

// socket is the connection to the server, once there is one.
type socket struct {
	atomic.Pointer[deadlineConn]
}

// socketKey is under which a dialer finds the wire that it is to set.
type socketKey struct{}

// watch ends a wait for the server once the context has ended and the server has had its time to say so.
func (w *socket) watch(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		if c := w.Load(); c != nil {
			c.endBy(time.Now().Add(grace))
		}
	})
}

// errConnecting says that no connection came to stand, whatever stands against it: a network, a certificate, a password, a
// database or a host that is not there. Nothing was changed, and an operator may set it right while the service runs.
var errConnecting = errors.New("connecting to Postgres")

// Connect connects to the first host that will do. Errors: errConnecting.
func (a pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	failed := errConnecting
	for _, h := range a.hosts {
		c, err := a.connect(ctx, h)
		if err == nil {
			return c, nil
		}
		if len(a.hosts) > 1 {
			err = fmt.Errorf("%s: %w", h.address, err)
		}
		failed = fmt.Errorf("%w: %w", failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

func (a pgConnector) connect(ctx context.Context, to host) (driver.Conn, error) {
	w := &socket{}
	defer w.watch(ctx)()
	c, err := to.Connect(context.WithValue(ctx, socketKey{}, w))
	if err != nil {
		return nil, err
	}
	whole, ok := c.(driverConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver's connection is a %T", c), c.Close())
	}
	if a.writable {
		if err := checkWritable(ctx, whole); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return &watchedConn{driverConn: whole, socket: w}, nil
}

// checkWritable makes sure that the server can be written: it is no standby, and was not set to be read only.
func checkWritable(ctx context.Context, c driverConn) error {
	rows, err := c.QueryContext(ctx, "SHOW transaction_read_only", nil)
	if err != nil {
		return err
	}
	setting := make([]driver.Value, 1)
	if err := errors.Join(rows.Next(setting), rows.Close()); err != nil {
		return err
	}
	if setting[0] != "off" {
		return errors.New("the server can only be read")
	}
	return nil
}

// driverConn is what the driver's connection can do.
type driverConn interface {
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

// watchedConn is used by one goroutine at a time, as the pool sees to it.
type watchedConn struct {
	driverConn
	socket     *socket
	readOnlyTx bool // whether it is in a transaction that was begun to read alone
	readOnly   bool // whether the server turned out to be one that can't be written
}

// errReadOnly says that the server can't be written, as one that has become a standby. It refused, so that nothing was
// changed: the pool throws the connection away and tries by another one what was no part of a transaction.
var errReadOnly = fmt.Errorf("the server can only be read (%w)", driver.ErrBadConn)

// checkReadOnly looks whether an error with one of the codes says that the server can't be written. Where a transaction was begun
// to read alone, that it can't write says nothing about the server.
func (c *watchedConn) checkReadOnly(err error, codes ...pqerror.Code) error {
	var e *pq.Error
	if !c.readOnlyTx && errors.As(err, &e) && slices.Contains(codes, e.Code) {
		c.readOnly = true
		return fmt.Errorf("%w: %w", errReadOnly, err)
	}
	return err
}

// QueryContext runs a query.
func (c *watchedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	defer c.socket.watch(ctx)()
	rows, err := c.driverConn.QueryContext(ctx, query, args)
	return rows, c.checkReadOnly(err, readOnlyTransaction)
}

// ExecContext runs a statement.
func (c *watchedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	defer c.socket.watch(ctx)()
	result, err := c.driverConn.ExecContext(ctx, query, args)
	return result, c.checkReadOnly(err, readOnlyTransaction)
}

// BeginTx begins a transaction, which is watched until it ends: COMMIT has no context of its own.
func (c *watchedConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	stop := c.socket.watch(ctx)
	tx, err := c.driverConn.BeginTx(ctx, options)
	if err != nil {
		stop()
		// There is nothing else about a BEGIN that a server may not support: a standby begins no transaction that writes.
		return nil, c.checkReadOnly(err, readOnlyTransaction, featureNotSupported)
	}
	c.readOnlyTx = options.ReadOnly
	return watchedTx{Tx: tx, end: func() { c.readOnlyTx = false; stop() }}, nil
}

// ResetSession makes the connection fit for another user, whose context has not ended.
func (c *watchedConn) ResetSession(ctx context.Context) error {
	if c.readOnly {
		return errReadOnly
	}
	if w := c.socket.Load(); w != nil {
		w.until.Store(0)
	}
	return c.driverConn.ResetSession(ctx)
}

// IsValid reports whether the connection may be used again.
func (c *watchedConn) IsValid() bool { return !c.readOnly && c.driverConn.IsValid() }

type watchedTx struct {
	driver.Tx
	end func()
}

// Commit commits.
func (t watchedTx) Commit() error {
	defer t.end()
	return t.Tx.Commit()
}

// Rollback rolls back.
func (t watchedTx) Rollback() error {
	defer t.end()
	return t.Tx.Rollback()
}
