// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package microserviceengine realises MicroserviceEngines as exclusive CSE engines (API reference 7.3).
package microserviceengine

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient/cse"
	"servicestage.dev/operator/internal/cloudclient/vpc"
	"servicestage.dev/operator/internal/dependency"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/reconciler"
	"servicestage.dev/operator/internal/valuefrom"
)

// +kubebuilder:rbac:groups=servicestage.dev,resources=microserviceengines,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=servicestage.dev,resources=microserviceengines/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets;configmaps,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=create;patch;delete

// Definition of the kind. Secrets are read through live.
func Definition(accounts *account.Resolver, live client.Reader) reconciler.Definition[*v1alpha1.MicroserviceEngine, observed] {
	return reconciler.Definition[*v1alpha1.MicroserviceEngine, observed]{
		Name:        "microservice-engine",
		New:         func() *v1alpha1.MicroserviceEngine { return &v1alpha1.MicroserviceEngine{} },
		Kind:        kind{accounts: accounts, live: live},
		Fingerprint: func(o *observed) string { return fingerprint(&o.Engine) },
		References: []dependency.Reference{
			dependency.ToMetadata("spec.rootPasswordSecretRef", &v1alpha1.MicroserviceEngine{},
				schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, passwordSecret),
		},
		Unmarked: true,
		Publish:  publication,
	}
}

// passwordSecret is the Secret that an engine takes its root password from.
func passwordSecret(e *v1alpha1.MicroserviceEngine) []types.NamespacedName {
	if e.Spec.RootPasswordSecretRef == nil {
		return nil
	}
	return []types.NamespacedName{{Namespace: e.Namespace, Name: e.Spec.RootPasswordSecretRef.Name}}
}

type kind struct {
	accounts *account.Resolver
	live     client.Reader
}

// Bind resolves the account, and the root password where the engine is to be created: an object whose Secret is missing
// waits for it before anything is written down.
func (k kind) Bind(ctx context.Context, obj *v1alpha1.MicroserviceEngine, purpose external.Purpose) (external.Resource[observed], error) {
	session, err := k.accounts.Resolve(ctx, obj.Namespace, obj.Spec.AccountRef, purpose)
	if err != nil {
		return nil, err
	}
	r := &resource{
		cloud: cse.New(session.Cloud), networks: vpc.New(session.Cloud), wanted: wantedOf(obj, session.EnterpriseProjectID),
		id: obj.Status.ID, password: k.password(obj),
	}
	r.enterpriseProjectID = r.wanted.enterpriseProjectID
	if known := obj.Status.EnterpriseProjectID; known != "" && obj.Status.ID != "" {
		r.enterpriseProjectID = known
	}
	if purpose == external.ForDelete {
		return r, nil
	}
	r.usage = true
	if obj.Status.ID == "" && obj.Spec.Import == nil && obj.Spec.ManagementPolicy != v1alpha1.ManagementPolicyObserve {
		r.rootPassword, err = r.password(ctx)
	}
	return r, err
}

// password returns a function that reads the root password; it is empty for an engine without RBAC.
func (k kind) password(obj *v1alpha1.MicroserviceEngine) func(context.Context) (string, error) {
	namespace, authType, ref := obj.Namespace, obj.Spec.AuthType, obj.Spec.RootPasswordSecretRef.DeepCopy()
	return func(ctx context.Context) (string, error) {
		if authType == v1alpha1.EngineAuthNone || ref == nil {
			return "", nil
		}
		source := v1alpha1.ValueSource{SecretKeyRef: &v1alpha1.KeySelector{Name: ref.Name, Key: ref.Key}}
		password, _, err := valuefrom.Read(ctx, k.live, namespace, pathPassword, source)
		if err != nil {
			return "", err
		}
		return password, checkPassword(password, *ref)
	}
}

// Report copies what was observed into the status.
func (k kind) Report(obj *v1alpha1.MicroserviceEngine, o *observed) external.Health {
	return report(obj, o)
}

// Describe says what was observed as a spec.
func (k kind) Describe(o *observed) *v1alpha1.MicroserviceEngine {
	return &v1alpha1.MicroserviceEngine{Spec: SpecOf(&o.Engine)}
}
