// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package application

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/internal/candidates"
	"servicestage.dev/operator/internal/controller/internal/labels"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/roster"
)

// resource is a handle on one application.
type resource struct {
	cloud  *servicestage.Client
	wanted wanted
}

// Get observes the application, with its configurations where they matter. The detail may leave labels out: where they
// are managed, or the claim among them was not seen yet, the list tells them.
func (r *resource) Get(ctx context.Context, id string) (*observed, error) {
	a, err := r.cloud.GetApplication(ctx, id)
	if err != nil {
		return nil, err
	}
	o := &observed{Application: *a, labelsKnown: a.Labels != nil}
	if !o.labelsKnown && (r.wanted.labels != nil || r.wanted.unclaimed) {
		if o, err = r.listed(ctx, o); err != nil {
			return nil, err
		}
	}
	return r.withConfigurations(ctx, o)
}

// listed replaces an application by what the list says of it, where the list holds it.
func (r *resource) listed(ctx context.Context, o *observed) (*observed, error) {
	for a, err := range r.cloud.ListApplications(ctx, servicestage.ApplicationListOptions{}) {
		if err != nil {
			return nil, err
		}
		if a.ID == o.ID {
			return &observed{Application: *a, labelsKnown: true}, nil
		}
	}
	return o, nil
}

// withConfigurations adds the configurations, where they matter.
func (r *resource) withConfigurations(ctx context.Context, o *observed) (*observed, error) {
	if !r.wanted.looksAtConfigurations() {
		return o, nil
	}
	list, err := r.cloud.ListApplicationConfigurations(ctx, o.ID, "")
	if err != nil {
		return nil, err
	}
	o.configurations = map[string][]servicestage.EnvVar{}
	for _, c := range list {
		o.configurations[c.EnvironmentID] = c.Env
	}
	r.claimConfigurations(o)
	return o, nil
}

// claimConfigurations notes which of the observed configurations are this object's.
func (r *resource) claimConfigurations(o *observed) {
	o.ours = nil
	for _, id := range slices.Sorted(maps.Keys(o.configurations)) {
		wanted := slices.ContainsFunc(r.wanted.configurations, func(c configuration) bool { return c.environmentID == id })
		if wanted || slices.Contains(r.wanted.written, id) {
			o.ours = append(o.ours, id)
		}
	}
}

// Find yields the applications that carry the claim or have the name.
func (r *resource) Find(ctx context.Context, claim external.Claim) iter.Seq2[*observed, error] {
	return candidates.Of(r.cloud.ListApplications(ctx, servicestage.ApplicationListOptions{}), claim,
		func(a *servicestage.Application) []servicestage.Label { return a.Labels },
		func(a *servicestage.Application) bool { return a.Name == r.wanted.name },
		func(a *servicestage.Application) *observed { return &observed{Application: *a, labelsKnown: true} })
}

// Rows lists the applications of an account.
func Rows(ctx context.Context, cloud *cloudclient.Client) iter.Seq2[roster.Row, error] {
	return roster.Of(servicestage.New(cloud).ListApplications(ctx, servicestage.ApplicationListOptions{}), func(a *servicestage.Application) string { return a.ID }, fingerprint)
}

// Identity says which application was observed, and whose it is.
func (r *resource) Identity(o *observed) external.Identity {
	return external.Identity{
		ID: o.ID, Name: o.Name, Claim: labels.Claim(o.Labels), Owner: labels.Owner(o.Labels), ClaimKnown: o.labelsKnown, CreatedAt: time.UnixMilli(o.CreateTime),
	}
}

// Diff compares the spec with what was observed.
func (r *resource) Diff(o *observed) external.Changes { return diff(r.wanted, o) }

// Probe makes sure that the creation would not have to wait for the account's rate limit.
func (r *resource) Probe(context.Context) error { return r.cloud.Vacant("CreateApplication") }

// Create makes the application, and writes each configuration in a call of its own.
func (r *resource) Create(ctx context.Context, claim external.Claim) (*observed, *external.Operation, error) {
	w := r.wanted
	create := servicestage.ApplicationCreate{
		Name: w.name, EnterpriseProjectID: w.enterpriseProjectID, Labels: labels.Merge(w.labels, nil, claim),
	}
	if create.EnterpriseProjectID == "" {
		create.EnterpriseProjectID = w.defaultEnterpriseProjectID
	}
	if w.description != nil {
		create.Description = *w.description
	}
	a, err := r.cloud.CreateApplication(ctx, create)
	if err != nil {
		return nil, nil, err
	}
	o := &observed{Application: *a, configurations: map[string][]servicestage.EnvVar{}}
	for _, c := range w.configurations {
		if err := r.write(ctx, o, c); err != nil {
			return o, nil, err
		}
	}
	return o, nil, nil
}

// write sets one configuration.
func (r *resource) write(ctx context.Context, o *observed, c configuration) error {
	written, err := r.cloud.SetApplicationConfiguration(ctx, o.ID, c.environmentID, c.env)
	if err != nil {
		return err
	}
	o.configurations[c.environmentID] = written.Env
	r.claimConfigurations(o)
	return nil
}

// Update changes the application, then its configurations. What was done before an error is returned with it.
func (r *resource) Update(ctx context.Context, before *observed, changes external.Changes, claim external.Claim) (*observed, *external.Operation, error) {
	after := *before
	after.configurations = maps.Clone(before.configurations)
	if update, needed := updateOf(r.wanted, before, changes, claim); needed {
		a, err := r.cloud.UpdateApplication(ctx, before.ID, update)
		if err != nil {
			return nil, nil, err
		}
		after.Application = *a
		if changes.Has("spec.enterpriseProjectID") && servicestage.EnterpriseProject(a.EnterpriseProjectID) != r.wanted.enterpriseProjectID {
			return &after, nil, clouderr.New(clouderr.Invalid, "the cloud took spec.enterpriseProjectID without effect; migrate the application with the Enterprise Project service")
		}
	}
	if !changes.Within("spec.configurations") {
		return &after, nil, nil
	}
	return &after, nil, r.updateConfigurations(ctx, &after, changes)
}

// updateConfigurations writes the configurations that differ and deletes those that were dropped.
func (r *resource) updateConfigurations(ctx context.Context, o *observed, changes external.Changes) error {
	for _, c := range r.wanted.configurations {
		if !changes.Within(c.path()) {
			continue
		}
		if err := r.write(ctx, o, c); err != nil {
			return err
		}
	}
	for _, id := range r.wanted.dropped(o) {
		if err := r.cloud.DeleteApplicationConfiguration(ctx, o.ID, id); err != nil {
			return err
		}
		delete(o.configurations, id)
		r.claimConfigurations(o)
	}
	return nil
}

// Delete removes the application. It is gone when the call returns.
func (r *resource) Delete(ctx context.Context, id string) (*external.Operation, error) {
	return nil, r.cloud.DeleteApplication(ctx, id)
}
