//go:build unix

package main

// controllingTerminal is the terminal that a process belongs to, whatever its standard input is.
const controllingTerminal = "/dev/tty"
