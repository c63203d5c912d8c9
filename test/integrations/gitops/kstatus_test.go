// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// condition returns a condition's status and reason, "" where there is none.
func condition(t *testing.T, obj *unstructured.Unstructured, conditionType string) (value, reason string) {
	t.Helper()
	list, _, err := unstructured.NestedSlice(obj.Object, "status", "conditions")
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range list {
		if c, ok := item.(map[string]any); ok && c["type"] == conditionType {
			value, _ = c["status"].(string)
			reason, _ = c["reason"].(string)
		}
	}
	return value, reason
}

// wanted is what a user means by a state: going, stuck, done, or still to come.
func wanted(t *testing.T, obj *unstructured.Unstructured) status.Status {
	t.Helper()
	ready, _ := condition(t, obj, "Ready")
	stalled, _ := condition(t, obj, "Stalled")
	observed, _, err := unstructured.NestedInt64(obj.Object, "status", "observedGeneration")
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case obj.GetDeletionTimestamp() != nil:
		return status.TerminatingStatus
	case observed == obj.GetGeneration() && stalled == "True":
		return status.FailedStatus
	case observed == obj.GetGeneration() && ready == "True":
		return status.CurrentStatus
	default:
		return status.InProgressStatus
	}
}

func TestKstatusUnderstandsEveryState(t *testing.T) {
	for _, kind := range kinds(t) {
		seen := map[status.Status]bool{}
		for name, obj := range states(t, kind) {
			t.Run(kind+"/"+name, func(t *testing.T) {
				got, err := status.Compute(obj)
				if err != nil {
					t.Fatal(err)
				}
				seen[got.Status] = true
				if want := wanted(t, obj); got.Status != want {
					t.Errorf("kstatus says %s (%s), want %s", got.Status, got.Message, want)
				}
				// What fails a Flux Kustomization or a Helm release must say why.
				if _, reason := condition(t, obj, "Stalled"); got.Status == status.FailedStatus && got.Message != "Stalled is True: "+reason+"." {
					t.Errorf("kstatus says %q, which is not the operator's message", got.Message)
				}
			})
		}
		for _, want := range []status.Status{status.InProgressStatus, status.CurrentStatus} {
			if !seen[want] {
				t.Errorf("no state of %s is %s: let a spec of test/lifecycle see one, and run make update-states", kind, want)
			}
		}
	}
}

// TestEveryReadyReasonWasSeen finds reasons that no spec of test/lifecycle brings about.
func TestEveryReadyReasonWasSeen(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range kinds(t) {
		for _, obj := range states(t, kind) {
			for _, conditionType := range []string{"Ready", "Synced", "ReferencesResolved", "Paused", "ValuesValid"} {
				_, reason := condition(t, obj, conditionType)
				seen[reason] = true
			}
		}
	}
	for _, reason := range reasons(t) {
		if !seen[reason] {
			t.Errorf("no recorded state has the reason %s: let a spec of test/lifecycle see one, and run make update-states", reason)
		}
	}
}

// reasons lists the values of the constants named Reason*.
func reasons(t *testing.T) []string {
	t.Helper()
	path := filepath.Join(config, "..", "api", "v1alpha1", "conditions.go")
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) == 0 || len(spec.Names[0].Name) < 6 || spec.Names[0].Name[:6] != "Reason" {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, value)
		return true
	})
	if !slices.Contains(out, "Available") {
		t.Fatalf("%s: the reasons were not found: %q", path, out)
	}
	return out
}
