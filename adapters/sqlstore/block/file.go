// Package block is how a block of events is kept: its events as a Parquet file, of which single columns can be read, and its
// header in a compact binary form.
package block

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// File is a Parquet file cut into parts: part n is the n-th column, and the last part is the footer, which says what the
// others are. One after the other they are the file, byte by byte. So a column can be read without the others, and whoever
// writes all parts to a file has one that any reader of Parquet understands.
//
// See https://parquet.apache.org/docs/file-format/.
type File struct {
	Parts [][]byte
}

// Footer returns the last part.
func (f File) Footer() []byte { return f.Parts[len(f.Parts)-1] }

// Size returns the size of the file in bytes.
func (f File) Size() int {
	size := 0
	for _, p := range f.Parts {
		size += len(p)
	}
	return size
}

// Encode returns a batch as a file. The batch must have events and all columns.
func Encode(b *analytics.Batch) (File, error) {
	if b.Len() == 0 {
		return File{}, errors.New("encode block: no events")
	}
	columns, err := columnsOf(b)
	if err != nil {
		return File{}, fmt.Errorf("encode block: %w", err)
	}
	var file bytes.Buffer
	w := parquet.NewWriter(&file, columns.options()...)
	for i, c := range w.ColumnWriters() {
		if err := columns[i].write(c, i, b.Len()); err != nil {
			return File{}, fmt.Errorf("encode column %s of a block: %w", columns[i].name, err)
		}
	}
	if err := w.Close(); err != nil {
		return File{}, fmt.Errorf("encode block: %w", err)
	}
	parts := cut(file.Bytes(), w.File().Metadata().RowGroups[0].Columns)
	if err := writeChecksums(parts); err != nil {
		return File{}, fmt.Errorf("encode block: %w", err)
	}
	return File{parts}, nil
}

// cut cuts a file into its parts.
func cut(file []byte, chunks []format.ColumnChunk) [][]byte {
	parts := make([][]byte, 0, len(chunks)+1)
	from := int64(0)
	for i := range chunks {
		offset, size := extent(&chunks[i])
		to := offset + size
		parts = append(parts, file[from:to:to])
		from = to
	}
	return append(parts, file[from:])
}

// extent returns where a column is in its file.
func extent(c *format.ColumnChunk) (offset, size int64) {
	offset = c.MetaData.DataPageOffset
	if c.MetaData.DictionaryPageOffset != 0 {
		offset = c.MetaData.DictionaryPageOffset
	}
	return offset, c.MetaData.TotalCompressedSize
}
