// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package application

import (
	"fmt"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/external"
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
