// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package application

import (
	"fmt"
	"slices"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/internal/labels"
	"servicestage.dev/operator/internal/external"
)

// wanted is what the spec comes to once everything it refers to is resolved. What is nil is not managed.
type wanted struct {
	name                string
	description         *string
	enterpriseProjectID string
	// defaultEnterpriseProjectID is the account's, for creating where the spec names none.
	defaultEnterpriseProjectID string
	labels                     map[string]string
	configurations             []configuration
	// unclaimed is set while nobody has seen the claim on the application.
	unclaimed bool
	// written are the environments for which this object wrote a configuration before.
	written []string
}

// configuration is what components get in one environment.
type configuration struct {
	environmentID string
	// label is how paths call the environment: the name or id that the spec gives.
	label string
	env   []servicestage.EnvVar
}

// observed is an application as the cloud holds it.
type observed struct {
	servicestage.Application
	// labelsKnown is false where the call that was made leaves labels out.
	labelsKnown bool
	// configurations by environment id; nil where they were not looked at.
	configurations map[string][]servicestage.EnvVar
	// ours are the environments whose configuration is this object's.
	ours []string
}

// wantedOf reads the spec, but for the configurations, which refer to other objects.
func wantedOf(obj *v1alpha1.Application, defaultEnterpriseProjectID string) wanted {
	w := wanted{
		name: obj.CloudName(), description: obj.Spec.Description, enterpriseProjectID: obj.Spec.EnterpriseProjectID,
		defaultEnterpriseProjectID: defaultEnterpriseProjectID, labels: obj.Spec.Labels,
		// What was created carries the claim; what is to be adopted has not been looked at.
		unclaimed: obj.Status.ID == "",
	}
	for _, c := range obj.Status.Configurations {
		w.written = append(w.written, c.EnvironmentID)
	}
	return w
}

// diff compares what is wanted with what was observed.
func diff(w wanted, o *observed) external.Changes {
	var c external.Changes
	change := func(differs bool, path string) {
		if differs {
			c.Paths = append(c.Paths, path)
		}
	}
	change(w.name != o.Name, "spec.name")
	change(w.description != nil && *w.description != o.Description, "spec.description")
	change(w.enterpriseProjectID != "" && w.enterpriseProjectID != servicestage.EnterpriseProject(o.EnterpriseProjectID), "spec.enterpriseProjectID")
	if o.labelsKnown {
		c.Paths = append(c.Paths, labels.Diff("spec.labels", w.labels, o.Labels)...)
	}
	if o.configurations != nil {
		for _, want := range w.configurations {
			c.Paths = append(c.Paths, diffEnv(want, o.configurations)...)
		}
		for _, id := range w.dropped(o) {
			c.Paths = append(c.Paths, fmt.Sprintf("spec.configurations[%s]", id))
		}
	}
	slices.Sort(c.Paths)
	return c
}

// path of a configuration.
func (c configuration) path() string { return fmt.Sprintf("spec.configurations[%s]", c.label) }

// diffEnv returns the path of every variable that differs.
func diffEnv(want configuration, observed map[string][]servicestage.EnvVar) []string {
	have, found := observed[want.environmentID]
	if !found {
		return []string{want.path()}
	}
	left := map[string]string{}
	for _, v := range have {
		left[v.Name] = v.Value
	}
	var paths []string
	path := func(name string) string { return fmt.Sprintf("%s.env[%s]", want.path(), name) }
	for _, v := range want.env {
		if value, there := left[v.Name]; !there || value != v.Value {
			paths = append(paths, path(v.Name))
		}
		delete(left, v.Name)
	}
	for name := range left {
		paths = append(paths, path(name))
	}
	return paths
}

// dropped lists the environments whose configuration this object wrote, wants no longer, and the cloud still holds.
func (w wanted) dropped(o *observed) []string {
	var ids []string
	for _, id := range w.written {
		wants := slices.ContainsFunc(w.configurations, func(c configuration) bool { return c.environmentID == id })
		if _, held := o.configurations[id]; held && !wants {
			ids = append(ids, id)
		}
	}
	return ids
}

// looksAtConfigurations says whether the configurations matter.
func (w wanted) looksAtConfigurations() bool {
	return len(w.configurations) > 0 || len(w.written) > 0
}

// updateOf is the update that makes the changes, and whether one is needed.
func updateOf(w wanted, o *observed, changes external.Changes, claim external.Claim) (servicestage.ApplicationUpdate, bool) {
	update := servicestage.ApplicationUpdate{Labels: labels.Update("spec.labels", w.labels, o.Labels, changes, claim)}
	needed := update.Labels != nil
	if changes.Has("spec.name") {
		update.Name, needed = &w.name, true
	}
	if changes.Has("spec.description") {
		update.Description, needed = w.description, true
	}
	if changes.Has("spec.enterpriseProjectID") {
		update.EnterpriseProjectID, needed = &w.enterpriseProjectID, true
	}
	return update, needed
}
