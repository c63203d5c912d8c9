// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ApplicationConfiguration holds the environment variables that an application's components get in one environment
// (API reference 5.2.7).
type ApplicationConfiguration struct {
	// EnvironmentRef names the environment: an Environment in this namespace, or an id.
	// +required
	EnvironmentRef Reference `json:"environmentRef,omitzero"`
	// Env holds the variables. Authoritative: variables in the cloud that are not listed are removed.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	// +required
	Env []EnvVar `json:"env"`
}

// ApplicationSpec is the wanted state of an application.
type ApplicationSpec struct {
	ResourceSpec `json:",inline"`
	// Name of the application in the cloud; metadata.name where left out. 2 to 64 letters, digits, hyphens and
	// underscores, starting with a letter and ending with a letter or digit, unique in the project. Changing it renames
	// the application.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_-]{0,62}[A-Za-z0-9]$`
	// +optional
	Name string `json:"name,omitempty"`
	// Description of the application; "" clears it, left out it is not managed.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Description *string `json:"description,omitempty"`
	// EnterpriseProjectID that the application belongs to; the account's at creation, and not managed afterwards, where
	// left out.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	EnterpriseProjectID string `json:"enterpriseProjectID,omitempty"`
	// Labels (tags) of the application in the cloud. Authoritative where given ({} clears them), not managed where left
	// out. At most 9: the operator keeps one for itself.
	// +kubebuilder:validation:MaxProperties=9
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) >= 1 && size(k) <= 128 && !k.startsWith('servicestage-dev-'))",message="label keys have 1 to 128 characters and do not start with servicestage-dev-, which the operator uses itself"
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(self[k]) <= 255)",message="label values have at most 255 characters"
	// +optional
	Labels map[string]string `json:"labels,omitzero"`
	// Configurations sets environment variables per environment. One that is dropped from the list is deleted in the
	// cloud; configurations of environments that were never listed here are not touched.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(c, self.exists_one(d, has(c.environmentRef.id) ? has(d.environmentRef.id) && d.environmentRef.id == c.environmentRef.id : has(d.environmentRef.name) && d.environmentRef.name == c.environmentRef.name))",message="each environment may be listed once"
	// +optional
	Configurations []ApplicationConfiguration `json:"configurations,omitzero"`
}

// ObservedApplicationConfiguration is a configuration that this object wrote.
type ObservedApplicationConfiguration struct {
	// EnvironmentID of the environment that it is for.
	EnvironmentID string `json:"environmentID"`
	// Variables is how many variables it holds in the cloud.
	Variables int32 `json:"variables"`
}

// ApplicationStatus is what was observed of an application.
type ApplicationStatus struct {
	ResourceStatus `json:",inline"`
	// Name in the cloud.
	// +optional
	Name string `json:"name,omitempty"`
	// EnterpriseProjectID in the cloud.
	// +optional
	EnterpriseProjectID string `json:"enterpriseProjectID,omitempty"`
	// ComponentCount is how many components the application has in the cloud.
	// +optional
	ComponentCount int32 `json:"componentCount"`
	// Configurations that this object wrote, by environment.
	// +listType=map
	// +listMapKey=environmentID
	// +optional
	Configurations []ObservedApplicationConfiguration `json:"configurations,omitempty"`
}

// Application is a ServiceStage application: a group of components that belong together. Argo CD has a kind of the same
// name: write applications.servicestage.dev where both are installed.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ssapp,categories=servicestage
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Synced",type=string,JSONPath=`.status.conditions[?(@.type=="Synced")].status`
// +kubebuilder:printcolumn:name="Cloud Name",type=string,JSONPath=`.status.name`
// +kubebuilder:printcolumn:name="Components",type=integer,JSONPath=`.status.componentCount`
// +kubebuilder:printcolumn:name="ID",type=string,JSONPath=`.status.id`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="has(self.spec.name) || self.metadata.name.matches('^[A-Za-z][A-Za-z0-9_-]{0,62}[A-Za-z0-9]$')",fieldPath=".spec.name",message="metadata.name is no valid application name in the cloud (2 to 64 letters, digits, hyphens and underscores, starting with a letter, ending with a letter or digit): set spec.name"
type Application struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec is the wanted state.
	// +kubebuilder:default={}
	// +optional
	Spec ApplicationSpec `json:"spec,omitzero"`
	// Status is what was observed.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status ApplicationStatus `json:"status,omitzero"`
}

// CloudName is the application's name in the cloud.
func (a *Application) CloudName() string {
	if a.Spec.Name != "" {
		return a.Spec.Name
	}
	return a.Name
}

// CommonSpec returns the part of the spec that every cloud resource has.
func (a *Application) CommonSpec() *ResourceSpec { return &a.Spec.ResourceSpec }

// CommonStatus returns the part of the status that every cloud resource has.
func (a *Application) CommonStatus() *ResourceStatus { return &a.Status.ResourceStatus }

// ApplicationList is a list of Applications.
// +kubebuilder:object:root=true
type ApplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Application `json:"items"`
}
