// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"servicestage.dev/operator/test/rig"
)

var _ = Describe("config", func() {
	It("has samples that apply as they are", func(ctx context.Context) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "samples-"}}
		Expect(k8s.Create(ctx, namespace)).To(Succeed())
		objects, err := rig.ReadManifests(configFile("samples"), configFile("samples", "cluster"), configFile("samples", "components"), configFile("samples", "engines"))
		Expect(err).NotTo(HaveOccurred())
		Expect(len(objects)).To(BeNumerically(">", 10))
		for _, object := range objects {
			if namespaced, err := k8s.IsObjectNamespaced(object); err != nil || (namespaced && object.GetNamespace() == "") {
				Expect(err).NotTo(HaveOccurred())
				object.SetNamespace(namespace.Name)
			}
			Expect(k8s.Create(ctx, object, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))).
				To(Succeed(), "%s %s", object.GetKind(), object.GetName())
		}
	}, SpecTimeout(time.Minute))

	It("has a Deployment that restricted Pod security admits", func(ctx context.Context) {
		objects, err := rig.ReadManifests(configFile("manager", "manager.yaml"))
		Expect(err).NotTo(HaveOccurred())
		Expect(objects).To(HaveLen(1))
		Expect(k8s.Create(ctx, objects[0], client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))).To(Succeed())

		deployment := &appsv1.Deployment{}
		Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(objects[0].Object, deployment)).To(Succeed())
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "admitted", Namespace: deployment.Namespace, Labels: deployment.Spec.Template.Labels},
			Spec:       *deployment.Spec.Template.Spec.DeepCopy(),
		}
		Expect(k8s.Create(ctx, pod, client.DryRunAll)).To(Succeed())

		By("Refusing the same Pod with a capability more, which shows that the namespace enforces it")
		pod.Spec.Containers[0].SecurityContext.Capabilities.Drop = nil
		pod.ResourceVersion, pod.UID = "", ""
		Expect(k8s.Create(ctx, pod, client.DryRunAll)).To(MatchError(ContainSubstring("violates PodSecurity")))
	}, SpecTimeout(time.Minute))

	It("lets users of a namespace do what their built-in role says", func(ctx context.Context) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "roles-"}}
		Expect(k8s.Create(ctx, namespace)).To(Succeed())
		for _, role := range []string{"edit", "view"} {
			Expect(k8s.Create(ctx, &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: role},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
				Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: role + "-user"}},
			})).To(Succeed())
		}
		may := func(user, verb, resource string) func(Gomega) bool {
			return func(g Gomega) bool {
				review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
					User: user,
					ResourceAttributes: &authorizationv1.ResourceAttributes{
						Namespace: namespace.Name, Group: "servicestage.dev", Resource: resource, Verb: verb,
					},
				}}
				g.Expect(k8s.Create(ctx, review)).To(Succeed())
				return review.Status.Allowed
			}
		}
		for _, resource := range []string{"applications", "cloudaccounts", "components", "environments", "microserviceengines"} {
			Eventually(may("edit-user", "create", resource)).WithContext(ctx).Should(BeTrue(), resource)
			Eventually(may("view-user", "list", resource)).WithContext(ctx).Should(BeTrue(), resource)
			Expect(may("view-user", "create", resource)(Default)).To(BeFalse(), resource)
			Expect(may("stranger", "list", resource)(Default)).To(BeFalse(), resource)
		}
		Expect(may("edit-user", "create", "clustercloudaccounts")(Default)).To(BeFalse())
	}, SpecTimeout(time.Minute))

	It("lists every manifest in its kustomization", func() {
		for _, folder := range []string{"crd", "rbac", "manager", "samples"} {
			var kustomization struct{ Resources []string }
			content, err := os.ReadFile(configFile(folder, "kustomization.yaml"))
			Expect(err).NotTo(HaveOccurred())
			Expect(yaml.Unmarshal(content, &kustomization)).To(Succeed())
			var found []string
			for _, pattern := range []string{"*.yaml", "bases/*.yaml"} {
				files, err := filepath.Glob(configFile(folder, pattern))
				Expect(err).NotTo(HaveOccurred())
				for _, file := range files {
					relative, err := filepath.Rel(configFile(folder), file)
					Expect(err).NotTo(HaveOccurred())
					if relative != "kustomization.yaml" {
						found = append(found, relative)
					}
				}
			}
			Expect(kustomization.Resources).To(ConsistOf(found), folder)
		}
	})
})

func configFile(path ...string) string {
	GinkgoHelper()
	root, err := rig.Root()
	Expect(err).NotTo(HaveOccurred())
	return filepath.Join(append([]string{root, "config"}, path...)...)
}
