package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/instant"
)

const (
	maxUnknown   = 100 // unknown fields, or parameters, that are named; nothing is read after them
	maxNameShown = 100 // bytes of a name that the client chose
)

// errNoObject: the body is JSON, and not an object.
var errNoObject = fault.ErrInvalid.OnField("body", "must be an object")

// decode reads a JSON object and nothing after it into v, a pointer to a body. The error names every field that is unknown, has
// the wrong type, or is required and missing or empty. It reads in one pass and stores of what the client chose no more than the
// values of fields and maxUnknown names: a small body must not cost much more than a good one.
func decode(body io.Reader, v any) error {
	// The decoder would store all names to find those given twice, also within values that are skipped.
	o := objectReader{decoder: jsontext.NewDecoder(body, jsontext.AllowDuplicateNames(true)), fields: fieldsOf(v)}
	return o.readOnly()
}

// objectReader reads one object into fields.
type objectReader struct {
	decoder *jsontext.Decoder
	buffer  bytes.Buffer // that it reads, after reset
	fields  fields
	unknown []string
	faults  fault.Check
	text    []byte // of the name or value that is being read
}

// reset makes ready for another object. The fields must have been set to their zero values.
func (o *objectReader) reset(raw []byte) {
	o.buffer = *bytes.NewBuffer(raw)
	o.decoder.Reset(&o.buffer, jsontext.AllowDuplicateNames(true))
	o.unknown, o.faults = o.unknown[:0], fault.Check{}
	for _, f := range o.fields {
		f.seen, f.given, f.invalid = false, false, false
	}
}

// readOnly reads an object and nothing after it.
func (o *objectReader) readOnly() error {
	if err := enter(o.decoder, '{', errNoObject); err != nil {
		return err
	}
	if err := o.read(); err != nil {
		return err
	}
	return o.faults.Err()
}

// enter reads the brace or bracket that a value begins with. It skips a value that begins otherwise, and returns other.
func enter(d *jsontext.Decoder, begin jsontext.Kind, other error) error {
	if d.PeekKind() == begin {
		return take(d)
	}
	if err := d.SkipValue(); err != nil {
		return readError(err)
	}
	return other
}

// take reads a token that is known.
func take(d *jsontext.Decoder) error {
	if _, err := d.ReadToken(); err != nil {
		return readError(err)
	}
	return nil
}

// read reads the object, after its opening brace, to its end, or to the last unknown field that is named. It returns the error of a malformed body.
func (o *objectReader) read() error {
	for o.decoder.PeekKind() != '}' {
		if err := o.readMember(); err != nil {
			return err
		}
		if len(o.unknown) == maxUnknown {
			return nil
		}
	}
	if err := take(o.decoder); err != nil { // the closing brace
		return err
	}
	if err := readEnd(o.decoder); err != nil {
		return err
	}
	for _, f := range o.fields {
		if !f.required || f.invalid {
			continue
		}
		switch empty := f.value.Kind() == reflect.String && f.value.Len() == 0; {
		case !f.given:
			o.faults.Add(f.name, "is required")
		case empty:
			o.faults.Add(f.name, "must not be empty")
		}
	}
	return nil
}

// readEnd checks that nothing follows an object.
func readEnd(d *jsontext.Decoder) error {
	if _, err := d.ReadToken(); err == nil {
		return errMalformedJSON.OnField("body", "must end after the object")
	} else if !errors.Is(err, io.EOF) {
		return readError(err)
	}
	return nil
}

// readMember reads a name and its value. It returns the error of a malformed body.
func (o *objectReader) readMember() error {
	quoted, err := o.decoder.ReadValue()
	if err != nil {
		return readError(err)
	}
	if o.text, err = jsontext.AppendUnquote(o.text[:0], quoted); err != nil {
		return readError(err)
	}
	f := o.fields.find(o.text)
	if f == nil {
		return o.skipUnknown(truncate(string(o.text)))
	}
	name := f.name
	if f.seen {
		return errMalformedJSON.OnField(name, "is given twice")
	}
	f.seen = true
	switch kind := o.decoder.PeekKind(); {
	case kind == 'n' && f.required: // null counts as missing
		err = o.decoder.SkipValue()
	case kind == '[' && !f.isAny() || kind == '{' && !f.isAny() && !f.isObject():
		f.invalid = true
		o.faults.Add(name, expected(f.value.Type()))
		err = o.decoder.SkipValue()
	default:
		return o.readValue(f)
	}
	if err != nil {
		return readError(err)
	}
	return nil
}

// readValue reads the value of a field.
func (o *objectReader) readValue(f *field) error {
	value, err := o.decoder.ReadValue()
	if err != nil {
		return readError(err)
	}
	f.given = true
	if err := o.set(f.target, value); err != nil {
		f.invalid = true
		message := expected(f.value.Type())
		if errors.Is(err, instant.ErrLeapSecond) {
			message = instant.ErrLeapSecond.Error()
		}
		o.faults.Add(f.name, message)
	}
	return nil
}

func (o *objectReader) skipUnknown(name string) error {
	if slices.Contains(o.unknown, name) {
		return errMalformedJSON.OnField(name, "is given twice")
	}
	o.unknown = append(o.unknown, name)
	o.faults.Add(name, "is not a field of this request")
	if err := o.decoder.SkipValue(); err != nil {
		return readError(err)
	}
	return nil
}

