// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/external"
)

func described(text string) func(*v1alpha1.Environment) {
	return func(e *v1alpha1.Environment) { e.Spec.Description = new(text) }
}

func imported(imp v1alpha1.Import) func(*v1alpha1.Environment) {
	return func(e *v1alpha1.Environment) { e.Spec.Import = &imp }
}

func observing(e *v1alpha1.Environment) {
	e.Spec.ManagementPolicy = v1alpha1.ManagementPolicyObserve
}

// newSettledWorld returns a world whose object was created and is settled.
func newSettledWorld(t *testing.T, changes ...func(*v1alpha1.Environment)) *world {
	t.Helper()
	w := newWorld(t, object(changes...))
	w.pass()
	w.says("Ready=True/Available", "Synced=True/UpToDate")
	w.cloud.took()
	w.recorder.took()
	w.counters.classes = nil
	return w
}

func TestCreateTakesOneCallAndTwoWrites(t *testing.T) {
	w := newWorld(t, object(described("mine")))

	resynced(t, w.pass())

	w.called("create dev")
	w.wrote("patch", "patch status")
	w.says("Ready=True/Available", "Synced=True/UpToDate", "ReferencesResolved=True/Resolved", "Reconciling=", "Stalled=", "Paused=")
	e := w.object()
	if e.Status.ID != "id-1" || e.Status.Name != "dev" || e.Status.ObservedGeneration != 1 {
		t.Errorf("status is %+v", e.Status)
	}
	if !e.Status.LastSyncTime.Time.Equal(now) {
		t.Errorf("lastSyncTime is %s, want %s", e.Status.LastSyncTime, now)
	}
	claim, err := external.ParseClaim(e.Annotations[v1alpha1.ClaimAnnotation])
	must(t, err)
	if w.cloud.things[0].claim != claim.Token || claim.IsZero() {
		t.Errorf("the thing carries the claim %q, the object %q", w.cloud.things[0].claim, claim.Token)
	}
	equal(t, "finalizers", e.Finalizers, []string{v1alpha1.Finalizer})
	equal(t, "classes", w.counters.classes, []string{"Settled"})
}

func TestSettledObjectCostsNothing(t *testing.T) {
	w := newSettledWorld(t)
	w.clock.SetTime(now.Add(10 * time.Minute))

	within(t, w.pass(), 44*time.Minute, 56*time.Minute)

	w.called()
	w.wrote()
	w.told()
	equal(t, "classes", w.counters.classes, []string{"Fresh"})
}

func TestResyncLooksAgainAndMovesTheTimeOnly(t *testing.T) {
	w := newSettledWorld(t)
	later := now.Add(2 * time.Hour)
	w.clock.SetTime(later)

	resynced(t, w.pass())

	w.called("get id-1")
	w.wrote("patch status")
	if got := w.object().Status.LastSyncTime.Time; !got.Equal(later) {
		t.Errorf("lastSyncTime is %s, want %s", got, later)
	}
}

func TestReconcileRequestLooksOnce(t *testing.T) {
	w := newSettledWorld(t)
	w.annotate(v1alpha1.ReconcileRequestedAtAnnotation, "one")
	w.pass()
	w.called("get id-1")
	if got := w.object().Status.LastHandledReconcileAt; got != "one" {
		t.Errorf("lastHandledReconcileAt is %q", got)
	}
	w.pass()
	w.called()
	w.wrote()
}

func TestSpecEditUpdatesWhatDiffers(t *testing.T) {
	w := newSettledWorld(t, described("before"))
	w.edit(described("after"))

	resynced(t, w.pass())

	w.called("get id-1", "update id-1 spec.description")
	w.told("Normal Updated Updated spec.description.")
	w.says("Ready=True/Available", "Synced=True/UpToDate")
	if w.cloud.things[0].description != "after" || w.object().Status.ObservedGeneration != 2 || w.counters.repaired != 0 {
		t.Errorf("thing %+v, observed generation %d, repaired %d", w.cloud.things[0], w.object().Status.ObservedGeneration, w.counters.repaired)
	}
	w.pass()
	w.called()
}

func TestDriftIsRepaired(t *testing.T) {
	w := newSettledWorld(t, described("mine"))
	w.cloud.things[0].description = "theirs"
	w.clock.SetTime(now.Add(2 * time.Hour))

	w.pass()

	w.called("get id-1", "update id-1 spec.description")
	w.told("Normal DriftRepaired Changed behind the operator's back, and set right: spec.description.")
	if w.cloud.things[0].description != "mine" || w.counters.repaired != 1 {
		t.Errorf("thing %+v, repaired %d", w.cloud.things[0], w.counters.repaired)
	}
}

func TestGoneIsCreatedAgain(t *testing.T) {
	w := newSettledWorld(t)
	claim := w.object().Annotations[v1alpha1.ClaimAnnotation]
	w.cloud.things[0].name, w.cloud.things[0].id, w.cloud.things[0].claim = "other", "other", ""
	w.clock.SetTime(now.Add(2 * time.Hour))

	resynced(t, w.pass())

	w.called("get id-1", "find dev", "create dev")
	w.told("Warning Gone The environment id-1 was deleted in the cloud; creating it again.")
	if e := w.object(); e.Status.ID != "id-2" || e.Annotations[v1alpha1.ClaimAnnotation] != claim {
		t.Errorf("id %s with claim %s, want id-2 with the claim it had", e.Status.ID, e.Annotations[v1alpha1.ClaimAnnotation])
	}
}

