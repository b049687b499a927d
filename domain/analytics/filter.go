package analytics

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// Limits of filters.
const (
	MaxFilters      = 20
	MaxFilterValues = 100  // of in and not_in
	MaxFilterText   = 1024 // characters
)

// Op is how a filter compares a field with its value.
type Op struct {
	name string
}

// The ops. Types must agree: the text "5" is not the number 5, and neither is greater than the other.
var (
	opEq         = Op{"eq"}
	opNeq        = Op{"neq"}
	opIn         = Op{"in"}
	opNotIn      = Op{"not_in"}
	opGt         = Op{"gt"} // of texts: by their bytes
	opGte        = Op{"gte"}
	opLt         = Op{"lt"}
	opLte        = Op{"lte"}
	opContains   = Op{"contains"}
	opStartsWith = Op{"starts_with"}
	opExists     = Op{"exists"}
)

// Ops returns all ops.
func Ops() []Op {
	return []Op{opEq, opNeq, opIn, opNotIn, opGt, opGte, opLt, opLte, opContains, opStartsWith, opExists}
}

// String returns the op's name.
func (o Op) String() string { return o.name }

// FilterRequest is a filter as a client sends it.
type FilterRequest struct {
	Field string
	Op    string
	Value []byte // JSON; nil: none
}

// Filter selects events by one field. An event without a value for it, or of which the property is null, is selected by exists false,
// neq and not_in alone.
type Filter struct {
	field  Field
	op     Op
	values []Scalar // one, but of in and not_in
}

// ofType returns the filter that selects the events of a type.
func ofType(eventType string) Filter { return Filter{eventTypeField, opEq, []Scalar{Text(eventType)}} }

// Filters select the events that all of them select.
type Filters []Filter

// ParseFilters validates filters. A fault names the parts that are wrong, as of a list with this name.
func ParseFilters(name string, requests []FilterRequest) (Filters, error) {
	var c fault.Check
	if len(requests) > MaxFilters {
		c.Add(name, fmt.Sprintf("must have at most %d filters", MaxFilters))
		return nil, c.Err()
	}
	var list Filters
	for i, r := range requests {
		list = append(list, r.filter(&c, fmt.Sprintf("%s[%d]", name, i)))
	}
	return list, c.Err()
}

func (r FilterRequest) filter(c *fault.Check, name string) Filter {
	f := Filter{}
	var ok bool
	if f.field, ok = parseField(r.Field, eventTypeField, sourceField, userField, sessionField, valueField); !ok {
		c.Add(name+".field", "must be event_type, source, user_identifier, session_id, value or properties.KEY")
	}
	i := slices.IndexFunc(Ops(), func(o Op) bool { return o.name == r.Op })
	if i < 0 {
		c.Add(name+".op", "must be one of "+joined(Ops()))
		return f
	}
	f.op = Ops()[i]
	if f.field == valueField && (f.op == opContains || f.op == opStartsWith) {
		c.Add(name+".op", "is for texts, and value is a number")
		return f
	}
	var why string
	if f.values, why = f.parse(r.Value); why != "" {
		c.Add(name+".value", why)
	}
	return f
}

func joined[T fmt.Stringer](list []T) string {
	names := make([]string, len(list))
	for i, one := range list {
		names[i] = one.String()
	}
	return strings.Join(names, ", ")
}

// parse returns the values that the field is compared with, or why the JSON is none.
func (f Filter) parse(value []byte) (values []Scalar, why string) {
	if f.op != opIn && f.op != opNotIn {
		s, why := f.parseOne(value)
		return []Scalar{s}, why
	}
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil || len(list) == 0 || len(list) > MaxFilterValues {
		return nil, fmt.Sprintf("must be a list of 1 to %d values", MaxFilterValues)
	}
	for _, one := range list {
		s, why := f.parseOne(one)
		if why != "" {
			return nil, "must have values each of which " + why
		}
		values = append(values, s)
	}
	return values, ""
}

func (f Filter) parseOne(value []byte) (Scalar, string) {
	s := parseScalar(string(bytes.TrimSpace(value)))
	if utf8.RuneCountInString(s.text) > MaxFilterText {
		return s, fmt.Sprintf("must have at most %d characters", MaxFilterText)
	}
	_, isProperty := f.field.key()
	switch kind := s.kind; {
	case f.op == opExists && kind != boolScalar:
		return s, "must be true or false"
	case f.op == opExists:
	case f.op == opContains || f.op == opStartsWith || f.field != valueField && !isProperty:
		if kind != textScalar {
			return s, "must be a text"
		}
	case f.field == valueField && kind != numberScalar:
		return s, "must be a number"
	case f.field == valueField:
		return ofValue(s.number), ""
	case f.isOrder() && kind != textScalar && kind != numberScalar:
		return s, "must be a text or a number"
	case kind == noScalar || kind == otherScalar:
		return s, "must be a text, a number, true or false; exists tells whether there is a value"
	}
	return s, ""
}

func (f Filter) isOrder() bool { return f.op == opGt || f.op == opGte || f.op == opLt || f.op == opLte }

