// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package lifecycle tests the loop and every kind on a real API server against the simulated cloud, in one process.
package lifecycle

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/manager"
)

func TestLifecycle(t *testing.T) {
	RegisterFailHandler(Fail)
	ctrl.SetLogger(GinkgoLogr)
	SetDefaultEventuallyTimeout(20 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "Lifecycle")
}

var (
	environment *envtest.Environment
	restConfig  *rest.Config
	// k8s reads and writes as a user does, past every cache.
	k8s client.Client
)

var _ = BeforeSuite(func() {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		Fail(`KUBEBUILDER_ASSETS is not set; run "make test-envtest", or export KUBEBUILDER_ASSETS=$(hack/controlplane/assets.sh)`)
	}
	environment = &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	var err error
	restConfig, err = environment.Start()
	Expect(err).NotTo(HaveOccurred())
	restConfig.QPS, restConfig.Burst = 500, 1000
	k8s, err = client.New(restConfig, client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
})

var _ = AfterSuite(func() {
	if environment != nil {
		Expect(environment.Stop()).To(Succeed())
	}
})

// world is one cloud, one namespace with an account, and one manager that works in it.
type world struct {
	cloud     *cloudsim.Server
	url       string
	namespace string
	stop      func()
	options   func(*manager.Config)
	// written are the writes that the managers of this world have asked the API server for.
	written writeLog
}

// newWorld starts a world; it ends with the spec.
func newWorld(options ...func(*manager.Config)) *world {
	w := &world{cloud: cloudsim.New(cloudsim.Options{ComponentTaskDuration: 200 * time.Millisecond, EngineTaskDuration: 200 * time.Millisecond}), options: func(c *manager.Config) {
		for _, option := range options {
			option(c)
		}
	}}
	server := httptest.NewServer(w.cloud.Handler())
	DeferCleanup(server.Close)
	w.url = server.URL

	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	Expect(k8s.Create(context.Background(), ns)).To(Succeed())
	w.namespace = ns.Name
	w.createSecret("keys", cloudsim.DefaultAccessKey, cloudsim.DefaultSecretKey)
	w.create(w.account("default"))
	w.start()
	DeferCleanup(func() { w.stop() })
	return w
}

// start starts the manager. It sees this world's namespace only.
func (w *world) start() {
	cfg := manager.Config{
		MetricsAddress: "0", ProbeAddress: "0", WatchNamespaces: []string{w.namespace},
		AllowEndpointHosts: []string{w.url, "127.0.0.1"}, ResyncInterval: time.Hour, MaxConcurrentReconciles: 4,
		GracePeriod: 10 * time.Second, Version: "test", Registry: prometheus.NewRegistry(), SkipNameValidation: true,
	}
	w.options(&cfg)
	ctx, cancel := context.WithCancel(context.Background())
	config := rest.CopyConfig(restConfig)
	config.Wrap(w.written.wrap)
	mgr, err := manager.New(ctx, config, cfg)
	Expect(err).NotTo(HaveOccurred())
	done := make(chan error, 1)
	go func() {
		defer GinkgoRecover()
		done <- mgr.Start(ctx)
	}()
	w.stop = func() {
		cancel()
		Eventually(done).Should(Receive(BeNil()))
		w.stop = func() {}
	}
}

// restart stops the manager and starts another.
func (w *world) restart() {
	w.stop()
	w.start()
}

func (w *world) createSecret(name, accessKey, secretKey string) {
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		StringData: map[string]string{"accessKey": accessKey, "secretKey": secretKey},
	})
}

func (w *world) account(name string) *v1alpha1.CloudAccount {
	url := v1alpha1.EndpointURL(w.url)
	return &v1alpha1.CloudAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: v1alpha1.CloudAccountSpec{
			AccountSpec: v1alpha1.AccountSpec{
				Region: cloudsim.DefaultRegion, ProjectID: cloudsim.DefaultProjectID,
				Endpoints: &v1alpha1.Endpoints{IAM: url, ServiceStage: url, CSE: url, VPC: url},
				RateLimit: &v1alpha1.RateLimit{RequestsPerSecond: 10000, Burst: 10000},
			},
			Credentials: v1alpha1.Credentials{SecretRef: v1alpha1.ObjectReference{Name: "keys"}},
		},
	}
}

func (w *world) create(obj client.Object) {
	GinkgoHelper()
	Expect(k8s.Create(context.Background(), obj)).To(Succeed())
}

func (w *world) delete(obj client.Object) {
	GinkgoHelper()
	Expect(k8s.Delete(context.Background(), obj)).To(Succeed())
}

// edit changes an object as a user does.
func edit[O client.Object](obj O, change func(O)) {
	GinkgoHelper()
	Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(obj), obj)).To(Succeed())
	before, ok := obj.DeepCopyObject().(O)
	Expect(ok).To(BeTrue())
	change(obj)
	Expect(k8s.Patch(context.Background(), obj, client.MergeFrom(before))).To(Succeed())
}

// items lists a collection of the cloud.
func (w *world) items(collection string) []cloudsim.Object {
	GinkgoHelper()
	items, err := w.cloud.Resources("servicestage", collection)
	Expect(err).NotTo(HaveOccurred())
	return items
}

// cloudCalls lists the calls since the last reset as "METHOD path STATUS", ids replaced by {id}.
func (w *world) cloudCalls() []string {
	var calls []string
	for _, c := range w.cloud.Calls() {
		calls = append(calls, fmt.Sprintf("%s %d", c.Operation, c.Status))
	}
	return calls
}
