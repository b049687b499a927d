package analytics

import (
	"math"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/instant"
)

// Window is a span of time, including Start and excluding End. A zero time leaves that side open.
type Window struct {
	Start time.Time
	End   time.Time
}

// Micros returns the window in microseconds since 1970, from <= time < to.
func (w Window) Micros() (from, to int64) {
	s := w.span()
	return s.from, s.to
}

// parseWindow parses the two ends of a window, which a fault names as these fields. An empty end is open.
//
// Each is a day of the time zone (2026-01-31) or a time (RFC 3339). The start is inclusive. An end that is a day includes the whole
// day; an end that is a time is exclusive.
func parseWindow(startField, start, endField, end string, zone *time.Location) (w Window, err error) {
	var c fault.Check
	w.Start, _, err = parseDate(startField, start, zone)
	c.Take(err)
	at, day, err := parseDate(endField, end, zone)
	c.Take(err)
	if day {
		year, month, day := at.In(zone).Date()
		at = dayStart(year, month, day+1, zone).UTC()
	}
	if at.Year() <= 9999 { // an end after the last supported day leaves the window open
		w.End = at
	}
	if !w.Start.IsZero() && !at.IsZero() && !w.Start.Before(at) {
		c.Add(endField, "must be after "+startField)
	}
	return w, c.Err()
}

// parseClosedWindow parses a window that must have both ends: start_date and end_date.
func parseClosedWindow(start, end string, zone *time.Location) (Window, error) {
	var c fault.Check
	w, err := parseWindow("start_date", start, "end_date", end, zone)
	c.Take(err)
	if start == "" {
		c.Add("start_date", "is required")
	}
	if end == "" {
		c.Add("end_date", "is required")
	} else if err == nil && w.End.IsZero() {
		c.Add("end_date", "must be before the year 9999 ends")
	}
	return w, c.Err()
}

// parseDate parses a day of a time zone or a time, and reports whether it was a day. An empty string is the zero time.
func parseDate(field, s string, zone *time.Location) (at time.Time, day bool, err error) {
	if s == "" {
		return time.Time{}, false, nil
	}
	if at, err = time.Parse(time.DateOnly, s); err == nil {
		if day = true; at.Year() > 0 {
			at = dayStart(at.Year(), at.Month(), at.Day(), zone)
		}
	} else if at, err = instant.Parse(s); err != nil {
		return time.Time{}, false, fault.ErrInvalid.OnField(field, err.Error()+", or a day such as 2026-01-31")
	}
	at = at.UTC()
	if at.Year() < 1 || at.Year() > 9999 {
		return time.Time{}, false, fault.ErrInvalid.OnField(field, "must be in the years 0001 to 9999")
	}
	return at, day, nil
}

// span is a window in microseconds since 1970, from <= time < to.
type span struct {
	from, to int64
}

func (w Window) span() span {
	s := span{math.MinInt64, math.MaxInt64}
	if !w.Start.IsZero() {
		s.from = micros(w.Start)
	}
	if !w.End.IsZero() {
		s.to = micros(w.End)
	}
	return s
}

// micros returns a time in microseconds since 1970, rounded up: events have whole microseconds, and those before the time are
// those before the result.
func micros(t time.Time) int64 {
	n := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		n++
	}
	return n
}

// misses reports whether none of a piece's events is in the span.
func (s span) misses(h *Header) bool { return h.Events == 0 || h.Last < s.from || h.First >= s.to }

// holds reports whether all of a piece's events are in the span.
func (s span) holds(h *Header) bool { return s.from <= h.First && h.Last < s.to }

// byHours reports whether the span has all or none of a piece's events in any hour.
func (s span) byHours(h *Header) bool {
	return s.misses(h) || (s.from <= h.First || s.from%microsPerHour == 0) && (h.Last < s.to || s.to%microsPerHour == 0)
}

// hours returns the hours that the span overlaps, from <= hour < to.
func (s span) hours() (from, to int64) {
	return floor(s.from, microsPerHour), floor(s.to-1, microsPerHour) + 1
}
