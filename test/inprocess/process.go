// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inprocess

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/controller/application"
	"servicestage.dev/operator/internal/controller/component"
	"servicestage.dev/operator/internal/controller/environment"
	"servicestage.dev/operator/internal/controller/kieconfig"
	"servicestage.dev/operator/internal/controller/microserviceengine"
	"servicestage.dev/operator/internal/dependency"
	"servicestage.dev/operator/internal/reconciler"
)

// API is a fake API server. It outlives processes.
type API struct {
	client.WithWatch
	// indexed are the fields that an earlier process has indexed.
	indexed map[string]bool
}

// NewAPI returns one that holds some objects, and an account in Namespace that is ready for the cloud at an address.
func NewAPI(address string, objects ...client.Object) (*API, error) {
	scheme := runtime.NewScheme() // a small one: the fake client goes through all of it at every apply
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).
		WithStatusSubresource(
			&v1alpha1.Environment{}, &v1alpha1.Application{}, &v1alpha1.Component{}, &v1alpha1.MicroserviceEngine{}, &v1alpha1.KieConfig{},
			&v1alpha1.CloudAccount{},
		).
		WithIndex(&v1alpha1.KieConfig{}, kieconfig.PeersIndex, kieconfig.Peers).
		WithObjects(readyAccount(address)...).WithObjects(objects...)
	return &API{WithWatch: builder.Build(), indexed: map[string]bool{}}, nil
}

func readyAccount(address string) []client.Object {
	url := v1alpha1.EndpointURL(address)
	a := &v1alpha1.CloudAccount{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: "default", UID: "account", Generation: 1}}
	a.Spec.Region, a.Spec.ProjectID = cloudsim.DefaultRegion, cloudsim.DefaultProjectID
	a.Spec.Endpoints = &v1alpha1.Endpoints{IAM: url, ServiceStage: url, CSE: url, VPC: url}
	a.Spec.RateLimit = &v1alpha1.RateLimit{RequestsPerSecond: 10000, Burst: 10000}
	a.Spec.Credentials.SecretRef.Name = "keys"
	a.Status.ObservedGeneration = 1
	a.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAvailable, ObservedGeneration: 1}}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: "keys", UID: "keys"}, Data: map[string][]byte{
		"accessKey": []byte(cloudsim.DefaultAccessKey), "secretKey": []byte(cloudsim.DefaultSecretKey),
	}}
	return []client.Object{a, secret}
}

// IndexField implements client.FieldIndexer.
func (a *API) IndexField(_ context.Context, obj client.Object, field string, extract client.IndexerFunc) error {
	name := fmt.Sprint(reflect.TypeOf(obj), " ", field)
	if a.indexed[name] {
		return nil
	}
	a.indexed[name] = true
	return fake.AddIndex(a.WithWatch, obj, field, extract)
}

// Process says what a manager's process consists of.
type Process struct {
	API *API
	// Seen is the API server as the loops see it.
	Seen client.Client
	// Cloud is the address of the simulated cloud.
	Cloud string
	Clock interface {
		clock.PassiveClock
		cloudclient.Clock
	}
	// Items is the inventory of the KieConfigs, which runs on its own.
	Items *kieconfig.Inventory
	// Engines is the time of the calls to engines, ParallelWrites how many of them change something at once; the manager's
	// own where left out.
	Engines        cloudclient.Clock
	ParallelWrites int
}

// Loops returns a loop for each kind, which know no more than what is written down.
func (p Process) Loops(ctx context.Context) (map[string]reconcile.Reconciler, error) {
	policy, err := endpoint.NewPolicy([]string{p.Cloud, cloudsim.DefaultEngineHost})
	if err != nil {
		return nil, err
	}
	metrics := cloudclient.NewMetrics(prometheus.NewRegistry())
	pool := account.NewPool(&account.Builder{Reader: p.API, Policy: policy, Metrics: metrics, Clock: p.Clock})
	a := &v1alpha1.CloudAccount{}
	if err := p.API.Get(ctx, client.ObjectKey{Namespace: Namespace, Name: "default"}, a); err != nil {
		return nil, err
	}
	_, version, err := pool.Rebuild(ctx, a)
	if err != nil {
		return nil, err
	}
	pool.Accept(a, version)
	accounts := account.NewResolver(p.API, pool)
	environments, applications, components := environment.Definition(accounts, p.Seen), application.Definition(accounts, p.Seen, p.API), component.Definition(accounts, p.Seen)
	engines := microserviceengine.Definition(accounts, p.API)
	configs := kieconfig.Definition(kieconfig.Options{
		Accounts: accounts, Client: p.Seen, Live: p.API, Policy: policy, Metrics: metrics, ListInterval: Resync,
		Clock: p.Engines, ParallelWrites: p.ParallelWrites,
	}, p.Items)
	graph := dependency.NewGraph(p.Seen)
	for _, d := range []reconciler.Controller{environments, applications, components, engines, configs} {
		if err := d.Declare(graph); err != nil {
			return nil, err
		}
	}
	if err := graph.Index(ctx, p.API); err != nil {
		return nil, err
	}
	rt := reconciler.Runtime{
		Client: p.Seen, Live: p.API, Graph: graph, Accounts: pool, Metrics: silent{}, Recorder: silent{}, Clock: p.Clock, ResyncInterval: Resync,
	}
	return map[string]reconcile.Reconciler{
		"Environment": environments.Reconciler(rt), "Application": applications.Reconciler(rt), "Component": components.Reconciler(rt),
		"MicroserviceEngine": engines.Reconciler(rt), "KieConfig": configs.Reconciler(rt),
	}, nil
}

// silent takes metrics and events, and keeps none.
type silent struct{}

func (silent) Reconciled(string, string)                          {}
func (silent) DriftRepaired(string, int)                          {}
func (silent) OperationEnded(string, string, bool, time.Duration) {}
func (silent) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {
}

// New returns an empty object of a kind, or nil.
func New(kind string) Object {
	switch kind {
	case "Environment":
		return &v1alpha1.Environment{}
	case "Application":
		return &v1alpha1.Application{}
	case "Component":
		return &v1alpha1.Component{}
	case "MicroserviceEngine":
		return &v1alpha1.MicroserviceEngine{}
	case "KieConfig":
		return &v1alpha1.KieConfig{}
	default:
		return nil
	}
}
