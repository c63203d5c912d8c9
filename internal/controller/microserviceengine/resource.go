// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package microserviceengine

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/cse"
	"servicestage.dev/operator/internal/cloudclient/vpc"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/roster"
)

// resource is a handle on one engine.
type resource struct {
	cloud    *cse.Client
	networks *vpc.Client
	wanted   wanted
	// id of the engine, where it was known before this pass.
	id string
	// enterpriseProjectID that calls about the engine name: the one that it is in, as far as that is known.
	enterpriseProjectID string
	// password reads the root password; rootPassword is what it read already.
	password     func(context.Context) (string, error)
	rootPassword string
	// usage is set where it matters how many instances are registered.
	usage  bool
	polled *observed
}

var (
	_ external.Poller                 = (*resource)(nil)
	_ external.PollObserver[observed] = (*resource)(nil)
)

// Get observes the engine. How many instances are registered only the list tells, and matters only of an engine that is
// at rest.
func (r *resource) Get(ctx context.Context, id string) (*observed, error) {
	e, err := inItsProject(ctx, r, id, func() (*cse.Engine, error) { return r.cloud.GetEngine(ctx, r.enterpriseProjectID, id) })
	if err != nil {
		return nil, err
	}
	if e.Status == cse.StatusDeleted {
		return nil, clouderr.New(clouderr.NotFound, "the engine %s is deleted", id)
	}
	o := &observed{Engine: *e}
	if !r.usage || working(e.Status) {
		return o, nil
	}
	for listed, err := range r.cloud.ListEngines(ctx) {
		if err != nil {
			return nil, err
		}
		if listed.ID == id {
			o.usageKnown, o.UsedInstances = true, listed.UsedInstances
			break
		}
	}
	return o, nil
}

// inItsProject makes a call about an engine. The cloud also says that there is none where the call names another enterprise
// project than the engine's, to which it may have been migrated: the list, which holds all, tells.
func inItsProject[T any](ctx context.Context, r *resource, id string, call func() (T, error)) (T, error) {
	result, err := call()
	if !clouderr.Is(err, clouderr.NotFound) {
		return result, err
	}
	for e, listErr := range r.cloud.ListEngines(ctx) {
		if listErr != nil {
			return result, listErr
		}
		if e.ID != id || e.Status == cse.StatusDeleted {
			continue
		}
		project := cmp.Or(e.EnterpriseProjectID, cse.DefaultEnterpriseProject)
		if project == r.enterpriseProjectID {
			return result, clouderr.New(clouderr.Transient, "the cloud lists the engine %s and says that there is none", id)
		}
		r.enterpriseProjectID = project
		return call()
	}
	return result, err
}

// Find yields the engines of the name. Where one is found, its enterprise project is what further calls name.
func (r *resource) Find(ctx context.Context, _ external.Claim) iter.Seq2[*observed, error] {
	return func(yield func(*observed, error) bool) {
		for e, err := range r.cloud.ListEngines(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			if e.Name != r.wanted.name || e.Status == cse.StatusDeleted {
				continue
			}
			r.enterpriseProjectID = e.EnterpriseProjectID
			if !yield(&observed{Engine: *e}, nil) {
				return
			}
		}
	}
}

// Rows lists the engines of an account.
func Rows(ctx context.Context, cloud *cloudclient.Client) iter.Seq2[roster.Row, error] {
	return roster.Of(cse.New(cloud).ListEngines(ctx), func(e *cse.Engine) string { return e.ID }, fingerprint)
}

// Identity says which engine was observed. Engines carry no claim.
func (r *resource) Identity(o *observed) external.Identity {
	identity := external.Identity{ID: o.ID, Name: o.Name}
	if o.CreateTime != 0 {
		identity.CreatedAt = time.UnixMilli(o.CreateTime)
	}
	return identity
}

// Diff compares the spec with what was observed.
func (r *resource) Diff(o *observed) external.Changes { return diff(r.wanted, o) }

