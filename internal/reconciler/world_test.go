// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/dependency"
	"servicestage.dev/operator/internal/external"
)

// thing is a cloud resource of the kind that these tests make up. Its objects are Environments, of which only the name,
// the description and the VPC matter; the VPC cannot be changed.
type thing struct {
	id, name, description, vpc string
	claim                      string
	createdAt                  time.Time
	health                     external.Health
}

// fakeCloud holds things. A function field that is set answers in place of it.
type fakeCloud struct {
	clock *clocktesting.FakePassiveClock
	// unmarkable clouds cannot put a claim on a thing.
	unmarkable bool
	things     []*thing
	// calls that were made, for example "create dev".
	calls []string

	bind   func(purpose external.Purpose) error
	get    func(id string) (*thing, error)
	find   func(claim external.Claim) ([]*thing, error)
	create func(claim external.Claim) (*thing, *external.Operation, error)
	update func(observed *thing, changes external.Changes) (*thing, *external.Operation, error)
	remove func(id string) (*external.Operation, error)
	// poll makes the things' handles Pollers.
	poll func(op external.Operation) (external.Progress, error)
	// polled is what a poll saw of the thing.
	polled func() *thing
}

func (c *fakeCloud) call(format string, args ...any) {
	c.calls = append(c.calls, fmt.Sprintf(format, args...))
}

// took returns the calls since it was last asked.
func (c *fakeCloud) took() []string {
	calls := c.calls
	c.calls = nil
	return calls
}

func (c *fakeCloud) lookup(id string) (*thing, error) {
	for _, t := range c.things {
		if t.id == id {
			return t, nil
		}
	}
	return nil, clouderr.New(clouderr.NotFound, "there is no thing %s", id)
}

// add puts a thing into the cloud, as a call that succeeds does.
func (c *fakeCloud) add(t thing) *thing {
	t.id = fmt.Sprintf("id-%d", len(c.things)+1)
	if t.createdAt.IsZero() {
		t.createdAt = c.clock.Now()
	}
	if c.unmarkable {
		t.claim = ""
	}
	c.things = append(c.things, &t)
	return &t
}

// fakeKind realises Environments as things.
type fakeKind struct{ cloud *fakeCloud }

func (k fakeKind) Bind(_ context.Context, obj *v1alpha1.Environment, purpose external.Purpose) (external.Resource[thing], error) {
	if k.cloud.bind != nil {
		if err := k.cloud.bind(purpose); err != nil {
			return nil, err
		}
	}
	r := &fakeResource{cloud: k.cloud, obj: obj}
	if k.cloud.poll != nil {
		return fakePoller{r}, nil
	}
	return r, nil
}

func (k fakeKind) Report(obj *v1alpha1.Environment, observed *thing) external.Health {
	obj.Status.Name = observed.name
	return observed.health
}

// fakeResource is a handle on a thing.
type fakeResource struct {
	cloud *fakeCloud
	obj   *v1alpha1.Environment
}

func (r *fakeResource) wanted() thing {
	w := thing{name: r.obj.CloudName(), vpc: r.obj.Spec.VPCID}
	if d := r.obj.Spec.Description; d != nil {
		w.description = *d
	}
	return w
}

func (r *fakeResource) Get(_ context.Context, id string) (*thing, error) {
	r.cloud.call("get %s", id)
	if r.cloud.get != nil {
		return r.cloud.get(id)
	}
	return r.cloud.lookup(id)
}

func (r *fakeResource) Find(_ context.Context, claim external.Claim) iter.Seq2[*thing, error] {
	r.cloud.call("find %s", r.obj.CloudName())
	found, err := r.cloud.things, error(nil)
	if r.cloud.find != nil {
		found, err = r.cloud.find(claim)
	}
	return func(yield func(*thing, error) bool) {
		if err != nil {
			yield(nil, err)
			return
		}
		for _, t := range found {
			ours := !claim.IsZero() && t.claim == claim.Token
			if (ours || t.name == r.obj.CloudName()) && !yield(t, nil) {
				return
			}
		}
	}
}