func TestGoneIsNotedBeforeItIsCreatedAgain(t *testing.T) {
	w := newSettledWorld(t)
	w.cloud.things[0].name, w.cloud.things[0].id, w.cloud.things[0].claim = "other", "other", ""
	w.clock.SetTime(now.Add(2 * time.Hour))
	w.cloud.create = func(claim external.Claim) (*thing, *external.Operation, error) {
		w.beforeStatus = func() error { return errors.New("killed") }
		return w.cloud.add(thing{name: "dev", claim: claim.Token}), nil, nil
	}
	if _, err := w.try(); err == nil {
		t.Fatal("the status was written")
	}
	w.cloud.took()
	w.beforeStatus = nil

	w.delete()
	w.pass()
	w.called("find dev", "delete id-2")
	w.isGone(1)
}

func TestFailedLookKeepsReady(t *testing.T) {
	w := newSettledWorld(t)
	w.cloud.get = func(string) (*thing, error) { return nil, clouderr.New(clouderr.Transient, "down") }
	w.clock.SetTime(now.Add(2 * time.Hour))

	within(t, w.pass(), time.Second, 1100*time.Millisecond)
	w.called("get id-1")
	w.told()
	w.says("Ready=True/Available", "Synced=False/CloudUnavailable", "Reconciling=", "Stalled=")
	w.wrote("patch status")
	within(t, w.pass(), 2*time.Second, 2200*time.Millisecond)
	w.wrote()

	w.cloud.get = nil
	resynced(t, w.pass())
	w.says("Ready=True/Available", "Synced=True/UpToDate")
	if w.object().Status.ID != "id-1" || len(w.cloud.things) != 1 {
		t.Errorf("id %s among %d things: a failed look is no deletion", w.object().Status.ID, len(w.cloud.things))
	}
}

func TestFailedLookAtAnUnknownSpecIsNotReady(t *testing.T) {
	w := newSettledWorld(t, described("before"))
	w.edit(described("after"))
	w.cloud.get = func(string) (*thing, error) { return nil, clouderr.New(clouderr.Transient, "down") }
	w.pass()
	w.says("Ready=False/CloudUnavailable", "Synced=False/CloudUnavailable", "Reconciling=True/CloudUnavailable")
}

// An edit whose look was sent away is waited for still: its next look must not be one that nobody waits for, which everybody
// goes before.
func TestWhatWasPutOffIsStillWaitedFor(t *testing.T) {
	w := newSettledWorld(t, described("before"))
	var purposes []external.Purpose
	w.cloud.bind = func(p external.Purpose) error {
		purposes = append(purposes, p)
		return nil
	}
	w.edit(described("after"))
	w.cloud.get = func(string) (*thing, error) { return nil, clouderr.New(clouderr.Throttled, "later") }
	w.pass()
	w.says("Ready=False/Throttled", "Synced=False/Throttled", "Reconciling=True/Throttled")
	w.cloud.get = nil
	w.pass()
	w.called("get id-1", "get id-1", "update id-1 spec.description")
	w.says("Ready=True/Available", "Synced=True/UpToDate")
	if want := []external.Purpose{external.ForSync, external.ForSync}; !slices.Equal(purposes, want) {
		t.Errorf("purposes %d, want %d", purposes, want)
	}
}

func TestCreateFails(t *testing.T) {
	for _, tc := range []struct {
		class       clouderr.Class
		ready       string
		stalled     bool
		least, most time.Duration
		refused     int
	}{
		{class: clouderr.Transient, ready: "False/CloudUnavailable", least: time.Second, most: 2 * time.Second},
		{class: clouderr.Throttled, ready: "False/Throttled", least: time.Minute, most: 66 * time.Second},
		{class: clouderr.Quota, ready: "False/QuotaExceeded", stalled: true, least: 10 * time.Minute, most: 10 * time.Minute},
		{class: clouderr.Forbidden, ready: "False/Forbidden", stalled: true, least: 10 * time.Minute, most: 10 * time.Minute},
		{class: clouderr.Unauthorized, ready: "False/CredentialsNotReady", stalled: true, least: 10 * time.Minute, most: 10 * time.Minute, refused: 1},
		{class: clouderr.Invalid, ready: "False/Rejected", stalled: true, least: 10 * time.Minute, most: 10 * time.Minute},
	} {
		t.Run(string(tc.class), func(t *testing.T) {
			w := newWorld(t, object())
			w.cloud.create = func(external.Claim) (*thing, *external.Operation, error) {
				return nil, nil, &clouderr.Error{Class: tc.class, Message: "no luck", RetryAfter: map[bool]time.Duration{true: time.Minute}[tc.class == clouderr.Throttled]}
			}
			within(t, w.pass(), tc.least, tc.most)
			w.called("create dev")
			var stalled, reconciling string
			var events []string
			if tc.stalled {
				stalled, reconciling, events = "True/"+strings.TrimPrefix(tc.ready, "False/"), "", []string{"Warning " + strings.TrimPrefix(tc.ready, "False/")}
			} else {
				reconciling = "True/" + strings.TrimPrefix(tc.ready, "False/")
			}
			w.says("Ready="+tc.ready, "Synced="+tc.ready, "Stalled="+stalled, "Reconciling="+reconciling)
			w.told(events...)
			if len(w.counters.refused) != tc.refused {
				t.Errorf("refusals reported: %q", w.counters.refused)
			}
			claim := w.object().Annotations[v1alpha1.ClaimAnnotation]

			// The same again says nothing new.
			w.pass()
			w.called("find dev", "create dev")
			w.wrote()
			w.told()

			// Once it works, all is as if nothing had happened.
			w.cloud.create = nil
			resynced(t, w.pass())
			w.called("find dev", "create dev")
			w.says("Ready=True/Available", "Synced=True/UpToDate", "Stalled=", "Reconciling=")
			if got := w.object().Annotations[v1alpha1.ClaimAnnotation]; got != claim || w.cloud.things[0].claim+"@" != strings.SplitAfter(claim, "@")[0] {
				t.Errorf("the claim moved from %s to %s", claim, got)
			}
		})
	}
}

