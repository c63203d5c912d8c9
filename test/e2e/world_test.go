// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/rig"
)

const (
	project = "0123456789abcdef0123456789abcdef"

	environments   = "servicestage/environments"
	applications   = "servicestage/applications"
	configurations = "servicestage/configurations"
	components     = "servicestage/components"
	jobs           = "servicestage/jobs"
	engines        = "cse/engines"

	// taskDuration is what each task of a component's job and each phase of an engine's takes: a whole job ends before the manager's first poll.
	taskDuration = 100 * time.Millisecond
)

// keys are the simulator's; the secret one must not appear in anything that the manager writes.
var keys = rig.Keys{AccessKey: "E2EACCESSKEY", SecretKey: "canary-e2e-secret-key"}

// world is one spec's own namespace, cloud and manager.
type world struct {
	namespace string
	dir       string
	sim       *rig.Simulator
	manager   *rig.Manager
	managers  int // started so far
}

// newWorld makes a namespace and a cloud, and starts a manager that watches this namespace alone.
func newWorld(ctx context.Context, managerArgs ...string) *world {
	GinkgoHelper()
	w := newWorldWithoutManager(ctx)
	w.startManager(ctx, managerArgs...)
	return w
}

func newWorldWithoutManager(ctx context.Context) *world {
	GinkgoHelper()
	w := &world{dir: GinkgoT().TempDir()}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"}}
	Expect(k8s.Create(ctx, namespace)).To(Succeed())
	w.namespace = namespace.Name
	var err error
	w.sim, err = rig.StartSimulator(ctx, rig.SimulatorOptions{
		Binary: filepath.Join(bin, "cloudsim"), Dir: w.dir, Project: project, AccessKey: keys.AccessKey, SecretKey: keys.SecretKey,
		Args: []string{"--task-duration=" + taskDuration.String(), "--engine-task-duration=" + taskDuration.String()},
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(w.sim.Stop)
	DeferCleanup(w.explain)
	return w
}

// withoutLists makes every call that is made one that an object caused.
const withoutLists = "--list-interval=0"

// startManager starts a manager, which is stopped after the spec; it must then end cleanly.
func (w *world) startManager(ctx context.Context, args ...string) {
	GinkgoHelper()
	kubeconfig, err := plane.ServiceAccountKubeconfig(ctx, rig.OperatorNamespace, rig.OperatorServiceAccount)
	Expect(err).NotTo(HaveOccurred())
	w.managers++
	manager, err := rig.StartManager(ctx, rig.ManagerOptions{
		Binary: filepath.Join(bin, "manager"), Dir: w.dir, Name: fmt.Sprintf("manager-%d", w.managers), Kubeconfig: kubeconfig,
		Args: append([]string{
			"--watch-namespaces=" + w.namespace,
			"--allow-endpoint-host=" + w.sim.URL + ",127.0.0.1", // the simulated engines are there
			"--leader-elect=false",
			"--log-level=debug",
		}, args...),
	})
	Expect(err).NotTo(HaveOccurred())
	w.manager = manager
	DeferCleanup(func() {
		Expect(manager.Stop()).To(Succeed())
		log, err := manager.Log()
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Contains(log, keys.SecretKey)).To(BeFalse(), "the secret key is in the manager's log")
	})
}

// explain adds to the report of a failed spec what the manager and the cloud did last.
func (w *world) explain(ctx context.Context) {
	if !CurrentSpecReport().Failed() {
		return
	}
	if w.manager != nil {
		AddReportEntry("manager", w.manager.Tail(40))
	}
	calls, err := w.sim.Calls(ctx)
	Expect(err).NotTo(HaveOccurred())
	var lines []string
	for _, call := range calls[max(0, len(calls)-40):] {
		lines = append(lines, call.String())
	}
	AddReportEntry("cloud calls", strings.Join(lines, "\n"))
}

// apply applies config/samples with this cloud's address and keys.
func (w *world) applySamples(ctx context.Context) {
	GinkgoHelper()
	w.apply(ctx, func(*unstructured.Unstructured) bool { return true })
}

// applyAccount applies the account and its secret of config/samples, with room for many calls.
func (w *world) applyAccount(ctx context.Context, k rig.Keys) {
	GinkgoHelper()
	objects, err := rig.Samples(w.namespace, w.sim.URL, k)
	Expect(err).NotTo(HaveOccurred())
	for _, object := range objects {
		switch object.GetKind() {
		case "CloudAccount":
			Expect(unstructured.SetNestedMap(object.Object, map[string]any{"requestsPerSecond": int64(1000)}, "spec", "rateLimit")).To(Succeed())
		case "Secret":
		default:
			continue
		}
		Expect(rig.Apply(ctx, k8s, object)).To(Succeed())
	}
}

func (w *world) apply(ctx context.Context, keep func(*unstructured.Unstructured) bool) {
	GinkgoHelper()
	objects, err := rig.Samples(w.namespace, w.sim.URL, keys)
	Expect(err).NotTo(HaveOccurred())
	for _, object := range objects {
		if keep(object) {
			Expect(rig.Apply(ctx, k8s, object)).To(Succeed())
		}
	}
}

// environment returns an Environment without resources, not yet created.
func (w *world) environment(name string) *v1alpha1.Environment {
	environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	environment.Spec.VPCID = "vpc-1"
	return environment
}

func (w *world) application(name string, configurations ...v1alpha1.ApplicationConfiguration) *v1alpha1.Application {
	application := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	application.Spec.Configurations = configurations
	return application
}

// eventuallyReady waits until every object is Ready for its current generation.
func (w *world) eventuallyReady(ctx context.Context, objects ...resource) {
	GinkgoHelper()
	for _, object := range objects {
		Eventually(w.refreshed(ctx, object)).WithContext(ctx).Should(BeReady(), "%T %s", object, object.GetName())
	}
}

// eventuallyGone waits until the API server no longer has the objects.
func (w *world) eventuallyGone(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Eventually(func(g Gomega) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object)
			g.Expect(client.IgnoreNotFound(err)).To(Succeed())
			g.Expect(err).To(HaveOccurred(), "%T %s is still there: %v", object, object.GetName(), object.GetFinalizers())
		}).WithContext(ctx).Should(Succeed())
	}
}

