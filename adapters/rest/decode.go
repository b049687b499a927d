package rest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/instant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
)

var errMalformedJSON = fault.New(fault.Malformed, "malformed_json", "The body is not well-formed JSON.")

// ruled is a body that has rules beyond the types of its fields.
type ruled interface {
	// check tells which fields break a rule. It decides nothing: the use case applies the same rules.
	check(ctx context.Context, s *Server) error
}

// binder reads JSON bodies strictly: UTF-8, exact names, none unknown (ASVS 15.3.3), none twice (RFC 8259 4), nothing
// after the value.
type binder struct{ server *Server }

// Bind reads the body into v. Where anything is wrong with it, or with a parameter beside it, the error names all of it,
// with what the rules say of the other fields.
func (b binder) Bind(v any, c echo.Context) error {
	r := c.Request()
	if !isJSON(r.Header.Get(echo.HeaderContentType)) {
		return echo.NewHTTPError(http.StatusUnsupportedMediaType)
	}
	var faults fault.Check
	faults.Take(decode(r.Body, v))
	checkParameters(&faults, c)
	err := faults.Err()
	if body, ok := v.(ruled); ok && fault.KindOf(err) == fault.Invalid {
		faults.TakeOthers(body.check(r.Context(), b.server))
		return faults.Err()
	}
	return err
}

// checkParameters notes what is wrong with the parameters of routes that have a body. The key is the one of the response:
// it is there on routes that take one, and is the request's own where that has one.
func checkParameters(faults *fault.Check, c echo.Context) {
	if slices.Contains(c.ParamNames(), "id") {
		_, err := id.Parse[id.User]("id", c.Param("id"))
		faults.Take(err)
	}
	if c.QueryParams().Has("tenant_id") {
		tenantOf(faults, new(c.QueryParam("tenant_id")))
	}
	if key, given := c.Response().Header()[headerIdempotencyKey]; given {
		event.CheckKey(faults, key[0])
	}
}

// isJSON reports whether a body of the content type is read. That of a form is what curl -d sends unless told
// otherwise, and the walkthrough does not tell it.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	return media == echo.MIMEApplicationJSON || media == echo.MIMEApplicationForm
}

// readAs is how fields are read: as the contract has them, which is not always as Go has them.
var readAs = json.WithUnmarshalers(json.JoinUnmarshalers(json.UnmarshalFromFunc(wholeNumber), json.UnmarshalFromFunc(moment)))

// moment reads a time of RFC 3339.
func moment(d *jsontext.Decoder, at *time.Time) error {
	if d.PeekKind() != '"' {
		return errors.ErrUnsupported
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	*at, err = instant.Parse(token.String())
	return err
}

// wholeNumber reads any number without a fraction, however it is written: JSON has one type of number (RFC 8259 6),
// of which a sender may expect what a double holds (RFC 7493 2.2).
func wholeNumber(d *jsontext.Decoder, n *int) error {
	const largest = 1 << 53
	if d.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > largest {
		return errors.New("no whole number that a double holds")
	}
	*n = int(f)
	return nil
}

const (
	maxUnknown   = 100 // of the unknown fields, how many are named
	maxNameShown = 100 // bytes of a name that the sender chose
)

// decode reads a JSON object into v, a pointer to the type of a body, and names every field that is unknown, has the wrong
// type, or is required and not there or empty.
func decode(body io.Reader, v any) error {
	object, err := readObject(body)
	if err != nil {
		return err
	}
	var faults fault.Check
	fields := fieldsOf(v)
	unknown := 0
	err = members(object, func(name string, value jsontext.Value) {
		f := fields.named(name)
		switch {
		case f == nil:
			if unknown++; unknown <= maxUnknown {
				faults.Add(shown(name), "is not a field of this request")
			}
		case f.required && value.Kind() == 'n': // null is nothing
		default:
			f.given = true
			if err := json.Unmarshal(value, f.value.Addr().Interface(), readAs); err != nil {
				faults.Take(wrongType(name, err))
				f.required = false // what is wrong with it has been told
			}
		}
	})
	if err != nil {
		return errUnreadable.Because(err)
	}
	for _, f := range fields {
		empty := f.value.Kind() == reflect.String && f.value.Len() == 0
		if f.required && (empty || !f.given) {
			faults.Add(f.name, "is required")
		}
	}
	return faults.Err()
}

// readObject reads one JSON object and nothing after it.
func readObject(body io.Reader) (jsontext.Value, error) {
	var object jsontext.Value
	if err := json.UnmarshalRead(body, &object); err != nil {
		return nil, unreadable(err)
	}
	if object.Kind() != '{' {
		return nil, fault.ErrInvalid.OnField("body", "must be an object")
	}
	return object, nil
}

// members calls do with each member of an object, in their order. The value is valid until do returns.
func members(object jsontext.Value, do func(name string, value jsontext.Value)) error {
	d := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := d.ReadToken(); err != nil { // the brace
		return err
	}
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		do(name, value)
	}
	return nil
}

