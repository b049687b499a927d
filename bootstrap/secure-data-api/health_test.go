package main

import "testing"

func TestHealthcheck(t *testing.T) {
	c := newCommand(t)
	c.env["PORT"] = "1" // where nobody listens
	c.want(t, 1, "", "healthcheck")
}
