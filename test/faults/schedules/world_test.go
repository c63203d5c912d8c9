// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package schedules runs the loop with its kinds and the client in one process and in virtual time, against the simulated
// cloud and a fake API server, and lets everything fail at random. One thread does everything, in an order that the seed
// alone decides.
package schedules

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/controller/application"
	"servicestage.dev/operator/internal/controller/component"
	"servicestage.dev/operator/internal/controller/environment"
	"servicestage.dev/operator/internal/dependency"
	"servicestage.dev/operator/internal/reconciler"
)

const (
	namespace = "team"
	// resync is how often the loop looks at what is settled.
	resync = 10 * time.Minute
	// taskDuration is what a task of a cloud job takes, in virtual time.
	taskDuration = time.Second
)

// object is an object of any kind.
type object = reconciler.Object

// virtual is the time of everything: nothing waits in earnest.
type virtual struct {
	*cloudsim.ManualClock
	// still lets pauses within a call take no time, as if every object had a worker of its own.
	still *bool
}

// Since implements clock.PassiveClock.
func (v virtual) Since(t time.Time) time.Duration { return v.Now().Sub(t) }

// Sleep moves the time on, by whole seconds: jitter must not decide the order of anything.
func (v virtual) Sleep(_ context.Context, d time.Duration) error {
	if *v.still {
		return nil
	}
	v.Advance(d.Truncate(time.Second) + time.Second)
	return nil
}

// crash unwinds the one thread out of a pass, as kill -9 ends one.
type crash struct{}

// pending is a pass that is due.
type pending struct {
	kind string
	key  types.NamespacedName
	due  time.Time
	seq  int
}

// world is one loop per kind, one cloud, one API server.
type world struct {
	clock  virtual
	sim    *cloudsim.Server
	server *httptest.Server
	// api is the API server as users see it; what the loops see goes through faults.
	api   client.WithWatch
	kinds map[string]reconcile.Reconciler
	queue []pending
	seq   int
	// exact keeps the intervals that the loop asks for. Otherwise they are cut to 3, 6, 12 ... seconds: no interval of the
	// loop's with its jitter lies on both sides of one of these.
	exact bool
	// chance decides about faults; nil while all is quiet.
	chance *chance
	// outage is what the cloud answers to everything while it is set.
	outage *cloudsim.Fault
	// down is set while a crash is under way: nothing has an effect any more.
	down bool
	// wrote is set by every write to the API server.
	wrote bool
	past  map[client.ObjectKey]client.Object
	// passes made, and calls that reached the cloud, by second.
	passes          int
	calls           map[time.Time]int
	crashes, faults int
}

// chance is how often what goes wrong.
type chance struct {
	*rand.Rand
	cloud, api, stale, crash float64
}

func (c *chance) happens(p float64) bool { return c != nil && c.Float64() < p }

// newWorld returns a world with an account that is ready.
func newWorld(seed int64) (*world, error) {
	clock := virtual{ManualClock: cloudsim.NewManualClock(time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)), still: new(false)}
	w := &world{
		clock: clock, past: map[client.ObjectKey]client.Object{}, calls: map[time.Time]int{},
		sim: cloudsim.New(cloudsim.Options{Seed: seed, Clock: clock, ComponentTaskDuration: taskDuration}),
	}
	w.server = httptest.NewUnstartedServer(w)
	w.server.Config.SetKeepAlivesEnabled(false) // Go repeats some requests of kept connections by itself
	w.server.Start()
	scheme := runtime.NewScheme() // a small one: the fake client goes through all of it at every apply
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	w.api = fake.NewClientBuilder().WithScheme(scheme).
		WithStatusSubresource(&v1alpha1.Environment{}, &v1alpha1.Application{}, &v1alpha1.Component{}, &v1alpha1.CloudAccount{}).
		WithObjects(w.account()...).Build()
	return w, w.boot()
}

// close ends the world.
func (w *world) close() {
	w.server.Close()
	w.sim.Close()
}

