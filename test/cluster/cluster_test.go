// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster tests the chart in a cluster with nodes: the image runs in Pods, and the simulated cloud in another.
// `make test-cluster` provides the cluster and the images.
package cluster

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/rig"
)

// What hack/test-cluster.sh sets.
const (
	kubeconfigVariable = "TEST_CLUSTER_KUBECONFIG"
	imageVariable      = "TEST_CLUSTER_IMAGE"           // name:tag of the manager's image
	simulatorVariable  = "TEST_CLUSTER_SIMULATOR_IMAGE" // name:tag of the simulator's
)

const (
	name      = "servicestage-operator"
	namespace = rig.OperatorNamespace
	shop      = "shop"
	simulator = "simulator"
)

// keys are those of simulator.yaml.
var keys = rig.Keys{AccessKey: "CLUSTERTESTKEY", SecretKey: "canary-cluster-secret-key"}

func TestCluster(t *testing.T) {
	if os.Getenv(kubeconfigVariable) == "" {
		t.Skip("no cluster is named by " + kubeconfigVariable + `: run "make test-cluster"`)
	}
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.Timeout = 15 * time.Minute
	RunSpecs(t, "Cluster", suite, reporter)
}

var (
	config *rest.Config
	k8s    client.Client
	helm   *rig.Helm
	chart  string
)

