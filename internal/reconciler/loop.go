// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/external"
)

// loop reconciles objects of type O, whose cloud resources are observed as R.
type loop[O Object, R any] struct {
	Definition[O, R]
	Runtime
	// noun is how messages call the cloud resource, for example "environment".
	noun     string
	backoffs *backoffs
}

// pass is one look at one object.
type pass[O Object, R any] struct {
	*loop[O, R]
	obj      O
	resource external.Resource[R]
	claim    external.Claim
	// minted is set where this pass minted the claim, confirmed where the object is known to be as it was read.
	minted, confirmed bool
	// before is the object as the API server holds it.
	before O
	// inputs is the version of what the object refers to.
	inputs string
	// minds is set where the kind's inventory was asked, and is to be told how the pass ended.
	minds bool
	// early is set where the pass came before the resync interval was over, because something moved in the cloud.
	early bool
	// observed is what the cloud holds, once that is known.
	observed *R
	// candidate is what the last search decided on, as a list shows it.
	candidate *R
	// events gathered on the way.
	events []occurrence
}

// Reconcile makes one pass and carries out what it came to. Errors are those of the API server alone.
func (l *loop[O, R]) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	obj := l.New()
	if err := l.Client.Get(ctx, req.NamespacedName, obj); err != nil {
		l.backoffs.reset(req.NamespacedName)
		if apierrors.IsNotFound(err) {
			l.forget(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !l.Serves(obj) { // it may have been before its labels changed
		l.backoffs.reset(req.NamespacedName)
		l.forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	before, ok := obj.DeepCopyObject().(O)
	if !ok {
		return ctrl.Result{}, fmt.Errorf("a copy of %T is no %T", obj, obj)
	}
	p := &pass[O, R]{loop: l, obj: obj, before: before}
	o, err := p.run(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	o, unpublished := p.publish(ctx, o)
	o.events = append(p.events, o.events...)
	result, err := l.settle(ctx, p, o)
	if err == nil {
		err = unpublished // after status: what the cloud did must be written down first
	}
	if err == nil && p.minds {
		err = l.Inventory.Watch(ctx, p.obj, p.observed != nil)
	}
	return result, err
}

// forget tells the kind's inventory that an object is gone.
func (l *loop[O, R]) forget(key types.NamespacedName) {
	if l.Inventory != nil {
		l.Inventory.Forget(key)
	}
}

// run decides what the object needs, and does it.
func (p *pass[O, R]) run(ctx context.Context) (outcome, error) {
	if o, rests, err := p.rest(ctx); rests || err != nil {
		return o, err
	}
	if p.Keeps {
		current, err := p.renew(ctx)
		if apierrors.IsNotFound(err) {
			return outcome{class: "Deleted", untouched: true}, nil
		}
		if err != nil {
			return outcome{}, fmt.Errorf("read the object: %w", err)
		}
		if !current {
			if o, rests, err := p.rest(ctx); rests || err != nil {
				return o, err
			}
		}
	}
	if !p.obj.GetDeletionTimestamp().IsZero() {
		return p.remove(ctx)
	}
	return p.act(ctx)
}

// rest says whether there is nothing to do for now, and what the pass comes to then.
func (p *pass[O, R]) rest(ctx context.Context) (outcome, bool, error) {
	if !p.obj.GetDeletionTimestamp().IsZero() {
		return outcome{}, false, nil
	}
	if p.paused() {
		return isPaused(), true, nil
	}
	p.minds = p.Inventory != nil
	moved := p.minds && p.Inventory.Moved(client.ObjectKeyFromObject(p.obj))
	var err error
	if p.inputs, err = p.inputsOf(ctx); err != nil {
		return outcome{}, false, err
	}
	due := freshFor(p.obj, p.inputs, p.ResyncInterval, p.Clock.Now())
	p.early = due > 0 && moved
	return isFresh(due), due > 0 && !moved, nil
}

// renew reads the object past the cache, and says whether the cache held it as it is. By an old record what was written
// since would be left behind, or be taken for someone else's.
func (p *pass[O, R]) renew(ctx context.Context) (bool, error) {
	obj, current, err := p.live(ctx)
	if err != nil {
		return false, err
	}
	p.confirmed = true
	if current {
		return true, nil
	}
	before, ok := obj.DeepCopyObject().(O)
	if !ok {
		return false, fmt.Errorf("a copy of %T is no %T", obj, obj)
	}
	p.obj, p.before = obj, before
	return false, nil
}

// live reads the object past the cache, and says whether it is as this pass read it.
func (p *pass[O, R]) live(ctx context.Context) (O, bool, error) {
	obj := p.New()
	err := p.Live.Get(ctx, client.ObjectKeyFromObject(p.obj), obj)
	return obj, obj.GetUID() == p.obj.GetUID() && obj.GetResourceVersion() == p.obj.GetResourceVersion(), err
}

// act brings the cloud and the spec together, or goes on with what the cloud is at.
func (p *pass[O, R]) act(ctx context.Context) (outcome, error) {
	var err error
	if p.claim, err = external.ParseClaim(p.obj.GetAnnotations()[v1alpha1.ClaimAnnotation]); err != nil {
		return stuck("Invalid", v1alpha1.ReasonRejected, fmt.Sprintf("metadata.annotations[%s]: %v", v1alpha1.ClaimAnnotation, err), p.resync()), nil
	}
	p.claim.Owner = p.owner()
	if err := p.bind(ctx); err != nil {
		doing := "resolve what the spec refers to"
		if clouderr.Is(err, clouderr.Invalid) {
			doing = "carry out the spec"
		}
		return p.failed(doing, "", err), nil
	}
	if op := p.status().Operation; op != nil {
		return p.poll(ctx, *op)
	}
	return p.sync(ctx)
}

// maxBinds is how often a pass resolves references that change meanwhile.
const maxBinds = 3

// bind resolves what the spec refers to, anew where it changed meanwhile: the inputs that are written down must be those
// that were used, or the object would be looked at once more for nothing.
func (p *pass[O, R]) bind(ctx context.Context) error {
	for range maxBinds {
		resource, err := p.Kind.Bind(ctx, p.obj, purposeOf(p.obj))
		if err != nil {
			return err
		}
		p.resource = resource
		p.keepRecord()
		inputs, err := p.inputsOf(ctx)
		if err != nil || inputs == p.inputs {
			return err
		}
		p.inputs = inputs
	}
	p.inputs = "" // they never came to rest: look again
	return nil
}

// keepRecord gives a resource that keeps a record the means to write it down before the pass ends.
func (p *pass[O, R]) keepRecord() {
	keeper, ok := p.resource.(external.Keeper[O])
	if !ok {
		return
	}
	keeper.Keep(func(ctx context.Context) error {
		keeper.Record(p.obj)
		return p.writeAhead(ctx)
	})
}

// writeAhead writes the status down as it is, before a call whose effect would be lost with the process otherwise. It fails
// where the object is not the one that this pass read, so that nothing is made for one that is gone or about to go.
func (p *pass[O, R]) writeAhead(ctx context.Context) error {
	if err := applyStatus(ctx, p.Client, p.before, p.obj, p.obj.GetResourceVersion()); err != nil {
		return err
	}
	written, ok := p.obj.DeepCopyObject().(O)
	if !ok {
		return fmt.Errorf("a copy of %T is no %T", p.obj, p.obj)
	}
	p.before, p.confirmed = written, true
	return nil
}

// inputsOf identifies what, beside the spec, the object must be looked at for again.
func (p *pass[O, R]) inputsOf(ctx context.Context) (string, error) {
	inputs, err := p.Graph.Inputs(ctx, p.obj)
	for _, key := range p.Annotations {
		if value := p.obj.GetAnnotations()[key]; value != "" {
			inputs += "/" + value
		}
	}
	return inputs, err
}

// sync brings the cloud and the spec together, by changing the one or reporting on the other.
func (p *pass[O, R]) sync(ctx context.Context) (outcome, error) {
	o, found, err := p.locate(ctx)
	if err != nil || !found {
		return o, err
	}
	return p.converge(ctx), nil
}

// locate observes the object's cloud resource, looking for it, adopting it or creating it where its id is not known. It
// returns false with an outcome where the pass ends there.
func (p *pass[O, R]) locate(ctx context.Context) (outcome, bool, error) {
	if id := p.status().ID; id != "" {
		observed, err := p.resource.Get(ctx, id)
		switch {
		case err == nil:
			return p.keep(ctx, observed)
		case !clouderr.Is(err, clouderr.NotFound):
			return p.failedLook(err), false, nil
		case p.observing():
			p.status().ID = ""
			return missing(fmt.Sprintf("The %s %s is gone from the cloud.", p.noun, id), false, p.resync()), false, nil
		}
		p.note(corev1.EventTypeWarning, "Gone", "Recreate", fmt.Sprintf("The %s %s was deleted in the cloud; creating it again.", p.noun, id))
		if err := p.stateGone(ctx); err != nil {
			return outcome{}, false, err
		}
		return p.find(ctx)
	}
	if imp := p.spec().Import; imp != nil && imp.ID != "" {
		return p.adoptByID(ctx, imp.ID)
	}
	if !p.claim.IsZero() || p.adopting() || p.observing() {
		return p.find(ctx)
	}
	return p.create(ctx)
}

// stateGone writes down that the resource is gone and that another is to be made. Were the old id kept until the new one is
// known, a deletion after a crash would find nothing by it and leave the new resource behind; were the object called ready
// still, nobody would look at it after a crash.
func (p *pass[O, R]) stateGone(ctx context.Context) error {
	p.status().ID = ""
	handled := p.status().LastHandledReconcileAt
	state(p.obj, progressing(v1alpha1.OperationCreate, fmt.Sprintf("The %s was deleted in the cloud; creating it again.", p.noun)), p.inputs, metav1.Time{})
	p.status().LastHandledReconcileAt = handled // the request is not met yet
	return p.writeAhead(ctx)
}

// keep goes on with the cloud resource whose id is known. An object that lost its claim or its finalizer, as one does
// that was replaced as a whole, gets them back.
func (p *pass[O, R]) keep(ctx context.Context, observed *R) (outcome, bool, error) {
	p.observed = observed
	if p.observing() {
		return outcome{}, true, nil
	}
	if identity := p.resource.Identity(observed); identity.ClaimedByOther(p.claim) {
		if !p.claim.IsZero() {
			return p.foreign(identity), false, nil
		}
		p.claim = external.Claim{Token: identity.Claim, MintedAt: p.Clock.Now(), Owner: p.owner()}
	}
	return outcome{}, true, p.mint(ctx)
}

// adoptByID takes the cloud resource that the spec names.
func (p *pass[O, R]) adoptByID(ctx context.Context, id string) (outcome, bool, error) {
	observed, err := p.resource.Get(ctx, id)
	if clouderr.Is(err, clouderr.NotFound) && !p.claim.IsZero() && !p.observing() {
		return p.find(ctx) // it was adopted once, and is gone since
	}
	if clouderr.Is(err, clouderr.NotFound) {
		return missing(fmt.Sprintf("spec.import.id: there is no %s %s; correct the id, or remove spec.import to create one.", p.noun, id), true, p.resync()), false, nil
	}
	if err != nil {
		return p.failed(fmt.Sprintf("look at the %s %s", p.noun, id), "", err), false, nil
	}
	identity := p.resource.Identity(observed)
	if identity.ClaimedByOther(p.claim) && !p.observing() {
		return p.foreign(identity), false, nil
	}
	return p.take(ctx, observed, identity, true)
}

// find looks for the object's cloud resource by its claim and its natural key, and creates it where there is none.
func (p *pass[O, R]) find(ctx context.Context) (outcome, bool, error) {
	decision, identity, err := p.search(ctx)
	if err != nil {
		return p.failed(fmt.Sprintf("look for the %s", p.noun), v1alpha1.OperationCreate, err), false, nil
	}
	switch decision {
	case external.MatchOurs, external.MatchAdopt:
		return p.take(ctx, nil, identity, decision == external.MatchAdopt)
	case external.MatchForeign:
		if p.observing() {
			return p.take(ctx, nil, identity, false)
		}
		return p.foreign(identity), false, nil
	case external.MatchAmbiguous:
		return p.ambiguous(), false, nil
	case external.MatchNone:
	}
	if p.observing() {
		return missing(fmt.Sprintf("There is no such %s in the cloud; managementPolicy is Observe, so none is created.", p.noun), false, p.resync()), false, nil
	}
	if p.adopting() && p.claim.IsZero() {
		return missing(fmt.Sprintf("spec.import.byName: there is no such %s in the cloud; remove spec.import to create one.", p.noun), true, p.resync()), false, nil
	}
	return p.create(ctx)
}

// search asks the cloud for candidates and decides which one is the object's own.
func (p *pass[O, R]) search(ctx context.Context) (external.Match, external.Identity, error) {
	var candidates []external.Identity
	found := map[string]*R{}
	for observed, err := range p.resource.Find(ctx, p.claim) {
		if err != nil {
			return external.MatchNone, external.Identity{}, err
		}
		identity := p.resource.Identity(observed)
		candidates = append(candidates, identity)
		found[identity.ID] = observed
	}
	decision, identity := external.MatchOf(candidates, p.claim, p.adopting() || p.observing())
	p.candidate = found[identity.ID]
	return decision, identity, nil
}

// take makes a cloud resource the object's own. Candidates that Find yields may come from a list, which lacks details:
// without an observation it looks again.
func (p *pass[O, R]) take(ctx context.Context, observed *R, identity external.Identity, adopted bool) (outcome, bool, error) {
	if !p.observing() {
		if err := p.mint(ctx); err != nil {
			return outcome{}, false, err
		}
	}
	if adopted && !p.observing() {
		p.note(corev1.EventTypeNormal, "Adopted", "Adopt", fmt.Sprintf("Adopted the %s %s.", p.noun, identity.ID))
	}
	p.status().ID = identity.ID
	if observed == nil {
		p.recordPart(p.candidate) // where it is, should the look fail and the object be deleted before the next one
		var err error
		if observed, err = p.resource.Get(ctx, identity.ID); err != nil {
			return p.failedLook(err), false, nil
		}
	}
	p.observed = observed
	return outcome{}, true, nil
}

// foreign is the outcome where what is there is someone else's.
func (p *pass[O, R]) foreign(identity external.Identity) outcome {
	whose := "set spec.import.id to that id (or spec.import.byName: true) to adopt it, or choose another spec.name"
	if identity.Claim != "" {
		whose = fmt.Sprintf("%s claims it (label %s=%s); choose another spec.name, or delete that object with deletionPolicy: Orphan and remove the label first", identity.Claimant(), external.LabelKey, identity.Claim)
	}
	message := fmt.Sprintf("The cloud already holds the %s %q (id %s), which this object did not create: %s.", p.noun, identity.Name, identity.ID, whose)
	return stuck(string(clouderr.Exists), v1alpha1.ReasonAlreadyExists, message, p.resync())
}

// ambiguous is the outcome where several cloud resources fit.
func (p *pass[O, R]) ambiguous() outcome {
	message := fmt.Sprintf("Several %ss in the cloud fit this object; set spec.import.id to the one that is meant.", p.noun)
	return stuck("Ambiguous", v1alpha1.ReasonAmbiguous, message, p.resync())
}

// create makes the cloud resource. The claim is written first: whatever happens after the call, the resource is found
// again by it.
func (p *pass[O, R]) create(ctx context.Context) (outcome, bool, error) {
	if prober, ok := p.resource.(external.Prober); ok && p.claim.IsZero() {
		if err := prober.Probe(ctx); err != nil {
			return p.failed(fmt.Sprintf("create the %s", p.noun), v1alpha1.OperationCreate, err), false, nil
		}
	}
	if err := p.mint(ctx); err != nil {
		return outcome{}, false, err
	}
	if err := p.confirm(ctx); err != nil {
		return outcome{}, false, err
	}
	log.FromContext(ctx).Info("Creating in the cloud", "resource", p.noun)
	observed, op, err := p.resource.Create(ctx, p.claim)
	if clouderr.Is(err, clouderr.Exists) {
		o, found, failure := p.taken(ctx, err)
		if !found && failure == nil {
			failure = p.withdraw(ctx)
		}
		return o, found, failure
	}
	if refused(err) {
		if err := p.withdraw(ctx); err != nil {
			return outcome{}, false, err
		}
	}
	if observed != nil {
		p.status().ID = p.resource.Identity(observed).ID
	}
	if err != nil {
		p.recordPart(observed)
		return p.failed(fmt.Sprintf("create the %s", p.noun), v1alpha1.OperationCreate, err), false, nil
	}
	p.observed = observed
	if op != nil {
		p.recordPart(observed)
		return p.begin(*op), false, nil
	}
	return p.report(), false, nil
}

// taken finds out whose the resource is whose name was in the way of creating ours. It may be our own, made by a call
// whose reply was lost.
func (p *pass[O, R]) taken(ctx context.Context, exists error) (outcome, bool, error) {
	decision, identity, err := p.search(ctx)
	switch {
	case err != nil:
		return p.failed(fmt.Sprintf("look for the %s", p.noun), v1alpha1.OperationCreate, err), false, nil
	case decision == external.MatchOurs && p.minted && !identity.ClaimKnown:
		// It cannot say whose it is, and was there before the first call that could have made ours.
		return p.foreign(identity), false, nil
	case decision == external.MatchOurs || decision == external.MatchAdopt:
		return p.take(ctx, nil, identity, decision == external.MatchAdopt)
	case decision == external.MatchAmbiguous:
		return p.ambiguous(), false, nil
	case decision == external.MatchForeign:
		return p.foreign(identity), false, nil
	}
	// The cloud contradicts itself: its list may lag behind, so it is asked again before the interval is over.
	o := p.failed(fmt.Sprintf("create the %s", p.noun), v1alpha1.OperationCreate, exists)
	o.wait = wait{backoff: transientBackoff}
	return o, false, nil
}

// converge compares the spec with what was observed and updates what differs.
func (p *pass[O, R]) converge(ctx context.Context) outcome {
	changes := p.resource.Diff(p.observed)
	identity := p.resource.Identity(p.observed)
	changes.Mark = identity.Unclaimed() && !p.observing()
	if p.observing() {
		if changes.Empty() {
			return p.report()
		}
		return p.reportDrift(append(append([]string{}, changes.Paths...), changes.Immutable...))
	}
	if len(changes.Immutable) > 0 {
		p.status().Drift = bounded(changes.Immutable)
		return stuck("ImmutableField", v1alpha1.ReasonImmutableField, fmt.Sprintf(
			"The %s differs from the spec in %s, which the cloud cannot change: set the spec to what the cloud holds, or delete this object and create it anew.",
			p.noun, conditions.Enumerate(changes.Immutable)), p.resync())
	}
	if changes.Empty() {
		return p.report()
	}
	return p.update(ctx, changes)
}

// update changes what differs.
func (p *pass[O, R]) update(ctx context.Context, changes external.Changes) outcome {
	drift := len(changes.Paths) > 0 && p.wasSynced()
	log.FromContext(ctx).Info("Updating in the cloud", "resource", p.noun, "id", p.status().ID, "paths", conditions.Enumerate(changes.Paths), "drift", drift)
	observed, op, err := p.resource.Update(ctx, p.observed, changes, p.claim)
	if err != nil {
		p.recordPart(observed)
		p.status().Drift = bounded(changes.Paths)
		return p.failed(fmt.Sprintf("update %s of the %s", conditions.Enumerate(changes.Paths), p.noun), v1alpha1.OperationUpdate, err)
	}
	switch {
	case op != nil && !drift:
		// The start of the operation tells it.
	case drift:
		p.Metrics.DriftRepaired(p.Name, len(changes.Paths))
		p.note(corev1.EventTypeNormal, "DriftRepaired", "Update", fmt.Sprintf("Changed behind the operator's back, and set right: %s.", conditions.Enumerate(changes.Paths)))
	case len(changes.Paths) > 0:
		p.note(corev1.EventTypeNormal, "Updated", "Update", fmt.Sprintf("Updated %s.", conditions.Enumerate(changes.Paths)))
	}
	p.observed = observed
	if op != nil {
		p.recordPart(observed)
		return p.begin(*op)
	}
	return p.report()
}

// recordPart keeps what was done before an error.
func (p *pass[O, R]) recordPart(observed *R) {
	if observed != nil {
		p.Kind.Report(p.obj, observed)
	}
}

// begin records an operation that the cloud runs.
func (p *pass[O, R]) begin(op external.Operation) outcome {
	verb := v1alpha1.OperationVerb(op.Verb)
	p.backoffs.reset(client.ObjectKeyFromObject(p.obj)) // a new job is asked about soon, however long the last one took
	p.status().Operation = &v1alpha1.Operation{ID: op.ID, Verb: verb, StartedAt: metav1.NewTime(p.Clock.Now()).Rfc3339Copy()}
	o := progressing(verb, op.Message)
	p.note(corev1.EventTypeNormal, orElse(op.Reason, o.ready.reason), string(verb), o.ready.message)
	return o
}

// poll asks how a running operation stands.
func (p *pass[O, R]) poll(ctx context.Context, op v1alpha1.Operation) (outcome, error) {
	poller, ok := p.resource.(external.Poller)
	if !ok {
		return p.watch(ctx, op)
	}
	progress, err := poller.Poll(ctx, external.Operation{ID: op.ID, Verb: external.Verb(op.Verb)})
	switch {
	case clouderr.Is(err, clouderr.NotFound):
		// The cloud forgot the job: what it came to shows in the resource.
		p.status().Operation = nil
		return p.sync(ctx)
	case err != nil:
		return p.failed(fmt.Sprintf("look at the operation %s", op.ID), op.Verb, err), nil
	case !progress.Done:
		p.recordProgress(progress)
		return progressing(op.Verb, progress.Message), nil
	}
	p.status().Operation = nil
	p.status().LastFailure = progress.Failure
	p.recordPolled()
	if progress.Failure != "" {
		o := stuck("OperationFailed", v1alpha1.ReasonUnhealthy, fmt.Sprintf("The cloud failed to %s the %s: %s", strings.ToLower(string(op.Verb)), p.noun, progress.Failure), p.resync())
		if !progress.Remedy || p.observing() {
			return o, nil
		}
		p.events = append(p.events, o.events...)
		return p.sync(ctx)
	}
	p.note(corev1.EventTypeNormal, string(op.Verb)+"d", string(op.Verb), fmt.Sprintf("The cloud finished to %s the %s.", strings.ToLower(string(op.Verb)), p.noun))
	return p.sync(ctx)
}

// watch waits for an operation that cannot be asked about: it ends when the resource says so.
func (p *pass[O, R]) watch(ctx context.Context, op v1alpha1.Operation) (outcome, error) {
	observed, err := p.resource.Get(ctx, p.status().ID)
	switch {
	case clouderr.Is(err, clouderr.NotFound):
		p.status().Operation = nil
		return p.sync(ctx)
	case err != nil:
		return p.failed(fmt.Sprintf("look at the %s", p.noun), op.Verb, err), nil
	}
	if health := p.Kind.Report(p.obj, observed); health.State == external.Progressing {
		return progressing(op.Verb, health.Message), nil
	}
	p.status().Operation = nil
	p.observed = observed
	return p.converge(ctx), nil
}

// recordProgress keeps how a running operation stands.
func (p *pass[O, R]) recordProgress(progress external.Progress) {
	op := p.status().Operation
	op.TasksDone, op.TasksTotal, op.CurrentTask = conditions.Count(progress.TasksDone), conditions.Count(progress.TasksTotal), progress.CurrentTask
	p.recordPolled()
}

// recordPolled keeps what a poll saw of the resource.
func (p *pass[O, R]) recordPolled() {
	if observer, ok := p.resource.(external.PollObserver[R]); ok {
		p.recordPart(observer.Polled())
	}
}

// report states that the cloud holds what the spec says.
func (p *pass[O, R]) report() outcome {
	p.status().Drift = nil
	return p.complete(settled(p.health(), p.observing(), p.resync()))
}

// reportDrift states in what the cloud differs, where the policy is to leave it so.
func (p *pass[O, R]) reportDrift(paths []string) outcome {
	p.status().Drift = bounded(paths)
	return p.complete(drifted(p.health(), paths, p.resync()))
}

// health reports what was observed. What the last job failed of explains an unhealthy resource.
func (p *pass[O, R]) health() external.Health {
	health := p.Kind.Report(p.obj, p.observed)
	status := p.status()
	switch {
	case health.State == external.Healthy:
		status.LastFailure = ""
	case health.State == external.Unhealthy && status.LastFailure != "":
		health.Message = strings.TrimSuffix(health.Message, ".") + ". The last job failed: " + status.LastFailure
	}
	return health
}

// complete adds to an outcome what every full pass settles.
func (p *pass[O, R]) complete(o outcome) outcome {
	o.references = &statement{status: metav1.ConditionTrue, reason: v1alpha1.ReasonResolved, message: "Everything that the spec refers to can be used."}
	return o
}

// mint writes the claim and the finalizer in one patch, unless they are there. The patch fails where the object is not
// the one that this pass read, so that of two passes only one can mint.
func (p *pass[O, R]) mint(ctx context.Context) error {
	written := p.obj.GetAnnotations()[v1alpha1.ClaimAnnotation] != ""
	if written && controllerutil.ContainsFinalizer(p.obj, v1alpha1.Finalizer) {
		return nil
	}
	claim := p.claim
	if claim.IsZero() {
		claim = external.NewClaim(p.Clock.Now())
		claim.Owner = p.owner()
	}
	err := p.patch(ctx, func(obj O) {
		annotations := obj.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[v1alpha1.ClaimAnnotation] = claim.String()
		obj.SetAnnotations(annotations)
		controllerutil.AddFinalizer(obj, v1alpha1.Finalizer)
	})
	if err != nil {
		return fmt.Errorf("write the claim: %w", err)
	}
	p.minted = p.claim.IsZero()
	p.claim = claim
	return nil
}

// confirm makes sure that the object is the one that this pass read, unless a write of this pass has shown it: another manager,
// which takes over or still believes that it leads, may have deleted what was made, and let the object go.
func (p *pass[O, R]) confirm(ctx context.Context) error {
	if p.confirmed {
		return nil
	}
	obj, current, err := p.live(ctx)
	if err != nil {
		return fmt.Errorf("read the object: %w", err)
	}
	if !current {
		return fmt.Errorf("the cache is behind: it holds version %s of the object, and the API server %s", p.obj.GetResourceVersion(), obj.GetResourceVersion())
	}
	return nil
}

// patch changes the annotations and finalizers of the object that this pass read, and fails where it is another by now.
func (p *pass[O, R]) patch(ctx context.Context, change func(O)) error {
	patched, ok := p.obj.DeepCopyObject().(O)
	if !ok {
		return fmt.Errorf("a copy of %T is no %T", p.obj, p.obj)
	}
	change(patched)
	if err := p.Client.Patch(ctx, patched, client.MergeFromWithOptions(p.obj, client.MergeFromWithOptimisticLock{})); err != nil {
		return err
	}
	p.obj.SetAnnotations(patched.GetAnnotations())
	p.obj.SetFinalizers(patched.GetFinalizers())
	p.obj.SetResourceVersion(patched.GetResourceVersion())
	p.confirmed = true
	return nil
}

// withdraw takes back the claim and the finalizer that this pass minted, where the cloud refused the call that they were
// minted for and its resources carry no claim: nothing was made under them, and what others make of that name from now on
// would be taken for the object's own.
func (p *pass[O, R]) withdraw(ctx context.Context) error {
	if !p.minted || !p.Unmarked {
		return nil
	}
	err := p.patch(ctx, func(obj O) {
		annotations := obj.GetAnnotations()
		delete(annotations, v1alpha1.ClaimAnnotation)
		obj.SetAnnotations(annotations)
		controllerutil.RemoveFinalizer(obj, v1alpha1.Finalizer)
	})
	if err != nil {
		return fmt.Errorf("withdraw the claim: %w", err)
	}
	p.minted, p.claim = false, external.Claim{}
	return nil
}

// refused says whether the cloud refused a call for good, so that nothing came of it.
func refused(err error) bool {
	switch clouderr.ClassOf(err) {
	case clouderr.Invalid, clouderr.Quota, clouderr.Forbidden, clouderr.Unauthorized:
		return true
	}
	return false
}

func (p *pass[O, R]) failed(doing string, verb v1alpha1.OperationVerb, err error) outcome {
	return failed(failure{err: err, doing: doing, verb: verb, resync: p.resync()}).withCause(err)
}

// failedLook is the outcome where a look at a resource failed that may be as well as it was.
func (p *pass[O, R]) failedLook(err error) outcome {
	looking := p.obj.GetGeneration() == p.status().ObservedGeneration && conditions.IsTrue(p.status().Conditions, v1alpha1.ConditionReady)
	return failed(failure{err: err, doing: fmt.Sprintf("look at the %s", p.noun), looking: looking, resync: p.resync()}).withCause(err)
}

func (p *pass[O, R]) note(kind, reason, action, message string) {
	p.events = append(p.events, occurrence{kind: kind, reason: reason, action: action, message: message})
}

func (p *pass[O, R]) spec() *v1alpha1.ResourceSpec     { return p.obj.CommonSpec() }
func (p *pass[O, R]) status() *v1alpha1.ResourceStatus { return p.obj.CommonStatus() }

// owner is what the object is called in the cloud, for people.
func (p *pass[O, R]) owner() string {
	return external.OwnerOf(p.ClusterName, p.obj.GetNamespace(), p.obj.GetName())
}

func (p *pass[O, R]) observing() bool {
	return p.spec().ManagementPolicy == v1alpha1.ManagementPolicyObserve
}

func (p *pass[O, R]) adopting() bool {
	return p.spec().Import != nil && p.spec().Import.ByName
}

func (p *pass[O, R]) paused() bool {
	return p.obj.GetAnnotations()[v1alpha1.PausedAnnotation] == "true"
}

// wasSynced says whether the spec as it is now had arrived in the cloud before.
func (p *pass[O, R]) wasSynced() bool {
	return p.status().ObservedGeneration == p.obj.GetGeneration() && p.status().ObservedInputs == p.inputs &&
		conditions.IsTrue(p.status().Conditions, v1alpha1.ConditionSynced)
}

// maxDrift is how many paths status lists.
const maxDrift = 16

func bounded(paths []string) []string {
	if len(paths) > maxDrift {
		return paths[:maxDrift]
	}
	return paths
}

func (p *pass[O, R]) resync() time.Duration { return resyncAfter(p.obj, p.ResyncInterval) }
