package sqlstore

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// timeFormat is the stored form of a time: UTC, microseconds, fixed width, so that text order is chronological.
const timeFormat = "2006-01-02T15:04:05.000000Z"

// dbTime is a time in a form that both databases accept; the zero time is NULL.
type dbTime struct {
	time.Time
}

// Value implements driver.Valuer.
func (t dbTime) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil
	}
	return t.UTC().Format(timeFormat), nil
}

// Scan implements sql.Scanner.
func (t *dbTime) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		t.Time = time.Time{}
	case time.Time:
		t.Time = v.UTC()
	case string:
		at, err := time.Parse(timeFormat, v)
		if err != nil {
			return fmt.Errorf("reading a time: %w", err)
		}
		t.Time = at
	default:
		return fmt.Errorf("reading a time: unsupported type %T", value)
	}
	return nil
}

// Time is the form of a time for the tables of earlier versions of the schema; see package events.
type Time = dbTime
