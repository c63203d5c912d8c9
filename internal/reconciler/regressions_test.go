// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"testing"
	"time"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/external"
)

func TestEditWhilePausedIsNoDrift(t *testing.T) {
	w := newSettledWorld(t, described("before"))
	w.annotate(v1alpha1.PausedAnnotation, "true")
	w.pass()
	w.edit(described("after"))
	w.pass()
	w.annotate(v1alpha1.PausedAnnotation, "")
	w.pass()
	w.told("Normal Updated Updated spec.description.")
	if w.counters.repaired != 0 {
		t.Errorf("repaired %d: the user's own edit counts as drift", w.counters.repaired)
	}
}

func TestEditWhilePausedDoesNotClaimToBeReady(t *testing.T) {
	w := newSettledWorld(t, described("before"))
	w.annotate(v1alpha1.PausedAnnotation, "true")
	w.edit(described("after"))
	w.pass()
	if e := w.object(); e.Status.ObservedGeneration == e.Generation {
		w.says("Synced=False/Pending")
	}
}

func TestAdoptedByNameAndGone(t *testing.T) {
	w := newWorld(t, object(imported(v1alpha1.Import{ByName: true})))
	w.cloud.add(thing{name: "dev"})
	w.pass()
	w.recorder.took()
	w.cloud.things = nil
	w.clock.SetTime(now.Add(2 * time.Hour))
	w.pass()
	t.Log(w.recorder.took(), w.message("Ready"))
	w.says("Ready=True/Available")
}

// The manager may die between the loss of a resource and its successor: what is written down by then must not say that all is
// well, or nobody looks before the next list or interval.
func TestWhatIsGoneIsNotCalledReadyBeforeItIsMadeAnew(t *testing.T) {
	w := newSettledWorld(t)
	w.cloud.things = nil
	w.annotate(v1alpha1.ReconcileRequestedAtAnnotation, "one")
	w.cloud.create = func(external.Claim) (*thing, *external.Operation, error) {
		w.says("Ready=False/Creating", "Synced=False/Pending")
		if status := w.object().Status; status.ID != "" || status.LastHandledReconcileAt != "" {
			t.Errorf("the id is %q, the request %q is handled", status.ID, status.LastHandledReconcileAt)
		}
		return nil, nil, clouderr.New(clouderr.Transient, "died")
	}
	w.pass()
	w.called("get id-1", "find dev", "create dev")

	w.cloud.create = nil
	w.pass()
	w.says("Ready=True/Available")
	if status := w.object().Status; status.ID == "" || status.LastHandledReconcileAt != "one" {
		t.Errorf("the id is %q, the request %q is handled", status.ID, status.LastHandledReconcileAt)
	}
}

// Another manager, which still believes that it leads or has just taken over, deletes the resource and lets the object go, while
// the cache of this one does not know of it yet: nothing is made again.
func TestNothingIsMadeForAnObjectThatGoes(t *testing.T) {
	retried := func(w *world) {
		w.cloud.create = func(external.Claim) (*thing, *external.Operation, error) {
			return nil, nil, clouderr.New(clouderr.Transient, "no reply")
		}
		w.pass()
		w.cloud.create = nil
	}
	for name, tc := range map[string]struct {
		before func(w *world)
		calls  []string
	}{
		"it was made before":          {before: func(w *world) { w.pass() }, calls: []string{"get id-1"}},
		"a try to make it had failed": {before: retried, calls: []string{"find dev"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, object())
			tc.before(w)
			before := w.object()
			w.edit(func(e *v1alpha1.Environment) { e.Finalizers = append(e.Finalizers, "example.com/holds") })
			w.delete()
			w.cloud.things = nil
			w.cloud.took()
			w.cached = before
			w.clock.SetTime(now.Add(2 * time.Hour))
			for _, gone := range []bool{false, true} {
				if gone {
					w.edit(func(e *v1alpha1.Environment) { e.Finalizers = nil })
				}
				if _, err := w.try(); err == nil {
					t.Errorf("no error, gone %t", gone)
				}
				w.called(tc.calls...)
			}
		})
	}
}

func TestUnmarkableStrangerMadeJustBefore(t *testing.T) {
	w := newUnmarkedWorld(t, object())
	w.cloud.add(thing{name: "dev", createdAt: now.Add(-30 * time.Second)})
	w.pass()
	w.says("Ready=False/AlreadyExists")
}

func TestOperationWithoutAPollerIsNotDisturbed(t *testing.T) {
	w := newWorld(t, object(described("mine")))
	w.cloud.create = func(claim external.Claim) (*thing, *external.Operation, error) {
		made := w.cloud.add(thing{name: "dev", claim: claim.Token, health: external.Health{State: external.Progressing}})
		return made, &external.Operation{Verb: external.VerbCreate}, nil
	}
	w.pass()
	w.cloud.took()
	w.pass()
	w.called("get id-1")
	w.says("Ready=False/Creating")
	if w.object().Status.Operation == nil {
		t.Error("the operation is forgotten while it runs")
	}
}
