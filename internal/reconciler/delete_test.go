// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/external"
)

func orphaning(e *v1alpha1.Environment) { e.Spec.DeletionPolicy = v1alpha1.DeletionPolicyOrphan }

// held is an object with a finalizer and no claim.
func held(e *v1alpha1.Environment) { e.Finalizers = []string{v1alpha1.Finalizer} }

// isGone checks that the API server holds the object no longer, and how many things the cloud holds.
func (w *world) isGone(things int) {
	w.t.Helper()
	if e := w.exists(); e != nil {
		w.t.Errorf("the object is still there: %+v", e.Status.Conditions)
	}
	if len(w.cloud.things) != things {
		w.t.Errorf("the cloud holds %d things, want %d", len(w.cloud.things), things)
	}
}

func TestDelete(t *testing.T) {
	w := newSettledWorld(t)
	w.delete()
	if after := w.pass(); after != 0 {
		t.Errorf("a deleted object wakes after %s", after)
	}
	w.called("delete id-1")
	w.wrote("patch")
	w.isGone(0)
	equal(t, "classes", w.counters.classes, []string{"Deleted"})
}

func TestDeleteOfWhatIsGoneAlready(t *testing.T) {
	w := newSettledWorld(t)
	w.cloud.things = nil
	w.delete()
	w.pass()
	w.called("delete id-1")
	w.isGone(0)
}

func TestDeleteBeforeAnythingWasCreatedNeedsNothing(t *testing.T) {
	w := newWorld(t, object(held))
	w.cloud.bind = func(external.Purpose) error { return errors.New("must not bind") }
	w.delete()
	w.pass()
	w.called()
	w.isGone(0)
}

func TestDeleteLeavesOtherFinalizersToOthers(t *testing.T) {
	w := newSettledWorld(t)
	w.edit(func(e *v1alpha1.Environment) { e.Finalizers = append(e.Finalizers, "example.com/other") })
	w.delete()
	w.pass()
	w.called("delete id-1")
	equal(t, "finalizers", w.object().Finalizers, []string{"example.com/other"})
	w.pass()
	w.called()
	w.wrote()
}

func TestDeleteFindsWhatWasNeverWrittenDown(t *testing.T) {
	w := newWorld(t, object())
	w.cloud.create = func(claim external.Claim) (*thing, *external.Operation, error) {
		w.cloud.add(thing{name: "dev", claim: claim.Token})
		w.cloud.add(thing{name: "dev", claim: "theirs"})
		return nil, nil, clouderr.New(clouderr.Transient, "reset")
	}
	w.pass()
	w.cloud.took()
	w.delete()
	w.pass()
	w.called("find dev", "delete id-1")
	w.isGone(1)
}

// What was found by its claim is noted with all that the passes need which wait until it is gone.
func TestDeleteNotesWhatItFound(t *testing.T) {
	w := newWorld(t, object())
	w.cloud.create = func(claim external.Claim) (*thing, *external.Operation, error) {
		w.cloud.add(thing{name: "dev", claim: claim.Token})
		return nil, nil, clouderr.New(clouderr.Transient, "reset")
	}
	w.cloud.remove = func(string) (*external.Operation, error) { return &external.Operation{Verb: external.VerbDelete}, nil }
	w.pass()
	w.cloud.took()
	w.delete()
	w.pass()
	w.called("find dev", "delete id-1")
	if status := w.object().Status; status.ID != "id-1" || status.Name != "dev" {
		t.Errorf("id %q, name %q in the status", status.ID, status.Name)
	}
}

func TestDeleteLeavesStrangersAlone(t *testing.T) {
	w := newWorld(t, object(imported(v1alpha1.Import{ByName: true})))
	w.cloud.add(thing{name: "dev"})
	w.cloud.get = func(string) (*thing, error) { return nil, clouderr.New(clouderr.Transient, "down") }
	w.pass()
	w.edit(func(e *v1alpha1.Environment) { e.Spec.Import = nil })
	// The id was lost with the status; the claim was never put on the thing.
	e := w.object()
	e.Status = v1alpha1.EnvironmentStatus{}
	must(t, w.api.Status().Update(t.Context(), e))
	w.cloud.took()
	w.delete()
	w.pass()
	w.called("find dev")
	w.isGone(1)
}

