// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package component realises Components as ServiceStage components (API reference 5.3 and 5.4).
package component

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/internal/body"
	"servicestage.dev/operator/internal/controller/internal/engine"
	"servicestage.dev/operator/internal/dependency"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/reconciler"
)

// +kubebuilder:rbac:groups=servicestage.dev,resources=components,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=servicestage.dev,resources=components/status,verbs=patch

// Definition of the kind. Objects are read through c.
func Definition(accounts *account.Resolver, c client.Client) reconciler.Definition[*v1alpha1.Component, observed] {
	prototype := &v1alpha1.Component{}
	return reconciler.Definition[*v1alpha1.Component, observed]{
		Name:        "component",
		New:         func() *v1alpha1.Component { return &v1alpha1.Component{} },
		Kind:        kind{accounts: accounts, client: c},
		Fingerprint: func(o *observed) string { return fingerprint(&o.Component) },
		Annotations: []string{v1alpha1.RestartedAtAnnotation},
		References: []dependency.Reference{
			dependency.New("spec.applicationRef", prototype, &v1alpha1.Application{}, applications,
				dependency.IDVersion[*v1alpha1.Application]).AsInput().Guarding(),
			dependency.New("spec.environmentRef", prototype, &v1alpha1.Environment{}, environments, environmentVersion).AsInput().Guarding(),
			dependency.New("spec.references.engineRef", prototype, &v1alpha1.MicroserviceEngine{}, engines, engine.Version).AsInput().Guarding(),
		},
	}
}

func applications(c *v1alpha1.Component) []types.NamespacedName {
	return named(c, c.Spec.ApplicationRef)
}

func environments(c *v1alpha1.Component) []types.NamespacedName {
	keys := named(c, c.Spec.EnvironmentRef)
	if c.Spec.Build != nil && c.Spec.Build.EnvironmentRef != nil {
		keys = append(keys, named(c, *c.Spec.Build.EnvironmentRef)...)
	}
	return keys
}

// engines lists the MicroserviceEngines that a component refers to by name.
func engines(c *v1alpha1.Component) []types.NamespacedName {
	var keys []types.NamespacedName
	for _, r := range c.Spec.References {
		if r.EngineRef != nil {
			keys = append(keys, types.NamespacedName{Namespace: c.Namespace, Name: r.EngineRef.Name})
		}
	}
	return keys
}

func named(c *v1alpha1.Component, ref v1alpha1.Reference) []types.NamespacedName {
	if ref.Name == "" {
		return nil
	}
	return []types.NamespacedName{{Namespace: c.Namespace, Name: ref.Name}}
}

// environmentVersion changes with the environment's id and with the clusters that are bound to it.
func environmentVersion(e *v1alpha1.Environment) string {
	version := e.Status.ID
	for _, r := range e.Status.Resources {
		if r.Type == "cce" {
			version += " " + r.ID
		}
	}
	return version
}

type kind struct {
	accounts *account.Resolver
	client   client.Client
}

// Bind resolves the account and the references.
func (k kind) Bind(ctx context.Context, obj *v1alpha1.Component, purpose external.Purpose) (external.Resource[observed], error) {
	session, err := k.accounts.Resolve(ctx, obj.Namespace, obj.Spec.AccountRef, purpose)
	if err != nil {
		return nil, err
	}
	r := &resource{cloud: servicestage.New(session.Cloud), applicationID: obj.Status.ApplicationID, status: obj.Status.DeepCopy()}
	if r.applicationID == "" {
		r.applicationID = obj.Spec.ApplicationRef.ID
	}
	if purpose == external.ForDelete {
		return r, nil
	}
	if err := k.resolve(ctx, obj, r); err != nil {
		return nil, err
	}
	return r, nil
}

// resolve resolves what the spec refers to.
func (k kind) resolve(ctx context.Context, obj *v1alpha1.Component, r *resource) error {
	var err error
	if r.applicationID, err = dependency.ID(ctx, k.client, obj.Namespace, "spec.applicationRef", obj.Spec.ApplicationRef, &v1alpha1.Application{}); err != nil {
		return err
	}
	environment := &v1alpha1.Environment{}
	var refs body.Resolved
	if refs.EnvironmentID, err = dependency.ID(ctx, k.client, obj.Namespace, "spec.environmentRef", obj.Spec.EnvironmentRef, environment); err != nil {
		return err
	}
	if err := clusterBound(obj, environment); err != nil {
		return err
	}
	if obj.Spec.Build != nil && obj.Spec.Build.EnvironmentRef != nil {
		refs.BuildEnvironmentID, err = dependency.ID(ctx, k.client, obj.Namespace, "spec.build.environmentRef", *obj.Spec.Build.EnvironmentRef, &v1alpha1.Environment{})
		if err != nil {
			return err
		}
	}
	refs.EngineIDs = map[string]string{}
	for i, ref := range obj.Spec.References {
		if ref.EngineRef == nil {
			continue
		}
		name := ref.EngineRef.Name
		if refs.EngineIDs[name], err = engine.ID(ctx, k.client, obj.Namespace, fmt.Sprintf("spec.references[%d].engineRef", i), name); err != nil {
			return err
		}
	}
	r.wanted = wantedOf(obj, refs)
	return nil
}

// Report copies what was observed into the status.
func (k kind) Report(obj *v1alpha1.Component, o *observed) external.Health { return report(obj, o) }

// Describe says what was observed as a spec.
func (k kind) Describe(o *observed) *v1alpha1.Component {
	return &v1alpha1.Component{Spec: SpecOf(&o.Component, nil)}
}
