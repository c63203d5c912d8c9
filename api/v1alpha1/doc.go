// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds the custom resources of servicestage.dev: the accounts that calls are made with, and one kind
// per cloud resource. It imports nothing else of this project, so that other programs can use it as it is.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package="../applyconfiguration"
// +groupName=servicestage.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the group and version of every type in this package.
	GroupVersion = schema.GroupVersion{Group: "servicestage.dev", Version: "v1alpha1"}
	// SchemeGroupVersion is the name that generated code knows GroupVersion by.
	SchemeGroupVersion = GroupVersion

	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)
	// AddToScheme registers the types of this package.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&CloudAccount{}, &CloudAccountList{},
		&ClusterCloudAccount{}, &ClusterCloudAccountList{},
		&Environment{}, &EnvironmentList{},
		&Application{}, &ApplicationList{},
		&Component{}, &ComponentList{},
		&MicroserviceEngine{}, &MicroserviceEngineList{},
		&KieConfig{}, &KieConfigList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
