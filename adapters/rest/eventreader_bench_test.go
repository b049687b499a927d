package rest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
)

// lines returns typical events, one on each line.
func lines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"event_type":"event_type_%02d","user_identifier":"user-%05d","session_id":"s-%08x","source":"web","value":%d.5,`+
			`"occurred_at":"2026-01-15T09:30:%02d.%06dZ","event_id":"event-%d"}`+"\n", i%20, i*7919%100_000, i, i%1000, i%60, i, i)
	}
	return b.Bytes()
}

func BenchmarkLines(b *testing.B) {
	const n = 1000
	body := lines(n)
	b.ReportAllocs()
	for b.Loop() {
		r := &lineReader{from: bufio.NewReaderSize(bytes.NewReader(body), maxLine), events: newEventReader()}
		for {
			if _, err := r.read(); errors.Is(err, io.EOF) {
				break
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/event")
}

func BenchmarkDocument(b *testing.B) {
	const n = 1000
	body := append([]byte(`{"events":[`), bytes.ReplaceAll(bytes.TrimSpace(lines(n)), []byte("\n"), []byte(","))...)
	body = append(body, "]}"...)
	b.ReportAllocs()
	for b.Loop() {
		if items, err := readDocumentOf(bytes.NewReader(body)); err != nil || len(items) != n {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/event")
}
