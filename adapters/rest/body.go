package rest

import (
	"context"
	"errors"
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
	err := decode(r.Body, v)
	if err == errNoObject { // there are no fields to check
		return err
	}
	var faults fault.Check
	faults.Take(err)
	checkParameters(&faults, c)
	err = faults.Err()
	if body, ok := v.(checker); ok && fault.KindOf(err) == fault.Invalid {
		faults.TakeOthers(body.check(r.Context(), b.server))
		return faults.Err()
	}
	return err
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
