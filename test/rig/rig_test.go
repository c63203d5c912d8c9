// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/rig"
)

func TestControlPlane(t *testing.T) {
	g := NewWithT(t)
	ctx := t.Context()
	cp, err := rig.StartControlPlane(ctx, rig.ControlPlaneOptions{Audit: true})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		g.Expect(cp.Stop()).To(Succeed())
		g.Expect(cp.Dir).NotTo(BeADirectory())
	})
	c := newClient(g, cp)

	t.Run("a table reads as kubectl prints it", func(t *testing.T) {
		g := NewWithT(t)
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "tables"}}
		g.Expect(c.Create(ctx, namespace)).To(Succeed())
		environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "tables", Name: "dev"}}
		environment.Spec.VPCID = "vpc-1"
		g.Expect(c.Create(ctx, environment)).To(Succeed())

		table, err := rig.Table(ctx, cp.Config, v1alpha1.GroupVersion.WithResource("environments"), "tables")
		g.Expect(err).NotTo(HaveOccurred())
		lines := strings.Split(strings.TrimSpace(table), "\n")
		g.Expect(lines).To(HaveLen(2))
		g.Expect(strings.Fields(lines[0])).To(Equal([]string{"NAME", "READY", "REASON", "SYNCED", "MODE", "VPC", "AGE"}))
		g.Expect(lines[1]).To(HavePrefix("dev "))
	})

	t.Run("the audit log tells who wrote what", func(t *testing.T) {
		g := NewWithT(t)
		before, err := cp.Audit(func(r rig.Request) bool { return r.Resource == "configmaps" && r.IsWrite() })
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(c.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "audited"}})).To(Succeed())
		after, err := cp.Audit(func(r rig.Request) bool { return r.Resource == "configmaps" && r.IsWrite() && r.Name == "audited" })
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(before).NotTo(ContainElement(HaveField("Name", "audited")))
		g.Expect(after).To(ConsistOf(And(HaveField("User", "admin"), HaveField("Verb", "create"), HaveField("Code", 201), HaveField("Forbidden", false))))
	})

	t.Run("a deleted namespace is emptied and goes", func(t *testing.T) {
		g := NewWithT(t)
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "short-lived"}}
		g.Expect(c.Create(ctx, namespace)).To(Succeed())
		g.Expect(c.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "short-lived", Name: "s"}})).To(Succeed())
		g.Expect(c.Delete(ctx, namespace)).To(Succeed())
		g.Eventually(func() bool {
			return apierrors.IsNotFound(c.Get(ctx, client.ObjectKeyFromObject(namespace), namespace))
		}, "30s").Should(BeTrue())
	})

	t.Run("a service account has its own access and no more", func(t *testing.T) {
		g := NewWithT(t)
		g.Expect(c.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "nobody"}})).To(Succeed())
		kubeconfig, err := cp.ServiceAccountKubeconfig(ctx, "default", "nobody")
		g.Expect(err).NotTo(HaveOccurred())
		err = clientFor(g, kubeconfig).List(ctx, &corev1.SecretList{})
		g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		g.Expect(err).To(MatchError(ContainSubstring("system:serviceaccount:default:nobody")))
		g.Expect(cp.Audit(func(r rig.Request) bool { return r.User == "system:serviceaccount:default:nobody" && r.Resource != "" })).
			To(ConsistOf(And(HaveField("Verb", "list"), HaveField("Resource", "secrets"), HaveField("Forbidden", true))))
	})
}

func TestStartReportsWhyAPartDidNotStart(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	binary := filepath.Join(dir, "manager")
	g.Expect(os.WriteFile(binary, []byte("#!/bin/sh\necho the flag --kubeconfig is wrong >&2\nexit 3\n"), 0o700)).To(Succeed())

	_, err := rig.StartManager(t.Context(), rig.ManagerOptions{Binary: binary, Dir: dir})
	g.Expect(err).To(MatchError(And(ContainSubstring("manager ended before it was ready: exit status 3"), ContainSubstring("the flag --kubeconfig is wrong"))))
}

