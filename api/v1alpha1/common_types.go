// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Annotations and finalizers of every cloud resource.
const (
	// PausedAnnotation stops reconciliation while it is "true". Deleting with deletionPolicy Orphan still works.
	PausedAnnotation = "servicestage.dev/paused"
	// ReconcileRequestedAtAnnotation asks for one full reconciliation, cloud calls included, each time its value changes.
	ReconcileRequestedAtAnnotation = "servicestage.dev/reconcile-requested-at"
	// ClaimAnnotation is the operator's own: the random token by which a cloud resource is recognised as this object's
	// after a crash, a lost reply or a restore from a backup. Keep it in backups; never copy it to another object.
	ClaimAnnotation = "servicestage.dev/claim"
	// Finalizer keeps an object until its cloud resource is gone.
	Finalizer = "servicestage.dev/cloud-resource"
	// AccountFinalizer keeps an account until nothing uses it.
	AccountFinalizer = "servicestage.dev/account-in-use"
)

// AccountKind is the kind of an account.
// +kubebuilder:validation:Enum=CloudAccount;ClusterCloudAccount
type AccountKind string

const (
	// AccountKindNamespaced is an account of the object's own namespace.
	AccountKindNamespaced AccountKind = "CloudAccount"
	// AccountKindCluster is an account that names the namespaces that may use it.
	AccountKindCluster AccountKind = "ClusterCloudAccount"
)

// AccountReference names the account that cloud calls are made with.
type AccountReference struct {
	// Kind of the account: CloudAccount (of this namespace) or ClusterCloudAccount.
	// +kubebuilder:default=CloudAccount
	// +optional
	Kind AccountKind `json:"kind,omitempty"`
	// Name of the account.
	// +kubebuilder:default=default
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Name string `json:"name,omitempty"`
}

// ManagementPolicy says what the operator may do in the cloud.
// +kubebuilder:validation:Enum=Manage;Observe
type ManagementPolicy string

const (
	// ManagementPolicyManage creates, updates and deletes.
	ManagementPolicyManage ManagementPolicy = "Manage"
	// ManagementPolicyObserve writes nothing to the cloud: status.drift is the plan.
	ManagementPolicyObserve ManagementPolicy = "Observe"
)

// DeletionPolicy says what becomes of the cloud resource when the object is deleted.
// +kubebuilder:validation:Enum=Delete;Orphan
type DeletionPolicy string

const (
	// DeletionPolicyDelete deletes the cloud resource.
	DeletionPolicyDelete DeletionPolicy = "Delete"
	// DeletionPolicyOrphan leaves the cloud resource as it is.
	DeletionPolicyOrphan DeletionPolicy = "Orphan"
)

// Import adopts a cloud resource that exists already. Exactly one way must be given.
// +kubebuilder:validation:XValidation:rule="has(self.id) != (has(self.byName) && self.byName)",message="set exactly one of import.id and import.byName: true"
type Import struct {
	// ID of the cloud resource to adopt.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ID string `json:"id,omitempty"`
	// ByName adopts the cloud resource that has this object's name in the cloud. Refused where several do.
	// +optional
	ByName bool `json:"byName,omitempty"`
}

// ResourceSpec is what the spec of every cloud resource begins with.
type ResourceSpec struct {
	// AccountRef names the account that cloud calls are made with: by default the CloudAccount "default" of this
	// namespace. Immutable.
	// +kubebuilder:default={kind: CloudAccount, name: default}
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="accountRef is immutable: a cloud resource cannot move to another account; delete this object (deletionPolicy: Orphan keeps the cloud resource) and create it anew"
	// +optional
	AccountRef AccountReference `json:"accountRef,omitzero"`
	// ManagementPolicy says what the operator may do: Manage (the default) keeps the cloud as the spec says; Observe
	// writes nothing to the cloud and reports differences in status.drift.
	// +kubebuilder:default=Manage
	// +optional
	ManagementPolicy ManagementPolicy `json:"managementPolicy,omitempty"`
	// DeletionPolicy says what becomes of the cloud resource when this object is deleted: Delete (the default) or
	// Orphan, which leaves it as it is.
	// +kubebuilder:default=Delete
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
	// Import adopts a cloud resource that exists already, instead of creating one. It may be added later, for example
	// when creating failed with AlreadyExists.
	// +optional
	Import *Import `json:"import,omitempty"`
	// ResyncInterval is how often the object is compared with the cloud in full; most changes made behind the operator's
	// back are found sooner, by lists. The manager's --resync-interval (6h unless set) where left out. A duration of at
	// least 5s, for example 10m or 1h30m.
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,9})?(h|m|s|ms)){1,4}$') && duration(self) >= duration('5s')",message="resyncInterval is a duration of at least 5s, for example 10m or 1h30m"
	// +optional
	ResyncInterval *metav1.Duration `json:"resyncInterval,omitempty"`
}