// Probe makes sure that the creation would not have to wait for the account's rate limit.
func (r *resource) Probe(context.Context) error { return r.cloud.Vacant("CreateEngine") }

// Create starts the creation of the engine, after what the cloud does not look up itself.
func (r *resource) Create(ctx context.Context, _ external.Claim) (*observed, *external.Operation, error) {
	password, err := r.rootPassword, error(nil)
	if password == "" {
		password, err = r.password(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	if err := r.checkFlavor(ctx); err != nil {
		return nil, nil, err
	}
	network, err := r.lookUp(ctx)
	if err != nil {
		return nil, nil, err
	}
	job, err := r.cloud.CreateEngine(ctx, r.wanted.enterpriseProjectID, createOf(r.wanted, network, password))
	if err != nil {
		return nil, nil, err
	}
	r.id, r.enterpriseProjectID = job.ID, r.wanted.enterpriseProjectID
	o := &observed{partial: true}
	o.ID, o.Name, o.Status, o.EnterpriseProjectID = job.ID, r.wanted.name, cse.StatusCreating, r.wanted.enterpriseProjectID
	return o, &external.Operation{
		ID: jobID(job.JobID), Verb: external.VerbCreate, Message: fmt.Sprintf("The cloud creates the engine %s.", r.wanted.name),
	}, nil
}

// checkFlavor refuses a flavor that the cloud does not have, and says which it has.
func (r *resource) checkFlavor(ctx context.Context) error {
	flavors, err := r.cloud.ListFlavors(ctx, r.wanted.enterpriseProjectID, cse.SpecTypeCSE2)
	if err != nil {
		return err
	}
	return checkFlavor(r.wanted.flavor, flavors)
}

// checkFlavor says which flavors there are where the wanted one is not among them.
func checkFlavor(want string, flavors []cse.Flavor) error {
	var names []string
	for _, f := range flavors {
		if f.Name == want {
			return nil
		}
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return clouderr.New(clouderr.Invalid, "%s: the cloud has no flavor %q for engines; it has: %s", pathFlavor, want, strings.Join(names, ", "))
}

// lookUp completes the network by what the VPC service knows of it.
func (r *resource) lookUp(ctx context.Context) (network, error) {
	n := r.wanted.network
	if n.vpcName == "" {
		found, err := r.networks.GetVPC(ctx, n.vpcID)
		if clouderr.Is(err, clouderr.NotFound) {
			return network{}, clouderr.New(clouderr.Invalid, "%s: there is no VPC %s in the account's project", pathVPC, n.vpcID)
		}
		if err != nil {
			return network{}, err
		}
		n.vpcName = found.Name
	}
	if n.subnetCIDR == "" {
		found, err := r.networks.GetSubnet(ctx, n.subnetID)
		if clouderr.Is(err, clouderr.NotFound) {
			return network{}, clouderr.New(clouderr.Invalid, "%s: there is no subnet %s in the account's project", pathSubnet, n.subnetID)
		}
		if err != nil {
			return network{}, err
		}
		if found.VPCID != n.vpcID {
			return network{}, clouderr.New(clouderr.Invalid, "%s: the subnet %s (%s) belongs to the VPC %s, not to %s (%s)", pathSubnet, n.subnetID, found.Name, found.VPCID, n.vpcID, pathVPC)
		}
		n.subnetCIDR = found.CIDR
	}
	return n, nil
}

// Update does the first of what is to be done; what is left differs again once that is done.
func (r *resource) Update(ctx context.Context, before *observed, changes external.Changes, _ external.Claim) (*observed, *external.Operation, error) {
	after := *before
	if changes.Has(pathRetry) {
		if err := r.cloud.EngineAction(ctx, r.enterpriseProjectID, before.ID, cse.ActionRetry); err != nil {
			return nil, nil, err
		}
		after.Status, after.retries = cse.StatusCreating, r.wanted.retried+1
		return &after, &external.Operation{
			ID: jobID(before.LatestJobID), Verb: external.VerbCreate, Reason: "Retrying",
			Message: fmt.Sprintf("Retrying the creation, %d of %d.", after.retries, r.wanted.retries),
		}, nil
	}
	if changes.Has(pathDescription) {
		if err := r.cloud.UpdateEngine(ctx, r.enterpriseProjectID, before.ID, cse.EngineUpdate{Description: r.wanted.description}); err != nil {
			return nil, nil, err
		}
		after.Description = *r.wanted.description
	}
	if !changes.Has(pathFlavor) {
		return &after, nil, nil
	}
	operation, err := r.resize(ctx, before)
	return &after, operation, err
}

// resize starts the change of the flavor.
func (r *resource) resize(ctx context.Context, o *observed) (*external.Operation, error) {
	if err := resizable(o); err != nil {
		return nil, err
	}
	if err := r.checkFlavor(ctx); err != nil {
		return nil, err
	}
	job, err := r.cloud.ResizeEngine(ctx, r.enterpriseProjectID, o.ID, r.wanted.flavor, nil)
	if err != nil {
		return nil, err
	}
	return &external.Operation{
		ID: jobID(job.JobID), Verb: external.VerbUpdate, Reason: "Resizing",
		Message: fmt.Sprintf("Resizing from %s to %s.", o.Flavor, r.wanted.flavor),
	}, nil
}

// Delete starts the deletion of the engine. A refusal because of its state says which state that is.
func (r *resource) Delete(ctx context.Context, id string) (*external.Operation, error) {
	job, err := inItsProject(ctx, r, id, func() (*cse.EngineJob, error) { return r.cloud.DeleteEngine(ctx, r.enterpriseProjectID, id) })
	if clouderr.Is(err, clouderr.Busy) {
		return nil, r.explain(ctx, id, err)
	}
	if err != nil {
		return nil, err
	}
	return &external.Operation{ID: jobID(job.JobID), Verb: external.VerbDelete}, nil
}

// explain adds the engine's state to a refusal; where that cannot be had, the refusal must do.
func (r *resource) explain(ctx context.Context, id string, refusal error) error {
	e, err := r.cloud.GetEngine(ctx, r.enterpriseProjectID, id)
	if err != nil {
		return refusal
	}
	return clouderr.New(clouderr.Busy, "the engine is %s: %s", e.Status, undeletable(e.Status))
}

// Poll asks how a job stands; without one, the engine's state tells. Of a job that failed, the engine's state tells what
// can be done.
func (r *resource) Poll(ctx context.Context, op external.Operation) (external.Progress, error) {
	r.polled = nil
	number, err := strconv.ParseInt(op.ID, 10, 64)
	if err != nil || number <= 0 {
		return r.watch(ctx)
	}
	job, err := r.cloud.GetEngineJob(ctx, r.enterpriseProjectID, r.id, number)
	if err != nil {
		return external.Progress{}, err
	}
	r.polled = &observed{job: job}
	progress := progressOf(job)
	if progress.Failure == "" || op.Verb == external.VerbDelete {
		return progress, nil
	}
	e, err := r.cloud.GetEngine(ctx, r.enterpriseProjectID, r.id)
	if err != nil {
		return external.Progress{}, err
	}
	r.polled.Engine = *e
	progress.Remedy = retryable(r.wanted, r.polled)
	return progress, nil
}

// watch waits until the engine is at rest.
func (r *resource) watch(ctx context.Context) (external.Progress, error) {
	e, err := r.cloud.GetEngine(ctx, r.enterpriseProjectID, r.id)
	if err != nil {
		return external.Progress{}, err
	}
	r.polled = &observed{Engine: *e}
	progress := progressByState(e.Status)
	progress.Remedy = progress.Failure != "" && retryable(r.wanted, r.polled)
	return progress, nil
}

// Polled is what the last Poll saw of the engine.
func (r *resource) Polled() *observed { return r.polled }

// jobID is how a job is written down; "" where the cloud tells none.
func jobID(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}
