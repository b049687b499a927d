package send

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// fields are the columns that a CSV file may have, besides those of properties.
var fields = []string{"event_type", "user_identifier", "session_id", "value", "source", "occurred_at", "event_id"}

// properties begins the names of columns that become members of the event's properties.
const properties = "properties."

// table converts the lines of a CSV file (RFC 4180) to events. A record is one line: a line break within quotes is an error of
// that line, so that a quote that is never closed costs one line and not all that follow.
type table struct {
	parser  *csv.Reader
	next    []byte // what the parser is still to read
	columns []string
}

// newTable reads the header. Columns may come in any order.
func newTable(header []byte) (*table, error) {
	t := &table{}
	t.parser = csv.NewReader(t)
	t.parser.FieldsPerRecord, t.parser.ReuseRecord = -1, true
	names, err := t.record(header)
	if err != nil {
		return nil, fmt.Errorf("the header %w", err)
	}
	for _, name := range names {
		property, isProperty := strings.CutPrefix(name, properties)
		switch {
		case slices.Contains(t.columns, name):
			return nil, fmt.Errorf("the header has the column %q twice", name)
		case isProperty && property != "" || slices.Contains(fields, name):
			t.columns = append(t.columns, name)
		default:
			return nil, fmt.Errorf("the header has the column %q, which must be one of %s or %sNAME, separated by commas",
				name, strings.Join(fields, ", "), properties)
		}
	}
	return t, nil
}

// Read gives the parser the line that is its next record, and after it the end.
func (t *table) Read(p []byte) (int, error) {
	if len(t.next) == 0 {
		return 0, io.EOF
	}
	n := copy(p, t.next)
	t.next = t.next[n:]
	return n, nil
}

// record parses a line. The cells are valid until the next call.
func (t *table) record(line []byte) ([]string, error) {
	t.next = append(bytes.Clone(line), '\n')
	cells, err := t.parser.Read()
	var wrong *csv.ParseError
	switch {
	case errors.As(err, &wrong):
		return nil, fmt.Errorf("is no CSV: %w in column %d; quotes must be doubled, and closed on their line", wrong.Err, wrong.Column)
	case err != nil:
		return nil, fmt.Errorf("is no CSV: %w", err)
	}
	return cells, nil
}

// event returns a line as JSON. An empty cell is a field that is not given. A value that is no number is passed on as text, for
// the service to refuse.
func (t *table) event(line []byte) ([]byte, error) {
	cells, err := t.record(line)
	if err != nil {
		return nil, err
	}
	if len(cells) != len(t.columns) {
		return nil, fmt.Errorf("has %d cells, and the header has %d columns", len(cells), len(t.columns))
	}
	var own, property memberList
	for i, cell := range cells {
		if cell == "" {
			continue
		}
		name, isProperty := strings.CutPrefix(t.columns[i], properties)
		into := &own
		if isProperty {
			into = &property
		}
		if !isProperty && name == "value" && isNumber(cell) {
			err = into.add(name, []byte(cell))
		} else {
			err = into.addText(name, cell)
		}
		if err != nil {
			return nil, fmt.Errorf("is not UTF-8 in the column %s", t.columns[i])
		}
	}
	if len(property) > 0 {
		if err := own.add("properties", property.object()); err != nil {
			return nil, err
		}
	}
	return own.object(), nil
}

// memberList is the inside of a JSON object.
type memberList []byte

func (l *memberList) add(name string, value []byte) error {
	if len(*l) > 0 {
		*l = append(*l, ',')
	}
	named, err := jsontext.AppendQuote(*l, name)
	if err != nil {
		return err
	}
	*l = append(append(named, ':'), value...)
	return nil
}

func (l *memberList) addText(name, text string) error {
	value, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		return err
	}
	return l.add(name, value)
}

func (l memberList) object() []byte { return append(append([]byte{'{'}, l...), '}') }

// isNumber reports whether a cell is a number as JSON writes it.
func isNumber(cell string) bool {
	number := jsontext.Value(cell)
	return number.Kind() == '0' && number.IsValid() && strings.TrimSpace(cell) == cell
}
