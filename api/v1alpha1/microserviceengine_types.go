// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EngineAuthType says how an engine knows its users (API reference table 7-38).
// +kubebuilder:validation:Enum=RBAC;NONE
type EngineAuthType string

const (
	// EngineAuthRBAC asks every client for an account and a password.
	EngineAuthRBAC EngineAuthType = "RBAC"
	// EngineAuthNone lets every client in.
	EngineAuthNone EngineAuthType = "NONE"
)

// EngineNetwork is where an engine lives. Immutable.
type EngineNetwork struct {
	// VPCID of the VPC that the engine's addresses are in.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	VPCID string `json:"vpcID,omitempty"`
	// VPCName of that VPC; looked up through the VPC service where left out.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	VPCName string `json:"vpcName,omitempty"`
	// SubnetID of a subnet of that VPC (its network id).
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	SubnetID string `json:"subnetID,omitempty"`
	// SubnetCIDR of that subnet, for example 192.168.0.0/24; looked up through the VPC service where left out.
	// +kubebuilder:validation:MaxLength=18
	// +kubebuilder:validation:Pattern=`^[0-9]{1,3}([.][0-9]{1,3}){3}/[0-9]{1,2}$`
	// +optional
	SubnetCIDR string `json:"subnetCIDR,omitempty"`
}

// SecretKeyReference selects one key of a Secret in the same namespace.
type SecretKeyReference struct {
	// Name of the Secret in this namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
	// Key within it.
	// +kubebuilder:default=password
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Key string `json:"key,omitempty"`
}

// Connection names an object of this namespace that the operator writes the engine's addresses to, for Pods to mount.
// +kubebuilder:validation:ExactlyOneOf=configMap;secret
type Connection struct {
	// ConfigMap of this name is created, kept current, and removed with the engine.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ConfigMap string `json:"configMap,omitempty"`
	// Secret of this name is created, kept current, and removed with the engine. The operator may write Secrets only
	// where the namespace grants it the ClusterRole servicestage-operator-connection-secrets.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Secret string `json:"secret,omitempty"`
}

