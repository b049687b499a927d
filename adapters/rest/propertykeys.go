package rest

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

func (h handlers) ListPropertyKeys(ctx context.Context, r contract.ListPropertyKeysRequestObject) (contract.ListPropertyKeysResponseObject, error) {
	var c fault.Check
	tenantID := tenantOf(&c, r.Params.TenantID)
	selection, err := analytics.SelectionRequest{From: optional(&c, "from", r.Params.From), To: optional(&c, "to", r.Params.To)}.Selection()
	c.TakeOthers(err)
	if err := c.Err(); err != nil {
		return nil, err
	}
	result, err := h.deps.Analytics.PropertyKeys(ctx, callerFrom(ctx).Principal(), tenantID, selection.Window)
	if err != nil {
		return nil, err
	}
	list := make([]contract.PropertyKey, 0, len(result.Keys))
	for _, k := range result.Keys {
		one := contract.PropertyKey{Key: k.Key, Events: k.Events, Types: k.Types, Examples: make([]*jsontext.Value, 0, len(k.Examples))}
		for _, example := range k.Examples {
			one.Examples = append(one.Examples, new(jsontext.Value(example)))
		}
		list = append(list, one)
	}
	return contract.ListPropertyKeys200JSONResponse{Properties: list, TenantID: string(result.TenantID), Meta: meta(result.Reading)}, nil
}
