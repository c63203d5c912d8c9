// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// RestartedAtAnnotation restarts a component once each time its value changes, as kubectl rollout restart does it.
const RestartedAtAnnotation = "servicestage.dev/restarted-at"

// RuntimeStack is the technology that a component runs on (API reference table 5-123).
// +kubebuilder:validation:XValidation:rule="self.deployMode != 'virtualmachine' || self.type in ['Java', 'Tomcat', 'Nodejs']",fieldPath=".type",message="on virtual machines only Java, Tomcat and Nodejs run"
type RuntimeStack struct {
	// Name of the stack, for example OpenJDK8.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	Name string `json:"name,omitempty"`
	// Type of the stack: Java, Tomcat, Nodejs, Php, Docker or Python.
	// +kubebuilder:validation:Enum=Java;Tomcat;Nodejs;Php;Docker;Python
	// +required
	Type string `json:"type,omitempty"`
	// Version of the stack, for example 1.2.0.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	Version string `json:"version,omitempty"`
	// DeployMode says what the component runs on: container or virtualmachine.
	// +kubebuilder:validation:Enum=container;virtualmachine
	// +required
	DeployMode DeployMode `json:"deployMode,omitempty"`
}

// PackageSource is a software package (table 5-124, kind package).
type PackageSource struct {
	// URL of the package, for example obs://bucket/shop-1.0.0.jar.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	URL string `json:"url,omitempty"`
	// Storage that holds it: obs, codearts or swr.
	// +kubebuilder:validation:Enum=obs;codearts;swr
	// +required
	Storage string `json:"storage,omitempty"`
	// Auth says how it is fetched: iam (the cloud's default) or none.
	// +kubebuilder:validation:Enum=iam;none
	// +optional
	Auth string `json:"auth,omitempty"`
	// Version of the package.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Version string `json:"version,omitempty"`
}

// ImageSource is a container image (table 5-124, kind image).
type ImageSource struct {
	// URL of the image, for example swr.ap-southeast-3.myhuaweicloud.com/group/shop:1.0.0.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	URL string `json:"url,omitempty"`
	// Storage that holds it.
	// +kubebuilder:validation:Enum=swr;obs;codearts
	// +kubebuilder:default=swr
	// +optional
	Storage string `json:"storage,omitempty"`
	// Auth says how it is fetched: iam (the cloud's default) or none.
	// +kubebuilder:validation:Enum=iam;none
	// +optional
	Auth string `json:"auth,omitempty"`
	// Version of the image.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Version string `json:"version,omitempty"`
}

// CodeSource is source code that the cloud builds (table 5-124, kind code).
type CodeSource struct {
	// RepoType of the repository: GitHub, BitBucket or GitLab.
	// +kubebuilder:validation:Enum=GitHub;BitBucket;GitLab
	// +required
	RepoType string `json:"repoType,omitempty"`
	// RepoURL of the repository, for example https://github.com/example/demo.git.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	RepoURL string `json:"repoURL,omitempty"`
	// WebURL that people are sent to.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	WebURL string `json:"webURL,omitempty"`
	// Namespace of the repository.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Ref is the branch or tag; master where left out.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Ref string `json:"ref,omitempty"`
	// Authorization is the name of the repository authorization in the cloud; a public repository needs none.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Authorization string `json:"authorization,omitempty"`
	// Version of the code.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Version string `json:"version,omitempty"`
}

// ComponentSource says where a component's software comes from.
// +kubebuilder:validation:ExactlyOneOf=package;image;code
type ComponentSource struct {
	// Package is a software package.
	// +optional
	Package *PackageSource `json:"package,omitempty"`
	// Image is a container image.
	// +optional
	Image *ImageSource `json:"image,omitempty"`
	// Code is source code that the cloud builds.
	// +optional
	Code *CodeSource `json:"code,omitempty"`
}

// ComponentBuild says how the cloud builds a component (table 5-126).
type ComponentBuild struct {
	// Command that builds; ./build.sh, or what fits the stack, where left out.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Command string `json:"command,omitempty"`
	// DockerfilePath within the source; ./ where left out.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	DockerfilePath string `json:"dockerfilePath,omitempty"`
	// ArtifactNamespace is the image organization that the result goes to; cas_{project id} where left out.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ArtifactNamespace string `json:"artifactNamespace,omitempty"`
	// ClusterID of the CCE cluster that builds.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	ClusterID string `json:"clusterID,omitempty"`
	// NodeSelector selects the nodes that build.
	// +kubebuilder:validation:MaxProperties=32
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitzero"`
	// EnvironmentRef names the environment that builds.
	// +optional
	EnvironmentRef *Reference `json:"environmentRef,omitempty"`
}

