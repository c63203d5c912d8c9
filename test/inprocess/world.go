// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inprocess

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/controller/kieconfig"
	"servicestage.dev/operator/internal/inventory"
	"servicestage.dev/operator/internal/reconciler"
)

const (
	// Namespace that everything is in.
	Namespace = "team"
	// Resync is how often the loops look at what is settled.
	Resync = 10 * time.Minute
	// taskDuration is what a task of a cloud job takes: a job has ended when the loop asks for the first time.
	taskDuration = time.Millisecond
)

// ErrRefused says that the API server does not take an object.
var ErrRefused = errors.New("refused by the API server")

// Object is an object of any kind.
type Object = reconciler.Object

// Clock is the time of everything: nothing waits in earnest, but for a KieConfig's long polls.
type Clock struct{ *cloudsim.ManualClock }

// Since implements clock.PassiveClock.
func (c Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// Sleep moves the time on.
func (c Clock) Sleep(_ context.Context, d time.Duration) error {
	c.Advance(d)
	return nil
}

// World is one loop per kind, one cloud, one API server, and an account that is ready.
type World struct {
	Clock Clock
	Cloud *cloudsim.Server
	API   *API
	// Items is the inventory of the KieConfigs.
	Items *kieconfig.Inventory

	admission *Admission
	server    *httptest.Server
	loops     map[string]reconcile.Reconciler
	stop      context.CancelFunc
	running   sync.WaitGroup
}

// NewWorld returns a world, which must be closed.
func NewWorld(admission *Admission) (*World, error) {
	clock := Clock{cloudsim.NewManualClock(time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC))}
	w := &World{
		Clock: clock, admission: admission,
		Cloud: cloudsim.New(cloudsim.Options{Clock: clock, ComponentTaskDuration: taskDuration, EngineTaskDuration: taskDuration}),
	}
	w.server = httptest.NewServer(w.Cloud.Handler())
	var err error
	if w.API, err = NewAPI(w.server.URL); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	if err := w.boot(ctx); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Close ends the world.
func (w *World) Close() {
	w.stop()
	w.running.Wait()
	w.server.Close()
	w.Cloud.Close()
}

// boot starts the loops.
func (w *World) boot(ctx context.Context) error {
	w.Items = kieconfig.NewInventory(w.API, inventory.Options{})
	var err error
	w.loops, err = Process{
		API: w.API, Seen: interceptor.NewClient(w.API, interceptor.Funcs{SubResourcePatch: updateStatus}), Cloud: w.server.URL, Clock: w.Clock, Items: w.Items,
	}.Loops(ctx)
	if err != nil {
		return err
	}
	w.running.Go(func() { _ = w.Items.Start(ctx) }) // it ends with ctx and returns nothing else
	return nil
}

// updateStatus replaces the status where a loop applies it, which is the same while nobody else writes any: the fake client
// takes most of the time of a pass to apply.
func updateStatus(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	if sub != "status" || patch.Type() != types.ApplyPatchType {
		return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
	}
	data, err := patch.Data(obj)
	if err != nil {
		return err
	}
	if err := c.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return err
	}
	applied := &struct {
		Status map[string]any `json:"status"`
	}{}
	if err := json.Unmarshal(data, applied); err != nil {
		return err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return err
	}
	content["status"] = applied.Status
	into, ok := reflect.New(reflect.TypeOf(obj).Elem()).Interface().(client.Object)
	if !ok {
		return fmt.Errorf("%T is no object", obj)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, into); err != nil {
		return err
	}
	return c.Status().Update(ctx, into)
}

