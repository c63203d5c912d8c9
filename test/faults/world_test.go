// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/faults/tripwire"
	"servicestage.dev/operator/test/rig"
)

const (
	// patience is how long anything may take. A call that gets no answer takes 30 seconds of it.
	patience = 60 * time.Second
	// interval between two looks.
	interval = 50 * time.Millisecond
	// taskDuration is what each task of a cloud job takes: a whole job ends before the manager's first poll.
	taskDuration = 20 * time.Millisecond
)

var keys = rig.Keys{AccessKey: "FAULTSACCESSKEY", SecretKey: "faults-secret-key"}

// world is one namespace, one cloud, and managers that reach both through the tripwire.
type world struct {
	*WithT
	t         *testing.T
	kind      kind
	namespace string
	dir       string
	sim       *rig.Simulator
	wire      *tripwire.Wire
	// cloud and api stand between the managers and the two servers.
	cloud, api *tripwire.Proxy
	kubeconfig string
	args       []string
	managers   *managers
	// countPages lets further pages of lists count as steps.
	countPages *atomic.Bool
}

// managers are those that were started so far.
type managers struct {
	all []*rig.Manager
}

// last is the one that was started last.
func (m *managers) last() *rig.Manager { return m.all[len(m.all)-1] }

// killAll kills those that still run.
func (m *managers) killAll() error {
	var errs []error
	for _, one := range m.all {
		errs = append(errs, one.Kill())
	}
	return errors.Join(errs...)
}

// newWorld starts everything but a manager, and applies the account. What it starts ends with the test.
func newWorld(t *testing.T, k kind, managerArgs ...string) *world {
	t.Helper()
	ctx := t.Context()
	w := &world{WithT: NewWithT(t), t: t, kind: k, dir: t.TempDir(), wire: &tripwire.Wire{}, managers: &managers{}, countPages: &atomic.Bool{}}
	w.SetDefaultEventuallyTimeout(patience)
	w.SetDefaultEventuallyPollingInterval(interval)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "faults-"}}
	w.Expect(k8s.Create(ctx, namespace)).To(Succeed())
	w.namespace = namespace.Name

	var err error
	w.sim, err = rig.StartSimulator(ctx, rig.SimulatorOptions{
		Binary: filepath.Join(bin, "cloudsim"), Dir: w.dir, Project: "0123456789abcdef0123456789abcdef",
		AccessKey: keys.AccessKey, SecretKey: keys.SecretKey, Args: []string{
			"--task-duration=" + taskDuration.String(), "--engine-task-duration=" + taskDuration.String(),
		},
	})
	w.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { w.Expect(w.sim.Stop()).To(Succeed()) })
	w.cloud, err = w.wire.NewProxy(w.sim.URL, tripwire.OneShotTransport(), w.cloudStep)
	w.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(w.cloud.Close)
	w.api, err = w.wire.NewProxy(plane.Config.Host, apiTransport(w.WithT), w.apiStep)
	w.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(w.api.Close)
	t.Cleanup(func() { w.Expect(w.managers.killAll()).To(Succeed()) })
	w.kubeconfig = w.kubeconfigThroughProxy(ctx)
	w.args = append([]string{
		"--watch-namespaces=" + w.namespace, "--allow-endpoint-host=" + w.cloud.URL + ",127.0.0.1", "--leader-elect=false", "--log-level=debug",
	}, managerArgs...)
	w.applyAccount(ctx)
	if k.prepare != nil {
		k.prepare(w)
	}
	return w
}

// apiTransport connects to the API server and no other.
func apiTransport(g *WithT) *http.Transport {
	roots := x509.NewCertPool()
	g.Expect(roots.AppendCertsFromPEM(plane.Config.CAData)).To(BeTrue())
	return &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16,
	}
}

var kubeconfigs sync.Mutex

// kubeconfigThroughProxy is the operator's own access, by way of the tripwire.
func (w *world) kubeconfigThroughProxy(ctx context.Context) string {
	kubeconfigs.Lock() // worlds run side by side, and this writes one file
	defer kubeconfigs.Unlock()
	path, err := plane.ServiceAccountKubeconfig(ctx, rig.OperatorNamespace, rig.OperatorServiceAccount)
	w.Expect(err).NotTo(HaveOccurred())
	config, err := clientcmd.LoadFromFile(path)
	w.Expect(err).NotTo(HaveOccurred())
	for _, cluster := range config.Clusters {
		cluster.Server, cluster.CertificateAuthorityData = w.api.URL, w.api.CA
	}
	path = filepath.Join(w.dir, "kubeconfig")
	w.Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
	return path
}

var idInPath = regexp.MustCompile(`/(?:[0-9a-f]{32}|[0-9a-f-]{36}|[A-Za-z-]*[0-9]{5,}[0-9A-Za-z-]*)(/|$)`)

// pathOf leaves the ids out of a path.
func pathOf(path string) string {
	return idInPath.ReplaceAllString(idInPath.ReplaceAllString(path, "/{id}$1"), "/{id}$1")
}

