package porttest

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Model compares what a store keeps of random histories with what a naive model keeps: events and batches, sent once or again,
// with the same body or another one, on time or late, to two replicas of which each may be started anew, also at the same time, and
// events that expire. open returns one more replica; operator may set a tenant's retention.
func Model(t *testing.T, operator ports.Store, open func() ports.Store) {
	replicas := []ports.Store{open(), open()}
	defer func() {
		for _, r := range replicas {
			stop(t, r)
		}
	}()
	rapid.Check(t, func(rt *rapid.T) {
		home := NewTenant(t, operator)
		_, err := operator.Tenants().SetRetention(t.Context(), manage(t, home.ID), retention(t, modelRetention))
		must(t, err)
		now := time.Now().UTC().Truncate(time.Microsecond)
		h := &trial{
			t: t, home: home.ID, scope: ScopeOf(t, home.ID), open: open, replicas: replicas, began: now,
			model: model{now: now, remembered: map[naming]memory{}},
		}
		rt.Repeat(map[string]func(*rapid.T){
			"one event":    h.sendsOne,
			"a batch":      h.sendsBatch,
			"at once":      h.sendsAtOnce,
			"time":         h.waits,
			"restart":      h.restarts,
			"events go":    h.expires,
			"sealing":      h.seals,
			"anew":         h.unseals,
			"question":     h.asks,
			"":             func(*rapid.T) {},
			"one more":     h.sendsOne, // more often than the others
			"another more": h.sendsBatch,
		})
		h.compare(rt)
	})
}

const (
	modelRetention = 10                 // days
	modelLateBy    = 20 * 24            // hours, of events that are late enough to expire
	modelSpan      = 5 * 24 * time.Hour // the longest time that a history takes
)

// naming is how a sender names an event.
type naming struct {
	kind string // "event_id", "key", "issued", or "" for no name
	text string
}

// sending is an event as it is sent.
type sending struct {
	naming
	eventType string
	user      string
	value     float64
	at        time.Time // zero: not given
}

// kept is an event as the model keeps it.
type kept struct {
	sending
	at time.Time // when it occurred
}

// memory is what the model remembers of a name for a day.
type memory struct {
	event *kept
	since time.Time
}

// model stores what should be stored, in a list that it searches from its beginning. It knows nothing of ids.
type model struct {
	now        time.Time
	events     []*kept
	remembered map[naming]memory
}

// take stores an event unless it is known, and returns what becomes of it.
func (m *model) take(s sending) event.Status {
	lasting := s.kind == "event_id" && !s.at.IsZero() || s.kind == "issued" || s.kind == ""
	if known, there := m.remembered[s.naming]; there && !lasting && m.now.Sub(known.since) < event.KeyLifetime && slices.Contains(m.events, known.event) {
		return known.event.status(s)
	}
	at := m.now
	switch {
	case !s.at.IsZero():
		at = s.at
	case s.kind == "issued":
		at = issuedAt(s.text)
	}
	e := m.find(s.naming, at)
	status := event.Stored
	if e != nil {
		status = e.status(s)
	} else {
		e = &kept{sending: s, at: at}
		m.events = append(m.events, e)
	}
	if !lasting {
		m.remembered[s.naming] = memory{e, m.now}
	}
	return status
}

// status returns what becomes of an event that is sent under the name of a stored one.
func (k *kept) status(s sending) event.Status {
	if k.eventType == s.eventType && k.user == s.user && k.value == s.value && (s.at.IsZero() || s.at.Equal(k.at)) {
		return event.Duplicate
	}
	return event.Reused
}

// find returns the event with a name and a time. Events without a name are all different.
func (m *model) find(n naming, at time.Time) *kept {
	for _, e := range m.events {
		if n.kind != "" && e.naming == n && e.at.Equal(at) {
			return e
		}
	}
	return nil
}

// copied returns a model of the same state, for what may have to be undone.
func (m *model) copied() model {
	c := model{now: m.now, events: slices.Clone(m.events), remembered: map[naming]memory{}}
	for n, known := range m.remembered {
		c.remembered[n] = known
	}
	return c
}

// issuedAt returns the time in the text of an issued key of this test.
func issuedAt(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err) // a mistake in this file
	}
	return at
}

// trial is a history that goes on, of a store and of the model.
type trial struct {
	t        *testing.T
	home     id.Tenant
	scope    access.Scope
	open     func() ports.Store
	replicas []ports.Store
	began    time.Time
	model    model
	issued   []string
}

func stop(t *testing.T, s ports.Store) {
	t.Helper()
	must(t, s.(io.Closer).Close())
}