// unreadable tells why a body is no JSON, or why it could not be read at all.
func unreadable(err error) error {
	var (
		tooLarge  *echo.HTTPError
		syntactic *jsontext.SyntacticError
	)
	switch {
	case errors.As(err, &tooLarge):
		return tooLarge
	case errors.As(err, &syntactic) && errors.Is(err, jsontext.ErrDuplicateName):
		return errMalformedJSON.OnField(shown(path(syntactic.JSONPointer)), "is given twice")
	case errors.Is(err, io.EOF), errors.As(err, &syntactic) && syntactic.ByteOffset == 0 && errors.Is(err, io.ErrUnexpectedEOF):
		return errMalformedJSON.OnField("body", "is empty")
	case errors.As(err, &syntactic):
		return errMalformedJSON.OnField("body", "can't be read at byte "+strconv.FormatInt(syntactic.ByteOffset, 10)).Because(err)
	default:
		return errUnreadable.Because(err)
	}
}

// field is a field of a body.
type field struct {
	name     string
	value    reflect.Value
	required bool
	given    bool
}

type fields []*field

// fieldsOf returns the fields of the body that v points at. As its type is generated, a field is required unless it says
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

// named returns the field with a name, or nil.
func (all fields) named(name string) *field {
	for _, f := range all {
		if f.name == name {
			return f
		}
	}
	return nil
}

// path returns a JSON pointer as the names on its way.
func path(p jsontext.Pointer) string { return strings.Join(slices.Collect(p.Tokens()), ".") }

// shown returns a name that the sender chose, cut to what an answer has room for.
func shown(name string) string {
	if len(name) > maxNameShown {
		name = name[:maxNameShown] + "..."
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}

// wrongType says what a field, or what is within it, must be, from the error of reading it.
func wrongType(name string, err error) error {
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return errUnreadable.Because(err)
	}
	if within := path(semantic.JSONPointer); within != "" {
		name += "." + within
	}
	return fault.ErrInvalid.OnField(shown(name), wanted(semantic))
}

// wanted says what a value must be, from the type that it could not be read into.
func wanted(e *json.SemanticError) string {
	kind := ""
	if e.GoType != nil {
		kind = e.GoType.String()
	}
	switch {
	case errors.Is(e, instant.ErrLeapSecond):
		return instant.ErrLeapSecond.Error()
	case strings.HasSuffix(kind, "time.Time"):
		return instant.ErrNoTime.Error()
	case strings.HasSuffix(kind, "string"):
		return "must be a string"
	case strings.HasSuffix(kind, "float64"):
		return "must be a number between -1e15 and 1e15"
	case strings.HasSuffix(kind, "int"):
		return "must be a whole number"
	default:
		return "has the wrong type"
	}
}

// tenantOf reads the parameter tenant_id; empty where it is not given.
func tenantOf(c *fault.Check, text *string) id.Tenant {
	if text == nil {
		return ""
	}
	t, err := id.Parse[id.Tenant]("tenant_id", *text)
	c.Take(err)
	return t
}

// pageOf reads skip and limit.
func pageOf(c *fault.Check, sizes page.Sizes, skip, limit *string) page.Page {
	part, err := sizes.Page(integer(c, "skip", skip), integer(c, "limit", limit))
	c.Take(err)
	return part
}

func integer(c *fault.Check, field string, text *string) *int {
	if text == nil {
		return nil
	}
	n, err := strconv.Atoi(*text)
	if err != nil {
		c.Add(field, "must be a whole number")
		return nil
	}
	return &n
}

// given returns an optional text. Where it is given it must say something: an empty one would be lost in silence.
func given(c *fault.Check, field string, text *string) string {
	if text != nil && *text == "" {
		c.Add(field, "must not be empty")
	}
	return value(text)
}

// value returns what p points at, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
