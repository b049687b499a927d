package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
)

const (
	startTimeout = time.Minute // until the service is ready
	logName      = "service.log"
)

// service is the service in a process of its own.
type service struct {
	process *exec.Cmd
	log     *os.File
	address string // HOST:PORT
}

// startService runs the program and waits until it is ready. Its log goes to a file in dir.
func startService(ctx context.Context, program, dir string, settings map[string]string) (*service, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, logName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("creating the log of the service: %w", err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	s := &service{process: exec.Command(program, "serve", "--port", port), log: log, address: address}
	s.process.Env, s.process.Dir = environment(settings), dir // where no .env is
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the service: %w", err), log.Close())
	}
	if err := s.waitReady(ctx); err != nil {
		return nil, errors.Join(err, s.stop(), showLog(dir))
	}
	return s, nil
}

// freeAddress returns an address of this machine that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}

// environment returns the environment of this process with these settings, and no other ones of the service.
func environment(settings map[string]string) []string {
	all := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.ContainsFunc(config.Settings(), func(s config.Setting) bool { return name == s.Name || name == s.Name+"_FILE" })
	})
	for name, value := range settings {
		all = append(all, name+"="+value)
	}
	return all
}

func (s *service) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the service was not ready: %w", ctx.Err())
		case <-tick.C:
		}
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/health/ready", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(q)
		if err != nil {
			continue // it does not listen yet
		}
		if err := response.Body.Close(); err != nil {
			return err
		}
		if response.StatusCode == http.StatusOK {
			return nil
		}
	}
}

// stop ends the process and waits for it.
func (s *service) stop() error {
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil { // as on Windows, which has no such signal
		_ = s.process.Process.Kill() // it may have ended by itself
	}
	err := s.process.Wait()
	if err := errors.Join(err, s.log.Close()); err != nil {
		return fmt.Errorf("stopping the service: %w", err)
	}
	return nil
}

// showLog returns the end of the service's log as an error.
func showLog(dir string) error {
	const shown = 2000
	text, err := os.ReadFile(filepath.Join(dir, logName))
	if err != nil {
		return fmt.Errorf("reading the log of the service: %w", err)
	}
	return fmt.Errorf("its log ends with: %s", text[max(0, len(text)-shown):])
}

// resident returns the resident memory of the process in bytes. Errors: fs.ErrNotExist where there is no /proc, as there is on Linux.
func (s *service) resident() (int64, error) { return s.memory("VmRSS") }

// peak returns the most that was resident so far. Errors: as resident.
func (s *service) peak() (int64, error) { return s.memory("VmHWM") }

func (s *service) memory(field string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the memory of the service: %w", err)
	}
	var kib int64
	_, line, _ := strings.Cut(string(status), "\n"+field+":")
	if _, err := fmt.Sscan(line, &kib); err != nil {
		return 0, fmt.Errorf("reading the memory of the service: %w", err)
	}
	return kib << 10, nil
}

// processorTime returns the time that the process has spent on processors. Errors: as resident.
func (s *service) processorTime() (time.Duration, error) {
	const perSecond, before = 100, 13 // ticks, and fields before that of the time in the program, counted from the one after the name
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the processor time of the service: %w", err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	var ticks time.Duration
	for i := range 2 { // in the program, and in the system for it
		n, err := strconv.Atoi(fields[before-2+i])
		if err != nil {
			return 0, fmt.Errorf("reading the processor time of the service: %w", err)
		}
		ticks += time.Duration(n)
	}
	return ticks * time.Second / perSecond, nil
}
