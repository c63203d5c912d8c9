// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AccountSpec is what both kinds of account share.
// +kubebuilder:validation:XValidation:rule="!(has(self.projectID) && has(self.projectName))",message="set at most one of projectID and projectName"
type AccountSpec struct {
	// Region that calls go to, for example ap-southeast-3.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]+(-[a-z0-9]+)*$`
	// +kubebuilder:validation:MaxLength=64
	// +required
	Region string `json:"region,omitempty"`
	// ProjectID of the project that holds the resources. Looked up through IAM by projectName where left out.
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9-]+$`
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ProjectID string `json:"projectID,omitempty"`
	// ProjectName of the project that holds the resources; the region's own project where neither this nor projectID is
	// given.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ProjectName string `json:"projectName,omitempty"`
	// EnterpriseProjectID for resources that name none themselves; "0" is the default enterprise project.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	EnterpriseProjectID string `json:"enterpriseProjectID,omitempty"`
	// Endpoints replaces the addresses of single services. Only hosts that the manager's --allow-endpoint-host allows.
	// +optional
	Endpoints *Endpoints `json:"endpoints,omitempty"`
	// RateLimit bounds the calls of this account to each service.
	// +optional
	RateLimit *RateLimit `json:"rateLimit,omitempty"`
}

// Endpoints are base URLs of services, for example https://servicestage.ap-southeast-3.myhuaweicloud.com.
type Endpoints struct {
	// IAM answers token requests and project look-ups.
	// +optional
	IAM EndpointURL `json:"iam,omitempty"`
	// ServiceStage manages environments, applications and components.
	// +optional
	ServiceStage EndpointURL `json:"servicestage,omitempty"`
	// CSE manages microservice engines.
	// +optional
	CSE EndpointURL `json:"cse,omitempty"`
	// VPC answers network look-ups.
	// +optional
	VPC EndpointURL `json:"vpc,omitempty"`
}

// EndpointURL is the base URL of a service. Plain http works only for hosts that the manager's flag names with http://.
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:XValidation:rule="isURL(self) && self.matches('^https?://[^/?#@ ]+(/[^?# ]*)?$')",message="an endpoint is a URL such as https://servicestage.ap-southeast-3.myhuaweicloud.com, without user, query or fragment"
type EndpointURL string

// RateLimit bounds calls to each service.
type RateLimit struct {
	// RequestsPerSecond on average.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +required
	RequestsPerSecond int32 `json:"requestsPerSecond,omitempty"`
	// Burst is how many calls may go out at once; requestsPerSecond where left out.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +optional
	Burst int32 `json:"burst,omitempty"`
}

// TLS says how the certificates of overridden endpoints are checked.
// +kubebuilder:validation:XValidation:rule="!(has(self.caBundleRef) && has(self.insecureSkipVerify) && self.insecureSkipVerify)",message="set at most one of caBundleRef and insecureSkipVerify"
type TLS struct {
	// CABundleRef selects PEM certificates that are trusted in place of the system's.
	// +optional
	CABundleRef *ValueSource `json:"caBundleRef,omitempty"`
	// InsecureSkipVerify accepts any certificate. For test clouds only.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// AccountStatus is what was observed of an account.
type AccountStatus struct {
	// ObservedGeneration is the generation of the spec that this status speaks of; -1 before the first look.
	// +kubebuilder:default=-1
	// +optional
	ObservedGeneration int64 `json:"observedGeneration"`
	// Conditions: Ready always; Reconciling and Stalled only while true.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// ProjectID of the project that calls are made in.
	// +optional
	ProjectID string `json:"projectID,omitempty"`
	// CredentialsVersion identifies the version of the credentials and of the spec that the cloud accepted.
	// +optional
	CredentialsVersion string `json:"credentialsVersion,omitempty"`
	// RateLimits of the cloud that are kept to: those that it stated in a refusal, for an hour, and those that were found
	// because it stated none. 32 at most, for example "servicestage.example: 10 per 1m0s (user)".
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +optional
	RateLimits []string `json:"rateLimits,omitempty"`
	// LastHandledReconcileAt is the last value of the annotation servicestage.dev/reconcile-requested-at that was acted
	// on.
	// +optional
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`
}

// CloudAccountSpec says where and as whom cloud calls are made.
type CloudAccountSpec struct {
	AccountSpec `json:",inline"`
	// Credentials to call the cloud with.
	// +required
	Credentials Credentials `json:"credentials,omitzero"`
	// TLS says how the certificates of overridden endpoints are checked.
	// +optional
	TLS *TLS `json:"tls,omitempty"`
}