func TestStartGivesUpWhenItsContextEnds(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	binary, pid := filepath.Join(dir, "manager"), filepath.Join(dir, "pid")
	g.Expect(os.WriteFile(binary, fmt.Appendf(nil, "#!/bin/sh\necho $$ >%[1]s.new; mv %[1]s.new %[1]s; exec sleep 600\n", pid), 0o700)).To(Succeed())
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := rig.StartManager(ctx, rig.ManagerOptions{Binary: binary, Dir: dir})
		failed <- err
	}()
	g.Eventually(pid).Should(BeAnExistingFile())

	cancel()
	var err error
	g.Eventually(failed).Should(Receive(&err))
	g.Expect(err).To(MatchError(context.Canceled))
	g.Expect(alive(g, pid)).To(BeFalse(), "the process is gone with the start that gave up")
}

func TestStackUndoesInReverseOrderAndOnce(t *testing.T) {
	g := NewWithT(t)
	var stack rig.Stack
	var order []int
	for i := range 3 {
		stack.Push(func() error {
			order = append(order, i)
			return fmt.Errorf("step %d", i)
		})
	}
	err := stack.Stop()
	g.Expect(order).To(Equal([]int{2, 1, 0}))
	g.Expect(err).To(MatchError("step 2\nstep 1\nstep 0"))
	g.Expect(stack.Stop()).To(Succeed())
	g.Expect(order).To(HaveLen(3))
}

func TestReadManifestsKeepsTheOrderOfFiles(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	g.Expect(os.WriteFile(filepath.Join(dir, "b.yaml"), []byte("kind: B\n---\n# nothing\n---\nkind: C\n"), 0o600)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("kind: A\n"), 0o600)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte("kind: Kustomization\n"), 0o600)).To(Succeed())

	objects, err := rig.ReadManifests(dir)
	g.Expect(err).NotTo(HaveOccurred())
	var kinds []string
	for _, object := range objects {
		kinds = append(kinds, object.GetKind())
	}
	g.Expect(slices.Equal(kinds, []string{"A", "B", "C"})).To(BeTrue(), "%v", kinds)

	_, err = rig.ReadManifests(filepath.Join(dir, "missing.yaml"))
	g.Expect(err).To(MatchError(os.ErrNotExist))
}

func TestCallNamesItsAction(t *testing.T) {
	g := NewWithT(t)
	call := rig.Call{Method: "POST", Path: "/v3/p1/cas/applications/a1/components/c1", Status: 200, Body: []byte(`{"name":"web"}`)}
	g.Expect(call.String()).To(Equal("POST /v3/p1/cas/applications/a1/components/c1 -> 200"))
	call.Path, call.Body = call.Path+"/action", []byte(`{"action":"stop"}`)
	g.Expect(call.String()).To(Equal(`POST /v3/p1/cas/applications/a1/components/c1/action {"action":"stop"} -> 200`))
}

func TestRecordAt(t *testing.T) {
	g := NewWithT(t)
	record := rig.Record{"version": "1.0.0", "status": map[string]any{"available_replica": 2.0}}
	g.Expect(record.At("version")).To(Equal("1.0.0"))
	g.Expect(record.At("status", "available_replica")).To(Equal("2"))
	g.Expect(record.At("status", "missing")).To(BeEmpty())
	g.Expect(record.At("version", "deeper")).To(BeEmpty())
}

func alive(g Gomega, pidFile string) bool {
	content, err := os.ReadFile(pidFile)
	g.Expect(err).NotTo(HaveOccurred())
	var pid int
	_, err = fmt.Sscan(string(content), &pid)
	g.Expect(err).NotTo(HaveOccurred())
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(stat), ") Z ") {
		return false // ended, and nobody has asked how
	}
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

