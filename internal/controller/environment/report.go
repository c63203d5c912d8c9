// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"cmp"
	"fmt"
	"slices"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/internal/labels"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/roster"
)

// maxResources is how many resources the status lists.
const maxResources = 64

// report copies what was observed into the status. An environment that exists can be used.
func report(obj *v1alpha1.Environment, o *observed) external.Health {
	status := &obj.Status
	status.Name = o.Name
	status.DeployMode = o.DeployMode
	status.VPCID = o.VPCID
	status.EnterpriseProjectID = servicestage.EnterpriseProject(o.EnterpriseProjectID)
	if o.resourcesKnown {
		status.Resources = nil
		for _, r := range o.Resources {
			status.Resources = append(status.Resources, v1alpha1.ObservedEnvironmentResource{Type: r.Type, ID: r.ID, Name: r.Name})
		}
		slices.SortFunc(status.Resources, func(a, b v1alpha1.ObservedEnvironmentResource) int {
			return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
		})
		if len(status.Resources) > maxResources {
			status.Resources = status.Resources[:maxResources]
		}
	}
	return external.Health{State: external.Healthy, Message: fmt.Sprintf("Environment %s is available.", o.Name)}
}

// fingerprint is of what both the list and the detail show of an environment.
func fingerprint(e *servicestage.Environment) string {
	return roster.Fingerprint(e.UpdateTime, e.Name, e.Description)
}

// SpecOf is the spec that says what the cloud holds of an environment: applied, it changes nothing. Resources are nil
// where they are not known. Labels without entries, and what is empty, are left out.
func SpecOf(e *servicestage.Environment, resources []servicestage.EnvironmentResource) v1alpha1.EnvironmentSpec {
	spec := v1alpha1.EnvironmentSpec{
		Name:       e.Name,
		DeployMode: v1alpha1.DeployMode(e.DeployMode), EnterpriseProjectID: servicestage.EnterpriseProject(e.EnterpriseProjectID),
		VPCID: e.VPCID, Labels: labels.Spec(e.Labels),
	}
	if e.Description != "" {
		spec.Description = &e.Description
	}
	for _, r := range resources {
		if r.Type != "vpc" {
			spec.Resources = append(spec.Resources, v1alpha1.EnvironmentResource{Type: v1alpha1.EnvironmentResourceType(r.Type), ID: r.ID, Name: r.Name})
		}
	}
	return spec
}
