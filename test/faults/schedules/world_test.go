// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package schedules runs the loop with its kinds and the client in one process and in virtual time, against the simulated
// cloud and a fake API server, and lets everything fail at random. One thread does everything, in an order that the seed
// alone decides; while it waits, the configuration items of engines are listed.
package schedules

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/bits"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/controller/kieconfig"
	"servicestage.dev/operator/internal/inventory"
	"servicestage.dev/operator/test/inprocess"
)

const (
	namespace = inprocess.Namespace
	// resync is how often the loop looks at what is settled.
	resync = inprocess.Resync
	// taskDuration is what a task of a cloud job takes, in virtual time.
	taskDuration = time.Second
)

// object is an object of any kind.
type object = inprocess.Object

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

// timers lets pollers wait in virtual time. When one falls due, the time stands still until all of them rest again.
type timers struct {
	clock.Clock
	virtual virtual
	quiet   func()
}

func (t timers) Now() time.Time                   { return t.virtual.Now() }
func (t timers) Since(at time.Time) time.Duration { return t.virtual.Since(at) }

// NewTimer implements clock.Clock.
func (t timers) NewTimer(d time.Duration) clock.Timer {
	due := make(chan time.Time, 1)
	return timer{Timer: t.virtual.AfterFunc(d, func() {
		due <- t.virtual.Now()
		t.virtual.AfterFunc(0, t.quiet) // once the timers of other pollers that are due now have told them
	}), due: due}
}

// ahead is the time of the calls to engines. The one thread waits for them, and moves the time alone: a pause within a call
// takes no time of anybody else's, and whoever makes such calls has it behind him.
type ahead struct {
	virtual
	mu    sync.Mutex
	until time.Time
}

func (a *ahead) Now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.virtual.Now(); now.After(a.until) {
		return now
	}
	return a.until
}

func (a *ahead) Sleep(ctx context.Context, d time.Duration) error {
	until := a.Now().Add(d)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.until = until
	return ctx.Err()
}

type timer struct {
	cloudsim.Timer
	due chan time.Time
}

func (t timer) C() <-chan time.Time { return t.due }

// Reset implements clock.Timer: a poller takes a new timer each time.
func (timer) Reset(time.Duration) bool { panic("no timer is used twice") }

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
	seed   int64
	// api is the API server as users see it; what the loops see goes through faults.
	api   *inprocess.API
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
	down atomic.Bool
	// items are the lists of configuration items; end ends the process that makes them.
	items *kieconfig.Inventory
	end   func()
	// network is held by the one request that is under way.
	network sync.Mutex
	// asked counts the requests to engines that are the same.
	asked map[uint64]int
	woken struct {
		sync.Mutex
		wakes []pending
	}
	// wrote is set by every write to the API server.
	wrote bool
	past  map[client.ObjectKey]client.Object
	// passes made, and calls that reached the cloud, by second.
	passes          int
	calls           map[time.Time]int
	crashes, faults atomic.Int64
}

// draws is a source of chance that the thread and the network share. They take turns, so the seed decides who draws what.
type draws struct {
	mu sync.Mutex
	*rand.PCG
}

func (d *draws) Uint64() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.PCG.Uint64()
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
		seed: seed, clock: clock, asked: map[uint64]int{}, end: func() {}, past: map[client.ObjectKey]client.Object{}, calls: map[time.Time]int{},
	}
	w.sim = cloudsim.New(cloudsim.Options{
		Seed: seed, Clock: clock, ComponentTaskDuration: taskDuration, EngineTaskDuration: taskDuration, EngineFront: w.engineFront,
		Quirks: cloudsim.Quirks{NoKieWait: true}, // a long poll would be under way at all times
	})
	w.server = httptest.NewUnstartedServer(w)
	w.server.Config.SetKeepAlivesEnabled(false) // Go repeats some requests of kept connections by itself
	w.server.Start()
	root := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "root", UID: "root"}, Data: map[string][]byte{"password": []byte("Schedules-root-1")}}
	var err error
	if w.api, err = inprocess.NewAPI(w.server.URL, root); err != nil {
		return nil, err
	}
	return w, w.boot()
}

// close ends the world.
func (w *world) close() {
	w.end()
	w.server.Close()
	w.sim.Close()
}

// boot starts the loops anew: what a process keeps in memory is gone.
func (w *world) boot() (err error) {
	w.end()
	seen := interceptor.NewClient(w.api, w.interceptor())
	w.items = w.inventory(seen)
	w.kinds, err = inprocess.Process{
		API: w.api, Seen: seen, Cloud: w.server.URL, Clock: w.clock, Items: w.items, Engines: &ahead{virtual: w.clock}, ParallelWrites: 1,
	}.Loops(context.Background())
	return err
}

// inventory returns one whose pollers run until the process ends.
func (w *world) inventory(seen client.Client) *kieconfig.Inventory {
	var items *kieconfig.Inventory
	items = kieconfig.NewInventory(seen, inventory.Options{
		Clock: timers{virtual: w.clock, quiet: func() { items.Quiet() }}, Spread: func(d time.Duration) time.Duration { return d }, InStep: true,
	})
	items.WakeBy(func(key types.NamespacedName, after time.Duration) {
		w.woken.Lock()
		defer w.woken.Unlock()
		w.woken.wakes = append(w.woken.wakes, pending{key: key, due: w.clock.Now().Add(after)})
	})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = items.Start(ctx) }) // it ends with ctx and returns nothing else
	w.end = func() { stop(); running.Wait() }
	return items
}

