package send

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// Limits of what is read and sent at once. A request of a user is counted once against the user's rate, however many lines it has.
const (
	maxLines = 10_000
	maxPiece = 4 << 20 // bytes of events
	maxLine  = 1 << 20
)

// Format is the format of the input.
type Format string

// The formats.
const (
	NDJSON Format = "ndjson" // a JSON object a line
	CSV    Format = "csv"    // the names of the fields in the first line, an event in each of the others
)

// line is a line of the input.
type line struct {
	number int64  // from 1
	raw    []byte // as it was read, without its end
	event  []byte // as it is sent: JSON with a name
	timed  bool   // has a time
}

// refusal is a line that is not stored, and why.
type refusal struct {
	raw []byte
	Rejection
}

// Rejection says why a line was not stored.
type Rejection struct {
	Line    int64  `json:"line"` // from 1
	Code    string `json:"code"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// piece is a part of the input that is sent in one request.
type piece struct {
	lines   []line
	refused []refusal // lines that can't be sent
	header  []byte    // of a CSV file
	read    int64     // bytes of the input up to its end
	err     error     // why nothing can be read after it; nil at the end of the input
}

// source reads the input in pieces.
type source struct {
	in     *bufio.Reader
	format Format
	table  *table // of a CSV file, once its header was read
	header []byte
	keys   *keys
	number int64 // of the line read last
	read   int64
}

func newSource(in io.Reader, format Format) *source {
	return &source{in: bufio.NewReaderSize(in, 256<<10), format: format, keys: newKeys()}
}

// pieces reads the input into a channel, which it closes, until the input ends, can't be read, or the context ends.
func (s *source) pieces(ctx context.Context, out chan<- piece) {
	defer close(out)
	for ended := false; !ended; {
		p, err := s.piece()
		ended = err != nil
		if err != nil && !errors.Is(err, io.EOF) {
			p.err = err
		}
		p.header, p.read = s.header, s.read
		select {
		case out <- p:
		case <-ctx.Done():
			return
		}
	}
}

// piece reads the next piece. It may be empty. Errors: io.EOF at the end, with the last piece.
func (s *source) piece() (p piece, err error) {
	for size := 0; len(p.lines)+len(p.refused) < maxLines && size < maxPiece; {
		raw, err := s.line()
		if err != nil && len(raw) == 0 {
			return p, err
		}
		size += len(raw)
		switch l, wrong := s.convert(raw); {
		case wrong != nil && s.header == nil && s.format == CSV:
			return p, wrong
		case wrong != nil:
			p.refused = append(p.refused, refusal{raw, Rejection{Line: s.number, Code: "line_invalid", Message: wrong.Error()}})
		case l.event != nil:
			p.lines = append(p.lines, l)
		}
	}
	return p, nil
}

var errTooLong = fmt.Errorf("is longer than %d bytes; only its beginning is here", maxLine)

// line reads a line without its end. A line that is too long is cut to one byte more than is allowed.
// Errors: io.EOF after the last one, with the last one if it has no end.
func (s *source) line() ([]byte, error) {
	var text []byte
	for {
		part, err := s.in.ReadSlice('\n')
		s.read += int64(len(part))
		text = append(text, part[:min(len(part), maxLine+2-len(text))]...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("reading the input: %w", err)
		}
		if len(text) > 0 {
			s.number++
		}
		text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
		return text, err
	}
}

// convert makes an event of a line. The event is nil for a blank line and for the header.
func (s *source) convert(raw []byte) (line, error) {
	if s.number == 1 {
		raw = bytes.TrimPrefix(raw, []byte("\ufeff")) // the byte order mark that spreadsheets write
	}
	event := bytes.TrimSpace(raw)
	switch {
	case len(event) == 0:
		return line{}, nil
	case len(raw) > maxLine:
		return line{}, errTooLong
	case s.format == CSV && s.table == nil:
		table, err := newTable(raw)
		if err != nil {
			return line{}, err
		}
		s.table, s.header = table, raw
		return line{}, nil
	case s.format == CSV:
		converted, err := s.table.event(raw)
		if err != nil {
			return line{}, err
		}
		event = converted
	}
	m, valid := object(event)
	if valid && !m.named {
		event = withName(event, m, s.keys.next(event))
	}
	return line{number: s.number, raw: raw, event: event, timed: m.timed || !valid}, nil
}
