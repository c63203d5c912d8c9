// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/rig"
)

const (
	namespace = "bench"
	// project that the account works in.
	project = "0123456789abcdef0123456789abcdef"
	// lookInterval between two looks at something that is waited for.
	lookInterval = 20 * time.Millisecond
	// writers create objects side by side: the API server on two cores takes no more.
	writers = 8
)

var keys = rig.Keys{AccessKey: "BENCHACCESSKEY", SecretKey: "bench-secret-key"}

// world is a control plane, a simulated cloud and managers, started from nothing for one measurement.
type world struct {
	dir, bin   string
	plane      *rig.ControlPlane
	api        client.Client
	sim        *rig.Simulator
	kubeconfig string
	managers   []*rig.Manager
	tracker    *tracker
	stack      rig.Stack
	// args are the manager's flags besides those that every world sets.
	args []string
}

// newWorld starts everything but a manager.
func newWorld(ctx context.Context, bin string, seed int64, args ...string) (_ *world, err error) {
	w := &world{bin: bin, args: args}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.stop())
		}
	}()
	if w.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return nil, err
	}
	w.stack.Push(func() error { return os.RemoveAll(w.dir) })
	if w.plane, err = rig.StartControlPlane(ctx, rig.ControlPlaneOptions{}); err != nil {
		return nil, err
	}
	w.stack.Push(w.plane.Stop)
	w.sim, err = rig.StartSimulator(ctx, rig.SimulatorOptions{
		Binary: filepath.Join(bin, "cloudsim"), Dir: w.dir, Project: project, AccessKey: keys.AccessKey, SecretKey: keys.SecretKey,
		Args: []string{fmt.Sprintf("--seed=%d", seed), "--task-duration=1ms", "--engine-task-duration=1ms"},
	})
	if err != nil {
		return nil, err
	}
	w.stack.Push(w.sim.Stop)
	if w.api, err = client.New(w.plane.Config, client.Options{Scheme: newScheme()}); err != nil {
		return nil, err
	}
	if err := rig.InstallOperator(ctx, w.api); err != nil {
		return nil, err
	}
	if err := installBare(w.plane.Config); err != nil {
		return nil, err
	}
	if w.kubeconfig, err = w.plane.ServiceAccountKubeconfig(ctx, rig.OperatorNamespace, rig.OperatorServiceAccount); err != nil {
		return nil, err
	}
	if w.tracker, err = newTracker(w.plane.Config); err != nil {
		return nil, err
	}
	w.stack.Push(w.tracker.stop)
	return w, w.addAccount(ctx, namespace, keys.AccessKey, keys.SecretKey, roomy)
}

// stop ends everything, the managers first.
func (w *world) stop() error {
	var errs []error
	for _, m := range w.managers {
		errs = append(errs, m.Kill())
	}
	return errors.Join(append(errs, w.stack.Stop())...)
}

// roomy is a limit that binds nothing: the cloud's own is what is measured, or none.
var roomy = &v1alpha1.RateLimit{RequestsPerSecond: 10000, Burst: 10000}

// addAccount makes a namespace with the account and the Secret of config/samples in it.
func (w *world) addAccount(ctx context.Context, name, accessKey, secretKey string, limit *v1alpha1.RateLimit) error {
	if err := w.api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		return err
	}
	samples, err := rig.Samples(name, w.sim.URL, rig.Keys{AccessKey: accessKey, SecretKey: secretKey})
	if err != nil {
		return err
	}
	for _, o := range samples {
		switch {
		case o.GetKind() == "CloudAccount" && limit != nil:
			rates := map[string]any{"requestsPerSecond": int64(limit.RequestsPerSecond), "burst": int64(limit.Burst)}
			if err := unstructured.SetNestedMap(o.Object, rates, "spec", "rateLimit"); err != nil {
				return err
			}
		case o.GetKind() == "CloudAccount":
			unstructured.RemoveNestedField(o.Object, "spec", "rateLimit")
		case o.GetKind() == "Secret":
		default:
			continue
		}
		if err := rig.Apply(ctx, w.api, o); err != nil {
			return err
		}
	}
	return nil
}

// startManager starts one more manager and waits until it is ready.
func (w *world) startManager(ctx context.Context, args ...string) (*rig.Manager, error) {
	m, err := rig.StartManager(ctx, rig.ManagerOptions{
		Binary: filepath.Join(w.bin, "manager"), Dir: w.dir, Name: fmt.Sprintf("manager-%d", len(w.managers)+1), Kubeconfig: w.kubeconfig,
		Args: append(append([]string{"--allow-endpoint-host=" + w.sim.URL, "--log-level=error"}, w.args...), args...),
	})
	if err == nil {
		w.managers = append(w.managers, m)
	}
	return m, err
}

