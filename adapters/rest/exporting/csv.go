package exporting

import (
	"bufio"
	"encoding/csv"
	"io"
	"strings"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
)

// table writes events as CSV (RFC 4180). An empty cell is a missing value, and a text that is empty is the mark.
type table struct {
	to    *csv.Writer
	cells [8]string
}

const (
	// mark precedes a text that a spreadsheet would take for a formula, one that begins with the mark itself, and one that is empty.
	mark = "'"
	// marked are the first characters of the texts that it precedes.
	marked = "=+-@\t\r'"
)

func newTable(w io.Writer) (Writer, error) {
	t := &table{to: csv.NewWriter(bufio.NewWriterSize(w, bufferSize))} // which takes the buffer for its own
	t.to.UseCRLF = true
	return t, t.to.Write([]string{"id", "event_type", "user_identifier", "session_id", "value", "source", "occurred_at", "properties"})
}

func (t *table) Write(e event.Event) error {
	t.cells = [8]string{
		string(e.ID), guarded(e.Type), guarded(e.UserIdentifier), optional(e.SessionID), "", optional(e.Source),
		e.OccurredAt.Format(time.RFC3339Nano), e.Properties,
	}
	if e.Value != nil {
		t.cells[4] = string(appendNumber(nil, *e.Value))
	}
	return t.to.Write(t.cells[:])
}

func (t *table) Close() error {
	t.to.Flush()
	return t.to.Error()
}

// optional returns the cell of a text, which is empty if there is none.
func optional(text *string) string {
	if text == nil {
		return ""
	}
	return guarded(*text)
}

// guarded returns the cell of a text that there is.
func guarded(text string) string {
	if text == "" || strings.IndexByte(marked, text[0]) >= 0 {
		return mark + text
	}
	return text
}
