// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster connects a command to the cluster that kubeconfig names, and through the accounts there to the cloud.
package cluster

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
)

// Options say how to reach the cluster and the cloud.
type Options struct {
	// Getter knows kubeconfig, context and namespace.
	Getter genericclioptions.RESTClientGetter
	// AllowEndpointHosts are the patterns of hosts that accounts may call; the vendors' domains where empty.
	AllowEndpointHosts []string
	// Version of the command, for the User-Agent.
	Version string
}

// Cluster is a connection.
type Cluster struct {
	// Client reads and writes past every cache.
	Client client.Client
	// Config of the connection.
	Config *rest.Config
	// Namespace that the user works in.
	Namespace string

	options Options
}

// Scheme knows the types that commands handle.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// Limits of requests to the API server: those of a person, not of a controller.
const (
	qps         = 50
	burst       = 300
	dialTimeout = 30 * time.Second
)

// Connect reads kubeconfig. Nothing is sent yet.
func Connect(options Options) (*Cluster, error) {
	config, err := options.Getter.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = qps, burst
	config.UserAgent = "kubectl-servicestage/" + options.Version
	if config.Timeout == 0 {
		config.Timeout = dialTimeout
	}
	namespace, _, err := options.Getter.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, fmt.Errorf("find the namespace: %w", err)
	}
	mapper, err := options.Getter.ToRESTMapper()
	if err != nil {
		return nil, fmt.Errorf("ask the cluster which kinds it has: %w", err)
	}
	c, err := client.New(config, client.Options{Scheme: Scheme(), Mapper: mapper})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return &Cluster{Client: c, Config: config, Namespace: namespace, options: options}, nil
}

// Accounts turns the accounts that reader shows into clients of the cloud, as the operator does it, with the user's own
// rights to their Secrets.
func (c *Cluster) Accounts(reader client.Client) (*account.Resolver, error) {
	hosts := c.options.AllowEndpointHosts
	if len(hosts) == 0 {
		hosts = endpoint.DefaultPatterns()
	}
	policy, err := endpoint.NewPolicy(hosts)
	if err != nil {
		return nil, err
	}
	builder := &account.Builder{Reader: reader, Policy: policy, UserAgent: c.Config.UserAgent}
	return account.NewResolver(reader, account.NewPool(builder)), nil
}