// rest waits until no list is under way, and queues what lists have woken.
func (w *world) rest() {
	w.items.Quiet()
	w.woken.Lock()
	defer w.woken.Unlock()
	slices.SortFunc(w.woken.wakes, func(a, b pending) int { return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.key.Name, b.key.Name)) })
	for _, wake := range w.woken.wakes {
		w.push("KieConfig", wake.key, max(0, wake.due.Sub(w.clock.Now())))
	}
	w.woken.wakes = nil
}

func kindOf(o client.Object) string {
	switch o.(type) {
	case *v1alpha1.Environment:
		return "Environment"
	case *v1alpha1.Application:
		return "Application"
	case *v1alpha1.MicroserviceEngine:
		return "MicroserviceEngine"
	case *v1alpha1.KieConfig:
		return "KieConfig"
	default:
		return "Component"
	}
}

// ServeHTTP is the network and the cloud behind it.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) { w.carry(rw, r, w.chance, w.sim) }

// engineFront is the network before an engine. Requests to engines may come at once, in any order: what becomes of one is
// drawn by the seed and what it says.
func (w *world) engineFront(engineID string, engine http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		rw.Header().Set("Connection", "close") // Go repeats some requests of kept connections by itself
		said := fnv.New64a()
		_, _ = fmt.Fprintln(said, engineID, r.Method, r.URL, string(body)) // a hash.Hash never returns an error
		w.network.Lock()
		w.asked[said.Sum64()]++
		again := w.asked[said.Sum64()]
		w.network.Unlock()
		var drawn *chance
		if w.chance != nil {
			drawn = new(*w.chance)
			drawn.Rand = rand.New(rand.NewPCG(uint64(w.seed)<<20+uint64(again), said.Sum64()))
		}
		w.carry(rw, r, drawn, engine)
	})
}

// carry brings one request to its server at a time, or not, and the answer back, or not.
func (w *world) carry(rw http.ResponseWriter, r *http.Request, chance *chance, to http.Handler) {
	w.network.Lock()
	defer w.network.Unlock()
	if w.down.Load() {
		panic(http.ErrAbortHandler)
	}
	w.calls[w.clock.Now()]++
	var faults []cloudsim.Fault
	switch {
	case w.outage != nil:
		faults = []cloudsim.Fault{*w.outage}
	case chance.happens(chance.rate().crash):
		w.down.Store(true)
		w.crashes.Add(1)
		if chance.IntN(2) == 0 {
			panic(http.ErrAbortHandler)
		}
		faults = []cloudsim.Fault{{Action: cloudsim.FaultResetAfter, Count: 1}}
	case chance.happens(chance.rate().cloud):
		w.faults.Add(1)
		faults = []cloudsim.Fault{chance.fault(r)}
	}
	if err := w.sim.SetFaults(faults); err != nil {
		panic(err)
	}
	to.ServeHTTP(rw, r)
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
	if w.down.Load() {
		panic(crash{})
	}
}

// write carries out a write of a loop, or not, and tells, or not.
func (w *world) write(ctx context.Context, obj client.Object, patch client.Patch, do func() error) error {
	w.mayBeDown()
	rate := w.chance.rate()
	if w.chance.happens(rate.crash) {
		w.crashes.Add(1)
		if w.chance.IntN(2) == 0 {
			w.down.Store(true)
			panic(crash{})
		}
		defer func() { w.down.Store(true); panic(crash{}) }()
	}
	lost := false
	if w.chance.happens(rate.api) {
		w.faults.Add(1)
		switch w.chance.IntN(3) {
		case 0:
			return apierrors.NewInternalError(errors.New("injected"))
		case 1:
			return apierrors.NewServerTimeout(v1alpha1.GroupVersion.WithResource("things").GroupResource(), "patch", 1)
		default:
			lost = true
		}
	}
	before := inprocess.New(kindOf(obj))
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

// refuseOther refuses a patch that names another uid or version than the object has, as the API server does and the fake
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
	conflict := func(what, named, is string) error {
		return apierrors.NewConflict(v1alpha1.GroupVersion.WithResource("things").GroupResource(), existing.GetName(),
			fmt.Errorf("precondition failed: %s in precondition: %s, in object meta: %s", what, named, is))
	}
	switch {
	case named.UID != "" && named.UID != existing.GetUID():
		return conflict("UID", string(named.UID), string(existing.GetUID()))
	case named.ResourceVersion != "" && named.ResourceVersion != existing.GetResourceVersion():
		return conflict("resourceVersion", named.ResourceVersion, existing.GetResourceVersion())
	}
	return nil
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
		w.rest()
		if w.down.Load() { // a list met its end
			if err := w.restart(); err != nil {
				return err
			}
		}
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
			if w.down.Load() { // it died after its last call, before it could write what came of it
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
	w.end()
	w.down.Store(false)
	w.queue, w.woken.wakes = nil, nil
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
	var engines v1alpha1.MicroserviceEngineList
	var configs v1alpha1.KieConfigList
	var err error
	for _, list := range []client.ObjectList{&environments, &applications, &components, &engines, &configs} {
		err = errors.Join(err, w.api.List(context.Background(), list))
	}
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
	for i := range engines.Items {
		all = append(all, &engines.Items[i])
	}
	for i := range configs.Items {
		all = append(all, &configs.Items[i])
	}
	slices.SortFunc(all, func(a, b object) int { // the fake client lists in no order
		return cmp.Or(cmp.Compare(kindOf(a), kindOf(b)), cmp.Compare(a.GetName(), b.GetName()))
	})
	return all, err
}