// startAndAwaitAccount starts a manager and waits until it has tried the account.
func (w *world) startAndAwaitAccount(ctx context.Context, args ...string) (*rig.Manager, error) {
	m, err := w.startManager(ctx, args...)
	if err != nil {
		return nil, err
	}
	return m, until(ctx, "the account is ready", func(ctx context.Context) (bool, error) {
		account := &v1alpha1.CloudAccount{}
		err := w.api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "default"}, account)
		return meta.IsStatusConditionTrue(account.Status.Conditions, v1alpha1.ConditionReady), err
	})
}

// until looks again and again until something is so, and says what it waited for where the context ends before.
func until(ctx context.Context, what string, is func(context.Context) (bool, error)) error {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		ok, err := is(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// names returns n names with a prefix.
func names(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s-%05d", prefix, i)
	}
	return list
}

// createAll creates objects of a kind, several at a time.
func (w *world) createAll(ctx context.Context, k kind, namespace string, names []string) error {
	return side(ctx, len(names), func(ctx context.Context, i int) error {
		return w.api.Create(ctx, k.object(namespace, names[i]))
	})
}

// side does n things, several at a time.
func side(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

// edit changes the description of an object, and returns the generation that this made.
func (w *world) edit(ctx context.Context, k kind, namespace, name, description string) (int64, error) {
	o := k.object(namespace, name)
	patch := fmt.Sprintf(`{"spec":{"description":%q}}`, description)
	err := w.api.Patch(ctx, o, client.RawPatch("application/merge-patch+json", []byte(patch)))
	return o.GetGeneration(), err
}

// awaitReady waits until all of some objects are Ready.
func (w *world) awaitReady(ctx context.Context, namespace string, names []string) error {
	return until(ctx, "all are Ready", func(context.Context) (bool, error) {
		n, _ := w.tracker.ready(namespace, names)
		return n == len(names), nil
	})
}

// newcomers are objects that were created one after the other: when each was, how long it took to be Ready, and how long the
// API server took for a bare one right after it.
type newcomers struct {
	created     map[string]time.Time
	ready, bare []time.Duration
}

// createEach creates Environments one after the other, each so long after the one before.
func (w *world) createEach(ctx context.Context, namespace string, pace time.Duration, names []string) (_ newcomers, err error) {
	n := newcomers{created: map[string]time.Time{}}
	n.ready, err = each(ctx, pace, names, func(name string) (time.Time, error) {
		n.created[name] = time.Now()
		if err := w.api.Create(ctx, environment(namespace, name)); err != nil {
			return time.Time{}, err
		}
		ready, err := w.tracker.whenReady(ctx, key(namespace, name), 1)
		if err != nil {
			return time.Time{}, err
		}
		took, err := w.createBare(ctx, namespace, "bare-"+name)
		n.bare = append(n.bare, took)
		return ready, err
	})
	return n, err
}

// editEach edits objects one after the other, and returns how long each took to be Ready again.
func (w *world) editEach(ctx context.Context, k kind, namespace string, names []string) ([]time.Duration, error) {
	return each(ctx, 0, names, func(name string) (time.Time, error) {
		generation, err := w.edit(ctx, k, namespace, name, "edited")
		if err != nil {
			return time.Time{}, err
		}
		return w.tracker.whenReady(ctx, key(namespace, name), generation)
	})
}

// deleteEach deletes objects one after the other, and returns how long each took to be gone.
func (w *world) deleteEach(ctx context.Context, k kind, namespace string, names []string) ([]time.Duration, error) {
	return each(ctx, 0, names, func(name string) (time.Time, error) {
		if err := w.api.Delete(ctx, k.object(namespace, name)); err != nil {
			return time.Time{}, err
		}
		return w.tracker.whenGone(ctx, key(namespace, name))
	})
}

// each does something to objects one after the other, each so long after the one before but not before that is done, and returns
// how long each took.
func each(ctx context.Context, pace time.Duration, names []string, do func(name string) (done time.Time, err error)) ([]time.Duration, error) {
	var took []time.Duration
	for _, name := range names {
		began := time.Now()
		done, err := do(name)
		if err != nil {
			return nil, err
		}
		took = append(took, done.Sub(began))
		if err := pass(ctx, pace-time.Since(began)); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// recordsByName maps the name of each of a kind's resources in the cloud to its id.
func (w *world) recordsByName(ctx context.Context, k kind) (map[string]string, error) {
	records, err := w.sim.List(ctx, k.collection)
	ids := map[string]string{}
	for _, r := range records {
		ids[r.Text("name")] = r.Text("id")
	}
	return ids, err
}

// isLogin says whether a call is one of those that open a session.
func isLogin(c rig.Call) bool {
	return strings.Contains(c.Path, "/v3/auth/") || strings.Contains(c.Path, "/v3/projects")
}
