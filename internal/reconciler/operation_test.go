// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/external"
)

// newJobWorld returns a world whose object is being created by the job job-1, of which nobody asked yet.
func newJobWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, object(described("mine")))
	w.cloud.poll = func(external.Operation) (external.Progress, error) { return external.Progress{}, nil }
	w.cloud.create = func(claim external.Claim) (*thing, *external.Operation, error) {
		made := w.cloud.add(thing{name: "dev", description: "mine", claim: claim.Token})
		return made, &external.Operation{ID: "job-1", Verb: external.VerbCreate}, nil
	}
	within(t, w.pass(), 2*time.Second, 2200*time.Millisecond)
	w.called("create dev")
	w.says("Ready=False/Creating", "Synced=False/Pending", "Reconciling=True/Creating", "Stalled=")
	w.told("Normal Creating")
	return w
}

// takes lets time go by.
func (w *world) takes(d time.Duration) { w.clock.SetTime(w.clock.Now().Add(d)) }

// ended checks which operations were counted since it was last asked, each as "Verb succeeded duration".
func (w *world) ended(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.counters.operations); diff != "" {
		w.t.Errorf("operations that ended (-want +got):\n%s", diff)
	}
	w.counters.operations = nil
}

// ends makes the job end, badly where a failure is given.
func (w *world) ends(failure string) {
	w.cloud.poll = func(external.Operation) (external.Progress, error) {
		return external.Progress{Done: true, Failure: failure}, nil
	}
}

func TestOperationIsWrittenDownBeforeAnybodyWaits(t *testing.T) {
	w := newJobWorld(t)
	status := w.object().Status
	if status.ID != "id-1" {
		t.Errorf("id is %q, want that of what is being made", status.ID)
	}
	op := status.Operation
	if op == nil || op.ID != "job-1" || op.Verb != v1alpha1.OperationCreate || !op.StartedAt.Time.Equal(now) {
		t.Errorf("operation is %+v", op)
	}
	if status.LastSyncTime != nil {
		t.Error("a resource that is being made counts as looked at")
	}
}

func TestRunningOperationIsPolledAndNothingElse(t *testing.T) {
	w := newJobWorld(t)
	w.edit(described("edited meanwhile"))
	w.cloud.poll = func(op external.Operation) (external.Progress, error) {
		if op != (external.Operation{ID: "job-1", Verb: external.VerbCreate}) {
			t.Errorf("polled %+v", op)
		}
		return external.Progress{Message: "2 of 5 tasks done", TasksDone: 2, TasksTotal: 5, CurrentTask: "node"}, nil
	}
	for _, want := range []time.Duration{4 * time.Second, 8 * time.Second, 15 * time.Second, 15 * time.Second} {
		within(t, w.pass(), want, want+want/10)
		w.called("poll job-1 Create")
	}
	w.says("Ready=False/Creating", "Reconciling=True/Creating")
	contains(t, w.message("Ready"), "2 of 5 tasks done")
	if op := w.object().Status.Operation; op.TasksDone != 2 || op.TasksTotal != 5 || op.CurrentTask != "node" || !op.StartedAt.Time.Equal(now) {
		t.Errorf("operation is %+v", op)
	}
	w.told()

	// Done: what was edited meanwhile goes out now.
	w.ends("")
	resynced(t, w.pass())
	w.called("poll job-1 Create", "get id-1", "update id-1 spec.description")
	w.says("Ready=True/Available", "Synced=True/UpToDate", "Reconciling=")
	w.ended("Create true 0s")
	w.told("Normal Created", "Normal Updated Updated spec.description.")
	if w.object().Status.Operation != nil {
		t.Error("the operation that ended is still written down")
	}
}