func (r *fakeResource) Identity(t *thing) external.Identity {
	return external.Identity{ID: t.id, Name: t.name, Claim: t.claim, ClaimKnown: !r.cloud.unmarkable, CreatedAt: t.createdAt}
}

func (r *fakeResource) Diff(t *thing) external.Changes {
	var c external.Changes
	w := r.wanted()
	if w.description != t.description {
		c.Paths = append(c.Paths, "spec.description")
	}
	if w.vpc != t.vpc {
		c.Immutable = append(c.Immutable, "spec.vpcID")
	}
	return c
}

func (r *fakeResource) Create(_ context.Context, claim external.Claim) (*thing, *external.Operation, error) {
	r.cloud.call("create %s", r.obj.CloudName())
	if r.cloud.create != nil {
		return r.cloud.create(claim)
	}
	for _, t := range r.cloud.things {
		if t.name == r.obj.CloudName() {
			return nil, nil, clouderr.New(clouderr.Exists, "the name is taken")
		}
	}
	w := r.wanted()
	w.claim = claim.Token
	return r.cloud.add(w), nil, nil
}

func (r *fakeResource) Update(_ context.Context, observed *thing, changes external.Changes, claim external.Claim) (*thing, *external.Operation, error) {
	what := slices.Clone(changes.Paths)
	if changes.Mark {
		what = append(what, "mark")
	}
	if changes.Unmark {
		what = append(what, "unmark")
	}
	r.cloud.call("update %s %s", observed.id, strings.Join(what, ","))
	if r.cloud.update != nil {
		return r.cloud.update(observed, changes)
	}
	t, err := r.cloud.lookup(observed.id)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case changes.Unmark:
		t.claim = ""
	case changes.Mark:
		t.claim = claim.Token
	}
	if changes.Has("spec.description") {
		t.description = r.wanted().description
	}
	return t, nil, nil
}

func (r *fakeResource) Delete(_ context.Context, id string) (*external.Operation, error) {
	r.cloud.call("delete %s", id)
	if r.cloud.remove != nil {
		return r.cloud.remove(id)
	}
	if _, err := r.cloud.lookup(id); err != nil {
		return nil, err
	}
	r.cloud.things = slices.DeleteFunc(r.cloud.things, func(t *thing) bool { return t.id == id })
	return nil, nil
}

// fakePoller is a handle on a thing whose operations are jobs.
type fakePoller struct{ *fakeResource }

func (r fakePoller) Poll(_ context.Context, op external.Operation) (external.Progress, error) {
	r.cloud.call("poll %s %s", op.ID, op.Verb)
	return r.cloud.poll(op)
}

func (r fakePoller) Polled() *thing {
	if r.cloud.polled == nil {
		return nil
	}
	return r.cloud.polled()
}

// recorder keeps events as "Type Reason message".
type recorder struct{ events []string }

func (r *recorder) Eventf(_, _ runtime.Object, eventType, reason, _, note string, args ...any) {
	r.events = append(r.events, eventType+" "+reason+" "+fmt.Sprintf(note, args...))
}

// took returns the events since it was last asked.
func (r *recorder) took() []string {
	events := r.events
	r.events = nil
	return events
}

// counters count what the loop reports.
type counters struct {
	classes  []string
	repaired int
	// operations that ended, for example "Create true 1m0s".
	operations []string
	refused    []string
}

func (c *counters) Reconciled(_, class string)    { c.classes = append(c.classes, class) }
func (c *counters) DriftRepaired(_ string, n int) { c.repaired += n }
func (c *counters) OperationEnded(_, verb string, succeeded bool, took time.Duration) {
	c.operations = append(c.operations, fmt.Sprintf("%s %t %s", verb, succeeded, took))
}
func (c *counters) ReportRefused(_ context.Context, namespace string, ref v1alpha1.AccountReference) {
	c.refused = append(c.refused, namespace+"/"+ref.Name)
}