func TestCreateThatWasOnlyHalfDoneKeepsTheID(t *testing.T) {
	w := newWorld(t, object(described("mine")))
	w.cloud.create = func(claim external.Claim) (*thing, *external.Operation, error) {
		return w.cloud.add(thing{name: "dev", claim: claim.Token}), nil, clouderr.New(clouderr.Invalid, "no such cluster")
	}
	triedAgain(t, w.pass())
	w.says("Ready=False/Rejected", "Stalled=True/Rejected")
	if e := w.object(); e.Status.ID != "id-1" || e.Status.Name != "dev" {
		t.Errorf("status is %+v, want what was made", e.Status)
	}
	w.cloud.took()

	w.pass()
	w.called("get id-1", "update id-1 spec.description")
	w.says("Ready=True/Available", "Synced=True/UpToDate", "Stalled=")
}

func TestLostReplyIsFoundByTheClaim(t *testing.T) {
	w := newWorld(t, object())
	w.cloud.create = func(claim external.Claim) (*thing, *external.Operation, error) {
		w.cloud.add(thing{name: "dev", claim: claim.Token})
		return nil, nil, clouderr.New(clouderr.Transient, "connection reset")
	}
	w.pass()
	w.says("Ready=False/CloudUnavailable")
	w.cloud.took()

	w.pass()
	w.called("find dev", "get id-1")
	w.says("Ready=True/Available")
	w.told()
	if len(w.cloud.things) != 1 || w.object().Status.ID != "id-1" {
		t.Errorf("%d things, id %s", len(w.cloud.things), w.object().Status.ID)
	}
}

func TestExistsThatIsOurOwn(t *testing.T) {
	w := newWorld(t, object())
	w.cloud.create = func(claim external.Claim) (*thing, *external.Operation, error) {
		w.cloud.add(thing{name: "dev", claim: claim.Token})
		return nil, nil, clouderr.New(clouderr.Exists, "the name is taken")
	}
	resynced(t, w.pass())
	w.called("create dev", "find dev", "get id-1")
	w.says("Ready=True/Available", "Synced=True/UpToDate", "Stalled=")
}

// What was found is noted with all that a deletion needs, also where the look at its details fails.
func TestFoundAndTheLookFails(t *testing.T) {
	w := newWorld(t, object())
	w.cloud.create = func(claim external.Claim) (*thing, *external.Operation, error) {
		w.cloud.add(thing{name: "dev", claim: claim.Token})
		return nil, nil, clouderr.New(clouderr.Transient, "reset")
	}
	w.cloud.get = func(string) (*thing, error) { return nil, clouderr.New(clouderr.Transient, "down") }
	w.pass()
	w.cloud.took()
	w.pass()
	w.called("find dev", "get id-1")
	if status := w.object().Status; status.ID != "id-1" || status.Name != "dev" {
		t.Errorf("id %q, name %q in the status", status.ID, status.Name)
	}
}

func TestExistsThatNobodyFinds(t *testing.T) {
	w := newWorld(t, object())
	w.cloud.create = func(external.Claim) (*thing, *external.Operation, error) {
		return nil, nil, clouderr.New(clouderr.Exists, "the name is taken in another project")
	}
	within(t, w.pass(), time.Second, 2*time.Second)
	w.called("create dev", "find dev")
	w.says("Ready=False/AlreadyExists", "Stalled=True/AlreadyExists")
	contains(t, w.message("Ready"), "in another project")
}

// The reply to the create call was lost, and the list lags behind what it made.
func TestExistsThatIsListedLater(t *testing.T) {
	w := newWorld(t, object())
	w.cloud.create = func(claim external.Claim) (*thing, *external.Operation, error) {
		if len(w.cloud.things) > 0 {
			return nil, nil, clouderr.New(clouderr.Exists, "the name is taken")
		}
		w.cloud.add(thing{name: "dev", claim: claim.Token})
		return nil, nil, clouderr.New(clouderr.Transient, "the connection was reset")
	}
	w.cloud.find = func(external.Claim) ([]*thing, error) { return nil, nil }
	within(t, w.pass(), time.Second, 2*time.Second)
	within(t, w.pass(), 2*time.Second, 3*time.Second)
	w.says("Ready=False/AlreadyExists", "Stalled=True/AlreadyExists")
	w.cloud.find = nil
	resynced(t, w.pass())
	w.says("Ready=True/Available", "Synced=True/UpToDate", "Stalled=")
}