// readError returns why a body is not JSON, or why it could not be read.
func readError(err error) error {
	var (
		tooLarge  *echo.HTTPError
		status    statusError
		known     *fault.Error
		syntactic *jsontext.SyntacticError
	)
	switch {
	case errors.As(err, &tooLarge):
		return tooLarge
	case errors.As(err, &status):
		return status
	case errors.As(err, &known):
		return known
	case errors.Is(err, io.EOF), errors.As(err, &syntactic) && syntactic.ByteOffset == 0 && errors.Is(err, io.ErrUnexpectedEOF):
		return errMalformedJSON.OnField("body", "is empty")
	case errors.As(err, &syntactic):
		return errMalformedJSON.OnField("body", "must be JSON, and can't be read at byte "+strconv.FormatInt(syntactic.ByteOffset, 10)).Because(err)
	default:
		return errUnreadable.Because(err)
	}
}

// errType: a value does not have the type of its field.
var errType = errors.New("another type is expected")

// set sets a field of a body, which target points to, to a value: null for a field that may be left out, or one of its type.
func (o *objectReader) set(target any, value jsontext.Value) (err error) {
	switch field := target.(type) {
	case *string:
		*field, err = o.textOf(value)
	case *int:
		*field, err = integerOf(value)
	case **string:
		err = setOptional(field, value, o.textOf)
	case **float64:
		err = setOptional(field, value, numberOf)
	case **int:
		err = setOptional(field, value, integerOf)
	case **time.Time:
		err = setOptional(field, value, o.timeOf)
	case **bool:
		err = setOptional(field, value, boolOf)
	case *json.RawMessage:
		*field = json.RawMessage(value.Clone())
	case **json.RawMessage:
		err = setOptional(field, value, func(v jsontext.Value) (json.RawMessage, error) { return json.RawMessage(v.Clone()), nil })
	case **jsontext.Value:
		err = setOptional(field, value, objectOf)
	default:
		err = fmt.Errorf("a body can't have a field of type %T", target)
	}
	return err
}

func setOptional[T any](field **T, value jsontext.Value, parse func(jsontext.Value) (T, error)) error {
	if value.Kind() == 'n' {
		return nil
	}
	parsed, err := parse(value)
	if err == nil {
		*field = &parsed
	}
	return err
}

func (o *objectReader) textOf(value jsontext.Value) (text string, err error) {
	if value.Kind() != '"' {
		return "", errType
	}
	o.text, err = jsontext.AppendUnquote(o.text[:0], value)
	return string(o.text), err
}

func numberOf(value jsontext.Value) (float64, error) {
	if value.Kind() != '0' {
		return 0, errType
	}
	return strconv.ParseFloat(string(value), 64)
}

// integerOf accepts any number without a fraction, however it is written: JSON has one type of number (RFC 8259 6), and a client
// may rely on the range of integers that a double holds exactly (RFC 7493 2.2).
func integerOf(value jsontext.Value) (int, error) {
	const largest = 1 << 53
	n, err := numberOf(value)
	if err != nil || n != math.Trunc(n) || math.Abs(n) > largest {
		return 0, errType
	}
	return int(n), nil
}

func (o *objectReader) timeOf(value jsontext.Value) (time.Time, error) {
	text, err := o.textOf(value)
	if err != nil {
		return time.Time{}, err
	}
	return instant.Parse(text)
}

func boolOf(value jsontext.Value) (bool, error) {
	if value.Kind() != 't' && value.Kind() != 'f' {
		return false, errType
	}
	return value.Kind() == 't', nil
}

func objectOf(value jsontext.Value) (jsontext.Value, error) {
	if value.Kind() != '{' {
		return nil, errType
	}
	return value.Clone(), nil
}

// field is a field of a body.
type field struct {
	name     string
	value    reflect.Value
	target   any // points to value
	required bool
	seen     bool // whether the name was read
	given    bool // whether it has a value
	invalid  bool // whether an error names it already
}

type fields []*field

// fieldsOf returns the fields of the body that v points to. The generated types mark each field that is not required with
// omitempty.
func fieldsOf(v any) fields {
	body := reflect.ValueOf(v).Elem()
	all := make(fields, body.NumField())
	for i := range all {
		name, options, _ := strings.Cut(body.Type().Field(i).Tag.Get("json"), ",")
		all[i] = &field{name: name, value: body.Field(i), target: body.Field(i).Addr().Interface(), required: options != "omitempty"}
	}
	return all
}

// isObject reports whether the value of the field is an object.
func (f *field) isObject() bool { return f.value.Type() == reflect.TypeFor[*jsontext.Value]() }

// isAny reports whether the value of the field may be of any type: it is parsed later.
func (f *field) isAny() bool {
	return f.value.Type() == reflect.TypeFor[*json.RawMessage]() || f.value.Type() == reflect.TypeFor[json.RawMessage]()
}

// find returns the field with a name, or nil.
func (all fields) find(name []byte) *field {
	for _, f := range all {
		if f.name == string(name) {
			return f
		}
	}
	return nil
}

// truncate cuts a name that the client chose to at most maxNameShown bytes, and makes it valid UTF-8.
func truncate(name string) string {
	if len(name) > maxNameShown {
		name = name[:maxNameShown] + "..."
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}

// expected returns what a value of a type must be.
func expected(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return instant.ErrNoTime.Error()
	case t == reflect.TypeFor[jsontext.Value]():
		return "must be an object"
	case t.Kind() == reflect.String:
		return "must be a string"
	case t.Kind() == reflect.Bool:
		return "must be true or false"
	case t.Kind() == reflect.Float64:
		return "must be a number"
	case t.Kind() == reflect.Int:
		return "must be a whole number"
	default:
		return "has the wrong type"
	}
}
