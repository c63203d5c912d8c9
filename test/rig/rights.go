// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Rights are verbs with what they are good for, such as "get secrets" or "patch servicestage.dev/environments/status".
type Rights = sets.Set[string]

// RarelyUsed are rights that the manager needs in situations that no end-to-end test brings about.
func RarelyUsed() Rights {
	return sets.New(
		"patch events.k8s.io/events", // the same event again, within minutes
		"patch events",
	)
}

// RightsOf returns what rules grant.
func RightsOf(rules ...rbacv1.PolicyRule) Rights {
	rights := sets.New[string]()
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					rights.Insert(right(verb, group, resource))
				}
			}
		}
	}
	return rights
}

// RightsUsed returns what a user has asked the API server for so far, and what of that no role allowed. Needs
// ControlPlaneOptions.Audit.
func (cp *ControlPlane) RightsUsed(user string) (used, refused Rights, err error) {
	requests, err := cp.Audit(func(r Request) bool { return r.User == user })
	if err != nil {
		return nil, nil, err
	}
	used, refused = sets.New[string](), sets.New[string]()
	for _, r := range requests {
		if r.Resource == "" {
			continue // a look at what the API server offers, which everyone may take
		}
		resource := r.Resource
		if r.Subresource != "" {
			resource += "/" + r.Subresource
		}
		for _, verb := range sameAccess(r.Verb) {
			used.Insert(right(verb, r.Group, resource))
		}
		if r.Forbidden {
			refused.Insert(right(r.Verb, r.Group, resource))
		}
	}
	return used, refused, nil
}

// ServiceAccountUser is the name by which the API server knows a service account.
func ServiceAccountUser(namespace, name string) string {
	return fmt.Sprintf("system:serviceaccount:%s:%s", namespace, name)
}

// sameAccess returns the verbs that show no more than the given one does: informers list or stream, as the server can.
func sameAccess(verb string) []string {
	reading := []string{"get", "list", "watch"}
	if verb != "get" && slices.Contains(reading, verb) {
		return reading
	}
	return []string{verb}
}

func right(verb, group, resource string) string {
	return verb + " " + strings.TrimPrefix(group+"/"+resource, "/")
}

// RightsGranted returns what the roles that are bound to a service account grant it, in whatever namespace.
func RightsGranted(ctx context.Context, c client.Client, namespace, name string) (Rights, error) {
	var everywhere rbacv1.ClusterRoleBindingList
	var somewhere rbacv1.RoleBindingList
	if err := errors.Join(c.List(ctx, &everywhere), c.List(ctx, &somewhere)); err != nil {
		return nil, err
	}
	isIt := func(s rbacv1.Subject) bool {
		return s.Kind == rbacv1.ServiceAccountKind && s.Namespace == namespace && s.Name == name
	}
	rights := sets.New[string]()
	add := func(namespace string, ref rbacv1.RoleRef) error {
		var role rbacv1.ClusterRole
		if ref.Kind == "Role" {
			var within rbacv1.Role
			if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, &within); err != nil {
				return err
			}
			role.Rules = within.Rules
		} else if err := c.Get(ctx, client.ObjectKey{Name: ref.Name}, &role); err != nil {
			return err
		}
		rights = rights.Union(RightsOf(role.Rules...))
		return nil
	}
	var errs []error
	for _, binding := range everywhere.Items {
		if slices.ContainsFunc(binding.Subjects, isIt) {
			errs = append(errs, add("", binding.RoleRef))
		}
	}
	for _, binding := range somewhere.Items {
		if slices.ContainsFunc(binding.Subjects, isIt) {
			errs = append(errs, add(binding.Namespace, binding.RoleRef))
		}
	}
	return rights, errors.Join(errs...)
}
