// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package plan says what the loop (package reconciler) would change in the cloud for an object, and changes nothing. It
// asks the kinds themselves: Bind, Get or Find, and Diff are those that the loop calls, so that a plan cannot differ from
// what is done.
package plan

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/reconciler"
)

// Action is what would be done to an object's cloud resource.
type Action string

const (
	// Nothing: the cloud holds what the spec says, or the object asks to leave it as it is (Held).
	Nothing Action = "Nothing"
	// Create: there is no such cloud resource.
	Create Action = "Create"
	// Update: it differs in Paths, or lacks the claim.
	Update Action = "Update"
	// Adopt: it exists, is not the object's yet and would become so, with Paths changed.
	Adopt Action = "Adopt"
	// Delete: the object is being deleted, and its cloud resource with it.
	Delete Action = "Delete"
	// Release: the object is being deleted, and its cloud resource is left to others, without the claim.
	Release Action = "Release"
	// Working: the cloud runs an operation; what is left to do shows when that has ended.
	Working Action = "Working"
	// Blocked: nothing would be done until someone acts; Message says what is in the way.
	Blocked Action = "Blocked"
)

// Changes says whether the action changes something in the cloud.
func (a Action) Changes() bool { return a != Nothing && a != Blocked }

// Result is what would be done for one object.
type Result struct {
	Action Action
	// ID of the cloud resource, where there is one.
	ID string
	// Paths that differ, sorted. They would be changed, unless the action is Nothing (see Held) or Blocked.
	Paths []string
	// Marks is set where the claim would be written on the cloud resource.
	Marks bool
	// Held says why what differs would be left as it is: the policy is to observe, or the object is paused.
	Held string
	// Message adds to the action what a reader must know.
	Message string
	// After is the object with the status that the loop would give it, where the cloud resource was found.
	After reconciler.Object
	// Cloud says in a spec what the cloud holds, where the resource was found and its kind can tell. Its values are in the
	// clear.
	Cloud reconciler.Object
}

// Func plans an object of one kind. Errors are those of Bind and of the cloud: what would be done cannot be told.
type Func func(ctx context.Context, obj reconciler.Object) (Result, error)

// Of returns the function that plans objects of a kind.
func Of[O reconciler.Object, R any](kind external.Kind[O, R]) Func {
	return func(ctx context.Context, obj reconciler.Object) (Result, error) {
		o, ok := obj.(O)
		if !ok {
			return Result{}, fmt.Errorf("a %T is no %T", obj, *new(O))
		}
		p := planner[O, R]{kind: kind, obj: o}
		return p.plan(ctx)
	}
}

// reader is the part of a handle that changes nothing: a plan has no other.
type reader[R any] interface {
	Get(ctx context.Context, id string) (*R, error)
	Find(ctx context.Context, claim external.Claim) iter.Seq2[*R, error]
	Identity(observed *R) external.Identity
	Diff(observed *R) external.Changes
}

// planner plans one object.
type planner[O reconciler.Object, R any] struct {
	kind     external.Kind[O, R]
	obj      O
	claim    external.Claim
	resource reader[R]
}

func (p *planner[O, R]) plan(ctx context.Context) (Result, error) {
	if !p.obj.GetDeletionTimestamp().IsZero() {
		return p.deletion(), nil
	}
	var err error
	if p.claim, err = external.ParseClaim(p.obj.GetAnnotations()[v1alpha1.ClaimAnnotation]); err != nil {
		return Result{}, fmt.Errorf("metadata.annotations[%s]: %w", v1alpha1.ClaimAnnotation, err)
	}
	if op := p.status().Operation; op != nil {
		return Result{Action: Working, ID: p.status().ID, Message: working(op)}, nil
	}
	if p.resource, err = p.kind.Bind(ctx, p.obj, external.ForSync); err != nil {
		return p.unbound(err)
	}
	observed, result, err := p.locate(ctx)
	if err != nil || observed == nil {
		return result, err
	}
	result = p.compare(observed, result)
	err = p.describe(observed, &result)
	return result, err
}

