// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KieAccess says by which way configuration items are read and written.
// +kubebuilder:validation:Enum=Engine;Gateway
type KieAccess string

const (
	// KieAccessEngine calls the engine's own address (API reference 8.7).
	KieAccessEngine KieAccess = "Engine"
	// KieAccessGateway imports and exports through the cloud's gateway (7.2). It cannot delete.
	KieAccessGateway KieAccess = "Gateway"
)

// KieConflictPolicy says what becomes of an item that is in the engine already and that this object did not write.
// +kubebuilder:validation:Enum=Fail;Overwrite
type KieConflictPolicy string

const (
	// KieConflictFail leaves the item as it is and reports it.
	KieConflictFail KieConflictPolicy = "Fail"
	// KieConflictOverwrite takes the item over: it is written as the spec says, and deleted when it leaves the spec.
	KieConflictOverwrite KieConflictPolicy = "Overwrite"
)

// KieValueType says what a value holds (API reference table 8-162).
// +kubebuilder:validation:Enum=text;json;yaml;ini;properties;xml
type KieValueType string

const (
	// KieValueText is the default.
	KieValueText KieValueType = "text"
	// KieValueJSON values are checked.
	KieValueJSON KieValueType = "json"
	// KieValueYAML values are checked.
	KieValueYAML KieValueType = "yaml"
)

// KieEndpoint is the addresses of an engine that no MicroserviceEngine stands for.
type KieEndpoint struct {
	// Kie is the URL of the configuration center, for example https://192.168.0.169:30110. The operator's flag
	// --allow-endpoint-host must allow its host.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^/?#@]+(/[^?#]*)?$`
	// +required
	Kie string `json:"kie,omitempty"`
	// ServiceCenter is the URL of the service center, which checks passwords; needed with authSecretRef.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^/?#@]+(/[^?#]*)?$`
	// +optional
	ServiceCenter string `json:"serviceCenter,omitempty"`
}

