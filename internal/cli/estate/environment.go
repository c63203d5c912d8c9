// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package estate

import (
	"context"
	"fmt"
	"iter"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/environment"
)

// Environments reads the environments of an account.
func Environments(ctx context.Context, e *Estate) iter.Seq2[*Item, error] {
	cloud := servicestage.New(e.Session.Cloud)
	return items(ctx, e, collection[servicestage.Environment]{
		kind: "Environment", plural: "environments",
		list: cloud.ListEnvironments(ctx, servicestage.EnvironmentListOptions{}),
		id:   func(r *servicestage.Environment) string { return r.ID },
		name: func(r *servicestage.Environment) string { return r.Name },
		read: func(ctx context.Context, r *servicestage.Environment) (*Item, error) {
			resources, err := cloud.GetEnvironmentResources(ctx, r.ID)
			if clouderr.Is(err, clouderr.Forbidden) {
				e.LeaveOut(fmt.Sprintf("spec.resources of Environment %q (id %s)", r.Name, r.ID), clouderr.UserMessage(err))
			} else if err != nil {
				return nil, err
			}
			return e.environment(r, resources), nil
		},
	})
}

func (e *Estate) environment(r *servicestage.Environment, resources []servicestage.EnvironmentResource) *Item {
	h := e.head("Environment", r.ID, r.Name, "", claimed(r.Labels))
	obj := &v1alpha1.Environment{ObjectMeta: h.meta, Spec: environment.SpecOf(r, resources)}
	obj.Spec.ResourceSpec, obj.Spec.Name = h.spec, h.cloudName
	obj.Spec.EnterpriseProjectID = e.enterpriseProject(obj.Spec.EnterpriseProjectID)
	return &Item{Object: obj, Notes: h.notes}
}

// enterpriseProject leaves out that of the account.
func (e *Estate) enterpriseProject(id string) string {
	if id == servicestage.EnterpriseProject(e.Session.EnterpriseProjectID) {
		return ""
	}
	return id
}
