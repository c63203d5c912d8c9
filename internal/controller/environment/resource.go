// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"context"
	"iter"
	"strings"
	"time"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/internal/candidates"
	"servicestage.dev/operator/internal/controller/internal/labels"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/roster"
)

// resource is a handle on one environment.
type resource struct {
	cloud  *servicestage.Client
	wanted wanted
}

// Get observes the environment through the list, which carries the labels that the detail may leave out. What the list
// does not hold is gone only if the detail says so, too.
func (r *resource) Get(ctx context.Context, id string) (*observed, error) {
	for e, err := range r.cloud.ListEnvironments(ctx, servicestage.EnvironmentListOptions{EnvironmentID: id}) {
		if err != nil {
			return nil, err
		}
		if e.ID == id {
			return r.withResources(ctx, &observed{Environment: *e, labelsKnown: true})
		}
	}
	e, err := r.cloud.GetEnvironment(ctx, id)
	if err != nil {
		return nil, err
	}
	return &observed{Environment: *e, labelsKnown: e.Labels != nil, resourcesKnown: true}, nil
}

// withResources adds the resources, where they are managed.
func (r *resource) withResources(ctx context.Context, o *observed) (*observed, error) {
	if r.wanted.resources == nil {
		return o, nil
	}
	resources, err := r.cloud.GetEnvironmentResources(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	o.Resources, o.resourcesKnown = resources, true
	return o, nil
}

// Find yields the environments that carry the claim or have the name, whatever the case of its letters.
func (r *resource) Find(ctx context.Context, claim external.Claim) iter.Seq2[*observed, error] {
	return candidates.Of(r.cloud.ListEnvironments(ctx, servicestage.EnvironmentListOptions{}), claim,
		func(e *servicestage.Environment) []servicestage.Label { return e.Labels },
		func(e *servicestage.Environment) bool { return strings.EqualFold(e.Name, r.wanted.name) },
		func(e *servicestage.Environment) *observed { return &observed{Environment: *e, labelsKnown: true} })
}

// Rows lists the environments of an account.
func Rows(ctx context.Context, cloud *cloudclient.Client) iter.Seq2[roster.Row, error] {
	return roster.Of(servicestage.New(cloud).ListEnvironments(ctx, servicestage.EnvironmentListOptions{}), func(e *servicestage.Environment) string { return e.ID }, fingerprint)
}

// Identity says which environment was observed, and whose it is.
func (r *resource) Identity(o *observed) external.Identity {
	return external.Identity{
		ID: o.ID, Name: o.Name, Claim: labels.Claim(o.Labels), Owner: labels.Owner(o.Labels), ClaimKnown: o.labelsKnown, CreatedAt: time.UnixMilli(o.CreateTime),
	}
}

// Diff compares the spec with what was observed.
func (r *resource) Diff(o *observed) external.Changes { return diff(r.wanted, o) }

// Probe makes sure that the creation would not have to wait for the account's rate limit.
func (r *resource) Probe(context.Context) error { return r.cloud.Vacant("CreateEnvironment") }

// Create makes the environment, and binds its resources in a second call where there are any.
func (r *resource) Create(ctx context.Context, claim external.Claim) (*observed, *external.Operation, error) {
	w := r.wanted
	create := servicestage.EnvironmentCreate{
		Name: w.name, DeployMode: w.deployMode, VPCID: w.vpcID, EnterpriseProjectID: w.enterpriseProjectID,
		Labels: labels.Merge(w.labels, nil, claim),
	}
	if create.EnterpriseProjectID == "" {
		create.EnterpriseProjectID = w.defaultEnterpriseProjectID
	}
	if w.description != nil {
		create.Description = *w.description
	}
	e, err := r.cloud.CreateEnvironment(ctx, create)
	if err != nil {
		return nil, nil, err
	}
	o := &observed{Environment: *e, resourcesKnown: true}
	if len(w.resources) == 0 {
		return o, nil, nil
	}
	o.Resources, err = r.cloud.SetEnvironmentResources(ctx, e.ID, w.resources)
	return o, nil, err
}

// Update changes the environment, its resources, or both.
func (r *resource) Update(ctx context.Context, before *observed, changes external.Changes, claim external.Claim) (*observed, *external.Operation, error) {
	after := *before
	if update, needed := updateOf(r.wanted, before, changes, claim); needed {
		e, err := r.cloud.UpdateEnvironment(ctx, before.ID, update)
		if err != nil {
			return nil, nil, err
		}
		resources := after.Resources
		after.Environment = *e
		after.Resources = resources
	}
	if changesResources(changes) {
		resources, err := r.cloud.SetEnvironmentResources(ctx, before.ID, r.wanted.resources)
		if err != nil {
			return &after, nil, err
		}
		after.Resources = resources
	}
	return &after, nil, nil
}

// Delete removes the environment. It is gone when the call returns.
func (r *resource) Delete(ctx context.Context, id string) (*external.Operation, error) {
	return nil, r.cloud.DeleteEnvironment(ctx, id)
}
