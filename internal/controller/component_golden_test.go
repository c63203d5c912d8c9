// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/controller/component"
	"servicestage.dev/operator/internal/external"
)

// newComponentWorld has an application and an environment to deploy in, and jobs that take no time to speak of.
func newComponentWorld(t *testing.T) *world {
	t.Helper()
	shop := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "shop"}}
	shop.Status.ID = "app-shop"
	prod := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "prod"}}
	prod.Status.ID = "env-prod"
	w := newWorld(t, shop, prod)
	w.put("applications", cloudsim.Object{"id": "app-shop", "name": "shop"})
	w.put("environments", cloudsim.Object{
		"id": "env-prod", "name": "prod", "vpc_id": vpc, "deploy_mode": "container",
		"resources": []any{map[string]any{"id": "cluster-1", "type": "cce"}},
	})
	must(t, w.cloud.MergeQuirks([]byte(`{"taskMilliseconds": 1}`)))
	return w
}

// deployment drives a component as the loop does, step by step. Each step ends with the end of the cloud's job, which is
// waited for off the record.
type deployment[R any] struct {
	*resource[*v1alpha1.Component, R]
}

// deployed is a deployment of whatever a component is observed as.
type deployed interface {
	// step looks at the component, and does the first of what differs, which must be the paths given.
	step(want ...string)
	// remove deletes the component.
	remove() error
	object() *v1alpha1.Component
	id() string
}

// deploy creates the Component "web", and leaves that out of the traffic where the scenario begins afterwards.
func deploy(w *world, onRecord bool, changes ...func(*v1alpha1.ComponentSpec)) deployed {
	w.t.Helper()
	c := &v1alpha1.Component{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web"},
		Spec: v1alpha1.ComponentSpec{
			ResourceSpec:   commonSpec(),
			ApplicationRef: v1alpha1.Reference{Name: "shop"}, EnvironmentRef: v1alpha1.Reference{Name: "prod"},
			Version: "1.0.0", State: v1alpha1.ComponentRunning, Replicas: new(int32(2)),
			RuntimeStack: v1alpha1.RuntimeStack{Name: "Docker", Type: "Docker", Version: "1.0", DeployMode: v1alpha1.DeployModeContainer},
			Source:       v1alpha1.ComponentSource{Image: &v1alpha1.ImageSource{URL: "swr.example.com/web:1.0.0", Storage: "swr"}},
			Env:          []v1alpha1.ComponentEnvVar{{Name: "MODE", Value: new("prod")}},
			References:   []v1alpha1.ComponentReference{{Type: "cce", ID: "cluster-1"}},
		},
	}
	for _, change := range changes {
		change(&c.Spec)
	}
	d := deploymentOf(drive(w, component.Definition(w.accounts, w.api), c))
	d.create()
	if !onRecord {
		d.traffic.reset()
	}
	return d
}

func deploymentOf[R any](r *resource[*v1alpha1.Component, R]) deployment[R] { return deployment[R]{r} }

func (d deployment[R]) object() *v1alpha1.Component { return d.obj }

func (d deployment[R]) create() {
	d.t.Helper()
	d.traffic.heading("create")
	handle := d.bind(external.ForSync)
	observed, op, err := handle.Create(d.t.Context(), ourClaim)
	must(d.t, err)
	d.took(handle, observed, op)
}

func (d deployment[R]) remove() error {
	d.t.Helper()
	d.traffic.heading("delete")
	op, err := d.bind(external.ForDelete).Delete(d.t.Context(), d.id())
	if op == nil || op.Verb != external.VerbDelete {
		d.t.Errorf("the operation is %+v, want a deletion that goes on", op)
	}
	return err
}

// took writes down what was observed, and waits for the end of the operation.
func (d deployment[R]) took(handle external.Resource[R], observed *R, op *external.Operation) {
	d.t.Helper()
	if op == nil || op.ID == "" {
		d.t.Fatalf("the operation is %+v, want a job", op)
	}
	d.obj.Status.ID = handle.Identity(observed).ID
	d.kind.Report(d.obj, observed)
	gomega.NewWithT(d.t).Eventually(func() (any, error) {
		job, err := d.cloud.GetResource("servicestage", "jobs", op.ID)
		return job["status"], err
	}).Should(gomega.Equal("SUCCEEDED"))
}

func (d deployment[R]) step(want ...string) {
	d.t.Helper()
	d.traffic.heading("look")
	handle := d.bind(external.ForSync)
	observed, err := handle.Get(d.t.Context(), d.id())
	must(d.t, err)
	d.kind.Report(d.obj, observed)
	changes := handle.Diff(observed)
	if diff := cmp.Diff(want, changes.Paths); diff != "" && len(want)+len(changes.Paths) > 0 {
		d.t.Fatalf("changes (-want +got):\n%s", diff)
	}
	if changes.Empty() {
		return
	}
	d.traffic.heading("update")
	after, op, err := handle.Update(d.t.Context(), observed, changes, ourClaim)
	must(d.t, err)
	d.took(handle, after, op)
}

