package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// parameter is how a command line names a field of the API: by a flag, or in commands without that flag by an argument.
type parameter struct{ flag, argument string }

// parameters are the fields whose names differ in the API and on the command line.
var parameters = map[string]parameter{
	"tenant_slug": {flag: "tenant", argument: "SLUG"},
	"email":       {flag: "email"},
	"full_name":   {flag: "name"},
	"role":        {flag: "role", argument: "ROLE"},
	"limit":       {flag: "limit"},
	"skip":        {flag: "skip"},
}

// explain returns the text of an error for people. A fault in it says only what is wrong with which flag or argument of the
// command; if no field is to blame, it says its message, and its code in brackets for scripts and searches.
func explain(c *cobra.Command, err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err.Error()
	}
	text := f.Message + " [" + f.Code + "]"
	if len(f.Fields) > 0 {
		var wrong []string
		for _, field := range f.Fields {
			wrong = append(wrong, parameterOf(c, field.Name)+" "+field.Message)
		}
		text = strings.Join(wrong, "; ")
	}
	if cause := f.Unwrap(); cause != nil {
		text += ": " + explain(c, cause)
	}
	return strings.Replace(err.Error(), f.Error(), text, 1) // keeps what it is wrapped in, or joined with
}

// parameterOf returns what a command calls a field of the API.
func parameterOf(c *cobra.Command, field string) string {
	p := parameters[field]
	switch {
	case p.flag != "" && c.Flags().Lookup(p.flag) != nil:
		return "--" + p.flag
	case p.argument != "":
		return p.argument
	}
	return field
}
