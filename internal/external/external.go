// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package external is the contract between the one lifecycle loop (package reconciler) and the kinds of cloud resources.
//
// A kind is described by two types. A Kind turns an object into a handle on its cloud resource and judges what was
// observed; a Resource is that handle: seven verbs, of which Get, Find, Create, Update and Delete do I/O, and Identity
// and Diff are pure. What is done when, what is written to status, and what happens after an error is the loop's
// business alone: a kind never looks at conditions, never requeues, never retries.
//
// Errors that a kind returns carry a class (package clouderr). While something that the object refers to is missing,
// Bind returns a *WaitError.
package external

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Purpose says what a handle is wanted for.
type Purpose int

const (
	// ForSync handles can do everything.
	ForSync Purpose = iota
	// ForDelete handles need to Get, Find, Identity, Delete, and Update with Unmark only: Bind must not resolve references
	// for them.
	ForDelete
	// ForPoll handles can do everything, too, but nobody waits for what they look at: others come first.
	ForPoll
)

// Kind describes how objects of type O are realised as cloud resources that are observed as R.
type Kind[O client.Object, R any] interface {
	// Bind returns a handle on the object's cloud resource. It reads references and credentials, and MUST NOT write
	// anything anywhere. It returns a *WaitError while something is missing.
	Bind(ctx context.Context, obj O, purpose Purpose) (Resource[R], error)
	// Report copies what was observed into the kind's own part of the object's status and judges its health. It MUST be
	// pure, and MUST NOT touch the common part of the status.
	Report(obj O, observed *R) Health
}

// Resource is a handle on one cloud resource. It serves one reconciliation.
type Resource[R any] interface {
	// Get observes the resource. A resource that is gone is an error of class NotFound, which MUST NOT be returned on
	// the strength of one list or one status code that can also mean something else.
	Get(ctx context.Context, id string) (*R, error)
	// Find yields every cloud resource that could be this object's: all that carry the claim, and all that have the
	// natural key (usually the name). It ends after the first error.
	Find(ctx context.Context, claim Claim) iter.Seq2[*R, error]
	// Identity says which cloud resource was observed, and whose it is. Pure.
	Identity(observed *R) Identity
	// Diff compares the spec with what was observed. Pure. It holds paths only, so that no value can leak through it.
	// What the spec leaves out is not compared.
	Diff(observed *R) Changes
	// Create makes the cloud resource, with the claim on it where it can carry one. Where the resource exists afterwards
	// but something that belongs to it failed, Create returns both what was observed and the error.
	Create(ctx context.Context, claim Claim) (*R, *Operation, error)
	// Update changes what differs, and nothing else, and returns what is observed afterwards, also with an error where
	// part of it was done before. It puts the claim on the resource where changes.Mark is set, and takes it off where
	// changes.Unmark is.
	Update(ctx context.Context, observed *R, changes Changes, claim Claim) (*R, *Operation, error)
	// Delete removes the cloud resource. Without an operation it is gone when Delete returns. Deleting what is gone
	// already is an error of class NotFound.
	Delete(ctx context.Context, id string) (*Operation, error)
}

// Poller is implemented by resources whose operations are jobs that can be asked about. Without it, an operation ends
// when Get and Report say so.
type Poller interface {
	// Poll asks how the operation stands.
	Poll(ctx context.Context, op Operation) (Progress, error)
}

// PollObserver is implemented by Pollers whose Poll also looks at the resource: the loop reports what it saw.
type PollObserver[R any] interface {
	// Polled returns what the last Poll observed, or nil.
	Polled() *R
}

// Prober is implemented by resources that can tell before a creation that it would fail or wait.
type Prober interface {
	// Probe makes sure that Create can be tried now. It is called before the claim is minted, so that an object for which
	// nothing can ever have been made is deleted without a connection, and is not looked for when it is tried again.
	Probe(ctx context.Context) error
}

// Keeper is implemented by resources that keep a record in the object's status beside what is observed, such as which
// parts of the cloud resource are the object's own.
type Keeper[O client.Object] interface {
	// Keep is called once, before any other method, with a function that writes the record to the object's status at
	// once: for what must be known after a crash before a call can be made.
	Keep(write func(ctx context.Context) error)
	// Record copies the record into the kind's own part of the object's status, and returns the kind's own conditions
	// as they are now. It is called at the end of every pass, also of one that failed. It MUST be pure, and MUST NOT
	// touch the common part of the status.
	Record(obj O) []Condition
}

// Condition is one of a kind's own conditions, which its Definition names. It is there while Record returns it.
type Condition struct {
	Type, Reason, Message string
	// True is set where the condition's status is True; it is False otherwise.
	True bool
}

// Describer is implemented by kinds that can say what was observed in the words of a spec, for whoever shows it to people.
type Describer[O client.Object, R any] interface {
	// Describe returns an object whose spec says what was observed, with ids for references and every value in the clear.
	// What was not looked at is left out. Pure.
	Describe(observed *R) O
}

// Verb says what an operation does.
type Verb string

