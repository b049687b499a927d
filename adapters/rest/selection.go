package rest

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// selectionParameters are the parameters that select events.
type selectionParameters struct {
	eventType, source, user, session, from, to *string
}

// selection parses the parameters.
func (p selectionParameters) selection(c *fault.Check) analytics.Selection {
	s, err := analytics.SelectionRequest{
		EventType: optional(c, "event_type", p.eventType), Source: optional(c, "source", p.source),
		UserIdentifier: optional(c, "user_identifier", p.user), SessionID: optional(c, "session_id", p.session),
		From: optional(c, "from", p.from), To: optional(c, "to", p.to),
	}.Selection()
	c.Take(err)
	return s
}

// query returns the parameters that were given, as part of a link.
func (p selectionParameters) query() url.Values {
	values := url.Values{}
	for name, text := range map[string]*string{
		"event_type": p.eventType, "source": p.source, "user_identifier": p.user, "session_id": p.session, "from": p.from, "to": p.to,
	} {
		if text != nil {
			values.Set(name, *text)
		}
	}
	return values
}

// cursorOf returns the event after which a page begins; it is empty if there is no cursor.
func cursorOf(c *fault.Check, cursor *string) id.Event {
	if cursor == nil {
		return ""
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(*cursor)
	if err != nil || len(raw) != 16 || strings.ContainsAny(*cursor, "\r\n") { // which the decoder ignores
		c.Add("cursor", "must be that of a link to the next page")
		return ""
	}
	h := hex.EncodeToString(raw)
	return id.Event(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:])
}

// cursorAfter returns the cursor of the page that begins after an event.
func cursorAfter(last id.Event) (string, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(string(last), "-", ""))
	return base64.RawURLEncoding.EncodeToString(raw), err
}

// nextPage returns the link to the page of a list after an event (RFC 8288), relative to this one.
func nextPage(query url.Values, limit int, last id.Event) (string, error) {
	cursor, err := cursorAfter(last)
	query.Set("cursor", cursor)
	query.Set("limit", strconv.Itoa(limit))
	return "<?" + query.Encode() + `>; rel="next"`, err
}
