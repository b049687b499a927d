package sqlstore

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// timeFormat is the stored form of a time: UTC, microseconds, fixed width, so that text order is chronological.
const timeFormat = "2006-01-02T15:04:05.000000Z"

// Time is a time in a form that both databases accept; the zero time is NULL.
type Time struct {
	time.Time
}

// Value implements driver.Valuer.
func (t Time) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil
	}
	return t.UTC().Format(timeFormat), nil
}

// Scan implements sql.Scanner.
func (t *Time) Scan(value any) error {
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
