// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/manager"
	"servicestage.dev/operator/test/rig"
)

// Each distinct state that the specs see an object settle in is kept as a file in the layout that Argo CD reads, so that
// test/gitops can ask the tools what they make of it. go test ./test/lifecycle -update writes the files.
var update = flag.Bool("update", false, "rewrite the states in config/argocd")

// customizations is the folder of the states: <kind>/testdata/<state>.yaml.
var customizations = filepath.Join("..", "..", "config", "argocd", "resource_customizations", v1alpha1.GroupVersion.Group)

// states are those that were seen, by file. Specs see them one after the other, but from within Eventually.
var states = struct {
	sync.Mutex
	seen map[string]string
}{seen: map[string]string{}}

// record keeps the state that obj is in.
func record(obj client.Object, o conditions.Observed) {
	GinkgoHelper()
	gvk, err := apiutil.GVKForObject(obj, k8s.Scheme())
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(gvk.Kind, "testdata", stateName(obj, o)+".yaml")
	content, err := yaml.Marshal(normalised(gvk, obj, o))
	Expect(err).NotTo(HaveOccurred())
	states.Lock()
	defer states.Unlock()
	if before, ok := states.seen[file]; ok {
		Expect(string(content)).To(Equal(before), "two states share the name %s", file)
	}
	states.seen[file] = string(content)
}

// stateName tells states apart: Ready with its reason, and what the other conditions add to it.
func stateName(obj client.Object, o conditions.Observed) string {
	var parts []string
	add := func(conditionType, prefix string) {
		if c := meta.FindStatusCondition(o.Conditions, conditionType); c != nil {
			parts = append(parts, prefix+kebab(c.Reason))
		}
	}
	if c := meta.FindStatusCondition(o.Conditions, v1alpha1.ConditionReady); c == nil {
		parts = append(parts, "not-looked-at")
	} else {
		add(v1alpha1.ConditionReady, map[metav1.ConditionStatus]string{metav1.ConditionTrue: "ready-", metav1.ConditionFalse: "not-ready-"}[c.Status])
	}
	add(v1alpha1.ConditionSynced, "synced-")
	add(v1alpha1.ConditionReferencesResolved, "references-")
	for _, conditionType := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionPaused} {
		if conditions.IsTrue(o.Conditions, conditionType) {
			parts = append(parts, kebab(conditionType))
		}
	}
	if o.ObservedGeneration >= 0 && o.ObservedGeneration < o.Generation {
		parts = append(parts, "behind")
	}
	if obj.GetDeletionTimestamp() != nil {
		parts = append(parts, "deleting")
	}
	return strings.Join(parts, ".")
}

var capital = regexp.MustCompile(`\B[A-Z]`)

func kebab(s string) string { return strings.ToLower(capital.ReplaceAllString(s, "-$0")) }

// normalised is what tools look at, without what differs from one object or run to the next.
func normalised(gvk schema.GroupVersionKind, obj client.Object, o conditions.Observed) map[string]any {
	const when = "2026-01-02T03:04:05Z"
	metadata := map[string]any{"name": "example"}
	if obj.GetNamespace() != "" {
		metadata["namespace"] = "example"
	}
	if value, ok := obj.GetAnnotations()[v1alpha1.PausedAnnotation]; ok {
		metadata["annotations"] = map[string]any{v1alpha1.PausedAnnotation: value}
	}
	if obj.GetDeletionTimestamp() != nil {
		metadata["deletionTimestamp"] = when
	}
	observed := int64(2)
	switch {
	case o.ObservedGeneration < 0:
		observed = -1
	case o.ObservedGeneration < o.Generation:
		observed = 1
	}
	metadata["generation"] = int64(2)
	status := map[string]any{"observedGeneration": observed}
	var list []any
	for _, c := range o.Conditions {
		list = append(list, map[string]any{
			"type": c.Type, "status": string(c.Status), "reason": c.Reason, "observedGeneration": observed, "lastTransitionTime": when,
			"message": fmt.Sprintf("%s is %s: %s.", c.Type, c.Status, c.Reason),
		})
	}
	if list != nil {
		status["conditions"] = list
	}
	return map[string]any{"apiVersion": gvk.GroupVersion().String(), "kind": gvk.Kind, "metadata": metadata, "status": status}
}