var _ = BeforeSuite(func(ctx context.Context) {
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(500 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	var err error
	config, err = clientcmd.BuildConfigFromFlags("", os.Getenv(kubeconfigVariable))
	Expect(err).NotTo(HaveOccurred())
	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	k8s, err = client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	helm, err = rig.NewHelm(ctx, os.Getenv(kubeconfigVariable), GinkgoT().TempDir())
	Expect(err).NotTo(HaveOccurred())
	chart, err = rig.Chart()
	Expect(err).NotTo(HaveOccurred())
}, NodeTimeout(8*time.Minute))

var _ = Describe("The chart in a cluster with nodes", Ordered, func() {
	var (
		before    sets.Set[string]
		sim       rig.Sim
		objects   []*unstructured.Unstructured
		component *v1alpha1.Component
		flags     []string
	)

	BeforeAll(func(ctx context.Context) {
		var err error
		before, err = rig.Inventory(ctx, config)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(explain)
	}, NodeTimeout(time.Minute))

	It("runs the simulated cloud", func(ctx context.Context) {
		for _, name := range []string{namespace, simulator, shop} {
			Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
				Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
			}})).To(Succeed())
		}
		manifests, err := rig.ReadManifests("simulator.yaml")
		Expect(err).NotTo(HaveOccurred())
		for _, object := range manifests {
			object.SetNamespace(simulator)
			if object.GetKind() == "Deployment" {
				containers, _, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
				Expect(err).NotTo(HaveOccurred())
				containers[0].(map[string]any)["image"] = os.Getenv(simulatorVariable)
				Expect(unstructured.SetNestedSlice(object.Object, containers, "spec", "template", "spec", "containers")).To(Succeed())
			}
		}
		Expect(rig.Apply(ctx, k8s, manifests...)).To(Succeed())
		eventuallyAvailable(ctx, simulator, "cloudsim", 1)

		service := &corev1.Service{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: simulator, Name: "cloudsim"}, service)).To(Succeed())
		sim, err = throughAPIServer(simulator, "cloudsim:http")
		Expect(err).NotTo(HaveOccurred())
		Expect(sim.Health(ctx)).To(Succeed())

		// By address: not every cluster for tests has DNS.
		url := fmt.Sprintf("http://%s:9090", service.Spec.ClusterIP)
		repository, tag := cut(os.Getenv(imageVariable))
		flags = []string{"--namespace", namespace, "--wait", "--timeout", "2m",
			"--set", "image.repository=" + repository + ",image.tag=" + tag + ",manager.allowEndpointHosts={" + url + "}"}
		objects, err = rig.AllSamples(shop, url, keys)
		Expect(err).NotTo(HaveOccurred())
	}, SpecTimeout(2*time.Minute))

	It("installs the operator, and all samples become Ready", func(ctx context.Context) {
		_, err := helm.Run(ctx, append([]string{"install", name, chart}, flags...)...)
		Expect(err).NotTo(HaveOccurred())
		Expect(pods(ctx)).To(HaveLen(2))
		Expect(rig.Apply(ctx, k8s, objects...)).To(Succeed())
		eventuallyReady(ctx, objects)
		component = &v1alpha1.Component{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: shop, Name: "web"}, component)).To(Succeed())

		By("Fetching metrics through the Service")
		metrics, err := throughAPIServer(namespace, name+"-metrics:metrics")
		Expect(err).NotTo(HaveOccurred())
		Expect(get(ctx, metrics, "/metrics")).To(ContainSubstring("go_goroutines"))
	}, SpecTimeout(4*time.Minute))

	It("is upgraded while a component rolls out", func(ctx context.Context) {
		Expect(sim.ResetCalls(ctx)).To(Succeed())
		Expect(sim.Outcomes(ctx, cloudsim.Outcome{Component: "web", Task: "DEPLOY_BATCH_*", Result: cloudsim.OutcomeHeld})).To(Succeed())
		edit(ctx, component, func(c *v1alpha1.Component) {
			c.Spec.Version = "1.1.0"
			c.Spec.Source.Image.URL = strings.Replace(c.Spec.Source.Image.URL, ":1.0.0", ":1.1.0", 1)
		})
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(component), component)).To(Succeed())
			g.Expect(component.Status.Operation).NotTo(BeNil())
		}).WithContext(ctx).Should(Succeed())
		old := names(pods(ctx))

		_, err := helm.Run(ctx, append([]string{"upgrade", name, chart, "--set", "podAnnotations.upgraded=yes"}, flags...)...)
		Expect(err).NotTo(HaveOccurred())
		Eventually(func() sets.Set[string] { return names(pods(ctx)).Intersection(old) }).WithContext(ctx).Should(BeEmpty())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(component), component)).To(Succeed())
		Expect(component.Status.Operation).NotTo(BeNil(), "the cloud is still at it")

		Expect(sim.Outcomes(ctx)).To(Succeed())
		eventuallyReady(ctx, objects)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(component), component)).To(Succeed())
		Expect(component.Status.Operation).To(BeNil())
		Expect(writes(ctx, sim)).To(ConsistOf(HavePrefix("PUT ")), "the upgrade was asked for once")
	}, SpecTimeout(4*time.Minute))

	It("goes on when the leading Pod is killed", func(ctx context.Context) {
		Expect(sim.ResetCalls(ctx)).To(Succeed())
		leader := leaderOf(ctx)
		Expect(k8s.Delete(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: leader}}, client.GracePeriodSeconds(0))).To(Succeed())
		edit(ctx, component, func(c *v1alpha1.Component) { c.Spec.Replicas = new(int32(3)) })
		eventuallyReady(ctx, objects)
		Expect(leaderOf(ctx)).NotTo(Equal(leader))
		Expect(writes(ctx, sim)).To(HaveLen(1))
		eventuallyAvailable(ctx, namespace, name, 2)
	}, SpecTimeout(3*time.Minute))

	It("is scaled", func(ctx context.Context) {
		for _, replicas := range []int{3, 1} {
			_, err := helm.Run(ctx, append([]string{"upgrade", name, chart, "--set", fmt.Sprintf("replicas=%d", replicas)}, flags...)...)
			Expect(err).NotTo(HaveOccurred())
			Eventually(func() []corev1.Pod { return pods(ctx) }).WithContext(ctx).Should(HaveLen(replicas))
		}
		edit(ctx, component, func(c *v1alpha1.Component) { c.Spec.Replicas = new(int32(2)) })
		eventuallyReady(ctx, objects)
	}, SpecTimeout(4*time.Minute))

	It("says no secret", func(ctx context.Context) {
		for _, pod := range pods(ctx) {
			log, err := logs(ctx, pod.Name)
			Expect(err).NotTo(HaveOccurred())
			Expect(log).NotTo(BeEmpty())
			Expect(strings.Contains(log, keys.SecretKey)).To(BeFalse())
		}
	}, SpecTimeout(time.Minute))

	It("leaves nothing behind", func(ctx context.Context) {
		for i := len(objects) - 1; i >= 0; i-- {
			Expect(client.IgnoreNotFound(k8s.Delete(ctx, objects[i]))).To(Succeed())
		}
		for _, object := range objects {
			eventuallyGone(ctx, object)
		}
		for _, collection := range []string{"environments", "applications", "components"} {
			records, err := sim.List(ctx, "servicestage/"+collection)
			Expect(err).NotTo(HaveOccurred())
			Expect(records).To(BeEmpty(), collection)
		}
		_, err := helm.Run(ctx, append([]string{"upgrade", name, chart, "--set", "crds.keep=false"}, flags...)...)
		Expect(err).NotTo(HaveOccurred())
		_, err = helm.Run(ctx, "uninstall", name, "--namespace", namespace, "--wait")
		Expect(err).NotTo(HaveOccurred())
		for _, name := range []string{namespace, simulator, shop} {
			Expect(k8s.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
		}
		Eventually(func(g Gomega) {
			now, err := rig.Inventory(ctx, config)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(now.Difference(before).UnsortedList()).To(BeEmpty())
		}).WithContext(ctx).WithTimeout(2 * time.Minute).Should(Succeed())
	}, SpecTimeout(5*time.Minute))
})

