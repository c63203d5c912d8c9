// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DeployMode says what an environment or a component runs on (API reference tables 5-3 and 5-123). Each field says which
// of them it takes.
type DeployMode string

const (
	// DeployModeVirtualMachine runs software on virtual machines.
	DeployModeVirtualMachine DeployMode = "virtualmachine"
	// DeployModeContainer runs software on Kubernetes.
	DeployModeContainer DeployMode = "container"
	// DeployModeMixed runs software on both.
	DeployModeMixed DeployMode = "mixed"
)

// EnvironmentResourceType is the type of a resource that an environment can hold (API reference table 5-35).
// +kubebuilder:validation:Enum=cce;ecs;as;cse;elb;eip;dcs;rds
type EnvironmentResourceType string

// EnvironmentResourceTypeCSE is a microservice engine.
const EnvironmentResourceTypeCSE EnvironmentResourceType = "cse"

// EnvironmentResource is a compute, network or middleware resource that the environment's software can use.
// +kubebuilder:validation:XValidation:rule="has(self.id) != has(self.engineRef)",message="set exactly one of id and engineRef"
// +kubebuilder:validation:XValidation:rule="!has(self.engineRef) || self.type == 'cse'",message="engineRef needs type: cse; name resources of other types by id"
type EnvironmentResource struct {
	// Type of the resource: cce (Kubernetes cluster), ecs (server), as (scaling group), cse (microservice engine), elb
	// (load balancer), eip (public address), dcs (cache) or rds (database).
	// +required
	Type EnvironmentResourceType `json:"type,omitempty"`
	// ID of the resource in the cloud.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ID string `json:"id,omitempty"`
	// EngineRef names a MicroserviceEngine in this namespace; only with type cse.
	// +optional
	EngineRef *ObjectReference `json:"engineRef,omitempty"`
	// Name shown for the resource in the console.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Name string `json:"name,omitempty"`
}

// EnvironmentSpec is the wanted state of an environment.
// +kubebuilder:validation:XValidation:rule="has(self.vpcID) || has(self.import) || self.managementPolicy == 'Observe'",fieldPath=".vpcID",message="vpcID is required to create an environment; it may be left out only with import or managementPolicy: Observe"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.vpcID) || (has(self.vpcID) && self.vpcID == oldSelf.vpcID)",fieldPath=".vpcID",message="vpcID is immutable: the cloud cannot move an environment to another VPC; create a new Environment and move the components"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.deployMode) || (has(self.deployMode) && self.deployMode == oldSelf.deployMode)",fieldPath=".deployMode",message="deployMode is immutable: create a new Environment and move the components"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.enterpriseProjectID) || (has(self.enterpriseProjectID) && self.enterpriseProjectID == oldSelf.enterpriseProjectID)",fieldPath=".enterpriseProjectID",message="enterpriseProjectID is immutable: migrate the environment with the Enterprise Project service, or create a new Environment"
type EnvironmentSpec struct {
	ResourceSpec `json:",inline"`
	// Name of the environment in the cloud; metadata.name where left out. 2 to 64 letters, digits, hyphens and
	// underscores, starting with a letter and ending with a letter or digit, unique in the project whatever the case of
	// its letters. Changing it renames the environment.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_-]{0,62}[A-Za-z0-9]$`
	// +optional
	Name string `json:"name,omitempty"`
	// DeployMode says what the environment runs software on: virtualmachine, container (Kubernetes) or mixed. The cloud
	// chooses where left out. Immutable.
	// +kubebuilder:validation:Enum=virtualmachine;container;mixed
	// +optional
	DeployMode DeployMode `json:"deployMode,omitempty"`
	// Description of the environment; "" clears it, left out it is not managed.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Description *string `json:"description,omitempty"`
	// EnterpriseProjectID that the environment belongs to; the account's where left out. Immutable.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	EnterpriseProjectID string `json:"enterpriseProjectID,omitempty"`
	// VPCID of the VPC that all of the environment's resources are in. Immutable.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	VPCID string `json:"vpcID,omitempty"`
	// Labels (tags) of the environment in the cloud. Authoritative where given ({} clears them), not managed where left
	// out. At most 9: the operator keeps one for itself.
	// +kubebuilder:validation:MaxProperties=9
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) >= 1 && size(k) <= 128 && !k.startsWith('servicestage-dev-'))",message="label keys have 1 to 128 characters and do not start with servicestage-dev-, which the operator uses itself"
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(self[k]) <= 255)",message="label values have at most 255 characters"
	// +optional
	Labels map[string]string `json:"labels,omitzero"`
	// Resources of the environment. Authoritative where given ([] removes all), not managed where left out; their order
	// does not matter.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(r, self.exists_one(s, s.type == r.type && (has(r.id) ? has(s.id) && s.id == r.id : has(s.engineRef) && s.engineRef.name == r.engineRef.name)))",message="each resource may be listed once"
	// +optional
	Resources []EnvironmentResource `json:"resources,omitzero"`
}

