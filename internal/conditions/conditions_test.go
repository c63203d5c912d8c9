// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
)

func condition(conditionType string, status metav1.ConditionStatus) metav1.Condition {
	return metav1.Condition{Type: conditionType, Status: status, Reason: "Reason", ObservedGeneration: 2}
}

func TestSetKeepsTheListSortedAndBounded(t *testing.T) {
	var list []metav1.Condition
	for _, conditionType := range []string{"Synced", "Ready", "Paused", "Ready"} {
		Set(&list, metav1.Condition{Type: conditionType, Status: metav1.ConditionTrue, Reason: "R", Message: strings.Repeat("x", 5000)})
	}
	var types []string
	for _, c := range list {
		types = append(types, c.Type)
		if len(c.Message) != MaxMessage {
			t.Errorf("%s has a message of %d bytes, want %d", c.Type, len(c.Message), MaxMessage)
		}
	}
	if diff := cmp.Diff([]string{"Paused", "Ready", "Synced"}, types); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
}

func TestSetMovesTheTimeOnlyWithTheStatus(t *testing.T) {
	long := metav1.NewTime(time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC))
	list := []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Old", LastTransitionTime: long}}
	Set(&list, metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "New", Message: "m", ObservedGeneration: 7})
	if c := list[0]; !c.LastTransitionTime.Equal(&long) || c.Reason != "New" || c.ObservedGeneration != 7 {
		t.Errorf("after the same status: %+v", c)
	}
	Set(&list, metav1.Condition{Type: "Ready", Status: metav1.ConditionFalse, Reason: "New"})
	if list[0].LastTransitionTime.Equal(&long) {
		t.Error("the time did not move with the status")
	}
}

func TestSetOrRemove(t *testing.T) {
	var list []metav1.Condition
	SetOrRemove(&list, "Stalled", "Rejected", "because", 3)
	c := meta.FindStatusCondition(list, "Stalled")
	if c == nil || c.Status != metav1.ConditionTrue || c.Reason != "Rejected" || c.Message != "because" || c.ObservedGeneration != 3 {
		t.Errorf("set: %+v", c)
	}
	if !IsTrue(list, "Stalled") || IsTrue(list, "Ready") {
		t.Error("IsTrue does not tell what is there")
	}
	SetOrRemove(&list, "Stalled", "", "ignored", 4)
	if len(list) != 0 {
		t.Errorf("removed: %+v", list)
	}
}

