// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package estate

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cli/secret"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/application"
	"servicestage.dev/operator/internal/external"
)

// Applications reads the applications of an account with their configurations.
func Applications(ctx context.Context, e *Estate) iter.Seq2[*Item, error] {
	cloud := servicestage.New(e.Session.Cloud)
	return items(ctx, e, collection[servicestage.Application]{
		kind: "Application", plural: "applications",
		list: cloud.ListApplications(ctx, servicestage.ApplicationListOptions{}),
		id:   func(r *servicestage.Application) string { return r.ID },
		name: func(r *servicestage.Application) string { return r.Name },
		read: func(ctx context.Context, r *servicestage.Application) (*Item, error) {
			configurations, err := cloud.ListApplicationConfigurations(ctx, r.ID, "")
			if clouderr.Is(err, clouderr.Forbidden) {
				e.LeaveOut(fmt.Sprintf("spec.configurations of Application %q (id %s)", r.Name, r.ID), clouderr.UserMessage(err))
			} else if err != nil {
				return nil, err
			}
			return e.application(r, configurations), nil
		},
	})
}

func (e *Estate) application(r *servicestage.Application, configurations []servicestage.ApplicationConfiguration) *Item {
	h := e.head("Application", r.ID, r.Name, "", claimed(r.Labels))
	obj := &v1alpha1.Application{ObjectMeta: h.meta, Spec: application.SpecOf(r, configurations)}
	obj.Spec.ResourceSpec, obj.Spec.Name = h.spec, h.cloudName
	obj.Spec.EnterpriseProjectID = e.enterpriseProject(obj.Spec.EnterpriseProjectID)
	item := &Item{Object: obj, Notes: h.notes}
	for i := range obj.Spec.Configurations {
		c := &obj.Spec.Configurations[i]
		id := c.EnvironmentRef.ID
		c.EnvironmentRef = e.ref("Environment", id)
		item.hideValues(obj, c, e.nameOr("Environment", id, id))
	}
	return item
}

// hideValues moves values that look like secrets out of a configuration, into a Secret that the item names.
func (i *Item) hideValues(obj *v1alpha1.Application, c *v1alpha1.ApplicationConfiguration, environment string) {
	held := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: obj.Namespace, Name: Name(obj.Name+"-"+environment) + "-variables"},
		Type:       corev1.SecretTypeOpaque, Data: map[string][]byte{},
	}
	var keys []string
	for n := range c.Env {
		v := &c.Env[n]
		if v.Value == nil || !secret.Is(v.Name, *v.Value) {
			continue
		}
		held.Data[v.Name] = []byte(*v.Value)
		keys = append(keys, v.Name)
		v.Value, v.ValueFrom = nil, &v1alpha1.ValueSource{SecretKeyRef: &v1alpha1.KeySelector{Name: held.Name, Key: v.Name}}
	}
	if len(keys) == 0 {
		return
	}
	slices.Sort(keys)
	i.Secrets = append(i.Secrets, held)
	files := make([]string, 0, len(keys))
	for _, key := range keys {
		files = append(files, "--from-file="+key)
	}
	i.Notes = append(i.Notes, fmt.Sprintf(
		"%s of environment %s may be secret: what the cloud holds is taken from the Secret %s and not written here. Until that is "+
			"there the Application waits, and nothing changes. import --create-secrets creates it, or:\n"+
			"  kubectl create secret generic %s --namespace=%s %s",
		strings.Join(keys, ", "), environment, held.Name, held.Name, obj.Namespace, strings.Join(files, " ")))
}

// claimed says whether labels carry the claim of an object.
func claimed(labels []servicestage.Label) bool {
	return slices.ContainsFunc(labels, func(l servicestage.Label) bool { return l.Key == external.LabelKey })
}
