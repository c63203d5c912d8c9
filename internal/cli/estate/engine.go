// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package estate

import (
	"context"
	"fmt"
	"iter"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/cse"
	"servicestage.dev/operator/internal/controller/microserviceengine"
)

// Engines reads the exclusive microservice engines of an account.
func Engines(ctx context.Context, e *Estate) iter.Seq2[*Item, error] {
	cloud := cse.New(e.Session.Cloud)
	return items(ctx, e, collection[cse.Engine]{
		kind: "MicroserviceEngine", plural: "microservice engines",
		list: cloud.ListEngines(ctx),
		id:   func(r *cse.Engine) string { return r.ID },
		name: func(r *cse.Engine) string { return r.Name },
		read: func(ctx context.Context, listed *cse.Engine) (*Item, error) {
			switch {
			case listed.Default, listed.Status == cse.StatusDeleted, listed.Status == cse.StatusDeleting:
				return nil, nil // the default engine is the cloud's own
			case listed.SpecType != cse.SpecTypeCSE2 && listed.SpecType != "":
				e.LeaveOut(fmt.Sprintf("MicroserviceEngine %q (id %s)", listed.Name, listed.ID), "no kind stands for engines of the sort "+listed.SpecType)
				return nil, nil
			}
			r, err := cloud.GetEngine(ctx, listed.EnterpriseProjectID, listed.ID)
			if err != nil {
				return nil, err
			}
			return e.engine(r), nil
		},
	})
}

func (e *Estate) engine(r *cse.Engine) *Item {
	h := e.head("MicroserviceEngine", r.ID, r.Name, "", false)
	obj := &v1alpha1.MicroserviceEngine{ObjectMeta: h.meta, Spec: microserviceengine.SpecOf(r)}
	obj.Spec.ResourceSpec, obj.Spec.Name = h.spec, h.cloudName
	obj.Spec.EnterpriseProjectID = e.enterpriseProject(obj.Spec.EnterpriseProjectID)
	return &Item{Object: obj, Notes: h.notes}
}

// engineRef refers to an engine by the name of its object, nil where none stands for it.
func (e *Estate) engineRef(id string) *v1alpha1.ObjectReference {
	if name, known := e.refs["MicroserviceEngine"][id]; known {
		return &v1alpha1.ObjectReference{Name: name}
	}
	return nil
}
