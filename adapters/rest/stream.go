package rest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// streamIdle is how long a stream may send nothing.
const streamIdle = 60 * time.Second

// Faults of streams.
var (
	errIdle     = statusError{http.StatusRequestTimeout, fault.New(fault.Malformed, "idle", fmt.Sprintf("Nothing arrived for %.0f s.", streamIdle.Seconds()))}
	errStopping = fault.New(fault.Unavailable, "stopping", "The service is shutting down.").After(time.Second)
)

// ingestStream ingests lines as they arrive. One goroutine reads and parses while another stores: what arrives meanwhile is stored
// together next, and while nothing is stored, nothing is read beyond a few chunks, so that the connection holds the client back.
func (s *Server) ingestStream(c echo.Context, b batch) error {
	ctx := c.Request().Context()
	leave, err := s.deps.Streams.Enter(ctx, callerFrom(ctx).User.TenantID)
	if err != nil {
		return err
	}
	defer leave()
	body := &streamBody{from: c.Request().Body, control: http.NewResponseController(c.Response()), writeTimeout: s.settings.WriteTimeout}
	chunks := make(chan chunk, chunksAhead)
	var reading sync.WaitGroup
	reading.Go(func() { readChunks(body, b.encoding, chunks) })
	defer reading.Wait()
	defer func() {
		body.stop()
		for range chunks { //nolint:revive // what was read is not stored
		}
	}()
	var all tally
	for next := 0; ; {
		got, err := s.nextChunk(ctx, chunks)
		if err == nil {
			err = s.ingestChunk(c, b, got.items, &all)
		}
		if err != nil {
			return stoppedBatch{tally: all, next: &next, cause: err}
		}
		next = got.next
		if errors.Is(got.end, io.EOF) {
			return c.JSON(http.StatusOK, all.result())
		}
		if got.end != nil {
			return stoppedBatch{tally: all, next: &next, cause: streamError(got.end)}
		}
	}
}

// streamError returns why a stream could not be read to its end.
func streamError(err error) error {
	var (
		f      *fault.Error
		status statusError
		bug    *panicError
	)
	switch {
	case errors.As(err, &status), errors.As(err, &f), errors.As(err, &bug):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errIdle
	default:
		return errUnreadable.Because(err)
	}
}

// nextChunk waits for what was read, and returns it all together. Errors: errStopping, and the context's.
func (s *Server) nextChunk(ctx context.Context, chunks <-chan chunk) (chunk, error) {
	var all chunk
	select {
	case all = <-chunks:
	case <-s.deps.Stopping:
		return chunk{}, errStopping
	case <-ctx.Done():
		return chunk{}, ctx.Err()
	}
	for all.end == nil && len(all.items) < event.MaxBatch {
		select {
		case more := <-chunks:
			all.items, all.next, all.end = append(all.items, more.items...), more.next, more.end
		default:
			return all, nil
		}
	}
	return all, nil
}

// ingestChunk stores lines. It authenticates the caller anew, since a stream can last longer than a token, a session or a role.
func (s *Server) ingestChunk(c echo.Context, b batch, items []event.Item, all *tally) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.settings.RequestTimeout)
	defer cancel()
	caller, err := s.deps.Auth.Authenticate(ctx, bearer(c.Request()))
	if err != nil || len(items) == 0 {
		return err
	}
	counts, err := s.deps.Analytics.IngestBatch(ctx, caller.Principal(), b.tenant, b.key, items, false)
	if err == nil {
		all.add(counts)
	}
	return err
}

// streamBody is the body of a stream. Each read may take streamIdle, and stop ends the current one.
type streamBody struct {
	from         io.Reader
	control      *http.ResponseController
	writeTimeout time.Duration

	mu      sync.Mutex
	stopped bool
}

func (b *streamBody) Read(p []byte) (int, error) {
	if err := b.allow(); err != nil {
		return 0, err
	}
	return b.from.Read(p)
}

// allow sets the deadlines of the next read, and of a response after it.
func (b *streamBody) allow() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return os.ErrDeadlineExceeded
	}
	now := time.Now()
	return errors.Join(b.control.SetReadDeadline(now.Add(streamIdle)), b.control.SetWriteDeadline(now.Add(streamIdle+b.writeTimeout)))
}

// stop ends the current read, and makes all further ones fail.
func (b *streamBody) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	_ = b.control.SetReadDeadline(time.Unix(1, 0)) // it could be set before, or there was no read
}

// chunksAhead is how many chunks, of at most maxEvent bytes each, are read while others are stored.
const chunksAhead = 4

// chunk is what was read of a stream at once.
type chunk struct {
	items []event.Item
	next  int   // the index of the line after it
	end   error // why it is the last one: io.EOF, or what failed; nil if it is not
}

// readChunks reads a stream to its end, or until it can't be read.
func readChunks(body io.Reader, encoding string, chunks chan<- chunk) {
	defer close(chunks)
	defer func() { // the middleware that recovers panics does not see this goroutine
		if p := recover(); p != nil {
			chunks <- chunk{end: &panicError{cause: fmt.Errorf("%v", p), stack: string(debug.Stack())}}
		}
	}()
	lines := &lineReader{events: newEventReader()}
	err := decompress(encoding, body, func(plain io.Reader) error {
		lines.from = bufio.NewReaderSize(plain, maxEvent)
		for {
			items, err := lines.read()
			if err != nil {
				chunks <- chunk{items, lines.next, err}
				return nil
			}
			chunks <- chunk{items, lines.next, nil}
		}
	})
	if err != nil { // not even the header of the encoding could be read
		chunks <- chunk{end: err}
	}
}

// lineReader reads the lines of a stream.
type lineReader struct {
	from   *bufio.Reader // of maxEvent bytes
	events *eventReader
	next   int // the index of the next line
}

// read waits for a line, and returns it with those that have arrived with it. With an error, the items before it are returned.
func (r *lineReader) read() (items []event.Item, err error) {
	for first := true; first || r.hasLine() && len(items) < event.MaxBatch; first = false {
		line, err := r.from.ReadSlice('\n')
		tooLong := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.from.ReadSlice('\n')
		}
		if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
			return items, err
		}
		switch line = bytes.TrimSpace(line); {
		case tooLong:
			items = append(items, event.Item{Index: r.next, Fault: errEventTooLarge})
		case len(line) > 0:
			items = append(items, r.events.read(r.next, line))
		}
		r.next++
		if err != nil {
			return items, err
		}
	}
	return items, nil
}

// hasLine reports whether a whole line has arrived.
func (r *lineReader) hasLine() bool {
	arrived, _ := r.from.Peek(r.from.Buffered())
	return bytes.IndexByte(arrived, '\n') >= 0
}