func TestDeleteWaitsForTheSearch(t *testing.T) {
	w := newWorld(t, object())
	w.cloud.create = func(external.Claim) (*thing, *external.Operation, error) {
		return nil, nil, clouderr.New(clouderr.Transient, "reset")
	}
	w.pass()
	w.cloud.took()
	w.delete()
	w.cloud.find = func(external.Claim) ([]*thing, error) { return nil, clouderr.New(clouderr.Throttled, "slow down") }
	within(t, w.pass(), time.Second, 3*time.Second)
	w.called("find dev")
	w.says("Ready=False/Throttled", "Reconciling=True/Throttled")
	w.cloud.find = nil
	within(t, w.pass(), 3*time.Second, 4*time.Second)
	w.says("Ready=False/Deleting", "Reconciling=True/Deleting")
	within(t, w.pass(), 6*time.Second, 7*time.Second)
	w.pass()
	w.called("find dev", "find dev", "find dev")
	w.isGone(0)
}

func TestDeleteDoesNotTrustOneList(t *testing.T) {
	w := newWorld(t, object())
	w.cloud.create = func(claim external.Claim) (*thing, *external.Operation, error) {
		w.cloud.add(thing{name: "dev", claim: claim.Token})
		return nil, nil, clouderr.New(clouderr.Transient, "reset")
	}
	w.pass()
	w.cloud.took()
	w.delete()
	w.cloud.find = func(external.Claim) ([]*thing, error) { return nil, nil }
	w.pass()
	w.pass()
	w.cloud.find = nil
	w.pass()
	w.called("find dev", "find dev", "find dev", "delete id-1")
	w.isGone(0)
}

func TestOrphan(t *testing.T) {
	w := newSettledWorld(t, orphaning)
	w.delete()
	w.pass()
	w.called("find dev", "update id-1 unmark")
	w.isGone(1)
	if w.cloud.things[0].claim != "" {
		t.Errorf("the claim %q stays, and keeps others from adopting", w.cloud.things[0].claim)
	}
}

func TestOrphanNeverWaits(t *testing.T) {
	for name, breakIt := range map[string]func(*world){
		"without credentials": func(w *world) {
			w.cloud.bind = func(external.Purpose) error { return &external.WaitError{Cause: external.WaitForCredentials} }
		},
		"with a broken cloud": func(w *world) {
			w.cloud.find = func(external.Claim) ([]*thing, error) { return nil, clouderr.New(clouderr.Transient, "down") }
		},
		"with a refusal": func(w *world) {
			w.cloud.update = func(*thing, external.Changes) (*thing, *external.Operation, error) {
				return nil, nil, clouderr.New(clouderr.Forbidden, "no")
			}
		},
		"while paused": func(w *world) { w.annotate(v1alpha1.PausedAnnotation, "true") },
		"with a malformed claim": func(w *world) {
			w.annotate(v1alpha1.ClaimAnnotation, "gibberish")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSettledWorld(t, orphaning)
			breakIt(w)
			w.delete()
			w.pass()
			w.isGone(1)
		})
	}
}

func TestObservedIsNeverDeleted(t *testing.T) {
	w := newWorld(t, object(observing, held))
	w.cloud.add(thing{name: "dev", claim: "theirs"})
	w.pass()
	w.cloud.took()
	w.delete()
	w.pass()
	w.called()
	w.isGone(1)
}

func TestDeleteWhilePaused(t *testing.T) {
	w := newSettledWorld(t)
	w.annotate(v1alpha1.PausedAnnotation, "true")
	w.delete()
	w.pass()
	w.called()
	w.says("Paused=True/Annotation")
	w.annotate(v1alpha1.PausedAnnotation, "")
	w.pass()
	w.called("delete id-1")
	w.isGone(0)
}