func (w *world) account() []client.Object {
	url := v1alpha1.EndpointURL(w.server.URL)
	a := &v1alpha1.CloudAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default", UID: "account", Generation: 1}}
	a.Spec.Region, a.Spec.ProjectID = cloudsim.DefaultRegion, cloudsim.DefaultProjectID
	a.Spec.Endpoints = &v1alpha1.Endpoints{IAM: url, ServiceStage: url}
	a.Spec.RateLimit = &v1alpha1.RateLimit{RequestsPerSecond: 10000, Burst: 10000}
	a.Spec.Credentials.SecretRef.Name = "keys"
	a.Status.ObservedGeneration = 1
	a.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAvailable, ObservedGeneration: 1}}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "keys", UID: "keys"}, Data: map[string][]byte{
		"accessKey": []byte(cloudsim.DefaultAccessKey), "secretKey": []byte(cloudsim.DefaultSecretKey),
	}}
	return []client.Object{a, secret}
}

// boot starts the loops anew: what a process keeps in memory is gone.
func (w *world) boot() error {
	policy, err := endpoint.NewPolicy([]string{w.server.URL})
	if err != nil {
		return err
	}
	seen := interceptor.NewClient(w.api, w.interceptor())
	pool := account.NewPool(&account.Builder{
		Reader: w.api, Policy: policy, Metrics: cloudclient.NewMetrics(prometheus.NewRegistry()), Clock: w.clock,
	})
	a := &v1alpha1.CloudAccount{}
	if err := w.api.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: "default"}, a); err != nil {
		return err
	}
	_, version, err := pool.Rebuild(context.Background(), a)
	if err != nil {
		return err
	}
	pool.Accept(a, version)
	accounts := account.NewResolver(w.api, pool)
	environments, applications, components := environment.Definition(accounts, seen), application.Definition(accounts, seen, w.api), component.Definition(accounts, seen)
	graph := dependency.NewGraph(seen)
	for _, d := range []reconciler.Controller{environments, applications, components} {
		if err := d.Declare(graph); err != nil {
			return err
		}
	}
	if w.kinds == nil {
		if err := graph.Index(context.Background(), indexer{w.api}); err != nil {
			return err
		}
	}
	rt := reconciler.Runtime{
		Client: seen, Live: w.api, Graph: graph, Accounts: pool, Metrics: silent{}, Recorder: silent{}, Clock: w.clock, ResyncInterval: resync,
	}
	w.kinds = map[string]reconcile.Reconciler{
		"Environment": environments.Reconciler(rt), "Application": applications.Reconciler(rt), "Component": components.Reconciler(rt),
	}
	return nil
}

// indexer adds indexes to a fake client.
type indexer struct{ api client.Client }

func (i indexer) IndexField(_ context.Context, obj client.Object, field string, extract client.IndexerFunc) error {
	return fake.AddIndex(i.api, obj, field, extract)
}

// silent takes metrics and events, and keeps none.
type silent struct{}

func (silent) Reconciled(string, string)                          {}
func (silent) DriftRepaired(string, int)                          {}
func (silent) OperationEnded(string, string, bool, time.Duration) {}
func (silent) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {
}

// empty returns an object of a kind.
func empty(kind string) object {
	switch kind {
	case "Environment":
		return &v1alpha1.Environment{}
	case "Application":
		return &v1alpha1.Application{}
	default:
		return &v1alpha1.Component{}
	}
}

func kindOf(o client.Object) string {
	switch o.(type) {
	case *v1alpha1.Environment:
		return "Environment"
	case *v1alpha1.Application:
		return "Application"
	default:
		return "Component"
	}
}

// ServeHTTP is the network and the cloud behind it.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if w.down {
		panic(http.ErrAbortHandler)
	}
	w.calls[w.clock.Now()]++
	var faults []cloudsim.Fault
	switch {
	case w.outage != nil:
		faults = []cloudsim.Fault{*w.outage}
	case w.chance.happens(w.chance.rate().crash):
		w.down = true
		w.crashes++
		if w.chance.IntN(2) == 0 {
			panic(http.ErrAbortHandler)
		}
		faults = []cloudsim.Fault{{Action: cloudsim.FaultResetAfter, Count: 1}}
	case w.chance.happens(w.chance.rate().cloud):
		w.faults++
		faults = []cloudsim.Fault{w.chance.fault(r)}
	}
	if err := w.sim.SetFaults(faults); err != nil {
		panic(err)
	}
	w.sim.ServeHTTP(rw, r)
}