// MicroserviceEngineSpec is the wanted state of an exclusive microservice engine (API reference 7.3.3).
// +kubebuilder:validation:XValidation:rule="has(self.import) || self.managementPolicy == 'Observe' || (has(self.flavor) && has(self.availabilityZones) && has(self.network))",message="flavor, availabilityZones and network are required to create an engine; they may be left out only with import or managementPolicy: Observe"
// +kubebuilder:validation:XValidation:rule="has(self.import) || self.managementPolicy == 'Observe' || self.authType != 'RBAC' || has(self.rootPasswordSecretRef)",fieldPath=".rootPasswordSecretRef",message="rootPasswordSecretRef is required to create an engine with authType: RBAC; name a Secret that holds the password of the engine's account root"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.name) && !has(self.name) || has(oldSelf.name) && has(self.name) && self.name == oldSelf.name",fieldPath=".name",message="name is immutable: the cloud cannot rename an engine; create a new MicroserviceEngine"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.availabilityZones) || (has(self.availabilityZones) && self.availabilityZones == oldSelf.availabilityZones)",fieldPath=".availabilityZones",message="availabilityZones is immutable: the cloud cannot move an engine; create a new MicroserviceEngine"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.network) || (has(self.network) && self.network == oldSelf.network)",fieldPath=".network",message="network is immutable: the cloud cannot move an engine; create a new MicroserviceEngine"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.publicIPID) || (has(self.publicIPID) && self.publicIPID == oldSelf.publicIPID)",fieldPath=".publicIPID",message="publicIPID is immutable: bind the address in the console, or create a new MicroserviceEngine"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.inputs) || (has(self.inputs) && self.inputs == oldSelf.inputs)",fieldPath=".inputs",message="inputs is immutable: the cloud reads it only when it creates the engine; create a new MicroserviceEngine"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.enterpriseProjectID) || (has(self.enterpriseProjectID) && self.enterpriseProjectID == oldSelf.enterpriseProjectID)",fieldPath=".enterpriseProjectID",message="enterpriseProjectID is immutable: migrate the engine with the Enterprise Project service and adopt it anew, or create a new MicroserviceEngine"
type MicroserviceEngineSpec struct {
	ResourceSpec `json:",inline"`
	// Name of the engine in the cloud; metadata.name where left out. 3 to 24 letters, digits and hyphens, starting with a
	// letter and ending with a letter or digit, unique in the project, not "default". Immutable.
	// +kubebuilder:validation:MaxLength=24
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]$`
	// +kubebuilder:validation:XValidation:rule="self != 'default'",message="the name default is the cloud's own; choose another"
	// +optional
	Name string `json:"name,omitempty"`
	// Description of the engine; left out it is not managed. The cloud cannot clear one, so it is not empty.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Description *string `json:"description,omitempty"`
	// Flavor of the engine, for example cse.s1.small2 (100 instances), cse.s1.medium2 (200), cse.s1.large2 (500) or
	// cse.s1.xlarge2 (2000). Changing it resizes the engine.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Flavor string `json:"flavor,omitempty"`
	// AvailabilityZones that the engine's nodes are spread over, 1 to 3; their order does not matter. Immutable.
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	// +optional
	AvailabilityZones []string `json:"availabilityZones,omitempty"`
	// AuthType says how the engine knows its users: RBAC (the default) or NONE. Where the cloud differs, the object says
	// so and changes nothing: switching disconnects every client, so it is done in the console.
	// +kubebuilder:default=RBAC
	// +optional
	AuthType EngineAuthType `json:"authType,omitempty"`
	// RootPasswordSecretRef selects the password of the engine's account root, with RBAC: 8 to 32 characters with a digit,
	// an upper-case letter, a lower-case letter and a special character, starting with a letter. It is used to create
	// the engine, and by KieConfigs that name no Secret themselves. The cloud cannot change a password afterwards: change
	// it in the engine first, then here.
	// +optional
	RootPasswordSecretRef *SecretKeyReference `json:"rootPasswordSecretRef,omitempty"`
	// Network that the engine lives in. Immutable.
	// +optional
	Network *EngineNetwork `json:"network,omitempty"`
	// PublicIPID of the elastic IP by which the engine is reached from the internet. Immutable.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	PublicIPID string `json:"publicIPID,omitempty"`
	// Inputs are additional parameters of the creation, which the cloud adds to. Immutable.
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) >= 1 && size(k) <= 64 && size(self[k]) <= 255)",message="input keys have 1 to 64 characters, values at most 255"
	// +optional
	Inputs map[string]string `json:"inputs,omitempty"`
	// EnterpriseProjectID that the engine belongs to; the account's where left out. Immutable.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	EnterpriseProjectID string `json:"enterpriseProjectID,omitempty"`
	// RetryFailedCreate is how often a creation that failed is retried in place, 0 to 10.
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	// +optional
	RetryFailedCreate int32 `json:"retryFailedCreate,omitempty"`
	// Connection names a ConfigMap or Secret that the engine's addresses are written to.
	// +optional
	Connection *Connection `json:"connection,omitempty"`
}

// EngineEntryPoint is the addresses of a part of an engine, as URLs; absent ones are empty.
type EngineEntryPoint struct {
	// Master address, IPv4.
	// +optional
	Master string `json:"master,omitempty"`
	// MasterIPv6 address.
	// +optional
	MasterIPv6 string `json:"masterIPv6,omitempty"`
	// Slave address, IPv4.
	// +optional
	Slave string `json:"slave,omitempty"`
	// SlaveIPv6 address.
	// +optional
	SlaveIPv6 string `json:"slaveIPv6,omitempty"`
}

// EngineEndpoints are the addresses of an engine.
type EngineEndpoints struct {
	// ServiceCenter in the VPC.
	// +optional
	ServiceCenter EngineEntryPoint `json:"serviceCenter,omitzero"`
	// Kie, the configuration center, in the VPC.
	// +optional
	Kie EngineEntryPoint `json:"kie,omitzero"`
	// PublicServiceCenter on the internet.
	// +optional
	PublicServiceCenter EngineEntryPoint `json:"publicServiceCenter,omitzero"`
	// PublicKie on the internet.
	// +optional
	PublicKie EngineEntryPoint `json:"publicKie,omitzero"`
}

// EngineJob is the last job that the cloud ran for an engine (API reference 7.3.6).
type EngineJob struct {
	// ID of the job.
	ID string `json:"id"`
	// Type of the job: Create, Delete, Upgrade, Modify or Configure.
	// +optional
	Type string `json:"type,omitempty"`
	// State of the job: Init, Executing, Error, Timeout or Finished.
	// +optional
	State string `json:"state,omitempty"`
	// PhasesDone is how many of its phases have ended.
	// +optional
	PhasesDone int32 `json:"phasesDone"`
	// PhasesTotal is how many phases it has.
	// +optional
	PhasesTotal int32 `json:"phasesTotal"`
	// Phase that runs or comes next.
	// +optional
	Phase string `json:"phase,omitempty"`
}

// EngineInstances is an engine's quota of microservice instances.
type EngineInstances struct {
	// Limit is how many instances the flavor allows.
	// +optional
	Limit int32 `json:"limit"`
	// Used is how many are registered.
	// +optional
	Used int32 `json:"used"`
}

// MicroserviceEngineStatus is what was observed of an engine.
type MicroserviceEngineStatus struct {
	ResourceStatus `json:",inline"`
	// Name in the cloud.
	// +optional
	Name string `json:"name,omitempty"`
	// EngineStatus in the cloud's words: Creating, Available, Unavailable, Deleting, Upgrading, Modifying, Freezed, or
	// CreateFailed, DeleteFailed, UpgradeFailed, ModifyFailed.
	// +optional
	EngineStatus string `json:"engineStatus,omitempty"`
	// Version of the engine.
	// +optional
	Version string `json:"version,omitempty"`
	// LatestVersion that it can be upgraded to.
	// +optional
	LatestVersion string `json:"latestVersion,omitempty"`
	// Flavor in the cloud.
	// +optional
	Flavor string `json:"flavor,omitempty"`
	// AuthType in the cloud.
	// +optional
	AuthType string `json:"authType,omitempty"`
	// EnterpriseProjectID in the cloud.
	// +optional
	EnterpriseProjectID string `json:"enterpriseProjectID,omitempty"`
	// Job that the cloud ran last for the engine.
	// +optional
	Job *EngineJob `json:"job,omitempty"`
	// CreateRetries is how often the creation was retried.
	// +optional
	CreateRetries int32 `json:"createRetries,omitempty"`
	// Endpoints are the engine's addresses, once it has any.
	// +optional
	Endpoints *EngineEndpoints `json:"endpoints,omitempty"`
	// Instances is the engine's quota of microservice instances and its use.
	// +optional
	Instances *EngineInstances `json:"instances,omitempty"`
	// Connection is where the addresses were written.
	// +optional
	Connection *Connection `json:"connection,omitempty"`
}

// MicroserviceEngine is an exclusive CSE microservice engine: a service center and a configuration center (Kie) in a VPC.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=cseng,categories=servicestage
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Synced",type=string,JSONPath=`.status.conditions[?(@.type=="Synced")].status`
// +kubebuilder:printcolumn:name="Engine Status",type=string,JSONPath=`.status.engineStatus`
// +kubebuilder:printcolumn:name="Flavor",type=string,JSONPath=`.status.flavor`
// +kubebuilder:printcolumn:name="ID",type=string,JSONPath=`.status.id`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="has(self.spec.name) || (self.metadata.name.matches('^[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]$') && self.metadata.name != 'default')",fieldPath=".spec.name",message="metadata.name is no valid engine name in the cloud (3 to 24 letters, digits and hyphens, starting with a letter, ending with a letter or digit, not default): set spec.name"
type MicroserviceEngine struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec is the wanted state.
	// +required
	Spec MicroserviceEngineSpec `json:"spec,omitzero"`
	// Status is what was observed.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status MicroserviceEngineStatus `json:"status,omitzero"`
}

// CloudName is the engine's name in the cloud.
func (e *MicroserviceEngine) CloudName() string {
	if e.Spec.Name != "" {
		return e.Spec.Name
	}
	return e.Name
}

// CommonSpec returns the part of the spec that every cloud resource has.
func (e *MicroserviceEngine) CommonSpec() *ResourceSpec { return &e.Spec.ResourceSpec }

// CommonStatus returns the part of the status that every cloud resource has.
func (e *MicroserviceEngine) CommonStatus() *ResourceStatus { return &e.Status.ResourceStatus }

// MicroserviceEngineList is a list of MicroserviceEngines.
// +kubebuilder:object:root=true
type MicroserviceEngineList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MicroserviceEngine `json:"items"`
}