func TestExistsAndTheSearchFails(t *testing.T) {
	w := newWorld(t, object())
	w.cloud.add(thing{name: "dev"})
	w.cloud.find = func(external.Claim) ([]*thing, error) { return nil, clouderr.New(clouderr.Transient, "down") }
	within(t, w.pass(), time.Second, 2*time.Second)
	w.called("create dev", "find dev")
	w.says("Ready=False/CloudUnavailable", "Stalled=")
}

func TestStrangerOfOurName(t *testing.T) {
	for _, tc := range []struct {
		name, claim string
		want        []string
	}{
		{"unclaimed", "", []string{"spec.import.id", "spec.import.byName: true", "spec.name", "id-1"}},
		{"claimed", "0123", []string{"another object claims it", external.LabelKey + "=0123", "deletionPolicy: Orphan"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, object())
			w.cloud.add(thing{name: "dev", claim: tc.claim})
			triedAgain(t, w.pass())
			w.called("create dev", "find dev")
			w.says("Ready=False/AlreadyExists", "Synced=False/AlreadyExists", "Stalled=True/AlreadyExists")
			contains(t, w.message("Ready"), tc.want...)
			w.told("Warning AlreadyExists")
			if w.object().Status.ID != "" || w.cloud.things[0].claim != tc.claim {
				t.Errorf("id %q, claim %q: want hands off", w.object().Status.ID, w.cloud.things[0].claim)
			}
			// The next pass looks before it tries.
			w.pass()
			w.called("find dev")
			w.wrote()
			w.told()
		})
	}
}

// What a stranger makes of our name after the cloud refused ours must not be taken for ours: things that carry no claim are
// told by their age alone.
func TestRefusedCreationOfUnmarkableThingsLeavesNoClaim(t *testing.T) {
	for _, class := range []clouderr.Class{clouderr.Exists, clouderr.Invalid, clouderr.Quota, clouderr.Forbidden, clouderr.Unauthorized} {
		t.Run(string(class), func(t *testing.T) {
			w := newUnmarkedWorld(t, object())
			w.cloud.create = func(external.Claim) (*thing, *external.Operation, error) {
				return nil, nil, clouderr.New(class, "no")
			}
			if class == clouderr.Exists { // it was made a moment before we asked
				w.cloud.add(thing{name: "dev", createdAt: now.Add(-30 * time.Second)})
			}
			w.pass()
			w.wrote("patch", "patch", "patch status")
			if e := w.object(); e.Annotations[v1alpha1.ClaimAnnotation] != "" || len(e.Finalizers) > 0 {
				t.Fatalf("annotations %v and finalizers %v outlive the refusal", e.Annotations, e.Finalizers)
			}

			// Theirs is there by now, and ours is asked for anew, under a claim of its own.
			w.cloud.things = nil
			w.cloud.add(thing{name: "dev", createdAt: now.Add(30 * time.Second)})
			w.cloud.create = nil
			w.clock.SetTime(now.Add(time.Minute))
			w.cloud.took()
			w.pass()
			w.called("create dev", "find dev")
			w.says("Ready=False/AlreadyExists")
			w.delete()
			if w.exists() != nil || len(w.cloud.things) != 1 {
				t.Errorf("object %v, things %v: want the object gone and theirs left", w.exists(), w.cloud.things)
			}
		})
	}
	t.Run("not where the answer was lost", func(t *testing.T) {
		w := newUnmarkedWorld(t, object())
		w.cloud.create = func(external.Claim) (*thing, *external.Operation, error) {
			return nil, nil, clouderr.New(clouderr.Transient, "connection reset")
		}
		w.pass()
		if e := w.object(); e.Annotations[v1alpha1.ClaimAnnotation] == "" || len(e.Finalizers) == 0 {
			t.Error("the claim is gone: what the call may have made is lost")
		}
	})
	t.Run("not where things carry claims", func(t *testing.T) {
		w := newWorld(t, object())
		w.cloud.create = func(external.Claim) (*thing, *external.Operation, error) {
			return nil, nil, clouderr.New(clouderr.Invalid, "no")
		}
		w.pass()
		w.wrote("patch", "patch status")
	})
}

func TestUnmarkableThingsAreToldByTheirAge(t *testing.T) {
	t.Run("made after the claim: ours", func(t *testing.T) {
		w := newUnmarkedWorld(t, object())
		w.cloud.create = func(external.Claim) (*thing, *external.Operation, error) {
			w.cloud.add(thing{name: "dev", createdAt: now.Add(time.Second)})
			return nil, nil, clouderr.New(clouderr.Transient, "connection reset")
		}
		w.pass()
		w.cloud.took()
		w.pass()
		w.called("find dev", "get id-1")
		w.says("Ready=True/Available", "Synced=True/UpToDate")
	})
	t.Run("made before the claim: a stranger's", func(t *testing.T) {
		w := newUnmarkedWorld(t, object())
		w.cloud.add(thing{name: "dev", createdAt: now.Add(-time.Hour)})
		w.pass()
		w.called("create dev", "find dev")
		w.says("Ready=False/AlreadyExists", "Stalled=True/AlreadyExists")
	})
	t.Run("never marked", func(t *testing.T) {
		w := newUnmarkedWorld(t, object())
		w.pass()
		w.clock.SetTime(now.Add(2 * time.Hour))
		w.pass()
		w.called("create dev", "get id-1")
		w.says("Ready=True/Available")
	})
}

