// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"

	"servicestage.dev/operator/api/v1alpha1"
)

func TestSchemeKnowsEveryKind(t *testing.T) {
	scheme := Scheme()
	for _, kind := range []string{"CloudAccount", "ClusterCloudAccount", "Environment", "Application"} {
		for _, name := range []string{kind, kind + "List"} {
			if !scheme.Recognizes(v1alpha1.GroupVersion.WithKind(name)) {
				t.Errorf("%s is not known", name)
			}
		}
	}
	if !scheme.Recognizes(corev1.SchemeGroupVersion.WithKind("Secret")) {
		t.Error("Secret is not known")
	}
}

func TestOptions(t *testing.T) {
	o := options(Config{
		MetricsAddress: ":1", ProbeAddress: ":2", ProfileAddress: ":3", LeaderElection: true, LeaderElectionNamespace: "ops", GracePeriod: 7 * time.Second,
	})
	if o.Metrics.BindAddress != ":1" || o.HealthProbeBindAddress != ":2" || o.PprofBindAddress != ":3" || *o.GracefulShutdownTimeout != 7*time.Second {
		t.Errorf("metrics %q, probes %q, grace period %s", o.Metrics.BindAddress, o.HealthProbeBindAddress, o.GracefulShutdownTimeout)
	}
	if !o.LeaderElection || o.LeaderElectionID != LeaderElectionID || o.LeaderElectionNamespace != "ops" || !o.LeaderElectionReleaseOnCancel {
		t.Errorf("leader election: %+v", o)
	}
	try := time.Duration((1 + leaderelection.JitterFactor) * float64(*o.RetryPeriod))
	if followed := try + *o.LeaseDuration + try; followed > 17*time.Second {
		t.Errorf("a leader that was killed is followed after up to %s", followed)
	}
	if *o.LeaseDuration-*o.RenewDeadline < 4*time.Second {
		t.Errorf("a lease of %s, to be renewed within %s: two could lead where clocks go at different rates", *o.LeaseDuration, *o.RenewDeadline)
	}
	if !*o.Controller.EnableWarmup {
		t.Error("followers do not keep their caches warm")
	}
	if *options(Config{}).Controller.EnableWarmup {
		t.Error("a manager that does not elect warms its caches before it leads")
	}
}

func TestSecretsAndConfigMapsAreNeverCached(t *testing.T) {
	var kinds []string
	for _, obj := range options(Config{}).Client.Cache.DisableFor {
		switch obj.(type) {
		case *corev1.Secret:
			kinds = append(kinds, "Secret")
		case *corev1.ConfigMap:
			kinds = append(kinds, "ConfigMap")
		}
	}
	if diff := cmp.Diff([]string{"Secret", "ConfigMap"}, kinds); diff != "" {
		t.Errorf("not cached (-want +got):\n%s", diff)
	}
}

func TestWatchNamespaces(t *testing.T) {
	for _, tc := range []struct {
		namespaces, want []string
		ownWrites        bool
	}{
		{nil, nil, true},
		{[]string{"a"}, []string{"a"}, true},
		{[]string{"b", "a"}, []string{"a", "b"}, false},
	} {
		o := options(Config{WatchNamespaces: tc.namespaces})
		if diff := cmp.Diff(tc.want, slices.Sorted(maps.Keys(o.Cache.DefaultNamespaces))); diff != "" {
			t.Errorf("%q: namespaces (-want +got):\n%s", tc.namespaces, diff)
		}
		if got := *o.Client.Cache.EnableReadYourWritesConsistency; got != tc.ownWrites {
			t.Errorf("%q: a pass sees what the pass before wrote: %t, want %t", tc.namespaces, got, tc.ownWrites)
		}
	}
}

func TestNewRefusesABadPatternAndNamesTheFlag(t *testing.T) {
	_, err := New(t.Context(), &rest.Config{Host: "http://127.0.0.1:1"}, Config{
		AllowEndpointHosts: []string{"ftp://example.com"}, Registry: prometheus.NewRegistry(),
	})
	if err == nil || !strings.Contains(err.Error(), "--allow-endpoint-host") || !strings.Contains(err.Error(), "ftp://example.com") {
		t.Errorf("New: %v", err)
	}
}