// upgraded sets a version and its image.
func upgraded(version string) func(*v1alpha1.ComponentSpec) {
	return func(s *v1alpha1.ComponentSpec) {
		s.Version, s.Source.Image = version, &v1alpha1.ImageSource{URL: "swr.example.com/web:" + version, Storage: "swr"}
	}
}

// releasedGray holds a release at its first batch, or goes on.
func releasedGray(weight int32, hold bool) func(*v1alpha1.ComponentSpec) {
	return func(s *v1alpha1.ComponentSpec) {
		s.DeployStrategy = &v1alpha1.DeployStrategy{Type: v1alpha1.GrayReleaseType, GrayRelease: &v1alpha1.GrayRelease{
			FirstBatchWeight: &weight, FirstBatchReplicas: 1, RemainingBatches: 1, Hold: hold,
		}}
	}
}

var componentScenarios = []scenario{
	{"create", func(_ *testing.T, w *world) { deploy(w, true) }},
	{"no-op", func(_ *testing.T, w *world) { deploy(w, false).step() }},
	{"upgrade", func(_ *testing.T, w *world) {
		d := deploy(w, false)
		upgraded("1.1.0")(&d.object().Spec)
		d.step("spec.source", "spec.version")
	}},
	{"upgrade-in-batches", func(_ *testing.T, w *world) {
		d := deploy(w, false)
		d.object().Spec.DeployStrategy = &v1alpha1.DeployStrategy{Type: v1alpha1.RollingReleaseType, RollingRelease: &v1alpha1.RollingRelease{Batches: 2}}
		upgraded("1.1.0")(&d.object().Spec)
		d.step("spec.source", "spec.version")
	}},
	{"gray-release", func(_ *testing.T, w *world) {
		d := deploy(w, false, releasedGray(20, true))
		upgraded("2.0.0")(&d.object().Spec)
		d.step("spec.source", "spec.version")
		d.step()
		releasedGray(60, true)(&d.object().Spec)
		d.step("spec.deployStrategy.grayRelease.firstBatchWeight")
		releasedGray(60, false)(&d.object().Spec)
		d.step("spec.deployStrategy.grayRelease.hold")
		d.step()
	}},
	{"scale", func(_ *testing.T, w *world) {
		d := deploy(w, false)
		d.object().Spec.Replicas = new(int32(3))
		d.step("spec.replicas")
	}},
	{"stop-and-start", func(_ *testing.T, w *world) {
		d := deploy(w, false)
		d.object().Spec.State = v1alpha1.ComponentStopped
		d.step("spec.state")
		d.step()
		d.object().Spec.State = v1alpha1.ComponentRunning
		d.step("spec.state")
	}},
	{"restart", func(_ *testing.T, w *world) {
		d := deploy(w, false)
		d.object().Annotations = map[string]string{v1alpha1.RestartedAtAnnotation: "now"}
		d.step("metadata.annotations[" + v1alpha1.RestartedAtAnnotation + "]")
		d.step()
	}},
	{"rollback", func(_ *testing.T, w *world) {
		d := deploy(w, false)
		upgraded("1.1.0")(&d.object().Spec)
		d.step("spec.source", "spec.version")
		w.traffic.reset()
		upgraded("1.0.0")(&d.object().Spec)
		d.step("spec.source", "spec.version")
	}},
	{"drift", func(_ *testing.T, w *world) {
		d := deploy(w, false)
		w.patch("components", d.id(), cloudsim.Object{"envs": []any{map[string]any{"name": "THEIRS", "value": "1"}}, "timezone": "UTC"})
		d.step("spec.env[MODE]", "spec.env[THEIRS]")
		d.step()
	}},
	{"external-accesses", func(_ *testing.T, w *world) {
		at := func(address string) func(*v1alpha1.ComponentSpec) {
			return func(s *v1alpha1.ComponentSpec) {
				s.ExternalAccesses = []v1alpha1.ExternalAccess{{Protocol: "http", Address: address, Port: 80}}
			}
		}
		d := deploy(w, false, at("shop.example.com"))
		at("www.example.com")(&d.object().Spec)
		d.step("spec.externalAccesses") // only the list shows them
		d.step()
	}},
	{"delete", func(_ *testing.T, w *world) {
		d := deploy(w, false)
		must(w.t, d.remove())
	}},
}
