package bootstrap

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/token"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
)

const (
	// secretFile is where the signing key is kept in development.
	secretFile = "jwt-secret-key"
	// secretBytes is how much randomness it has: enough for every algorithm.
	secretBytes = 64
)

// signer returns what signs tokens: with the configured secret, or in development with one that is made once and kept.
func (a *App) signer(ctx context.Context, serving bool) (*token.Signer, error) {
	secret := a.config.JWTSecret
	switch {
	case len(secret) > 0:
	case !serving:
		secret = randomSecret() // which signs nothing
	default:
		path := filepath.Join(a.config.DataDir, secretFile)
		if err := a.checkDevelopment(ctx, path); err != nil {
			return nil, err
		}
		kept, err := a.keptSecret(ctx, path)
		if err != nil {
			return nil, err
		}
		secret = kept
	}
	return token.NewSigner(a.config.JWTAlgorithm, secret)
}

// checkDevelopment refuses to make a key of development beside a database that has served production, or may have: an old
// one of development has its key at the path already.
func (a *App) checkDevelopment(ctx context.Context, path string) error {
	served, err := a.served(ctx)
	if err != nil {
		return err
	}
	_, err = os.Stat(path)
	hasNoKey := errors.Is(err, fs.ErrNotExist)
	if slices.Contains(served, config.Production) || slices.Contains(served, unknown) && hasNoKey {
		return errors.New("this database has served production, or is older than its record of that: set ENVIRONMENT, or for a copy of it JWT_SECRET_KEY")
	}
	return nil
}

// keptSecret returns the secret of this machine, which is made where there is none.
func (a *App) keptSecret(ctx context.Context, path string) ([]byte, error) {
	a.logger.WarnContext(ctx, "JWT_SECRET_KEY is not set: tokens are signed with a random key of this machine, which is for development only", "file", path)
	if err := os.MkdirAll(a.config.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	kept, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeSecret(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the signing key %s can be read by others: chmod 600 it, or delete it to have a new one", path)
	}
	return kept, nil
}

func randomSecret() []byte {
	random := make([]byte, secretBytes)
	rand.Read(random) // never fails: it crashes the program instead
	return []byte(base64.RawURLEncoding.EncodeToString(random))
}

func makeSecret(path string) ([]byte, error) {
	secret := randomSecret()
	// The key appears whole or not at all, also to another process that starts at this moment.
	f, err := os.CreateTemp(filepath.Dir(path), secretFile+"-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("making the signing key: %w", err)
	}
	_, err = f.Write(secret)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	_ = os.Remove(f.Name()) // the key has its own name now, or is of no use
	if errors.Is(err, fs.ErrExist) {
		return os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("making the signing key: %w", err)
	}
	return secret, nil
}
