package rest

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

func meantEvent(c *fault.Check, name string, e contract.MeantEvent) analytics.EventRequest {
	return analytics.EventRequest{EventType: e.EventType, Filters: filters(c, name+".filters", e.Filters)}
}

// funnel validates a funnel, which the body holds.
func funnel(b *contract.FunnelRequest) (analytics.Funnel, error) {
	var c fault.Check
	r := analytics.FunnelRequest{
		Window: b.Window, StartDate: b.StartDate, EndDate: b.EndDate, Timezone: optional(&c, "timezone", b.Timezone),
		GroupBy: textsIn(&c, "group_by", b.GroupBy, analytics.MaxDimensions, true),
	}
	for i, s := range objectsIn[contract.MeantEvent](&c, "steps", &b.Steps, analytics.MaxFunnelSteps) {
		r.Steps = append(r.Steps, meantEvent(&c, fmt.Sprintf("steps[%d]", i), s))
	}
	f, err := r.Funnel()
	c.TakeOthers(err)
	return f, c.Err()
}

func (h handlers) Funnel(ctx context.Context, r contract.FunnelRequestObject) (contract.FunnelResponseObject, error) {
	var c fault.Check
	tenantID := tenantOf(&c, r.Params.TenantID)
	f, err := funnel(r.Body)
	c.Take(err)
	if err := c.Err(); err != nil {
		return nil, err
	}
	result, err := h.deps.Analytics.Funnel(ctx, callerFrom(ctx).Principal(), tenantID, f)
	if err != nil {
		return nil, err
	}
	answer := contract.Funnel200JSONResponse{
		Steps: funnelSteps(result.Steps), TenantID: string(result.TenantID), ExecutedAt: result.ExecutedAt, Meta: meta(result.Reading),
	}
	if len(f.GroupBy) > 0 {
		answer.Groups = new(make([]contract.FunnelGroup, 0, len(result.Groups)))
	}
	for _, g := range result.Groups {
		group := map[string]*json.Marshaler{}
		for i, d := range f.GroupBy {
			group[d.String()] = new(json.Marshaler(g.Group[i]))
		}
		*answer.Groups = append(*answer.Groups, contract.FunnelGroup{Group: group, Steps: funnelSteps(g.Steps)})
	}
	return answer, nil
}

func funnelSteps(list []analytics.StepResult) []contract.FunnelStep {
	steps := make([]contract.FunnelStep, 0, len(list))
	for _, s := range list {
		steps = append(steps, contract.FunnelStep{
			EventType: s.EventType, Users: s.Users, ConversionFromPrevious: s.FromPrevious, ConversionFromFirst: s.FromFirst, MedianSecondsFromPrevious: s.MedianSeconds,
		})
	}
	return steps
}

// retention validates a retention, which the body holds.
func retention(b *contract.RetentionRequest) (analytics.Retention, error) {
	var (
		c            fault.Check
		cohort, back contract.MeantEvent
	)
	objectIn(&c, "cohort", b.Cohort, &cohort)
	objectIn(&c, "return", b.Return, &back)
	n, err := analytics.RetentionRequest{
		Cohort: meantEvent(&c, "cohort", cohort), Return: meantEvent(&c, "return", back), Period: b.Period,
		StartDate: b.StartDate, EndDate: b.EndDate, Timezone: optional(&c, "timezone", b.Timezone),
	}.Retention()
	c.TakeOthers(err)
	return n, c.Err()
}

func (h handlers) Retention(ctx context.Context, r contract.RetentionRequestObject) (contract.RetentionResponseObject, error) {
	var c fault.Check
	tenantID := tenantOf(&c, r.Params.TenantID)
	n, err := retention(r.Body)
	c.Take(err)
	if err := c.Err(); err != nil {
		return nil, err
	}
	result, err := h.deps.Analytics.Retention(ctx, callerFrom(ctx).Principal(), tenantID, n)
	if err != nil {
		return nil, err
	}
	cohorts := make([]contract.Cohort, 0, len(result.Cohorts))
	for _, one := range result.Cohorts {
		cohorts = append(cohorts, contract.Cohort{Start: one.Start, Users: one.Users, Returned: one.Returned})
	}
	return contract.Retention200JSONResponse{
		Cohorts: cohorts, TenantID: string(result.TenantID), ExecutedAt: result.ExecutedAt, Meta: meta(result.Reading),
	}, nil
}
