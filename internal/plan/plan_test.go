// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"context"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/external"
)

const (
	ours   = "00112233445566778899aabbccddeeff"
	theirs = "ffeeddccbbaa99887766554433221100"
)

// thing is what the fake cloud holds.
type thing struct {
	id, name, claim string
}

// fake is a kind and the handle on its resource. Every verb that writes fails the test.
type fake struct {
	t       *testing.T
	bindErr error
	getErr  error
	things  []thing
	changes external.Changes
}

func (f *fake) Bind(context.Context, *v1alpha1.Environment, external.Purpose) (external.Resource[thing], error) {
	return f, f.bindErr
}

func (f *fake) Report(obj *v1alpha1.Environment, o *thing) external.Health {
	obj.Status.Name = o.name
	return external.Health{}
}

func (f *fake) Describe(o *thing) *v1alpha1.Environment {
	return &v1alpha1.Environment{Spec: v1alpha1.EnvironmentSpec{Name: o.name}}
}

func (f *fake) Get(_ context.Context, id string) (*thing, error) {
	for _, o := range f.things {
		if o.id == id {
			return &o, f.getErr
		}
	}
	if f.getErr != nil {
		return nil, f.getErr
	}
	return nil, clouderr.New(clouderr.NotFound, "no %s", id)
}

func (f *fake) Find(context.Context, external.Claim) iter.Seq2[*thing, error] {
	return func(yield func(*thing, error) bool) {
		for _, o := range f.things {
			if !yield(&o, nil) {
				return
			}
		}
	}
}

func (f *fake) Identity(o *thing) external.Identity {
	return external.Identity{ID: o.id, Name: o.name, Claim: o.claim, ClaimKnown: true}
}

func (f *fake) Diff(*thing) external.Changes { return f.changes }

func (f *fake) Create(context.Context, external.Claim) (*thing, *external.Operation, error) {
	f.t.Error("a plan creates")
	return nil, nil, nil
}

func (f *fake) Update(context.Context, *thing, external.Changes, external.Claim) (*thing, *external.Operation, error) {
	f.t.Error("a plan updates")
	return nil, nil, nil
}

func (f *fake) Delete(context.Context, string) (*external.Operation, error) {
	f.t.Error("a plan deletes")
	return nil, nil
}

// with makes an Environment that is claimed and known by its id.
func with(changes ...func(*v1alpha1.Environment)) *v1alpha1.Environment {
	e := &v1alpha1.Environment{}
	e.Annotations = map[string]string{v1alpha1.ClaimAnnotation: ours + "@2026-03-04T05:06:07Z"}
	e.Status.ID = "e1"
	for _, change := range changes {
		change(e)
	}
	return e
}

func fresh(e *v1alpha1.Environment)     { e.Status.ID, e.Annotations = "", nil }
func observing(e *v1alpha1.Environment) { e.Spec.ManagementPolicy = v1alpha1.ManagementPolicyObserve }
func orphan(e *v1alpha1.Environment)    { e.Spec.DeletionPolicy = v1alpha1.DeletionPolicyOrphan }
func paused(e *v1alpha1.Environment) {
	if e.Annotations == nil {
		e.Annotations = map[string]string{}
	}
	e.Annotations[v1alpha1.PausedAnnotation] = "true"
}

func deleted(e *v1alpha1.Environment) {
	e.DeletionTimestamp = &metav1.Time{Time: time.Now()}
}

func byID(id string) func(*v1alpha1.Environment) {
	return func(e *v1alpha1.Environment) { e.Spec.Import = &v1alpha1.Import{ID: id} }
}

func byName(e *v1alpha1.Environment) { e.Spec.Import = &v1alpha1.Import{ByName: true} }

