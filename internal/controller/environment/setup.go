// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package environment realises Environments as ServiceStage environments (API reference 5.1).
package environment

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/internal/engine"
	"servicestage.dev/operator/internal/dependency"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/reconciler"
)

// +kubebuilder:rbac:groups=servicestage.dev,resources=environments,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=servicestage.dev,resources=environments/status,verbs=patch

// Definition of the kind. Objects are read through c.
func Definition(accounts *account.Resolver, c client.Client) reconciler.Definition[*v1alpha1.Environment, observed] {
	return reconciler.Definition[*v1alpha1.Environment, observed]{
		Name:        "environment",
		New:         func() *v1alpha1.Environment { return &v1alpha1.Environment{} },
		Kind:        kind{accounts: accounts, client: c},
		Fingerprint: func(o *observed) string { return fingerprint(&o.Environment) },
		References: []dependency.Reference{
			dependency.New("spec.resources.engineRef", &v1alpha1.Environment{}, &v1alpha1.MicroserviceEngine{}, engines, engine.Version).AsInput().Guarding(),
		},
	}
}

// engines lists the MicroserviceEngines that an environment refers to by name.
func engines(e *v1alpha1.Environment) []types.NamespacedName {
	var keys []types.NamespacedName
	for _, r := range e.Spec.Resources {
		if r.EngineRef != nil {
			keys = append(keys, types.NamespacedName{Namespace: e.Namespace, Name: r.EngineRef.Name})
		}
	}
	return keys
}

type kind struct {
	accounts *account.Resolver
	client   client.Client
}

// Bind resolves the account and the engines.
func (k kind) Bind(ctx context.Context, obj *v1alpha1.Environment, purpose external.Purpose) (external.Resource[observed], error) {
	session, err := k.accounts.Resolve(ctx, obj.Namespace, obj.Spec.AccountRef, purpose)
	if err != nil {
		return nil, err
	}
	r := &resource{cloud: servicestage.New(session.Cloud)}
	if purpose == external.ForDelete {
		return r, nil
	}
	r.wanted = wantedOf(obj, session.EnterpriseProjectID)
	for i, ref := range obj.Spec.Resources {
		if ref.EngineRef == nil {
			continue
		}
		field := fmt.Sprintf("spec.resources[%d].engineRef", i)
		if r.wanted.resources[i].ID, err = engine.ID(ctx, k.client, obj.Namespace, field, ref.EngineRef.Name); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Report copies what was observed into the status.
func (k kind) Report(obj *v1alpha1.Environment, o *observed) external.Health { return report(obj, o) }

// Describe says what was observed as a spec.
func (k kind) Describe(o *observed) *v1alpha1.Environment {
	return &v1alpha1.Environment{Spec: SpecOf(&o.Environment, o.Resources)}
}