// ComponentResources is the CPU and memory of each instance.
// +kubebuilder:validation:XValidation:rule="!has(self.limits) || !has(self.requests) || !has(self.limits.cpu) || !has(self.requests.cpu) || quantity(string(self.requests.cpu)).compareTo(quantity(string(self.limits.cpu))) <= 0",fieldPath=".requests",message="requests.cpu must not be above limits.cpu"
// +kubebuilder:validation:XValidation:rule="!has(self.limits) || !has(self.requests) || !has(self.limits.memory) || !has(self.requests.memory) || quantity(string(self.requests.memory)).compareTo(quantity(string(self.limits.memory))) <= 0",fieldPath=".requests",message="requests.memory must not be above limits.memory"
type ComponentResources struct {
	// Limits of each instance.
	// +optional
	Limits *ComputeAmount `json:"limits,omitempty"`
	// Requests of each instance.
	// +optional
	Requests *ComputeAmount `json:"requests,omitempty"`
}

// ComputeAmount is an amount of CPU and memory. The cloud counts cores and GiB.
type ComputeAmount struct {
	// CPU, for example 250m or 2.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('0')) >= 0",message="cpu must not be negative"
	// +optional
	CPU *resource.Quantity `json:"cpu,omitempty"`
	// Memory, for example 512Mi or 2Gi.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('0')) >= 0",message="memory must not be negative"
	// +optional
	Memory *resource.Quantity `json:"memory,omitempty"`
}

// ComponentState says whether a component is to run.
// +kubebuilder:validation:Enum=Running;Stopped
type ComponentState string

const (
	// ComponentRunning runs.
	ComponentRunning ComponentState = "Running"
	// ComponentStopped is stopped and keeps its configuration.
	ComponentStopped ComponentState = "Stopped"
)

// WorkloadKeySelector selects a key of a ConfigMap or Secret in the cluster that the component runs in.
type WorkloadKeySelector struct {
	// Name of the ConfigMap or Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
	// Key within it; all keys where left out.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Key string `json:"key,omitempty"`
	// Optional lets the component start without it.
	// +optional
	Optional *bool `json:"optional,omitempty"`
}

// WorkloadValueSource says where a variable's value comes from, in the cluster that the component runs in.
// +kubebuilder:validation:ExactlyOneOf=configMapKeyRef;secretKeyRef
type WorkloadValueSource struct {
	// ConfigMapKeyRef takes the value from a ConfigMap of the workload's cluster and namespace.
	// +optional
	ConfigMapKeyRef *WorkloadKeySelector `json:"configMapKeyRef,omitempty"`
	// SecretKeyRef takes the value from a Secret of the workload's cluster and namespace.
	// +optional
	SecretKeyRef *WorkloadKeySelector `json:"secretKeyRef,omitempty"`
}

// ComponentEnvVar is an environment variable of a component (table 5-121). It looks as in a Pod: valueFrom refers to
// objects of the cluster that the component runs in, not of this one.
// +kubebuilder:validation:XValidation:rule="!(has(self.value) && has(self.valueFrom))",message="set at most one of value and valueFrom"
type ComponentEnvVar struct {
	// Name of the variable.
	// +kubebuilder:validation:Pattern=`^[A-Za-z_.-][A-Za-z0-9_.-]*$`
	// +kubebuilder:validation:MaxLength=64
	// +required
	Name string `json:"name,omitempty"`
	// Value of the variable; empty where neither this nor valueFrom is given.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	Value *string `json:"value,omitempty"`
	// ValueFrom takes the value from the cluster that the component runs in.
	// +optional
	ValueFrom *WorkloadValueSource `json:"valueFrom,omitempty"`
}

// VolumeMount says where a volume is seen (table 5-100).
type VolumeMount struct {
	// Path in the container.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Path string `json:"path,omitempty"`
	// SubPath of the volume.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	SubPath string `json:"subPath,omitempty"`
	// ReadOnly mounts it for reading only.
	// +optional
	ReadOnly bool `json:"readOnly,omitempty"`
}

// HostPathVolume is a path of the host.
type HostPathVolume struct {
	// Path on the host.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Path string `json:"path,omitempty"`
}

// EmptyDirVolume lives as long as the instance.
type EmptyDirVolume struct {
	// Medium is Memory, or the disk where left out.
	// +kubebuilder:validation:Enum=Memory
	// +optional
	Medium string `json:"medium,omitempty"`
}

// NamedVolume is a ConfigMap or Secret of the cluster that the component runs in.
type NamedVolume struct {
	// Name of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
	// DefaultMode of the files, for example 0400 (256).
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=511
	// +optional
	DefaultMode *int32 `json:"defaultMode,omitempty"`
}

// ClaimVolume is a PersistentVolumeClaim of the cluster that the component runs in.
type ClaimVolume struct {
	// ClaimName is the name of the claim.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	ClaimName string `json:"claimName,omitempty"`
}