func TestAdoptByName(t *testing.T) {
	w := newWorld(t, object(described("mine"), imported(v1alpha1.Import{ByName: true})))
	w.cloud.add(thing{name: "dev", description: "theirs", createdAt: now.Add(-time.Hour)})

	resynced(t, w.pass())

	w.called("find dev", "get id-1", "update id-1 spec.description,mark")
	w.told("Normal Adopted Adopted the environment id-1.", "Normal Updated")
	w.says("Ready=True/Available", "Synced=True/UpToDate")
	claim, err := external.ParseClaim(w.object().Annotations[v1alpha1.ClaimAnnotation])
	must(t, err)
	if w.cloud.things[0].claim != claim.Token || claim.IsZero() || w.counters.repaired != 0 {
		t.Errorf("thing %+v, claim %s, repaired %d", w.cloud.things[0], claim, w.counters.repaired)
	}
	w.pass()
	w.called()
}

func TestAdoptByID(t *testing.T) {
	w := newWorld(t, object(imported(v1alpha1.Import{ID: "id-2"})))
	w.cloud.add(thing{name: "dev"})
	w.cloud.add(thing{name: "legacy"})

	resynced(t, w.pass())

	w.called("get id-2", "update id-2 mark")
	w.told("Normal Adopted Adopted the environment id-2.")
	w.says("Ready=True/Available")
	if w.object().Status.ID != "id-2" {
		t.Errorf("id %s", w.object().Status.ID)
	}
}

func TestAdoptRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		imp    v1alpha1.Import
		things []thing
		ready  string
		calls  []string
		words  []string
	}{
		{"by an id that is not there", v1alpha1.Import{ID: "id-9"}, nil, "NotFound", []string{"get id-9"}, []string{"spec.import.id", "id-9"}},
		{"by a name that is not there", v1alpha1.Import{ByName: true}, nil, "NotFound", []string{"find dev"}, []string{"spec.import.byName"}},
		{"by an id that another claims", v1alpha1.Import{ID: "id-1"}, []thing{{name: "dev", claim: "theirs"}}, "AlreadyExists", []string{"get id-1"}, []string{"another object claims it"}},
		{"by a name that another claims", v1alpha1.Import{ByName: true}, []thing{{name: "dev", claim: "theirs"}}, "AlreadyExists", []string{"find dev"}, []string{"another object claims it"}},
		{"by a name that several have", v1alpha1.Import{ByName: true}, []thing{{name: "dev"}, {name: "dev"}}, "Ambiguous", []string{"find dev"}, []string{"spec.import.id"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, object(imported(tc.imp)))
			for _, thing := range tc.things {
				w.cloud.add(thing)
			}
			triedAgain(t, w.pass())
			w.called(tc.calls...)
			w.says("Ready=False/"+tc.ready, "Stalled=True/"+tc.ready)
			contains(t, w.message("Ready"), tc.words...)
			if e := w.object(); e.Status.ID != "" || len(e.Finalizers) > 0 {
				t.Errorf("id %q, finalizers %q: want nothing held", e.Status.ID, e.Finalizers)
			}
		})
	}
}

func TestAmbiguousClaim(t *testing.T) {
	w := newWorld(t, object())
	w.cloud.create = func(claim external.Claim) (*thing, *external.Operation, error) {
		w.cloud.add(thing{name: "dev", claim: claim.Token})
		w.cloud.add(thing{name: "dev-copy", claim: claim.Token})
		return nil, nil, clouderr.New(clouderr.Transient, "reset")
	}
	w.pass()
	triedAgain(t, w.pass())
	w.says("Ready=False/Ambiguous", "Stalled=True/Ambiguous")
	contains(t, w.message("Ready"), "spec.import.id")

	// The way out works.
	w.edit(imported(v1alpha1.Import{ID: "id-2"}))
	w.pass()
	w.says("Ready=True/Available", "Stalled=")
}

func TestImmutableFieldStalls(t *testing.T) {
	w := newSettledWorld(t, func(e *v1alpha1.Environment) { e.Spec.VPCID = "vpc-a" }, described("before"))
	w.cloud.things[0].vpc = "vpc-b"
	w.edit(described("after"))

	triedAgain(t, w.pass())

	w.called("get id-1")
	w.says("Ready=False/ImmutableField", "Synced=False/ImmutableField", "Stalled=True/ImmutableField", "Reconciling=")
	contains(t, w.message("Ready"), "spec.vpcID")
	equal(t, "drift", w.object().Status.Drift, []string{"spec.vpcID"})
	w.told("Warning ImmutableField")

	w.cloud.things[0].vpc = "vpc-a"
	w.pass()
	w.says("Ready=True/Available", "Synced=True/UpToDate", "Stalled=")
	equal(t, "drift", w.object().Status.Drift, nil)
}

func TestUpdateFails(t *testing.T) {
	w := newSettledWorld(t, described("before"))
	w.edit(described("after"))
	w.cloud.update = func(observed *thing, _ external.Changes) (*thing, *external.Operation, error) {
		part := *observed
		part.name = "renamed"
		return &part, nil, clouderr.New(clouderr.Invalid, "too long")
	}
	triedAgain(t, w.pass())
	w.says("Ready=False/Rejected", "Synced=False/Rejected", "Stalled=True/Rejected")
	contains(t, w.message("Ready"), "Cannot update spec.description of the environment: too long.")
	equal(t, "drift", w.object().Status.Drift, []string{"spec.description"})
	if w.object().Status.Name != "renamed" {
		t.Errorf("status.name is %q, want what was done before the error", w.object().Status.Name)
	}
	w.told("Warning Rejected")

	w.cloud.update = nil
	w.pass()
	w.says("Ready=True/Available", "Synced=True/UpToDate", "Stalled=")
	w.told("Normal Updated")
	equal(t, "drift", w.object().Status.Drift, nil)
}