// accepts reports whether an event with this value is selected.
func (f Filter) accepts(s Scalar) bool {
	v := f.values[0]
	switch f.op {
	case opEq, opIn:
		return slices.Contains(f.values, s)
	case opNeq, opNotIn:
		return !slices.Contains(f.values, s)
	case opExists:
		return s.IsNone() != (v.text == "true")
	}
	if s.kind != v.kind {
		return false
	}
	switch f.op {
	case opContains:
		return strings.Contains(s.text, v.text)
	case opStartsWith:
		return strings.HasPrefix(s.text, v.text)
	case opGt:
		return s.compare(v) > 0
	case opGte:
		return s.compare(v) >= 0
	case opLt:
		return s.compare(v) < 0
	default:
		return s.compare(v) <= 0
	}
}

// namesUsers reports whether the filter is answered by the numbers of the users that it names.
func (f Filter) namesUsers() bool {
	return f.field == userField && (f.op == opEq || f.op == opNeq || f.op == opIn || f.op == opNotIn)
}

// identifiers returns the users that the filters name.
func (fs Filters) identifiers() (list []string) {
	for _, f := range fs {
		if f.namesUsers() {
			for _, v := range f.values {
				list = append(list, v.text)
			}
		}
	}
	return list
}

// needs returns what the filters read.
func (fs Filters) needs() (n Needs) {
	for _, f := range fs {
		if f.namesUsers() {
			n.Columns |= UserColumn
		} else {
			n = n.And(f.field.needs())
		}
	}
	return n
}

// selectFrom returns the events of a batch that the filters select.
func (fs Filters) selectFrom(b *Batch) *Batch {
	if found := fs.find(b); len(found) < b.Len() {
		return b.At(found)
	}
	return b
}

// find returns where the events of a batch are that the filters select.
func (fs Filters) find(b *Batch) []int32 {
	found := make([]int32, b.Len())
	for i := range found {
		found[i] = int32(i)
	}
	for _, f := range fs {
		if len(found) == 0 {
			break
		}
		found = f.among(b, found)
	}
	return found
}

// among returns those of the positions in a batch where the filter selects the event.
func (f Filter) among(b *Batch, found []int32) []int32 {
	switch {
	case f.namesUsers():
		return f.amongUsers(b, found)
	case f.field == valueField:
		return among(found, b.Values, func(value float64) bool { return f.accepts(ofValue(value)) })
	}
	codes, scalar, size := f.field.column(b)
	accepted := make([]bool, size)
	for code := range accepted {
		accepted[code] = f.accepts(scalar(code))
	}
	return among(found, codes, func(code uint32) bool { return accepted[code] })
}

// amongUsers is among by the numbers of users.
func (f Filter) amongUsers(b *Batch, found []int32) []int32 {
	named := map[uint32]bool{}
	for _, v := range f.values {
		if number, known := b.Numbers[v.text]; known {
			named[number] = true
		}
	}
	want := f.op == opEq || f.op == opIn
	return among(found, b.Users, func(number uint32) bool { return named[number] == want })
}

// among returns those of the positions where a column has what is accepted, in the memory of the list.
func among[T any](found []int32, column []T, accepts func(T) bool) []int32 {
	n := 0
	for _, i := range found {
		found[n] = i
		if accepts(column[i]) {
			n++
		}
	}
	return found[:n]
}

// ofValue returns the scalar of a value, or of NaN.
func ofValue(value float64) Scalar {
	if value != value {
		return Scalar{}
	}
	return Scalar{kind: numberScalar, number: value}
}

// byHeader reports whether headers are enough for the filters.
func (fs Filters) byHeader() bool {
	return !slices.ContainsFunc(fs, func(f Filter) bool { return f.field != eventTypeField && f.field != sourceField })
}

// accepted returns which texts of a dictionary the filters on a field select, by code.
func (fs Filters) accepted(field Field, dictionary []string) []bool {
	list := make([]bool, max(1, len(dictionary)))
	for code := range list {
		var s Scalar
		if code > 0 {
			s = Text(dictionary[code])
		}
		list[code] = !slices.ContainsFunc(fs, func(f Filter) bool { return f.field == field && !f.accepts(s) })
	}
	return list
}

// cellFilter is filters by the codes of a header.
type cellFilter struct{ types, sources []bool }

// ofCells returns what the filters on types and sources select of the cells of a header, and whether that can be any.
func (fs Filters) ofCells(h *Header) (f cellFilter, any bool) {
	f = cellFilter{fs.accepted(eventTypeField, h.Types), fs.accepted(sourceField, h.Sources)}
	return f, slices.Contains(f.types, true) && slices.Contains(f.sources, true)
}

// cell reports whether a cell is selected.
func (f cellFilter) cell(c *Cell) bool { return f.types[c.Type] && f.sources[c.Source] }

// mayFind reports whether a header does not rule out that the filters select one of its events in a span.
func (fs Filters) mayFind(h *Header, s span) bool {
	_, any := fs.ofCells(h)
	return any && !s.misses(h)
}