// ComponentVolume is storage of a component (table 5-98).
// +kubebuilder:validation:ExactlyOneOf=hostPath;emptyDir;configMap;secret;persistentVolumeClaim
type ComponentVolume struct {
	// Name of the volume.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name,omitempty"`
	// HostPath is a path of the host.
	// +optional
	HostPath *HostPathVolume `json:"hostPath,omitempty"`
	// EmptyDir lives as long as the instance.
	// +optional
	EmptyDir *EmptyDirVolume `json:"emptyDir,omitempty"`
	// ConfigMap of the cluster that the component runs in.
	// +optional
	ConfigMap *NamedVolume `json:"configMap,omitempty"`
	// Secret of the cluster that the component runs in.
	// +optional
	Secret *NamedVolume `json:"secret,omitempty"`
	// PersistentVolumeClaim of the cluster that the component runs in.
	// +optional
	PersistentVolumeClaim *ClaimVolume `json:"persistentVolumeClaim,omitempty"`
	// Mounts of the volume.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +required
	Mounts []VolumeMount `json:"mounts,omitempty"`
}

// ExecAction runs a command in the container.
type ExecAction struct {
	// Command and its arguments.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +required
	Command []string `json:"command,omitempty"`
}

// HTTPGetAction requests a URL of the container.
type HTTPGetAction struct {
	// Path of the request.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Path string `json:"path,omitempty"`
	// Port of the request.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +required
	Port int32 `json:"port,omitempty"`
	// Host of the request; the instance's address where left out.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Host string `json:"host,omitempty"`
	// Scheme of the request.
	// +kubebuilder:validation:Enum=HTTP;HTTPS
	// +kubebuilder:default=HTTP
	// +optional
	Scheme string `json:"scheme,omitempty"`
}

// TCPSocketAction opens a connection to the container.
type TCPSocketAction struct {
	// Port to connect to.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +required
	Port int32 `json:"port,omitempty"`
}

// LifecycleHandler is what is done at one point of an instance's life (table 5-105).
// +kubebuilder:validation:ExactlyOneOf=exec;httpGet
type LifecycleHandler struct {
	// Exec runs a command.
	// +optional
	Exec *ExecAction `json:"exec,omitempty"`
	// HTTPGet requests a URL.
	// +optional
	HTTPGet *HTTPGetAction `json:"httpGet,omitempty"`
}

// ComponentLifecycle is what is done when an instance has started and before it stops.
type ComponentLifecycle struct {
	// PostStart is done once an instance has started.
	// +optional
	PostStart *LifecycleHandler `json:"postStart,omitempty"`
	// PreStop is done before an instance stops.
	// +optional
	PreStop *LifecycleHandler `json:"preStop,omitempty"`
}