func TestPlan(t *testing.T) {
	description := external.Changes{Paths: []string{"spec.description"}}
	waiting := &external.WaitError{Cause: external.WaitForReference, Reason: external.NotReady, Message: "spec.ref: not yet"}
	own, free, foreign := thing{"e1", "dev", ours}, thing{"e1", "dev", ""}, thing{"e1", "dev", theirs}
	for _, tc := range []struct {
		name string
		obj  *v1alpha1.Environment
		fake fake
		want Result
		err  string
	}{
		{name: "settled", obj: with(), fake: fake{things: []thing{own}}, want: Result{Action: Nothing, ID: "e1"}},
		{name: "drifted", obj: with(), fake: fake{things: []thing{own}, changes: description}, want: Result{Action: Update, ID: "e1", Paths: []string{"spec.description"}}},
		{name: "unmarked", obj: with(), fake: fake{things: []thing{free}}, want: Result{Action: Update, ID: "e1", Marks: true}},
		{name: "taken by another", obj: with(), fake: fake{things: []thing{foreign}, changes: description}, want: Result{Action: Blocked, ID: "e1", Message: "another object claims"}},
		{name: "replaced as a whole", obj: with(func(e *v1alpha1.Environment) { e.Annotations = nil }), fake: fake{things: []thing{own}}, want: Result{Action: Nothing, ID: "e1"}},
		{name: "immutable", obj: with(), fake: fake{things: []thing{own}, changes: external.Changes{Paths: []string{"spec.description"}, Immutable: []string{"spec.vpcID"}}},
			want: Result{Action: Blocked, ID: "e1", Paths: []string{"spec.vpcID"}, Message: "cannot change"}},
		{name: "new", obj: with(fresh), want: Result{Action: Create}},
		{name: "new, and the name is taken", obj: with(fresh), fake: fake{things: []thing{free}}, want: Result{Action: Blocked, ID: "e1", Message: "spec.import.id adopts it"}},
		{name: "new, before what it refers to", obj: with(fresh), fake: fake{bindErr: waiting}, want: Result{Action: Create, Message: "once this is there: spec.ref: not yet"}},
		{name: "known, and what it refers to is gone", obj: with(), fake: fake{bindErr: waiting}, err: "spec.ref: not yet"},
		{name: "gone from the cloud", obj: with(), want: Result{Action: Create, Message: "e1 is gone from the cloud"}},
		{name: "lost its status", obj: with(func(e *v1alpha1.Environment) { e.Status.ID = "" }), fake: fake{things: []thing{own}}, want: Result{Action: Nothing, ID: "e1"}},
		{name: "adopted by id", obj: with(fresh, byID("e1")), fake: fake{things: []thing{free}, changes: description}, want: Result{Action: Adopt, ID: "e1", Paths: []string{"spec.description"}, Marks: true}},
		{name: "adopted by an id that is wrong", obj: with(fresh, byID("e9")), fake: fake{things: []thing{free}}, want: Result{Action: Blocked, Message: "spec.import.id"}},
		{name: "adopted by the id of another's", obj: with(fresh, byID("e1")), fake: fake{things: []thing{foreign}}, want: Result{Action: Blocked, ID: "e1", Message: "another object claims"}},
		{name: "adopted by name", obj: with(fresh, byName), fake: fake{things: []thing{free}}, want: Result{Action: Adopt, ID: "e1", Marks: true}},
		{name: "adopted by a name that is not there", obj: with(fresh, byName), want: Result{Action: Blocked, Message: "spec.import.byName"}},
		{name: "adopted by a name that is there twice", obj: with(fresh, byName), fake: fake{things: []thing{free, {"e2", "dev", ""}}}, want: Result{Action: Blocked, Message: "several"}},
		{name: "observed", obj: with(observing), fake: fake{things: []thing{free}}, want: Result{Action: Nothing, ID: "e1"}},
		{name: "observed with drift", obj: with(observing), fake: fake{things: []thing{foreign}, changes: external.Changes{Paths: []string{"spec.description"}, Immutable: []string{"spec.vpcID"}}},
			want: Result{Action: Nothing, ID: "e1", Paths: []string{"spec.description", "spec.vpcID"}, Held: heldObserve}},
		{name: "observed and not there", obj: with(fresh, observing), want: Result{Action: Nothing, Held: heldObserve, Message: "no such"}},
		{name: "paused with drift", obj: with(paused), fake: fake{things: []thing{own}, changes: description}, want: Result{Action: Nothing, ID: "e1", Paths: []string{"spec.description"}, Held: heldPaused}},
		{name: "paused and new", obj: with(fresh, paused), want: Result{Action: Nothing, Held: heldPaused}},
		{name: "at work", obj: with(func(e *v1alpha1.Environment) {
			e.Status.Operation = &v1alpha1.Operation{Verb: v1alpha1.OperationUpdate, TasksDone: 2, TasksTotal: 5}
		}), want: Result{Action: Working, ID: "e1", Message: "2 of 5 tasks done"}},
		{name: "being deleted", obj: with(deleted), want: Result{Action: Delete, ID: "e1"}},
		{name: "being deleted and orphaned", obj: with(deleted, orphan), want: Result{Action: Release, ID: "e1", Message: "claim is taken off"}},
		{name: "being deleted and observed", obj: with(deleted, observing), want: Result{Action: Nothing, ID: "e1", Message: "left as it is"}},
		{name: "being deleted and paused", obj: with(deleted, paused), want: Result{Action: Nothing, ID: "e1", Held: heldPaused}},
		{name: "being deleted, never created", obj: with(fresh, deleted), want: Result{Action: Nothing, Message: "left as it is"}},
		{name: "a cloud that fails", obj: with(), fake: fake{getErr: clouderr.New(clouderr.Transient, "out of order")}, err: "out of order"},
		{name: "a claim that is none", obj: with(func(e *v1alpha1.Environment) { e.Annotations[v1alpha1.ClaimAnnotation] = "x" }), err: "metadata.annotations[servicestage.dev/claim]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.fake.t = t
			before := tc.obj.DeepCopy()
			got, err := Of[*v1alpha1.Environment, thing](&tc.fake)(t.Context(), tc.obj)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("err = %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(got.Message, tc.want.Message) || tc.want.Message == "" && got.Message != "" {
				t.Errorf("message %q, want %q in it", got.Message, tc.want.Message)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(Result{}, "Message", "After", "Cloud"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, tc.obj); diff != "" {
				t.Errorf("the plan changed the object:\n%s", diff)
			}
		})
	}
}

func TestPlanTellsWhatTheCloudHolds(t *testing.T) {
	f := &fake{t: t, things: []thing{{"e1", "dev", ""}}}
	got, err := Of[*v1alpha1.Environment, thing](f)(t.Context(), with(fresh, byID("e1")))
	if err != nil {
		t.Fatal(err)
	}
	after, ok := got.After.(*v1alpha1.Environment)
	if !ok || after.Status.ID != "e1" || after.Status.Name != "dev" {
		t.Errorf("after = %+v, want the status of e1", got.After)
	}
	cloud, ok := got.Cloud.(*v1alpha1.Environment)
	if !ok || cloud.Spec.Name != "dev" {
		t.Errorf("cloud = %+v, want what the kind describes", got.Cloud)
	}
}

func TestChanges(t *testing.T) {
	for action, want := range map[Action]bool{Nothing: false, Blocked: false, Create: true, Update: true, Adopt: true, Delete: true, Release: true, Working: true} {
		if got := action.Changes(); got != want {
			t.Errorf("%s.Changes() = %t, want %t", action, got, want)
		}
	}
}