// rate returns the probabilities, none of them while all is quiet.
func (c *chance) rate() chance {
	if c == nil {
		return chance{}
	}
	return *c
}

// fault draws what the cloud does wrong.
func (c *chance) fault(r *http.Request) cloudsim.Fault {
	kinds := []cloudsim.Fault{
		{Action: cloudsim.FaultResetBefore}, {Action: cloudsim.FaultResetAfter},
		{Action: cloudsim.FaultStatus, Status: http.StatusServiceUnavailable}, {Action: cloudsim.FaultStatusAfter, Status: http.StatusGatewayTimeout},
		{Action: cloudsim.FaultStatusAfter, Status: http.StatusInternalServerError},
		{Action: cloudsim.FaultStatus, Status: http.StatusTooManyRequests, Body: []byte(`{"error_code":"APIGW.0308","error_msg":"The throttling threshold has been reached: policy user over ratelimit,limit:100,time:1 minute"}`)},
		{Action: cloudsim.FaultGarbage},
	}
	if r.Method == http.MethodGet { // lists that leave out what there is
		kinds = append(kinds, cloudsim.Fault{Action: cloudsim.FaultEmptyList}, cloudsim.Fault{Action: cloudsim.FaultTruncatedList, Keep: 1})
	}
	f := kinds[c.IntN(len(kinds))]
	f.Count = 1
	return f
}