const (
	// VerbCreate brings a resource into being.
	VerbCreate Verb = "Create"
	// VerbUpdate changes one.
	VerbUpdate Verb = "Update"
	// VerbDelete removes one.
	VerbDelete Verb = "Delete"
)

// Operation is a job that the cloud runs.
type Operation struct {
	// ID of the job, empty where the cloud gives none.
	ID string
	// Verb says what the job does.
	Verb Verb
	// Reason and Message tell the start of the operation as an event, for example "Scaling" and "Scaling from 2 to 3
	// replicas."; the verb does where they are empty.
	Reason, Message string
}

// Progress is how an operation stands.
type Progress struct {
	// Done is set when the operation has ended, well or badly.
	Done bool
	// Failure says why an operation that has ended did so badly; "" where it ended well.
	Failure string
	// Remedy is set with a Failure that Update can set right: the loop goes on to compare, and Diff tells what is to be
	// done, instead of waiting for someone to act.
	Remedy bool
	// Message says where a running operation is, for example "2 of 5 tasks done".
	Message string
	// Tasks of the operation: how many are done, how many there are, and the name of the current one.
	TasksDone, TasksTotal int
	CurrentTask           string
}

// Identity says which cloud resource was observed, and whose it is.
type Identity struct {
	// ID of the resource.
	ID string
	// Name of the resource, for messages.
	Name string
	// Claim is the token on the resource; "" where it carries none.
	Claim string
	// Owner says for people who claimed it, as OwnerOf writes it; "" where that is not known.
	Owner string
	// ClaimKnown is false where the observation cannot show a claim: the resource cannot carry one, or the call that it
	// was observed by leaves it out.
	ClaimKnown bool
	// CreatedAt is when the resource was created, by the cloud's clock; zero where unknown.
	CreatedAt time.Time
}

// Unclaimed says whether the observation shows that nobody claims the resource.
func (i Identity) Unclaimed() bool { return i.ClaimKnown && i.Claim == "" }

// ClaimedByOther says whether the observation shows the claim of another than the given one.
func (i Identity) ClaimedByOther(own Claim) bool {
	return i.ClaimKnown && i.Claim != "" && i.Claim != own.Token
}

// Claimant says for people who claims the resource, as far as it can be told: "another object", or the cluster where it
// has a name, the namespace and the name of one.
func (i Identity) Claimant() string {
	if i.Owner == "" {
		return "another object"
	}
	return strings.ReplaceAll(i.Owner, ownerSeparator, "/")
}

// Changes is the difference between a spec and an observation.
type Changes struct {
	// Paths that differ and can be changed, for example "spec.description", sorted.
	Paths []string
	// Immutable lists paths that differ and cannot be changed, sorted.
	Immutable []string
	// Mark is set by the loop when the claim must be put on the resource, Unmark when it must be taken off.
	Mark, Unmark bool
}

// Empty says whether there is nothing to change.
func (c Changes) Empty() bool { return len(c.Paths) == 0 && len(c.Immutable) == 0 && !c.Mark }

// Has says whether a path differs.
func (c Changes) Has(path string) bool { return slices.Contains(c.Paths, path) }

// Within says whether a path below the given one differs, such as "spec.labels[tier]" below "spec.labels".
func (c Changes) Within(path string) bool {
	return slices.ContainsFunc(c.Paths, func(p string) bool {
		return p == path || strings.HasPrefix(p, path+"[") || strings.HasPrefix(p, path+".")
	})
}

// State is a judgement of health.
type State int

const (
	// Healthy resources can be used.
	Healthy State = iota
	// Progressing resources will become healthy, or not, by themselves.
	Progressing
	// Unhealthy resources exist and do not work.
	Unhealthy
	// Held resources are at a point where someone must say how to go on, as the spec asked for.
	Held
)

// Health is what a kind makes of an observation.
type Health struct {
	State State
	// Message for the Ready condition. For Healthy it may be empty.
	Message string
}

// WaitCause says what is waited for.
type WaitCause string

const (
	// WaitForReference means that a referenced object is missing or cannot be used yet.
	WaitForReference WaitCause = "Reference"
	// WaitForCredentials means that the account is missing, not ready, or may not be used.
	WaitForCredentials WaitCause = "Credentials"
)

// WaitReason says in which way something is missing.
type WaitReason string

const (
	// NotFound means that it does not exist.
	NotFound WaitReason = "NotFound"
	// NotReady means that it exists but cannot be used yet.
	NotReady WaitReason = "NotReady"
	// NotAllowed means that it may not be used from here.
	NotAllowed WaitReason = "NotAllowed"
)

// WaitError says that nothing can be done until something else changes. The loop waits for that change, which a watch
// reports, and does not poll.
type WaitError struct {
	Cause  WaitCause
	Reason WaitReason
	// Message names the field, what is missing, and the way out.
	Message string
	// Stalled is set where someone must act, as opposed to merely wait.
	Stalled bool
}

func (e *WaitError) Error() string { return e.Message }