// ComponentProbe finds out how an instance is (table 5-118).
// +kubebuilder:validation:ExactlyOneOf=exec;httpGet;tcpSocket
type ComponentProbe struct {
	// Exec runs a command.
	// +optional
	Exec *ExecAction `json:"exec,omitempty"`
	// HTTPGet requests a URL.
	// +optional
	HTTPGet *HTTPGetAction `json:"httpGet,omitempty"`
	// TCPSocket opens a connection.
	// +optional
	TCPSocket *TCPSocketAction `json:"tcpSocket,omitempty"`
	// InitialDelaySeconds between the start of an instance and its first probe.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +optional
	InitialDelaySeconds int32 `json:"initialDelaySeconds,omitempty"`
	// TimeoutSeconds of one probe.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	// +kubebuilder:default=1
	// +optional
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`
}

// Mesher attaches a component in any language to the service mesh (table 5-106).
type Mesher struct {
	// Port that the process listens on.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +required
	Port int32 `json:"port,omitempty"`
}

// Tomcat configures Tomcat (table 5-107).
type Tomcat struct {
	// ServerXML is the whole server.xml.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	// +required
	ServerXML string `json:"serverXML,omitempty"`
}

// LogCollection collects a log of the container (table 5-113).
type LogCollection struct {
	// Path of the log in the container.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Path string `json:"path,omitempty"`
	// HostPath that it is kept at on the host.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	HostPath string `json:"hostPath,omitempty"`
	// HostExtendPath tells instances apart below the host path. None where left out.
	// +kubebuilder:validation:Enum=None;PodUID;PodName;PodUID/ContainerName;PodName/ContainerName
	// +optional
	HostExtendPath string `json:"hostExtendPath,omitempty"`
	// Rotate says how often the log is rotated. Hourly where left out.
	// +kubebuilder:validation:Enum=Hourly;Daily;Weekly
	// +optional
	Rotate string `json:"rotate,omitempty"`
}

// CustomMetrics says where the component's own metrics are scraped (table 5-114).
type CustomMetrics struct {
	// Path, for example /metrics.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Path string `json:"path,omitempty"`
	// Port, for example 9090.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +required
	Port int32 `json:"port,omitempty"`
	// Dimensions to watch, for example cpu_usage,mem_usage.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Dimensions string `json:"dimensions,omitempty"`
}

// AffinityComponent names a component to be near to or far from (table 5-116).
type AffinityComponent struct {
	// Name of the component.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Name string `json:"name,omitempty"`
	// DisplayName of the workload.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	DisplayName string `json:"displayName,omitempty"`
}

// AffinityExpression matches labels (table 5-117).
// +kubebuilder:validation:XValidation:rule="(self.operation in ['In', 'NotIn']) == has(self.value)",fieldPath=".value",message="value goes with operation: In and NotIn, which need it"
type AffinityExpression struct {
	// Key of the label.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	Key string `json:"key,omitempty"`
	// Operation: In, NotIn, Exists or DoesNotExist.
	// +kubebuilder:validation:Enum=In;NotIn;Exists;DoesNotExist
	// +required
	Operation string `json:"operation,omitempty"`
	// Value of the label.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Value string `json:"value,omitempty"`
}

// AffinityRule is an affinity rule in the newer form of the API.
// +kubebuilder:validation:XValidation:rule="(self.condition == 'preferred') == has(self.weight)",fieldPath=".weight",message="weight goes with condition: preferred, which needs it"
type AffinityRule struct {
	// Condition says whether the rule must hold.
	// +kubebuilder:validation:Enum=required;preferred
	// +required
	Condition string `json:"condition,omitempty"`
	// Kind of what is matched.
	// +kubebuilder:validation:Enum=node;pod
	// +required
	Kind string `json:"kind,omitempty"`
	// Weight of a preferred rule.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	Weight *int32 `json:"weight,omitempty"`
	// MatchExpressions that all must match.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +required
	MatchExpressions []AffinityExpression `json:"matchExpressions,omitempty"`
}

// ComponentAffinity says what instances are to be near to or far from (table 5-115): either by rules, the newer form, or
// by zones, nodes and components.
// +kubebuilder:validation:XValidation:rule="!has(self.rules) || (!has(self.availabilityZones) && !has(self.nodes) && !has(self.components))",message="set either rules, or availabilityZones, nodes and components"
type ComponentAffinity struct {
	// AvailabilityZones by name.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +optional
	AvailabilityZones []string `json:"availabilityZones,omitzero"`
	// Nodes by name.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Nodes []string `json:"nodes,omitzero"`
	// Components by name.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Components []AffinityComponent `json:"components,omitzero"`
	// Rules in the newer form of the API.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Rules []AffinityRule `json:"rules,omitzero"`
}

// ComponentReference is a resource that a component uses (table 5-119).
// +kubebuilder:validation:ExactlyOneOf=id;engineRef
// +kubebuilder:validation:XValidation:rule="!has(self.engineRef) || self.type == 'cse'",fieldPath=".engineRef",message="engineRef needs type: cse; name resources of other types by id"
// +kubebuilder:validation:XValidation:rule="!has(self.namespace) || self.type == 'cce'",fieldPath=".namespace",message="namespace goes with type: cce only"
type ComponentReference struct {
	// Type of the resource: cce (the cluster that it runs in), cse, elb, eip, as, dcs, rds or vpc.
	// +kubebuilder:validation:Enum=vpc;eip;elb;cce;as;cse;dcs;rds
	// +required
	Type string `json:"type,omitempty"`
	// ID of the resource in the cloud.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ID string `json:"id,omitempty"`
	// EngineRef names a MicroserviceEngine in this namespace; only with type cse.
	// +optional
	EngineRef *ObjectReference `json:"engineRef,omitempty"`
	// Namespace in the CCE cluster; default where left out.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// ExternalAccess is an address that the component is reached at (table 5-127).
type ExternalAccess struct {
	// Protocol: http or https.
	// +kubebuilder:validation:Enum=http;https
	// +required
	Protocol string `json:"protocol,omitempty"`
	// Address that it is reached at.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Address string `json:"address,omitempty"`
	// Port that requests are forwarded to.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`
}

// RollingRelease upgrades in batches (table 5-102).
type RollingRelease struct {
	// Batches that the instances are upgraded in.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +required
	Batches int32 `json:"batches,omitempty"`
}

// GrayRule selects the requests that the new version gets.
type GrayRule struct {
	// Type of what is matched, for example header, cookie or query.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +required
	Type string `json:"type,omitempty"`
	// Key that is matched.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	Key string `json:"key,omitempty"`
	// Condition of the match.
	// +kubebuilder:validation:Enum=equal;match;in
	// +required
	Condition string `json:"condition,omitempty"`
	// Value to match.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Value string `json:"value,omitempty"`
}