// interceptor lets the loops' reads be old, and their writes fail before and after the effect.
func (w *world) interceptor() interceptor.Funcs {
	return interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			w.mayBeDown()
			if old, ok := w.past[pastKey(obj, key)]; ok && w.chance.happens(w.chance.rate().stale) {
				return w.api.Scheme().Convert(old, obj, nil)
			}
			return c.Get(ctx, key, obj, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			return w.write(ctx, obj, patch, func() error { return c.Patch(ctx, obj, patch, opts...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			return w.write(ctx, obj, patch, func() error { return c.SubResource(sub).Patch(ctx, obj, patch, opts...) })
		},
	}
}

func pastKey(obj client.Object, key client.ObjectKey) client.ObjectKey {
	return client.ObjectKey{Namespace: kindOf(obj) + "/" + key.Namespace, Name: key.Name}
}

// mayBeDown ends the pass where the process is gone.
func (w *world) mayBeDown() {
	if w.down {
		panic(crash{})
	}
}

// write carries out a write of a loop, or not, and tells, or not.
func (w *world) write(ctx context.Context, obj client.Object, patch client.Patch, do func() error) error {
	w.mayBeDown()
	rate := w.chance.rate()
	if w.chance.happens(rate.crash) {
		w.crashes++
		if w.chance.IntN(2) == 0 {
			w.down = true
			panic(crash{})
		}
		defer func() { w.down = true; panic(crash{}) }()
	}
	lost := false
	if w.chance.happens(rate.api) {
		w.faults++
		switch w.chance.IntN(3) {
		case 0:
			return apierrors.NewInternalError(errors.New("injected"))
		case 1:
			return apierrors.NewServerTimeout(v1alpha1.GroupVersion.WithResource("things").GroupResource(), "patch", 1)
		default:
			lost = true
		}
	}
	before := empty(kindOf(obj))
	if err := w.api.Get(ctx, client.ObjectKeyFromObject(obj), before); err == nil {
		w.past[pastKey(obj, client.ObjectKeyFromObject(obj))] = before
		if err := refuseOther(before, obj, patch); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	w.wrote = true
	if lost {
		return apierrors.NewInternalError(errors.New("injected after the effect"))
	}
	return nil
}

// refuseOther refuses a patch that names the uid of another object of the same name, as the API server does and the fake
// client does not.
func refuseOther(existing, obj client.Object, patch client.Patch) error {
	data, err := patch.Data(obj)
	if err != nil {
		return err
	}
	var named metav1.PartialObjectMetadata
	if err := json.Unmarshal(data, &named); err != nil {
		return err
	}
	if named.UID == "" || named.UID == existing.GetUID() {
		return nil
	}
	return apierrors.NewConflict(v1alpha1.GroupVersion.WithResource("things").GroupResource(), existing.GetName(),
		fmt.Errorf("precondition failed: UID in precondition: %s, UID in object meta: %s", named.UID, existing.GetUID()))
}

// wake makes a pass due now, unless one is.
func (w *world) wake(o client.Object) { w.push(kindOf(o), client.ObjectKeyFromObject(o), 0) }

func (w *world) push(kind string, key types.NamespacedName, after time.Duration) {
	due := w.clock.Now().Add(after)
	for i, p := range w.queue {
		if p.kind == kind && p.key == key {
			if due.Before(p.due) {
				w.queue[i].due = due
			}
			return
		}
	}
	w.seq++
	w.queue = append(w.queue, pending{kind: kind, key: key, due: due, seq: w.seq})
}

// until makes every pass that is due until a time, and moves the clock there.
func (w *world) until(end time.Time) error {
	for {
		slices.SortFunc(w.queue, func(a, b pending) int { return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.seq, b.seq)) })
		if len(w.queue) == 0 || w.queue[0].due.After(end) {
			w.clock.Advance(max(0, end.Sub(w.clock.Now())))
			return nil
		}
		next := w.queue[0]
		w.queue = w.queue[1:]
		w.clock.Advance(max(0, next.due.Sub(w.clock.Now())))
		if err := w.pass(next); err != nil {
			return err
		}
	}
}

// maxPasses is more than any schedule needs: who makes more runs in circles.
const maxPasses = 20000

// pass makes one pass, and starts the process anew where it crashed.
func (w *world) pass(p pending) (err error) {
	if w.passes++; w.passes > maxPasses {
		return fmt.Errorf("%d passes: the loop runs in circles around %s %s", w.passes, p.kind, p.key)
	}
	w.wrote = false
	defer func() {
		switch cause := recover(); cause.(type) {
		case nil:
			if w.down { // it died after its last call, before it could write what came of it
				err = w.restart()
			}
		case crash:
			err = w.restart()
		default:
			panic(cause)
		}
		if w.wrote {
			err = errors.Join(err, w.wakeOthers(p.kind))
		}
	}()
	result, err := w.kinds[p.kind].Reconcile(context.Background(), ctrl.Request{NamespacedName: p.key})
	switch {
	case err != nil:
		w.push(p.kind, p.key, time.Second)
	case result.RequeueAfter > 0:
		w.push(p.kind, p.key, w.interval(result.RequeueAfter))
	}
	return nil
}

// interval is how long the queue waits.
func (w *world) interval(asked time.Duration) time.Duration {
	if w.exact {
		return asked
	}
	seconds := max(1, uint64(asked/time.Second))
	if seconds >= 3 {
		seconds = 3 << (bits.Len64(seconds/3) - 1)
	}
	return time.Duration(seconds) * time.Second
}

// restart starts the process anew: its informers deliver every object.
func (w *world) restart() error {
	w.down = false
	w.queue = nil
	if err := w.boot(); err != nil {
		return err
	}
	return w.wakeOthers("")
}

// wakeOthers wakes the objects of every other kind, which is more than the watches on references do.
func (w *world) wakeOthers(kind string) error {
	objects, err := w.objects()
	for _, o := range objects {
		if kindOf(o) != kind {
			w.wake(o)
		}
	}
	return err
}

// objects lists what the API server holds.
func (w *world) objects() ([]object, error) {
	var environments v1alpha1.EnvironmentList
	var applications v1alpha1.ApplicationList
	var components v1alpha1.ComponentList
	err := errors.Join(w.api.List(context.Background(), &environments), w.api.List(context.Background(), &applications), w.api.List(context.Background(), &components))
	var all []object
	for i := range environments.Items {
		all = append(all, &environments.Items[i])
	}
	for i := range applications.Items {
		all = append(all, &applications.Items[i])
	}
	for i := range components.Items {
		all = append(all, &components.Items[i])
	}
	slices.SortFunc(all, func(a, b object) int { // the fake client lists in no order
		return cmp.Or(cmp.Compare(kindOf(a), kindOf(b)), cmp.Compare(a.GetName(), b.GetName()))
	})
	return all, err
}
