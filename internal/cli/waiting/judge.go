// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package waiting

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cli/kinds"
	"servicestage.dev/operator/internal/reconciler"
)

// State is how an object stands.
type State string

const (
	// Waiting objects are not Ready yet.
	Waiting State = "Waiting"
	// Ready objects are, and say so of the spec as it is.
	Ready State = "Ready"
	// Stalled objects move only once someone acts.
	Stalled State = "Stalled"
	// Gone objects were deleted while they were waited for.
	Gone State = "Gone"
)

// Line is what is shown of an object.
type Line struct {
	Object string `json:"object"`
	State  State  `json:"state"`
	// Reason and Message are those of the Ready condition.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Progress says how far the cloud is: phase, tasks, replicas.
	Progress string `json:"progress,omitempty"`
}

// Judge says how an object stands. Conditions that speak of an older spec say nothing.
func Judge(obj reconciler.Object) Line {
	status := obj.CommonStatus()
	l := Line{Object: kinds.Title(obj), State: Waiting, Progress: progress(obj)}
	current := func(name string) *metav1.Condition {
		c := meta.FindStatusCondition(status.Conditions, name)
		if c == nil || c.ObservedGeneration != obj.GetGeneration() {
			return nil
		}
		return c
	}
	ready, stalled := current(v1alpha1.ConditionReady), current(v1alpha1.ConditionStalled)
	if ready == nil {
		l.Message = "not looked at yet"
		return l
	}
	l.Reason, l.Message = ready.Reason, ready.Message
	switch {
	case !obj.GetDeletionTimestamp().IsZero():
		l.Message = "is being deleted: " + ready.Message
	case ready.Status == metav1.ConditionTrue:
		l.State = Ready
	case stalled != nil && stalled.Status == metav1.ConditionTrue:
		l.State, l.Reason, l.Message = Stalled, stalled.Reason, stalled.Message
	}
	return l
}

// progress is how far the cloud is, the tasks of its job first.
func progress(obj reconciler.Object) string {
	var parts []string
	if op := obj.CommonStatus().Operation; op != nil {
		if op.TasksTotal > 0 {
			parts = append(parts, fmt.Sprintf("%d of %d tasks", op.TasksDone, op.TasksTotal))
		}
		if op.CurrentTask != "" {
			parts = append(parts, "now "+op.CurrentTask)
		}
	}
	if k, err := kinds.Of(obj); err == nil {
		parts = append(parts, k.Facts(obj)...)
	}
	return strings.Join(parts, ", ")
}

// text is the line as people read it.
func (l Line) text() string {
	parts := []string{fmt.Sprintf("%-32s %-8s", l.Object, l.State)}
	switch {
	case l.State == Waiting && l.Progress != "" && l.Reason != "":
		parts = append(parts, l.Reason+": "+l.Progress)
	case l.State == Ready && l.Progress != "":
		parts = append(parts, l.Progress)
	case l.Reason != "":
		parts = append(parts, l.Reason+": "+l.Message)
	default:
		parts = append(parts, l.Message)
	}
	return strings.TrimRight(strings.Join(parts, " "), " ")
}
