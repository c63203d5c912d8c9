// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packaging

import (
	"context"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/test/rig"
)

var _ = Describe("A release for some namespaces", Ordered, func() {
	var (
		r      *release
		tenant *rig.Helm // an administrator of these namespaces, and of nothing else
		before sets.Set[string]
		teams  = []string{"team-a", "team-b"}
	)

	BeforeAll(func(ctx context.Context) {
		before = inventory(ctx)
		for _, name := range append([]string{"ops", "elsewhere"}, teams...) {
			createNamespace(ctx, name, nil)
		}
		installer := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "installer"}}
		Expect(k8s.Create(ctx, installer)).To(Succeed())
		for _, name := range append([]string{"ops"}, teams...) {
			Expect(k8s.Create(ctx, &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "installer"},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
				Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "ops", Name: "installer"}},
			})).To(Succeed())
		}
		kubeconfig, err := plane.ServiceAccountKubeconfig(ctx, "ops", "installer")
		Expect(err).NotTo(HaveOccurred())
		tenant, err = rig.NewHelm(ctx, kubeconfig, filepath.Join(plane.Dir, "tenant"))
		Expect(err).NotTo(HaveOccurred())
		r = newRelease(ctx, "mine", "ops", map[string]any{
			"watchNamespaces": teams, "connectionSecrets": map[string]any{"namespaces": []string{"team-a"}},
		})
	})

	It("is refused to an installer without rights on CustomResourceDefinitions, by their name", func(ctx context.Context) {
		held := inventory(ctx)
		_, err := r.helm(ctx, tenant, "install", chart)
		Expect(err).To(MatchError(And(ContainSubstring("customresourcedefinitions.apiextensions.k8s.io"), ContainSubstring("is forbidden"),
			ContainSubstring(rig.ServiceAccountUser("ops", "installer")))))
		Expect(inventory(ctx)).To(Equal(held), "nothing was created")
	}, SpecTimeout(time.Minute))

	It("is refused where the installer would grant what it may not do itself", func(ctx context.Context) {
		_, err := r.helm(ctx, tenant, "install", chart, "--set", "crds.enabled=false")
		Expect(err).To(MatchError(And(ContainSubstring("roles.rbac.authorization.k8s.io"), ContainSubstring("attempting to grant RBAC permissions not currently held"))))
		_, err = tenant.Run(ctx, "uninstall", r.name, "--namespace", r.namespace)
		Expect(err).NotTo(HaveOccurred())
	}, SpecTimeout(time.Minute))

	It("is installed by it once an administrator has laid definitions and roles", func(ctx context.Context) {
		out, err := r.helm(ctx, helm, "template", chart, "--show-only", "templates/rbac.yaml", "--show-only", "templates/connection-secrets.yaml")
		Expect(err).NotTo(HaveOccurred())
		roles, err := rig.ParseManifests([]byte(out))
		Expect(err).NotTo(HaveOccurred())
		Expect(rig.Apply(ctx, k8s, append(roles, manifests("crd", "bases")...)...)).To(Succeed())

		out, err = r.helm(ctx, tenant, "install", chart, "--set", "crds.enabled=false,rbac.create=false,replicas=1")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(And(ContainSubstring("works in team-a, team-b"), ContainSubstring("ClusterCloudAccounts cannot be used"),
			ContainSubstring("bind ServiceAccount mine-servicestage-operator")))
		r.roll(ctx)
		for name := range inventory(ctx).Difference(before) {
			Expect(name).NotTo(Or(HavePrefix("ClusterRole "), HavePrefix("ClusterRoleBinding ")))
		}
	}, SpecTimeout(time.Minute))

	It("works in these namespaces alone", func(ctx context.Context) {
		byNamespace := map[string][]*unstructured.Unstructured{}
		for _, name := range append([]string{"elsewhere"}, teams...) {
			objects, err := rig.AllSamples(name, r.sim.URL, keys)
			Expect(err).NotTo(HaveOccurred())
			byNamespace[name] = objects
		}
		// The cloud's names must differ: both teams share one project.
		second := rendered(byNamespace["team-b"])
		environment := second.named("Environment", "dev")
		Expect(unstructured.SetNestedField(environment.Object, "b-dev", "spec", "name")).To(Succeed())
		byNamespace["team-b"] = append(append(second.only("Secret"), second.only("CloudAccount")...), environment)
		for _, objects := range byNamespace {
			Expect(rig.Apply(ctx, k8s, objects...)).To(Succeed())
		}
		for _, name := range teams {
			eventuallyReady(ctx, byNamespace[name])
		}
		moveConnection(ctx, "team-a")
		for _, object := range ours(byNamespace["elsewhere"]) {
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			Expect(object.GetFinalizers()).To(BeEmpty(), "%s was touched", object.GetName())
		}
		var all []*unstructured.Unstructured
		for _, objects := range byNamespace {
			all = append(all, objects...)
		}
		remove(ctx, all)
	}, SpecTimeout(3*time.Minute))

	It("tells who refers to a ClusterCloudAccount that it cannot be used, and lets the object go", func(ctx context.Context) {
		shared, err := rig.ClusterSamples(r.sim.URL, keys)
		Expect(err).NotTo(HaveOccurred())
		account := shared[len(shared)-1]
		Expect(unstructured.SetNestedStringSlice(account.Object, []string{"*"}, "spec", "allowedNamespaces", "names")).To(Succeed())
		Expect(rig.Apply(ctx, k8s, account)).To(Succeed())
		environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "guest"}}
		environment.Spec.VPCID = "vpc-1"
		environment.Spec.AccountRef = v1alpha1.AccountReference{Kind: v1alpha1.AccountKindCluster, Name: account.GetName()}
		Expect(k8s.Create(ctx, environment)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(environment), environment)).To(Succeed())
			g.Expect(environment.Status.Conditions).To(ContainElements(
				And(HaveField("Type", v1alpha1.ConditionStalled), HaveField("Reason", v1alpha1.ReasonCredentialsNotReady),
					HaveField("Message", And(ContainSubstring("--cluster-accounts=false"), ContainSubstring("CloudAccount of namespace team-a")))),
				And(HaveField("Type", v1alpha1.ConditionReferencesResolved), HaveField("Reason", string(external.NotAllowed))),
			))
		}).WithContext(ctx).Should(Succeed())
		Expect(k8s.Delete(ctx, environment)).To(Succeed())
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(environment), environment) }).WithContext(ctx).
			Should(MatchError(ContainSubstring("not found")))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(account), account)).To(Succeed())
		conditions, _, err := unstructured.NestedSlice(account.Object, "status", "conditions")
		Expect(err).NotTo(HaveOccurred())
		Expect(conditions).To(BeEmpty(), "nobody serves the account")
		Expect(k8s.Delete(ctx, account)).To(Succeed())
	}, SpecTimeout(time.Minute))

	It("has been granted nothing in vain", func(ctx context.Context) { r.rights(ctx) }, SpecTimeout(time.Minute))

	It("leaves nothing behind", func(ctx context.Context) {
		r.stopPods()
		_, err := tenant.Run(ctx, "uninstall", r.name, "--namespace", r.namespace)
		Expect(err).NotTo(HaveOccurred())
		for _, crd := range manifests("crd", "bases") {
			Expect(k8s.Delete(ctx, crd)).To(Succeed())
		}
		for _, name := range append([]string{"ops", "elsewhere"}, teams...) {
			Expect(k8s.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
		}
		eventuallyHolds(ctx, before)
	}, SpecTimeout(2*time.Minute))
})
