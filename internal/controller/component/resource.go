// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package component

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/internal/body"
	"servicestage.dev/operator/internal/controller/internal/candidates"
	"servicestage.dev/operator/internal/controller/internal/labels"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/roster"
)

// resource is a handle on one component.
type resource struct {
	cloud         *servicestage.Client
	applicationID string
	wanted        wanted
	// status is what was known before this pass.
	status *v1alpha1.ComponentStatus
	polled *observed
}

var (
	_ external.Poller                 = (*resource)(nil)
	_ external.PollObserver[observed] = (*resource)(nil)
)

// Get observes the component, with its releases where they may have changed. The detail may leave labels and external
// accesses out: where they are managed, the list tells them.
func (r *resource) Get(ctx context.Context, id string) (*observed, error) {
	c, err := r.cloud.GetComponent(ctx, r.applicationID, id)
	if err != nil {
		return nil, err
	}
	o := &observed{Component: *c, labelsKnown: c.Labels != nil}
	_, accesses := o.Fields[body.ExternalAccesses]
	if !o.labelsKnown && (r.wanted.labels != nil || r.wanted.unclaimed) || !accesses && r.wanted.body[body.ExternalAccesses] != nil {
		if err := r.addListed(ctx, o); err != nil {
			return nil, err
		}
	}
	return o, r.addRecords(ctx, o)
}

// addListed takes from the list what the detail leaves out. That of the project can be asked for one name; that of the
// application cannot, and would cost as many pages as it has.
func (r *resource) addListed(ctx context.Context, o *observed) error {
	named := servicestage.ComponentListOptions{Name: cmp.Or(o.Name, r.wanted.name)}
	for c, err := range r.cloud.ListComponents(ctx, "", named) {
		if err != nil {
			return err
		}
		if c.ID == o.ID {
			if !o.labelsKnown {
				o.Labels, o.labelsKnown = c.Labels, true
			}
			if listed, shown := c.Fields[body.ExternalAccesses]; shown {
				o.Fields[body.ExternalAccesses], o.ExternalAccesses = listed, c.ExternalAccesses
			}
			return nil
		}
	}
	return nil
}

// addRecords reads the last releases where a job has run since they were read.
func (r *resource) addRecords(ctx context.Context, o *observed) error {
	known := len(r.status.Records) > 0 && r.status.Operation == nil && r.status.Version == o.Version && r.status.LastJobID == o.Status.LastJobID
	if known || working(o.Status.ComponentStatus) || r.wanted.body == nil {
		return nil
	}
	o.records = []*servicestage.ComponentRecord{}
	for record, err := range r.cloud.ListComponentRecords(ctx, r.applicationID, o.ID) {
		if err != nil {
			return err
		}
		if o.records = append(o.records, record); len(o.records) == maxRecords {
			break
		}
	}
	r.wanted.recorded = nil
	for _, record := range o.records {
		r.wanted.recorded = append(r.wanted.recorded, record.Version)
	}
	return nil
}

// Find yields the components that carry the claim, wherever they are, and those of the name in the application and
// environment. Where a component is found, its application is what further calls go to.
func (r *resource) Find(ctx context.Context, claim external.Claim) iter.Seq2[*observed, error] {
	return candidates.Of(r.cloud.ListComponents(ctx, "", servicestage.ComponentListOptions{}), claim,
		func(c *servicestage.Component) []servicestage.Label { return c.Labels },
		func(c *servicestage.Component) bool {
			return strings.EqualFold(c.Name, r.wanted.name) && c.ApplicationID == r.applicationID && c.EnvironmentID == r.wanted.environmentID
		},
		func(c *servicestage.Component) *observed {
			r.applicationID = c.ApplicationID
			return &observed{Component: *c, labelsKnown: true}
		})
}

// Rows lists the components of an account.
func Rows(ctx context.Context, cloud *cloudclient.Client) iter.Seq2[roster.Row, error] {
	return roster.Of(servicestage.New(cloud).ListComponents(ctx, "", servicestage.ComponentListOptions{}), func(c *servicestage.Component) string { return c.ID }, fingerprint)
}

// Identity says which component was observed, and whose it is.
func (r *resource) Identity(o *observed) external.Identity {
	return external.Identity{
		ID: o.ID, Name: o.Name, Claim: labels.Claim(o.Labels), Owner: labels.Owner(o.Labels), ClaimKnown: o.labelsKnown, CreatedAt: time.UnixMilli(o.CreateTime),
	}
}

// Diff compares the spec with what was observed.
func (r *resource) Diff(o *observed) external.Changes { return diff(r.wanted, o) }

// Probe makes sure that the creation would not have to wait for the account's rate limit.
func (r *resource) Probe(context.Context) error { return r.cloud.Vacant("CreateComponent") }

// Create deploys the component. The cloud answers with a job.
func (r *resource) Create(ctx context.Context, claim external.Claim) (*observed, *external.Operation, error) {
	job, err := r.cloud.CreateComponent(ctx, r.applicationID, createBody(r.wanted, claim), r.wanted.sensitive...)
	if err != nil {
		return nil, nil, r.explain(ctx, err)
	}
	o := &observed{partial: true, restartedAt: r.wanted.restartedAt}
	o.ID, o.ApplicationID, o.EnvironmentID = job.ComponentID, r.applicationID, r.wanted.environmentID
	return o, &external.Operation{
		ID: job.JobID, Verb: external.VerbCreate, Reason: "Deploying", Message: fmt.Sprintf("Deploying version %s.", r.wanted.version),
	}, nil
}

