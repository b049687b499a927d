package rest

import (
	"errors"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
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
	if kind := o.decoder.PeekKind(); kind != '{' {
		if err := o.decoder.SkipValue(); err != nil {
			return readError(err)
		}
		return errNoObject
	}
	if err := o.read(); err != nil {
		return err
	}
	return o.faults.Err()
}

// objectReader reads one object into fields.
type objectReader struct {
	decoder *jsontext.Decoder
	fields  fields
	unknown []string
	faults  fault.Check
}

// read reads the object to its end, or to the last unknown field that is named. It returns the error of a malformed body.
func (o *objectReader) read() error {
	if _, err := o.decoder.ReadToken(); err != nil { // the opening brace
		return readError(err)
	}
	for o.decoder.PeekKind() != '}' {
		if err := o.readMember(); err != nil {
			return err
		}
		if len(o.unknown) == maxUnknown {
			return nil
		}
	}
	if _, err := o.decoder.ReadToken(); err != nil { // the closing brace
		return readError(err)
	}
	if _, err := o.decoder.ReadToken(); err == nil {
		return errMalformedJSON.OnField("body", "must end after the object")
	} else if !errors.Is(err, io.EOF) {
		return readError(err)
	}
	for _, f := range o.fields {
		switch empty := f.value.Kind() == reflect.String && f.value.Len() == 0; {
		case !f.required || f.invalid:
		case !f.given:
			o.faults.Add(f.name, "is required")
		case empty:
			o.faults.Add(f.name, "must not be empty")
		}
	}
	return nil
}

// readMember reads a name and its value. It returns the error of a malformed body.
func (o *objectReader) readMember() error {
	token, err := o.decoder.ReadToken()
	if err != nil {
		return readError(err)
	}
	name := token.String()
	f := o.fields.find(name)
	if f == nil {
		return o.skipUnknown(truncate(name))
	}
	if f.seen {
		return errMalformedJSON.OnField(name, "is given twice")
	}
	f.seen = true
	switch kind := o.decoder.PeekKind(); {
	case kind == 'n' && f.required: // null counts as missing
		err = o.decoder.SkipValue()
	case kind == '{' || kind == '[': // no field is either
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
	if err := json.Unmarshal(value, f.value.Addr().Interface(), unmarshalers); err != nil {
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
		syntactic *jsontext.SyntacticError
	)
	switch {
	case errors.As(err, &tooLarge):
		return tooLarge
	case errors.Is(err, io.EOF), errors.As(err, &syntactic) && syntactic.ByteOffset == 0 && errors.Is(err, io.ErrUnexpectedEOF):
		return errMalformedJSON.OnField("body", "is empty")
	case errors.As(err, &syntactic):
		return errMalformedJSON.OnField("body", "must be JSON, and can't be read at byte "+strconv.FormatInt(syntactic.ByteOffset, 10)).Because(err)
	default:
		return errUnreadable.Because(err)
	}
}

// field is a field of a body.
type field struct {
	name     string
	value    reflect.Value
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
		all[i] = &field{name: name, value: body.Field(i), required: options != "omitempty"}
	}
	return all
}

// find returns the field with a name, or nil.
func (all fields) find(name string) *field {
	for _, f := range all {
		if f.name == name {
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
	case t.Kind() == reflect.String:
		return "must be a string"
	case t.Kind() == reflect.Float64:
		return "must be a number"
	case t.Kind() == reflect.Int:
		return "must be a whole number"
	default:
		return "has the wrong type"
	}
}
