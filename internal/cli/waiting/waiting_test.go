// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package waiting

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cli/exit"
	"servicestage.dev/operator/internal/cli/screen"
)

// object is a Component of generation 2 with conditions.
func object(changes ...func(*v1alpha1.Component)) *v1alpha1.Component {
	c := &v1alpha1.Component{ObjectMeta: metav1.ObjectMeta{Name: "web", Generation: 2}}
	c.Spec.EnvironmentRef.Name = "dev"
	for _, change := range changes {
		change(c)
	}
	return c
}

func condition(name string, status metav1.ConditionStatus, reason string, generation int64) func(*v1alpha1.Component) {
	return func(c *v1alpha1.Component) {
		c.Status.Conditions = append(c.Status.Conditions, metav1.Condition{
			Type: name, Status: status, Reason: reason, Message: "because", ObservedGeneration: generation,
		})
	}
}

func rollout(c *v1alpha1.Component) {
	c.Status.Phase, c.Status.Version, c.Status.ReadyReplicas = v1alpha1.PhaseUpgrading, "1.1.0", "1/3"
	c.Status.Operation = &v1alpha1.Operation{Verb: v1alpha1.OperationUpdate, TasksDone: 2, TasksTotal: 5, CurrentTask: "DEPLOY"}
}

func TestJudge(t *testing.T) {
	const ready, stalled = v1alpha1.ConditionReady, v1alpha1.ConditionStalled
	for name, tc := range map[string]struct {
		obj  *v1alpha1.Component
		want Line
		text string
	}{
		"not looked at": {object(), Line{Object: "component/web", State: Waiting, Message: "not looked at yet"}, "component/web                    Waiting  not looked at yet"},
		"Ready":         {object(condition(ready, metav1.ConditionTrue, "Available", 2)), Line{Object: "component/web", State: Ready, Reason: "Available", Message: "because"}, "component/web                    Ready    Available: because"},
		"Ready as it was before the last change": {object(condition(ready, metav1.ConditionTrue, "Available", 1)),
			Line{Object: "component/web", State: Waiting, Message: "not looked at yet"}, "component/web                    Waiting  not looked at yet"},
		"at work": {object(condition(ready, metav1.ConditionFalse, "Updating", 2), rollout),
			Line{Object: "component/web", State: Waiting, Reason: "Updating", Message: "because", Progress: "2 of 5 tasks, now DEPLOY, Upgrading, 1.1.0, 1/3 replicas, in dev"},
			"component/web                    Waiting  Updating: 2 of 5 tasks, now DEPLOY, Upgrading, 1.1.0, 1/3 replicas, in dev"},
		"stalled": {object(condition(ready, metav1.ConditionFalse, "Rejected", 2), condition(stalled, metav1.ConditionTrue, "Invalid", 2)),
			Line{Object: "component/web", State: Stalled, Reason: "Invalid", Message: "because"}, "component/web                    Stalled  Invalid: because"},
		"stalled before the last change": {object(condition(ready, metav1.ConditionFalse, "Updating", 2), condition(stalled, metav1.ConditionTrue, "Rejected", 1)),
			Line{Object: "component/web", State: Waiting, Reason: "Updating", Message: "because"}, "component/web                    Waiting  Updating: because"},
		"being deleted": {object(condition(ready, metav1.ConditionTrue, "Available", 2), func(c *v1alpha1.Component) { c.DeletionTimestamp = &metav1.Time{} }, func(c *v1alpha1.Component) { c.DeletionTimestamp = new(metav1.Now()) }),
			Line{Object: "component/web", State: Waiting, Reason: "Available", Message: "is being deleted: because"}, "component/web                    Waiting  Available: is being deleted: because"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Judge(tc.obj)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
			if got.text() != tc.text {
				t.Errorf("text %q, want %q", got.text(), tc.text)
			}
		})
	}
}

func TestDone(t *testing.T) {
	line := func(name string, s State) Line { return Line{Object: name, State: s} }
	for name, tc := range map[string]struct {
		lines     []Line
		keepGoing bool
		done      bool
		code      int
	}{
		"one is missing":               {lines: []Line{line("a", Ready), line("b", Waiting)}},
		"all are Ready":                {lines: []Line{line("a", Ready), line("b", Ready)}, done: true},
		"one stalls":                   {lines: []Line{line("a", Waiting), line("b", Stalled)}, done: true, code: exit.Stalled},
		"one stalls, and so it may be": {lines: []Line{line("a", Ready), line("b", Stalled)}, keepGoing: true},
		"one is gone":                  {lines: []Line{line("a", Gone), line("b", Waiting)}, keepGoing: true, done: true, code: exit.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			w := &waiter{options: Options{KeepGoing: tc.keepGoing}, screen: screen.New(&out), lines: map[string]Line{}, order: []string{"a", "b"}}
			for _, l := range tc.lines {
				w.update(l)
			}
			done, err := w.done()
			if done != tc.done || exit.Code(err) != tc.code {
				t.Errorf("done = %t, %v, want %t with code %d", done, err, tc.done, tc.code)
			}
		})
	}
}

func TestALineIsWrittenOncePerChange(t *testing.T) {
	var out bytes.Buffer
	w := &waiter{screen: screen.New(&out), lines: map[string]Line{}, order: []string{"a"}}
	for _, s := range []State{Waiting, Waiting, Ready, Ready} {
		w.update(Line{Object: "a", State: s, Message: "m"})
	}
	want := "a                                Waiting  m\na                                Ready    m\n"
	if out.String() != want {
		t.Errorf("wrote %q, want %q", out.String(), want)
	}
}

func TestTimeIsUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	for state, code := range map[State]int{Waiting: exit.TimedOut, Stalled: exit.Stalled} {
		var out bytes.Buffer
		w := &waiter{options: Options{Timeout: time.Minute}, screen: screen.New(&out), lines: map[string]Line{}, order: []string{"a"}}
		w.update(Line{Object: "a", State: state})
		err := w.overtime(ctx, ctx.Err())
		if exit.Code(err) != code || err.Error() != "not Ready after 1m0s: a" {
			t.Errorf("%s: %v with code %d, want code %d", state, err, exit.Code(err), code)
		}
	}
}