func TestOperationThatEndsWell(t *testing.T) {
	w := newJobWorld(t)
	w.pass()
	w.called("poll job-1 Create")
	w.ended()
	w.takes(time.Minute)
	w.ends("")
	resynced(t, w.pass())
	w.ended("Create true 1m0s")
	w.called("poll job-1 Create", "get id-1")
	w.says("Ready=True/Available", "Synced=True/UpToDate", "Reconciling=")
	w.pass()
	w.called()
	w.ended()
}

func TestOperationThatEndsBadly(t *testing.T) {
	w := newJobWorld(t)
	w.takes(time.Second)
	w.ends("no nodes left")
	triedAgain(t, w.pass())
	w.ended("Create false 1s")
	w.called("poll job-1 Create")
	w.says("Ready=False/Unhealthy", "Synced=False/Unhealthy", "Stalled=True/Unhealthy", "Reconciling=")
	contains(t, w.message("Ready"), "The cloud failed to create the environment: no nodes left")
	w.told("Warning Unhealthy")
	if s := w.object().Status; s.Operation != nil || s.ID != "id-1" || s.LastFailure != "no nodes left" {
		t.Errorf("operation %+v, id %q, last failure %q: want the first gone and the others kept", s.Operation, s.ID, s.LastFailure)
	}

	// Nothing is never again: the next look decides, and says what the job failed of.
	w.cloud.things[0].health = external.Health{State: external.Unhealthy, Message: "It is down."}
	resynced(t, w.pass())
	w.called("get id-1")
	w.says("Ready=False/Unhealthy", "Stalled=")
	contains(t, w.message("Ready"), "It is down. The last job failed: no nodes left")

	w.cloud.things[0].health = external.Health{}
	resynced(t, w.pass())
	w.called("get id-1")
	w.says("Ready=True/Available", "Stalled=")
	if failure := w.object().Status.LastFailure; failure != "" {
		t.Errorf("the last failure is still %q", failure)
	}
}

// A failure that Update can set right is set right at once, in the same pass, and told.
func TestOperationThatEndsBadlyWithARemedy(t *testing.T) {
	remediable := func(external.Operation) (external.Progress, error) {
		return external.Progress{Done: true, Failure: "no nodes left", Remedy: true}, nil
	}
	w := newJobWorld(t)
	w.cloud.poll = remediable
	w.cloud.things[0].description = "half made" // what Diff finds, and Update sets right
	w.cloud.update = func(observed *thing, _ external.Changes) (*thing, *external.Operation, error) {
		return observed, &external.Operation{ID: "job-1", Verb: external.VerbCreate, Reason: "Retrying", Message: "Retrying, 1 of 2."}, nil
	}
	within(t, w.pass(), 2*time.Second, 2200*time.Millisecond)
	w.called("poll job-1 Create", "get id-1", "update id-1 spec.description")
	w.says("Ready=False/Creating", "Stalled=", "Reconciling=True/Creating")
	w.told("Warning Unhealthy The cloud failed to create the environment: no nodes left", "Normal Retrying Retrying, 1 of 2.")
	if s := w.object().Status; s.Operation == nil || s.Operation.ID != "job-1" || s.LastFailure != "no nodes left" {
		t.Errorf("operation %+v, last failure %q", s.Operation, s.LastFailure)
	}

	// Under Observe nothing is set right.
	w.edit(func(e *v1alpha1.Environment) { e.Spec.ManagementPolicy = v1alpha1.ManagementPolicyObserve })
	triedAgain(t, w.pass())
	w.called("poll job-1 Create")
	w.says("Ready=False/Unhealthy", "Stalled=True/Unhealthy")
}

func TestPollThatSeesTheResourceReportsIt(t *testing.T) {
	w := newJobWorld(t)
	w.cloud.polled = func() *thing { return &thing{name: "half made"} }
	w.pass()
	w.called("poll job-1 Create")
	if got := w.object().Status.Name; got != "half made" {
		t.Errorf("status.name is %q, want what the poll saw", got)
	}
}