// world is one loop with one object, on an API server and a cloud that are both fake.
type world struct {
	t        *testing.T
	api      client.WithWatch
	cloud    *fakeCloud
	clock    *clocktesting.FakePassiveClock
	recorder *recorder
	counters *counters
	loop     reconcile.Reconciler
	key      client.ObjectKey
	// writes to the API server since the last pass began, for example "patch", "patch status".
	writes []string
	// beforePatch is called before a patch of the object itself; an error fails the patch.
	beforePatch func() error
	// beforePublish is called before a write to a ConfigMap or Secret, for example with "create ConfigMap"; an error fails it.
	beforePublish func(write string) error
	// beforeStatus is called before a patch of the status; an error fails the patch.
	beforeStatus func() error
	// cached is what the loop reads in the object's place.
	cached *v1alpha1.Environment
}

// object is an Environment as the API server creates it, changed as the test needs it.
func object(changes ...func(*v1alpha1.Environment)) *v1alpha1.Environment {
	e := &v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "dev", UID: "uid-of-dev", Generation: 1},
		Spec: v1alpha1.EnvironmentSpec{
			ResourceSpec: v1alpha1.ResourceSpec{
				AccountRef:       v1alpha1.AccountReference{Kind: v1alpha1.AccountKindNamespaced, Name: "default"},
				ManagementPolicy: v1alpha1.ManagementPolicyManage, DeletionPolicy: v1alpha1.DeletionPolicyDelete,
			},
		},
	}
	e.Status.ObservedGeneration = -1
	for _, change := range changes {
		change(e)
	}
	return e
}

// newWorld returns a world in which nothing has happened yet.
func newWorld(t *testing.T, obj *v1alpha1.Environment, others ...client.Object) *world {
	t.Helper()
	return newWorldOf(t, func(*Definition[*v1alpha1.Environment, thing]) {}, obj, others...)
}

// newUnmarkedWorld is one whose things can carry no claim.
func newUnmarkedWorld(t *testing.T, obj *v1alpha1.Environment) *world {
	t.Helper()
	w := newWorldOf(t, func(d *Definition[*v1alpha1.Environment, thing]) { d.Unmarked = true }, obj)
	w.cloud.unmarkable = true
	return w
}

// newWorldOf returns a world with a kind that is changed as the test needs it.
func newWorldOf(t *testing.T, change func(*Definition[*v1alpha1.Environment, thing]), obj *v1alpha1.Environment, others ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	must(t, clientgoscheme.AddToScheme(scheme))
	must(t, v1alpha1.AddToScheme(scheme))
	api := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.Environment{}).
		WithObjects(append(others, obj)...).Build()
	clock := clocktesting.NewFakePassiveClock(now)
	w := &world{
		t: t, api: api, clock: clock, cloud: &fakeCloud{clock: clock}, recorder: &recorder{}, counters: &counters{},
		key: client.ObjectKeyFromObject(obj),
	}
	definition := Definition[*v1alpha1.Environment, thing]{
		Name: "environment",
		New:  func() *v1alpha1.Environment { return &v1alpha1.Environment{} },
		Kind: fakeKind{w.cloud},
	}
	change(&definition)
	graph := dependency.NewGraph(api)
	must(t, definition.Declare(graph))
	must(t, graph.Add(dependency.New("spec.configurations.environmentRef", &v1alpha1.Application{}, &v1alpha1.Environment{},
		func(a *v1alpha1.Application) (keys []client.ObjectKey) {
			for _, c := range a.Spec.Configurations {
				keys = append(keys, client.ObjectKey{Namespace: a.Namespace, Name: c.EnvironmentRef.Name})
			}
			return keys
		}, dependency.IDVersion[*v1alpha1.Environment]).Guarding()))
	must(t, graph.Index(t.Context(), indexer{api}))
	w.loop = definition.loop(Runtime{
		Client: interceptor.NewClient(api, w.intercept()), Live: api, Graph: graph, Accounts: w.counters, Metrics: w.counters,
		Recorder: w.recorder, Clock: w.clock, ResyncInterval: time.Hour, MaxConcurrentReconciles: 1,
	})
	return w
}

