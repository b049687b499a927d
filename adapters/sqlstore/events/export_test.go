package events

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
)

// Paused is work on a store that has stopped before its last step.
type Paused struct {
	goOn  chan bool
	ended chan error
}

// errAbandoned ends work before its last step, as a crash does.
var errAbandoned = errors.New("abandoned")

// pause runs work until it calls stop, or ends without.
func pause(work func(stop func() error) error) *Paused {
	p := &Paused{make(chan bool), make(chan error, 1)}
	stopped := make(chan struct{})
	wait := sync.OnceValue(func() error {
		close(stopped)
		if <-p.goOn {
			return nil
		}
		return errAbandoned
	})
	ended := make(chan struct{})
	go func() {
		p.ended <- work(wait)
		close(ended)
	}()
	select {
	case <-stopped:
	case <-ended:
	}
	return p
}

// End lets the work do its last step, or abandons it.
func (p *Paused) End(commit bool) (err error) {
	select {
	case p.goOn <- commit:
		err = <-p.ended
	case err = <-p.ended:
	}
	if !commit && errors.Is(err, errAbandoned) {
		return nil
	}
	return err
}

// PauseSeal does a step of Seal up to the change that it makes.
func (s *Store) PauseSeal(ctx context.Context, scope access.Scope, now time.Time) (*Paused, error) {
	tenantID, err := scope.MaySeal()
	if err != nil {
		return nil, err
	}
	tenant, err := s.dialect.ID(string(tenantID))
	if err != nil {
		return nil, err
	}
	w := sealing{Store: s, tenantID: tenantID, tenant: tenant, now: now}
	return pause(func(stop func() error) error {
		err := w.step(ctx, func(ctx context.Context) error {
			if err := w.prepare(ctx); err != nil || w.change == nil {
				return err
			}
			return stop()
		})
		if errors.Is(err, errOutdated) || errors.Is(err, errTaken) {
			return nil
		}
		if err == nil && w.change != nil {
			w.remember()
		}
		return err
	}), nil
}

// PauseIngest does all of Ingest but the commit.
func (s *Store) PauseIngest(ctx context.Context, scope access.Scope, b event.Batch) (*Paused, error) {
	tenant, err := scope.Tenant()
	if err != nil {
		return nil, err
	}
	r := &submission{tenant: tenant, events: len(b.Entries), in: preparedBatch{Batch: b}}
	for i := range b.Entries {
		values, err := valuesOf(s.dialect, &b.Entries[i].Event)
		if err != nil {
			return nil, err
		}
		r.in.entries = append(r.in.entries, entry{&b.Entries[i], b.At, values})
	}
	return pause(func(stop func() error) error {
		return s.db.Transact(ctx, func(ctx context.Context, tx sqlstore.Transaction) error {
			if _, err := s.ingest(ctx, tx.In(tenant), []*submission{r}); err != nil {
				return err
			}
			return stop()
		})
	}), nil
}
