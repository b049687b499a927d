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

const (
	// streamIdle is how long a stream may send no whole line.
	streamIdle = 60 * time.Second
	// streamLinger is how long a stream that was refused is read on, at most.
	streamLinger = time.Second
)

// Faults of streams.
var (
	errIdle     = statusError{http.StatusRequestTimeout, fault.New(fault.Malformed, "idle", fmt.Sprintf("No line arrived for %.0f s.", streamIdle.Seconds()))}
	errStopping = fault.New(fault.Unavailable, "stopping", "The service is shutting down.").After(time.Second)
)

// ingestStream ingests lines as they arrive. One goroutine reads and parses while another stores: what arrives meanwhile is stored
// together next, and while nothing is stored, nothing is read beyond a few chunks, so that the connection holds the client back.
func (s *Server) ingestStream(c echo.Context, b batch) error {
	body := &streamBody{from: c.Request().Body, control: http.NewResponseController(c.Response()), writeTimeout: s.settings.WriteTimeout}
	if err := body.control.EnableFullDuplex(); err != nil { // or the server would wait for more of the body before it answers
		return fmt.Errorf("answering a stream before its end: %w", err)
	}
	c.Response().Header().Set(echo.HeaderConnection, "close") // unless it is read to its end
	// net/http cancels the context when the body can't be read in time: what arrived before is stored all the same, and answered.
	c.SetRequest(c.Request().WithContext(context.WithoutCancel(c.Request().Context())))
	leave, err := s.deps.Streams.Enter(c.Request().Context(), callerFrom(c.Request().Context()).User.TenantID)
	if err != nil {
		return err
	}
	defer leave()
	var all tally
	if err := s.ingestChunk(c, b, nil, &all); err != nil { // who may not ingest is told so at once
		return stoppedBatch{tally: all, next: new(int), cause: err}
	}
	chunks := make(chan chunk, chunksAhead)
	var reading sync.WaitGroup
	reading.Go(func() { readChunks(body, b.encoding, chunks) })
	defer reading.Wait()
	defer func() {
		body.stop()
		for range chunks { // what was read is not stored
		}
	}()
	if next, err := s.ingestChunks(c, b, chunks, &all); err != nil {
		// It is answered before the reading stops: if the connection were closed while the client sends, the answer would be lost.
		c.Error(stoppedBatch{tally: all, next: &next, cause: err})
		return body.control.Flush()
	}
	if !s.deps.Condition().Draining {
		c.Response().Header().Del(echo.HeaderConnection)
	}
	return c.JSON(http.StatusOK, all.result())
}

// ingestChunks stores what is read, to its end. With an error, next is the first line that was not processed.
func (s *Server) ingestChunks(c echo.Context, b batch, chunks <-chan chunk, all *tally) (next int, err error) {
	for {
		got, err := s.nextChunk(chunks)
		if err == nil {
			err = s.ingestChunk(c, b, got.items, all)
		}
		if err != nil {
			return next, err
		}
		next = got.next
		if errors.Is(got.end, io.EOF) {
			return next, nil
		}
		if got.end != nil {
			return next, streamError(got.end)
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
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errIdle
	case errors.As(err, &status), errors.As(err, &f), errors.As(err, &bug):
		return err
	default:
		return errUnreadable.Because(err)
	}
}

// nextChunk waits for what was read, and returns it all together. Errors: errStopping.
func (s *Server) nextChunk(chunks <-chan chunk) (chunk, error) {
	var all chunk
	select {
	case all = <-chunks:
	case <-s.deps.Stopping:
		return chunk{}, errStopping
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
	if err != nil {
		return err
	}
	counts, err := s.deps.Analytics.IngestBatch(ctx, caller.Principal(), b.tenant, b.key, items, false)
	if err == nil {
		all.add(counts)
	}
	return err
}

// streamBody is the body of a stream. What is read after await must arrive within streamIdle.
type streamBody struct {
	from         io.Reader
	control      *http.ResponseController
	writeTimeout time.Duration

	mu      sync.Mutex
	stopped bool
	ended   bool // whether there is nothing more to read
}

// Read reads the body. After stop it discards the rest of it.
func (b *streamBody) Read(p []byte) (n int, err error) {
	if b.isStopped() {
		_, _ = io.Copy(io.Discard, b.from)
		return 0, os.ErrDeadlineExceeded
	}
	if n, err = b.from.Read(p); err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ended = true
	}
	return n, err
}

func (b *streamBody) isStopped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stopped
}

