package rest

import (
	"context"
	"encoding/json"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

func (h handlers) Summarize(ctx context.Context, r contract.SummarizeRequestObject) (contract.SummarizeResponseObject, error) {
	var c fault.Check
	tenantID := tenantOf(&c, r.Params.TenantID)
	period, err := analytics.ParsePeriod(optional(&c, "period", r.Params.Period))
	c.Take(err)
	if err := c.Err(); err != nil {
		return nil, err
	}
	s, err := h.deps.Analytics.Summarize(ctx, callerFrom(ctx).Principal(), tenantID, period)
	if err != nil {
		return nil, err
	}
	top := make([]contract.EventTypeCount, 0, len(s.TopEventTypes))
	for _, t := range s.TopEventTypes {
		top = append(top, contract.EventTypeCount{EventType: t.Type, Count: t.Count})
	}
	body := contract.Summary{
		TenantID: string(s.TenantID), Period: period.String(), TotalEvents: s.TotalEvents, UniqueUsers: s.UniqueUsers, TopEventTypes: top,
	}
	tag, err := etag("summary", nil, body)
	switch {
	case err != nil:
		return nil, err
	case isKnown(tag, r.Params.IfNoneMatch):
		return contract.Summarize304Response{Headers: contract.Summarize304ResponseHeaders{CacheControl: cacheValidated, ETag: tag, Vary: varyValidated}}, nil
	}
	body.GeneratedAt, body.Meta = s.Window.End, meta(s.Reading)
	return contract.Summarize200JSONResponse{
		Body: body, Headers: contract.Summarize200ResponseHeaders{CacheControl: cacheValidated, ETag: tag, Vary: varyValidated},
	}, nil
}

// meta returns how an answer was found.
func meta(r analytics.Reading) contract.Meta {
	return contract.Meta{Source: r.Source(), EventsRead: r.EventsRead, DurationMs: float64(r.Took.Microseconds()) / 1000}
}

func (h handlers) Timeseries(ctx context.Context, r contract.TimeseriesRequestObject) (contract.TimeseriesResponseObject, error) {
	var c fault.Check
	tenantID := tenantOf(&c, r.Params.TenantID)
	s, err := analytics.TimeseriesRequest{
		Metric: optional(&c, "metric", r.Params.Metric), Granularity: optional(&c, "granularity", r.Params.Granularity),
		Period: optional(&c, "period", r.Params.Period), EventType: optional(&c, "event_type", r.Params.EventType),
		Source: optional(&c, "source", r.Params.Source), Timezone: optional(&c, "timezone", r.Params.Timezone),
		Compare: optional(&c, "compare", r.Params.Compare),
	}.Timeseries()
	c.Take(err)
	if err := c.Err(); err != nil {
		return nil, err
	}
	result, err := h.deps.Analytics.Timeseries(ctx, callerFrom(ctx).Principal(), tenantID, s)
	if err != nil {
		return nil, err
	}
	body := contract.Timeseries{
		TenantID: string(result.TenantID), Metric: s.Metric.String(), Granularity: s.Granularity.String(), Timezone: s.Timezone.String(),
		Series: points(result.Series), Total: result.Total, ChangePercent: result.ChangePercent,
	}
	if result.Previous != nil {
		body.Previous = &contract.PreviousSeries{Series: points(*result.Previous), Total: result.Previous.Total}
	}
	tag, err := etag("timeseries", []string{s.Period.String(), s.EventType, s.Source}, body)
	switch {
	case err != nil:
		return nil, err
	case isKnown(tag, r.Params.IfNoneMatch):
		return contract.Timeseries304Response{Headers: contract.Timeseries304ResponseHeaders{CacheControl: cacheValidated, ETag: tag, Vary: varyValidated}}, nil
	}
	body.Meta = meta(result.Reading)
	return contract.Timeseries200JSONResponse{
		Body: body, Headers: contract.Timeseries200ResponseHeaders{CacheControl: cacheValidated, ETag: tag, Vary: varyValidated},
	}, nil
}

func points(s analytics.Series) []contract.Point {
	list := make([]contract.Point, 0, len(s.Points))
	for _, p := range s.Points {
		list = append(list, contract.Point{Time: p.Time, Value: p.Value})
	}
	return list
}

// query validates a query, which the body holds.
func query(b *contract.QueryRequest) (analytics.Query, error) {
	var c fault.Check
	r := analytics.QueryRequest{
		EventType: optional(&c, "event_type", b.EventType), StartDate: optional(&c, "start_date", b.StartDate), EndDate: optional(&c, "end_date", b.EndDate),
		GroupBy:  textsIn(&c, "group_by", b.GroupBy, analytics.MaxDimensions, true),
		Metrics:  textsIn(&c, "metrics", b.Metrics, analytics.MaxMetrics, false),
		Filters:  filters(&c, "filters", b.Filters),
		Timezone: optional(&c, "timezone", b.Timezone), Fill: value(b.Fill), Limit: b.Limit,
	}
	for _, o := range objectsIn[contract.Order](&c, "order_by", b.OrderBy, analytics.MaxDimensions+analytics.MaxMetrics) {
		r.OrderBy = append(r.OrderBy, analytics.OrderRequest{By: o.By, Direction: value(o.Direction)})
	}
	q, err := r.Query()
	c.TakeOthers(err)
	return q, c.Err()
}

func filters(c *fault.Check, name string, raw *json.RawMessage) (list []analytics.FilterRequest) {
	for _, f := range objectsIn[contract.Filter](c, name, raw, analytics.MaxFilters) {
		list = append(list, analytics.FilterRequest{Field: f.Field, Op: f.Op, Value: f.Value})
	}
	return list
}

func (h handlers) Query(ctx context.Context, r contract.QueryRequestObject) (contract.QueryResponseObject, error) {
	var c fault.Check
	tenantID := tenantOf(&c, r.Params.TenantID)
	q, err := query(r.Body)
	c.Take(err)
	if err := c.Err(); err != nil {
		return nil, err
	}
	result, err := h.deps.Analytics.Query(ctx, callerFrom(ctx).Principal(), tenantID, q)
	if err != nil {
		return nil, err
	}
	rows := make([]contract.QueryRow, 0, len(result.Rows))
	for _, row := range result.Rows {
		rows = append(rows, queryRow{q, row})
	}
	return contract.Query200JSONResponse{
		Query: queryEcho(r.Body, q), Results: rows, RowCount: len(rows), TenantID: string(result.TenantID),
		ExecutedAt: result.ExecutedAt, Meta: meta(result.Reading),
	}, nil
}

// queryEcho returns the query with the defaults that every query has; what else there may be is as it was sent.
func queryEcho(b *contract.QueryRequest, q analytics.Query) contract.QueryEcho {
	groupBy := json.RawMessage(`"event_type"`)
	if b.GroupBy != nil {
		groupBy = *b.GroupBy
	}
	return contract.QueryEcho{
		EventType: present(q.EventType), StartDate: present(q.Window.Start), EndDate: present(q.Window.End), GroupBy: groupBy,
		Metrics: b.Metrics, Filters: b.Filters, Timezone: b.Timezone, OrderBy: b.OrderBy, Fill: b.Fill, Limit: q.Limit,
	}
}

// present returns a pointer to v, or nil for the zero value.
func present[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// queryRow is one group of a result: fields with the names of the dimensions and metrics.
type queryRow struct {
	query analytics.Query
	row   analytics.Row
}

// MarshalJSON writes the row.
func (r queryRow) MarshalJSON() ([]byte, error) {
	fields := make(map[string]any, len(r.row.Group)+len(r.row.Values))
	for i, name := range r.query.DimensionNames() {
		fields[name] = r.row.Group[i]
	}
	for i, name := range r.query.MetricNames() {
		fields[name] = r.row.Values[i]
	}
	return json.Marshal(fields)
}
