package analytics

import (
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// Granularity is how a time series cuts time into buckets.
type Granularity struct {
	name string
}

// The granularities. Each is of the clocks of a time zone: a day has 23 or 25 hours when they change, a week begins on Monday.
var (
	Hourly  = Granularity{"hour"}
	Daily   = Granularity{"day"}
	Weekly  = Granularity{"week"}
	Monthly = Granularity{"month"}
)

// ParseGranularity parses the name of a granularity; an empty name means Daily. A fault names the field granularity.
func ParseGranularity(s string) (Granularity, error) {
	if s == "" {
		return Daily, nil
	}
	for _, g := range []Granularity{Hourly, Daily, Weekly, Monthly} {
		if g.name == s {
			return g, nil
		}
	}
	return Granularity{}, fault.ErrInvalid.OnField("granularity", "must be hour, day, week or month")
}

// String returns the granularity's name.
func (g Granularity) String() string { return g.name }

// buckets returns the starts of the buckets of a time zone that a window overlaps, in chronological order. The first one is not
// after the start of the window; each bucket ends where the next one starts. The window must have both ends.
func (g Granularity) buckets(w Window, zone *time.Location) []time.Time {
	var starts []time.Time
	for at := g.start(w.Start.In(zone)); at.Before(w.End); at = g.next(at) {
		if !at.After(w.Start) {
			starts = starts[:0]
		}
		starts = append(starts, at)
	}
	return starts
}

// bucket returns the start and the end of the bucket that a time is in.
func (g Granularity) bucket(at time.Time) (start, end time.Time) {
	start = g.start(at)
	for end = g.next(start); !at.Before(end); end = g.next(start) {
		start = end
	}
	return start, end
}

// label returns how a bucket is named: an hour by its first moment with the offset of the time zone, any other by its first day.
func (g Granularity) label(start time.Time) label {
	text := start.Format(time.DateOnly)
	switch g {
	case Hourly:
		text = start.Format(time.RFC3339)
	case Monthly:
		text = start.Format("2006-01")
	}
	return label{Text(text), micros(start)}
}

// start returns the start of the bucket that a time is in, or that of one before if clocks changed in between.
func (g Granularity) start(at time.Time) time.Time {
	year, month, day := at.Date()
	switch g {
	case Hourly:
		return at.Add(-intoHour(at))
	case Weekly:
		const sinceMonday = 6 // days that Sunday comes after Monday
		return dayStart(year, month, day-(int(at.Weekday())+sinceMonday)%7, at.Location())
	case Monthly:
		return dayStart(year, month, 1, at.Location())
	default:
		return dayStart(year, month, day, at.Location())
	}
}

// next returns the start of the bucket after the one that starts at a time.
func (g Granularity) next(start time.Time) time.Time {
	year, month, day := start.Date()
	switch g {
	case Hourly:
		next := start.Add(time.Hour - intoHour(start))
		if _, end := start.ZoneBounds(); !end.IsZero() && end.Before(next) {
			return end
		}
		return next
	case Weekly:
		untilMonday := (7-int(start.Weekday()))%7 + 1
		return dayStart(year, month, day+untilMonday, start.Location())
	case Monthly:
		return dayStart(year, month+1, 1, start.Location())
	default:
		return dayStart(year, month, day+1, start.Location())
	}
}

// intoHour returns how long ago the last full hour was by the clock.
func intoHour(at time.Time) time.Duration {
	return time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second + time.Duration(at.Nanosecond())
}

// dayStart returns when clocks in a time zone first show 00:00 of a day or later. That is not always at 00:00: clocks that go
// forward at midnight skip it. time.Date does not say which of two times it returns when clocks change.
func dayStart(year int, month time.Month, day int, zone *time.Location) time.Time {
	const greatestOffset = 26 * time.Hour
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	for at := midnight.Add(-greatestOffset).In(zone); ; {
		begin, end := at.ZoneBounds()
		_, offset := at.Zone()
		start := midnight.Add(-time.Duration(offset) * time.Second).In(zone)
		switch {
		case start.Before(begin):
			return begin
		case end.IsZero() || start.Before(end):
			return start
		}
		at = end
	}
}