func TestRetriesSpread(t *testing.T) {
	w := newSettledWorld(t, described("before"))
	w.edit(described("after"))
	w.cloud.update = func(*thing, external.Changes) (*thing, *external.Operation, error) {
		return nil, nil, clouderr.New(clouderr.Busy, "another task runs")
	}
	for _, want := range []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 2 * time.Minute} {
		within(t, w.pass(), want, want+want/10)
	}
	w.says("Ready=False/Updating", "Reconciling=True/Updating")
	// Another kind of trouble starts anew, and so does the first one after that.
	w.cloud.update = func(*thing, external.Changes) (*thing, *external.Operation, error) {
		return nil, nil, errors.New("down")
	}
	within(t, w.pass(), time.Second, 1100*time.Millisecond)
	w.cloud.update = nil
	resynced(t, w.pass())
	w.cloud.things[0].description = "drift"
	w.clock.SetTime(now.Add(2 * time.Hour))
	w.cloud.update = func(*thing, external.Changes) (*thing, *external.Operation, error) {
		return nil, nil, errors.New("down")
	}
	within(t, w.pass(), time.Second, 1100*time.Millisecond)
}

func TestManyPathsAreBounded(t *testing.T) {
	paths := make([]string, 40)
	for i := range paths {
		paths[i] = fmt.Sprintf("spec.path%02d", i)
	}
	equal(t, "short lists", bounded(paths[:3]), paths[:3])
	equal(t, "long lists", bounded(paths), paths[:16])
}

func TestLostClaimIsGivenBack(t *testing.T) {
	w := newSettledWorld(t)
	token, _, _ := strings.Cut(w.object().Annotations[v1alpha1.ClaimAnnotation], "@")
	w.edit(func(e *v1alpha1.Environment) {
		e.Finalizers = nil
		e.Annotations = map[string]string{v1alpha1.ReconcileRequestedAtAnnotation: "now"}
	})

	w.pass()

	w.called("get id-1")
	w.wrote("patch", "patch status")
	claim, err := external.ParseClaim(w.object().Annotations[v1alpha1.ClaimAnnotation])
	must(t, err)
	if claim.Token != token {
		t.Errorf("claim %s, want %s, which the thing carries", claim.Token, token)
	}
	equal(t, "finalizers", w.object().Finalizers, []string{v1alpha1.Finalizer})
}

func TestLostMarkIsPutBack(t *testing.T) {
	w := newSettledWorld(t)
	token := w.cloud.things[0].claim
	w.cloud.things[0].claim = ""
	w.clock.SetTime(now.Add(2 * time.Hour))
	w.pass()
	w.called("get id-1", "update id-1 mark")
	w.told()
	if w.cloud.things[0].claim != token || w.counters.repaired != 0 {
		t.Errorf("claim %q, want %q; repaired %d, want 0: the mark is no drift", w.cloud.things[0].claim, token, w.counters.repaired)
	}
}

func TestThingThatAnotherTookOverIsLeftAlone(t *testing.T) {
	w := newSettledWorld(t, described("mine"))
	w.cloud.things[0].claim, w.cloud.things[0].description = "theirs", "theirs"
	w.clock.SetTime(now.Add(2 * time.Hour))
	triedAgain(t, w.pass())
	w.called("get id-1")
	w.says("Ready=False/AlreadyExists", "Stalled=True/AlreadyExists")
	contains(t, w.message("Ready"), "another object claims it")
}

func TestMalformedClaimTouchesNothing(t *testing.T) {
	w := newWorld(t, object(func(e *v1alpha1.Environment) {
		e.Annotations = map[string]string{v1alpha1.ClaimAnnotation: "gibberish"}
	}))
	triedAgain(t, w.pass())
	w.called()
	w.wrote("patch status")
	w.says("Ready=False/Rejected", "Stalled=True/Rejected")
	contains(t, w.message("Ready"), "metadata.annotations["+v1alpha1.ClaimAnnotation+"]", "gibberish", "remove it")

	w.annotate(v1alpha1.ClaimAnnotation, "")
	w.pass()
	w.says("Ready=True/Available", "Stalled=")
}

func TestClaimIsWrittenBeforeTheCreateCall(t *testing.T) {
	w := newWorld(t, object())
	w.cloud.create = func(claim external.Claim) (*thing, *external.Operation, error) {
		e := w.object()
		if got := e.Annotations[v1alpha1.ClaimAnnotation]; got != claim.String() || claim.IsZero() {
			t.Errorf("the annotation is %q while creating with the claim %q", got, claim)
		}
		equal(t, "finalizers while creating", e.Finalizers, []string{v1alpha1.Finalizer})
		return w.cloud.add(thing{name: "dev", claim: claim.Token}), nil, nil
	}
	w.pass()
	w.called("create dev")
}

