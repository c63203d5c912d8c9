// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/external"
)

const secretKey = "a-secret-key-that-nobody-may-see"

// world is a fake API server with a Secret of good keys, a simulated cloud, and a pool.
type world struct {
	t     *testing.T
	api   client.WithWatch
	cloud *cloudsim.Server
	url   string
	pool  *Pool
	// registry has the metrics of the pool and its clients.
	registry *prometheus.Registry
	// reads counts the Secrets that were read.
	reads atomic.Int32
	// broken makes every read of a Secret fail.
	broken error
}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{t: t, cloud: cloudsim.New(cloudsim.Options{SecretKey: secretKey})}
	server := httptest.NewServer(w.cloud.Handler())
	t.Cleanup(server.Close)
	w.url = server.URL
	policy, err := endpoint.NewPolicy(append(endpoint.DefaultPatterns(), server.URL))
	if err != nil {
		t.Fatal(err)
	}
	objects = append(objects, keys("team", "keys", secretKey))
	w.api = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.CloudAccount{}, &v1alpha1.ClusterCloudAccount{}).Build()
	reader := interceptor.NewClient(w.api, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			if _, ok := obj.(*corev1.Secret); ok {
				w.reads.Add(1)
				if w.broken != nil {
					return w.broken
				}
			}
			return c.Get(ctx, key, obj, opts...)
		},
	})
	w.registry = prometheus.NewRegistry()
	w.pool = NewPool(&Builder{Reader: reader, Policy: policy, UserAgent: "test", Metrics: cloudclient.NewMetrics(w.registry)})
	w.registry.MustRegister(w.pool)
	return w
}

func keys(namespace, name, secret string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: "uid-of-" + "keys"},
		Data:       map[string][]byte{"accessKey": []byte(cloudsim.DefaultAccessKey), "secretKey": []byte(secret)},
	}
}

// account is a CloudAccount that the cloud accepted, changed as the test needs it.
func (w *world) account(changes ...func(*v1alpha1.CloudAccount)) *v1alpha1.CloudAccount {
	a := &v1alpha1.CloudAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "default", UID: "uid-of-account", Generation: 1},
		Spec: v1alpha1.CloudAccountSpec{
			AccountSpec: v1alpha1.AccountSpec{
				Region: cloudsim.DefaultRegion, ProjectID: cloudsim.DefaultProjectID, EnterpriseProjectID: "ep",
				Endpoints: &v1alpha1.Endpoints{ServiceStage: v1alpha1.EndpointURL(w.url)},
			},
			Credentials: v1alpha1.Credentials{SecretRef: v1alpha1.ObjectReference{Name: "keys"}},
		},
	}
	a.Status = ready(metav1.ConditionTrue, "accepted")
	for _, change := range changes {
		change(a)
	}
	return a
}

func ready(status metav1.ConditionStatus, message string) v1alpha1.AccountStatus {
	s := v1alpha1.AccountStatus{ObservedGeneration: 1}
	conditions.Set(&s.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: status, Reason: "Reason", Message: message, ObservedGeneration: 1,
	})
	return s
}

// accepted notes in the account's status that the cloud has accepted what its Secret holds now.
func (w *world) accepted(account Object) Object {
	w.t.Helper()
	in, err := w.pool.builder.read(w.t.Context(), account)
	if err != nil {
		w.t.Fatal(err)
	}
	account.AccountStatus().CredentialsVersion = in.version
	return account
}

// put creates an object, or replaces it with its status.
func (w *world) put(obj client.Object) {
	w.t.Helper()
	if err := w.api.Delete(w.t.Context(), obj); client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	}
	obj.SetResourceVersion("")
	if err := w.api.Create(w.t.Context(), obj); err != nil {
		w.t.Fatal(err)
	}
}

// rotate changes the secret key.
func (w *world) rotate(secret string) {
	w.t.Helper()
	current := &corev1.Secret{}
	if err := w.api.Get(w.t.Context(), client.ObjectKey{Namespace: "team", Name: "keys"}, current); err != nil {
		w.t.Fatal(err)
	}
	current.Data["secretKey"] = []byte(secret)
	if err := w.api.Update(w.t.Context(), current); err != nil {
		w.t.Fatal(err)
	}
}

// waits checks that err is a wait for credentials.
func waits(t *testing.T, err error, reason external.WaitReason, stalled bool, words ...string) {
	t.Helper()
	var wait *external.WaitError
	if !errors.As(err, &wait) {
		t.Fatalf("the error is %v, want a wait", err)
	}
	if wait.Cause != external.WaitForCredentials || wait.Reason != reason || wait.Stalled != stalled {
		t.Errorf("wait is %+v, want reason %s, stalled %t", wait, reason, stalled)
	}
	for _, word := range append(words, "spec.accountRef: ") {
		if !strings.Contains(wait.Message, word) {
			t.Errorf("message %q does not hold %q", wait.Message, word)
		}
	}
}
