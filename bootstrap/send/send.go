// Package send sends files of events to a running service, over its API: in pieces, with retries, and so that sending a file again
// stores no event twice.
package send

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Options say what is sent where. All but the credentials are required.
type Options struct {
	URL    string // of the service; see CheckURL
	Agent  string // the User-Agent
	Format Format
	// Email and Password sign in; the session is renewed as needed, and ended at the end. Without them Token is used.
	Email, Password, Token string
	// Rejected is the file for the lines that the service rejects; it must not exist.
	Rejected string
	// Progress is told the total after each request, Notice why something takes longer. They run between requests.
	Progress func(Total)
	Notice   func(string)
	// Wait waits, or returns the error of a context that ended.
	Wait func(context.Context, time.Duration) error
}

// Total counts lines. Blank ones are not counted.
type Total struct {
	Stored     int64
	Duplicates int64 // that were stored before
	Rejected   int64
	Undated    int64 // stored or duplicates without a time, which the service recognizes for 24 hours only
	Read       int64 // bytes of the input
}

// ErrRejected: some lines were rejected, and all others are stored.
var ErrRejected = errors.New("lines were rejected")

// sender sends one input.
type sender struct {
	client  *client
	session *session
	rejects *rejects
	zip     *gzip.Writer // reused
	total   Total
}

// Send sends all events of the input, and writes the lines that are rejected to a file. The total is that of what was done, also
// with an error. A read of the input that blocks goes on after the context has ended.
// Errors: ErrRejected; any other means that not all lines were sent, and that the input should be sent again.
func Send(ctx context.Context, in io.Reader, o Options) (_ Total, err error) {
	c := newClient(o)
	zip, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		return Total{}, fmt.Errorf("compressing events: %w", err)
	}
	s := &sender{
		client:  c,
		session: &session{client: c, email: o.Email, password: o.Password, access: o.Token},
		rejects: &rejects{path: o.Rejected},
		zip:     zip,
	}
	if err := s.rejects.check(); err != nil {
		return s.total, err
	}
	defer func() { err = errors.Join(err, s.rejects.close()) }()
	defer s.session.close(ctx)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	pieces := make(chan piece, 1) // the next one is read while one is sent
	go newSource(in, o.Format).pieces(ctx, pieces)
	for {
		select {
		case <-ctx.Done():
			return s.total, ctx.Err()
		case p, more := <-pieces:
			switch {
			case !more && ctx.Err() != nil:
				return s.total, ctx.Err()
			case !more && s.rejects.count > 0:
				return s.total, ErrRejected
			case !more:
				return s.total, nil
			}
			if err := s.send(ctx, p); err != nil {
				return s.total, err
			}
			o.Progress(s.total)
		}
	}
}

// send sends a piece, and writes the rejected lines in the order of the input.
func (s *sender) send(ctx context.Context, p piece) error {
	rejected, err := s.deliver(ctx, p.lines)
	rejected = append(rejected, p.refused...)
	slices.SortFunc(rejected, func(a, b refusal) int { return cmp.Compare(a.Line, b.Line) })
	for _, r := range rejected {
		if err := s.rejects.add(p.header, r); err != nil {
			return err
		}
	}
	s.total.Rejected = s.rejects.count
	if err != nil {
		return fmt.Errorf("sending from line %d on: %w", p.lines[0].number, err)
	}
	s.total.Read = p.read
	s.countUndated(p.lines, rejected)
	return p.err
}

// countUndated counts lines without a time, which were not rejected.
func (s *sender) countUndated(lines []line, rejected []refusal) {
	bad := make(map[int64]bool, len(rejected))
	for _, r := range rejected {
		bad[r.Line] = true
	}
	for _, l := range lines {
		if !l.timed && !bad[l.number] {
			s.total.Undated++
		}
	}
}