// Credentials says where the keys are.
type Credentials struct {
	// SecretRef names a Secret in this namespace with the keys accessKey and secretKey (and securityToken for temporary
	// keys), or domainName, username and password. Changes are picked up without a restart.
	// +required
	SecretRef ObjectReference `json:"secretRef,omitzero"`
}

// CloudAccount is a Huawei Cloud account, region and project for the objects of its namespace. The objects use the
// CloudAccount named "default" unless they say otherwise.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ssacct,categories=servicestage
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Region",type=string,JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="Project",type=string,JSONPath=`.status.projectID`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type CloudAccount struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec says where and as whom cloud calls are made.
	// +required
	Spec CloudAccountSpec `json:"spec,omitzero"`
	// Status is what was observed.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status AccountStatus `json:"status,omitzero"`
}

// CloudAccountList is a list of CloudAccounts.
// +kubebuilder:object:root=true
type CloudAccountList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []CloudAccount `json:"items"`
}

// NamespacedObjectReference names an object in a namespace.
type NamespacedObjectReference struct {
	// Namespace of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Namespace string `json:"namespace,omitempty"`
	// Name of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
}

// ClusterCredentials says where the keys are.
type ClusterCredentials struct {
	// SecretRef names a Secret with the keys accessKey and secretKey (and securityToken for temporary keys), or
	// domainName, username and password. Changes are picked up without a restart.
	// +required
	SecretRef NamespacedObjectReference `json:"secretRef,omitzero"`
}

// AllowedNamespaces names the namespaces whose objects may use an account. None where left out.
type AllowedNamespaces struct {
	// Names of namespaces; "*" allows every namespace.
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +optional
	Names []string `json:"names,omitempty"`
	// Selector selects namespaces by their labels, in addition to names.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// ClusterTLS says how the certificates of overridden endpoints are checked.
type ClusterTLS struct {
	// CABundle holds PEM certificates that are trusted in place of the system's.
	// +kubebuilder:validation:MaxLength=131072
	// +optional
	CABundle string `json:"caBundle,omitempty"`
	// InsecureSkipVerify accepts any certificate. For test clouds only.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// ClusterCloudAccountSpec says where and as whom cloud calls are made, and who may make them.
type ClusterCloudAccountSpec struct {
	AccountSpec `json:",inline"`
	// Credentials to call the cloud with.
	// +required
	Credentials ClusterCredentials `json:"credentials,omitzero"`
	// TLS says how the certificates of overridden endpoints are checked.
	// +optional
	TLS *ClusterTLS `json:"tls,omitempty"`
	// AllowedNamespaces names the namespaces whose objects may use this account. None where left out.
	// +optional
	AllowedNamespaces *AllowedNamespaces `json:"allowedNamespaces,omitempty"`
}

// ClusterCloudAccount is a Huawei Cloud account, region and project that objects of the namespaces it names may use.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=ssclacct,categories=servicestage
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Region",type=string,JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="Project",type=string,JSONPath=`.status.projectID`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterCloudAccount struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec says where and as whom cloud calls are made, and who may make them.
	// +required
	Spec ClusterCloudAccountSpec `json:"spec,omitzero"`
	// Status is what was observed.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status AccountStatus `json:"status,omitzero"`
}

// ClusterCloudAccountList is a list of ClusterCloudAccounts.
// +kubebuilder:object:root=true
type ClusterCloudAccountList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterCloudAccount `json:"items"`
}

// AccountSpec returns what both kinds of account share.
func (a *CloudAccount) AccountSpec() *AccountSpec { return &a.Spec.AccountSpec }

// AccountStatus returns the status.
func (a *CloudAccount) AccountStatus() *AccountStatus { return &a.Status }

// SecretReference names the Secret that holds the keys.
func (a *CloudAccount) SecretReference() NamespacedObjectReference {
	return NamespacedObjectReference{Namespace: a.Namespace, Name: a.Spec.Credentials.SecretRef.Name}
}

// AccountSpec returns what both kinds of account share.
func (a *ClusterCloudAccount) AccountSpec() *AccountSpec { return &a.Spec.AccountSpec }

// AccountStatus returns the status.
func (a *ClusterCloudAccount) AccountStatus() *AccountStatus { return &a.Status }

// SecretReference names the Secret that holds the keys.
func (a *ClusterCloudAccount) SecretReference() NamespacedObjectReference {
	return a.Spec.Credentials.SecretRef
}