// explain adds to the refusal of a runtime stack which ones there are.
func (r *resource) explain(ctx context.Context, err error) error {
	var refused *clouderr.Error
	if !errors.As(err, &refused) || !strings.HasSuffix(refused.Code, "00100420") {
		return err
	}
	stacks, listErr := r.cloud.ListRuntimeStacks(ctx)
	if listErr != nil {
		return err
	}
	mode, _ := r.wanted.body["runtime_stack"].(map[string]any)["deploy_mode"].(string)
	explained := *refused
	explained.Message = fmt.Sprintf("spec.runtimeStack: %s The cloud has: %s.", strings.TrimSuffix(refused.Message, ".")+".", supported(stacks, mode))
	return &explained
}

// supported lists the stacks that can be used in a deploy mode, as type/name version.
func supported(stacks []servicestage.RuntimeStack, mode string) string {
	var names []string
	for _, s := range stacks {
		if strings.EqualFold(s.DeployMode, mode) && (s.Status == "" || strings.EqualFold(s.Status, "Supported")) {
			names = append(names, fmt.Sprintf("%s %s %s", s.Type, s.Name, s.Version))
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// Update does the first of what is to be done: an action where the cloud has one for it, else an update of the whole
// body. What is left differs again once that is done.
func (r *resource) Update(ctx context.Context, before *observed, changes external.Changes, claim external.Claim) (*observed, *external.Operation, error) {
	next := nextStep(r.wanted, before, changes)
	operation := &external.Operation{Verb: external.VerbUpdate, Reason: next.reason, Message: next.message}
	after := *before
	if next.action == "" {
		full, err := r.complete(ctx, before)
		if err != nil {
			return nil, nil, err
		}
		operation.ID, err = r.cloud.UpdateComponent(ctx, full.ApplicationID, before.ID, updateBody(r.wanted, full, changes, claim), r.wanted.sensitive...)
		return &after, operation, err
	}
	if next.check {
		if _, err := r.act(ctx, before.ID, servicestage.ActionCheckGrayRelease, nil); err != nil {
			return nil, nil, err
		}
	}
	result, err := r.act(ctx, before.ID, next.action, next.parameters)
	if err != nil {
		return nil, nil, err
	}
	operation.ID = result.JobID
	if next.action == servicestage.ActionRestart {
		after.restartedAt = r.wanted.restartedAt
	}
	return &after, operation, nil
}

// complete returns the whole component where an observation comes from a list, which lacks most of it.
func (r *resource) complete(ctx context.Context, o *observed) (*observed, error) {
	if _, whole := o.Fields["source"]; whole && o.Fields["runtime_stack"] != nil {
		return o, nil
	}
	c, err := r.cloud.GetComponent(ctx, o.ApplicationID, o.ID)
	if err != nil {
		return nil, err
	}
	full := *o
	full.Component = *c
	full.Labels = o.Labels
	return &full, nil
}

// act carries out an action.
func (r *resource) act(ctx context.Context, id string, action servicestage.Action, parameters map[string]any) (*servicestage.ActionResult, error) {
	result, err := r.cloud.ComponentAction(ctx, r.applicationID, id, action, parameters)
	if err != nil {
		return nil, err
	}
	if result.Failed() {
		return nil, clouderr.New(clouderr.Busy, "the cloud cannot carry out the action %s now", action)
	}
	return result, nil
}

// Delete removes the component. It goes on in the cloud after the call.
func (r *resource) Delete(ctx context.Context, id string) (*external.Operation, error) {
	if err := r.cloud.DeleteComponent(ctx, r.applicationID, id); err != nil {
		return nil, err
	}
	return &external.Operation{Verb: external.VerbDelete}, nil
}

// Poll asks how a job stands and, unless it has succeeded and the component is looked at anyway, how the component does. A
// gray release that waits at its first batch ends the wait, whatever its job says.
func (r *resource) Poll(ctx context.Context, op external.Operation) (external.Progress, error) {
	r.polled = nil
	if op.ID == "" {
		if err := r.look(ctx); err != nil {
			return external.Progress{}, err
		}
		return r.progressByStatus(), nil
	}
	job, err := r.cloud.GetJob(ctx, op.ID)
	if err != nil {
		return external.Progress{}, err
	}
	if !job.Succeeded() {
		if err := r.look(ctx); err != nil {
			return external.Progress{}, err
		}
	}
	progress := progressOf(job, r.polled)
	if r.polled != nil {
		r.polled.batch, r.polled.batches = batchOf(progress.CurrentTask)
	}
	return progress, nil
}

// look keeps what the cloud says of the component; nothing where there is none.
func (r *resource) look(ctx context.Context) error {
	if r.status.ID == "" {
		return nil
	}
	c, err := r.cloud.GetComponent(ctx, r.applicationID, r.status.ID)
	if clouderr.Is(err, clouderr.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r.polled = &observed{Component: *c, labelsKnown: c.Labels != nil}
	return nil
}

// Polled is what the last Poll saw of the component.
func (r *resource) Polled() *observed { return r.polled }

// progressByStatus is the progress of an operation that the cloud gave no job for.
func (r *resource) progressByStatus() external.Progress {
	if r.polled == nil || working(r.polled.Status.ComponentStatus) {
		return external.Progress{Message: "The cloud is at work."}
	}
	return external.Progress{Done: true}
}
