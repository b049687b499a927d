package container

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// outcome is a fake test that keeps how it ended.
type outcome struct {
	testing.TB
	ended, why string
}

func (o *outcome) Helper()                  {}
func (o *outcome) Context() context.Context { return context.Background() }

func (o *outcome) Skip(a ...any)                 { o.end("skipped", fmt.Sprint(a...)) }
func (o *outcome) Skipf(format string, a ...any) { o.end("skipped", fmt.Sprintf(format, a...)) }
func (o *outcome) Fatal(a ...any)                { o.end("failed", fmt.Sprint(a...)) }
func (o *outcome) Fatalf(format string, a ...any) {
	o.end("failed", fmt.Sprintf(format, a...))
}

func (o *outcome) end(how, why string) {
	o.ended, o.why = how, why
	runtime.Goexit()
}

// TestRequire passes with and without Docker: the image does not exist, and there is no registry at its address.
func TestRequire(t *testing.T) {
	const missing = "localhost:1/absent:1"
	for name, c := range map[string]struct{ mode, image, ended, why string }{
		"not set":            {"", missing, "skipped", "TEST_CONTAINERS=required"},
		"required":           {"required", missing, "failed", "this test needs a container"},
		"off":                {"off", missing, "skipped", "TEST_CONTAINERS=off"},
		"unknown value":      {"require", missing, "failed", `"required" and "off"`},
		"in capital letters": {"OFF", missing, "failed", `"required" and "off"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TEST_CONTAINERS", c.mode)
			got := &outcome{}
			done := make(chan struct{})
			go func() {
				defer close(done)
				Require(got, c.image)
			}()
			<-done
			if got.ended != c.ended || !strings.Contains(got.why, c.why) {
				t.Errorf("%q, since %s; want %q with %s", got.ended, got.why, c.ended, c.why)
			}
		})
	}
}

// fakeDocker answers each inspection of an image with the next of its errors.
type fakeDocker []error

func (d *fakeDocker) ImageInspect(context.Context, string, ...client.ImageInspectOption) (client.ImageInspectResult, error) {
	next := (*d)[0]
	*d = (*d)[1:]
	return client.ImageInspectResult{}, next
}

func TestEnsureImage(t *testing.T) {
	var (
		notFound = fmt.Errorf("no such image: %w", errdefs.ErrNotFound)
		noName   = fmt.Errorf("invalid reference format: %w", errdefs.ErrInvalidArgument)
		broken   = fmt.Errorf("no space left: %w", errdefs.ErrInternal)
		refused  = errors.New("connection refused")
	)
	for name, c := range map[string]struct {
		docker      fakeDocker
		pull        error
		want        error
		noContainer bool
	}{
		"present":                       {docker: fakeDocker{nil}},
		"pulled":                        {docker: fakeDocker{notFound, nil}},
		"no registry":                   {docker: fakeDocker{notFound}, pull: refused, want: refused, noContainer: true},
		"the registry does not have it": {docker: fakeDocker{notFound}, pull: notFound, want: notFound, noContainer: true},
		"aborted pull":                  {docker: fakeDocker{notFound, notFound}, want: notFound, noContainer: true},
		"Docker fails":                  {docker: fakeDocker{broken}, want: broken},
		"invalid name":                  {docker: fakeDocker{noName}, want: noName},
		"name that no registry accepts": {docker: fakeDocker{notFound}, pull: noName, want: noName},
	} {
		t.Run(name, func(t *testing.T) {
			err := ensureImage(t.Context(), &c.docker, func(context.Context, string) error { return c.pull }, "any")
			if !errors.Is(err, c.want) || errors.Is(err, errNoContainer) != c.noContainer {
				t.Errorf("%v; want %v, no container: %v", err, c.want, c.noContainer)
			}
			if len(c.docker) > 0 {
				t.Errorf("%d more inspections were expected", len(c.docker))
			}
		})
	}
}