// ObservedEnvironmentResource is a resource that the environment holds in the cloud.
type ObservedEnvironmentResource struct {
	// Type of the resource.
	Type string `json:"type"`
	// ID of the resource in the cloud.
	ID string `json:"id"`
	// Name shown in the console, where the cloud gives one.
	// +optional
	Name string `json:"name,omitempty"`
}

// EnvironmentStatus is what was observed of an environment.
type EnvironmentStatus struct {
	ResourceStatus `json:",inline"`
	// Name in the cloud.
	// +optional
	Name string `json:"name,omitempty"`
	// DeployMode in the cloud.
	// +optional
	DeployMode string `json:"deployMode,omitempty"`
	// VPCID in the cloud.
	// +optional
	VPCID string `json:"vpcID,omitempty"`
	// EnterpriseProjectID in the cloud.
	// +optional
	EnterpriseProjectID string `json:"enterpriseProjectID,omitempty"`
	// Resources that the environment holds in the cloud, by type and id; the first 64. Kept current while spec.resources
	// is given.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Resources []ObservedEnvironmentResource `json:"resources,omitempty"`
}

// Environment is a ServiceStage environment: the compute, network and middleware resources of one VPC that software is
// deployed on.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ssenv,categories=servicestage
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Synced",type=string,JSONPath=`.status.conditions[?(@.type=="Synced")].status`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.status.deployMode`
// +kubebuilder:printcolumn:name="VPC",type=string,JSONPath=`.status.vpcID`
// +kubebuilder:printcolumn:name="ID",type=string,JSONPath=`.status.id`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="has(self.spec.name) || self.metadata.name.matches('^[A-Za-z][A-Za-z0-9_-]{0,62}[A-Za-z0-9]$')",fieldPath=".spec.name",message="metadata.name is no valid environment name in the cloud (2 to 64 letters, digits, hyphens and underscores, starting with a letter, ending with a letter or digit): set spec.name"
type Environment struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec is the wanted state.
	// +required
	Spec EnvironmentSpec `json:"spec,omitzero"`
	// Status is what was observed.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status EnvironmentStatus `json:"status,omitzero"`
}

// CloudName is the environment's name in the cloud.
func (e *Environment) CloudName() string {
	if e.Spec.Name != "" {
		return e.Spec.Name
	}
	return e.Name
}

// CommonSpec returns the part of the spec that every cloud resource has.
func (e *Environment) CommonSpec() *ResourceSpec { return &e.Spec.ResourceSpec }

// CommonStatus returns the part of the status that every cloud resource has.
func (e *Environment) CommonStatus() *ResourceStatus { return &e.Status.ResourceStatus }

// EnvironmentList is a list of Environments.
// +kubebuilder:object:root=true
type EnvironmentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Environment `json:"items"`
}