// cut separates an image's name from its tag.
func cut(image string) (repository, tag string) {
	i := strings.LastIndex(image, ":")
	return image[:i], image[i+1:]
}

// throughAPIServer reaches a Service, given as name:port, without a way into the cluster's network.
func throughAPIServer(namespace, service string) (rig.Sim, error) {
	httpClient, err := rest.HTTPClientFor(config)
	return rig.Sim{
		URL: fmt.Sprintf("%s/api/v1/namespaces/%s/services/%s/proxy", strings.TrimSuffix(config.Host, "/"), namespace, service), HTTP: httpClient,
	}, err
}

// explain adds to the report of a failed spec what the managers said last.
func explain(ctx context.Context) {
	if !CurrentSpecReport().Failed() {
		return
	}
	for _, pod := range pods(ctx) {
		log, err := logs(ctx, pod.Name)
		if err != nil {
			log = err.Error()
		}
		lines := strings.Split(log, "\n")
		AddReportEntry(filepath.Join(pod.Namespace, pod.Name), strings.Join(lines[max(0, len(lines)-30):], "\n"))
	}
}

// pods are the manager's that are not on their way out.
func pods(ctx context.Context) []corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(k8s.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/instance": name})).To(Succeed())
	var found []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp.IsZero() {
			found = append(found, pod)
		}
	}
	return found
}

func names(pods []corev1.Pod) sets.Set[string] {
	found := sets.New[string]()
	for _, pod := range pods {
		found.Insert(pod.Name)
	}
	return found
}

// leaderOf returns the name of the Pod that leads.
func leaderOf(ctx context.Context) string {
	GinkgoHelper()
	var leader string
	Eventually(func(g Gomega) {
		lease := &coordinationv1.Lease{}
		g.Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "servicestage-operator.servicestage.dev"}, lease)).To(Succeed())
		g.Expect(lease.Spec.HolderIdentity).To(HaveValue(Not(BeEmpty())))
		leader, _, _ = strings.Cut(*lease.Spec.HolderIdentity, "_")
	}).WithContext(ctx).Should(Succeed())
	return leader
}

func eventuallyAvailable(ctx context.Context, namespace, name string, replicas int32) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		deployment := &appsv1.Deployment{}
		g.Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, deployment)).To(Succeed())
		g.Expect(deployment.Status.AvailableReplicas).To(Equal(replicas))
	}).WithContext(ctx).WithTimeout(2 * time.Minute).Should(Succeed())
}

// eventuallyReady waits until every object of our own kinds is Ready as it is now.
func eventuallyReady(ctx context.Context, objects []*unstructured.Unstructured) {
	GinkgoHelper()
	for _, object := range objects {
		if object.GroupVersionKind().Group != v1alpha1.GroupVersion.Group {
			continue
		}
		Eventually(func() error {
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
				return err
			}
			return rig.Ready(object)
		}).WithContext(ctx).WithTimeout(2 * time.Minute).Should(Succeed())
	}
}

func eventuallyGone(ctx context.Context, object client.Object) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object)
		g.Expect(client.IgnoreNotFound(err)).To(Succeed())
		g.Expect(err).To(HaveOccurred(), "%s is still there", object.GetName())
	}).WithContext(ctx).WithTimeout(2 * time.Minute).Should(Succeed())
}

// edit changes a component, however often somebody else does at the same time.
func edit(ctx context.Context, component *v1alpha1.Component, change func(*v1alpha1.Component)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(component), component); err != nil {
			return err
		}
		before := component.DeepCopy()
		change(component)
		return k8s.Patch(ctx, component, client.MergeFrom(before))
	}).WithContext(ctx).Should(Succeed())
}

// writes lists the calls to ServiceStage that asked for a change.
func writes(ctx context.Context, sim rig.Sim) []string {
	GinkgoHelper()
	calls, err := sim.Calls(ctx)
	Expect(err).NotTo(HaveOccurred())
	var found []string
	for _, call := range calls {
		if call.IsWrite() && strings.Contains(call.Path, "/cas/") {
			found = append(found, call.String())
		}
	}
	return found
}

func get(ctx context.Context, from rig.Sim, path string) (string, error) {
	return fetch(ctx, from.HTTP, from.URL+path)
}

func logs(ctx context.Context, pod string) (string, error) {
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return "", err
	}
	return fetch(ctx, httpClient, fmt.Sprintf("%s/api/v1/namespaces/%s/pods/%s/log", strings.TrimSuffix(config.Host, "/"), namespace, pod))
}

func fetch(ctx context.Context, httpClient *http.Client, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s: %s", url, response.Status, body)
	}
	return string(body), nil
}
