package analytics

import (
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// SelectionRequest is a selection as a client sends it. Empty strings select nothing.
type SelectionRequest struct {
	EventType      string
	Source         string
	UserIdentifier string
	SessionID      string
	From, To       string // days of UTC or times, as the start and the end of a window
}

// Selection is which of a tenant's events are listed, exported or erased: those that have all that it names. The zero Selection is all.
type Selection struct {
	EventType      string // empty: any
	Source         string // empty: any
	UserIdentifier string // empty: any
	SessionID      string // empty: any
	Window         Window
}

// Selection validates the request. A fault names each field that is wrong: event_type, source, user_identifier, session_id, from or to.
func (r SelectionRequest) Selection() (Selection, error) {
	var c fault.Check
	s := Selection{EventType: r.EventType, Source: r.Source, UserIdentifier: r.UserIdentifier, SessionID: r.SessionID}
	if r.EventType != "" {
		event.CheckType(&c, r.EventType)
	}
	if r.Source != "" {
		event.CheckSource(&c, r.Source)
	}
	if r.UserIdentifier != "" {
		event.CheckUserIdentifier(&c, r.UserIdentifier)
	}
	if r.SessionID != "" {
		event.CheckSessionID(&c, r.SessionID)
	}
	var err error
	s.Window, err = parseWindow("from", r.From, "to", r.To, time.UTC)
	c.Take(err)
	return s, c.Err()
}