// Apply makes the object of a kind and name have the spec, creating it where it is not there, as a user does. The error is
// why the API server refuses it.
func (w *World) Apply(ctx context.Context, kind, name string, spec map[string]any) error {
	object := New(kind)
	if object == nil {
		return fmt.Errorf("no such kind: %s", kind)
	}
	err := w.API.Get(ctx, types.NamespacedName{Namespace: Namespace, Name: name}, object)
	found := err == nil
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	wanted := content(kind, name, spec)
	var old map[string]any
	if found {
		converted, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return err
		}
		before, _ := converted["spec"].(map[string]any)
		old = content(kind, name, before)
	}
	if err := w.admission.Admit(ctx, kind, wanted, old); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return w.store(ctx, object, found, wanted)
}

func content(kind, name string, spec map[string]any) map[string]any {
	return map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": kind, "metadata": map[string]any{"namespace": Namespace, "name": name},
		"spec": runtime.DeepCopyJSON(spec),
	}
}

// store writes an object as the API server does: a new one with the default status, a changed one as the next generation.
func (w *World) store(ctx context.Context, object Object, found bool, wanted map[string]any) error {
	stored := New(fmt.Sprint(wanted["kind"]))
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(wanted, stored); err != nil {
		return err
	}
	if !found {
		stored.SetUID(types.UID(stored.GetName()))
		stored.SetGeneration(1)
		stored.SetCreationTimestamp(metav1.NewTime(w.Clock.Now()))
		return w.API.Create(ctx, stored)
	}
	object.SetGeneration(object.GetGeneration() + 1)
	stored.SetUID(object.GetUID())
	stored.SetGeneration(object.GetGeneration())
	stored.SetResourceVersion(object.GetResourceVersion())
	stored.SetCreationTimestamp(object.GetCreationTimestamp())
	stored.SetAnnotations(object.GetAnnotations())
	stored.SetFinalizers(object.GetFinalizers())
	return w.API.Update(ctx, stored)
}

// Ask asks for one full reconciliation with the next pass, as a user does.
func (w *World) Ask(ctx context.Context, kind, name string) error {
	object, err := w.Get(ctx, kind, name)
	if err != nil {
		return err
	}
	annotations := maps.Clone(object.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.ReconcileRequestedAtAnnotation] = strconv.FormatInt(w.Clock.Now().UnixNano(), 10)
	object.SetAnnotations(annotations)
	return w.API.Update(ctx, object)
}

// Get returns an object.
func (w *World) Get(ctx context.Context, kind, name string) (Object, error) {
	object := New(kind)
	return object, w.API.Get(ctx, types.NamespacedName{Namespace: Namespace, Name: name}, object)
}

// Pass makes one pass of an object and returns how long the loop would wait for the next.
func (w *World) Pass(ctx context.Context, kind, name string) (time.Duration, error) {
	result, err := w.loops[kind].Reconcile(ctx, ctrl.Request{NamespacedName: types.NamespacedName{Namespace: Namespace, Name: name}})
	return result.RequeueAfter, err
}

// maxPasses is more than any change needs: what takes more runs in circles.
const maxPasses = 200

// Until makes passes of an object, each when the loop asks for it, until the object is as it is waited for.
func (w *World) Until(ctx context.Context, kind, name string, done func(Object) error) (Object, error) {
	var why error
	for range maxPasses {
		after, err := w.Pass(ctx, kind, name)
		if err != nil {
			return nil, err
		}
		object, err := w.Get(ctx, kind, name)
		if err != nil {
			return nil, err
		}
		if why = done(object); why == nil {
			return object, nil
		}
		w.Clock.Advance(cmp.Or(after, time.Second))
	}
	return nil, fmt.Errorf("after %d passes: %w", maxPasses, why)
}

// Writes lists the calls that change something in the cloud, since the call log was reset.
func (w *World) Writes() []string {
	var writes []string
	for _, call := range w.Cloud.Calls() {
		// A login and an export are no changes.
		if call.Method != http.MethodGet && !strings.HasSuffix(call.Path, "/v4/token") && !strings.HasSuffix(call.Path, "/kie/download") {
			writes = append(writes, call.Method+" "+call.Path)
		}
	}
	return writes
}