// KieItem is one configuration item. Its key and all its labels together identify it in the engine.
// +kubebuilder:validation:XValidation:rule="has(self.value) != has(self.valueFrom)",message="set exactly one of value and valueFrom"
type KieItem struct {
	// Key of the item: letters, digits and . _ : -
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9._:-]+$`
	// +required
	Key string `json:"key,omitempty"`
	// Value of the item, at most 131072 bytes.
	// +kubebuilder:validation:MaxLength=131072
	// +optional
	Value *string `json:"value,omitempty"`
	// ValueFrom takes the value from a ConfigMap or a Secret. Changes are followed.
	// +optional
	ValueFrom *ValueSource `json:"valueFrom,omitempty"`
	// ValueType says what the value holds; text where left out. A value of type json or yaml that is not is written all the
	// same, and reported by the condition ValuesValid.
	// +optional
	ValueType KieValueType `json:"valueType,omitempty"`
	// Labels of the item, in addition to spec.labels and before them: 6 in all.
	// +kubebuilder:validation:MaxProperties=6
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) >= 1 && size(k) <= 128 && size(self[k]) <= 128)",message="label keys have 1 to 128 characters, values at most 128"
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// Enabled items are given to clients; true where left out.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
}

// KieConfigSpec is the wanted state of a set of configuration items in one engine.
// +kubebuilder:validation:XValidation:rule="has(self.engineRef) != has(self.endpoint)",message="set exactly one of engineRef (a MicroserviceEngine in this namespace) and endpoint (addresses)"
// +kubebuilder:validation:XValidation:rule="has(self.engineRef) == has(oldSelf.engineRef) && (!has(self.engineRef) || self.engineRef.name == oldSelf.engineRef.name)",fieldPath=".engineRef",message="engineRef is immutable: items cannot move to another engine; create a new KieConfig and delete this one"
// +kubebuilder:validation:XValidation:rule="!has(self.endpoint) || !has(oldSelf.endpoint) || self.endpoint.kie == oldSelf.endpoint.kie",fieldPath=".endpoint.kie",message="endpoint.kie is immutable: items cannot move to another engine; create a new KieConfig and delete this one"
// +kubebuilder:validation:XValidation:rule="self.access != 'Gateway' || has(self.engineRef)",fieldPath=".access",message="access: Gateway needs engineRef: the cloud's gateway knows engines by their id"
// +kubebuilder:validation:XValidation:rule="!has(self.import)",fieldPath=".import",message="a KieConfig adopts items by conflictPolicy: Overwrite, not by import"
// +kubebuilder:validation:XValidation:rule="!has(self.endpoint) || !has(self.authSecretRef) || has(self.endpoint.serviceCenter)",fieldPath=".endpoint.serviceCenter",message="authSecretRef needs endpoint.serviceCenter, which checks the password"
type KieConfigSpec struct {
	ResourceSpec `json:",inline"`
	// EngineRef names the MicroserviceEngine of this namespace that holds the items. Immutable.
	// +optional
	EngineRef *ObjectReference `json:"engineRef,omitempty"`
	// Endpoint is the addresses of an engine that no MicroserviceEngine stands for. Immutable.
	// +optional
	Endpoint *KieEndpoint `json:"endpoint,omitempty"`
	// AuthSecretRef names a Secret with the keys username (root where left out) and password of an account of the engine.
	// With engineRef the engine's rootPasswordSecretRef is used where left out.
	// +optional
	AuthSecretRef *ObjectReference `json:"authSecretRef,omitempty"`
	// TLS says how the engine's certificate is checked: engines have self-signed ones.
	// +optional
	TLS *TLS `json:"tls,omitempty"`
	// Access is Engine (the default), straight to the engine's address, or Gateway, by import and export through the
	// cloud, for managers that cannot reach that address. Gateway cannot delete items and is looked at once per
	// list interval.
	// +kubebuilder:default=Engine
	// +optional
	Access KieAccess `json:"access,omitempty"`
	// Labels that every item carries, at most 6. Changing them deletes the items and creates them anew.
	// +kubebuilder:validation:MaxProperties=6
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) >= 1 && size(k) <= 128 && size(self[k]) <= 128)",message="label keys have 1 to 128 characters, values at most 128"
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// Items of the set. One that is dropped from the list is deleted in the engine; items that were never listed here are
	// not touched.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1024
	// +optional
	Items []KieItem `json:"items,omitempty"`
	// ConflictPolicy says what becomes of an item of the same key and labels that this object did not write: Fail (the
	// default) leaves it and reports it, Overwrite takes it over.
	// +kubebuilder:default=Fail
	// +optional
	ConflictPolicy KieConflictPolicy `json:"conflictPolicy,omitempty"`
}

// KieItemFailure says why an item is not as the spec says.
type KieItemFailure struct {
	// Key of the item.
	Key string `json:"key"`
	// Labels of the item.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// Reason in one word, for example AlreadyExists, Rejected or QuotaExceeded.
	Reason string `json:"reason"`
	// Message says what to do.
	// +optional
	Message string `json:"message,omitempty"`
}

// KieConfigStatus is what was observed of a set of items.
type KieConfigStatus struct {
	ResourceStatus `json:",inline"`
	// Total is how many items the spec lists.
	// +optional
	Total int32 `json:"total"`
	// SyncedItems is how many of them are in the engine as the spec says.
	// +optional
	SyncedItems int32 `json:"syncedItems"`
	// Failed is how many could not be written.
	// +optional
	Failed int32 `json:"failed"`
	// Summary is "synced/total".
	// +optional
	Summary string `json:"summary,omitempty"`
	// Failures are the first ten items that could not be written.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	// +optional
	Failures []KieItemFailure `json:"failures,omitempty"`
	// Revision of the engine at which one of the items was last written.
	// +optional
	Revision int64 `json:"revision,omitempty"`
	// Watch says how changes behind the operator's back are noticed: LongPoll (within two seconds) or Interval.
	// +optional
	Watch string `json:"watch,omitempty"`
	// Written identifies the items that this object wrote, or is about to write: the operator's own record.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2048
	// +optional
	Written []string `json:"written,omitempty"`
	// RefusedCredentials identifies the credentials that the engine refused; they are not tried again.
	// +optional
	RefusedCredentials string `json:"refusedCredentials,omitempty"`
}

// KieConfig is a set of configuration items in the configuration center (Kie) of one engine.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=kie,categories=servicestage
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Synced",type=string,JSONPath=`.status.conditions[?(@.type=="Synced")].status`
// +kubebuilder:printcolumn:name="Items",type=string,JSONPath=`.status.summary`
// +kubebuilder:printcolumn:name="Engine",type=string,JSONPath=`.spec.engineRef.name`
// +kubebuilder:printcolumn:name="ID",type=string,JSONPath=`.status.id`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type KieConfig struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec is the wanted state.
	// +required
	Spec KieConfigSpec `json:"spec,omitzero"`
	// Status is what was observed.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status KieConfigStatus `json:"status,omitzero"`
}

// CommonSpec returns the part of the spec that every cloud resource has.
func (k *KieConfig) CommonSpec() *ResourceSpec { return &k.Spec.ResourceSpec }

// CommonStatus returns the part of the status that every cloud resource has.
func (k *KieConfig) CommonStatus() *ResourceStatus { return &k.Status.ResourceStatus }

// KieConfigList is a list of KieConfigs.
// +kubebuilder:object:root=true
type KieConfigList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []KieConfig `json:"items"`
}