func TestConflictWhileMintingCreatesNothing(t *testing.T) {
	w := newWorld(t, object())
	raced := false
	w.beforePatch = func() error {
		if raced {
			return nil
		}
		raced = true
		w.edit(func(e *v1alpha1.Environment) { e.Labels = map[string]string{"somebody": "else"} })
		return nil
	}
	if _, err := w.try(); !apierrors.IsConflict(err) {
		t.Fatalf("Reconcile returned %v, want a conflict", err)
	}
	w.called()
	w.wrote("patch")
	if claim := w.object().Annotations[v1alpha1.ClaimAnnotation]; claim != "" {
		t.Errorf("the claim %s was written over somebody else's edit", claim)
	}
	w.pass()
	w.called("create dev")
	w.says("Ready=True/Available")
}

func TestFailingAPIServerIsAnErrorOfThePass(t *testing.T) {
	down := apierrors.NewInternalError(errors.New("etcd is down"))
	t.Run("while minting", func(t *testing.T) {
		w := newWorld(t, object())
		w.beforePatch = func() error { return down }
		if _, err := w.try(); !errors.Is(err, down) {
			t.Fatalf("Reconcile returned %v", err)
		}
		w.called()
	})
	t.Run("while writing the status", func(t *testing.T) {
		w := newWorld(t, object())
		w.beforeStatus = func() error { return down }
		if _, err := w.try(); !errors.Is(err, down) {
			t.Fatalf("Reconcile returned %v", err)
		}
		w.told()
		w.called("create dev")
		// The id was never written down; the claim was.
		w.beforeStatus = nil
		w.pass()
		w.called("find dev", "get id-1")
		w.says("Ready=True/Available")
	})
	t.Run("while the object goes", func(t *testing.T) {
		w := newWorld(t, object())
		w.beforeStatus = func() error {
			return apierrors.NewNotFound(schema.GroupResource{Resource: "environments"}, "dev")
		}
		if _, err := w.try(); err != nil {
			t.Fatalf("Reconcile returned %v for an object that is gone", err)
		}
	})
}

func TestObjectThatIsNotThere(t *testing.T) {
	w := newWorld(t, object())
	w.key = client.ObjectKey{Namespace: "team", Name: "nobody"}
	result, err := w.try()
	if err != nil || result.RequeueAfter != 0 {
		t.Errorf("Reconcile returned %+v, %v", result, err)
	}
	w.called()
}

func TestWaitsForWhatIsMissing(t *testing.T) {
	w := newWorld(t, object())
	w.cloud.bind = func(external.Purpose) error {
		return &external.WaitError{Cause: external.WaitForReference, Reason: external.NotFound, Message: "spec.thingRef: there is no thing"}
	}
	if after := w.pass(); after != 0 {
		t.Errorf("the object polls every %s, want it to wait for the watch", after)
	}
	w.called()
	w.says("Ready=False/DependencyNotReady", "Synced=False/Pending", "ReferencesResolved=False/NotFound", "Stalled=", "Reconciling=")
	if e := w.object(); len(e.Finalizers) > 0 || e.Annotations[v1alpha1.ClaimAnnotation] != "" {
		t.Error("nothing was made, and yet the object is held")
	}

	w.cloud.bind = nil
	w.pass()
	w.called("create dev")
	w.says("Ready=True/Available", "ReferencesResolved=True/Resolved")
}

func TestPaused(t *testing.T) {
	w := newWorld(t, object(described("before")))
	w.annotate(v1alpha1.PausedAnnotation, "true")
	if after := w.pass(); after != 0 {
		t.Errorf("a paused object wakes after %s", after)
	}
	w.called()
	w.says("Ready=Unknown/NotYetObserved", "Synced=Unknown/NotYetObserved", "Paused=True/Annotation")

	w.annotate(v1alpha1.PausedAnnotation, "")
	w.pass()
	w.called("create dev")
	w.says("Ready=True/Available", "Synced=True/UpToDate", "Paused=")

	w.annotate(v1alpha1.PausedAnnotation, "true")
	w.edit(described("after"))
	w.pass()
	w.called()
	w.says("Paused=True/Annotation")

	w.annotate(v1alpha1.PausedAnnotation, "false")
	w.pass()
	w.called("get id-1", "update id-1 spec.description")
	w.says("Ready=True/Available", "Synced=True/UpToDate", "Paused=")
}

func TestResumingLooksAtTheCloud(t *testing.T) {
	w := newSettledWorld(t, described("mine"))
	w.annotate(v1alpha1.PausedAnnotation, "true")
	w.pass()
	w.cloud.things[0].description = "by hand"
	w.annotate(v1alpha1.PausedAnnotation, "")
	w.pass()
	w.called("get id-1", "update id-1 spec.description")
}

