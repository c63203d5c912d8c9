// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package application realises Applications as ServiceStage applications with their configurations (API reference 5.2).
package application

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/dependency"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/reconciler"
	"servicestage.dev/operator/internal/valuefrom"
)

// +kubebuilder:rbac:groups=servicestage.dev,resources=applications,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=servicestage.dev,resources=applications/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets;configmaps,verbs=get;list;watch

// Definition of the kind. Objects are read through c, Secrets and ConfigMaps through live.
func Definition(accounts *account.Resolver, c client.Client, live client.Reader) reconciler.Definition[*v1alpha1.Application, observed] {
	prototype := &v1alpha1.Application{}
	return reconciler.Definition[*v1alpha1.Application, observed]{
		Name:        "application",
		New:         func() *v1alpha1.Application { return &v1alpha1.Application{} },
		Kind:        kind{accounts: accounts, client: c, live: live},
		Fingerprint: func(o *observed) string { return fingerprint(&o.Application) },
		References: []dependency.Reference{
			dependency.New("spec.configurations.environmentRef", prototype, &v1alpha1.Environment{}, environments,
				dependency.IDVersion[*v1alpha1.Environment]).AsInput().Guarding(),
			dependency.ToMetadata("spec.configurations.env.valueFrom.secretKeyRef", prototype,
				schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, sources(func(s *v1alpha1.ValueSource) *v1alpha1.KeySelector { return s.SecretKeyRef })),
			dependency.ToMetadata("spec.configurations.env.valueFrom.configMapKeyRef", prototype,
				schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, sources(func(s *v1alpha1.ValueSource) *v1alpha1.KeySelector { return s.ConfigMapKeyRef })),
		},
	}
}

// environments lists the Environments that an application refers to by name.
func environments(a *v1alpha1.Application) []types.NamespacedName {
	var keys []types.NamespacedName
	for _, c := range a.Spec.Configurations {
		if c.EnvironmentRef.Name != "" {
			keys = append(keys, types.NamespacedName{Namespace: a.Namespace, Name: c.EnvironmentRef.Name})
		}
	}
	return keys
}

// sources lists the objects of one sort that an application takes values from.
func sources(of func(*v1alpha1.ValueSource) *v1alpha1.KeySelector) func(*v1alpha1.Application) []types.NamespacedName {
	return func(a *v1alpha1.Application) []types.NamespacedName {
		var keys []types.NamespacedName
		for _, c := range a.Spec.Configurations {
			for _, e := range c.Env {
				if e.ValueFrom == nil {
					continue
				}
				if selector := of(e.ValueFrom); selector != nil {
					keys = append(keys, types.NamespacedName{Namespace: a.Namespace, Name: selector.Name})
				}
			}
		}
		return keys
	}
}

type kind struct {
	accounts *account.Resolver
	client   client.Client
	live     client.Reader
}

// Bind resolves the account, the environments and the values.
func (k kind) Bind(ctx context.Context, obj *v1alpha1.Application, purpose external.Purpose) (external.Resource[observed], error) {
	session, err := k.accounts.Resolve(ctx, obj.Namespace, obj.Spec.AccountRef, purpose)
	if err != nil {
		return nil, err
	}
	r := &resource{cloud: servicestage.New(session.Cloud), wanted: wantedOf(obj, session.EnterpriseProjectID)}
	if purpose == external.ForDelete {
		return r, nil
	}
	for i := range obj.Spec.Configurations {
		c, err := k.configuration(ctx, obj, i)
		if err != nil {
			return nil, err
		}
		r.wanted.configurations = append(r.wanted.configurations, c)
	}
	return r, nil
}

// configuration resolves one configuration of the spec.
func (k kind) configuration(ctx context.Context, obj *v1alpha1.Application, i int) (configuration, error) {
	spec := obj.Spec.Configurations[i]
	field := fmt.Sprintf("spec.configurations[%d]", i)
	id, err := dependency.ID(ctx, k.client, obj.Namespace, field+".environmentRef", spec.EnvironmentRef, &v1alpha1.Environment{})
	if err != nil {
		return configuration{}, err
	}
	c := configuration{environmentID: id, label: spec.EnvironmentRef.Name + spec.EnvironmentRef.ID}
	for _, e := range spec.Env {
		variable := servicestage.EnvVar{Name: e.Name}
		switch {
		case e.Value != nil:
			variable.Value = *e.Value
		case e.ValueFrom != nil:
			variable.Value, _, err = valuefrom.Read(ctx, k.live, obj.Namespace, fmt.Sprintf("%s.env[%s].valueFrom", field, e.Name), *e.ValueFrom)
			if err != nil {
				return configuration{}, err
			}
		}
		c.env = append(c.env, variable)
	}
	return c, nil
}

// Report copies what was observed into the status.
func (k kind) Report(obj *v1alpha1.Application, o *observed) external.Health { return report(obj, o) }

// Describe says what was observed as a spec.
func (k kind) Describe(o *observed) *v1alpha1.Application {
	var configurations []servicestage.ApplicationConfiguration
	for _, id := range slices.Sorted(maps.Keys(o.configurations)) {
		configurations = append(configurations, servicestage.ApplicationConfiguration{EnvironmentID: id, Env: o.configurations[id]})
	}
	return &v1alpha1.Application{Spec: SpecOf(&o.Application, configurations)}
}
