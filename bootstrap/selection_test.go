package bootstrap_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// ingestSome ingests events with two types and three users, a second after the other.
func (s *service) ingestSome(t *testing.T, p person, n int) {
	t.Helper()
	for i := range n {
		s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: p.access, body: map[string]any{
			"event_type": []string{"view", "=click"}[i%2], "user_identifier": fmt.Sprint("u", i%3), "source": "",
			"occurred_at": s.clock.Now().Add(-time.Hour + time.Duration(i)*time.Second).Format(time.RFC3339Nano)}})
	}
}

// TestListEvents_pages follows the links from page to page.
func TestListEvents_pages(t *testing.T) {
	s := start(t, generous())
	p := s.newPerson(t, newSlug(), access.Analyst)
	const events = api + "/analytics/events"
	s.ingestSome(t, p, 13)
	path, pages, ids := events+"?limit=2&event_type=view&user_identifier=u0", []int{}, map[string]bool{}
	for path != "" {
		a := s.want(t, 200, request{method: "GET", path: path, token: p.access})
		if len(pages) == 0 {
			s.ingestSome(t, p, 1) // the same event once more, and no other
		}
		for part := range strings.SplitSeq(a.raw, `"id":"`) {
			if id, _, found := strings.Cut(part, `"`); found && !strings.HasPrefix(part, "[") {
				ids[id] = true
			}
		}
		pages = append(pages, strings.Count(a.raw, `"id":`))
		link := a.header.Get("Link")
		if path = ""; link == "" {
			break
		}
		target, ok := strings.CutSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
		base, err := url.Parse(events)
		if err != nil || !ok {
			t.Fatal(link, err)
		}
		next, err := base.Parse(target)
		if err != nil {
			t.Fatal(link, err)
		}
		path = next.String()
	}
	if fmt.Sprint(pages) != "[2 1]" && fmt.Sprint(pages) != "[2 2]" || len(ids) < 3 {
		t.Errorf("the pages are %v, with %d events", pages, len(ids))
	}
	for _, query := range []string{
		"cursor=x", "cursor=", "cursor=AAAAAAAAAAAAAAAAAAAAAB", "cursor=AAAAAAAAAAAAAAAAAAAAAA&skip=1", "from=yesterday", "from=2026-01-02&to=2026-01-01", "source=", "session_id=",
	} {
		s.want(t, 422, request{method: "GET", path: events + "?" + query, token: p.access})
	}
	s.want(t, 200, request{method: "GET", path: events + "?cursor=AAAAAAAAAAAAAAAAAAAAAA", token: p.access})
}

// TestExport_formats: each format, plain and compressed, with the trailer of a whole export.
func TestExport_formats(t *testing.T) {
	s := start(t, generous())
	p := s.newPerson(t, newSlug(), access.Analyst)
	s.ingestSome(t, p, 6)
	for _, c := range []struct{ query, accept, coding, extension, begin string }{
		{"", "", "", "ndjson", `{"id":"`},
		{"?format=ndjson", "gzip;q=0.5, zstd", "zstd", "ndjson", `{"id":"`},
		{"?event_type=view", "gzip, zstd;q=0", "gzip", "ndjson", `{"id":"`},
		{"?format=csv", "*", "zstd", "csv", "id,event_type,user_identifier,session_id,value,source,occurred_at,properties\r\n"},
		{"?format=csv&event_type=view", "identity, gzip;q=0.5", "", "csv", "id,event_type,"},
		{"?format=parquet", "gzip", "", "parquet", "PAR1"},
	} {
		a := s.want(t, 200, request{method: "GET", path: api + "/analytics/export" + c.query, token: p.access, header: map[string]string{"Accept-Encoding": c.accept}})
		count := "6"
		if strings.Contains(c.query, "view") {
			count = "3"
		}
		if a.header.Get("Content-Encoding") != c.coding || a.trailer.Get("Export-Events") != count ||
			!strings.HasSuffix(a.header.Get("Content-Disposition"), "."+c.extension+`"`) || !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Accept-Encoding") {
			t.Errorf("%+v: %v, %v", c, a.header, a.trailer)
		}
		if text := unpack(t, c.coding, a.raw); !strings.HasPrefix(text, c.begin) {
			t.Errorf("%+v: %q", c, text)
		}
	}
	s.want(t, 422, request{method: "GET", path: api + "/analytics/export?format=xml", token: p.access})
	s.want(t, 422, request{method: "GET", path: api + "/analytics/export?to=x", token: p.access})
}

func unpack(t *testing.T, coding, raw string) string {
	t.Helper()
	var from io.Reader = strings.NewReader(raw)
	var err error
	switch coding {
	case "gzip":
		from, err = gzip.NewReader(from)
	case "zstd":
		from, err = zstd.NewReader(from)
	}
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if _, err := io.Copy(&text, from); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