func TestBounded(t *testing.T) {
	for _, tc := range []struct {
		name, in, want string
	}{
		{"empty", "", ""},
		{"short", "all is well", "all is well"},
		{"as long as may be", strings.Repeat("x", MaxMessage), strings.Repeat("x", MaxMessage)},
		{"one byte too long", strings.Repeat("x", MaxMessage+1), strings.Repeat("x", MaxMessage-3) + "…"},
		{"cut before a character, not within", strings.Repeat("x", MaxMessage-4) + strings.Repeat("ü", 10), strings.Repeat("x", MaxMessage-4) + "…"},
		{"not UTF-8", "a\xffb", "a?b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Bounded(tc.in)); diff != "" {
				t.Errorf("Bounded (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzBounded(f *testing.F) {
	f.Add("")
	f.Add("plain")
	f.Add(strings.Repeat("界", 700))
	f.Add(strings.Repeat("\xff", 2000))
	f.Fuzz(func(t *testing.T, in string) {
		out := Bounded(in)
		if len(out) > MaxMessage || !utf8.ValidString(out) {
			t.Errorf("%d bytes, valid %t", len(out), utf8.ValidString(out))
		}
		if again := Bounded(out); again != out {
			t.Errorf("bounding twice changes %q to %q", out, again)
		}
		if utf8.ValidString(in) && len(in) <= MaxMessage && out != in {
			t.Errorf("%q became %q", in, out)
		}
	})
}

func TestEnumerate(t *testing.T) {
	for _, tc := range []struct {
		in   []string
		want string
	}{
		{nil, ""},
		{[]string{"a"}, "a"},
		{strings.Split("abcdefgh", ""), "a, b, c, d, e, f, g, h"},
		{strings.Split("abcdefghi", ""), "a, b, c, d, e, f, g, h and 1 more"},
		{strings.Split("abcdefghijk", ""), "a, b, c, d, e, f, g, h and 3 more"},
	} {
		if got := Enumerate(tc.in); got != tc.want {
			t.Errorf("Enumerate(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestCheck(t *testing.T) {
	well := func() Observed {
		return Observed{
			Generation: 3, ObservedGeneration: 2, Required: []string{v1alpha1.ConditionSynced},
			Conditions: []metav1.Condition{
				condition(v1alpha1.ConditionReady, metav1.ConditionTrue), condition(v1alpha1.ConditionSynced, metav1.ConditionTrue),
			},
		}
	}
	with := func(status metav1.ConditionStatus, types ...string) func(*Observed) {
		return func(o *Observed) {
			for _, conditionType := range types {
				Set(&o.Conditions, condition(conditionType, status))
			}
		}
	}
	ready := func(status metav1.ConditionStatus) func(*Observed) { return with(status, v1alpha1.ConditionReady) }
	both := func(changes ...func(*Observed)) func(*Observed) {
		return func(o *Observed) {
			for _, change := range changes {
				change(o)
			}
		}
	}
	for _, tc := range []struct {
		name   string
		change func(*Observed)
		// want is part of the only error; "" where there is none.
		want string
	}{
		{"all is well", func(*Observed) {}, ""},
		{"working", both(ready(metav1.ConditionFalse), with(metav1.ConditionTrue, v1alpha1.ConditionReconciling)), ""},
		{"stuck", both(ready(metav1.ConditionFalse), with(metav1.ConditionTrue, v1alpha1.ConditionStalled)), ""},
		{"ready and paused", with(metav1.ConditionTrue, v1alpha1.ConditionPaused), ""},
		{"a condition of its own that is False", with(metav1.ConditionFalse, v1alpha1.ConditionReferencesResolved), ""},
		{"Ready is missing", func(o *Observed) { o.Conditions = o.Conditions[1:] }, "Ready is missing"},
		{"a required one is missing", func(o *Observed) { o.Conditions = o.Conditions[:1] }, "Synced is missing"},
		{"nothing was observed", func(o *Observed) { o.Conditions, o.Required = nil, nil }, "Ready is missing"},
		{"ahead of the spec", func(o *Observed) { o.Generation = 1 }, "status.observedGeneration 2 is ahead of metadata.generation 1"},
		{"not sorted", func(o *Observed) { o.Conditions[0], o.Conditions[1] = o.Conditions[1], o.Conditions[0] }, "not sorted"},
		{"no reason", func(o *Observed) { o.Conditions[1].Reason = "" }, "Synced has no reason"},
		{"of another generation", func(o *Observed) { o.Conditions[1].ObservedGeneration = 1 }, "Synced speaks of generation 1, the status of 2"},
		{"too long", func(o *Observed) { o.Conditions[1].Message = strings.Repeat("x", MaxMessage+1) }, "Synced has a message of 1025 bytes"},
		{"Reconciling False", with(metav1.ConditionFalse, v1alpha1.ConditionReconciling), "Reconciling is False; it should be removed"},
		{"Stalled Unknown", with(metav1.ConditionUnknown, v1alpha1.ConditionStalled), "Stalled is Unknown; it should be removed"},
		{"Paused False", with(metav1.ConditionFalse, v1alpha1.ConditionPaused), "Paused is False; it should be removed"},
		{
			"working and stuck", both(ready(metav1.ConditionFalse), with(metav1.ConditionTrue, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled)),
			"Reconciling and Stalled are True together",
		},
		{"ready and working", with(metav1.ConditionTrue, v1alpha1.ConditionReconciling), "Ready is True together with Reconciling or Stalled"},
		{"ready and stuck", with(metav1.ConditionTrue, v1alpha1.ConditionStalled), "Ready is True together with Reconciling or Stalled"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := well()
			tc.change(&o)
			err := Check(o)
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("Check: %v, want nothing", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("Check: %v, want %q", err, tc.want)
			case tc.want != "" && strings.Contains(err.Error(), "\n"):
				t.Errorf("Check says more than one thing:\n%v", err)
			}
		})
	}
}
