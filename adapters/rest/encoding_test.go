package rest_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// flushing writes what was compressed so far.
type flushing interface {
	io.WriteCloser
	Flush() error
}

// compressors are the content codings that are accepted. Their options are constant, and so is whether these are valid.
var compressors = map[string]func(io.Writer) flushing{
	"gzip": func(w io.Writer) flushing {
		z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			panic(err)
		}
		return z
	},
	"zstd": func(w io.Writer) flushing {
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			panic(err)
		}
		return z
	},
}

func compress(t testing.TB, encoding, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := compressors[encoding](&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const document = `{"events":[{"event_type":"view","user_identifier":"u"}]}`

// noise returns 1 MiB of letters that can hardly be compressed.
var noise = sync.OnceValue(func() string {
	text := make([]byte, 1<<20)
	for i := range text {
		text[i] = 'a' + byte(rand.IntN(26))
	}
	return string(text)
})

// TestEncoding: what becomes of a compressed batch.
func TestEncoding(t *testing.T) {
	gz, zs := compress(t, "gzip", view), compress(t, "zstd", view)
	wide := func(window int) []byte {
		var b bytes.Buffer
		w, err := zstd.NewWriter(&b, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 { // too long for a frame of one segment
			if _, err := io.WriteString(w, strings.Repeat(view, 1<<10)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for _, c := range []struct {
		name, encoding string
		body           []byte
		status         int
		code           string
		accepted       int
	}{
		{"gzip", "gzip", gz, 200, "", 1},
		{"its other name", "x-gzip", gz, 200, "", 1},
		{"in capitals", "GZIP", gz, 200, "", 1},
		{"two members", "gzip", append(bytes.Clone(gz), gz...), 200, "", 2},
		{"zstd", "zstd", zs, 200, "", 1},
		{"two frames", "zstd", append(bytes.Clone(zs), zs...), 200, "", 2},
		{"a window of 8 MiB", "zstd", wide(8 << 20), 200, "", 20 << 10},
		{"a window of 16 MiB", "zstd", wide(16 << 20), 400, "malformed_encoding", 0},
		{"identity", "identity", []byte(view), 200, "", 1},
		{"nothing as gzip", "gzip", nil, 400, "malformed_encoding", 0},
		{"nothing as zstd", "zstd", nil, 200, "", 0},
		{"plain as gzip", "gzip", []byte(view), 400, "malformed_encoding", 0},
		{"plain as zstd", "zstd", []byte(view), 400, "malformed_encoding", 0},
		{"the other one", "zstd", gz, 400, "malformed_encoding", 0},
		{"cut off", "gzip", gz[:len(gz)-1], 400, "malformed_encoding", 1},
		{"wrong checksum", "gzip", append(bytes.Clone(gz[:len(gz)-8]), 0, 0, 0, 0, 0, 0, 0, 0), 400, "malformed_encoding", 1},
		{"garbage after it", "gzip", append(bytes.Clone(gz), "garbage"...), 400, "malformed_encoding", 1},
		{"garbage after a frame", "zstd", append(bytes.Clone(zs), "garbage"...), 400, "malformed_encoding", 1},
		{"noise", "gzip", compress(t, "gzip", noise()), 200, "", 0},
		{"bomb of blank lines", "gzip", compress(t, "gzip", strings.Repeat("\n", 16<<20)), 413, "compression_ratio", 0},
		{"bomb of one line", "zstd", compress(t, "zstd", strings.Repeat("x", 16<<20)), 413, "compression_ratio", 0},
		{"small bomb", "zstd", compress(t, "zstd", strings.Repeat("\n", 1<<20)), 200, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := post(t, serve(t, &batches{}), mediaNDJSON, bytes.NewReader(c.body), "Content-Encoding", c.encoding)
			if got.status != c.status || got.Code != c.code || got.Accepted != c.accepted {
				t.Errorf("%d %s, %d accepted, %d rejected", got.status, got.Code, got.Accepted, got.RejectedCount)
			}
		})
	}
}

// TestEncoding_document: the limits of a document are of what it holds.
func TestEncoding_document(t *testing.T) {
	for encoding := range compressors {
		for name, c := range map[string]struct {
			text   string
			status int
			code   string
		}{
			"a batch":         {document, 200, ""},
			"the largest":     {document + strings.Repeat(" ", 1<<20-len(document)), 200, ""},
			"a bomb":          {document + strings.Repeat(" ", 9<<20), 413, "compression_ratio"},
			"larger than may": {`{"events":["` + strings.Repeat(noise(), 11) + `"]}`, 413, "body_too_large"},
			"nothing":         {"", 400, "malformed_json"},
		} {
			got := post(t, serve(t, &batches{}), "application/json", bytes.NewReader(compress(t, encoding, c.text)), "Content-Encoding", encoding)
			if got.status != c.status || got.Code != c.code {
				t.Errorf("%s with %s: %+v", name, encoding, got)
			}
		}
	}
}

// TestEncoding_refused: an encoding that a route does not accept is refused, and those that it does are named.
func TestEncoding_refused(t *testing.T) {
	server := serve(t, &batches{})
	for _, c := range []struct{ path, encoding, accepted string }{
		{"/analytics/events/batch", "br", "identity, gzip, zstd"},
		{"/analytics/events/batch", "gzip, gzip", "identity, gzip, zstd"},
		{"/analytics/events", "deflate", "identity, gzip, zstd"},
		{"/analytics/query", "gzip", "identity"},
		{"/auth/password", "zstd", "identity"},
	} {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/api/v1"+c.path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		q.Header = http.Header{"Authorization": {"Bearer token"}, "Content-Type": {"application/json"}, "Content-Encoding": {c.encoding}}
		response, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if got := response.Header.Get("Accept-Encoding"); response.StatusCode != 415 || got != c.accepted {
			t.Errorf("%s to %s: %d, Accept-Encoding: %s", c.encoding, c.path, response.StatusCode, got)
		}
	}
}

// TestEncoding_live: lines of a compressed stream are stored as soon as the client flushes them.
func TestEncoding_live(t *testing.T) {
	for encoding, compressor := range compressors {
		t.Run(encoding, func(t *testing.T) {
			b := &batches{}
			l := startLive(t, serve(t, b), "Content-Encoding", encoding)
			w := compressor(l)
			for i := range 3 {
				if _, err := io.WriteString(w, view); err != nil {
					t.Fatal(err)
				}
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
				porttest.Eventually(t, "the line is stored", func() bool { return b.count() == i+1 })
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if got := <-l.answered; got.status != 200 || got.Accepted != 3 {
				t.Errorf("%+v", got)
			}
		})
	}
}