func TestOperationThatTheCloudForgot(t *testing.T) {
	w := newJobWorld(t)
	w.cloud.poll = func(external.Operation) (external.Progress, error) {
		return external.Progress{}, clouderr.New(clouderr.NotFound, "no such job")
	}
	resynced(t, w.pass())
	w.called("poll job-1 Create", "get id-1")
	w.says("Ready=True/Available")
}

func TestOperationThatCannotBeAskedAbout(t *testing.T) {
	w := newJobWorld(t)
	w.cloud.poll = func(external.Operation) (external.Progress, error) {
		return external.Progress{}, clouderr.New(clouderr.Transient, "down")
	}
	within(t, w.pass(), time.Second, 1100*time.Millisecond)
	w.called("poll job-1 Create")
	w.says("Ready=False/CloudUnavailable", "Reconciling=True/CloudUnavailable", "Stalled=")
	contains(t, w.message("Ready"), "Cannot look at the operation job-1: down.")
	if op := w.object().Status.Operation; op == nil || op.ID != "job-1" {
		t.Errorf("operation is %+v: want it kept", op)
	}
	w.ended()
	w.ends("")
	w.pass()
	w.says("Ready=True/Available")
}

func TestUpdateThatIsAnOperation(t *testing.T) {
	w := newSettledWorld(t, described("before"))
	w.cloud.poll = func(external.Operation) (external.Progress, error) { return external.Progress{}, nil }
	w.cloud.update = func(observed *thing, _ external.Changes) (*thing, *external.Operation, error) {
		return observed, &external.Operation{ID: "job-2", Verb: external.VerbUpdate}, nil
	}
	w.edit(described("after"))
	within(t, w.pass(), 2*time.Second, 2200*time.Millisecond)
	w.says("Ready=False/Updating", "Synced=False/Pending", "Reconciling=True/Updating")
	w.cloud.took()

	w.cloud.things[0].description = "after"
	w.ends("")
	w.pass()
	w.called("poll job-2 Update", "get id-1")
	w.says("Ready=True/Available", "Synced=True/UpToDate")
}

func TestOperationWithoutAPollerEndsWhenTheResourceSaysSo(t *testing.T) {
	w := newWorld(t, object())
	w.cloud.create = func(claim external.Claim) (*thing, *external.Operation, error) {
		made := w.cloud.add(thing{name: "dev", claim: claim.Token, health: external.Health{State: external.Progressing}})
		return made, &external.Operation{Verb: external.VerbCreate}, nil
	}
	w.pass()
	w.says("Ready=False/Creating")
	w.pass()
	if c := meta.FindStatusCondition(w.object().Status.Conditions, v1alpha1.ConditionReady); c.Status != metav1.ConditionFalse {
		t.Errorf("Ready is %s while the resource says that it is not", c.Status)
	}
	w.cloud.things[0].health = external.Health{}
	resynced(t, w.pass())
	w.called("create dev", "get id-1", "get id-1")
	w.says("Ready=True/Available", "Synced=True/UpToDate")
	w.ended("Create true 0s")
}

func TestOperationThatMakesWayForAnotherIsCountedOnce(t *testing.T) {
	w := newJobWorld(t)
	w.cloud.update = func(observed *thing, _ external.Changes) (*thing, *external.Operation, error) {
		return observed, &external.Operation{ID: "job-2", Verb: external.VerbUpdate}, nil
	}
	w.edit(described("edited meanwhile"))
	w.takes(time.Minute)
	w.ends("")
	w.pass()
	w.ended("Create true 1m0s")
	w.says("Ready=False/Updating")

	w.takes(time.Minute)
	w.cloud.remove = func(string) (*external.Operation, error) {
		return &external.Operation{ID: "job-3", Verb: external.VerbDelete}, nil
	}
	w.delete()
	w.pass()
	w.ended() // the update did not end: the deletion took its place

	w.takes(time.Hour)
	w.cloud.things = nil
	w.pass()
	w.isGone(0)
	w.ended("Delete true 1h0m0s")
}
