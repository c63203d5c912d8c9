// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/external"
)

// remove lets a deleted object go, after its cloud resource where the policy says so. It needs no references: the id in
// status is enough, and an object for which nothing was ever created needs no credentials either.
func (p *pass[O, R]) remove(ctx context.Context) (outcome, error) {
	if !controllerutil.ContainsFinalizer(p.obj, v1alpha1.Finalizer) {
		return outcome{class: "Deleted", untouched: true}, nil
	}
	claim, err := external.ParseClaim(p.obj.GetAnnotations()[v1alpha1.ClaimAnnotation])
	p.claim = claim
	if p.spec().DeletionPolicy == v1alpha1.DeletionPolicyOrphan || p.observing() {
		p.orphan(ctx)
		return isFinal(), nil
	}
	if p.paused() {
		return isPaused(), nil
	}
	if err != nil {
		return stuck("Invalid", v1alpha1.ReasonRejected, fmt.Sprintf("metadata.annotations[%s]: %v", v1alpha1.ClaimAnnotation, err), p.resync()), nil
	}
	if p.status().ID == "" && p.claim.IsZero() {
		return isFinal(), nil
	}
	dependants, err := p.Graph.Dependants(ctx, p.obj)
	if err != nil {
		return outcome{}, err
	}
	if len(dependants) > 0 {
		return blocked(fmt.Sprintf("The %s is still used by %s; delete them or change what they refer to.", p.noun, conditions.Enumerate(dependants)), wait{}), nil
	}
	if p.resource, err = p.Kind.Bind(ctx, p.obj, external.ForDelete); err != nil {
		return p.cannotDelete(err), nil
	}
	p.keepRecord()
	return p.removeFromCloud(ctx)
}

// orphan leaves the cloud resource as it is, but for the claim, which would keep others from adopting it. The object
// does not wait for that: whoever orphans may have no credentials left.
func (p *pass[O, R]) orphan(ctx context.Context) {
	logger := log.FromContext(ctx).WithValues("resource", p.noun, "id", p.status().ID)
	logger.Info("Leaving the cloud resource to others")
	if p.claim.IsZero() || p.observing() {
		return
	}
	if err := p.unmark(ctx); err != nil {
		logger.Info("The claim stays on the cloud resource", "label", external.LabelKey, "error", err.Error())
	}
}

// unmark takes the claim off the cloud resource that carries it.
func (p *pass[O, R]) unmark(ctx context.Context) error {
	resource, err := p.Kind.Bind(ctx, p.obj, external.ForDelete)
	if err != nil {
		return err
	}
	for observed, err := range resource.Find(ctx, p.claim) {
		if err != nil {
			return err
		}
		if identity := resource.Identity(observed); identity.ClaimKnown && identity.Claim == p.claim.Token {
			_, _, err := resource.Update(ctx, observed, external.Changes{Unmark: true}, p.claim)
			return err
		}
	}
	return nil
}

// cannotDelete is the outcome where the cloud cannot even be asked.
func (p *pass[O, R]) cannotDelete(err error) outcome {
	var w *external.WaitError
	if !errors.As(err, &w) {
		return p.failed("resolve the account", v1alpha1.OperationDelete, err)
	}
	hinted := *w
	hinted.Message += fmt.Sprintf(" Until then the %s cannot be deleted; set spec.deletionPolicy: Orphan to leave it in the cloud.", p.noun)
	return waiting(&hinted)
}

// removeFromCloud deletes the cloud resource, and lets the object go once it is gone.
func (p *pass[O, R]) removeFromCloud(ctx context.Context) (outcome, error) {
	if op := p.status().Operation; op != nil && op.Verb == v1alpha1.OperationDelete {
		return p.pollRemoval(ctx, *op), nil
	}
	id := p.status().ID
	if id == "" {
		decision, identity, err := p.search(ctx)
		switch {
		case err != nil:
			return p.failed(fmt.Sprintf("look for the %s", p.noun), v1alpha1.OperationDelete, err), nil
		case decision == external.MatchNone && p.backoffs.tries(client.ObjectKeyFromObject(p.obj), absenceBackoff) < absenceLooks-1:
			return isAbsent(p.noun), nil
		case decision != external.MatchOurs:
			return isFinal(), nil
		}
		id = identity.ID
		p.recordPart(p.candidate) // where it is, for the passes that wait until it is gone
	}
	log.FromContext(ctx).Info("Deleting in the cloud", "resource", p.noun, "id", id)
	op, err := p.resource.Delete(ctx, id)
	switch {
	case clouderr.Is(err, clouderr.NotFound):
		return isFinal(), nil
	case err != nil:
		return p.failed(fmt.Sprintf("delete the %s", p.noun), v1alpha1.OperationDelete, err), nil
	case op == nil:
		return isFinal(), nil
	}
	p.status().ID = id
	return p.begin(*op), nil
}

// pollRemoval waits until the cloud says that the resource is gone.
func (p *pass[O, R]) pollRemoval(ctx context.Context, op v1alpha1.Operation) outcome {
	_, err := p.resource.Get(ctx, p.status().ID)
	switch {
	case clouderr.Is(err, clouderr.NotFound):
		return isFinal()
	case err != nil:
		return p.failed(fmt.Sprintf("look at the %s", p.noun), v1alpha1.OperationDelete, err)
	}
	poller, ok := p.resource.(external.Poller)
	if !ok || op.ID == "" {
		return progressing(v1alpha1.OperationDelete, "")
	}
	progress, err := poller.Poll(ctx, external.Operation{ID: op.ID, Verb: external.VerbDelete})
	switch {
	case err != nil && !clouderr.Is(err, clouderr.NotFound):
		return p.failed(fmt.Sprintf("look at the operation %s", op.ID), v1alpha1.OperationDelete, err)
	case err == nil && !progress.Done:
		p.recordProgress(progress)
		return progressing(v1alpha1.OperationDelete, progress.Message)
	}
	// The job ended and the resource is still there: it is deleted anew by the next pass.
	p.status().Operation = nil
	return stuck("OperationFailed", v1alpha1.ReasonUnhealthy, fmt.Sprintf("The cloud failed to delete the %s: %s", p.noun, orElse(progress.Failure, "its job ended and the resource is still there")), humanInterval)
}
