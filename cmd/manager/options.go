// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	"servicestage.dev/operator/internal/cloudclient/endpoint"
	"servicestage.dev/operator/internal/manager"
)

// clusterName leaves room for a namespace and a name in the value of a label.
var clusterName = regexp.MustCompile(`^[A-Za-z0-9.-]{0,20}$`)

// options are the flags.
type options struct {
	config    manager.Config
	logLevel  slog.Level
	logFormat string
	qps       float32
	burst     int
}

// parse reads the flags, and says what is wrong with them.
func parse(args []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	config.RegisterFlags(flags)
	flags.StringVar(&o.config.MetricsAddress, "metrics-bind-address", ":8080", "Address that metrics are served on; 0 turns them off.")
	flags.StringVar(&o.config.ProbeAddress, "health-probe-bind-address", ":8081", "Address that /healthz and /readyz are served on; 0 turns them off.")
	flags.StringVar(&o.config.ProfileAddress, "pprof-bind-address", "0", "Address that Go's profiles are served on below /debug/pprof/, to anyone who can reach it; 0 serves none.")
	flags.BoolVar(&o.config.LeaderElection, "leader-elect", false, "Let one of several managers act; the others keep their caches warm.")
	flags.StringVar(&o.config.LeaderElectionNamespace, "leader-election-namespace", "", "Namespace of the lease; the manager's own where empty.")
	flags.Var((*list)(&o.config.WatchNamespaces), "watch-namespaces", "Namespaces to work in, separated by commas; all where left out.")
	flags.StringVar(&o.config.LeaderElectionID, "leader-election-id", manager.LeaderElectionID, "Name of the lease, for managers that share the work of one cluster: each share has its own.")
	flags.Func("watch-selector", "Labels of the objects to work on, as a label selector; all where left out. Others share the rest, each with its own --leader-election-id.", func(value string) (err error) {
		o.config.Selector, err = labels.Parse(value)
		return err
	})
	clusterAccounts := flags.Bool("cluster-accounts", true, "Serve ClusterCloudAccounts, which needs rights on them and on Namespaces in the whole cluster.")
	flags.StringVar(&o.config.ClusterName, "cluster-name", "", "What this cluster is called in the cloud, in the label that says whose a resource is: up to 20 letters, digits, - and dots.")
	flags.Var((*list)(&o.config.AllowEndpointHosts), "allow-endpoint-host", fmt.Sprintf(
		"Hosts that the endpoints of accounts may name, separated by commas or given several times: host, host:port, *.suffix, or http://host[:port] for plain http. Replaces the default %s.", strings.Join(endpoint.DefaultPatterns(), ",")))
	flags.DurationVar(&o.config.ListInterval, "list-interval", 30*time.Second, "How often what accounts hold is listed, to find what was changed behind the operator's back. At least 5s; 0 lists nothing.")
	flags.DurationVar(&o.config.ResyncInterval, "resync-interval", 6*time.Hour, "How often each object is compared with the cloud in full, also in what lists do not show, for objects that set no spec.resyncInterval. At least 5s.")
	flags.IntVar(&o.config.MaxConcurrentReconciles, "max-concurrent-reconciles", 10, "How many objects of a kind are worked on at a time.")
	flags.DurationVar(&o.config.GracePeriod, "graceful-shutdown-timeout", 20*time.Second, "How long running reconciliations may take to end when the manager stops.")
	flags.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "Least level that is logged: debug, info, warn or error.")
	flags.StringVar(&o.logFormat, "log-format", "json", "Format of the log: json or text.")
	qps := flags.Float64("kube-api-qps", 0, "Requests a second to the API server, on average; 0 leaves it to the API server to share its capacity out.")
	flags.IntVar(&o.burst, "kube-api-burst", 100, "Requests to the API server that may go out at once, where --kube-api-qps limits them.")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	o.qps = float32(*qps)
	o.config.NoClusterAccounts = !*clusterAccounts
	return o, o.validate(flags.Args())
}

func (o *options) validate(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q: only flags are taken", rest[0])
	case o.config.ListInterval < 5*time.Second && o.config.ListInterval != 0:
		return fmt.Errorf("--list-interval is %s: it must be at least 5s, or 0 to list nothing", o.config.ListInterval)
	case !clusterName.MatchString(o.config.ClusterName):
		return fmt.Errorf("--cluster-name is %q: it must have at most 20 letters, digits, - and dots", o.config.ClusterName)
	case o.config.LeaderElectionID == "":
		return errors.New("--leader-election-id is empty: it names the lease")
	case o.config.ResyncInterval < 5*time.Second:
		return fmt.Errorf("--resync-interval is %s: it must be at least 5s", o.config.ResyncInterval)
	case o.config.MaxConcurrentReconciles < 1:
		return fmt.Errorf("--max-concurrent-reconciles is %d: it must be at least 1", o.config.MaxConcurrentReconciles)
	case o.config.GracePeriod < 0:
		return fmt.Errorf("--graceful-shutdown-timeout is %s: it must not be negative", o.config.GracePeriod)
	case o.qps < 0:
		return fmt.Errorf("--kube-api-qps is %v: it must not be negative", o.qps)
	case o.burst < 1:
		return fmt.Errorf("--kube-api-burst is %d: it must be at least 1", o.burst)
	case o.logFormat != "json" && o.logFormat != "text":
		return fmt.Errorf("--log-format is %q: it must be json or text", o.logFormat)
	}
	if len(o.config.AllowEndpointHosts) > 0 {
		if _, err := endpoint.NewPolicy(o.config.AllowEndpointHosts); err != nil {
			return err
		}
	}
	return nil
}

// list is a flag that takes values separated by commas and can be given several times.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(value string) error {
	before := len(*l)
	for _, v := range strings.Split(value, ",") {
		if v = strings.TrimSpace(v); v != "" {
			*l = append(*l, v)
		}
	}
	if len(*l) == before {
		return fmt.Errorf("no value in %q", value)
	}
	return nil
}
