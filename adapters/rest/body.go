package rest

import (
	"context"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

var errMalformedJSON = fault.New(fault.Malformed, "malformed_json", "The body is not well-formed JSON.")

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
	err := b.read(c, v)
	if err == errNoObject { // there are no fields to check
		return err
	}
	var faults fault.Check
	faults.Take(err)
	checkParameters(&faults, c)
	err = faults.Err()
	if fault.KindOf(err) == fault.Invalid {
		faults.TakeOthers(b.server.checkRules(r.Context(), v))
		return faults.Err()
	}
	return err
}

// read reads the body into v. A compressed one, which only an event may be, takes the place of a batch meanwhile, since it needs as
// much memory.
func (b binder) read(c echo.Context, v any) error {
	var accepted []string
	if c.Path() == Prefix+eventsPath {
		accepted = compressions
	}
	encoding, err := encodingOf(c, accepted...)
	if err != nil {
		return err
	}
	if encoding == "" {
		return decode(c.Request().Body, v)
	}
	leave, err := b.server.enterBatches(c)
	if err != nil {
		return err
	}
	defer leave()
	return decompress(encoding, c.Request().Body, func(plain io.Reader) error {
		return decode(&limitedReader{from: plain, left: MaxBody, tooLarge: echo.ErrStatusRequestEntityTooLarge}, v)
	})
}

// checkRules reports the fields of a body that break a rule beyond their types. The use case applies the same rules.
func (s *Server) checkRules(ctx context.Context, body any) error {
	var err error
	switch b := body.(type) {
	case *contract.Registration:
		err = s.deps.Auth.CheckAccount(account(b))
	case *contract.Credentials:
		_, err = user.ParseEmail(b.Email)
	case *contract.PasswordChange:
		err = s.deps.Auth.CheckPasswordChange(ctx, callerFrom(ctx).User, b.CurrentPassword, b.NewPassword)
	case *contract.RoleChange:
		_, err = access.ParseRole(b.Role)
	case *contract.EventDraft:
		err = draft(b).Check(s.deps.Clock.Now())
	case *contract.QueryRequest:
		_, err = query(b)
	case *contract.FunnelRequest:
		_, err = funnel(b)
	case *contract.RetentionRequest:
		_, err = retention(b)
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
	return isUTF8(parameters) && (media == echo.MIMEApplicationJSON || media == echo.MIMEApplicationForm)
}

// isUTF8 reports whether the parameters of a media type name no other character set than UTF-8.
func isUTF8(parameters map[string]string) bool {
	charset := parameters["charset"]
	return charset == "" || strings.EqualFold(charset, "utf-8")
}
