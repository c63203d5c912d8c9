// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package environment realises Environments as ServiceStage environments (API reference 5.1).
package environment

import (
	"context"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/reconciler"
)

// +kubebuilder:rbac:groups=servicestage.dev,resources=environments,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=servicestage.dev,resources=environments/status,verbs=patch

// Definition of the kind.
func Definition(accounts *account.Resolver) reconciler.Definition[*v1alpha1.Environment, observed] {
	return reconciler.Definition[*v1alpha1.Environment, observed]{
		Name: "environment",
		New:  func() *v1alpha1.Environment { return &v1alpha1.Environment{} },
		Kind: kind{accounts: accounts},
	}
}

type kind struct {
	accounts *account.Resolver
}

// Bind resolves the account and the references.
func (k kind) Bind(ctx context.Context, obj *v1alpha1.Environment, purpose external.Purpose) (external.Resource[observed], error) {
	session, err := k.accounts.Resolve(ctx, obj.Namespace, obj.Spec.AccountRef, purpose)
	if err != nil {
		return nil, err
	}
	r := &resource{cloud: servicestage.New(session.Cloud)}
	if purpose == external.ForDelete {
		return r, nil
	}
	r.wanted, err = wantedOf(obj, session.EnterpriseProjectID)
	return r, err
}

// Report copies what was observed into the status.
func (k kind) Report(obj *v1alpha1.Environment, o *observed) external.Health { return report(obj, o) }

// Describe says what was observed as a spec.
func (k kind) Describe(o *observed) *v1alpha1.Environment {
	return &v1alpha1.Environment{Spec: SpecOf(&o.Environment, o.Resources)}
}
