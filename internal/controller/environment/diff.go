// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"fmt"
	"slices"
	"strings"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/internal/labels"
	"servicestage.dev/operator/internal/external"
)

// wanted is what the spec comes to once everything it refers to is resolved. What is nil is not managed.
type wanted struct {
	name                string
	deployMode          string
	description         *string
	vpcID               string
	enterpriseProjectID string
	// defaultEnterpriseProjectID is the account's, for creating where the spec names none.
	defaultEnterpriseProjectID string
	labels                     map[string]string
	resources                  []servicestage.EnvironmentResource
}

// observed is an environment as the cloud holds it.
type observed struct {
	servicestage.Environment
	// labelsKnown and resourcesKnown are false where the call that was made leaves them out.
	labelsKnown, resourcesKnown bool
}

// wantedOf reads the spec. Engines that it names by objects have no id yet.
func wantedOf(obj *v1alpha1.Environment, defaultEnterpriseProjectID string) wanted {
	spec := &obj.Spec
	w := wanted{
		name: obj.CloudName(), deployMode: string(spec.DeployMode), description: spec.Description, vpcID: spec.VPCID,
		enterpriseProjectID: spec.EnterpriseProjectID, defaultEnterpriseProjectID: defaultEnterpriseProjectID,
		labels: spec.Labels,
	}
	if spec.Resources == nil {
		return w
	}
	w.resources = []servicestage.EnvironmentResource{}
	for _, r := range spec.Resources {
		w.resources = append(w.resources, servicestage.EnvironmentResource{ID: r.ID, Name: r.Name, Type: string(r.Type)})
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
	fixed := func(want, have, path string) {
		if want != "" && want != have {
			c.Immutable = append(c.Immutable, path)
		}
	}
	fixed(w.deployMode, o.DeployMode, "spec.deployMode")
	fixed(w.enterpriseProjectID, servicestage.EnterpriseProject(o.EnterpriseProjectID), "spec.enterpriseProjectID")
	fixed(w.vpcID, o.VPCID, "spec.vpcID")

	change(w.description != nil && *w.description != o.Description, "spec.description")
	if o.labelsKnown {
		c.Paths = append(c.Paths, labels.Diff("spec.labels", w.labels, o.Labels)...)
	}
	change(!strings.EqualFold(w.name, o.Name), "spec.name") // letters are case insensitive (table 5-3)
	if o.resourcesKnown {
		c.Paths = append(c.Paths, diffResources(w.resources, o.Resources)...)
	}
	slices.Sort(c.Paths)
	return c
}

// diffResources compares resources by type and id; their order does not matter, and the cloud may forget their names.
// The VPC is shown among them and is not ours to bind.
func diffResources(want, have []servicestage.EnvironmentResource) []string {
	if want == nil {
		return nil
	}
	type key struct{ kind, id string }
	bound := map[key]string{}
	for _, r := range have {
		if r.Type != "vpc" {
			bound[key{r.Type, r.ID}] = r.Name
		}
	}
	var paths []string
	path := func(k key) string { return fmt.Sprintf("spec.resources[%s/%s]", k.kind, k.id) }
	for _, r := range want {
		k := key{r.Type, r.ID}
		name, found := bound[k]
		if !found || (name != "" && r.Name != "" && name != r.Name) {
			paths = append(paths, path(k))
		}
		delete(bound, k)
	}
	for k := range bound {
		paths = append(paths, path(k))
	}
	return paths
}

// updateOf is the update that makes the changes, and whether one is needed. The cloud wants the name every time.
func updateOf(w wanted, o *observed, changes external.Changes, claim external.Claim) (servicestage.EnvironmentUpdate, bool) {
	update := servicestage.EnvironmentUpdate{Name: o.Name, Labels: labels.Update("spec.labels", w.labels, o.Labels, changes, claim)}
	needed := update.Labels != nil
	if changes.Has("spec.name") {
		update.Name, needed = w.name, true
	}
	if changes.Has("spec.description") {
		update.Description, needed = w.description, true
	}
	return update, needed
}

// changesResources says whether the list of resources must be written.
func changesResources(changes external.Changes) bool { return changes.Within("spec.resources") }