// indexer adds indexes to a fake client.
type indexer struct{ api client.Client }

func (i indexer) IndexField(_ context.Context, obj client.Object, field string, extract client.IndexerFunc) error {
	return fake.AddIndex(i.api, obj, field, extract)
}

// intercept notes every write, and fails on those that the loop must not make.
func (w *world) intercept() interceptor.Funcs {
	return interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			if into, ok := obj.(*v1alpha1.Environment); ok && w.cached != nil {
				w.cached.DeepCopyInto(into)
				return nil
			}
			return c.Get(ctx, key, obj, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			if published, err := w.publishes("patch", obj); published {
				if err != nil {
					return err
				}
				return c.Patch(ctx, obj, patch, opts...)
			}
			w.writes = append(w.writes, "patch")
			if w.beforePatch != nil {
				if err := w.beforePatch(); err != nil {
					return err
				}
			}
			return c.Patch(ctx, obj, patch, opts...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			w.writes = append(w.writes, "patch "+sub)
			if w.beforeStatus != nil {
				if err := w.beforeStatus(); err != nil {
					return err
				}
			}
			return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
		},
		Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error {
			return fmt.Errorf("the loop must not update, only patch")
		},
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			published, err := w.publishes("create", obj)
			if !published {
				return fmt.Errorf("the loop must create nothing but what it publishes")
			}
			if err != nil {
				return err
			}
			return c.Create(ctx, obj, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			published, err := w.publishes("delete", obj)
			if !published {
				return fmt.Errorf("the loop must delete nothing but what it publishes")
			}
			if err != nil {
				return err
			}
			return c.Delete(ctx, obj, opts...)
		},
	}
}

// publishes notes a write to what can be published in, and says whether it is one.
func (w *world) publishes(verb string, obj client.Object) (bool, error) {
	var kind string
	switch obj.(type) {
	case *corev1.ConfigMap:
		kind = KindConfigMap
	case *corev1.Secret:
		kind = KindSecret
	default:
		return false, nil
	}
	write := verb + " " + kind
	w.writes = append(w.writes, write+" "+obj.GetName())
	if w.beforePublish != nil {
		return true, w.beforePublish(write)
	}
	return true, nil
}

// try makes a pass.
func (w *world) try() (ctrl.Result, error) {
	w.writes = nil
	return w.loop.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: w.key})
}

// leave makes a pass over an object that is not the loop's, and returns how long the next one can wait.
func (w *world) leave() time.Duration {
	w.t.Helper()
	result, err := w.try()
	must(w.t, err)
	return result.RequeueAfter
}

// pass makes a pass that must succeed, checks what holds after every pass, and returns how long the next one can wait.
func (w *world) pass() time.Duration {
	w.t.Helper()
	before := w.exists()
	result, err := w.try()
	if err != nil {
		w.t.Fatalf("Reconcile: %v", err)
	}
	if result.Priority == nil || *result.Priority > retried {
		w.t.Errorf("the next pass keeps its priority: what users do would starve behind it")
	}
	after := w.exists()
	if after == nil {
		return result.RequeueAfter
	}
	if diff := cmp.Diff(before.Spec, after.Spec); diff != "" {
		w.t.Errorf("the pass wrote the spec (-before +after):\n%s", diff)
	}
	if after.Status.ObservedGeneration == -1 && after.Status.Conditions == nil {
		return result.RequeueAfter
	}
	if err := conditions.Check(conditions.Observed{
		Generation: after.Generation, ObservedGeneration: after.Status.ObservedGeneration, Conditions: after.Status.Conditions,
		Required: []string{v1alpha1.ConditionSynced},
	}); err != nil {
		w.t.Errorf("the status is not what tools expect: %v", err)
	}
	if len(after.Status.Drift) > maxDrift {
		w.t.Errorf("the status lists %d paths", len(after.Status.Drift))
	}
	return result.RequeueAfter
}

