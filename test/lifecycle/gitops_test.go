// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/reconciler"
)

// lastApplied is where kubectl apply and Argo CD keep what they applied.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// manifest is an object as a repository holds it.
func manifest(obj client.Object) *unstructured.Unstructured {
	GinkgoHelper()
	gvk, err := apiutil.GVKForObject(obj, k8s.Scheme())
	Expect(err).NotTo(HaveOccurred())
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	Expect(err).NotTo(HaveOccurred())
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	unstructured.RemoveNestedField(u.Object, "status")
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	return u
}

// fieldsOf are the fields of an object, or of a part of it, that belong to the operator.
func fieldsOf(obj client.Object, subresource string) string {
	for _, entry := range obj.GetManagedFields() {
		if entry.Manager == reconciler.FieldOwner && entry.Subresource == subresource {
			return entry.FieldsV1.GetRawString()
		}
	}
	return ""
}

var _ = Describe("To GitOps tools", func() {
	var w *world
	var objects []reconciler.Object
	BeforeEach(func() {
		w = newWorld()
		objects = []reconciler.Object{
			w.env("dev", func(e *v1alpha1.Environment) {
				e.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "cce", ID: cluster}}
			}),
			w.app("shop", func(a *v1alpha1.Application) {
				a.Spec.Configurations = []v1alpha1.ApplicationConfiguration{configuration("dev", variable("MODE", "dev"))}
			}),
			w.comp("web", everyField),
		}
	})

	// settled waits until all are Ready, with the spec as it was applied.
	settled := func() {
		GinkgoHelper()
		for _, obj := range objects {
			Eventually(func() string {
				Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(obj), obj)).To(Succeed())
				return condition(obj, v1alpha1.ConditionReady)
			}).WithTimeout(timeoutForJobs).Should(Equal("True/Available"), obj.GetName())
			Expect(obj.GetGeneration()).To(Equal(int64(1)), "the operator never writes spec")
			Expect(obj.GetFinalizers()).To(Equal([]string{v1alpha1.Finalizer}))
			Expect(obj.GetAnnotations()).To(HaveKey(v1alpha1.ClaimAnnotation))
			Expect(fieldsOf(obj, "")).To(And(ContainSubstring(v1alpha1.ClaimAnnotation), ContainSubstring(v1alpha1.Finalizer), Not(ContainSubstring("f:spec"))))
			Expect(fieldsOf(obj, "status")).To(And(ContainSubstring("f:conditions"), Not(ContainSubstring("f:spec"))))
		}
	}

	It("that apply on the server, as Flux does, a settled object shows no drift, and keeps what the operator wrote", func() {
		apply := func(u *unstructured.Unstructured, options ...client.ApplyOption) {
			GinkgoHelper()
			options = append(options, client.FieldOwner("kustomize-controller"), client.ForceOwnership)
			Expect(k8s.Apply(context.Background(), client.ApplyConfigurationFromUnstructured(u), options...)).To(Succeed())
		}
		var manifests []*unstructured.Unstructured
		for _, obj := range objects {
			m := manifest(obj)
			manifests = append(manifests, m)
			apply(m.DeepCopy())
		}
		settled()
		for i, obj := range objects {
			live := manifest(obj)
			again := manifests[i].DeepCopy()
			apply(again, client.DryRunAll)
			again.SetManagedFields(nil)
			live.SetManagedFields(nil)
			unstructured.RemoveNestedField(again.Object, "status")
			unstructured.RemoveNestedField(again.Object, "metadata", "creationTimestamp")
			Expect(again.Object).To(Equal(live.Object), obj.GetName())
		}
	})

	It("that compare with what they applied last, as Argo CD does, a settled object shows no difference", func() {
		applied := map[string][]byte{}
		for _, obj := range objects {
			u := manifest(obj)
			content, err := json.Marshal(u)
			Expect(err).NotTo(HaveOccurred())
			applied[obj.GetName()] = content
			u.SetAnnotations(map[string]string{lastApplied: string(content)})
			Expect(k8s.Create(context.Background(), u)).To(Succeed())
		}
		settled()
		for _, obj := range objects {
			live, err := json.Marshal(manifest(obj))
			Expect(err).NotTo(HaveOccurred())
			original := []byte(obj.GetAnnotations()[lastApplied])
			Expect(original).To(Equal(applied[obj.GetName()]))
			patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(original, applied[obj.GetName()], live)
			Expect(err).NotTo(HaveOccurred())
			Expect(string(patch)).To(Equal("{}"), obj.GetName())
		}
	})
})