func TestSimulator(t *testing.T) {
	g := NewWithT(t)
	ctx, dir := t.Context(), t.TempDir()
	g.Expect(rig.Build(ctx, dir, "./cmd/cloudsim")).To(Succeed())
	sim, err := rig.StartSimulator(ctx, rig.SimulatorOptions{
		Binary: filepath.Join(dir, "cloudsim"), Dir: dir, Project: "p1", AccessKey: "AK", SecretKey: "SK",
	})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(sim.Stop()).To(Succeed()) })
	const environments = "servicestage/environments"

	g.Expect(sim.List(ctx, environments)).To(BeEmpty())
	g.Expect(sim.Put(ctx, environments, "e1", rig.Record{"name": "dev", "vpc_id": "v1"})).To(Succeed())
	g.Expect(sim.List(ctx, environments)).To(ConsistOf(HaveKeyWithValue("name", "dev")))

	g.Expect(sim.Patch(ctx, environments, "e1", rig.Record{"description": "changed"})).To(Succeed())
	record, err := sim.Get(ctx, environments, "e1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(record.Text("description")).To(Equal("changed"))

	g.Expect(sim.Faults(ctx, cloudsim.Fault{Action: cloudsim.FaultStatus, Status: http.StatusServiceUnavailable})).To(Succeed())
	status := func() int {
		resp, err := http.Get(sim.URL + "/v3/p1/cas/environments")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(resp.Body.Close()).To(Succeed())
		return resp.StatusCode
	}
	g.Expect(status()).To(Equal(http.StatusServiceUnavailable))
	g.Expect(sim.Faults(ctx)).To(Succeed())
	g.Expect(status()).To(Equal(http.StatusUnauthorized), "the call is not signed")
	g.Expect(sim.Calls(ctx)).To(HaveExactElements(
		HaveField("Status", http.StatusServiceUnavailable), HaveField("Status", http.StatusUnauthorized)))
	g.Expect(sim.ResetCalls(ctx)).To(Succeed())
	g.Expect(sim.Calls(ctx)).To(BeEmpty())

	g.Expect(sim.Outcomes(ctx, cloudsim.Outcome{Result: "WELL"})).To(MatchError(ContainSubstring("result")))
	g.Expect(sim.Outcomes(ctx, cloudsim.Outcome{Result: cloudsim.OutcomeHeld})).To(Succeed())
	g.Expect(sim.Outcomes(ctx)).To(Succeed())

	g.Expect(sim.Delete(ctx, environments, "e1")).To(Succeed())
	g.Expect(sim.List(ctx, environments)).To(BeEmpty())
	g.Expect(sim.Delete(ctx, environments, "e1")).To(MatchError(ContainSubstring("404")))
}

// A child must not outlive the program that started it, however that ends. The test binary plays that program.
func TestChildrenDieWithTheirParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ties children to their parent")
	}
	g := NewWithT(t)
	if pid := os.Getenv("RIG_TEST_PARENT"); pid != "" {
		binary := filepath.Join(filepath.Dir(pid), "child")
		g.Expect(os.WriteFile(binary, fmt.Appendf(nil, "#!/bin/sh\necho $$ >%[1]s.new; mv %[1]s.new %[1]s; exec sleep 600\n", pid), 0o700)).To(Succeed())
		_, err := rig.StartManager(t.Context(), rig.ManagerOptions{Binary: binary, Dir: filepath.Dir(pid)})
		g.Expect(err).NotTo(HaveOccurred(), "never reached: the parent is killed while it waits")
	}
	pid := filepath.Join(t.TempDir(), "pid")
	parent := exec.Command(os.Args[0], "-test.run=^TestChildrenDieWithTheirParent$")
	parent.Env = append(os.Environ(), "RIG_TEST_PARENT="+pid)
	g.Expect(parent.Start()).To(Succeed())
	g.Eventually(pid, "20s").Should(BeAnExistingFile())
	g.Expect(alive(g, pid)).To(BeTrue())

	g.Expect(parent.Process.Kill()).To(Succeed())
	g.Expect(parent.Wait()).To(MatchError("signal: killed"))
	g.Eventually(func() bool { return alive(g, pid) }, "10s").Should(BeFalse())
}
