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

// fields are the columns that a CSV file may have, besides those of single properties.
var fields = []string{"event_type", "user_identifier", "session_id", "value", "source", "occurred_at", "event_id", "properties"}

const (
	// properties begins the names of columns that become members of the event's properties.
	properties = "properties."
	// exportedID is the name that the column of event_id has in an export.
	exportedID = "id"
)

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
		if name == exportedID {
			name = "event_id"
		}
		property, isProperty := strings.CutPrefix(name, properties)
		switch {
		case slices.Contains(t.columns, name):
			return nil, fmt.Errorf("the header has the column %q twice", name)
		case isProperty && property != "" || slices.Contains(fields, name):
			t.columns = append(t.columns, name)
		default:
			return nil, fmt.Errorf("the header has the column %q, which must be one of %s, %s or %sNAME, separated by commas",
				name, strings.Join(fields, ", "), exportedID, properties)
		}
	}
	isSingle := func(name string) bool { return strings.HasPrefix(name, properties) }
	if slices.Contains(t.columns, "properties") && slices.ContainsFunc(t.columns, isSingle) {
		return nil, fmt.Errorf("the header has the column properties and also columns %sNAME", properties)
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

// event returns a line as JSON. An empty cell is a field that is not given. A value that is no number, and properties that are no
// object, are passed on as text, for the service to refuse.
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
		if name, isSingle := strings.CutPrefix(t.columns[i], properties); isSingle {
			err = property.addText(name, unguarded(cell))
		} else {
			err = own.addCell(name, cell)
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

// addCell adds a field of an event.
func (l *memberList) addCell(name, cell string) error {
	isPlain := name == "value" && isNumber(cell) || name == "properties" && isObject(cell)
	if isPlain {
		return l.add(name, []byte(cell))
	}
	return l.addText(name, unguarded(cell))
}

// unguarded returns the text of a cell without the apostrophe with which an export keeps a spreadsheet from taking it for a formula.
// Alone, the apostrophe is a text that is empty.
func unguarded(cell string) string {
	if text, marked := strings.CutPrefix(cell, "'"); marked && (text == "" || strings.IndexByte("=+-@\t\r'", text[0]) >= 0) {
		return text
	}
	return cell
}

// isObject reports whether a cell is a JSON object.
func isObject(cell string) bool {
	object := jsontext.Value(cell)
	return object.Kind() == '{' && object.IsValid()
}

func (l memberList) object() []byte { return append(append([]byte{'{'}, l...), '}') }

// isNumber reports whether a cell is a number as JSON writes it.
func isNumber(cell string) bool {
	number := jsontext.Value(cell)
	return number.Kind() == '0' && number.IsValid() && strings.TrimSpace(cell) == cell
}
