// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package clouderr is the vocabulary in which failures of cloud calls are told: a small set of classes that decide
// what happens next, and an error that keeps what the cloud said. It uses the standard library only, so that every
// other package may import it.
package clouderr

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Class says what a failure means for the caller, whatever the cloud's own words were.
type Class string

const (
	// NotFound: the resource is gone, and that was confirmed where the cloud's answer alone does not prove it.
	NotFound Class = "NotFound"
	// Throttled: a rate limit was met, the cloud's or our own. RetryAfter says when to come back.
	Throttled Class = "Throttled"
	// Transient: the cloud failed, timed out, hung up or answered garbage. Trying again later may work.
	Transient Class = "Transient"
	// Busy: another operation on the same resource is running.
	Busy Class = "Busy"
	// InUse: the resource cannot be deleted while others depend on it.
	InUse Class = "InUse"
	// Unauthorized: the credentials were refused. Repeating the call can lock the key.
	Unauthorized Class = "Unauthorized"
	// Forbidden: the credentials are good and may not do this.
	Forbidden Class = "Forbidden"
	// Invalid: the request is wrong and will stay wrong until somebody changes it.
	Invalid Class = "Invalid"
	// Quota: a quota is used up or suspended.
	Quota Class = "Quota"
	// Exists: the name is taken.
	Exists Class = "Exists"
)

// maxUserMessage bounds UserMessage, in bytes.
const maxUserMessage = 512

// minRequestID is the length from which a request id is taken out of messages; shorter ones could be any word.
const minRequestID = 8

// Error is the failure of one cloud operation.
type Error struct {
	Class Class
	// Service and Operation name the call, for example "servicestage" and "CreateEnvironment".
	Service   string
	Operation string
	// Status is the HTTP status, or 0 where no reply arrived.
	Status int
	// Code is the cloud's own error code, for example "SVCSTG.00100449".
	Code string
	// Message is what the cloud said, or what we say where it said nothing. It holds no secret.
	Message string
	// RequestID is the cloud's id of the call, for support cases and logs.
	RequestID string
	// RetryAfter is how long to wait before the next try; 0 where nothing is known.
	RetryAfter time.Duration
	// Err is the cause, where there is one.
	Err error
}

// New returns an error of the class with a formatted message. Like fmt.Errorf it wraps operands given to %w.
func New(class Class, format string, args ...any) *Error {
	formatted := fmt.Errorf(format, args...)
	return &Error{Class: class, Message: formatted.Error(), Err: errors.Unwrap(formatted)}
}

// Error tells everything that is known, for logs.
func (e *Error) Error() string {
	var b strings.Builder
	if name := strings.Trim(e.Service+" "+e.Operation, " "); name != "" {
		b.WriteString(name)
		b.WriteString(": ")
	}
	b.WriteString(clean(e.Message))
	if e.Message == "" {
		b.WriteString("failed")
	}
	var facts []string
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, name+" "+value)
		}
	}
	add("class", string(e.Class))
	if e.Status != 0 {
		add("status", fmt.Sprint(e.Status))
	}
	add("code", clean(e.Code))
	add("request id", clean(e.RequestID))
	if e.RetryAfter > 0 {
		add("retry after", e.RetryAfter.String())
	}
	if len(facts) > 0 {
		b.WriteString(" (" + strings.Join(facts, ", ") + ")")
	}
	if e.Err != nil && !strings.Contains(e.Message, e.Err.Error()) {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// UserMessage is the code and the message without request id or time, so that a condition that carries it does not
// change from one try to the next. It is at most 512 bytes of valid UTF-8 without control characters.
func (e *Error) UserMessage() string {
	message := e.Message
	if len(e.RequestID) >= minRequestID {
		message = strings.ReplaceAll(message, e.RequestID, "")
	}
	message = clean(message)
	code := clean(e.Code)
	if code == strconv.Itoa(e.Status) {
		code = "" // IAM repeats the HTTP status as its code
	}
	switch {
	case message == "" && code == "" && e.Status != 0:
		message = fmt.Sprintf("the cloud answered HTTP %d without a message", e.Status)
	case message == "" && code == "":
		message = "the cloud call failed"
	case message == "":
		message = code
	case code != "" && !strings.HasPrefix(message, code):
		message = code + ": " + message
	}
	return truncate(message, maxUserMessage)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of the first Error in the chain, Transient for every other failure (a deadline, a broken
// connection, an unknown error), and "" for nil.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) && e.Class != "" {
		return e.Class
	}
	return Transient
}

// Is reports whether err is of the class.
func Is(err error, class Class) bool { return err != nil && ClassOf(err) == class }

// RetryAfter returns how long err asks to wait, or 0.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// UserMessage returns what a condition may say about err: the UserMessage of the first Error in the chain, or, for an
// error that is none, its text under the same bounds.
func UserMessage(err error) string {
	if err == nil {
		return ""
	}
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.UserMessage()
	case errors.Is(err, context.DeadlineExceeded):
		return "the cloud did not answer in time"
	default:
		return truncate(clean(err.Error()), maxUserMessage)
	}
}

// clean replaces control and format characters with spaces and folds white space. Format characters include those
// that turn the direction of text, which could make a log line lie.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// truncate cuts valid UTF-8 to limit bytes at a character's border and marks the cut.
func truncate(s string, limit int) string {
	const mark = "..."
	if len(s) <= limit {
		return s
	}
	end := limit - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
