// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package estate

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cli/secret"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/component"
)

// Components reads the components of an account.
func Components(ctx context.Context, e *Estate) iter.Seq2[*Item, error] {
	cloud := servicestage.New(e.Session.Cloud)
	return items(ctx, e, collection[servicestage.Component]{
		kind: "Component", plural: "components",
		list: cloud.ListComponents(ctx, "", servicestage.ComponentListOptions{}),
		id:   func(r *servicestage.Component) string { return r.ID },
		name: func(r *servicestage.Component) string { return r.Name },
		read: func(ctx context.Context, listed *servicestage.Component) (*Item, error) {
			switch listed.Status.ComponentStatus {
			case servicestage.ComponentDeleting, servicestage.ComponentDeleted:
				return nil, nil
			}
			r, err := cloud.GetComponent(ctx, listed.ApplicationID, listed.ID)
			if err != nil {
				return nil, err
			}
			item := e.component(r, listed)
			if obj, ok := item.Object.(*v1alpha1.Component); ok && holdsSecret(obj.Spec.Source) {
				e.LeaveOut(fmt.Sprintf("Component %q (id %s)", listed.Name, listed.ID), "the address of its source holds a password: use a repository authorization, and import it again")
				return nil, nil
			}
			return item, nil
		},
	})
}

func (e *Estate) component(r, listed *servicestage.Component) *Item {
	h := e.head("Component", listed.ID, listed.Name, e.nameOr("Environment", r.EnvironmentID, listed.EnvironmentName), claimed(listed.Labels) || claimed(r.Labels))
	obj := &v1alpha1.Component{ObjectMeta: h.meta, Spec: component.SpecOf(r, listed.Labels)}
	obj.Spec.ResourceSpec, obj.Spec.Name = h.spec, h.cloudName
	obj.Spec.ApplicationRef = e.ref("Application", r.ApplicationID)
	obj.Spec.EnvironmentRef = e.ref("Environment", r.EnvironmentID)
	if b := obj.Spec.Build; b != nil && b.EnvironmentRef != nil {
		*b.EnvironmentRef = e.ref("Environment", b.EnvironmentRef.ID)
	}
	item := &Item{Object: obj, Notes: h.notes}
	switch r.Status.ComponentStatus {
	case servicestage.ComponentInitializing, servicestage.ComponentUpgrading, servicestage.ComponentStarting, servicestage.ComponentStopping,
		servicestage.ComponentRestarting, servicestage.ComponentPending:
		item.Notes = append(item.Notes, fmt.Sprintf("The cloud was at work on it (%s): import it again when that has ended.", r.Status.ComponentStatus))
	}
	item.dropSecrets(&obj.Spec)
	return item
}

// dropSecrets leaves out the fields of a component that seem to hold a secret: its variables cannot be taken from a Secret
// of this cluster, and what is left out stays as it is.
func (i *Item) dropSecrets(spec *v1alpha1.ComponentSpec) {
	var names []string
	for _, e := range spec.Env {
		if e.Value != nil && secret.Is(e.Name, *e.Value) {
			names = append(names, e.Name)
		}
	}
	if len(names) > 0 {
		spec.Env = nil
		i.Notes = append(i.Notes, fmt.Sprintf(
			"spec.env is left out and stays as it is in the cloud: %s may be secret. To manage the variables here, keep it in a Secret of "+
				"the cluster that the component runs in, and list all of them with valueFrom.secretKeyRef for it.", strings.Join(names, ", ")))
	}
	drop := func(path, text string, forget func()) {
		if secret.In(text) {
			forget()
			i.Notes = append(i.Notes, path+" is left out and stays as it is in the cloud: it may hold a secret.")
		}
	}
	drop("spec.jvmOptions", value(spec.JVMOptions), func() { spec.JVMOptions = nil })
	drop("spec.command", strings.Join(spec.Command, " "), func() { spec.Command = nil })
	drop("spec.args", strings.Join(spec.Args, " "), func() { spec.Args = nil })
	if spec.Tomcat != nil {
		drop("spec.tomcat", spec.Tomcat.ServerXML, func() { spec.Tomcat = nil })
	}
	if spec.Build != nil {
		drop("spec.build", spec.Build.Command, func() { spec.Build = nil })
	}
	if spec.Lifecycle != nil {
		drop("spec.lifecycle", execText(spec.Lifecycle.PostStart)+"\n"+execText(spec.Lifecycle.PreStop), func() { spec.Lifecycle = nil })
	}
	dropProbe := func(path string, probe **v1alpha1.ComponentProbe) {
		if *probe != nil && (*probe).Exec != nil {
			drop(path, strings.Join((*probe).Exec.Command, " "), func() { *probe = nil })
		}
	}
	dropProbe("spec.livenessProbe", &spec.LivenessProbe)
	dropProbe("spec.readinessProbe", &spec.ReadinessProbe)
}

// holdsSecret says whether the address of a source does, which no spec can leave out.
func holdsSecret(s v1alpha1.ComponentSource) bool {
	switch {
	case s.Code != nil:
		return secret.In(s.Code.RepoURL) || secret.In(s.Code.WebURL)
	case s.Package != nil:
		return secret.In(s.Package.URL)
	default:
		return false
	}
}

func execText(h *v1alpha1.LifecycleHandler) string {
	if h == nil || h.Exec == nil {
		return ""
	}
	return strings.Join(h.Exec.Command, " ")
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