func TestObserve(t *testing.T) {
	w := newWorld(t, object(observing, described("wanted")))
	triedAgain(t, w.pass())
	w.called("find dev")
	w.says("Ready=False/NotFound", "Synced=False/NotFound", "Stalled=", "Reconciling=")

	// What appears is taken up, also where another object claims it, and nothing is written.
	w.cloud.add(thing{name: "dev", description: "other", vpc: "vpc-x", claim: "theirs"})
	resynced(t, w.pass())
	w.called("find dev", "get id-1")
	w.says("Ready=True/Available", "Synced=False/Drifted", "Stalled=")
	equal(t, "drift", w.object().Status.Drift, []string{"spec.description", "spec.vpcID"})
	contains(t, w.message("Synced"), "spec.description, spec.vpcID", "Observe")
	if e := w.object(); e.Status.ID != "id-1" || len(e.Finalizers) > 0 || e.Annotations[v1alpha1.ClaimAnnotation] != "" {
		t.Errorf("an observed object is held: %+v", e.ObjectMeta)
	}

	// Drift is an answer, not something to look at again and again.
	w.pass()
	w.called()

	w.cloud.things[0].description, w.cloud.things[0].vpc = "wanted", ""
	w.clock.SetTime(now.Add(2 * time.Hour))
	w.pass()
	w.called("get id-1")
	w.says("Ready=True/Available", "Synced=True/Observed")
	equal(t, "drift", w.object().Status.Drift, nil)

	// What is gone is not made again.
	w.cloud.things = nil
	w.clock.SetTime(now.Add(4 * time.Hour))
	triedAgain(t, w.pass())
	w.called("get id-1")
	w.says("Ready=False/NotFound")
	if w.object().Status.ID != "" {
		t.Errorf("id %s of what is gone", w.object().Status.ID)
	}
}

func TestObserveByID(t *testing.T) {
	w := newWorld(t, object(observing, imported(v1alpha1.Import{ID: "id-1"})))
	w.cloud.add(thing{name: "legacy", claim: "theirs"})
	w.pass()
	w.called("get id-1")
	w.wrote("patch status")
	w.told()
	w.says("Ready=True/Available", "Synced=True/Observed")
}

func TestFromObserveToManage(t *testing.T) {
	w := newWorld(t, object(observing, described("wanted")))
	w.cloud.add(thing{name: "dev"})
	w.pass()
	w.says("Synced=False/Drifted")
	w.cloud.took()
	w.edit(func(e *v1alpha1.Environment) { e.Spec.ManagementPolicy = v1alpha1.ManagementPolicyManage })
	w.pass()
	w.called("get id-1", "update id-1 spec.description,mark")
	w.says("Ready=True/Available", "Synced=True/UpToDate")
	equal(t, "finalizers", w.object().Finalizers, []string{v1alpha1.Finalizer})
}

func TestHealth(t *testing.T) {
	w := newSettledWorld(t)
	w.cloud.things[0].health = external.Health{State: external.Progressing, Message: "rolling out"}
	w.clock.SetTime(now.Add(2 * time.Hour))
	for _, want := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second} {
		within(t, w.pass(), want, want+want/10)
	}
	w.called("get id-1", "get id-1", "get id-1", "get id-1")
	w.says("Ready=False/Updating", "Synced=True/UpToDate", "Reconciling=True/Updating")

	w.cloud.things[0].health = external.Health{State: external.Unhealthy, Message: "on fire"}
	resynced(t, w.pass())
	w.says("Ready=False/Unhealthy", "Reconciling=", "Stalled=")
	contains(t, w.message("Ready"), "on fire")

	w.cloud.things[0].health = external.Health{}
	resynced(t, w.pass())
	w.says("Ready=True/Available")
}

func TestMessagesAreBounded(t *testing.T) {
	w := newWorld(t, object())
	w.cloud.create = func(external.Claim) (*thing, *external.Operation, error) {
		return nil, nil, clouderr.New(clouderr.Invalid, "%s", strings.Repeat("ü", 4000))
	}
	w.pass()
	w.says("Ready=False/Rejected")
	if n := len(w.message("Ready")); n > 1024 {
		t.Errorf("Ready says %d bytes", n)
	}
	for _, e := range w.recorder.took() {
		if len(e) > 1100 {
			t.Errorf("an event of %d bytes", len(e))
		}
	}
}

func TestOwnResyncInterval(t *testing.T) {
	w := newWorld(t, object(func(e *v1alpha1.Environment) {
		e.Spec.ResyncInterval = &metav1.Duration{Duration: 10 * time.Second}
	}))
	within(t, w.pass(), 9*time.Second, 11*time.Second)
}

func TestConditionsKeepTheirTimeWhileTheyStayTheSame(t *testing.T) {
	w := newSettledWorld(t)
	before := w.object().Status.Conditions
	w.clock.SetTime(now.Add(2 * time.Hour))
	w.pass()
	for i, c := range w.object().Status.Conditions {
		if !c.LastTransitionTime.Equal(&before[i].LastTransitionTime) {
			t.Errorf("%s moved from %s to %s without changing", c.Type, before[i].LastTransitionTime, c.LastTransitionTime)
		}
	}
}

// Managers that share a cluster's objects each work on their own; one that is given away is left as it is.
func TestObjectsOfOthersAreLeftAlone(t *testing.T) {
	w := newWorld(t, object())
	mine, err := labels.Parse("shard=a")
	must(t, err)
	l, ok := w.loop.(*loop[*v1alpha1.Environment, thing])
	if !ok {
		t.Fatalf("the loop is a %T", w.loop)
	}
	l.Selector = mine
	if wait := w.leave(); wait != 0 {
		t.Errorf("the next pass is due after %s", wait)
	}
	w.called()
	w.wrote()

	w.edit(func(e *v1alpha1.Environment) { e.Labels = map[string]string{"shard": "a"} })
	w.pass()
	w.called("create dev")

	w.edit(func(e *v1alpha1.Environment) { e.Labels = map[string]string{"shard": "b"} })
	w.delete()
	w.leave()
	w.called()
	w.wrote()
}