// exists returns the object, or nil once the API server holds it no longer.
func (w *world) exists() *v1alpha1.Environment {
	w.t.Helper()
	e := &v1alpha1.Environment{}
	if err := w.api.Get(w.t.Context(), w.key, e); client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	} else if err != nil {
		return nil
	}
	return e
}

// object returns the object, which must exist.
func (w *world) object() *v1alpha1.Environment {
	w.t.Helper()
	e := w.exists()
	if e == nil {
		w.t.Fatal("the object is gone")
	}
	return e
}

// edit changes the object as a user does; where the spec changes, so does the generation.
func (w *world) edit(change func(*v1alpha1.Environment)) {
	w.t.Helper()
	e := w.object()
	before := e.DeepCopy()
	change(e)
	if !cmp.Equal(before.Spec, e.Spec) {
		e.Generation++
	}
	must(w.t, w.api.Update(w.t.Context(), e))
}

// annotate sets an annotation as a user does; "" removes it.
func (w *world) annotate(key, value string) {
	w.t.Helper()
	w.edit(func(e *v1alpha1.Environment) {
		if value == "" {
			delete(e.Annotations, key)
			return
		}
		metav1.SetMetaDataAnnotation(&e.ObjectMeta, key, value)
	})
}

// delete deletes the object as a user does.
func (w *world) delete() {
	w.t.Helper()
	must(w.t, w.api.Delete(w.t.Context(), w.object()))
}

// says checks conditions, each given as "Type=Status/Reason", or "Type=" for one that must not be there.
func (w *world) says(want ...string) {
	w.t.Helper()
	e := w.object()
	for _, expected := range want {
		conditionType, _, _ := strings.Cut(expected, "=")
		got := conditionType + "="
		if c := meta.FindStatusCondition(e.Status.Conditions, conditionType); c != nil {
			got += string(c.Status) + "/" + c.Reason
		}
		if got != expected {
			w.t.Errorf("condition %s, want %s: %s", got, expected, w.message(conditionType))
		}
	}
}

// message returns a condition's message.
func (w *world) message(conditionType string) string {
	w.t.Helper()
	if c := meta.FindStatusCondition(w.object().Status.Conditions, conditionType); c != nil {
		return c.Message
	}
	return ""
}

// called checks the calls to the cloud since it was last asked.
func (w *world) called(want ...string) {
	w.t.Helper()
	equal(w.t, "calls", w.cloud.took(), want)
}

// wrote checks the writes of the last pass.
func (w *world) wrote(want ...string) {
	w.t.Helper()
	equal(w.t, "writes", w.writes, want)
}

// told checks the beginnings of the events since it was last asked.
func (w *world) told(want ...string) {
	w.t.Helper()
	got := w.recorder.took()
	if len(got) != len(want) {
		w.t.Errorf("events are %q, want %q", got, want)
		return
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			w.t.Errorf("event %d is %q, want %q", i, got[i], want[i])
		}
	}
}

// contains checks that a text holds every one of the parts.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not hold %q", text, part)
		}
	}
}

// within checks that a wait is one of the backoff or the resync interval with its spread.
func within(t *testing.T, got, least, most time.Duration) {
	t.Helper()
	if got < least || got > most {
		t.Errorf("the next pass is due in %s, want between %s and %s", got, least, most)
	}
}

// resynced checks that a wait is the resync interval.
func resynced(t *testing.T, got time.Duration) {
	t.Helper()
	within(t, got, 54*time.Minute, 66*time.Minute)
}

// triedAgain checks that an object for which someone must act is looked at again within the interval for people.
func triedAgain(t *testing.T, got time.Duration) {
	t.Helper()
	within(t, got, humanInterval, humanInterval)
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
