package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// ErrTooManyAttempts: there were too many wrong passwords for one account; see Service.guess.
var ErrTooManyAttempts = fault.New(fault.RateLimited, "rate_limited", "Too many attempts on the password of this account.")

// addressesPerUser is how many of the addresses from which a user signed in are stored.
const addressesPerUser = 20

// guess verifies a password and counts the attempt under a key. It limits how fast passwords can be guessed, and nobody can
// use it to lock another user out (ASVS 6.3.1):
//
//   - Only failures count. An attempt is counted before its password is verified, so that concurrent attempts can't exceed
//     the rate, and is taken back if the password was right.
//   - All addresses share one count per account, whether the account exists or not, so that guessing from many addresses
//     is no faster than from one.
//   - An address (for IPv6 its /64) from which the account signed in before has a count of its own, with the same rate.
//     The failures of other addresses do not block it.
//   - A change of password, which needs a session, is counted by session, so that a stolen session can't use up the
//     attempts of the user's other sessions.
//   - No lock is permanent: counting starts anew with the next window.
func (s *Service) guess(ctx context.Context, key attemptKey, verify func() (right bool, err error)) (bool, error) {
	left, err := s.attempt(ctx, key)
	if err != nil {
		return false, err
	}
	began := s.clock.Now()
	right, err := verify()
	wrong := !right && err == nil // an error is not a wrong password
	if over := s.clock.Now().Sub(began) >= left.Reset; wrong || over {
		return right, err
	}
	return right, errors.Join(err, s.limiter.GiveBack(context.WithoutCancel(ctx), key.String(), s.settings.AccountRate))
}

// attemptKey is what an attempt is counted under: the name of the rate, and who is counted.
type attemptKey struct{ rate, who string }

func (k attemptKey) String() string { return k.rate + ":" + k.who }

// attempt counts an attempt under a key. Errors: ErrTooManyAttempts.
func (s *Service) attempt(ctx context.Context, key attemptKey) (ports.Allowance, error) {
	left, err := s.limiter.Take(ctx, key.String(), s.settings.AccountRate)
	if err == nil && left.Exceeded {
		s.limitHit(key.rate)
		return left, ErrTooManyAttempts.After(left.Reset)
	}
	return left, err
}

// accountKey returns the key under which a sign-in attempt is counted.
func (s *Service) accountKey(ctx context.Context, email user.Email) (attemptKey, error) {
	address := session.AddressKey(audit.OriginFrom(ctx).Address)
	known, err := s.store.SignInAddresses().Known(ctx, email, address)
	if err != nil {
		return attemptKey{}, err
	}
	sum := sha256.Sum256([]byte(email.String()))
	who := hex.EncodeToString(sum[:16])
	if known {
		who += ":" + address
	}
	return attemptKey{"account", who}, nil
}
