package rest

import (
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/instant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
)

var errMalformedJSON = fault.New(fault.Malformed, "malformed_json", "The body is not well-formed JSON.")

// binder reads JSON bodies strictly: UTF-8, exact names, none unknown (ASVS 15.3.3), none twice (RFC 8259 4), nothing
// after the value.
type binder struct{}

// Bind reads the body into v.
func (binder) Bind(v any, c echo.Context) error {
	r := c.Request()
	if !isJSON(r.Header.Get(echo.HeaderContentType)) {
		return echo.NewHTTPError(http.StatusUnsupportedMediaType)
	}
	return decode(r.Body, v)
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

// readAs is how bodies are read: as the contract has them, which is not always as Go has them.
var readAs = json.JoinOptions(
	json.RejectUnknownMembers(true),
	json.WithUnmarshalers(json.UnmarshalFromFunc(wholeNumber)),
)

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

func decode(body io.Reader, v any) error {
	object := v
	err := json.UnmarshalRead(body, &object, readAs)
	var (
		tooLarge  *echo.HTTPError
		syntactic *jsontext.SyntacticError
		semantic  *json.SemanticError
	)
	switch {
	case err == nil && object == nil: // null took the place of the pointer
		return fault.ErrInvalid.OnField("body", "must be an object")
	case err == nil:
		return nil
	case errors.As(err, &tooLarge):
		return tooLarge
	case errors.As(err, &syntactic):
		switch field := fieldName(syntactic.JSONPointer); {
		case errors.Is(err, jsontext.ErrDuplicateName):
			return errMalformedJSON.OnField(field, "is given twice")
		case syntactic.ByteOffset == 0 && errors.Is(err, io.ErrUnexpectedEOF):
			return errMalformedJSON.OnField("body", "is empty")
		default:
			return errMalformedJSON.OnField("body", "can't be read at byte "+strconv.FormatInt(syntactic.ByteOffset, 10)).Because(err)
		}
	case errors.As(err, &semantic):
		field := fieldName(semantic.JSONPointer)
		if errors.Is(err, json.ErrUnknownName) {
			return fault.ErrInvalid.OnField(field, "is not a field of this request")
		}
		return fault.ErrInvalid.OnField(field, wanted(semantic))
	case errors.Is(err, io.EOF):
		return errMalformedJSON.OnField("body", "is empty")
	default:
		return errUnreadable.Because(err)
	}
}

// fieldName returns the name of what a JSON pointer points at.
func fieldName(p jsontext.Pointer) string {
	if p == "" {
		return "body"
	}
	return strings.ReplaceAll(strings.TrimPrefix(string(p), "/"), "/", ".")
}

// wanted says what a field must be, from the type that it could not be read into.
func wanted(e *json.SemanticError) string {
	kind := ""
	if e.GoType != nil {
		kind = e.GoType.String()
	}
	switch {
	case strings.HasSuffix(kind, "string"):
		return "must be a string"
	case strings.HasSuffix(kind, "float64"):
		return "must be a number between -1e15 and 1e15"
	case strings.HasSuffix(kind, "int"):
		return "must be a whole number"
	case strings.HasPrefix(kind, "rest."):
		return "must be an object"
	default:
		return "has the wrong type"
	}
}

// pageOf reads skip and limit.
func pageOf(sizes page.Sizes, skip, limit *string) (page.Page, error) {
	var c fault.Check
	s, l := integer(&c, "skip", skip), integer(&c, "limit", limit)
	if err := c.Err(); err != nil {
		return page.Page{}, err
	}
	return sizes.Page(s, l)
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

// timeOf reads a time that a field holds.
func timeOf(field string, text *string) (*time.Time, error) {
	if text == nil {
		return nil, nil
	}
	at, err := instant.Parse(*text)
	if err != nil {
		return nil, fault.ErrInvalid.OnField(field, err.Error())
	}
	return &at, nil
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
