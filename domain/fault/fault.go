// Package fault provides the one error type that the domain and the use cases return to their callers.
//
// A fault has a kind (what sort of thing went wrong), a stable machine-readable code and a message that is safe
// to show to whoever made the request. Its cause, where there is one, is for the log only. Any other error is
// unexpected and is never shown.
package fault

import (
	"errors"
	"slices"
	"time"
)

// Kind is the sort of fault. The edge maps each kind to one status.
type Kind int

// The kinds of fault. The zero Kind is not a fault of the caller.
const (
	Internal        Kind = iota // unexpected; its message is not shown
	Malformed                   // the request can't be read, or can't be meant
	Invalid                     // the request is readable and breaks a rule
	Unauthenticated             // who is asking is not known
	Forbidden                   // who is asking may not
	NotFound                    // there is no such thing, as far as the asker may know
	Conflict                    // the present state stands against it
	Gone                        // it was there and is not any more
	RateLimited                 // too many, ask later
	Unavailable                 // a dependency does not answer, retry later
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
	// Fields names what is wrong with which field; empty where no field is to blame.
	Fields []Field
	// RetryAfter is when to try again, which is added to the message that the caller sees; zero where trying again is of
	// no use.
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

// After returns a copy of e that may be tried again after d.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// OnField returns a copy of e that blames the named field.
func (e *Error) OnField(name, message string) *Error {
	c := *e
	c.Fields = append(append([]Field(nil), e.Fields...), Field{Name: name, Message: message})
	return &c
}

// KindOf returns the kind of the first fault in err's chain, and Internal where there is none.
func KindOf(err error) Kind {
	var f *Error
	if errors.As(err, &f) {
		return f.Kind
	}
	return Internal
}

// ErrInvalid is the fault of a request whose fields break a rule; its Fields say which and why.
var ErrInvalid = New(Invalid, "invalid_request", "The request is not valid.")

// Check collects what is wrong with the fields of a request, so that all of it is told at once.
type Check struct {
	fields []Field
	other  error // that no field is to blame for
}

// Add notes what is wrong with a field.
func (c *Check) Add(name, message string) {
	c.fields = append(c.fields, Field{Name: name, Message: message})
}

// Take notes the fields of err where it is an invalid request, and keeps the first of any other errors for Err.
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

// TakeOthers is Take without what concerns a field that something was noted about already.
func (c *Check) TakeOthers(err error) {
	noted := slices.Clone(c.fields)
	c.Take(err)
	others := slices.DeleteFunc(c.fields[len(noted):], func(f Field) bool {
		return slices.ContainsFunc(noted, func(n Field) bool { return n.Name == f.Name })
	})
	c.fields = append(noted, others...)
}

// Err returns the error that was kept, ErrInvalid with all that was noted, or nil.
func (c *Check) Err() error {
	if c.other != nil || len(c.fields) == 0 {
		return c.other
	}
	e := *ErrInvalid
	e.Fields = c.fields
	return &e
}
