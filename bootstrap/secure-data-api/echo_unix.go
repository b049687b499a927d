//go:build unix

package main

import (
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// hideInput turns the echo of a terminal off, and makes it deliver whole lines, and signals for keys such as Ctrl-C. From then on
// the program ignores Ctrl-Z: when it continued, the shell would have turned the echo on again.
func hideInput(fd int) error {
	signal.Ignore(syscall.SIGTSTP)
	state, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return err
	}
	state.Lflag &^= unix.ECHO
	state.Lflag |= unix.ICANON | unix.ISIG
	state.Iflag |= unix.ICRNL
	return unix.IoctlSetTermios(fd, setTermios, state)
}
