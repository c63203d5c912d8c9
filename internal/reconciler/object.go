// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package reconciler is the one lifecycle loop that every kind of cloud resource shares. It decides what happens when,
// writes status, events and metrics in one place, and turns every outcome into a result and a queue priority. What a
// cloud resource is, it knows through package external alone.
//
// The order of a pass (loop.go):
//
//  1. Being deleted: see delete.go.
//  2. Paused: stop.
//  3. Still fresh (same generation, same inputs, no reconcile request, settled, inside the resync interval): no call.
//  4. Bind; wait where something is missing.
//  5. An operation is running: poll it, nothing else.
//  6. No id: find what is ours by the claim, adopt where asked, else mint the claim and create.
//  7. Compare. Observe reports; Manage updates exactly the paths that differ.
//  8. Report.
package reconciler

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
)

// Object is a custom resource that stands for one cloud resource.
type Object interface {
	client.Object
	// CommonSpec returns the part of the spec that every cloud resource has.
	CommonSpec() *v1alpha1.ResourceSpec
	// CommonStatus returns the part of the status that every cloud resource has.
	CommonStatus() *v1alpha1.ResourceStatus
}