// GrayRelease upgrades a first batch, waits, and then upgrades the rest (table 5-103, and the newer fields).
// +kubebuilder:validation:XValidation:rule="!has(self.trafficType) || self.trafficType != 'Content' || (has(self.rules) && size(self.rules) > 0)",fieldPath=".rules",message="trafficType Content needs rules"
// +kubebuilder:validation:XValidation:rule="(has(self.trafficType) && self.trafficType == 'Content') || (!has(self.rules) && !has(self.ruleMatchMode))",fieldPath=".trafficType",message="rules and ruleMatchMode go with trafficType: Content only"
// +kubebuilder:validation:XValidation:rule="has(self.replicaSurgeMode) == has(self.deploymentMode)",fieldPath=".deploymentMode",message="set both of replicaSurgeMode and deploymentMode, or neither"
// +kubebuilder:validation:XValidation:rule="!has(self.trafficType) || self.trafficType != 'Content' || has(self.deploymentMode)",fieldPath=".deploymentMode",message="trafficType Content needs replicaSurgeMode and deploymentMode"
type GrayRelease struct {
	// FirstBatchWeight is the share of the traffic that the new version gets, in percent.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +required
	FirstBatchWeight *int32 `json:"firstBatchWeight,omitempty"`
	// FirstBatchReplicas is how many instances of the new version the first batch has.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +required
	FirstBatchReplicas int32 `json:"firstBatchReplicas,omitempty"`
	// RemainingBatches that the rest is upgraded in.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +required
	RemainingBatches int32 `json:"remainingBatches,omitempty"`
	// Hold keeps the release at its first batch. Set it to false to go on; set the old version to give up.
	// +optional
	Hold bool `json:"hold,omitempty"`
	// TrafficType says how traffic is split: Weight (the default) or Content.
	// +kubebuilder:validation:Enum=Weight;Content
	// +optional
	TrafficType string `json:"trafficType,omitempty"`
	// ReplicaSurgeMode of the newer API: MIRROR, EXTRA or NOSURGE.
	// +kubebuilder:validation:Enum=MIRROR;EXTRA;NOSURGE
	// +optional
	ReplicaSurgeMode string `json:"replicaSurgeMode,omitempty"`
	// DeploymentMode of the newer API: 1 gateway and engine, 3 service center, 4 dedicated ELB, 6 shared ELB.
	// +kubebuilder:validation:Enum=1;3;4;6
	// +optional
	DeploymentMode int32 `json:"deploymentMode,omitempty"`
	// RuleMatchMode says whether all rules must match, or any.
	// +kubebuilder:validation:Enum=all;any
	// +optional
	RuleMatchMode string `json:"ruleMatchMode,omitempty"`
	// Rules that select the requests; with trafficType Content.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Rules []GrayRule `json:"rules,omitempty"`
}

// DeployStrategyType says how an upgrade goes.
// +kubebuilder:validation:Enum=OneBatchRelease;RollingRelease;GrayRelease
type DeployStrategyType string

// The deploy strategies.
const (
	OneBatchReleaseType DeployStrategyType = "OneBatchRelease"
	RollingReleaseType  DeployStrategyType = "RollingRelease"
	GrayReleaseType     DeployStrategyType = "GrayRelease"
)

// DeployStrategy says how upgrades go (table 5-101). Changing it upgrades nothing.
// +kubebuilder:validation:XValidation:rule="(self.type == 'RollingRelease') == has(self.rollingRelease)",fieldPath=".rollingRelease",message="rollingRelease goes with type: RollingRelease, which needs it"
// +kubebuilder:validation:XValidation:rule="(self.type == 'GrayRelease') == has(self.grayRelease)",fieldPath=".grayRelease",message="grayRelease goes with type: GrayRelease, which needs it"
type DeployStrategy struct {
	// Type: OneBatchRelease, RollingRelease or GrayRelease.
	// +required
	Type DeployStrategyType `json:"type,omitempty"`
	// RollingRelease upgrades in batches.
	// +optional
	RollingRelease *RollingRelease `json:"rollingRelease,omitempty"`
	// GrayRelease upgrades a first batch and waits.
	// +optional
	GrayRelease *GrayRelease `json:"grayRelease,omitempty"`
}