// describe adds what was observed to the result.
func (p *planner[O, R]) describe(observed *R, r *Result) error {
	after, ok := p.obj.DeepCopyObject().(O)
	if !ok {
		return fmt.Errorf("a copy of %T is no %T", p.obj, p.obj)
	}
	after.CommonStatus().ID = r.ID
	p.kind.Report(after, observed)
	r.After = after
	if describer, ok := p.kind.(external.Describer[O, R]); ok {
		r.Cloud = describer.Describe(observed)
	}
	return nil
}

// deletion is what becomes of the cloud resource of an object that is being deleted.
func (p *planner[O, R]) deletion() Result {
	spec, id := p.spec(), p.status().ID
	unclaimed := p.obj.GetAnnotations()[v1alpha1.ClaimAnnotation] == ""
	switch {
	case p.observing(), unclaimed && (id == "" || spec.DeletionPolicy == v1alpha1.DeletionPolicyOrphan):
		return Result{Action: Nothing, ID: id, Message: "the object is being deleted, the cloud resource is left as it is"}
	case spec.DeletionPolicy == v1alpha1.DeletionPolicyOrphan:
		return Result{Action: Release, ID: id, Message: "the object is being deleted; the claim is taken off the cloud resource"}
	case p.paused():
		return Result{Action: Nothing, ID: id, Held: heldPaused}
	default:
		return Result{Action: Delete, ID: id}
	}
}

// unbound is the result where Bind failed. What was never created and waits for what it refers to will be created.
func (p *planner[O, R]) unbound(err error) (Result, error) {
	var wait *external.WaitError
	unborn := p.status().ID == "" && p.spec().Import == nil && !p.observing()
	if unborn && errors.As(err, &wait) && wait.Cause == external.WaitForReference && !wait.Stalled {
		return p.held(Result{Action: Create, Message: "once this is there: " + wait.Message}), nil
	}
	return Result{}, err
}

// locate observes the object's cloud resource, in the order of the loop. Without an observation the result is final.
func (p *planner[O, R]) locate(ctx context.Context) (*R, Result, error) {
	if id := p.status().ID; id != "" {
		observed, err := p.resource.Get(ctx, id)
		switch {
		case err == nil:
			return p.keep(observed)
		case !clouderr.Is(err, clouderr.NotFound):
			return nil, Result{}, err
		case p.observing():
			return nil, Result{Action: Nothing, Held: heldObserve, Message: fmt.Sprintf("%s is gone from the cloud", id)}, nil
		}
		return p.find(ctx, fmt.Sprintf("%s is gone from the cloud", id))
	}
	if imp := p.spec().Import; imp != nil && imp.ID != "" {
		return p.byID(ctx, imp.ID)
	}
	return p.find(ctx, "")
}

// keep goes on with the cloud resource whose id is known.
func (p *planner[O, R]) keep(observed *R) (*R, Result, error) {
	identity := p.resource.Identity(observed)
	if !p.claim.IsZero() && identity.ClaimedByOther(p.claim) && !p.observing() {
		return nil, foreign(identity), nil
	}
	return observed, Result{Action: Update, ID: identity.ID}, nil
}

// byID observes the cloud resource that the spec names.
func (p *planner[O, R]) byID(ctx context.Context, id string) (*R, Result, error) {
	observed, err := p.resource.Get(ctx, id)
	switch {
	case clouderr.Is(err, clouderr.NotFound) && !p.claim.IsZero() && !p.observing():
		return p.find(ctx, fmt.Sprintf("%s is gone from the cloud", id))
	case clouderr.Is(err, clouderr.NotFound):
		return nil, Result{Action: Blocked, Message: fmt.Sprintf("spec.import.id: there is no %s in the cloud", id)}, nil
	case err != nil:
		return nil, Result{}, err
	}
	identity := p.resource.Identity(observed)
	if identity.ClaimedByOther(p.claim) && !p.observing() {
		return nil, foreign(identity), nil
	}
	return observed, Result{Action: Adopt, ID: identity.ID}, nil
}

