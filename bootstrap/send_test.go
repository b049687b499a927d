package bootstrap_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/send"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// testSendingAlike: events so alike that compressing makes less of them than the service accepts are sent all the same.
func testSendingAlike(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	const n = 600 // 5 MB, in two requests
	line := fmt.Sprintf(`{"event_type":"view","user_identifier":"u","occurred_at":%q,"properties":{"a":%q}}`+"\n",
		s.clock.Now().Format(time.RFC3339), strings.Repeat("a", 8000))
	requests := 0
	total, err := send.Send(t.Context(), strings.NewReader(strings.Repeat(line, n)), send.Options{
		URL: s.url, Agent: "test", Format: send.NDJSON, Token: p.access, Rejected: filepath.Join(t.TempDir(), "rejected.ndjson"),
		Progress: func(send.Total) { requests++ }, Notice: func(text string) { t.Error(text) },
	})
	if err != nil || total.Stored != n || requests != 2 {
		t.Errorf("sent %+v in %d requests, %v", total, requests, err)
	}
	if stored := s.storedEvents(t, p); stored != n {
		t.Errorf("%d events are stored", stored)
	}
}