var _ = Describe("An object of any kind", func() {
	It("tells tools to wait before the operator has looked at it", func() {
		w := newWorld()
		w.stop()
		seen := map[string]bool{}
		for _, obj := range samples() {
			if obj.GroupVersionKind().Group != v1alpha1.GroupVersion.Group {
				continue
			}
			if obj.GetKind() == "ClusterCloudAccount" {
				DeferCleanup(func() { Expect(client.IgnoreNotFound(k8s.Delete(context.Background(), obj))).To(Succeed()) })
			} else {
				obj.SetNamespace(w.namespace)
			}
			obj.SetGenerateName("sample-")
			obj.SetName("")
			w.create(obj)
			var status v1alpha1.ResourceStatus
			raw, _, err := unstructured.NestedMap(obj.Object, "status")
			Expect(err).NotTo(HaveOccurred())
			content, err := yaml.Marshal(raw)
			Expect(err).NotTo(HaveOccurred())
			Expect(yaml.Unmarshal(content, &status)).To(Succeed())
			Expect(status.ObservedGeneration).To(Equal(int64(-1)), "%s: kstatus would call it Current", obj.GetKind())
			Expect(status.Conditions).To(BeEmpty())
			record(obj, conditions.Observed{Generation: obj.GetGeneration(), ObservedGeneration: -1})
			seen[obj.GetKind()] = true
		}
		for kind := range manager.Scheme().KnownTypes(v1alpha1.GroupVersion) {
			if manager.Scheme().Recognizes(v1alpha1.GroupVersion.WithKind(kind + "List")) {
				Expect(seen).To(HaveKey(kind), "config/samples holds none")
			}
		}
	})
})

// samples reads every manifest in config/samples.
func samples() []*unstructured.Unstructured {
	GinkgoHelper()
	var folders []string
	Expect(filepath.WalkDir(filepath.Join("..", "..", "config", "samples"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			folders = append(folders, path)
		}
		return err
	})).To(Succeed())
	objects, err := rig.ReadManifests(folders...)
	Expect(err).NotTo(HaveOccurred())
	return objects
}

// The states that a whole run saw are those that the files hold; what a part of the specs saw is at least among them.
var _ = ReportAfterSuite("The recorded states", func(r Report) {
	if !r.SuiteSucceeded {
		return
	}
	whole := !slices.ContainsFunc(r.SpecReports, func(s SpecReport) bool {
		return s.LeafNodeType.Is(types.NodeTypeIt) && s.State != types.SpecStatePassed
	})
	files, err := filepath.Glob(filepath.Join(customizations, "*", "testdata", "*.yaml"))
	Expect(err).NotTo(HaveOccurred())
	for _, file := range files {
		state, err := filepath.Rel(customizations, file)
		Expect(err).NotTo(HaveOccurred())
		if _, ok := states.seen[state]; !ok && whole {
			if *update {
				Expect(os.Remove(file)).To(Succeed())
				continue
			}
			Expect(ok).To(BeTrue(), "no spec sees the state %s any more; %s", file, howToUpdate)
		}
	}
	for state, content := range states.seen {
		file := filepath.Join(customizations, state)
		if *update {
			Expect(os.MkdirAll(filepath.Dir(file), 0o755)).To(Succeed())
			Expect(os.WriteFile(file, []byte(content), 0o644)).To(Succeed())
			continue
		}
		want, err := os.ReadFile(file)
		Expect(errors.Is(err, fs.ErrNotExist)).To(BeFalse(), "%s: there is no such state yet; %s", file, howToUpdate)
		Expect(err).NotTo(HaveOccurred())
		Expect(cmp.Diff(string(want), content)).To(BeEmpty(), "%s (-file +seen); %s", file, howToUpdate)
	}
})

const howToUpdate = `if it is meant to be so, "make update-states" writes the states anew`
