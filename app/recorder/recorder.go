// Package recorder records sensitive acts: an audit entry is stored in the same transaction as the act, and written to the
// log after the commit.
package recorder

import (
	"context"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Recorder runs the transactions in which sensitive acts are recorded.
type Recorder struct {
	store ports.Store
	log   ports.AuditLog
	clock ports.Clock
	ids   ports.IDs
}

// New returns a recorder.
func New(store ports.Store, log ports.AuditLog, clock ports.Clock, ids ports.IDs) *Recorder {
	return &Recorder{store: store, log: log, clock: clock, ids: ids}
}

// Tx is a transaction that can record audit entries.
type Tx struct {
	ports.Repositories
	recorder *Recorder
	entries  []audit.Entry
}

// InTx runs fn in a transaction. Its audit entries commit with its changes, and are written to the log afterwards.
// Errors: those of fn and of ports.Store.InTx.
func (r *Recorder) InTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return r.run(ctx, r.store.InTx, fn)
}

// InTxAsSuperAdmin is InTx for a change that grants or revokes super_admin. Errors: those of fn and of
// ports.Store.InTxAsSuperAdmin.
func (r *Recorder) InTxAsSuperAdmin(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return r.run(ctx, r.store.InTxAsSuperAdmin, fn)
}

// unitOfWork is ports.Store.InTx or InTxAsSuperAdmin.
type unitOfWork func(ctx context.Context, fn func(ctx context.Context, tx ports.Repositories) error) error

func (r *Recorder) run(ctx context.Context, inTx unitOfWork, fn func(ctx context.Context, tx *Tx) error) error {
	var recorded []audit.Entry
	err := inTx(ctx, func(ctx context.Context, repositories ports.Repositories) error {
		tx := &Tx{Repositories: repositories, recorder: r}
		err := fn(ctx, tx)
		recorded = tx.entries
		return err
	})
	if err != nil {
		return err
	}
	for _, e := range recorded {
		r.log.Write(ctx, e)
	}
	return nil
}

// Record stores an audit entry for an act of the scope's principal. It fills in the id, time, actor and origin.
func (tx *Tx) Record(ctx context.Context, scope access.Scope, e audit.Entry) error {
	e = tx.recorder.fill(ctx, e)
	e.Actor = scope.Principal().User()
	if err := tx.Audit().Record(ctx, scope, e); err != nil {
		return err
	}
	tx.entries = append(tx.entries, e)
	return nil
}

// Note writes an entry to the log only: for an outcome that changes nothing in the database, or that has no tenant.
func (r *Recorder) Note(ctx context.Context, e audit.Entry) {
	r.log.Write(ctx, r.fill(ctx, e))
}

func (r *Recorder) fill(ctx context.Context, e audit.Entry) audit.Entry {
	e.ID = id.Entry(r.ids.New())
	e.At = r.clock.Now()
	e.Origin = audit.OriginFrom(ctx)
	return e
}
