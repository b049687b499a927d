package rest

import (
	"context"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
)

// acceptKey is the key of the content codings that a client accepts, in the context of a request.
type acceptKey struct{}

// keepAccepted remembers which content codings a client accepts. It is no parameter of the contract, since the generated code refuses
// a header that comes in several lines.
func keepAccepted(next contract.StrictHandlerFunc, _ string) contract.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		r := c.Request()
		accepted := strings.Join(r.Header.Values(headerAcceptEncoding), ",")
		c.SetRequest(r.WithContext(context.WithValue(r.Context(), acceptKey{}, accepted)))
		return next(c, request)
	}
}

// acceptedFrom returns the header Accept-Encoding of a request.
func acceptedFrom(ctx context.Context) string {
	accepted, _ := ctx.Value(acceptKey{}).(string)
	return accepted
}

// preferred returns which of the content codings that are offered, the best first, a client prefers, or "" for none (RFC 9110 12.5.3).
func preferred(accepted string, offered ...string) string {
	weights := map[string]float64{}
	for part := range strings.SplitSeq(strings.ToLower(accepted), ",") {
		coding, parameter, _ := strings.Cut(part, ";")
		if coding = strings.TrimSpace(coding); coding == "" {
			continue
		}
		weights[strings.TrimPrefix(coding, "x-")] = weight(strings.TrimSpace(parameter))
	}
	best, most := "", 0.0
	for _, coding := range offered {
		w, named := weights[coding]
		if !named {
			w = weights["*"]
		}
		if w > most {
			best, most = coding, w
		}
	}
	if identity, named := weights["identity"]; named && identity > most {
		return ""
	}
	return best
}

// weight returns the weight of a coding, which is 1 by default. One that is malformed is 0: then the coding is not used.
func weight(parameter string) float64 {
	if parameter == "" {
		return 1
	}
	text, isWeight := strings.CutPrefix(parameter, "q=")
	w, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if !isWeight || err != nil || w < 0 || w > 1 {
		return 0
	}
	return w
}
