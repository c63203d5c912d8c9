// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packaging

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/rig"
)

const project = "0123456789abcdef0123456789abcdef"

// keys are the simulator's.
var keys = rig.Keys{AccessKey: "PACKAGINGKEY", SecretKey: "canary-packaging-secret-key"}

// release is a release of the chart, with the managers that its Deployment asks for and the cloud that they call.
type release struct {
	name, namespace string
	// values that every install and upgrade gets.
	values map[string]any

	dir  string
	sim  *rig.Simulator
	pods []*rig.Manager
	// started counts the Pods so far.
	started int
}

// newRelease starts a cloud, which ends with the container of specs.
func newRelease(ctx context.Context, name, namespace string, values map[string]any) *release {
	GinkgoHelper()
	r := &release{name: name, namespace: namespace, values: values, dir: GinkgoT().TempDir()}
	var err error
	r.sim, err = rig.StartSimulator(ctx, rig.SimulatorOptions{
		Binary: binary("cloudsim"), Dir: r.dir, Project: project, AccessKey: keys.AccessKey, SecretKey: keys.SecretKey,
		Args: []string{"--task-duration=100ms", "--engine-task-duration=100ms"},
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(r.sim.Stop)
	DeferCleanup(r.stopPods)
	// The simulator, and what the engines that it makes listen on.
	r.values["manager"] = map[string]any{"allowEndpointHosts": []string{"http://127.0.0.1"}}
	return r
}

// helm runs a helm command that takes values, as install and upgrade do, with the release's and then further ones.
func (r *release) helm(ctx context.Context, h *rig.Helm, command, chart string, further ...string) (string, error) {
	GinkgoHelper()
	content, err := json.Marshal(r.values)
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(r.dir, "values.json")
	Expect(os.WriteFile(file, content, 0o600)).To(Succeed())
	return h.Run(ctx, append([]string{command, r.name, chart, "--namespace", r.namespace, "--values", file}, further...)...)
}

// uninstall uninstalls the release once its Pods have stopped, which a cluster does in any order.
func (r *release) uninstall(ctx context.Context) {
	GinkgoHelper()
	r.stopPods()
	_, err := helm.Run(ctx, "uninstall", r.name, "--namespace", r.namespace)
	Expect(err).NotTo(HaveOccurred())
}

// deployment is the release's, as the API server holds it.
func (r *release) deployment(ctx context.Context) *appsv1.Deployment {
	GinkgoHelper()
	var list appsv1.DeploymentList
	Expect(k8s.List(ctx, &list, client.InNamespace(r.namespace), client.MatchingLabels{"app.kubernetes.io/instance": r.name})).To(Succeed())
	Expect(list.Items).To(HaveLen(1))
	return &list.Items[0]
}

// roll does what the cluster does when the Deployment changes: Pods of the new template start, then the old ones stop.
func (r *release) roll(ctx context.Context) {
	GinkgoHelper()
	before := r.pods
	r.pods = nil
	deployment := r.deployment(ctx)
	for range *deployment.Spec.Replicas {
		r.started++
		pod, err := plane.StartPod(ctx, rig.PodOptions{
			Pod: rig.PodOf(deployment, fmt.Sprintf("%s-%d", deployment.Name, r.started)), Binary: binary("manager"), Dir: r.dir,
		})
		Expect(err).NotTo(HaveOccurred())
		r.pods = append(r.pods, pod)
	}
	for _, pod := range before {
		Expect(pod.Stop()).To(Succeed())
	}
}

func (r *release) stopPods() {
	GinkgoHelper()
	for _, pod := range r.pods {
		Expect(pod.Stop()).To(Succeed())
		log, err := pod.Log()
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Contains(log, keys.SecretKey)).To(BeFalse(), "the secret key is in the manager's log")
		if CurrentSpecReport().Failed() {
			AddReportEntry(pod.Name, pod.Tail(30))
		}
	}
	r.pods = nil
}

// rights compares what the release's service account may do with what its managers have done. They are stopped for it:
// a watch is logged when it ends.
func (r *release) rights(ctx context.Context) {
	GinkgoHelper()
	Expect(r.pods).NotTo(BeEmpty())
	for _, pod := range r.pods {
		_, err := pod.Metrics(ctx) // which may read what it tells of
		Expect(err).NotTo(HaveOccurred())
	}
	r.stopPods()
	account := r.deployment(ctx).Spec.Template.Spec.ServiceAccountName
	granted, err := rig.RightsGranted(ctx, k8s, r.namespace, account)
	Expect(err).NotTo(HaveOccurred())
	Expect(granted).NotTo(BeEmpty())
	Eventually(func(g Gomega) {
		used, refused, err := plane.RightsUsed(rig.ServiceAccountUser(r.namespace, account))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(refused.UnsortedList()).To(BeEmpty(), "the managers asked for what they may not do")
		g.Expect(granted.Difference(used).Difference(rig.RarelyUsed()).UnsortedList()).To(BeEmpty(), "the chart grants the managers what they do not use")
	}).WithContext(ctx).Should(Succeed())
}

func createNamespace(ctx context.Context, name string, labels map[string]string) {
	GinkgoHelper()
	namespace := &corev1.Namespace{}
	namespace.Name, namespace.Labels = name, labels
	Expect(k8s.Create(ctx, namespace)).To(Succeed())
}

// ours returns the objects of our own kinds.
func ours(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, object := range objects {
		if object.GroupVersionKind().Group == v1alpha1.GroupVersion.Group {
			found = append(found, object)
		}
	}
	return found
}

// eventuallyReady waits until every object of our own kinds is Ready as it is now.
func eventuallyReady(ctx context.Context, objects []*unstructured.Unstructured) {
	GinkgoHelper()
	found := ours(objects)
	Expect(found).NotTo(BeEmpty())
	for _, object := range found {
		Eventually(func() error {
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
				return err
			}
			return rig.Ready(object)
		}).WithContext(ctx).WithTimeout(time.Minute).Should(Succeed())
	}
}