func (h *trial) restarts(rt *rapid.T) {
	i := rapid.IntRange(0, len(h.replicas)-1).Draw(rt, "replica")
	stop(h.t, h.replicas[i])
	h.replicas[i] = h.open()
}

func (h *trial) waits(rt *rapid.T) {
	wait := rapid.SampledFrom([]time.Duration{time.Microsecond, time.Minute, event.KeyLifetime - time.Minute, event.KeyLifetime}).Draw(rt, "for")
	if h.model.now.Add(wait).Sub(h.began) < modelSpan {
		h.model.now = h.model.now.Add(wait)
	}
}

// draw draws an event. timed is whether an event_id comes with a time: within a batch always or never.
func (h *trial) draw(rt *rapid.T, timed bool) sending {
	s := sending{
		naming:    naming{kind: rapid.SampledFrom([]string{"event_id", "event_id", "key", "key", "issued", ""}).Draw(rt, "named by")},
		eventType: rapid.SampledFrom([]string{"view", "click"}).Draw(rt, "type"),
		user:      rapid.SampledFrom([]string{"u", "u", "v", "w"}).Draw(rt, "user"),
		value:     rapid.SampledFrom([]float64{0, 1}).Draw(rt, "value"),
	}
	at := h.began.Add(-time.Duration(rapid.SampledFrom([]int{0, 1, modelLateBy}).Draw(rt, "hours late")) * time.Hour)
	switch s.kind {
	case "":
	case "issued":
		if len(h.issued) == 0 || rapid.Bool().Draw(rt, "new key") {
			h.issued = append(h.issued, h.model.now.Add(time.Duration(len(h.issued))).Format(time.RFC3339Nano))
		}
		s.text = rapid.SampledFrom(h.issued).Draw(rt, "key")
		return s
	default:
		s.text = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "name")
	}
	if s.kind == "event_id" && timed || s.kind != "event_id" && rapid.Bool().Draw(rt, "with its time") {
		s.at = at
	}
	return s
}

// entry returns a sending as the use case hands it to the store.
func (h *trial) entry(s sending) event.Entry {
	d := event.Draft{Type: s.eventType, UserIdentifier: s.user, Value: &s.value}
	if !s.at.IsZero() {
		d.OccurredAt = &s.at
	}
	keys := event.NewKeys([]byte("secret"))
	var name event.Name
	switch s.kind {
	case "event_id":
		d.EventID = &s.text
	case "key":
		name = keys.Name(h.home, s.text)
	case "issued":
		name = keys.Name(h.home, keys.Issue(h.home, issuedAt(s.text), s.text))
	default:
		name = event.Unnamed(string(NewID[id.Event]()))
	}
	return entry(h.t, h.home, d, name, h.model.now)
}

// send sends a batch to a replica.
func (h *trial) send(to ports.Store, atomic bool, sent ...sending) ([]event.Status, error) {
	b := event.Batch{Atomic: atomic, At: h.model.now}
	for _, s := range sent {
		b.Entries = append(b.Entries, h.entry(s))
	}
	outcomes, err := to.Events().Ingest(h.t.Context(), h.scope, b)
	var got []event.Status
	for _, o := range outcomes {
		got = append(got, o.Status)
	}
	return got, err
}

func (h *trial) replica(rt *rapid.T) ports.Store {
	return rapid.SampledFrom(h.replicas).Draw(rt, "to")
}

func (h *trial) sendsOne(rt *rapid.T) {
	s := h.draw(rt, rapid.Bool().Draw(rt, "event_id with its time"))
	got, err := h.send(h.replica(rt), false, s)
	if want := h.model.take(s); err != nil || len(got) != 1 || got[0] != want {
		rt.Fatalf("%+v: %v, %v, want %v", s, got, err, want)
	}
}

func (h *trial) sendsBatch(rt *rapid.T) {
	timed, atomic := rapid.Bool().Draw(rt, "event_ids with their times"), rapid.Bool().Draw(rt, "atomic")
	var (
		sent []sending
		want []event.Status
	)
	before := h.model.copied()
	for range rapid.IntRange(1, 8).Draw(rt, "events") {
		s := h.draw(rt, timed)
		sent, want = append(sent, s), append(want, h.model.take(s))
	}
	if atomic && slices.Contains(want, event.Reused) {
		h.model = before
	}
	if got, err := h.send(h.replica(rt), atomic, sent...); err != nil || !slices.Equal(got, want) {
		rt.Fatalf("atomic: %t, %+v: %v, %v, want %v", atomic, sent, got, err, want)
	}
}

