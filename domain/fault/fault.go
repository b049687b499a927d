// Package fault provides the one error type that the domain and the use cases return to their callers.
//
// A fault has a kind, a stable machine-readable code and a message that is safe to show to the client. Its cause, if it
// has one, is for the log only. Any other error is unexpected and is never shown.
package fault

import (
	"errors"
	"slices"
	"time"
)

// Kind is the kind of a fault. The REST adapter maps each kind to one HTTP status.
type Kind int

// The kinds of fault. The zero Kind, Internal, is not a mistake of the caller.
const (
	Internal        Kind = iota // unexpected; its message is not shown
	Malformed                   // the request can't be read
	Invalid                     // the request can be read, but breaks a rule
	Unauthenticated             // the caller is not known
	Forbidden                   // the caller may not do this
	NotFound                    // there is no such resource, or the caller may not know of it
	Conflict                    // the current state does not allow it
	Gone                        // the resource existed, and no longer does
	RateLimited                 // too many requests
	Unavailable                 // a dependency does not answer
)

// Field is one thing wrong with one field of a request.
type Field struct {
	Name    string
	Message string
}

// Error is a fault. Two faults with the same Code are the same to errors.Is.
type Error struct {
	Kind    Kind
	Code    string
	Message string
	// Fields are the invalid fields; empty if the fault is not about a field.
	Fields []Field
	// RetryAfter is how long to wait before a retry, which is added to the message that the client sees; zero if a retry
	// does not help.
	RetryAfter time.Duration

	cause error
}

// New returns a fault.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// Error returns the message and the cause, for the log.
func (e *Error) Error() string {
	text := e.Code + ": " + e.Message
	for _, f := range e.Fields {
		text += "; " + f.Name + " " + f.Message
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is a fault with the same code.
func (e *Error) Is(target error) bool {
	var other *Error
	return errors.As(target, &other) && other.Code == e.Code
}

// Saying returns a copy of e with another message.
func (e *Error) Saying(message string) *Error {
	c := *e
	c.Message = message
	return &c
}

// Because returns a copy of e with its cause.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// After returns a copy of e whose request may be retried after d.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// OnField returns a copy of e with one more invalid field, and what is wrong with it.
func (e *Error) OnField(name, message string) *Error {
	c := *e
	c.Fields = append(append([]Field(nil), e.Fields...), Field{Name: name, Message: message})
	return &c
}

// KindOf returns the kind of the first fault in err's chain, or Internal if there is none.
func KindOf(err error) Kind {
	var f *Error
	if errors.As(err, &f) {
		return f.Kind
	}
	return Internal
}

// ErrInvalid is the fault of a request whose fields break a rule; its Fields say which and why.
var ErrInvalid = New(Invalid, "invalid_request", "The request is not valid.")

// Check collects what is wrong with the fields of a request, so that one response names all of it.
type Check struct {
	fields []Field
	other  error // the first that is not about fields
}

// Add adds what is wrong with a field.
func (c *Check) Add(name, message string) {
	c.fields = append(c.fields, Field{Name: name, Message: message})
}

// Take adds the fields of err if it is an invalid request, and keeps the first of any other errors for Err.
func (c *Check) Take(err error) {
	var f *Error
	switch {
	case err == nil:
	case errors.As(err, &f) && f.Kind == Invalid && len(f.Fields) > 0:
		c.fields = append(c.fields, f.Fields...)
	case c.other == nil:
		c.other = err
	}
}

// TakeOthers is Take without the fields that are among the collected ones already.
func (c *Check) TakeOthers(err error) {
	before := slices.Clone(c.fields)
	c.Take(err)
	others := slices.DeleteFunc(c.fields[len(before):], func(f Field) bool {
		return slices.ContainsFunc(before, func(n Field) bool { return n.Name == f.Name })
	})
	c.fields = append(before, others...)
}

// Err returns the error that was kept, ErrInvalid with all collected fields, or nil.
func (c *Check) Err() error {
	if c.other != nil || len(c.fields) == 0 {
		return c.other
	}
	e := *ErrInvalid
	e.Fields = c.fields
	return &e
}
