// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package security attacks the operator as it is shipped: the built manager and the built simulator on a real API
// server. docs/threat-model.md says which test stands for which threat.
package security

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/internal/manager"
	"servicestage.dev/operator/test/rig"
)

// What every spec shares.
var (
	plane *rig.ControlPlane
	k8s   client.Client
	bin   string // the folder with the built binaries
)

func TestSecurity(t *testing.T) {
	RegisterFailHandler(Fail)
	ctrl.SetLogger(GinkgoLogr)
	suite, reporter := GinkgoConfiguration()
	suite.Timeout = 10 * time.Minute
	RunSpecs(t, "Security", suite, reporter)
}

var _ = BeforeSuite(func(ctx context.Context) {
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	bin = GinkgoT().TempDir()
	Expect(rig.Build(ctx, bin, "./cmd/manager", "./cmd/cloudsim")).To(Succeed())
	var err error
	plane, err = rig.StartControlPlane(ctx, rig.ControlPlaneOptions{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)
	k8s, err = client.New(plane.Config, client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	Expect(rig.InstallOperator(ctx, k8s)).To(Succeed())
}, NodeTimeout(3*time.Minute))

const project = "0123456789abcdef0123456789abcdef"

// world is one spec's own namespace, cloud, way to the cloud, and manager.
type world struct {
	namespace string
	dir       string
	sim       *rig.Simulator
	way       *way
	manager   *rig.Manager
}

// newWorld makes a namespace and a cloud that knows the keys. The manager is started by startManager.
func newWorld(ctx context.Context, keys rig.Keys) *world {
	GinkgoHelper()
	w := &world{dir: GinkgoT().TempDir(), namespace: newNamespace(ctx, "security-")}
	var err error
	w.sim, err = rig.StartSimulator(ctx, rig.SimulatorOptions{
		Binary: filepath.Join(bin, "cloudsim"), Dir: w.dir, Project: project, AccessKey: keys.AccessKey, SecretKey: keys.SecretKey,
		Args: []string{"--task-duration=50ms", "--engine-task-duration=50ms"},
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(w.sim.Stop)
	w.way = newWay(w.sim.URL)
	return w
}

func newNamespace(ctx context.Context, prefix string) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix}}
	Expect(k8s.Create(ctx, namespace)).To(Succeed())
	return namespace.Name
}

// startManager starts a manager that works in the namespaces and may call the way to the cloud, beside what args allow.
func (w *world) startManager(ctx context.Context, namespaces []string, env []string, args ...string) {
	GinkgoHelper()
	kubeconfig, err := plane.ServiceAccountKubeconfig(ctx, rig.OperatorNamespace, rig.OperatorServiceAccount)
	Expect(err).NotTo(HaveOccurred())
	w.manager, err = rig.StartManager(ctx, rig.ManagerOptions{
		Binary: filepath.Join(bin, "manager"), Dir: w.dir, Kubeconfig: kubeconfig, Env: env,
		Args: append([]string{
			"--watch-namespaces=" + strings.Join(namespaces, ","), "--allow-endpoint-host=" + w.way.URL, "--leader-elect=false", "--log-level=debug",
		}, args...),
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(w.manager.Stop)
	DeferCleanup(func() {
		if CurrentSpecReport().Failed() {
			AddReportEntry("manager", w.manager.Tail(30))
		}
	})
}

// apply creates the objects of manifests in a namespace, and returns them. What stands in braces is replaced.
func apply(ctx context.Context, namespace, manifests string, replace ...string) []*unstructured.Unstructured {
	GinkgoHelper()
	objects, err := rig.ParseManifests([]byte(strings.NewReplacer(replace...).Replace(manifests)))
	Expect(err).NotTo(HaveOccurred())
	for _, object := range objects {
		if object.GetNamespace() == "" && object.GetKind() != "ClusterCloudAccount" {
			object.SetNamespace(namespace)
		}
		if object.GetAPIVersion() == "" {
			object.SetAPIVersion("servicestage.dev/v1alpha1")
		}
		Expect(rig.Apply(ctx, k8s, object)).To(Succeed(), "%s %s", object.GetKind(), object.GetName())
	}
	return objects
}

// ready is the Ready condition of an object, read anew: "Status Reason: message", or "" before there is one for what the
// object is now.
func ready(ctx context.Context, object *unstructured.Unstructured) (string, error) {
	if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return "", err
	}
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, one := range conditions {
		c, ok := one.(map[string]any)
		if !ok || c["type"] != "Ready" || fmt.Sprint(c["observedGeneration"]) != fmt.Sprint(object.GetGeneration()) {
			continue
		}
		return fmt.Sprintf("%s %s: %s", c["status"], c["reason"], c["message"]), nil
	}
	return "", err
}

// eventually waits until the Ready condition of every object holds all words.
func eventually(ctx context.Context, objects []*unstructured.Unstructured, words ...string) {
	GinkgoHelper()
	for _, object := range objects {
		if object.GroupVersionKind().Group != "servicestage.dev" {
			continue
		}
		Eventually(func(g Gomega) {
			text, err := ready(ctx, object)
			g.Expect(err).NotTo(HaveOccurred())
			for _, word := range words {
				g.Expect(text).To(ContainSubstring(word))
			}
		}).WithContext(ctx).Should(Succeed(), "%s %s", object.GetKind(), object.GetName())
	}
}

// eventuallyGone waits until the API server no longer has the objects.
func eventuallyGone(ctx context.Context, objects []*unstructured.Unstructured) {
	GinkgoHelper()
	for _, object := range objects {
		Eventually(func(g Gomega) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object)
			g.Expect(client.IgnoreNotFound(err)).To(Succeed())
			g.Expect(err).To(HaveOccurred())
		}).WithContext(ctx).Should(Succeed(), "%s %s is still there", object.GetKind(), object.GetName())
	}
}
