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

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
)

const (
	// secretFile is the file with the signing key in development.
	secretFile = "jwt-secret-key"
	// secretBytes is its length in random bytes, enough for every algorithm.
	secretBytes = 64
)

// secret returns the configured secret, or in development one that is generated once and stored.
func (a *App) secret(ctx context.Context, serving bool) ([]byte, error) {
	switch {
	case len(a.config.JWTSecret) > 0:
		return a.config.JWTSecret, nil
	case !serving:
		return randomSecret(), nil // never used to sign
	}
	path := filepath.Join(a.config.DataDir, secretFile)
	if err := a.checkDevelopment(ctx, path); err != nil {
		return nil, err
	}
	return a.keptSecret(ctx, path)
}

// checkDevelopment refuses to generate a development key for a database that was used in production, or may have been. An old
// development database already has its key at the path.
func (a *App) checkDevelopment(ctx context.Context, path string) error {
	served, err := a.served(ctx)
	if err != nil {
		return err
	}
	_, err = os.Stat(path)
	hasNoKey := errors.Is(err, fs.ErrNotExist)
	if slices.Contains(served, config.Production) || slices.Contains(served, unknown) && hasNoKey {
		return errors.New("this database has served production, or may have: set ENVIRONMENT, or for a copy of it JWT_SECRET_KEY")
	}
	return nil
}

// keptSecret returns the stored secret of this machine, or generates one.
func (a *App) keptSecret(ctx context.Context, path string) ([]byte, error) {
	a.logger.WarnContext(ctx, "JWT_SECRET_KEY is not set: tokens are signed with a random key of this machine, which is for development only", "file", path)
	if err := os.MkdirAll(a.config.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the data folder: %w", err)
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
		return nil, fmt.Errorf("the signing key %s can be read by others: chmod 600 it, or delete it to get a new one", path)
	}
	return kept, nil
}

func randomSecret() []byte {
	random := make([]byte, secretBytes)
	rand.Read(random) // never fails: crypto/rand aborts the program instead
	return []byte(base64.RawURLEncoding.EncodeToString(random))
}

func makeSecret(path string) ([]byte, error) {
	secret := randomSecret()
	// Written to a temporary file and linked, so that a process that starts at the same time never reads a partial key.
	f, err := os.CreateTemp(filepath.Dir(path), secretFile+"-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("creating the signing key: %w", err)
	}
	_, err = f.Write(secret)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	_ = os.Remove(f.Name()) // linked under its final name, or not needed
	if errors.Is(err, fs.ErrExist) {
		return os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("creating the signing key: %w", err)
	}
	return secret, nil
}