// UpdateStrategy is the workload's own update strategy, known to newer clouds. The cloud fills in what is left out.
type UpdateStrategy struct {
	// Type: RollingUpdate or Recreate.
	// +kubebuilder:validation:Enum=RollingUpdate;Recreate
	// +optional
	Type string `json:"type,omitempty"`
	// MaxSurge as a number or a percentage of the instances.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:XValidation:rule="string(self).matches('^[0-9]{1,4}%?$')",message="maxSurge is a number or a percentage, for example 1 or 30%"
	// +optional
	MaxSurge *intstr.IntOrString `json:"maxSurge,omitempty"`
	// MaxUnavailable as a number or a percentage of the instances.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:XValidation:rule="string(self).matches('^[0-9]{1,4}%?$')",message="maxUnavailable is a number or a percentage, for example 1 or 30%"
	// +optional
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
	// MinReadySeconds before an instance counts as available.
	// +kubebuilder:validation:Minimum=0
	// +optional
	MinReadySeconds *int32 `json:"minReadySeconds,omitempty"`
	// RevisionHistoryLimit is how many old revisions are kept.
	// +kubebuilder:validation:Minimum=0
	// +optional
	RevisionHistoryLimit *int32 `json:"revisionHistoryLimit,omitempty"`
	// ProgressDeadlineSeconds before an update counts as failed.
	// +kubebuilder:validation:Minimum=1
	// +optional
	ProgressDeadlineSeconds *int32 `json:"progressDeadlineSeconds,omitempty"`
	// TerminationGracePeriodSeconds that an instance has to stop.
	// +kubebuilder:validation:Minimum=0
	// +optional
	TerminationGracePeriodSeconds *int32 `json:"terminationGracePeriodSeconds,omitempty"`
}

