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

// outcome is a test that is asked for nothing but how it ended.
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

// TestRequire holds on a machine with Docker and on one without: nobody has this image, and no registry is at its address.
func TestRequire(t *testing.T) {
	const absent = "localhost:1/absent:1"
	for name, c := range map[string]struct{ mode, image, ended, why string }{
		"by itself":              {"", absent, "skipped", "TEST_CONTAINERS=required"},
		"required":               {"required", absent, "failed", "this test needs a container"},
		"off":                    {"off", absent, "skipped", "TEST_CONTAINERS=off"},
		"a value that is none":   {"require", absent, "failed", `"required" and "off"`},
		"one in capital letters": {"OFF", absent, "failed", `"required" and "off"`},
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

// fakeDocker answers each question for an image with the next of its errors.
type fakeDocker []error

func (d *fakeDocker) ImageInspect(context.Context, string, ...client.ImageInspectOption) (client.ImageInspectResult, error) {
	next := (*d)[0]
	*d = (*d)[1:]
	return client.ImageInspectResult{}, next
}

func TestEnsureImage(t *testing.T) {
	var (
		notThere = fmt.Errorf("no such image: %w", errdefs.ErrNotFound)
		noName   = fmt.Errorf("invalid reference format: %w", errdefs.ErrInvalidArgument)
		broken   = fmt.Errorf("no space left: %w", errdefs.ErrInternal)
		refused  = errors.New("connection refused")
	)
	for name, c := range map[string]struct {
		docker   fakeDocker
		pull     error
		want     error
		isAbsent bool
	}{
		"it is there":                     {docker: fakeDocker{nil}},
		"it is pulled":                    {docker: fakeDocker{notThere, nil}},
		"no registry":                     {docker: fakeDocker{notThere}, pull: refused, want: refused, isAbsent: true},
		"the registry does not have it":   {docker: fakeDocker{notThere}, pull: notThere, want: notThere, isAbsent: true},
		"the pull broke off halfway":      {docker: fakeDocker{notThere, notThere}, want: notThere, isAbsent: true},
		"Docker can't tell":               {docker: fakeDocker{broken}, want: broken},
		"a name that no image has":        {docker: fakeDocker{noName}, want: noName},
		"a name that no registry accepts": {docker: fakeDocker{notThere}, pull: noName, want: noName},
	} {
		t.Run(name, func(t *testing.T) {
			err := ensureImage(t.Context(), &c.docker, func(context.Context, string) error { return c.pull }, "any")
			if !errors.Is(err, c.want) || errors.Is(err, errAbsent) != c.isAbsent {
				t.Errorf("%v; want %v, absent: %v", err, c.want, c.isAbsent)
			}
			if len(c.docker) > 0 {
				t.Errorf("%d more questions were expected", len(c.docker))
			}
		})
	}
}