// Reference names an object of another kind in the same namespace, or a cloud resource by its id.
// +kubebuilder:validation:XValidation:rule="has(self.name) != has(self.id)",message="set exactly one of name (an object in this namespace) and id (a cloud resource)"
type Reference struct {
	// Name of an object in this namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Name string `json:"name,omitempty"`
	// ID of a cloud resource that no object in this namespace stands for.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ID string `json:"id,omitempty"`
}

// ObjectReference names an object in the same namespace.
type ObjectReference struct {
	// Name of an object in this namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
}

// KeySelector selects one key of a Secret or ConfigMap in the same namespace.
type KeySelector struct {
	// Name of the Secret or ConfigMap in this namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
	// Key within it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Key string `json:"key,omitempty"`
}

// ValueSource says where a value comes from. Exactly one source must be given.
// +kubebuilder:validation:XValidation:rule="has(self.configMapKeyRef) != has(self.secretKeyRef)",message="set exactly one of configMapKeyRef and secretKeyRef"
type ValueSource struct {
	// ConfigMapKeyRef takes the value from a ConfigMap in this namespace. Changes are followed.
	// +optional
	ConfigMapKeyRef *KeySelector `json:"configMapKeyRef,omitempty"`
	// SecretKeyRef takes the value from a Secret in this namespace. Changes are followed.
	// +optional
	SecretKeyRef *KeySelector `json:"secretKeyRef,omitempty"`
}

// EnvVar is an environment variable, written as in a Pod.
// +kubebuilder:validation:XValidation:rule="has(self.value) != has(self.valueFrom)",message="set exactly one of value and valueFrom"
type EnvVar struct {
	// Name of the variable.
	// +kubebuilder:validation:Pattern=`^[A-Za-z_.-][A-Za-z0-9_.-]*$`
	// +kubebuilder:validation:MaxLength=64
	// +required
	Name string `json:"name,omitempty"`
	// Value of the variable.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	Value *string `json:"value,omitempty"`
	// ValueFrom takes the value from a ConfigMap or a Secret.
	// +optional
	ValueFrom *ValueSource `json:"valueFrom,omitempty"`
}

// OperationVerb says what a running operation does.
// +kubebuilder:validation:Enum=Create;Update;Delete
type OperationVerb string

const (
	// OperationCreate brings a cloud resource into being.
	OperationCreate OperationVerb = "Create"
	// OperationUpdate changes one.
	OperationUpdate OperationVerb = "Update"
	// OperationDelete removes one.
	OperationDelete OperationVerb = "Delete"
)

// Operation is a job that the cloud runs for this object.
type Operation struct {
	// ID of the job in the cloud; empty where the cloud gives none.
	// +optional
	ID string `json:"id,omitempty"`
	// Verb says what the job does.
	// +required
	Verb OperationVerb `json:"verb,omitempty"`
	// StartedAt is when the operator began it.
	// +required
	StartedAt metav1.Time `json:"startedAt,omitzero"`
	// TasksDone is how many of the job's tasks have ended.
	// +optional
	TasksDone int32 `json:"tasksDone,omitempty"`
	// TasksTotal is how many tasks the job has.
	// +optional
	TasksTotal int32 `json:"tasksTotal,omitempty"`
	// CurrentTask is the name of the task that runs.
	// +optional
	CurrentTask string `json:"currentTask,omitempty"`
}

// ResourceStatus is what the status of every cloud resource begins with.
type ResourceStatus struct {
	// ObservedGeneration is the generation of the spec that this status speaks of; -1 before the first look.
	// +kubebuilder:default=-1
	// +optional
	ObservedGeneration int64 `json:"observedGeneration"`
	// ID of the cloud resource.
	// +optional
	ID string `json:"id,omitempty"`
	// Conditions: Ready and Synced always; Reconciling, Stalled and Paused only while true; ReferencesResolved where the
	// kind has references.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Operation is the job that the cloud runs for this object, if any.
	// +optional
	Operation *Operation `json:"operation,omitempty"`
	// LastFailure says why the last job failed, until one succeeds.
	// +optional
	LastFailure string `json:"lastFailure,omitempty"`
	// LastSyncTime is when the cloud was last looked at for this object.
	// +optional
	LastSyncTime *metav1.Time `json:"lastSyncTime,omitempty"`
	// Drift lists the paths in which the cloud differs from the spec, 16 at most: the plan where managementPolicy is
	// Observe.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Drift []string `json:"drift,omitempty"`
	// LastHandledReconcileAt is the last value of the annotation servicestage.dev/reconcile-requested-at that was acted
	// on.
	// +optional
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`
	// ObservedInputs identifies the versions of the referenced objects, ConfigMaps and Secrets that this status speaks of.
	// +optional
	ObservedInputs string `json:"observedInputs,omitempty"`
	// ObservedFingerprint identifies what lists of the cloud show of the resource as it was last observed: its time of
	// update, its state and the like. A list that shows something else makes the operator look at the resource.
	// +optional
	ObservedFingerprint string `json:"observedFingerprint,omitempty"`
}