// ComponentSpec is the wanted state of a component. What is left out is neither changed nor cleared in the cloud.
// +kubebuilder:validation:XValidation:rule="self.runtimeStack.deployMode != 'virtualmachine' || (has(self.hosts) && size(self.hosts) > 0) || has(self.import) || self.managementPolicy == 'Observe'",fieldPath=".hosts",message="a component on virtual machines needs hosts"
// +kubebuilder:validation:XValidation:rule="self.runtimeStack.deployMode != 'container' || !has(self.hosts)",fieldPath=".hosts",message="hosts goes with runtimeStack.deployMode: virtualmachine only"
// +kubebuilder:validation:XValidation:rule="self.runtimeStack.deployMode != 'container' || (has(self.references) && self.references.exists(r, r.type == 'cce')) || has(self.import) || self.managementPolicy == 'Observe'",fieldPath=".references",message="a component in containers needs a reference of type cce: the cluster that it runs in"
// +kubebuilder:validation:XValidation:rule="self.runtimeStack.deployMode != 'container' || has(self.source.image) || has(self.build) || has(self.import) || self.managementPolicy == 'Observe'",fieldPath=".build",message="a component in containers that is not an image needs build"
// +kubebuilder:validation:XValidation:rule="!has(self.tomcat) || self.runtimeStack.type == 'Tomcat'",fieldPath=".tomcat",message="tomcat goes with runtimeStack.type: Tomcat only"
// +kubebuilder:validation:XValidation:rule="self.runtimeStack.type != 'Nodejs' || has(self.mesher) || !has(self.references) || !self.references.exists(r, r.type == 'cse')",fieldPath=".mesher",message="a Nodejs component with an engine needs mesher"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.name) || (has(self.name) && self.name == oldSelf.name)",fieldPath=".name",message="name is immutable: the cloud cannot rename a component; create a new Component"
// +kubebuilder:validation:XValidation:rule="has(self.workloadContent) == has(oldSelf.workloadContent) && (!has(self.workloadContent) || self.workloadContent == oldSelf.workloadContent)",fieldPath=".workloadContent",message="workloadContent is immutable: the cloud takes it at creation only; create a new Component"
type ComponentSpec struct {
	ResourceSpec `json:",inline"`
	// Name of the component in the cloud; metadata.name where left out. 2 to 64 letters, digits, hyphens and
	// underscores, starting with a letter and ending with a letter or digit. It can be added later, to name what was
	// adopted, and not changed: the cloud cannot rename a component.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_-]{0,62}[A-Za-z0-9]$`
	// +optional
	Name string `json:"name,omitempty"`
	// ApplicationRef names the application that the component belongs to. Immutable.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="applicationRef is immutable: the cloud cannot move a component to another application; create a new Component"
	// +required
	ApplicationRef Reference `json:"applicationRef,omitzero"`
	// EnvironmentRef names the environment that the component is deployed in. Immutable.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="environmentRef is immutable: the cloud cannot move a component to another environment; create a new Component"
	// +required
	EnvironmentRef Reference `json:"environmentRef,omitzero"`
	// Version of the component, three or four numbers: 1.0.0. A version that was deployed before is rolled back to.
	// +kubebuilder:validation:Pattern=`^([0-9]+)(\.[0-9]+){2,3}$`
	// +kubebuilder:validation:MaxLength=32
	// +required
	Version string `json:"version,omitempty"`
	// RuntimeStack that the component runs on; one of those that the cloud supports. Immutable.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="runtimeStack is immutable: create a new Component"
	// +required
	RuntimeStack RuntimeStack `json:"runtimeStack,omitzero"`
	// Source of the software: exactly one of package, image and code.
	// +required
	Source ComponentSource `json:"source,omitzero"`
	// Build says how the cloud builds the component; needed in containers unless the source is an image.
	// +optional
	Build *ComponentBuild `json:"build,omitempty"`
	// Description of the component; "" clears it.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Description *string `json:"description,omitempty"`
	// Labels of the component's workload. Authoritative where given.
	// +kubebuilder:validation:MaxProperties=31
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) >= 1 && size(k) <= 128 && !k.startsWith('servicestage-dev-'))",message="label keys have 1 to 128 characters and do not start with servicestage-dev-, which the operator uses itself"
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(self[k]) <= 255)",message="label values have at most 255 characters"
	// +optional
	Labels map[string]string `json:"labels,omitzero"`
	// Replicas is how many instances run. Left out, a component is created with one, and the number that the cloud holds
	// stays as it is.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`
	// Resources of each instance.
	// +optional
	Resources *ComponentResources `json:"resources,omitempty"`
	// State says whether the component is to run: Running (the default) or Stopped.
	// +kubebuilder:default=Running
	// +optional
	State ComponentState `json:"state,omitempty"`
	// Env holds the environment variables. Authoritative where given, but for what the cloud adds itself.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	// +optional
	Env []ComponentEnvVar `json:"env,omitzero"`
	// Volumes of each instance. Authoritative where given.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	// +optional
	Volumes []ComponentVolume `json:"volumes,omitzero"`
	// Command that the container runs.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Command []string `json:"command,omitzero"`
	// Args of the command.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Args []string `json:"args,omitzero"`
	// Lifecycle is what is done when an instance has started and before it stops.
	// +optional
	Lifecycle *ComponentLifecycle `json:"lifecycle,omitempty"`
	// LivenessProbe finds out whether an instance must be restarted.
	// +optional
	LivenessProbe *ComponentProbe `json:"livenessProbe,omitempty"`
	// ReadinessProbe finds out whether an instance can serve.
	// +optional
	ReadinessProbe *ComponentProbe `json:"readinessProbe,omitempty"`
	// Mesher attaches the component to the service mesh; needed for Nodejs with an engine.
	// +optional
	Mesher *Mesher `json:"mesher,omitempty"`
	// Timezone of the component, for example Asia/Shanghai.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Timezone *string `json:"timezone,omitempty"`
	// JVMOptions, for example -Xms256m -Xmx1024m.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	JVMOptions *string `json:"jvmOptions,omitempty"`
	// Tomcat configures Tomcat; only with runtimeStack.type Tomcat.
	// +optional
	Tomcat *Tomcat `json:"tomcat,omitempty"`
	// Logs to collect. Authoritative where given.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Logs []LogCollection `json:"logs,omitzero"`
	// CustomMetrics says where the component's own metrics are scraped.
	// +optional
	CustomMetrics *CustomMetrics `json:"customMetrics,omitempty"`
	// Affinity says what instances are to be near to.
	// +optional
	Affinity *ComponentAffinity `json:"affinity,omitempty"`
	// AntiAffinity says what instances are to be far from.
	// +optional
	AntiAffinity *ComponentAffinity `json:"antiAffinity,omitempty"`
	// Hosts that the component runs on: ids of servers; with runtimeStack.deployMode virtualmachine.
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	// +optional
	Hosts []string `json:"hosts,omitempty"`
	// References are the resources that the component uses: in containers, the cce cluster that it runs in.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(r, self.exists_one(s, s.type == r.type && (has(r.id) ? has(s.id) && s.id == r.id : has(r.engineRef) && has(s.engineRef) && s.engineRef.name == r.engineRef.name)))",message="each resource may be listed once"
	// +optional
	References []ComponentReference `json:"references,omitempty"`
	// ExternalAccesses are the addresses that the component is reached at over HTTP. Authoritative where given; addresses
	// of other protocols are the cloud's.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +optional
	ExternalAccesses []ExternalAccess `json:"externalAccesses,omitzero"`
	// DeployStrategy says how upgrades go; in one batch where left out.
	// +optional
	DeployStrategy *DeployStrategy `json:"deployStrategy,omitempty"`
	// UpdateStrategy of the workload, known to newer clouds.
	// +optional
	UpdateStrategy *UpdateStrategy `json:"updateStrategy,omitempty"`
	// WorkloadContent is a workload manifest that the component is created from, known to newer clouds. Immutable.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	// +optional
	WorkloadContent string `json:"workloadContent,omitempty"`
}

// RolloutPhase is where a component is in its life.
type RolloutPhase string

// Phases of a component.
const (
	PhaseDeploying   RolloutPhase = "Deploying"
	PhaseUpgrading   RolloutPhase = "Upgrading"
	PhaseGraying     RolloutPhase = "Graying"
	PhaseRollingBack RolloutPhase = "RollingBack"
	PhaseScaling     RolloutPhase = "Scaling"
	PhaseRestarting  RolloutPhase = "Restarting"
	PhaseRunning     RolloutPhase = "Running"
	PhaseStopped     RolloutPhase = "Stopped"
	PhaseFailed      RolloutPhase = "Failed"
	PhaseUnknown     RolloutPhase = "Unknown"
)

