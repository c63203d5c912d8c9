// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Condition types. Ready and Synced are always there; Reconciling, Stalled and Paused only while they are True, so that
// kubectl wait, Helm --wait, Flux and Argo CD read them as they read any other object.
const (
	// ConditionReady says whether the cloud resource exists and can be used.
	ConditionReady = "Ready"
	// ConditionSynced says whether the cloud holds what the spec says.
	ConditionSynced = "Synced"
	// ConditionReconciling is True while the operator or the cloud is at work.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True when someone must act before anything moves.
	ConditionStalled = "Stalled"
	// ConditionReferencesResolved says whether everything that the spec refers to was found and can be used.
	ConditionReferencesResolved = "ReferencesResolved"
	// ConditionValuesValid is False, and there only then, where values are not what their type says.
	ConditionValuesValid = "ValuesValid"
	// ConditionPaused is True while the annotation servicestage.dev/paused is "true".
	ConditionPaused = "Paused"
)

// Condition reasons. docs/troubleshooting.md says for each what it means and what to do.
const (
	// ReasonAvailable goes with Ready True.
	ReasonAvailable = "Available"
	// ReasonCreating means that the cloud resource is being created.
	ReasonCreating = "Creating"
	// ReasonUpdating means that the cloud resource is being changed.
	ReasonUpdating = "Updating"
	// ReasonDeleting means that the cloud resource is being deleted.
	ReasonDeleting = "Deleting"
	// ReasonDependencyNotReady means that a referenced object is missing or not usable yet.
	ReasonDependencyNotReady = "DependencyNotReady"
	// ReasonCredentialsNotReady means that the account is missing, not ready, or may not be used here.
	ReasonCredentialsNotReady = "CredentialsNotReady"
	// ReasonThrottled means that the cloud's request limit was reached.
	ReasonThrottled = "Throttled"
	// ReasonCloudUnavailable means that the cloud failed or did not answer.
	ReasonCloudUnavailable = "CloudUnavailable"
	// ReasonNotFound means that the cloud resource to adopt or observe does not exist.
	ReasonNotFound = "NotFound"
	// ReasonUnhealthy means that the cloud resource exists but does not work.
	ReasonUnhealthy = "Unhealthy"
	// ReasonRejected means that the cloud refused the request as invalid.
	ReasonRejected = "Rejected"
	// ReasonQuotaExceeded means that a quota of the cloud account is used up.
	ReasonQuotaExceeded = "QuotaExceeded"
	// ReasonForbidden means that the credentials lack a permission.
	ReasonForbidden = "Forbidden"
	// ReasonAlreadyExists means that a cloud resource that is not this object's has its name.
	ReasonAlreadyExists = "AlreadyExists"
	// ReasonAmbiguous means that several cloud resources fit.
	ReasonAmbiguous = "Ambiguous"
	// ReasonImmutableField means that the spec differs from the cloud in a field that the cloud cannot change.
	ReasonImmutableField = "ImmutableField"
	// ReasonDeletionBlocked means that something still uses what is to be deleted.
	ReasonDeletionBlocked = "DeletionBlocked"
	// ReasonNotYetObserved goes with Ready Unknown.
	ReasonNotYetObserved = "NotYetObserved"
	// ReasonUpToDate goes with Synced True under managementPolicy Manage.
	ReasonUpToDate = "UpToDate"
	// ReasonObserved goes with Synced True under managementPolicy Observe.
	ReasonObserved = "Observed"
	// ReasonDrifted means that the cloud differs from the spec; status.drift lists where.
	ReasonDrifted = "Drifted"
	// ReasonPending means that the spec has not been compared with the cloud yet.
	ReasonPending = "Pending"
	// ReasonResolved goes with ReferencesResolved True.
	ReasonResolved = "Resolved"
	// ReasonNotReady means that a referenced object exists but cannot be used yet.
	ReasonNotReady = "NotReady"
	// ReasonNotAllowed means that a reference may not be used from here.
	ReasonNotAllowed = "NotAllowed"
	// ReasonInvalidValue means that a value is not what its type says.
	ReasonInvalidValue = "InvalidValue"
	// ReasonAnnotation goes with Paused True.
	ReasonAnnotation = "Annotation"
)
