package rest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// cutExport accepts every token, and has an export of 50,000 events, which fails at its end if cut is set.
type cutExport struct {
	waiting
	cut bool
}

func (*cutExport) Authenticate(context.Context, string) (session.Caller, error) {
	return session.Caller{}, nil
}

func (x *cutExport) Export(context.Context, access.Principal, id.Tenant, analytics.Selection) (iter.Seq2[event.Event, error], error) {
	return func(yield func(event.Event, error) bool) {
		for i := range 50_000 {
			who := fmt.Sprintf("%x", sha256.Sum256([]byte(fmt.Sprint(i)))) // which can't be compressed to nothing
			if !yield(event.Event{ID: "0190a5e4-7b1c-7c3e-9a54-3f1d2c4b5a69", Type: "view", UserIdentifier: who, OccurredAt: time.Unix(0, 0)}, nil) {
				return
			}
		}
		if x.cut {
			yield(event.Event{}, errors.New("the database is gone"))
		}
	}, nil
}

// TestExport_cut: a client can tell a cut export from a whole one, in each format and coding: by the connection and the trailer, and by
// the file itself if it is compressed or Parquet.
func TestExport_cut(t *testing.T) {
	open := map[string]func([]byte) error{ // whether a file can be read to its end
		"gzip": func(content []byte) error {
			r, err := gzip.NewReader(bytes.NewReader(content))
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			return err
		},
		"zstd": func(content []byte) error {
			r, err := zstd.NewReader(bytes.NewReader(content))
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.Copy(io.Discard, r)
			return err
		},
		"parquet": func(content []byte) error {
			_, err := parquet.OpenFile(bytes.NewReader(content), int64(len(content)))
			return err
		},
	}
	for _, c := range []struct{ format, coding, readable string }{
		{"ndjson", "identity", ""}, {"csv", "identity", ""}, {"ndjson", "gzip", "gzip"}, {"csv", "zstd", "zstd"}, {"parquet", "gzip", "parquet"},
	} {
		for _, cut := range []bool{false, true} {
			content, trailer, err := download(t, cut, c.format, c.coding)
			if (err != nil) != cut || (trailer == "50000") == cut {
				t.Errorf("%s, %s, cut %t: the trailer %q, %v", c.format, c.coding, cut, trailer, err)
			}
			if c.readable != "" && (open[c.readable](content) != nil) != cut {
				t.Errorf("%s, %s, cut %t: reading it: %v", c.format, c.coding, cut, open[c.readable](content))
			}
		}
	}
}

// download returns what of an export arrives.
func download(t *testing.T, cut bool, format, coding string) (content []byte, trailer string, err error) {
	t.Helper()
	e, err := rest.New(dependencies(&cutExport{cut: cut}), rest.Settings{
		RequestTimeout: time.Minute, WriteTimeout: time.Minute, Limits: rest.Limits{Export: ports.Rate{Unlimited: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/analytics/export?format="+format, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer token")
	r.Header.Set("Accept-Encoding", coding)
	answer, err := server.Client().Do(r)
	if err != nil { // the connection can be closed before the client has looked at the answer
		return nil, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	content, err = io.ReadAll(answer.Body)
	return content, answer.Trailer.Get("Export-Events"), err
}
