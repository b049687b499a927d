package events

import (
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// evaluation gives a question pieces of events, several at once if there are processors that no other question uses.
type evaluation struct {
	question analytics.Question
	helpers  chan struct{} // one for each that may help, of all questions of this process
	running  sync.WaitGroup

	mu   sync.Mutex // of the question and of what follows
	err  error      // the first
	read int64      // how many events were evaluated
}

func newEvaluation(s *Store, q analytics.Question) *evaluation {
	return &evaluation{question: q, helpers: s.helpers}
}

func (e *evaluation) addHeader(h *analytics.Header) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.question.AddHeader(h)
}

// run gives the question the events that load returns, in another goroutine if one is free. It returns the first error so far.
func (e *evaluation) run(load func() (*analytics.Batch, error)) error {
	select {
	case e.helpers <- struct{}{}:
		e.running.Go(func() {
			defer func() { <-e.helpers }()
			defer e.recover()
			e.fail(e.evaluate(load))
		})
	default:
		e.fail(e.evaluate(load))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

func (e *evaluation) evaluate(load func() (*analytics.Batch, error)) error {
	batch, err := load()
	if err != nil {
		return err
	}
	batch = batch.Between(e.question.Window().Micros())
	add := e.question.Evaluate(batch)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.read += int64(batch.Len())
	return add()
}

// recover turns a panic, which would end the process, into an error.
func (e *evaluation) recover() {
	if p := recover(); p != nil {
		e.fail(fmt.Errorf("panic in a question: %v\n%s", p, debug.Stack()))
	}
}

func (e *evaluation) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
	}
}

// wait waits for all that run, and returns the first error.
func (e *evaluation) wait() error {
	e.running.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}
