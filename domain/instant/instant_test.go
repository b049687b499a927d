package instant_test

import (
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/instant"
)

func TestParse(t *testing.T) {
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, in string
		want     time.Time
		err      error
	}{
		{"UTC", "2026-01-31T12:00:00Z", at, nil},
		{"lower case", "2026-01-31t12:00:00z", at, nil},
		{"east", "2026-01-31T13:30:00+01:30", at, nil},
		{"west", "2026-01-30T12:01:00-23:59", at, nil},
		{"unknown offset", "2026-01-31T12:00:00-00:00", at, nil},
		{"fraction", "2026-01-31T12:00:00.5Z", at.Add(time.Second / 2), nil},
		{"fraction finer than a nanosecond", "2026-01-31T12:00:00.1234567899Z", at.Add(123456789), nil},
		{"leap day", "2024-02-29T00:00:00Z", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), nil},
		{"year 0", "0000-01-01T00:00:00Z", time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), nil},
		{"leap second", "2016-12-31T23:59:60Z", time.Time{}, instant.ErrLeapSecond},
		{"leap second elsewhere", "2017-01-01T00:59:60.5+01:00", time.Time{}, instant.ErrLeapSecond},

		{"empty", "", time.Time{}, instant.ErrNoTime},
		{"a word", "yesterday", time.Time{}, instant.ErrNoTime},
		{"a day", "2026-01-31", time.Time{}, instant.ErrNoTime},
		{"no such day", "2026-02-30T12:00:00Z", time.Time{}, instant.ErrNoTime},
		{"no such day with a leap second", "2026-02-30T23:59:60Z", time.Time{}, instant.ErrNoTime},
		{"hour 24", "2026-01-31T24:00:00Z", time.Time{}, instant.ErrNoTime},
		{"second 61", "2026-01-31T12:00:61Z", time.Time{}, instant.ErrNoTime},
		{"comma", "2026-01-31T12:00:00,5Z", time.Time{}, instant.ErrNoTime},
		{"no digit after the point", "2026-01-31T12:00:00.Z", time.Time{}, instant.ErrNoTime},
		{"one-digit hour", "2026-01-31T1:00:00Z", time.Time{}, instant.ErrNoTime},
		{"one-digit hour with a fraction", "2026-01-31T1:00:00.5Z", time.Time{}, instant.ErrNoTime},
		{"space for T", "2026-01-31 12:00:00Z", time.Time{}, instant.ErrNoTime},
		{"no offset", "2026-01-31T12:00:00", time.Time{}, instant.ErrNoTime},
		{"offset without a colon", "2026-01-31T12:00:00+0100", time.Time{}, instant.ErrNoTime},
		{"offset of 24 hours", "2026-01-31T12:00:00+24:00", time.Time{}, instant.ErrNoTime},
		{"offset of 60 minutes", "2026-01-31T12:00:00+00:60", time.Time{}, instant.ErrNoTime},
		{"spaces", " 2026-01-31T12:00:00Z", time.Time{}, instant.ErrNoTime},
		{"more after it", "2026-01-31T12:00:00ZZ", time.Time{}, instant.ErrNoTime},
		{"wide digits", "２026-01-31T12:00:00Z", time.Time{}, instant.ErrNoTime},
		{"no seconds", "2026-01-31T12:00Z", time.Time{}, instant.ErrNoTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := instant.Parse(c.in)
			if !errors.Is(err, c.err) || !got.Equal(c.want) {
				t.Errorf("%q was read as %v, %v, want %v, %v", c.in, got, err, c.want, c.err)
			}
		})
	}
}

// FuzzParse holds what is read against the grammar of RFC 3339 5.6, written down once more.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"2026-01-31T12:00:00Z", "2026-01-31t12:00:00.5z", "2026-01-31T1:00:00Z", "2026-01-31T12:00:00,5Z", "2026-01-31T12:00:00+24:00",
		"2016-12-31T23:59:60Z", "2026-01-31T12:00:00.123456789-23:59", "",
	} {
		f.Add(s)
	}
	grammar := regexp.MustCompile(`^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$`)
	f.Fuzz(func(t *testing.T, s string) {
		at, err := instant.Parse(s)
		if !grammar.MatchString(s) {
			if err == nil {
				t.Errorf("%q was read as %v", s, at)
			}
			return
		}
		if _, noDay := time.Parse(time.DateOnly, s[:10]); (err != nil) != (noDay != nil) {
			t.Errorf("%q: %v", s, err)
		}
		if err == nil && at.Format(time.RFC3339)[:19] != s[:10]+"T"+s[11:19] {
			t.Errorf("%q was read as %v", s, at)
		}
	})
}
