// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
)

// object is one that stands for a cloud resource.
type object interface {
	client.Object
	CommonStatus() *v1alpha1.ResourceStatus
}

// made is the description of every object as it is created.
const made = "made to measure"

// kind is what measurements have to know of a kind.
type kind struct {
	name string
	// title begins what figures are about; "" of the kind that most of them are about.
	title string
	// collection of the simulator.
	collection string
	// object returns one as a user writes it, with the description made.
	object func(namespace, name string) object
	// background makes what objects refer to, each of another kind.
	background func(namespace string) []object
	// creation says which calls a creation takes where it is more than one, least and most bound how many.
	creation    string
	least, most float64
	// writes are how often the API server has to be written to for a creation.
	writes float64
}

// environments take one call to be created, which answers with all that there is.
var environments = kind{
	name: "Environment", collection: "servicestage/environments",
	object:     func(namespace, name string) object { return environment(namespace, name) },
	background: func(string) []object { return nil },
	least:      1, most: 1.1,
	writes: 2, // finalizer with claim, status
}

// components are deployed by a job, which ends before it is polled for the first time.
var components = kind{
	name: "Component", title: "Components: ", collection: "servicestage/components",
	object: func(namespace, name string) object {
		c := &v1alpha1.Component{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		c.Spec = v1alpha1.ComponentSpec{
			Description:    new(made),
			ApplicationRef: v1alpha1.Reference{Name: "shop"}, EnvironmentRef: v1alpha1.Reference{Name: "dev"},
			Version: "1.0.0", Source: v1alpha1.ComponentSource{Image: &v1alpha1.ImageSource{URL: "swr.example.com/shop/web:1.0.0"}}, Replicas: new(int32(2)),
			RuntimeStack: v1alpha1.RuntimeStack{Name: "Docker", Type: "Docker", Version: "1.0", DeployMode: v1alpha1.DeployModeContainer},
			References:   []v1alpha1.ComponentReference{{Type: "cce", ID: cluster}},
		}
		return c
	},
	background: func(namespace string) []object {
		dev := environment(namespace, "dev")
		dev.Spec.DeployMode = v1alpha1.DeployModeContainer
		dev.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "cce", ID: cluster}}
		return []object{dev, &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop"}}}
	},
	creation: " (create, job when polled, component, releases)",
	least:    2, most: 4.4,
	writes: 3, // finalizer with claim, status with the job, status
}

// cluster that components run in.
const cluster = "cluster-1"

func environment(namespace, name string) *v1alpha1.Environment {
	e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	e.Spec.Name, e.Spec.VPCID, e.Spec.Description = name, cloudsim.DefaultVPCID, new(made)
	return e
}
