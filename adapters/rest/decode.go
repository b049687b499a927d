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

// checker is a body that has rules beyond the types of its fields.
type checker interface {
	// check reports the fields that break a rule. The use case applies the same rules.
	check(ctx context.Context, s *Server) error
}

// binder reads JSON bodies strictly: UTF-8, exact names, none unknown (ASVS 15.3.3), none twice (RFC 8259 4), nothing
// after the value.
type binder struct{ server *Server }

// Bind reads the body into v. If the body or a parameter is invalid, the error names every invalid field, including those that
// only break a rule.
func (b binder) Bind(v any, c echo.Context) error {
	r := c.Request()
	if !isJSON(r.Header.Get(echo.HeaderContentType)) {
		return echo.NewHTTPError(http.StatusUnsupportedMediaType)
	}
	var faults fault.Check
	faults.Take(decode(r.Body, v))
	checkParameters(&faults, c)
	err := faults.Err()
	if body, ok := v.(checker); ok && fault.KindOf(err) == fault.Invalid {
		faults.TakeOthers(body.check(r.Context(), b.server))
		return faults.Err()
	}
	return err
}

// checkParameters adds the invalid parameters of a route that has a body. It reads the idempotency key from the response, which
// has one only on routes that take one; it is the request's, if the request has one.
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

// isJSON reports whether a body of the content type is read as JSON. So is that of a form, which curl -d sends by default,
// as in the walkthrough.
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

// unmarshalers read numbers and times as the contract defines them, where Go's JSON differs.
var unmarshalers = json.WithUnmarshalers(json.JoinUnmarshalers(json.UnmarshalFromFunc(unmarshalInt), json.UnmarshalFromFunc(unmarshalTime)))

// unmarshalTime reads an RFC 3339 time.
func unmarshalTime(d *jsontext.Decoder, at *time.Time) error {
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

// unmarshalInt reads any number without a fraction, however it is written: JSON has one type of number (RFC 8259 6), and a
// client may rely on the range of integers that a double holds exactly (RFC 7493 2.2).
func unmarshalInt(d *jsontext.Decoder, n *int) error {
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
		return errors.New("not an integer that a double holds exactly")
	}
	*n = int(f)
	return nil
}

const (
	maxUnknown   = 100 // unknown fields that are named
	maxNameShown = 100 // bytes of a name that the client chose
)

// decode reads a JSON object into v, a pointer to a body. The error names every field that is unknown, has the wrong type, or is
// required and missing or empty.
func decode(body io.Reader, v any) error {
	object, err := readObject(body)
	if err != nil {
		return err
	}
	var faults fault.Check
	fields := fieldsOf(v)
	unknown := 0
	err = members(object, func(name string, value jsontext.Value) {
		f := fields.find(name)
		switch {
		case f == nil:
			if unknown++; unknown <= maxUnknown {
				faults.Add(truncate(name), "is not a field of this request")
			}
		case f.required && value.Kind() == 'n': // null counts as missing
		default:
			f.given = true
			if err := json.Unmarshal(value, f.value.Addr().Interface(), unmarshalers); err != nil {
				faults.Take(wrongType(name, err))
				f.required = false // one error is enough
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
		return nil, readError(err)
	}
	if object.Kind() != '{' {
		return nil, fault.ErrInvalid.OnField("body", "must be an object")
	}
	return object, nil
}

// members calls do with each member of an object, in order. The value is valid until do returns.
func members(object jsontext.Value, do func(name string, value jsontext.Value)) error {
	d := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := d.ReadToken(); err != nil { // the opening brace
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

// readError returns why a body is not JSON, or why it could not be read.
func readError(err error) error {
	var (
		tooLarge  *echo.HTTPError
		syntactic *jsontext.SyntacticError
	)
	switch {
	case errors.As(err, &tooLarge):
		return tooLarge
	case errors.As(err, &syntactic) && errors.Is(err, jsontext.ErrDuplicateName):
		return errMalformedJSON.OnField(truncate(path(syntactic.JSONPointer)), "is given twice")
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

// path returns the names in a JSON pointer, separated by dots.
func path(p jsontext.Pointer) string { return strings.Join(slices.Collect(p.Tokens()), ".") }

// truncate cuts a name that the client chose to at most maxNameShown bytes, and makes it valid UTF-8.
func truncate(name string) string {
	if len(name) > maxNameShown {
		name = name[:maxNameShown] + "..."
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}

// wrongType returns what a field, or a value within it, must be, from the error of decoding it.
func wrongType(name string, err error) error {
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return errUnreadable.Because(err)
	}
	if within := path(semantic.JSONPointer); within != "" {
		name += "." + within
	}
	return fault.ErrInvalid.OnField(truncate(name), expected(semantic))
}

// expected returns what a value must be, from the type that it could not be decoded into.
func expected(e *json.SemanticError) string {
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

// tenantOf parses the parameter tenant_id; it is empty if it is not given.
func tenantOf(c *fault.Check, text *string) id.Tenant {
	if text == nil {
		return ""
	}
	t, err := id.Parse[id.Tenant]("tenant_id", *text)
	c.Take(err)
	return t
}

// pageOf parses skip and limit.
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

// optional returns an optional text, which must not be empty: an empty one would be silently ignored.
func optional(c *fault.Check, field string, text *string) string {
	if text != nil && *text == "" {
		c.Add(field, "must not be empty")
	}
	return value(text)
}

// value returns what p points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
