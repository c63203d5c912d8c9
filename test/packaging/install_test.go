// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packaging

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/rig"
)

// environmentsCRD is the definition that the version before had otherwise.
const environmentsCRD = "environments.servicestage.dev"

// versionBefore makes a chart of an earlier version: its Environments have another column, and its Pods another flag.
func versionBefore() string {
	GinkgoHelper()
	folder := filepath.Join(GinkgoT().TempDir(), "before")
	Expect(os.CopyFS(folder, os.DirFS(chart))).To(Succeed())
	for _, change := range []struct{ file, from, to string }{
		{"Chart.yaml", "\nversion: " + metadata().Version + "\n", "\nversion: 0.0.1\n"},
		{"Chart.yaml", "\nappVersion: " + metadata().AppVersion + "\n", "\nappVersion: v0.0.1\n"},
		{"templates/crds/environments.yaml", "name: Mode\n", "name: Earlier\n"},
		{"templates/_config.tpl", "- --leader-elect\n", "- --leader-elect\n  - --kube-api-qps=20\n"},
	} {
		path := filepath.Join(folder, change.file)
		content, err := os.ReadFile(path)
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Count(string(content), change.from)).To(Equal(1), "%s in %s", change.from, change.file)
		Expect(os.WriteFile(path, []byte(strings.Replace(string(content), change.from, change.to, 1)), 0o600)).To(Succeed())
	}
	return folder
}

// columns are the columns of a definition that tell versions apart.
func columns(ctx context.Context, name string) []string {
	GinkgoHelper()
	var crd apiextensionsv1.CustomResourceDefinition
	Expect(k8s.Get(ctx, client.ObjectKey{Name: name}, &crd)).To(Succeed())
	var names []string
	for _, column := range crd.Spec.Versions[0].AdditionalPrinterColumns {
		if column.Name == "Mode" || column.Name == "Earlier" {
			names = append(names, column.Name)
		}
	}
	return names
}

// definitions names the CustomResourceDefinitions of config/, and the API that they make.
func definitions() []string {
	GinkgoHelper()
	names := []string{"APIService /v1alpha1.servicestage.dev"}
	for _, crd := range manifests("crd", "bases") {
		names = append(names, "CustomResourceDefinition /"+crd.GetName())
	}
	return names
}

