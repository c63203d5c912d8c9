// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import "errors"

// Stack collects what must be undone and undoes it in reverse order.
type Stack struct {
	undo []func() error
}

// Push adds a step.
func (s *Stack) Push(undo func() error) { s.undo = append(s.undo, undo) }

// Stop undoes every step, the last one first, even where some fail. A second call does nothing.
func (s *Stack) Stop() error {
	var errs []error
	for len(s.undo) > 0 {
		last := s.undo[len(s.undo)-1]
		s.undo = s.undo[:len(s.undo)-1]
		errs = append(errs, last())
	}
	return errors.Join(errs...)
}
