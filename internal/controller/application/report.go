// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package application

import (
	"fmt"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/controller/internal/labels"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/roster"
)

// report copies what was observed into the status. An application that exists can be used.
func report(obj *v1alpha1.Application, o *observed) external.Health {
	status := &obj.Status
	status.Name = o.Name
	status.EnterpriseProjectID = servicestage.EnterpriseProject(o.EnterpriseProjectID)
	status.ComponentCount = conditions.Count(o.ComponentCount)
	if o.configurations != nil {
		status.Configurations = nil
		for _, id := range o.ours {
			status.Configurations = append(status.Configurations, v1alpha1.ObservedApplicationConfiguration{
				EnvironmentID: id, Variables: conditions.Count(len(o.configurations[id])),
			})
		}
	}
	return external.Health{State: external.Healthy, Message: fmt.Sprintf("Application %s is available.", o.Name)}
}

// fingerprint is of what both the list and the detail show of an application.
func fingerprint(a *servicestage.Application) string {
	return roster.Fingerprint(a.UpdateTime, a.Name, a.Description)
}

// SpecOf is the spec that says what the cloud holds of an application: applied, it changes nothing. Environments are
// referred to by id, and every value is there in the clear.
func SpecOf(a *servicestage.Application, configurations []servicestage.ApplicationConfiguration) v1alpha1.ApplicationSpec {
	spec := v1alpha1.ApplicationSpec{
		Name: a.Name, EnterpriseProjectID: servicestage.EnterpriseProject(a.EnterpriseProjectID), Labels: labels.Spec(a.Labels)}
	if a.Description != "" {
		spec.Description = &a.Description
	}
	for _, c := range configurations {
		env := []v1alpha1.EnvVar{}
		for _, v := range c.Env {
			env = append(env, v1alpha1.EnvVar{Name: v.Name, Value: &v.Value})
		}
		spec.Configurations = append(spec.Configurations, v1alpha1.ApplicationConfiguration{
			EnvironmentRef: v1alpha1.Reference{ID: c.EnvironmentID}, Env: env,
		})
	}
	return spec
}