// find looks for the object's cloud resource by its claim and its natural key. Why says why it must be looked for. The
// loop looks only where there may be something; for the rest the cloud would refuse a name that is taken.
func (p *planner[O, R]) find(ctx context.Context, why string) (*R, Result, error) {
	byName := p.spec().Import != nil && p.spec().Import.ByName
	claim := p.claim
	minted := claim.IsZero() && !byName && !p.observing()
	if minted {
		claim = external.NewClaim(time.Now()) // as the loop does before it creates
	}
	var candidates []external.Identity
	for observed, err := range p.resource.Find(ctx, claim) {
		if err != nil {
			return nil, Result{}, err
		}
		candidates = append(candidates, p.resource.Identity(observed))
	}
	match, identity := external.MatchOf(candidates, claim, byName || p.observing())
	action := Update
	if minted {
		action = Create
	}
	switch match {
	case external.MatchNone:
		return nil, p.absent(why, byName), nil
	case external.MatchAmbiguous:
		return nil, Result{Action: Blocked, Message: "several cloud resources fit: set spec.import.id to the one that is meant"}, nil
	case external.MatchForeign:
		if !p.observing() {
			return nil, foreign(identity), nil
		}
	case external.MatchAdopt:
		action = Adopt
	case external.MatchOurs:
		if minted && !identity.ClaimKnown {
			return nil, foreign(identity), nil // it was there before
		}
	}
	observed, err := p.resource.Get(ctx, identity.ID)
	return observed, Result{Action: action, ID: identity.ID}, err
}

// absent is the result where the cloud holds nothing that could be the object's.
func (p *planner[O, R]) absent(why string, byName bool) Result {
	switch {
	case p.observing():
		return Result{Action: Nothing, Held: heldObserve, Message: "there is no such cloud resource"}
	case byName && p.claim.IsZero():
		return Result{Action: Blocked, Message: "spec.import.byName: there is no such cloud resource"}
	default:
		return p.held(Result{Action: Create, Message: why})
	}
}

// compare says what would be changed of what was observed.
func (p *planner[O, R]) compare(observed *R, r Result) Result {
	changes := p.resource.Diff(observed)
	changes.Mark = p.resource.Identity(observed).Unclaimed() && !p.observing()
	switch {
	case len(changes.Immutable) > 0 && !p.observing():
		return Result{
			Action: Blocked, ID: r.ID, Paths: changes.Immutable,
			Message: "the cloud cannot change this: set the spec to what the cloud holds, or delete the object and create it anew",
		}
	case changes.Empty():
		r.Action = Nothing
		return r
	}
	r.Paths, r.Marks = append(append([]string{}, changes.Paths...), changes.Immutable...), changes.Mark
	return p.held(r)
}

// What holds a change back.
const (
	heldObserve = "managementPolicy is Observe"
	heldPaused  = "the object is paused"
)

// held turns a change that would not be carried out into nothing.
func (p *planner[O, R]) held(r Result) Result {
	switch {
	case p.observing():
		r.Action, r.Held = Nothing, heldObserve
	case p.paused():
		r.Action, r.Held, r.Marks = Nothing, heldPaused, false
	}
	return r
}

// foreign is the result where what is there is someone else's.
func foreign(identity external.Identity) Result {
	message := fmt.Sprintf("the cloud already holds %q (id %s), which this object did not create; spec.import.id adopts it", identity.Name, identity.ID)
	if identity.Claim != "" {
		message = fmt.Sprintf("%s claims %q (id %s) in the cloud", identity.Claimant(), identity.Name, identity.ID)
	}
	return Result{Action: Blocked, ID: identity.ID, Message: message}
}

// working says how a running operation stands.
func working(op *v1alpha1.Operation) string {
	message := fmt.Sprintf("the cloud is at work (%s)", op.Verb)
	if op.TasksTotal > 0 {
		message = fmt.Sprintf("the cloud is at work (%s, %d of %d tasks done)", op.Verb, op.TasksDone, op.TasksTotal)
	}
	return message + "; what is left to do shows when that has ended"
}

func (p *planner[O, R]) spec() *v1alpha1.ResourceSpec     { return p.obj.CommonSpec() }
func (p *planner[O, R]) status() *v1alpha1.ResourceStatus { return p.obj.CommonStatus() }

func (p *planner[O, R]) observing() bool {
	return p.spec().ManagementPolicy == v1alpha1.ManagementPolicyObserve
}

func (p *planner[O, R]) paused() bool {
	return p.obj.GetAnnotations()[v1alpha1.PausedAnnotation] == "true"
}
