package main

// controllingTerminal is the console that a process belongs to, whatever its standard input is.
const controllingTerminal = "CONIN$"
