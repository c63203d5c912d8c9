// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manager wires the operator: one manager with the controllers of all kinds.
package manager

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
	"servicestage.dev/operator/internal/controller/application"
	"servicestage.dev/operator/internal/controller/cloudaccount"
	"servicestage.dev/operator/internal/controller/component"
	"servicestage.dev/operator/internal/controller/environment"
	"servicestage.dev/operator/internal/controller/kieconfig"
	"servicestage.dev/operator/internal/controller/microserviceengine"
	"servicestage.dev/operator/internal/dependency"
	"servicestage.dev/operator/internal/inventory"
	"servicestage.dev/operator/internal/metrics"
	"servicestage.dev/operator/internal/reconciler"
	"servicestage.dev/operator/internal/roster"
)

// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=create;get;update,namespace=servicestage-system
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch,namespace=servicestage-system

// LeaderElectionID is the name of the lease that managers of one cluster elect their leader by.
const LeaderElectionID = "servicestage-operator.servicestage.dev"

// Config of the manager.
type Config struct {
	// MetricsAddress, ProbeAddress and ProfileAddress to listen on; "0" turns one off.
	MetricsAddress, ProbeAddress, ProfileAddress string
	// LeaderElection lets one of several managers act.
	LeaderElection bool
	// LeaderElectionNamespace holds the lease; the manager's own where empty.
	LeaderElectionNamespace string
	// LeaderElectionID is the name of the lease; LeaderElectionID of this package where empty.
	LeaderElectionID string
	// Selector of the objects to work on; all where nil.
	Selector labels.Selector
	// WatchNamespaces limits the manager to these; all where empty.
	WatchNamespaces []string
	// NoClusterAccounts lets the manager do without rights in the whole cluster: it neither reads ClusterCloudAccounts and
	// Namespaces nor serves objects that refer to a ClusterCloudAccount.
	NoClusterAccounts bool
	// AllowEndpointHosts are the patterns of hosts that accounts may call; the vendors' domains where empty.
	AllowEndpointHosts []string
	// ListInterval is how often what accounts hold of each kind is listed; 0 lists nothing.
	ListInterval time.Duration
	// ClusterName tells in the cloud which cluster's objects these are; may be empty.
	ClusterName string
	// ResyncInterval of objects that name none themselves.
	ResyncInterval time.Duration
	// MaxConcurrentReconciles per kind.
	MaxConcurrentReconciles int
	// GracePeriod that running reconciliations have to end when the manager stops.
	GracePeriod time.Duration
	// Version of the operator, for the User-Agent.
	Version string
	// Registry that metrics are registered with; the one that the manager serves where nil.
	Registry prometheus.Registerer
	// SkipNameValidation lets one process run several managers, as tests do.
	SkipNameValidation bool
}

// unread are the kinds that the manager leaves alone, since it may not read them.
func (cfg Config) unread() []schema.GroupVersionKind {
	if !cfg.NoClusterAccounts {
		return nil
	}
	return []schema.GroupVersionKind{v1alpha1.GroupVersion.WithKind("ClusterCloudAccount"), corev1.SchemeGroupVersion.WithKind("Namespace")}
}

// Scheme knows every type that the operator handles.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// New returns a manager with the controllers of all kinds, ready to start.
func New(ctx context.Context, restConfig *rest.Config, cfg Config) (ctrl.Manager, error) {
	if cfg.Registry == nil {
		cfg.Registry = ctrlmetrics.Registry
	}
	if len(cfg.AllowEndpointHosts) == 0 {
		cfg.AllowEndpointHosts = endpoint.DefaultPatterns()
	}
	policy, err := endpoint.NewPolicy(cfg.AllowEndpointHosts)
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(restConfig, options(cfg))
	if err != nil {
		return nil, fmt.Errorf("create the manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	if err := addControllers(ctx, mgr, cfg, policy); err != nil {
		return nil, installed(err)
	}
	return mgr, nil
}

func options(cfg Config) ctrl.Options {
	o := ctrl.Options{
		Scheme:                        Scheme(),
		Metrics:                       metricsserver.Options{BindAddress: cfg.MetricsAddress},
		HealthProbeBindAddress:        cfg.ProbeAddress,
		PprofBindAddress:              cfg.ProfileAddress,
		LeaderElection:                cfg.LeaderElection,
		LeaderElectionID:              cmp.Or(cfg.LeaderElectionID, LeaderElectionID),
		LeaderElectionNamespace:       cfg.LeaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
		// A leader that was killed is followed within 17 seconds: a follower takes up to one try, with client-go's jitter up
		// to 2.2 seconds after the other, to see the last renewal, waits for the lease from then on, and takes one try more.
		LeaseDuration:           new(12 * time.Second),
		RenewDeadline:           new(8 * time.Second),
		RetryPeriod:             new(time.Second),
		GracefulShutdownTimeout: &cfg.GracePeriod,
		Cache:                   cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
		// Followers keep their caches warm, so that a failover costs a lease and not a list.
		Controller: config.Controller{EnableWarmup: new(cfg.LeaderElection), SkipNameValidation: &cfg.SkipNameValidation},
		Client: client.Options{Cache: &client.CacheOptions{
			// Secrets and ConfigMaps are read one by one and never kept.
			DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}},
			// A pass must see what the pass before wrote. controller-runtime cannot do this for several namespaces; a
			// stale read there costs a list, since the claim decides.
			EnableReadYourWritesConsistency: new(len(cfg.WatchNamespaces) < 2),
		}},
	}
	if len(cfg.WatchNamespaces) > 0 {
		o.Cache.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range cfg.WatchNamespaces {
			o.Cache.DefaultNamespaces[namespace] = cache.Config{}
		}
	}
	return o
}

