// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// healthTests is a health_test.yaml of Argo CD.
type healthTests struct {
	Tests []struct {
		InputPath    string         `json:"inputPath"`
		HealthStatus map[string]any `json:"healthStatus"`
	} `json:"tests"`
}

// actionTests is an action_test.yaml of Argo CD.
type actionTests struct {
	DiscoveryTests []struct {
		InputPath string `json:"inputPath"`
		Result    []struct {
			Name     string `json:"name"`
			Disabled bool   `json:"disabled"`
		} `json:"result"`
	} `json:"discoveryTests"`
	ActionTests []struct {
		Action             string `json:"action"`
		InputPath          string `json:"inputPath"`
		ExpectedOutputPath string `json:"expectedOutputPath"`
	} `json:"actionTests"`
}

func TestHealthOfEveryState(t *testing.T) {
	for _, kind := range kinds(t) {
		script := string(read(t, filepath.Join(kindFolder(kind), "health.lua")))
		var tests healthTests
		decode(t, filepath.Join(kindFolder(kind), "health_test.yaml"), &tests)
		var tested []string
		for _, test := range tests.Tests {
			name := strings.TrimSuffix(filepath.Base(test.InputPath), ".yaml")
			tested = append(tested, name)
			t.Run(kind+"/"+name, func(t *testing.T) {
				got := runLua(t, script, object(t, filepath.Join(kindFolder(kind), test.InputPath)))
				if diff := cmp.Diff(any(test.HealthStatus), got); diff != "" {
					t.Errorf("health (-want +got):\n%s", diff)
				}
			})
		}
		slices.Sort(tested)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(states(t, kind))), tested); diff != "" {
			t.Errorf("recorded states of %s (-) and tests of its health (+); run make generate:\n%s", kind, diff)
		}
	}
}

// TestHealthAgreesWithKstatus: whoever moves from Flux to Argo CD finds the same objects well, and the same ones stuck.
func TestHealthAgreesWithKstatus(t *testing.T) {
	agree := map[status.Status][]string{
		status.CurrentStatus: {"Healthy", "Suspended"},
		status.FailedStatus:  {"Degraded"},
		// Nothing works and nobody must act: kstatus waits and Flux's timeout ends it. Argo CD knows no timeout.
		status.InProgressStatus:  {"Progressing", "Suspended", "Degraded"},
		status.TerminatingStatus: {"Progressing"},
	}
	for _, kind := range kinds(t) {
		script := string(read(t, filepath.Join(kindFolder(kind), "health.lua")))
		for name, obj := range states(t, kind) {
			computed, err := status.Compute(obj)
			if err != nil {
				t.Fatal(err)
			}
			health, _ := runLua(t, script, obj.Object).(map[string]any)
			got, _ := health["status"].(string)
			if !slices.Contains(agree[computed.Status], got) {
				t.Errorf("%s/%s: kstatus says %s and Argo CD %s", kind, name, computed.Status, got)
			}
			if _, reason := condition(t, obj, "Ready"); computed.Status == status.InProgressStatus && got == "Degraded" && reason != "Unhealthy" {
				t.Errorf("%s/%s: Argo CD says Degraded, where kstatus waits", kind, name)
			}
			if paused, _ := condition(t, obj, "Paused"); (got == "Suspended") != (paused == "True") {
				t.Errorf("%s/%s: Argo CD says %s, and Paused is %q", kind, name, got, paused)
			}
		}
	}
}

