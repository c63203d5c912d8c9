// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"

	"servicestage.dev/operator/test/rig"
)

// startSteps bring everything up.
func startSteps() []step {
	return []step{
		{name: "Start etcd, kube-apiserver and kube-controller-manager; install the custom resources", act: startControlPlane},
		{name: "Start the simulated cloud", act: startSimulator},
		{name: "Start the manager with its own service account's rights", act: startManager},
	}
}

// emptySteps bring up a cluster to install the operator in.
func emptySteps() []step {
	return []step{
		{name: "Start etcd, kube-apiserver and kube-controller-manager; nothing is installed", act: startEmptyControlPlane},
		{name: "Start the simulated cloud", act: startSimulator},
		{name: "Start a node that runs the operator's Pods, once it is installed", act: startNode},
	}
}

// prepare makes the folder that everything is kept in, and finds or builds the binaries.
func (w *world) prepare(ctx context.Context, bin string) error {
	var err error
	if w.dir, err = os.MkdirTemp("", "servicestage-demo-"); err != nil {
		return err
	}
	w.stack.Push(func() error { return os.RemoveAll(w.dir) })
	if w.bin = bin; bin != "" {
		return nil
	}
	w.screen.note("Building the manager and the simulated cloud (a minute or two the first time)")
	w.bin = w.dir
	return rig.Build(ctx, w.bin, "./cmd/manager", "./cmd/cloudsim")
}

func startControlPlane(ctx context.Context, w *world) error {
	if err := w.startPlane(ctx, rig.ControlPlaneOptions{}); err != nil {
		return err
	}
	return rig.InstallOperator(ctx, w.client)
}

func startEmptyControlPlane(ctx context.Context, w *world) error {
	return w.startPlane(ctx, rig.ControlPlaneOptions{NoCRDs: true, Workloads: true})
}

func (w *world) startPlane(ctx context.Context, o rig.ControlPlaneOptions) error {
	o.Dir = filepath.Join(w.dir, "controlplane")
	var err error
	if w.plane, err = rig.StartControlPlane(ctx, o); err != nil {
		return err
	}
	w.stack.Push(w.plane.Stop)
	w.client, err = newClient(w.plane)
	return err
}

func startNode(ctx context.Context, w *world) error {
	node, err := w.plane.StartNode(ctx, w.client, rig.NodeOptions{Binary: filepath.Join(w.bin, "manager"), Args: w.managerArgs(), Dir: w.dir})
	if err != nil {
		return err
	}
	w.stack.Push(node.Stop)
	return nil
}

func startSimulator(ctx context.Context, w *world) error {
	sim, err := rig.StartSimulator(ctx, rig.SimulatorOptions{
		Binary: filepath.Join(w.bin, "cloudsim"), Dir: w.dir, Project: project, AccessKey: keys.AccessKey, SecretKey: keys.SecretKey,
		Args: []string{"--task-duration=" + taskDuration.String(), "--engine-task-duration=" + taskDuration.String()},
	})
	if err != nil {
		return err
	}
	w.sim = sim
	w.stack.Push(sim.Stop)
	return nil
}

func startManager(ctx context.Context, w *world) error {
	kubeconfig, err := w.plane.ServiceAccountKubeconfig(ctx, rig.OperatorNamespace, rig.OperatorServiceAccount)
	if err != nil {
		return err
	}
	w.manager, err = rig.StartManager(ctx, rig.ManagerOptions{
		Binary: filepath.Join(w.bin, "manager"), Dir: w.dir, Kubeconfig: kubeconfig,
		Args: w.managerArgs(),
	})
	if err != nil {
		return err
	}
	w.stack.Push(w.manager.Stop)
	return nil
}

// managerArgs are flags of every manager here.
func (w *world) managerArgs() []string {
	return []string{
		"--allow-endpoint-host=" + w.sim.URL,
		"--resync-interval=5s", // so that a change behind its back is found while you watch
	}
}