var _ = Describe("A release for the whole cluster", Ordered, func() {
	const namespace = rig.OperatorNamespace
	var (
		before  sets.Set[string]
		r       *release
		objects []*unstructured.Unstructured
	)

	BeforeAll(func(ctx context.Context) {
		before = inventory(ctx)
		r = newRelease(ctx, "servicestage-operator", namespace, map[string]any{"connectionSecrets": map[string]any{"namespaces": []string{"shop"}}})
		createNamespace(ctx, "shop", nil)
	})

	It("has managers that end with the way out where the CustomResourceDefinitions are missing", func(ctx context.Context) {
		out, err := r.helm(ctx, helm, "install", chart, "--create-namespace", "--set", "crds.enabled=false")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("without them no manager starts"))
		_, err = plane.StartPod(ctx, rig.PodOptions{
			Pod: rig.PodOf(r.deployment(ctx), "without-definitions"), Binary: binary("manager"), Dir: r.dir,
		})
		Expect(err).To(MatchError(And(ContainSubstring("ended before it was ready"),
			ContainSubstring("the CustomResourceDefinitions of this version are not installed"), ContainSubstring("crds.enabled"))))
		r.uninstall(ctx)
	}, SpecTimeout(time.Minute))

	It("is installed in an earlier version, and all samples become Ready", func(ctx context.Context) {
		out, err := r.helm(ctx, helm, "install", versionBefore())
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(And(ContainSubstring("works in every namespace"), ContainSubstring("rollout status deployment/servicestage-operator")))
		Expect(columns(ctx, environmentsCRD)).To(Equal([]string{"Earlier"}))
		r.roll(ctx)
		Expect(r.pods).To(HaveLen(2))

		objects, err = rig.AllSamples("shop", r.sim.URL, keys)
		Expect(err).NotTo(HaveOccurred())
		for _, crd := range manifests("crd", "bases") {
			var definition apiextensionsv1.CustomResourceDefinition
			into(crd, &definition)
			if definition.Spec.Scope == apiextensionsv1.NamespaceScoped {
				Expect(rendered(objects).kinds()).To(ContainElement(definition.Spec.Names.Kind), "a sample of every kind")
			}
		}
		Expect(rig.Apply(ctx, k8s, objects...)).To(Succeed())
		eventuallyReady(ctx, objects)
	}, SpecTimeout(2*time.Minute))

	It("is upgraded with its CustomResourceDefinitions, while everything stays Ready", func(ctx context.Context) {
		Expect(r.sim.ResetCalls(ctx)).To(Succeed())
		_, err := r.helm(ctx, helm, "upgrade", chart)
		Expect(err).NotTo(HaveOccurred())
		Expect(columns(ctx, environmentsCRD)).To(Equal([]string{"Mode"}))
		Expect(r.deployment(ctx).Spec.Template.Spec.Containers[0].Args).NotTo(ContainElement("--kube-api-qps=20"))
		r.roll(ctx)
		eventuallyReady(ctx, objects)

		By("Changing an object: the new manager leads, and nothing else was written to the cloud")
		scaled := rendered(objects).named("Component", "web")
		Expect(k8s.Patch(ctx, scaled, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":3}}`)))).To(Succeed())
		eventuallyReady(ctx, objects)
		calls, err := r.sim.Calls(ctx)
		Expect(err).NotTo(HaveOccurred())
		var writes []string
		for _, call := range calls {
			if call.IsWrite() && strings.Contains(call.Path, "/cas/") {
				writes = append(writes, call.String())
			}
		}
		Expect(writes).To(ConsistOf(ContainSubstring("scale")))
	}, SpecTimeout(2*time.Minute))

	It("serves ClusterCloudAccounts", func(ctx context.Context) {
		shared, err := rig.ClusterSamples(r.sim.URL, keys)
		Expect(err).NotTo(HaveOccurred())
		createNamespace(ctx, "guest", map[string]string{"servicestage.dev/account": "shared"})
		environment := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Environment",
			"metadata": map[string]any{"namespace": "guest", "name": "guest"},
			"spec":     map[string]any{"vpcID": "vpc-1", "accountRef": map[string]any{"kind": "ClusterCloudAccount", "name": "shared"}},
		}}
		shared = append(shared, environment)
		Expect(rig.Apply(ctx, k8s, shared...)).To(Succeed())
		eventuallyReady(ctx, shared)
		remove(ctx, shared)
	}, SpecTimeout(time.Minute))

	It("writes what connects to an engine where values say so", func(ctx context.Context) {
		moveConnection(ctx, "shop")
	}, SpecTimeout(time.Minute))

	It("lets go of everything, and has been granted nothing in vain", func(ctx context.Context) {
		remove(ctx, objects)
		records, err := r.sim.List(ctx, "servicestage/environments")
		Expect(err).NotTo(HaveOccurred())
		Expect(records).To(BeEmpty())
		r.rights(ctx)
	}, SpecTimeout(2*time.Minute))

	It("has Pods that restricted Pod security admits", func(ctx context.Context) {
		createNamespace(ctx, "restricted", map[string]string{"pod-security.kubernetes.io/enforce": "restricted"})
		template := r.deployment(ctx).Spec.Template
		pod := func() *corev1.Pod {
			return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "restricted", Name: "admitted", Labels: template.Labels}, Spec: *template.Spec.DeepCopy()}
		}
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "restricted", Name: template.Spec.ServiceAccountName}}
		Expect(k8s.Create(ctx, account)).To(Succeed())
		Expect(k8s.Create(ctx, pod(), client.DryRunAll)).To(Succeed())
		privileged := pod()
		privileged.Spec.SecurityContext.RunAsNonRoot = nil
		Expect(k8s.Create(ctx, privileged, client.DryRunAll)).To(MatchError(ContainSubstring("violates PodSecurity")))
	}, SpecTimeout(time.Minute))

	It("leaves the CustomResourceDefinitions behind when it is uninstalled, and nothing with crds.keep=false", func(ctx context.Context) {
		r.uninstall(ctx)
		for _, name := range []string{"shop", "guest", "restricted"} {
			Expect(k8s.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
		}
		eventuallyHolds(ctx, before, append(definitions(), "Namespace /"+namespace, "Lease "+namespace+"/servicestage-operator.servicestage.dev")...)

		delete(r.values, "connectionSecrets") // the namespace is gone
		_, err := r.helm(ctx, helm, "install", chart, "--set", "crds.keep=false")
		Expect(err).NotTo(HaveOccurred())
		r.uninstall(ctx)
		Expect(k8s.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
		eventuallyHolds(ctx, before)
	}, SpecTimeout(3*time.Minute))
})