func TestActions(t *testing.T) {
	for _, kind := range kinds(t) {
		if len(states(t, kind)) == 0 {
			continue
		}
		folder := filepath.Join(kindFolder(kind), "actions")
		discovery := string(read(t, filepath.Join(folder, "discovery.lua")))
		var tests actionTests
		decode(t, filepath.Join(folder, "action_test.yaml"), &tests)
		for _, test := range tests.DiscoveryTests {
			t.Run(kind+"/discovery/"+filepath.Base(test.InputPath), func(t *testing.T) {
				want := map[string]any{}
				for _, action := range test.Result {
					want[action.Name] = map[string]any{"disabled": action.Disabled}
				}
				if diff := cmp.Diff(any(want), runLua(t, discovery, object(t, filepath.Join(folder, test.InputPath)))); diff != "" {
					t.Errorf("actions (-want +got):\n%s", diff)
				}
			})
		}
		var tested []string
		for _, test := range tests.ActionTests {
			tested = append(tested, test.Action)
			t.Run(kind+"/"+test.Action, func(t *testing.T) {
				script := string(read(t, filepath.Join(folder, test.Action, "action.lua")))
				got := runLua(t, script, object(t, filepath.Join(folder, test.InputPath)))
				if diff := cmp.Diff(any(object(t, filepath.Join(folder, test.ExpectedOutputPath))), timeless(t, got)); diff != "" {
					t.Errorf("object after the action (-want +got):\n%s", diff)
				}
			})
		}
		if !slices.Contains(tested, "reconcile") {
			t.Errorf("%s cannot be reconciled from Argo CD: %q", kind, tested)
		}
		if kind == "Component" && !slices.Contains(tested, "restart") {
			t.Errorf("a Component cannot be restarted from Argo CD: %q", tested)
		}
	}
}

// timeless replaces the times that an action wrote, which must be now, with the one that the tests expect.
func timeless(t *testing.T, obj any) any {
	t.Helper()
	metadata, _ := obj.(map[string]any)["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	for key, value := range annotations {
		if !strings.HasSuffix(key, "-at") {
			continue
		}
		text, _ := value.(string)
		if at, err := time.Parse(time.RFC3339, text); err != nil || time.Since(at).Abs() > time.Minute {
			t.Errorf("%s is %q, not the time of now: %v", key, text, err)
		}
		annotations[key] = "2026-01-02T03:04:05Z"
	}
	return obj
}

// TestConfigMapHoldsTheSameScripts decodes the settings as Argo CD does.
func TestConfigMapHoldsTheSameScripts(t *testing.T) {
	var settings struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Metadata   map[string]any    `json:"metadata"`
		Data       map[string]string `json:"data"`
	}
	decode(t, filepath.Join(config, "argocd", "argocd-cm.yaml"), &settings)
	for _, kind := range kinds(t) {
		health := "resource.customizations.health." + group + "_" + kind
		if diff := cmp.Diff(string(read(t, filepath.Join(kindFolder(kind), "health.lua"))), settings.Data[health]); diff != "" {
			t.Errorf("%s (-health.lua +argocd-cm):\n%s", kind, diff)
		}
		var actions struct {
			Discovery   string `json:"discovery.lua"`
			Definitions []struct {
				Name   string `json:"name"`
				Script string `json:"action.lua"`
			} `json:"definitions"`
		}
		key := "resource.customizations.actions." + group + "_" + kind
		if err := yaml.UnmarshalStrict([]byte(settings.Data[key]), &actions); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		folder := filepath.Join(kindFolder(kind), "actions")
		if diff := cmp.Diff(string(read(t, filepath.Join(folder, "discovery.lua"))), actions.Discovery); diff != "" {
			t.Errorf("%s (-discovery.lua +argocd-cm):\n%s", kind, diff)
		}
		scripts := glob(t, filepath.Join(folder, "*", "action.lua"))
		if len(scripts) != len(actions.Definitions) {
			t.Errorf("%s: %d scripts and %d definitions", kind, len(scripts), len(actions.Definitions))
		}
		for _, definition := range actions.Definitions {
			if diff := cmp.Diff(string(read(t, filepath.Join(folder, definition.Name, "action.lua"))), definition.Script); diff != "" {
				t.Errorf("%s/%s (-action.lua +argocd-cm):\n%s", kind, definition.Name, diff)
			}
		}
	}
}
