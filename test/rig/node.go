// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// nodeInterval is the time between two looks at what is to run.
const nodeInterval = 200 * time.Millisecond

// NodeOptions says how a node runs the operator's Pods.
type NodeOptions struct {
	// Binary stands in for the operator's image, of whatever name and tag.
	Binary string
	// Args are flags besides those that the Pods state.
	Args []string
	// Dir is where logs go: one per Pod, and the node's own.
	Dir string
}

// Node plays the one node of a control plane that has none: it runs the managers that Pods of the operator ask for and
// says that they are ready. Other Pods stay Pending.
type Node struct {
	plane    *ControlPlane
	client   client.Client
	options  NodeOptions
	log      *os.File
	managers map[types.UID]*Manager
	stop     context.CancelFunc
	done     chan struct{}
}

// StartNode runs a node until Stop. The control plane has to have Workloads.
func (cp *ControlPlane) StartNode(ctx context.Context, c client.Client, o NodeOptions) (*Node, error) {
	log, err := os.Create(filepath.Join(o.Dir, "node.log"))
	if err != nil {
		return nil, err
	}
	n := &Node{plane: cp, client: c, options: o, log: log, managers: map[types.UID]*Manager{}, done: make(chan struct{})}
	ctx, n.stop = context.WithCancel(context.WithoutCancel(ctx))
	go n.run(ctx)
	return n, nil
}

// Stop ends the node and the managers that it runs.
func (n *Node) Stop() error {
	n.stop()
	<-n.done
	var errs []error
	for _, manager := range n.managers {
		errs = append(errs, manager.Stop())
	}
	return errors.Join(append(errs, n.log.Close())...)
}

func (n *Node) run(ctx context.Context) {
	defer close(n.done)
	ticker := time.NewTicker(nodeInterval)
	defer ticker.Stop()
	for {
		if err := n.look(ctx); err != nil && ctx.Err() == nil {
			fmt.Fprintln(n.log, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look starts the managers of Pods that are new, or whose manager has ended, and stops those whose Pods are gone.
func (n *Node) look(ctx context.Context) error {
	var pods corev1.PodList
	if err := n.client.List(ctx, &pods, client.MatchingLabels{"app.kubernetes.io/name": OperatorServiceAccount}); err != nil {
		return err
	}
	wanted := map[types.UID]bool{}
	for _, pod := range pods.Items {
		wanted[pod.UID] = true
	}
	var errs []error
	for uid, manager := range n.managers {
		if !wanted[uid] {
			delete(n.managers, uid)
			errs = append(errs, manager.Stop())
		}
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if manager := n.managers[pod.UID]; manager != nil && !manager.ended() {
			continue
		}
		manager, err := n.plane.StartPod(ctx, PodOptions{Pod: pod, Binary: n.options.Binary, Args: n.options.Args, Dir: n.options.Dir})
		if err == nil {
			n.managers[pod.UID] = manager
		}
		errs = append(errs, err, n.report(ctx, pod, err))
	}
	return errors.Join(errs...)
}

// report writes the status of a Pod whose manager is ready, or did not start.
func (n *Node) report(ctx context.Context, pod *corev1.Pod, failed error) error {
	now := metav1.Now()
	ready, state := corev1.ConditionTrue, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
	if failed != nil {
		ready = corev1.ConditionFalse
		state = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: failed.Error()}}
	}
	before := pod.DeepCopy()
	pod.Status.Phase, pod.Status.StartTime, pod.Status.Conditions = corev1.PodRunning, &now, nil
	for _, condition := range []corev1.PodConditionType{corev1.PodReady, corev1.ContainersReady} {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: condition, Status: ready, LastTransitionTime: now})
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: pod.Spec.Containers[0].Name, Image: pod.Spec.Containers[0].Image, Ready: failed == nil, State: state,
	}}
	return client.IgnoreNotFound(n.client.Status().Patch(ctx, pod, client.MergeFrom(before)))
}
