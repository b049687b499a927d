// Command duckdb writes blocks of events of three days as Parquet files to a directory, to expected.json there what main.js is to find
// in them, and to export an export of events, with the same as lines of JSON.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/exporting"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/block"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
)

const (
	days   = 3
	perDay = 10_000
)

// expected is what is to be found, counted while the events are made. The names are those of columns in main.js.
type expected struct {
	Events    int            `json:"events"`
	Values    int            `json:"values"`
	Sum       float64        `json:"sum"`
	Users     int            `json:"users"`
	Sessions  int            `json:"sessions"`
	First     string         `json:"first"`
	ByType    map[string]int `json:"by_type"`
	ByCountry map[string]int `json:"by_country"` // a property with a column of its own
	Notes     map[string]int `json:"notes"`      // a property that few events have
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "blocks for DuckDB:", err)
		os.Exit(1)
	}
}

func run(directory string) error {
	first := time.Date(2026, 3, 1, 0, 0, 0, 123_000, time.UTC)
	e := expected{First: first.Format("2006-01-02 15:04:05.000000"), ByType: map[string]int{}, ByCountry: map[string]int{}, Notes: map[string]int{}}
	for day := range days {
		file, err := block.Encode(events(first.AddDate(0, 0, day), day, &e))
		if err != nil {
			return err
		}
		name := filepath.Join(directory, fmt.Sprintf("day%d.parquet", day))
		if err := os.WriteFile(name, bytes.Join(file.Parts, nil), 0o600); err != nil {
			return err
		}
	}
	if err := export(filepath.Join(directory, "export")); err != nil {
		return err
	}
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(directory, "expected.json"), data, 0o600)
}

// exported is how many events are exported: more than a row group has.
const exported = 50_000

// export writes the same events in every format to a directory.
func export(directory string) error {
	if err := os.Mkdir(directory, 0o700); err != nil {
		return err
	}
	for _, f := range exporting.Formats() {
		if err := exportAs(f, filepath.Join(directory, "events."+f.Name)); err != nil {
			return err
		}
	}
	return nil
}

func exportAs(f exporting.Format, name string) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w, err := f.New(file)
	if err != nil {
		return err
	}
	for i := range exported {
		at := time.Date(2026, 3, 1, 0, 0, i, 123_000, time.UTC)
		e := event.Event{ID: event.Bound(at), Type: fmt.Sprintf("type.%d", i%5), UserIdentifier: fmt.Sprintf("=usér,\"%d\"", i%1009), OccurredAt: at}
		if i%2 == 0 {
			e.Value, e.SessionID, e.Source = new(float64(i)/4), new(fmt.Sprint("s", i/3)), new("")
		}
		if i%3 == 0 {
			e.Properties = fmt.Sprintf(`{"country":"Côte d'Ivoire","n":%d}`, i)
		}
		if err := w.Write(e); err != nil {
			return err
		}
	}
	return w.Close()
}

// events makes the events of a day. On the first day, no event has a country.
func events(start time.Time, day int, e *expected) *analytics.Batch {
	var (
		b                                    analytics.Batch
		types, sources, sessions, properties analytics.StringsBuilder
		users, sessionsSeen                  = map[uint32]bool{}, map[string]bool{}
	)
	for i := range perDay {
		user, kind := uint32(i*7919%1009), fmt.Sprintf("type.%d", i%5)
		session := fmt.Sprintf("%d-%d", day, i/3)
		users[user], sessionsSeen[session] = true, true
		b.Times = append(b.Times, start.Add(time.Duration(i)*time.Second).UnixMicro())
		b.Users = append(b.Users, user)
		types.Add(kind)
		sources.Add("wéb")
		sessions.Add(session)
		value := math.NaN()
		if i%2 == 0 {
			value = float64(i) / 4
			e.Values++
			e.Sum += value
		}
		b.Values = append(b.Values, value)
		properties.AddOptional(propertiesOf(i, day, e))
		e.Events++
		e.ByType[kind]++
	}
	e.Users = len(users) // those of every day are the same
	e.Sessions += len(sessionsSeen)
	b.Types, b.Sources, b.Sessions, b.Properties = types.Strings(), sources.Strings(), sessions.Strings(), properties.Strings()
	return &b
}

func propertiesOf(i, day int, e *expected) *string {
	object := map[string]string{}
	if day > 0 && i%3 > 0 {
		object["country"] = []string{"DE", "Côte d'Ivoire"}[i%2]
		e.ByCountry[object["country"]]++
	}
	if i%1000 == 0 {
		object["note"] = fmt.Sprintf(`"%d"`, i%3)
		e.Notes[object["note"]]++
	}
	if len(object) == 0 {
		return nil
	}
	text, err := json.Marshal(object) // keys are in order
	if err != nil {
		panic(err)
	}
	return new(string(text))
}