// await sets the deadlines of what is read next, and of a response after it.
func (b *streamBody) await() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped || b.ended {
		return nil
	}
	now := time.Now()
	return errors.Join(b.control.SetReadDeadline(now.Add(streamIdle)), b.control.SetWriteDeadline(now.Add(streamIdle+b.writeTimeout)))
}

// stop makes the reading end within streamLinger. At the end of the body it does nothing: by then the server waits for the
// next request, and would take a deadline for the end of the connection.
func (b *streamBody) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped = true; !b.ended {
		_ = b.control.SetReadDeadline(time.Now().Add(streamLinger)) // it could be set before
	}
}

// maxLine is the longest line of a stream: an event, and the end of the line.
const maxLine = maxEvent + len("\r\n")

// chunksAhead is how many chunks, each of what maxLine bytes hold, are read while others are stored.
const chunksAhead = 4

// chunk is what was read of a stream at once.
type chunk struct {
	items []event.Item
	next  int   // the index of the line after it
	end   error // why it is the last one: io.EOF, or what failed; nil if it is not
}

// readChunks reads a stream to its end, or until it can't be read.
func readChunks(body *streamBody, encoding string, chunks chan<- chunk) {
	defer close(chunks)
	defer func() { // the middleware that recovers panics does not see this goroutine
		if p := recover(); p != nil {
			chunks <- chunk{end: &panicError{cause: fmt.Errorf("%v", p), stack: string(debug.Stack())}}
		}
	}()
	lines := &lineReader{events: newEventReader()}
	err := body.await()
	if err == nil {
		err = decompress(encoding, body, func(plain io.Reader) error {
			lines.from = bufio.NewReaderSize(plain, maxLine)
			for {
				items, err := lines.read()
				chunks <- chunk{items, lines.next, err}
				if err != nil {
					return nil
				}
				if err := body.await(); err != nil {
					return err
				}
			}
		})
	}
	if err != nil {
		chunks <- chunk{next: lines.next, end: err}
	}
}

// lineReader reads the lines of a stream.
type lineReader struct {
	from   *bufio.Reader // of maxLine bytes
	events *eventReader
	next   int  // the index of the next line
	within bool // whether the next bytes belong to a line that was too long
}

// read waits for a line, and returns it with those that have arrived with it. With an error, the items before it are returned. Of a
// line that is longer than maxLine it waits for no more than that, so that a line without end does not escape what is done
// after each read.
func (r *lineReader) read() (items []event.Item, err error) {
	for first := true; first || r.hasLine() && len(items) < event.MaxBatch; first = false {
		line, err := r.from.ReadSlice('\n')
		tooLong := errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !tooLong && (!errors.Is(err, io.EOF) || len(line) == 0) {
			return items, err
		}
		if !r.within {
			if item, found := r.item(line, tooLong); found {
				items = append(items, item)
			}
			r.next++
		}
		r.within = tooLong
		if tooLong {
			return items, nil
		}
		if err != nil {
			return items, err
		}
	}
	return items, nil
}

// item returns the event of a line, or of its beginning if it is too long. A blank line has none.
func (r *lineReader) item(line []byte, tooLong bool) (event.Item, bool) {
	if tooLong {
		return event.Item{Index: r.next, Fault: errEventTooLarge}, true
	}
	line = bytes.Trim(line, " \t\r\n")
	if len(line) == 0 {
		return event.Item{}, false
	}
	return r.events.read(r.next, line), true
}

// hasLine reports whether a whole line has arrived.
func (r *lineReader) hasLine() bool {
	arrived, _ := r.from.Peek(r.from.Buffered())
	return bytes.IndexByte(arrived, '\n') >= 0
}