// remove deletes objects, the last one first, and waits until they are gone.
func remove(ctx context.Context, objects []*unstructured.Unstructured) {
	GinkgoHelper()
	for i := len(objects) - 1; i >= 0; i-- {
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, objects[i]))).To(Succeed())
	}
	for _, object := range objects {
		Eventually(func(g Gomega) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object)
			g.Expect(client.IgnoreNotFound(err)).To(Succeed())
			g.Expect(err).To(HaveOccurred(), "%s %s is still there: %v", object.GetKind(), object.GetName(), object.Object["status"])
		}).WithContext(ctx).WithTimeout(time.Minute).Should(Succeed())
	}
}

// inventory names what the API server holds.
func inventory(ctx context.Context) sets.Set[string] {
	GinkgoHelper()
	names, err := rig.Inventory(ctx, plane.Config)
	Expect(err).NotTo(HaveOccurred())
	return names
}

// eventuallyHolds waits until the API server holds what it held before, and the given objects.
func eventuallyHolds(ctx context.Context, before sets.Set[string], more ...string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		now, err := rig.Inventory(ctx, plane.Config)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(now.Difference(before).UnsortedList()).To(ConsistOf(more))
		g.Expect(before.Difference(now).UnsortedList()).To(BeEmpty())
	}).WithContext(ctx).WithTimeout(time.Minute).WithPolling(500 * time.Millisecond).Should(Succeed())
}

// binary is the file of a command that was built for the suite.
func binary(command string) string { return filepath.Join(bin, command) }

// moveConnection has the addresses of the sample's engine written, corrected and removed, in a ConfigMap and in a Secret.
func moveConnection(ctx context.Context, namespace string) {
	GinkgoHelper()
	engine := &v1alpha1.MicroserviceEngine{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-engine"}}
	configMap := &corev1.ConfigMap{ObjectMeta: engine.ObjectMeta}
	secret := &corev1.Secret{ObjectMeta: engine.ObjectMeta}
	connect := func(connection string) {
		Expect(k8s.Patch(ctx, engine, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"connection":`+connection+`}}`)))).To(Succeed())
	}
	corrected := func(object client.Object, empty string, filled func() bool) {
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(object), object) }).WithContext(ctx).Should(Succeed())
		Expect(k8s.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(empty)))).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			g.Expect(filled()).To(BeTrue())
		}).WithContext(ctx).Should(Succeed())
	}
	empty := `{"data":{"KIE_ADDRESS":""}}`
	corrected(configMap, empty, func() bool { return configMap.Data["KIE_ADDRESS"] != "" })
	connect(`{"configMap":null,"secret":"shop-engine"}`)
	corrected(secret, empty, func() bool { return len(secret.Data["KIE_ADDRESS"]) > 0 })
	connect(`{"configMap":"shop-engine","secret":null}`)
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(configMap), configMap)).To(Succeed())
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(MatchError(ContainSubstring("not found")))
	}).WithContext(ctx).Should(Succeed())
}
