// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package account turns CloudAccounts and ClusterCloudAccounts into authenticated, rate-limited clients. All objects
// that use an account share its client, and with it the connection pool, the token, the limits and the knowledge that
// the credentials were refused.
package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/external"
)

// Object is either kind of account.
type Object interface {
	client.Object
	AccountSpec() *v1alpha1.AccountSpec
	AccountStatus() *v1alpha1.AccountStatus
	SecretReference() v1alpha1.NamespacedObjectReference
}

// Key identifies an account: a ClusterCloudAccount has no namespace.
type Key = types.NamespacedName

// Session is what a kind needs to make calls for an object.
type Session struct {
	// Cloud is the account's client.
	Cloud *cloudclient.Client
	// Version changes with the account and its credentials.
	Version string
	// EnterpriseProjectID for resources that name none; "0" is the default enterprise project.
	EnterpriseProjectID string
}

// RefKey is the key of the account that an object of the namespace refers to.
func RefKey(namespace string, ref v1alpha1.AccountReference) Key {
	if ref.Kind == v1alpha1.AccountKindCluster {
		return Key{Name: ref.Name}
	}
	return Key{Namespace: namespace, Name: ref.Name}
}

// Resolver finds the session of the account that an object refers to.
type Resolver struct {
	client client.Client
	pool   *Pool
	// namespacedOnly is set where ClusterCloudAccounts cannot be read.
	namespacedOnly bool
}

// NewResolver returns a resolver that reads accounts through c and takes sessions from pool.
func NewResolver(c client.Client, pool *Pool) *Resolver { return &Resolver{client: c, pool: pool} }

// NamespacedOnly returns a resolver that refuses every ClusterCloudAccount, without a look at it: a manager that has
// rights in its namespaces alone may not read them.
func (r *Resolver) NamespacedOnly() *Resolver {
	return &Resolver{client: r.client, pool: r.pool, namespacedOnly: true}
}

// Resolve returns the session of the account that ref names, for an object of the namespace. It returns an
// *external.WaitError while the account is missing, is not ready, or may not be used. For deletion the session that
// worked last will do, so that objects can go after their Secret went.
func (r *Resolver) Resolve(ctx context.Context, namespace string, ref v1alpha1.AccountReference, purpose external.Purpose) (*Session, error) {
	session, err := r.resolve(ctx, namespace, ref, purpose)
	if err != nil || purpose != external.ForPoll {
		return session, err
	}
	polling := *session
	polling.Cloud = session.Cloud.Polling()
	return &polling, nil
}

func (r *Resolver) resolve(ctx context.Context, namespace string, ref v1alpha1.AccountReference, purpose external.Purpose) (*Session, error) {
	account, err := r.get(ctx, namespace, ref)
	if err != nil {
		return nil, err
	}
	if err := r.allowed(ctx, namespace, account); err != nil {
		return nil, err
	}
	unusable := notReady(ref, account)
	if usable(account) {
		session, err := r.pool.Session(ctx, account)
		if err == nil {
			return session, nil
		}
		if config := (*ConfigError)(nil); !errors.As(err, &config) {
			return nil, err // the API server's trouble passes by itself
		}
		unusable = waitFor(external.NotReady, !errors.Is(err, errUntried), "spec.accountRef: %s %q cannot be used: %s", ref.Kind, ref.Name, userMessage(err))
	}
	if purpose == external.ForDelete {
		if session, ok := r.pool.Pooled(client.ObjectKeyFromObject(account)); ok && session.Cloud.Refused() == nil {
			return session, nil
		}
	}
	return nil, unusable
}

func (r *Resolver) get(ctx context.Context, namespace string, ref v1alpha1.AccountReference) (Object, error) {
	var account Object = &v1alpha1.CloudAccount{}
	where := "in namespace " + namespace
	if ref.Kind == v1alpha1.AccountKindCluster {
		if r.namespacedOnly {
			return nil, waitFor(external.NotAllowed, true, "spec.accountRef: this operator was started with --cluster-accounts=false and may not use ClusterCloudAccount %q; delete this object and create it anew with a CloudAccount of namespace %s, or let the operator serve cluster accounts", ref.Name, namespace)
		}
		account, where = &v1alpha1.ClusterCloudAccount{}, "in the cluster"
	}
	err := r.client.Get(ctx, RefKey(namespace, ref), account)
	if apierrors.IsNotFound(err) {
		return nil, waitFor(external.NotFound, false, "spec.accountRef: there is no %s %q %s; create it, or name another in spec.accountRef", ref.Kind, ref.Name, where)
	}
	return account, err
}

// allowed refuses a namespace that a ClusterCloudAccount does not name.
func (r *Resolver) allowed(ctx context.Context, namespace string, account Object) error {
	cluster, ok := account.(*v1alpha1.ClusterCloudAccount)
	if !ok {
		return nil
	}
	refused := waitFor(external.NotAllowed, true, "spec.accountRef: ClusterCloudAccount %q does not allow namespace %s; add it to the account's spec.allowedNamespaces", account.GetName(), namespace)
	allowed := cluster.Spec.AllowedNamespaces
	if allowed == nil {
		return refused
	}
	if slices.Contains(allowed.Names, namespace) || slices.Contains(allowed.Names, "*") {
		return nil
	}
	if allowed.Selector == nil {
		return refused
	}
	selector, err := metav1.LabelSelectorAsSelector(allowed.Selector)
	if err != nil {
		return waitFor(external.NotAllowed, true, "spec.accountRef: spec.allowedNamespaces.selector of ClusterCloudAccount %q is not valid: %v", account.GetName(), err)
	}
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := r.client.Get(ctx, types.NamespacedName{Name: namespace}, ns); err != nil {
		return fmt.Errorf("read the labels of namespace %s: %w", namespace, err)
	}
	if !selector.Matches(labels.Set(ns.Labels)) {
		return refused
	}
	return nil
}

// usable says whether the cloud accepted the account as it is now.
func usable(account Object) bool {
	status := account.AccountStatus()
	return status.ObservedGeneration == account.GetGeneration() && conditions.IsTrue(status.Conditions, v1alpha1.ConditionReady)
}

func notReady(ref v1alpha1.AccountReference, account Object) error {
	status := account.AccountStatus()
	message := "it was not checked yet"
	for _, c := range status.Conditions {
		if c.Type == v1alpha1.ConditionReady && c.Message != "" && status.ObservedGeneration == account.GetGeneration() {
			message = c.Message
		}
	}
	stalled := conditions.IsTrue(status.Conditions, v1alpha1.ConditionStalled)
	return waitFor(external.NotReady, stalled, "spec.accountRef: %s %q is not ready: %s", ref.Kind, ref.Name, message)
}

func waitFor(reason external.WaitReason, stalled bool, format string, args ...any) error {
	return &external.WaitError{Cause: external.WaitForCredentials, Reason: reason, Stalled: stalled, Message: fmt.Sprintf(format, args...)}
}
