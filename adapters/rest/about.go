package rest

import "context"

func (h handlers) About(context.Context, AboutRequestObject) (AboutResponseObject, error) {
	return About200JSONResponse{
		Name: "Secure Data API", Version: h.settings.Version, Documentation: docsPath, Contract: contractPath, Health: healthPath,
	}, nil
}
