package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"
)

// Bars of the results of questions over columns.
const (
	maxColumnsOfSQL    = 0.1
	maxGrowthOfColumns = 2.2 // for twice the events
)

// answersARound is how often a question is asked in a round, for the median.
const answersARound = 5

// comparison is a question, and the same by hand-written SQL over the rows of a tenant, which is the parameter, in each database.
type comparison struct {
	question
	sqlite, postgres string
}

// comparisons are questions that headers don't answer, about events of the last 28 days.
func comparisons(now time.Time) []comparison {
	dates := fmt.Sprintf(`"start_date":%q,"end_date":%q`, now.Add(-span-24*time.Hour).Format(time.DateOnly), now.Add(24*time.Hour).Format(time.DateOnly))
	return []comparison{
		{question{"query by two dimensions of events with a property", http.MethodPost, "/analytics/query",
			`{"group_by":["event_type","source"],"filters":[{"field":"properties.plan","op":"eq","value":"pro"}],"metrics":["count","avg(value)"],` + dates + `}`},
			"SELECT event_type, source, COUNT(*), AVG(value) FROM events WHERE tenant_id = $1 AND properties ->> 'plan' = 'pro' GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 100",
			"SELECT event_type, source, COUNT(*), AVG(value) FROM events WHERE tenant_id = $1 AND properties::json ->> 'plan' = 'pro' GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 100"},
		{question{"percentiles by day", http.MethodPost, "/analytics/query", `{"group_by":"day","metrics":["count","p50(value)","p95(value)"],` + dates + `}`},
			percentilesSQLite, percentilesPostgres},
		{question{"funnel of 3 steps", http.MethodPost, "/analytics/funnel",
			`{"steps":[{"event_type":"event_type_00"},{"event_type":"event_type_01"},{"event_type":"event_type_02"}],"window":"7d",` + dates + `}`},
			funnelSQL, funnelSQL},
		{question{"retention by week", http.MethodPost, "/analytics/retention",
			`{"cohort":{"event_type":"event_type_00"},"return":{"event_type":"event_type_01"},"period":"week",` + dates + `}`},
			retentionSQL, retentionSQL},
	}
}

const (
	percentilesSQLite = `WITH ranked AS (
	SELECT occurred_at / 86400000000 AS day, value, ROW_NUMBER() OVER (PARTITION BY occurred_at / 86400000000 ORDER BY value) - 1 AS n,
		COUNT(*) OVER (PARTITION BY occurred_at / 86400000000) - 1 AS last
	FROM events WHERE tenant_id = $1 AND value IS NOT NULL
)
SELECT day, SUM(CASE WHEN n = CAST(0.5 * last AS INTEGER) THEN value * (1 - (0.5 * last - CAST(0.5 * last AS INTEGER)))
		WHEN n = CAST(0.5 * last AS INTEGER) + 1 THEN value * (0.5 * last - CAST(0.5 * last AS INTEGER)) END),
	SUM(CASE WHEN n = CAST(0.95 * last AS INTEGER) THEN value * (1 - (0.95 * last - CAST(0.95 * last AS INTEGER)))
		WHEN n = CAST(0.95 * last AS INTEGER) + 1 THEN value * (0.95 * last - CAST(0.95 * last AS INTEGER)) END)
FROM ranked GROUP BY day ORDER BY day`
	percentilesPostgres = `SELECT occurred_at / 86400000000, COUNT(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY value)
FROM events WHERE tenant_id = $1 GROUP BY 1 ORDER BY 1`
	funnelSQL = `WITH steps AS (
	SELECT user_identifier, occurred_at, event_type,
		MAX(CASE WHEN event_type = 'event_type_00' THEN occurred_at END) OVER (PARTITION BY user_identifier ORDER BY occurred_at) AS first
	FROM events WHERE tenant_id = $1 AND event_type IN ('event_type_00', 'event_type_01', 'event_type_02')
), chains AS (
	SELECT *, MAX(CASE WHEN event_type = 'event_type_01' AND occurred_at <= first + 604800000000 THEN first END)
		OVER (PARTITION BY user_identifier ORDER BY occurred_at) AS second
	FROM steps
)
SELECT COUNT(DISTINCT CASE WHEN event_type = 'event_type_00' THEN user_identifier END),
	COUNT(DISTINCT CASE WHEN event_type = 'event_type_01' AND occurred_at <= first + 604800000000 THEN user_identifier END),
	COUNT(DISTINCT CASE WHEN event_type = 'event_type_02' AND occurred_at <= second + 604800000000 THEN user_identifier END)
FROM chains`
	// Weeks begin on Monday, which the first day of 1970 is three days after.
	retentionSQL = `WITH cohort AS (
	SELECT user_identifier, MIN(occurred_at) AS first FROM events WHERE tenant_id = $1 AND event_type = 'event_type_00' GROUP BY 1
)
SELECT (first + 259200000000) / 604800000000, (occurred_at + 259200000000) / 604800000000 - (first + 259200000000) / 604800000000, COUNT(DISTINCT e.user_identifier)
FROM cohort JOIN events e ON e.user_identifier = cohort.user_identifier AND e.occurred_at >= first
WHERE e.tenant_id = $1 AND e.event_type = 'event_type_01' GROUP BY 1, 2 ORDER BY 1, 2`
)

// columns compares questions over the columns of n events with SQL. It returns what each takes, too.
func (b *bench) columns(ctx context.Context, n int) (results []Result, took map[string]float64, err error) {
	took = map[string]float64{}
	for _, c := range comparisons(time.Now()) {
		what := fmt.Sprintf("%s, %s events", c.what, grouped(int64(n)))
		b.Note(what)
		var pairs []pair
		for range rounds {
			bySQL, err := b.storage.compare(ctx, b.askedID, c)
			if err != nil {
				return nil, nil, err
			}
			var answered []float64
			for range answersARound { // each takes little time, in which anything else on the machine shows
				one, err := b.asked.time(ctx, c.question)
				if err != nil {
					return nil, nil, err
				}
				answered = append(answered, millis(one))
			}
			pairs = append(pairs, pair{median(answered), millis(bySQL)})
		}
		result := compare(what, pairs, "ms", "of the same by SQL")
		if n >= fewestCompared {
			result = result.judged(Bar{AtMost: maxColumnsOfSQL})
		}
		results, took[c.what] = append(results, result), result.Measured.Value
	}
	return results, took, nil
}

// growth returns how much longer questions took over twice the events, and how much memory the service had at most by then.
func (b *bench) growth(before, after map[string]float64) (results []Result, err error) {
	for _, c := range comparisons(time.Now()) {
		results = append(results, single(c.what+", of twice the events", after[c.what]/before[c.what], "times").judged(Bar{AtMost: maxGrowthOfColumns}))
	}
	peak, err := b.service.peak()
	if errors.Is(err, fs.ErrNotExist) {
		return results, nil
	}
	return append(results, single("peak memory of the service", float64(peak)/mebibyte, "MiB")), err
}