// sendsAtOnce sends one event several times at once, to all replicas.
func (h *trial) sendsAtOnce(rt *rapid.T) {
	s := h.draw(rt, rapid.Bool().Draw(rt, "event_id with its time"))
	if s.kind == "" {
		return
	}
	const times = 3
	got := make([]event.Status, times*len(h.replicas))
	var sending sync.WaitGroup
	for i := range got {
		sending.Go(func() {
			statuses, err := h.send(h.replicas[i%len(h.replicas)], false, s)
			if err != nil {
				h.t.Error(err)
				return
			}
			got[i] = statuses[0]
		})
	}
	sending.Wait()
	want := []event.Status{h.model.take(s)}
	for len(want) < len(got) {
		want = append(want, h.model.take(s))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		rt.Fatalf("%+v at once: %v, want %v", s, got, want)
	}
}

// expires deletes what is kept no longer, by the time at which the history began, which is that of the database.
func (h *trial) expires(rt *rapid.T) {
	if rapid.IntRange(0, 4).Draw(rt, "not now") > 0 { // it takes longer than all the rest
		return
	}
	work, err := access.Worker().Authorize(access.ExpireEvents, access.EveryTenant)
	must(h.t, err)
	for more := true; more; {
		if _, more, err = h.replica(rt).Events().Expire(h.t.Context(), work, h.began, 1000); err != nil {
			rt.Fatal(err)
		}
	}
	h.model.events = slices.DeleteFunc(h.model.events, func(e *kept) bool { return e.at.Before(h.began.AddDate(0, 0, -modelRetention)) })
}

// compare compares all that is stored, in the order of time, and what a query counts.
func (h *trial) compare(rt *rapid.T) {
	show := func(at time.Time, eventType string, value float64) string {
		return fmt.Sprintf("%s %s %g", at.Format("2006-01-02T15:04:05.000000"), eventType, value)
	}
	var got, want []string
	for _, e := range everyEvent(h.t, h.replica(rt), h.home) {
		got = append(got, show(e.OccurredAt, e.Type, *e.Value))
	}
	for _, e := range h.model.events {
		want = append(want, show(e.at, e.eventType, e.value))
	}
	if !slices.IsSortedFunc(got, func(a, b string) int { return cmp.Compare(a[:26], b[:26]) }) {
		rt.Errorf("events are not in the order of time: %q", got)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		rt.Errorf("stored are %q, want %q", got, want)
	}
	h.asks(rt)
}

// seals does a step of sealing on a replica, or all there is to do.
func (h *trial) seals(rt *rapid.T) {
	work, err := access.Worker().Authorize(access.SealEvents, h.home)
	must(h.t, err)
	now := h.model.now.Add(rapid.SampledFrom([]time.Duration{time.Minute, 48 * time.Hour}).Draw(rt, "later"))
	for range rapid.IntRange(1, 4).Draw(rt, "steps") {
		if _, err := h.replica(rt).Events().Seal(h.t.Context(), work, now); err != nil {
			rt.Fatal(err)
		}
	}
}

// unseals throws away what is sealed.
func (h *trial) unseals(rt *rapid.T) {
	if err := h.replica(rt).Events().Unseal(h.t.Context(), h.scope); err != nil {
		rt.Fatal(err)
	}
}

// asks compares the answers to questions, of all times and of a window, with a count of the events.
func (h *trial) asks(rt *rapid.T) {
	w := analytics.Window{}
	if rapid.Bool().Draw(rt, "in a window") {
		w = analytics.Window{Start: h.began.Add(-time.Duration(rapid.IntRange(0, 3).Draw(rt, "hours")) * time.Hour), End: h.began.Add(time.Hour)}
	}
	want := map[string]int64{}
	users := map[string]bool{}
	var total int64
	for _, e := range h.model.events {
		if (w.Start.IsZero() || !e.at.Before(w.Start)) && (w.End.IsZero() || e.at.Before(w.End)) {
			want[e.eventType]++
			users[e.user] = true
			total++
		}
	}
	summary := analytics.NewSummaryQuestion(w)
	reading, err := h.replica(rt).Events().Answer(h.t.Context(), h.scope, summary)
	if err != nil {
		rt.Fatal(err)
	}
	got := summary.Summary(h.home)
	if got.TotalEvents != total || got.UniqueUsers != int64(len(users)) || len(got.TopEventTypes) != len(want) {
		rt.Fatalf("in %v there are %d events of %d users, want %d of %d (%+v)", w, got.TotalEvents, got.UniqueUsers, total, len(users), reading)
	}
	for _, c := range got.TopEventTypes {
		if want[c.Type] != c.Count {
			rt.Fatalf("%d of %s are counted, want %d (%+v)", c.Count, c.Type, want[c.Type], reading)
		}
	}
}
