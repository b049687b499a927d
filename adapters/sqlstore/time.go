package sqlstore

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// timeFormat is how a time is written: UTC, in microseconds, of one width, so that texts sort as the times do.
const timeFormat = "2006-01-02T15:04:05.000000Z"

// dbTime is a time as both databases take it; the zero time is NULL.
type dbTime struct {
	time.Time
}

// Value writes the time.
func (t dbTime) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil
	}
	return t.UTC().Format(timeFormat), nil
}

// Scan reads the time.
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
		return fmt.Errorf("reading a time: a %T is none", value)
	}
	return nil
}
