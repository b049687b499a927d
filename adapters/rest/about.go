package rest

import (
	"context"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
)

func (h handlers) About(context.Context, contract.AboutRequestObject) (contract.AboutResponseObject, error) {
	return contract.About200JSONResponse{
		Name: "Secure Data API", Version: h.settings.Version, Documentation: docsPath, Contract: contractPath, Health: healthPath,
	}, nil
}
