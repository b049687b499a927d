package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
)

const (
	answerTimeout = 10 * time.Second // of Docker, to a ping
	pullTimeout   = 5 * time.Minute
)

// errNoContainer: Docker is not available, or it neither has the image nor can pull it.
var errNoContainer = errors.New("this test needs a container")

// quiet keeps testcontainers' messages about Docker out of the skip messages. Containers log to their tests.
var quiet = sync.OnceFunc(func() { log.SetDefault(log.NewNoopLogger()) })

// PostgresImage returns the image of Postgres that tests run on.
func PostgresImage() string { return cmp.Or(os.Getenv("TEST_POSTGRES_IMAGE"), "postgres:17-alpine") }

// PgBouncerImage returns the image of PgBouncer that tests run on.
func PgBouncerImage() string {
	return cmp.Or(os.Getenv("TEST_PGBOUNCER_IMAGE"), "edoburu/pgbouncer:latest")
}

func redisImage() string { return cmp.Or(os.Getenv("TEST_REDIS_IMAGE"), "redis:7-alpine") }

// Require returns a client of Docker, after pulling the image if it is missing. If Docker or the image is not available, the test
// is skipped, or fails if TEST_CONTAINERS is "required"; "off" skips it without trying. An image that is there and does not work
// is a failure. A test whose subtests start containers calls it first, so that it is skipped once.
func Require(t testing.TB, image string) client.APIClient {
	t.Helper()
	mode := os.Getenv("TEST_CONTAINERS")
	switch mode {
	case "", "required":
	case "off":
		t.Skip("TEST_CONTAINERS=off: this test needs a container")
	default:
		t.Fatalf(`TEST_CONTAINERS is %q; "required" and "off" are allowed, or nothing`, mode)
	}
	docker, err := dockerWith(t.Context(), image)
	switch {
	case err == nil:
	case errors.Is(err, errNoContainer) && mode != "required":
		t.Skipf("%v (TEST_CONTAINERS=required makes this a failure)", err)
	default:
		t.Fatal(err)
	}
	return docker
}

// dockerWith returns a client of the local Docker, which has the image. Errors: errNoContainer.
func dockerWith(ctx context.Context, image string) (client.APIClient, error) {
	quiet()
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return nil, fmt.Errorf("%w, and Docker does not answer: %w", errNoContainer, err)
	}
	docker := provider.Client()
	pinged, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if _, err := docker.Ping(pinged, client.PingOptions{}); err != nil {
		return nil, errors.Join(fmt.Errorf("%w, and Docker does not answer: %w", errNoContainer, err), docker.Close())
	}
	if err := ensureImage(ctx, docker, provider.PullImage, image); err != nil {
		return nil, errors.Join(err, docker.Close())
	}
	return docker, nil
}

// imageInspecter is the part of Docker that ensureImage needs to check for an image.
type imageInspecter interface {
	ImageInspect(ctx context.Context, image string, options ...client.ImageInspectOption) (client.ImageInspectResult, error)
}

// ensureImage pulls an image that Docker does not have. Errors: errNoContainer if that fails, but not if Docker fails to inspect
// images or the name is invalid.
func ensureImage(ctx context.Context, docker imageInspecter, pull func(context.Context, string) error, image string) error {
	switch _, err := docker.ImageInspect(ctx, image); {
	case err == nil:
		return nil
	case !errdefs.IsNotFound(err):
		return fmt.Errorf("inspect image %s: %w", image, err)
	}
	pulling, cancel := context.WithTimeout(ctx, pullTimeout)
	defer cancel()
	err := pull(pulling, image)
	if errdefs.IsInvalidArgument(err) {
		return fmt.Errorf("pull image %s: %w", image, err)
	}
	if err == nil { // a pull that was aborted may return no error
		_, err = docker.ImageInspect(ctx, image)
	}
	if err != nil {
		return fmt.Errorf("%w, and the image %s can't be pulled: %w", errNoContainer, image, err)
	}
	return nil
}
