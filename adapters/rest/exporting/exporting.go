// Package exporting writes events as files that other programs read: lines of JSON, CSV and Parquet.
package exporting

import (
	"io"
	"strconv"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
)

// Writer writes events to a file. It keeps few of them in memory, however many there are.
type Writer interface {
	// Write writes an event.
	Write(e event.Event) error
	// Close writes what the file ends with. It does not close what the file is written to.
	Close() error
}

// Format is a kind of file.
type Format struct {
	Name      string // which is also the extension of the file's name
	MediaType string
	Packed    bool // whether files are compressed in any case
	// New returns a writer of a file to w.
	New func(w io.Writer) (Writer, error)
}

// Formats returns the formats. The first one is the default.
func Formats() []Format {
	return []Format{
		{Name: "ndjson", MediaType: "application/x-ndjson", New: newLines},
		{Name: "csv", MediaType: "text/csv", New: newTable},
		{Name: "parquet", MediaType: "application/vnd.apache.parquet", Packed: true, New: newParquet},
	}
}

// appendNumber appends a number as encoding/json writes it: as ES6 does, but for the exponent, which has no leading zero.
func appendNumber(to []byte, n float64) []byte {
	const least, most = 1e-6, 1e21 // without an exponent
	abs := max(n, -n)
	if abs == 0 || least <= abs && abs < most {
		return strconv.AppendFloat(to, n, 'f', -1, 64)
	}
	to = strconv.AppendFloat(to, n, 'e', -1, 64)
	if end := len(to); end >= 4 && string(to[end-4:end-1]) == "e-0" {
		to[end-2] = to[end-1]
		to = to[:end-1]
	}
	return to
}
