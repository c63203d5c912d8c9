// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package exit gives errors the exit code that a command ends with.
package exit

import (
	"context"
	"errors"
)

// Exit codes. docs/kubectl-servicestage.md lists them for users.
const (
	// Failed is any error that has no code of its own.
	Failed = 1
	// Changes: plan found something that would change.
	Changes = 2
	// Partial: import left something out.
	Partial = 3
	// Stalled: wait met an object that nothing moves until someone acts.
	Stalled = 4
	// TimedOut: wait waited in vain.
	TimedOut = 5
	// Interrupted by Ctrl-C, as shells count it.
	Interrupted = 130
)

// Error is an error with an exit code. Without a message the command has said everything already.
type Error struct {
	Code    int
	Message string
}

func (e *Error) Error() string { return e.Message }

// Code is the exit code of an error, 0 of none.
func Code(err error) int {
	var own *Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &own):
		return own.Code
	case errors.Is(err, context.Canceled):
		return Interrupted
	default:
		return Failed
	}
}