// addControllers declares the references of all kinds, and then sets each kind up.
func addControllers(ctx context.Context, mgr ctrl.Manager, cfg Config, policy *endpoint.Policy) error {
	loopMetrics := metrics.New(cfg.Registry)
	callMetrics, userAgent := cloudclient.NewMetrics(cfg.Registry), "servicestage-operator/"+cfg.Version
	pool := account.NewPool(&account.Builder{Reader: mgr.GetAPIReader(), Policy: policy, Metrics: callMetrics, UserAgent: userAgent})
	cfg.Registry.MustRegister(pool, metrics.NewResources(mgr.GetCache(), mgr.GetScheme(), mgr.Elected(), cfg.unread()...))
	accounts := account.NewResolver(mgr.GetClient(), pool)
	rt := reconciler.Runtime{
		Client:                  client.WithFieldOwner(mgr.GetClient(), reconciler.FieldOwner),
		Live:                    mgr.GetAPIReader(),
		Graph:                   dependency.NewGraph(mgr.GetClient()).Without(cfg.unread()...),
		Accounts:                pool,
		Metrics:                 loopMetrics,
		Recorder:                mgr.GetEventRecorder("servicestage-operator"),
		Clock:                   clock.RealClock{},
		ClusterName:             cfg.ClusterName,
		Selector:                cfg.Selector,
		ResyncInterval:          cfg.ResyncInterval,
		MaxConcurrentReconciles: cfg.MaxConcurrentReconciles,
	}
	if cfg.NoClusterAccounts {
		accounts = accounts.NamespacedOnly()
	}
	kieItems := kieconfig.NewInventory(mgr.GetClient(), inventory.Options{})
	if err := kieItems.SetUp(ctx, mgr); err != nil {
		return err
	}
	metrics.SnapshotAges(cfg.Registry, kieItems.Ages)
	lists := lists{Options: roster.Options{Accounts: accounts, Refusals: pool, Interval: cfg.ListInterval}, ages: map[string]metrics.Ages{}}
	controllers := []reconciler.Controller{
		cloudaccount.Namespaced(pool),
		listed(&lists, environment.Definition(accounts, mgr.GetClient()), environment.Rows),
		listed(&lists, application.Definition(accounts, mgr.GetClient(), mgr.GetAPIReader()), application.Rows),
		listed(&lists, component.Definition(accounts, mgr.GetClient()), component.Rows),
		listed(&lists, microserviceengine.Definition(accounts, mgr.GetAPIReader()), microserviceengine.Rows),
		kieconfig.Definition(kieconfig.Options{
			Accounts: accounts, Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Policy: policy, Metrics: callMetrics, UserAgent: userAgent,
			ListInterval: cmp.Or(cfg.ListInterval, cfg.ResyncInterval),
		}, kieItems),
	}
	for _, pollers := range lists.pollers {
		if err := mgr.Add(pollers); err != nil {
			return err
		}
	}
	metrics.ListAges(cfg.Registry, lists.ages)
	if !cfg.NoClusterAccounts {
		controllers = append(controllers, cloudaccount.Cluster(pool))
	}
	for _, c := range controllers {
		if err := c.Declare(rt.Graph); err != nil {
			return err
		}
	}
	if err := rt.Graph.Index(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	for _, c := range controllers {
		if err := c.SetUp(mgr, rt); err != nil {
			return err
		}
	}
	return nil
}

// lists are the inventories of the kinds that are observed by lists.
type lists struct {
	roster.Options
	pollers []*roster.Inventory
	ages    map[string]metrics.Ages
}

// listed returns the definition of a kind that is observed by lists of all that an account holds.
func listed[O reconciler.Object, R any](all *lists, d reconciler.Definition[O, R], rows roster.Rows) reconciler.Definition[O, R] {
	if all.Interval == 0 {
		return d
	}
	shared := roster.New(all.Options, rows)
	all.pollers = append(all.pollers, shared)
	all.ages[d.Name] = shared.Ages
	d.Inventory = shared
	return d
}

// installed says what to do where the API server does not know our kinds.
func installed(err error) error {
	if meta.IsNoMatchError(err) {
		return fmt.Errorf("the CustomResourceDefinitions of this version are not installed; install them before the manager (crds.enabled of the chart, or config/crd): %w", err)
	}
	return err
}