// refreshed returns a function that reads the object anew.
func (w *world) refreshed(ctx context.Context, object resource) func() (resource, error) {
	return func() (resource, error) {
		return object, k8s.Get(ctx, client.ObjectKeyFromObject(object), object)
	}
}

// inCloud returns the cloud's only record of a name.
func (w *world) inCloud(ctx context.Context, collection, name string) rig.Record {
	GinkgoHelper()
	records, err := w.sim.List(ctx, collection)
	Expect(err).NotTo(HaveOccurred())
	var found []rig.Record
	for _, record := range records {
		if record.Text("name") == name {
			found = append(found, record)
		}
	}
	Expect(found).To(HaveLen(1), "%s named %s", collection, name)
	return found[0]
}

// writes returns the calls that changed something in the cloud, with the bodies of actions.
func (w *world) writes(ctx context.Context) []string {
	GinkgoHelper()
	calls, err := w.sim.Calls(ctx)
	Expect(err).NotTo(HaveOccurred())
	var lines []string
	for _, call := range calls {
		reads := strings.Contains(call.Path, "/auth/tokens") || strings.HasSuffix(call.Path, "/kie/download")
		if call.IsWrite() && !reads {
			lines = append(lines, strings.TrimSpace(call.Method+" "+shortPath(call.Path)+" "+call.Action()))
		}
	}
	return lines
}

// shortPath leaves out the project, and the ids.
func shortPath(path string) string {
	_, path, _ = strings.Cut(path, "/cas/")
	parts := strings.Split(path, "/")
	for i := 1; i < len(parts); i += 2 {
		parts[i] = "{id}"
	}
	return strings.Join(parts, "/")
}

// managerWrites returns what the manager has written to the API server about an object.
func (w *world) managerWrites(resource, name string) []string {
	GinkgoHelper()
	user := fmt.Sprintf("system:serviceaccount:%s:%s", rig.OperatorNamespace, rig.OperatorServiceAccount)
	requests, err := plane.Audit(func(r rig.Request) bool {
		return r.User == user && r.IsWrite() && r.Namespace == w.namespace && r.Resource == resource && r.Name == name
	})
	Expect(err).NotTo(HaveOccurred())
	var lines []string
	for _, request := range requests {
		line := request.Verb + " " + request.Resource
		if request.Subresource != "" {
			line += "/" + request.Subresource
		}
		lines = append(lines, line)
	}
	return lines
}

// resource is an object with the conditions that every kind has.
type resource interface {
	client.Object
	CommonStatus() *v1alpha1.ResourceStatus
}

// readyCondition returns the Ready condition, empty where there is none.
func readyCondition(object resource) metav1.Condition {
	condition := meta.FindStatusCondition(object.CommonStatus().Conditions, v1alpha1.ConditionReady)
	if condition == nil {
		return metav1.Condition{}
	}
	return *condition
}

// BeReady matches an object that is Ready for its current generation.
func BeReady() OmegaMatcher {
	return WithTransform(func(object resource) string {
		condition := readyCondition(object)
		if condition.ObservedGeneration != object.GetGeneration() {
			return fmt.Sprintf("of generation %d, not %d", condition.ObservedGeneration, object.GetGeneration())
		}
		return fmt.Sprintf("%s %s %s", condition.Status, condition.Reason, condition.Message)
	}, HavePrefix("True Available"))
}

// HaveReason matches an object that is not Ready for a reason, with a message that contains what is given.
func HaveReason(reason string, message ...string) OmegaMatcher {
	matchers := []OmegaMatcher{HaveField("Status", Not(Equal(metav1.ConditionTrue))), HaveField("Reason", reason)}
	for _, part := range message {
		matchers = append(matchers, HaveField("Message", ContainSubstring(part)))
	}
	return WithTransform(readyCondition, And(matchers...))
}
