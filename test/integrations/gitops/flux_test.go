// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"sigs.k8s.io/yaml"
)

// documents splits a file.
func documents(t *testing.T, file string) [][]byte {
	t.Helper()
	return bytes.Split(read(t, file), []byte("\n---\n"))
}

func TestFluxManifests(t *testing.T) {
	sources := map[string]bool{}
	kustomizations := map[string]kustomizev1.Kustomization{}
	var listed struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Resources  []string `json:"resources"`
	}
	folder := filepath.Join(config, "flux")
	decode(t, filepath.Join(folder, "kustomization.yaml"), &listed)
	for _, file := range glob(t, filepath.Join(folder, "*.yaml")) {
		if name := filepath.Base(file); name == "kustomization.yaml" {
			continue
		} else if !slices.Contains(listed.Resources, name) {
			t.Errorf("kustomization.yaml does not list %s", name)
		}
		for _, document := range documents(t, file) {
			var head struct {
				Kind string `json:"kind"`
			}
			if err := yaml.Unmarshal(document, &head); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			switch head.Kind {
			case sourcev1.GitRepositoryKind:
				var source sourcev1.GitRepository
				strictly(t, file, document, &source)
				if source.APIVersion != sourcev1.GroupVersion.String() {
					t.Errorf("%s: apiVersion %s, want %s", file, source.APIVersion, sourcev1.GroupVersion)
				}
				sources[source.Name] = true
			case kustomizev1.KustomizationKind:
				var k kustomizev1.Kustomization
				strictly(t, file, document, &k)
				if k.APIVersion != kustomizev1.GroupVersion.String() {
					t.Errorf("%s: apiVersion %s, want %s", file, k.APIVersion, kustomizev1.GroupVersion)
				}
				kustomizations[k.Name] = k
			default:
				t.Errorf("%s: a %q is nothing of Flux's that this test knows", file, head.Kind)
			}
		}
	}
	if len(kustomizations) == 0 {
		t.Fatal("no Kustomization")
	}
	known := kinds(t)
	for name, k := range kustomizations {
		if !sources[k.Spec.SourceRef.Name] {
			t.Errorf("%s: there is no source %q", name, k.Spec.SourceRef.Name)
		}
		if !k.Spec.Wait && len(k.Spec.HealthChecks) == 0 {
			t.Errorf("%s waits for nothing", name)
		}
		if k.Spec.Wait && len(k.Spec.HealthChecks) > 0 {
			t.Errorf("%s: Flux ignores healthChecks where wait is true", name)
		}
		if k.Spec.Timeout == nil || k.Spec.Timeout.Duration > 15*k.Spec.Interval.Duration {
			t.Errorf("%s: timeout %v with an interval of %v", name, k.Spec.Timeout, k.Spec.Interval)
		}
		for _, dependency := range k.Spec.DependsOn {
			if _, ok := kustomizations[dependency.Name]; !ok {
				t.Errorf("%s depends on %q, which is not there", name, dependency.Name)
			}
		}
		for _, check := range k.Spec.HealthChecks {
			if check.APIVersion != group+"/v1alpha1" || !slices.Contains(known, check.Kind) {
				t.Errorf("%s checks a %s of %s, which is no kind of the operator", name, check.Kind, check.APIVersion)
			}
		}
	}
}

func strictly(t *testing.T, file string, document []byte, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(document, into); err != nil {
		t.Errorf("%s: %v", file, err)
	}
}
