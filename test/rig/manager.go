// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
)

// ManagerOptions says how to run the manager.
type ManagerOptions struct {
	// Binary is the built manager.
	Binary string
	// Kubeconfig is whom it is in the cluster.
	Kubeconfig string
	// Args are flags besides those that the rig sets, which win: --kubeconfig and the addresses it serves on.
	Args []string
	// Env is added to this program's environment.
	Env []string
	// Dir is where the log goes.
	Dir string
	// Name of the log file, for runs with several managers; "manager" where left out.
	Name string
}

// Manager is a running manager.
type Manager struct {
	*Process
	// MetricsURL serves Prometheus metrics.
	MetricsURL string
	// ProbeURL is where the probes are below.
	ProbeURL string
}

// StartManager runs the manager and waits until its readiness probe answers.
func StartManager(ctx context.Context, o ManagerOptions) (*Manager, error) {
	ports, err := freePorts(ctx, 2)
	if err != nil {
		return nil, err
	}
	if o.Name == "" {
		o.Name = "manager"
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	args := append(slices.Clone(o.Args),
		"--kubeconfig="+o.Kubeconfig,
		"--metrics-bind-address="+loopback(ports[0]),
		"--health-probe-bind-address="+loopback(ports[1]),
	)
	p, err := startReady(ctx, command{name: o.Name, path: o.Binary, args: args, env: o.Env, dir: o.Dir},
		probeHTTP(http.DefaultClient, "http://"+loopback(ports[1])+"/readyz"))
	if err != nil {
		return nil, err
	}
	return &Manager{Process: p, MetricsURL: "http://" + loopback(ports[0]) + "/metrics", ProbeURL: "http://" + loopback(ports[1])}, nil
}

// Metrics returns what the manager's metrics endpoint says.
func (m *Manager) Metrics(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.MetricsURL, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s: %s", m.MetricsURL, resp.Status, body)
	}
	return string(body), nil
}

// Log returns everything the manager has logged.
func (m *Manager) Log() (string, error) {
	log, err := os.ReadFile(m.LogFile)
	return string(log), err
}