// cloudStep names the calls that ask the cloud for a change, and further pages of lists where these are to count.
func (w *world) cloudStep(r *http.Request) string {
	if offset := r.URL.Query().Get("offset"); w.countPages.Load() && offset != "" && offset != "0" {
		return "cloud: a further page"
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead || strings.HasSuffix(r.URL.Path, "/auth/tokens") {
		return ""
	}
	return "cloud: " + r.Method + " " + pathOf(r.URL.Path)
}

// apiStep names the writes to objects of the kind, and to the ConfigMaps that they publish.
func (w *world) apiStep(r *http.Request) string {
	_, path, ours := strings.Cut(r.URL.Path, "/namespaces/"+w.namespace+"/")
	parts := strings.Split(path+"//", "/")
	if r.Method == http.MethodGet || !ours || parts[0] != w.kind.plural && parts[0] != "configmaps" {
		return ""
	}
	return strings.TrimSuffix("API server: "+r.Method+" "+parts[0]+"/"+parts[2], "/")
}

// applyAccount applies the account and its Secret of config/samples, with room for many calls.
func (w *world) applyAccount(ctx context.Context) {
	objects, err := rig.Samples(w.namespace, w.cloud.URL, keys)
	w.Expect(err).NotTo(HaveOccurred())
	for _, o := range objects {
		switch o.GetKind() {
		case "CloudAccount":
			w.Expect(unstructured.SetNestedMap(o.Object, map[string]any{"requestsPerSecond": int64(1000)}, "spec", "rateLimit")).To(Succeed())
		case "Secret":
		default:
			continue
		}
		w.Expect(rig.Apply(ctx, k8s, o)).To(Succeed())
	}
}

// start starts a manager. What still runs when the world ends is killed.
func (w *world) start() {
	m, err := rig.StartManager(w.t.Context(), rig.ManagerOptions{
		Binary: filepath.Join(bin, "manager"), Dir: w.dir, Name: fmt.Sprintf("manager-%d", len(w.managers.all)+1),
		Kubeconfig: w.kubeconfig, Args: w.args,
	})
	w.Expect(err).NotTo(HaveOccurred())
	w.managers.all = append(w.managers.all, m)
}

// startWithBackground starts a manager, waits for the account, and makes what the kind's objects refer to.
func (w *world) startWithBackground() {
	w.start()
	account := &v1alpha1.CloudAccount{}
	w.Eventually(func() bool {
		w.Expect(k8s.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "default"}, account)).To(Succeed())
		return meta.IsStatusConditionTrue(account.Status.Conditions, v1alpha1.ConditionReady)
	}).Should(BeTrue(), "the account is not ready")
	if w.kind.background != nil {
		for _, o := range w.kind.background(w.namespace) {
			w.Expect(k8s.Create(w.t.Context(), o)).To(Succeed())
			if o, ok := o.(object); ok {
				w.allSettle(o)
			}
		}
	}
}

// create makes objects as a user does.
func (w *world) create(objects ...object) {
	w.t.Helper()
	for _, o := range objects {
		w.Expect(k8s.Create(w.t.Context(), o)).To(Succeed())
	}
}

// edit changes an object as a user does.
func (w *world) edit(o object, change func(object)) {
	w.t.Helper()
	w.read(o)
	before, ok := o.DeepCopyObject().(client.Object)
	w.Expect(ok).To(BeTrue())
	change(o)
	w.Expect(k8s.Patch(w.t.Context(), o, client.MergeFrom(before))).To(Succeed())
}

// read reads an object anew.
func (w *world) read(o object) {
	w.t.Helper()
	w.Expect(k8s.Get(w.t.Context(), client.ObjectKeyFromObject(o), o)).To(Succeed())
}

// askForReconciliation asks as a user does.
func (w *world) askForReconciliation(o object) {
	w.t.Helper()
	w.edit(o, func(o object) {
		annotations := o.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[v1alpha1.ReconcileRequestedAtAnnotation] = time.Now().Format(time.RFC3339Nano)
		o.SetAnnotations(annotations)
	})
}

// allSettle waits until every object is settled.
func (w *world) allSettle(objects ...object) {
	w.t.Helper()
	for _, o := range objects {
		w.Eventually(func() error {
			if err := k8s.Get(w.t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
				return err
			}
			return unsettled(o)
		}).Should(Succeed(), "%T %s", o, o.GetName())
	}
}

// gone says whether the API server holds the object no longer.
func gone(ctx context.Context, o object) (bool, error) {
	err := k8s.Get(ctx, client.ObjectKeyFromObject(o), o)
	return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
}

// explain returns what the last manager logged, and the last calls of the cloud.
func (w *world) explain() string {
	var lines []string
	if calls, err := w.sim.Calls(w.t.Context()); err == nil {
		for _, call := range calls[max(0, len(calls)-25):] {
			lines = append(lines, call.String())
		}
	}
	return w.managers.last().Tail(25) + "\n  last cloud calls:\n    " + strings.Join(lines, "\n    ")
}
