// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package backup tests what a backup is good for: objects that come back without their status, in the same cluster or in
// another one, find their cloud resources, and what belongs to one cluster is not taken by a second one. The API servers
// are real, two of them; the cloud is simulated, one.
package backup

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/manager"
	"servicestage.dev/operator/internal/reconciler"
)

// cluster is an API server.
type cluster struct {
	name   string
	config *rest.Config
	// Client reads and writes as a user does, past every cache.
	client.Client
}

// The two clusters of every test.
var home, abroad = cluster{name: "home"}, cluster{name: "abroad"}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctrl.SetLogger(logr.Discard())
	var environments []*envtest.Environment
	defer func() {
		for _, e := range environments {
			if err := e.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}()
	for _, c := range []*cluster{&home, &abroad} {
		e := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd", "bases")}, ErrorIfCRDPathMissing: true}
		environments = append(environments, e)
		var err error
		if c.config, err = e.Start(); err == nil {
			c.config.QPS = -1
			c.Client, err = client.New(c.config, client.Options{Scheme: manager.Scheme()})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, errors.Join(errors.New("starting an API server (KUBEBUILDER_ASSETS=$(hack/controlplane/assets.sh))"), err))
			return 1
		}
	}
	return m.Run()
}

// timeout is how long an estate may take to settle, with the cloud's jobs polled as in earnest.
const timeout = 90 * time.Second

var tests atomic.Int32

// world is a cloud, and a namespace that is called alike in both clusters.
type world struct {
	*WithT
	t         *testing.T
	ctx       context.Context
	cloud     *cloudsim.Server
	url       string
	namespace string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{WithT: NewWithT(t), t: t, ctx: t.Context(), namespace: fmt.Sprintf("shop-%d", tests.Add(1))}
	w.cloud = cloudsim.New(cloudsim.Options{ComponentTaskDuration: 100 * time.Millisecond, EngineTaskDuration: 100 * time.Millisecond})
	server := httptest.NewServer(w.cloud.Handler())
	t.Cleanup(server.Close)
	t.Cleanup(w.cloud.Close)
	w.url = server.URL
	for _, c := range []cluster{home, abroad} {
		w.create(c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
	}
	return w
}

// start starts the manager of a cluster. The function that it returns stops it.
func (w *world) start(c cluster) func() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.ctx))
	mgr, err := manager.New(ctx, rest.CopyConfig(c.config), manager.Config{
		ClusterName: c.name, MetricsAddress: "0", ProbeAddress: "0", WatchNamespaces: []string{w.namespace},
		AllowEndpointHosts: []string{w.url, "https://127.0.0.1"}, ResyncInterval: time.Hour, MaxConcurrentReconciles: 4,
		GracePeriod: 10 * time.Second, Version: "test", Registry: prometheus.NewRegistry(), SkipNameValidation: true,
	})
	w.Expect(err).NotTo(HaveOccurred())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	stopped := false
	stop := func() {
		w.t.Helper()
		if !stopped {
			stopped = true
			cancel()
			w.Eventually(done).WithTimeout(timeout).Should(Receive(BeNil()))
		}
	}
	w.t.Cleanup(stop)
	return stop
}

func (w *world) create(c cluster, objects ...client.Object) {
	w.t.Helper()
	for _, object := range objects {
		w.Expect(c.Create(w.ctx, object)).To(Succeed(), "%T %s", object, object.GetName())
	}
}

func (w *world) read(c cluster, object client.Object) {
	w.t.Helper()
	w.Expect(c.Get(w.ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
}

// edit changes an object as a user does.
func (w *world) edit(c cluster, object client.Object, change func()) {
	w.t.Helper()
	w.read(c, object)
	before, ok := object.DeepCopyObject().(client.Object)
	w.Expect(ok).To(BeTrue())
	change()
	w.Expect(c.Patch(w.ctx, object, client.MergeFrom(before))).To(Succeed())
}

// managed are the objects that stand for cloud resources.
func managed(objects []client.Object) []reconciler.Object {
	var found []reconciler.Object
	for _, object := range objects {
		if o, ok := object.(reconciler.Object); ok {
			found = append(found, o)
		}
	}
	return found
}

func condition(object reconciler.Object, name string) metav1.Condition {
	if c := meta.FindStatusCondition(object.CommonStatus().Conditions, name); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// becomes waits until every object's condition Ready has the reason.
func (w *world) becomes(c cluster, reason string, objects ...reconciler.Object) {
	w.t.Helper()
	for _, object := range objects {
		w.Eventually(func(g Gomega) {
			g.Expect(c.Get(w.ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			ready := condition(object, v1alpha1.ConditionReady)
			g.Expect(ready.Reason).To(Equal(reason), "%T %s: %s", object, object.GetName(), ready.Message)
			g.Expect(ready.ObservedGeneration).To(Equal(object.GetGeneration()))
			if synced := condition(object, v1alpha1.ConditionSynced); reason == v1alpha1.ReasonAvailable {
				g.Expect(synced.Status).To(Equal(metav1.ConditionTrue), "%T %s: %s", object, object.GetName(), synced.Message)
			}
		}).WithContext(w.ctx).WithTimeout(timeout).Should(Succeed())
	}
}

// gone waits until the API server holds the objects no longer.
func (w *world) gone(c cluster, objects ...reconciler.Object) {
	w.t.Helper()
	for _, object := range objects {
		w.Eventually(func(g Gomega) {
			err := c.Get(w.ctx, client.ObjectKeyFromObject(object), object)
			g.Expect(client.IgnoreNotFound(err)).To(Succeed())
			g.Expect(err).To(HaveOccurred(), "%T %s is still there: %s", object, object.GetName(), condition(object, v1alpha1.ConditionReady).Message)
		}).WithContext(w.ctx).WithTimeout(timeout).Should(Succeed())
	}
}

// collections are those of the cloud in which the estate is.
var collections = []string{
	"servicestage/environments", "servicestage/applications", "servicestage/configurations", "servicestage/components", "cse/engines", "cse/items",
}

// inCloud is everything that the cloud holds of the estate, by collection.
func (w *world) inCloud() map[string][]cloudsim.Object {
	w.t.Helper()
	held := map[string][]cloudsim.Object{}
	for _, collection := range collections {
		service, name, _ := strings.Cut(collection, "/")
		records, err := w.cloud.Resources(service, name)
		w.Expect(err).NotTo(HaveOccurred())
		held[collection] = records
	}
	return held
}

// writes lists the calls since the last reset that asked the cloud for a change and were not refused; a login is none.
func (w *world) writes() []string {
	var calls []string
	for _, call := range w.cloud.Calls() {
		if call.Method != "GET" && call.Status < 400 && !strings.HasSuffix(call.Path, "/v4/token") {
			calls = append(calls, fmt.Sprintf("%s %s -> %d", call.Method, call.Path, call.Status))
		}
	}
	return calls
}