func TestDeleteWithAMalformedClaim(t *testing.T) {
	w := newSettledWorld(t)
	w.annotate(v1alpha1.ClaimAnnotation, "gibberish")
	w.delete()
	triedAgain(t, w.pass())
	w.called()
	w.says("Ready=False/Rejected", "Stalled=True/Rejected")
	contains(t, w.message("Ready"), "gibberish")
}

func TestDeleteIsHeldBackByWhatRefersToTheObject(t *testing.T) {
	shop := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "shop"}}
	shop.Spec.Configurations = []v1alpha1.ApplicationConfiguration{{EnvironmentRef: v1alpha1.Reference{Name: "dev"}}}
	w := newWorld(t, object(), shop)
	w.pass()
	w.cloud.took()
	w.recorder.took()
	w.delete()

	if after := w.pass(); after != 0 {
		t.Errorf("the object polls every %s, want it to wait for the watch", after)
	}
	w.called()
	w.says("Ready=False/DeletionBlocked", "Synced=True/UpToDate", "Reconciling=True/DeletionBlocked", "Stalled=")
	contains(t, w.message("Ready"), "Application shop")
	w.told("Warning DeletionBlocked")
	w.pass()
	w.wrote()
	w.told()

	must(t, w.api.Delete(t.Context(), shop))
	w.pass()
	w.called("delete id-1")
	w.isGone(0)
}

func TestDeleteIsHeldBackByTheCloud(t *testing.T) {
	w := newSettledWorld(t)
	w.delete()
	w.cloud.remove = func(string) (*external.Operation, error) {
		return nil, clouderr.New(clouderr.InUse, "component web runs in it")
	}
	for _, want := range []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 2 * time.Minute} {
		within(t, w.pass(), want, want+want/10)
	}
	w.says("Ready=False/DeletionBlocked", "Reconciling=True/DeletionBlocked", "Stalled=")
	contains(t, w.message("Ready"), "component web runs in it")
	w.told("Warning DeletionBlocked")
	w.cloud.remove = nil
	w.pass()
	w.isGone(0)
}

func TestDeleteWithoutCredentials(t *testing.T) {
	w := newSettledWorld(t)
	w.delete()
	w.cloud.bind = func(purpose external.Purpose) error {
		if purpose != external.ForDelete {
			t.Errorf("bound for purpose %d", purpose)
		}
		return &external.WaitError{Cause: external.WaitForCredentials, Reason: external.NotFound, Message: "There is no account."}
	}
	if after := w.pass(); after != 0 {
		t.Errorf("the object polls every %s", after)
	}
	w.called()
	w.says("Ready=False/CredentialsNotReady", "ReferencesResolved=False/NotFound")
	contains(t, w.message("Ready"), "There is no account.", "spec.deletionPolicy: Orphan")
	// The way out works.
	w.edit(orphaning)
	w.pass()
	w.isGone(1)
}

func TestDeleteAsAnOperation(t *testing.T) {
	w := newSettledWorld(t)
	w.cloud.poll = func(external.Operation) (external.Progress, error) {
		return external.Progress{Message: "1 of 2 tasks done"}, nil
	}
	w.cloud.remove = func(string) (*external.Operation, error) {
		return &external.Operation{ID: "job-9", Verb: external.VerbDelete}, nil
	}
	w.delete()
	within(t, w.pass(), 2*time.Second, 3*time.Second)
	w.called("delete id-1")
	w.says("Ready=False/Deleting", "Reconciling=True/Deleting")
	if op := w.object().Status.Operation; op == nil || op.ID != "job-9" || op.Verb != v1alpha1.OperationDelete {
		t.Errorf("operation is %+v", op)
	}

	w.pass()
	w.called("get id-1", "poll job-9 Delete")
	contains(t, w.message("Ready"), "1 of 2 tasks done")

	w.cloud.things = nil
	w.pass()
	w.called("get id-1")
	w.isGone(0)
}

func TestDeleteWithoutAPollerWaitsUntilTheThingIsGone(t *testing.T) {
	w := newSettledWorld(t)
	w.cloud.remove = func(string) (*external.Operation, error) { return &external.Operation{Verb: external.VerbDelete}, nil }
	w.delete()
	w.pass()
	within(t, w.pass(), 4*time.Second, 5*time.Second)
	w.called("delete id-1", "get id-1")
	w.says("Ready=False/Deleting", "Reconciling=True/Deleting")
	w.cloud.things = nil
	w.pass()
	w.isGone(0)
}

