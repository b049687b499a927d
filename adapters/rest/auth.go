package rest

import (
	"context"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

const tokenType = "bearer"

func tokenPair(p session.TokenPair) TokenPair {
	return TokenPair{AccessToken: p.Access, RefreshToken: p.Refresh, TokenType: tokenType, ExpiresIn: int(p.ExpiresIn.Seconds())}
}

func (b Registration) account() user.Account {
	return user.Account{Email: b.Email, Password: b.Password, FullName: b.FullName, Tenant: b.TenantSlug}
}

func (b Registration) check(_ context.Context, s *Server) error {
	return s.deps.Auth.CheckAccount(b.account())
}

func (h handlers) Register(ctx context.Context, r RegisterRequestObject) (RegisterResponseObject, error) {
	u, pair, err := h.deps.Auth.Register(ctx, r.Body.account())
	if err != nil {
		return nil, err
	}
	return Register201JSONResponse{User: profile(u), Tokens: tokenPair(pair), Message: "Registration successful"}, nil
}

func (b Credentials) check(context.Context, *Server) error {
	_, err := user.ParseEmail(b.Email)
	return err
}

func (h handlers) SignIn(ctx context.Context, r SignInRequestObject) (SignInResponseObject, error) {
	pair, err := h.deps.Auth.SignIn(ctx, r.Body.Email, r.Body.Password)
	if err != nil {
		return nil, err
	}
	return SignIn200JSONResponse(tokenPair(pair)), nil
}

func (h handlers) Refresh(ctx context.Context, r RefreshRequestObject) (RefreshResponseObject, error) {
	pair, err := h.deps.Auth.Refresh(ctx, r.Body.RefreshToken)
	if err != nil {
		return nil, err
	}
	return Refresh200JSONResponse(tokenPair(pair)), nil
}

func (h handlers) SignOut(ctx context.Context, _ SignOutRequestObject) (SignOutResponseObject, error) {
	if err := h.deps.Auth.SignOut(ctx, callerFrom(ctx)); err != nil {
		return nil, err
	}
	return SignOut204Response{}, nil
}

func (h handlers) Me(ctx context.Context, _ MeRequestObject) (MeResponseObject, error) {
	return Me200JSONResponse(profile(callerFrom(ctx).User)), nil
}

func (b PasswordChange) check(ctx context.Context, s *Server) error {
	return s.deps.Auth.CheckPasswordChange(ctx, callerFrom(ctx).User, b.CurrentPassword, b.NewPassword)
}

func (h handlers) ChangePassword(ctx context.Context, r ChangePasswordRequestObject) (ChangePasswordResponseObject, error) {
	pair, err := h.deps.Auth.ChangePassword(ctx, callerFrom(ctx), r.Body.CurrentPassword, r.Body.NewPassword)
	if err != nil {
		return nil, err
	}
	return ChangePassword200JSONResponse(tokenPair(pair)), nil
}
