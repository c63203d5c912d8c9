// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package candidates picks those cloud resources out of a list that could be an object's own.
package candidates

import (
	"iter"

	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/internal/labels"
	"servicestage.dev/operator/internal/external"
)

// Of yields what carries the claim and what has the natural key, as observe makes it, and ends after the first error.
func Of[T, R any](list iter.Seq2[*T, error], claim external.Claim, labelsOf func(*T) []servicestage.Label, named func(*T) bool, observe func(*T) *R) iter.Seq2[*R, error] {
	return func(yield func(*R, error) bool) {
		for item, err := range list {
			if err != nil {
				yield(nil, err)
				return
			}
			claimed := !claim.IsZero() && labels.Claim(labelsOf(item)) == claim.Token
			if !claimed && !named(item) {
				continue
			}
			if !yield(observe(item), nil) {
				return
			}
		}
	}
}