func TestDeleteOperationThatEndsWhileTheThingIsStillThere(t *testing.T) {
	for _, tc := range []struct {
		name string
		poll func(external.Operation) (external.Progress, error)
		word string
	}{
		{"badly", func(external.Operation) (external.Progress, error) {
			return external.Progress{Done: true, Failure: "a disk is stuck"}, nil
		}, "a disk is stuck"},
		{"well", func(external.Operation) (external.Progress, error) {
			return external.Progress{Done: true}, nil
		}, "still there"},
		{"forgotten", func(external.Operation) (external.Progress, error) {
			return external.Progress{}, clouderr.New(clouderr.NotFound, "no such job")
		}, "still there"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newSettledWorld(t)
			w.cloud.poll = tc.poll
			w.cloud.remove = func(string) (*external.Operation, error) {
				return &external.Operation{ID: "job-9", Verb: external.VerbDelete}, nil
			}
			w.delete()
			w.pass()
			if after := w.pass(); after != 10*time.Minute {
				t.Errorf("the next try is in %s", after)
			}
			w.says("Ready=False/Unhealthy", "Stalled=True/Unhealthy")
			w.ended("Delete false 0s")
			contains(t, w.message("Ready"), tc.word)
			w.cloud.took()
			// The next pass deletes anew.
			w.cloud.remove = nil
			w.pass()
			w.called("delete id-1")
			w.isGone(0)
		})
	}
}

func TestDeleteOperationThatCannotBeAskedAbout(t *testing.T) {
	w := newSettledWorld(t)
	w.cloud.poll = func(external.Operation) (external.Progress, error) {
		return external.Progress{}, clouderr.New(clouderr.Transient, "down")
	}
	w.cloud.remove = func(string) (*external.Operation, error) {
		return &external.Operation{ID: "job-9", Verb: external.VerbDelete}, nil
	}
	w.delete()
	w.pass()
	within(t, w.pass(), time.Second, 2*time.Second)
	w.says("Ready=False/CloudUnavailable", "Reconciling=True/CloudUnavailable")
	if w.object().Status.Operation == nil {
		t.Error("the operation is forgotten")
	}
	w.cloud.get = func(string) (*thing, error) { return nil, clouderr.New(clouderr.Transient, "down, too") }
	w.pass()
	contains(t, w.message("Ready"), "down, too")
}

func TestDeleteFails(t *testing.T) {
	for class, ready := range map[clouderr.Class]string{
		clouderr.Transient: "False/CloudUnavailable", clouderr.Busy: "False/Deleting", clouderr.Forbidden: "False/Forbidden",
		clouderr.Throttled: "False/Throttled", clouderr.Invalid: "False/Rejected",
	} {
		t.Run(string(class), func(t *testing.T) {
			w := newSettledWorld(t)
			w.cloud.remove = func(string) (*external.Operation, error) { return nil, clouderr.New(class, "no luck") }
			w.delete()
			if after := w.pass(); after == 0 {
				t.Error("nothing wakes the object again")
			}
			w.says("Ready=" + ready)
			equal(t, "finalizers", w.object().Finalizers, []string{v1alpha1.Finalizer})
			w.cloud.remove = nil
			w.pass()
			w.isGone(0)
		})
	}
}

func TestConflictWhileLettingGoIsTriedAgain(t *testing.T) {
	w := newSettledWorld(t)
	w.delete()
	raced := false
	w.beforePatch = func() error {
		if !raced {
			raced = true
			w.edit(func(e *v1alpha1.Environment) { e.Labels = map[string]string{"somebody": "else"} })
		}
		return nil
	}
	if _, err := w.try(); !apierrors.IsConflict(err) {
		t.Fatalf("Reconcile returned %v, want a conflict", err)
	}
	w.pass()
	w.called("delete id-1", "delete id-1")
	w.isGone(0)
}
