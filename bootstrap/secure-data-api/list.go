package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

// column is a column of a list.
type column[T any] struct {
	name string // in snake_case, as in JSON; the table's header has it in capitals
	of   func(T) any
}

// addJSON adds the flag --json, which every list has.
func addJSON(c *cobra.Command, asJSON *bool) {
	c.Flags().BoolVar(asJSON, "json", false, "print a JSON array")
}

// printList prints rows as a table, or as a JSON array of objects with times in RFC 3339.
func printList[T any](out io.Writer, asJSON bool, rows []T, columns ...column[T]) error {
	var text bytes.Buffer
	if asJSON {
		if err := writeJSON(&text, rows, columns); err != nil {
			return fmt.Errorf("printing a list: %w", err)
		}
	} else {
		table := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
		heads := make([]string, len(columns))
		for i, c := range columns {
			heads[i] = strings.ToUpper(strings.ReplaceAll(c.name, "_", " "))
		}
		fmt.Fprintln(table, strings.Join(heads, "\t"))
		for _, row := range rows {
			cells := make([]string, len(columns))
			for i, c := range columns {
				cells[i] = cell(c.of(row))
			}
			fmt.Fprintln(table, strings.Join(cells, "\t"))
		}
		if err := table.Flush(); err != nil {
			return fmt.Errorf("printing a list: %w", err)
		}
	}
	if _, err := text.WriteTo(out); err != nil {
		return fmt.Errorf("printing a list: %w", err)
	}
	return nil
}

// writeJSON writes an array of objects.
func writeJSON[T any](out io.Writer, rows []T, columns []column[T]) error {
	objects := make([]map[string]any, len(rows))
	for i, row := range rows {
		objects[i] = map[string]any{}
		for _, c := range columns {
			value := c.of(row)
			if at, isTime := value.(time.Time); isTime && at.IsZero() {
				value = nil
			}
			objects[i][c.name] = value
		}
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(objects)
}

// cell formats a value for the table. Unprintable characters are quoted: some values come from clients, and could contain
// escape sequences of the terminal.
func cell(value any) string {
	var text string
	switch v := value.(type) {
	case time.Time:
		if !v.IsZero() {
			text = v.Format(time.RFC3339)
		}
	case map[string]string:
		var pairs []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			pairs = append(pairs, name+"="+v[name])
		}
		text = strings.Join(pairs, " ")
	default:
		text = fmt.Sprint(v)
	}
	switch {
	case text == "":
		return "-"
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return strconv.Quote(text)
	}
	return text
}
