// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"os"
)

// SimulatorOptions says how to run the simulated cloud.
type SimulatorOptions struct {
	// Binary is the built simulator.
	Binary string
	// AccessKey and SecretKey of the account that it knows.
	AccessKey, SecretKey string
	// Project is the id of the account's project.
	Project string
	// Args are further flags.
	Args []string
	// Dir is where the log goes.
	Dir string
}

// Simulator is a running simulated cloud.
type Simulator struct {
	*Process
	Sim
}

// StartSimulator runs the simulated cloud and waits until it answers.
func StartSimulator(ctx context.Context, o SimulatorOptions) (*Simulator, error) {
	ports, err := freePorts(ctx, 1)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	sim := Sim{URL: "http://" + loopback(ports[0])}
	args := append([]string{
		"--listen=" + loopback(ports[0]), "--access-key=" + o.AccessKey, "--secret-key=" + o.SecretKey, "--project=" + o.Project,
	}, o.Args...)
	p, err := startReady(ctx, command{name: "cloudsim", path: o.Binary, args: args, dir: o.Dir}, sim.Health)
	if err != nil {
		return nil, err
	}
	return &Simulator{Process: p, Sim: sim}, nil
}
