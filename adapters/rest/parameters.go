package rest

import (
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
)

// checkParameters adds the invalid parameters of a request that has a body, so that one response names them with the invalid
// fields: the generated code binds the body before the handler gets the parameters. It only adds to the response: the handler
// parses the same parameters, and refuses an invalid one also if it is not among those here.
func checkParameters(faults *fault.Check, c echo.Context) {
	if slices.Contains(c.ParamNames(), "id") {
		_, err := id.Parse[id.User]("id", c.Param("id"))
		faults.Take(err)
	}
	if c.QueryParams().Has("tenant_id") {
		tenantOf(faults, new(c.QueryParam("tenant_id")))
	}
	if keys, found := c.Request().Header[headerIdempotencyKey]; found && c.Path() == Prefix+eventsPath {
		keyOf(faults, &keys[0])
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

// keyOf returns the idempotency key; it is empty if it is not given.
func keyOf(c *fault.Check, key *string) string {
	if key == nil {
		return ""
	}
	event.CheckKey(c, *key)
	return *key
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