// ComponentRecord is a release that the cloud remembers (API reference 5.3.8).
type ComponentRecord struct {
	// Version that was released.
	// +required
	Version string `json:"version,omitempty"`
	// State of the release in the cloud's words.
	// +optional
	State string `json:"state,omitempty"`
	// DeployType of the release.
	// +optional
	DeployType string `json:"deployType,omitempty"`
	// Current says whether it is in use.
	// +optional
	Current bool `json:"current,omitempty"`
	// StartTime of the release.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// EndTime of the release.
	// +optional
	EndTime *metav1.Time `json:"endTime,omitempty"`
}

// ComponentArtifact is what runs (table 5-227).
type ComponentArtifact struct {
	// Type: package or image.
	// +optional
	Type string `json:"type,omitempty"`
	// URL of the package or image.
	// +optional
	URL string `json:"url,omitempty"`
}

// ComponentStatus is what was observed of a component.
type ComponentStatus struct {
	ResourceStatus `json:",inline"`
	// ApplicationID that the component was created in.
	// +optional
	ApplicationID string `json:"applicationID,omitempty"`
	// EnvironmentID that the component was created in.
	// +optional
	EnvironmentID string `json:"environmentID,omitempty"`
	// Phase of the component.
	// +optional
	Phase RolloutPhase `json:"phase,omitempty"`
	// ComponentStatus in the cloud's words.
	// +optional
	ComponentStatus string `json:"componentStatus,omitempty"`
	// Version that the cloud holds.
	// +optional
	Version string `json:"version,omitempty"`
	// Replicas that the cloud was asked for.
	// +optional
	Replicas int32 `json:"replicas"`
	// AvailableReplicas that serve.
	// +optional
	AvailableReplicas int32 `json:"availableReplicas"`
	// ReadyReplicas is availableReplicas/replicas, for display.
	// +optional
	ReadyReplicas string `json:"readyReplicas,omitempty"`
	// Batch that is deployed now, counted from 1, while the cloud's job tells.
	// +optional
	Batch int32 `json:"batch,omitempty"`
	// Batches that the rollout has, while the cloud's job tells.
	// +optional
	Batches int32 `json:"batches,omitempty"`
	// GrayWeight is the share of traffic, in percent, that the new version gets while a gray release is held.
	// +optional
	GrayWeight *int32 `json:"grayWeight,omitempty"`
	// RestartedAt is the last value of the annotation servicestage.dev/restarted-at that was acted on.
	// +optional
	RestartedAt string `json:"restartedAt,omitempty"`
	// FailDetail says in the cloud's words why the component fails.
	// +optional
	FailDetail string `json:"failDetail,omitempty"`
	// Artifact that runs.
	// +optional
	Artifact *ComponentArtifact `json:"artifact,omitempty"`
	// ExternalAddresses that the component is reached at.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +optional
	ExternalAddresses []string `json:"externalAddresses,omitempty"`
	// Records are the last ten releases, the newest first.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	// +optional
	Records []ComponentRecord `json:"records,omitempty"`
	// LastJobID is the last job that the cloud ran for the component; records are as of its end.
	// +optional
	LastJobID string `json:"lastJobID,omitempty"`
}

// Component is a ServiceStage component: software that is deployed in an environment.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas
// +kubebuilder:resource:shortName=sscomp,categories=servicestage
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Synced",type=string,JSONPath=`.status.conditions[?(@.type=="Synced")].status`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Replicas",type=string,JSONPath=`.status.readyReplicas`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="ID",type=string,JSONPath=`.status.id`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="has(self.spec.name) || self.metadata.name.matches('^[A-Za-z][A-Za-z0-9_-]{0,62}[A-Za-z0-9]$')",fieldPath=".spec.name",message="metadata.name is no valid component name in the cloud (2 to 64 letters, digits, hyphens and underscores, starting with a letter, ending with a letter or digit): set spec.name"
type Component struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec is the wanted state.
	// +required
	Spec ComponentSpec `json:"spec,omitzero"`
	// Status is what was observed.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status ComponentStatus `json:"status,omitzero"`
}

// CloudName is the component's name in the cloud.
func (c *Component) CloudName() string {
	if c.Spec.Name != "" {
		return c.Spec.Name
	}
	return c.Name
}

// CommonSpec returns the part of the spec that every cloud resource has.
func (c *Component) CommonSpec() *ResourceSpec { return &c.Spec.ResourceSpec }

// CommonStatus returns the part of the status that every cloud resource has.
func (c *Component) CommonStatus() *ResourceStatus { return &c.Status.ResourceStatus }

// ComponentList is a list of Components.
// +kubebuilder:object:root=true
type ComponentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Component `json:"items"`
}
