package rest

import (
	"context"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

const tokenType = "bearer"

func tokenPair(p session.TokenPair) contract.TokenPair {
	return contract.TokenPair{AccessToken: p.Access, RefreshToken: p.Refresh, TokenType: tokenType, ExpiresIn: int(p.ExpiresIn.Seconds())}
}

func account(b *contract.Registration) user.Account {
	return user.Account{Email: b.Email, Password: b.Password, FullName: b.FullName, Tenant: b.TenantSlug}
}

func (h handlers) Register(ctx context.Context, r contract.RegisterRequestObject) (contract.RegisterResponseObject, error) {
	u, pair, err := h.deps.Auth.Register(ctx, account(r.Body))
	if err != nil {
		return nil, err
	}
	return contract.Register201JSONResponse{User: profile(u), Tokens: tokenPair(pair), Message: "Registration successful"}, nil
}

func (h handlers) SignIn(ctx context.Context, r contract.SignInRequestObject) (contract.SignInResponseObject, error) {
	pair, err := h.deps.Auth.SignIn(ctx, r.Body.Email, r.Body.Password)
	if err != nil {
		return nil, err
	}
	return contract.SignIn200JSONResponse(tokenPair(pair)), nil
}

func (h handlers) Refresh(ctx context.Context, r contract.RefreshRequestObject) (contract.RefreshResponseObject, error) {
	pair, err := h.deps.Auth.Refresh(ctx, r.Body.RefreshToken)
	if err != nil {
		return nil, err
	}
	return contract.Refresh200JSONResponse(tokenPair(pair)), nil
}

func (h handlers) SignOut(ctx context.Context, _ contract.SignOutRequestObject) (contract.SignOutResponseObject, error) {
	if err := h.deps.Auth.SignOut(ctx, callerFrom(ctx)); err != nil {
		return nil, err
	}
	return contract.SignOut204Response{}, nil
}

func (h handlers) Me(ctx context.Context, _ contract.MeRequestObject) (contract.MeResponseObject, error) {
	return contract.Me200JSONResponse(profile(callerFrom(ctx).User)), nil
}

func (h handlers) ChangePassword(ctx context.Context, r contract.ChangePasswordRequestObject) (contract.ChangePasswordResponseObject, error) {
	pair, err := h.deps.Auth.ChangePassword(ctx, callerFrom(ctx), r.Body.CurrentPassword, r.Body.NewPassword)
	if err != nil {
		return nil, err
	}
	return contract.ChangePassword200JSONResponse(tokenPair(pair)), nil
}
