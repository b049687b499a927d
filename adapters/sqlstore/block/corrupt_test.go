package block_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/block"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// small returns a file of all kinds of columns.
func small(t testing.TB) block.File {
	t.Helper()
	f, err := block.Encode(day(20, 10, someProperties))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAFileWithAnyByteChangedIsAnError(t *testing.T) {
	f := small(t)
	for n, part := range f.Parts {
		for i := range part {
			part[i] ^= 1 << (i % 8)
			if _, err := read(f, analytics.AllColumns); err == nil {
				t.Errorf("no error with byte %d of part %d changed", i, n)
			}
			part[i] ^= 1 << (i % 8)
		}
	}
}

func TestAFileCutAnywhereIsAnError(t *testing.T) {
	f := small(t)
	for n, part := range f.Parts {
		for i := range part {
			for _, piece := range [][]byte{part[:i], part[i+1:]} {
				cut := block.File{Parts: slices.Clone(f.Parts)}
				cut.Parts[n] = piece
				if _, err := read(cut, analytics.AllColumns); err == nil {
					t.Errorf("no error with part %d cut to %d of %d bytes", n, len(piece), len(part))
				}
			}
		}
	}
}

func TestPartsOfAnotherFileAreAnError(t *testing.T) {
	f := small(t)
	r, err := block.Open(f.Footer())
	if err != nil {
		t.Fatal(err)
	}
	parts := map[int][]byte{}
	for i, n := range r.Parts(analytics.Needs{Columns: analytics.AllColumns}) {
		parts[n] = f.Parts[(i+1)%(len(f.Parts)-1)]
	}
	if _, err := r.Read(analytics.Needs{Columns: analytics.AllColumns}, parts); err == nil {
		t.Error("no error with parts in another order")
	}
	if _, err := r.Read(analytics.Needs{Columns: analytics.TypeColumn}, nil); err == nil {
		t.Error("no error without parts")
	}
}

func TestAHeaderChangedOrCutIsAnError(t *testing.T) {
	data, err := block.EncodeHeader(analytics.NewHeader(day(100, 10, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		changed := bytes.Clone(data)
		changed[i] ^= 1 << (i % 8)
		for _, d := range [][]byte{changed, data[:i], data[i+1:]} {
			if _, err := block.DecodeHeader(d); err == nil {
				t.Errorf("no error with byte %d changed or cut to %d bytes", i, len(d))
			}
		}
	}
}

func TestABatchThatIsNotCompleteCannotBeEncoded(t *testing.T) {
	if _, err := block.Encode(&analytics.Batch{}); err == nil {
		t.Error("no error without events")
	}
	b := day(20, 10, nil)
	b.Users = nil
	if _, err := block.Encode(b); err == nil {
		t.Error("no error without a column")
	}
}

func FuzzOpen(f *testing.F) {
	file := small(f)
	f.Add(file.Footer())
	f.Add([]byte("crc32c:00000000PAR1"))
	f.Fuzz(func(t *testing.T, footer []byte) {
		if _, err := block.Open(footer); err == nil && !bytes.Equal(footer, file.Footer()) {
			t.Error("no error for a footer that Encode did not make")
		}
	})
}

// FuzzDecodeHeader decodes anything in the form of an encoded header, with the right checksum.
func FuzzDecodeHeader(f *testing.F) {
	data, err := block.EncodeHeader(analytics.NewHeader(day(100, 10, nil)))
	if err != nil {
		f.Fatal(err)
	}
	content, err := parquet.Zstd.Decode(nil, data[1:len(data)-crc32.Size])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Fuzz(func(t *testing.T, content []byte) {
		compressed, err := parquet.Zstd.Encode(nil, content)
		if err != nil {
			t.Fatal(err)
		}
		data := append([]byte{1}, compressed...)
		data = binary.LittleEndian.AppendUint32(data, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
		h, err := block.DecodeHeader(data)
		if err != nil {
			return
		}
		again, err := block.EncodeHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		got, err := block.DecodeHeader(again)
		if err != nil {
			t.Fatal(err)
		}
		third, err := block.EncodeHeader(got)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(third, again) {
			t.Errorf("%+v became %+v", h, got)
		}
	})
}
