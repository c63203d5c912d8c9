// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/controller/component"
	"servicestage.dev/operator/internal/controller/environment"
	"servicestage.dev/operator/internal/controller/microserviceengine"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/reconciler"
)

// newEngineWorld has a root password, and jobs that take no time to speak of.
func newEngineWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "root"}, Data: map[string][]byte{"password": []byte("Passw0rd!")},
	})
	must(t, w.cloud.MergeQuirks([]byte(`{"taskMilliseconds": 1}`)))
	return w
}

// engineDriver drives an engine as the loop does, step by step. The end of a job is waited for off the record.
type engineDriver[R any] struct {
	*resource[*v1alpha1.MicroserviceEngine, R]
}

// driven is an engineDriver of whatever an engine is observed as.
type driven interface {
	// start asks for the creation and returns the job; end waits for the end of a job, and asks about it.
	start() (*external.Operation, error)
	end(op *external.Operation) external.Progress
	mustCreate()
	// adopt looks for the engine, observes what it finds, and returns the ids.
	adopt() []string
	// step looks at the engine, and does what differs, which must be the paths given.
	step(want ...string) *external.Operation
	immutable() []string
	// get observes the engine of an id.
	get(id string) error
	remove() (*external.Operation, error)
	bindFails() error
	object() *v1alpha1.MicroserviceEngine
}

// engineOf is the engine "main", changed as the scenario needs it.
func engineOf(w *world, changes ...func(*v1alpha1.MicroserviceEngineSpec)) driven {
	w.t.Helper()
	e := &v1alpha1.MicroserviceEngine{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "main"},
		Spec: v1alpha1.MicroserviceEngineSpec{
			ResourceSpec: commonSpec(), AuthType: v1alpha1.EngineAuthRBAC, Flavor: "cse.s1.small2", AvailabilityZones: []string{"az1", "az2"},
			Network:               &v1alpha1.EngineNetwork{VPCID: cloudsim.DefaultVPCID, SubnetID: cloudsim.DefaultSubnetID},
			RootPasswordSecretRef: &v1alpha1.SecretKeyReference{Name: "root", Key: "password"},
		},
	}
	for _, change := range changes {
		change(&e.Spec)
	}
	return engineDriverOf(drive(w, microserviceengine.Definition(w.accounts, w.api), e))
}

func engineDriverOf[R any](r *resource[*v1alpha1.MicroserviceEngine, R]) engineDriver[R] {
	return engineDriver[R]{r}
}

func (d engineDriver[R]) object() *v1alpha1.MicroserviceEngine { return d.obj }

func (d engineDriver[R]) start() (*external.Operation, error) {
	d.t.Helper()
	d.traffic.heading("create")
	handle := d.bind(external.ForSync)
	observed, op, err := handle.Create(d.t.Context(), ourClaim)
	if observed != nil {
		d.obj.Status.ID = handle.Identity(observed).ID
		d.kind.Report(d.obj, observed)
	}
	return op, err
}

func (d engineDriver[R]) end(op *external.Operation) external.Progress {
	d.t.Helper()
	resume := d.traffic.pause()
	gomega.NewWithT(d.t).Eventually(func() any {
		job, err := d.cloud.GetResource("cse", "jobs", op.ID)
		if err != nil {
			return "gone"
		}
		return job["status"]
	}).Should(gomega.BeElementOf("Finished", "Error", "Timeout", "gone"))
	resume()
	d.traffic.heading("poll")
	poller, ok := d.bind(external.ForSync).(external.Poller)
	if !ok {
		d.t.Fatal("operations of engines cannot be asked about")
	}
	progress, err := poller.Poll(d.t.Context(), *op)
	must(d.t, err)
	return progress
}

func (d engineDriver[R]) mustCreate() {
	d.t.Helper()
	op, err := d.start()
	must(d.t, err)
	if progress := d.end(op); !progress.Done || progress.Failure != "" {
		d.t.Fatalf("the creation came to %+v", progress)
	}
	d.step()
	d.traffic.reset()
}

func (d engineDriver[R]) step(want ...string) *external.Operation {
	d.t.Helper()
	changes, observed, handle := d.compare()
	if len(changes.Immutable) > 0 {
		d.t.Fatalf("%q cannot be changed", changes.Immutable)
	}
	if diff := cmp.Diff(want, changes.Paths); diff != "" && len(want)+len(changes.Paths) > 0 {
		d.t.Fatalf("changes (-want +got):\n%s", diff)
	}
	if changes.Empty() {
		return nil
	}
	d.traffic.heading("update " + strings.Join(want, ", "))
	after, op, err := handle.Update(d.t.Context(), observed, changes, ourClaim)
	must(d.t, err)
	d.kind.Report(d.obj, after)
	return op
}

func (d engineDriver[R]) immutable() []string {
	d.t.Helper()
	changes, _, _ := d.compare()
	return changes.Immutable
}

func (d engineDriver[R]) compare() (external.Changes, *R, external.Resource[R]) {
	d.t.Helper()
	d.traffic.heading("look")
	handle := d.bind(external.ForSync)
	observed, err := handle.Get(d.t.Context(), d.id())
	must(d.t, err)
	d.kind.Report(d.obj, observed)
	if identity := handle.Identity(observed); identity.ClaimKnown || identity.CreatedAt.IsZero() {
		d.t.Errorf("identity is %+v: engines carry no claim and tell their age", identity)
	}
	return handle.Diff(observed), observed, handle
}

func (d engineDriver[R]) adopt() []string {
	d.t.Helper()
	d.traffic.heading("find")
	handle := d.bind(external.ForSync)
	var ids []string
	for found, err := range handle.Find(d.t.Context(), ourClaim) {
		must(d.t, err)
		ids = append(ids, handle.Identity(found).ID)
	}
	for _, id := range ids {
		observed, err := handle.Get(d.t.Context(), id)
		must(d.t, err)
		d.kind.Report(d.obj, observed)
	}
	return ids
}

func (d engineDriver[R]) get(id string) error {
	observed, err := d.bind(external.ForSync).Get(d.t.Context(), id)
	if err == nil {
		d.kind.Report(d.obj, observed)
	}
	return err
}

func (d engineDriver[R]) remove() (*external.Operation, error) {
	d.t.Helper()
	d.traffic.heading("delete")
	return d.bind(external.ForDelete).Delete(d.t.Context(), d.id())
}

func (d engineDriver[R]) bindFails() error {
	_, err := d.kind.Bind(d.t.Context(), d.obj, external.ForSync)
	return err
}

// foreignEngine puts an engine into the cloud that another tool made.
func foreignEngine(w *world) {
	w.t.Helper()
	_, err := w.cloud.PutResource("cse", "engines", cloudsim.Object{
		"id": "theirs", "name": "main", "status": "Available", "flavor": "cse.s1.small2", "auth_type": "RBAC", "enterprise_project_id": "ep-2",
		"az_list": []string{"az1", "az2"}, "vpc_id": cloudsim.DefaultVPCID, "network_id": cloudsim.DefaultSubnetID,
	})
	must(w.t, err)
}

var engineScenarios = []scenario{
	{"create", func(t *testing.T, w *world) {
		d := engineOf(w)
		op, err := d.start()
		must(t, err)
		if progress := d.end(op); !progress.Done || progress.Failure != "" || progress.TasksDone != 4 {
			t.Errorf("the creation came to %+v", progress)
		}
		d.step()
	}},
	{"create-without-look-ups", func(t *testing.T, w *world) {
		_, err := engineOf(w, func(s *v1alpha1.MicroserviceEngineSpec) {
			s.Network.VPCName, s.Network.SubnetCIDR = cloudsim.DefaultVPCName, cloudsim.DefaultSubnetCIDR
			s.AuthType, s.EnterpriseProjectID, s.Description = v1alpha1.EngineAuthNone, "ep-1", new("for the shop")
			s.PublicIPID, s.Inputs = "ip-1", map[string]string{"nodeFlavor": "s6.large.2"}
		}).start()
		must(t, err)
	}},
	{"create-with-a-flavor-that-is-none", func(t *testing.T, w *world) {
		_, err := engineOf(w, func(s *v1alpha1.MicroserviceEngineSpec) { s.Flavor = "cse.s1.tiny" }).start()
		fails(t, err, clouderr.Invalid)
	}},
	{"create-in-a-vpc-that-is-none", func(t *testing.T, w *world) {
		_, err := engineOf(w, func(s *v1alpha1.MicroserviceEngineSpec) { s.Network.VPCID = "vpc-9" }).start()
		fails(t, err, clouderr.Invalid)
	}},
	{"create-in-a-subnet-of-another-vpc", func(t *testing.T, w *world) {
		_, err := w.cloud.PutResource("vpc", "subnets", cloudsim.Object{"id": "subnet-2", "name": "other", "vpc_id": "vpc-2", "cidr": "10.0.0.0/24"})
		must(t, err)
		_, err = engineOf(w, func(s *v1alpha1.MicroserviceEngineSpec) { s.Network.SubnetID = "subnet-2" }).start()
		fails(t, err, clouderr.Invalid)
		if !strings.Contains(err.Error(), "spec.network.subnetID: the subnet subnet-2 (other) belongs to the VPC vpc-2") {
			t.Errorf("the error is %v", err)
		}
	}},
	{"create-with-a-name-that-is-taken", func(t *testing.T, w *world) {
		foreignEngine(w)
		_, err := engineOf(w).start()
		fails(t, err, clouderr.Exists)
	}},
	{"create-that-fails-and-is-retried", func(t *testing.T, w *world) {
		must(t, w.cloud.SetOutcomes([]cloudsim.Outcome{{Engine: "*", Job: "Create", Task: "engineInstall", Nth: 1, Result: "Error", Message: "no room"}}))
		d := engineOf(w, func(s *v1alpha1.MicroserviceEngineSpec) { s.RetryFailedCreate = 1 })
		op, err := d.start()
		must(t, err)
		if progress := d.end(op); !progress.Done || !strings.Contains(progress.Failure, "no room") || !progress.Remedy {
			t.Errorf("the creation came to %+v", progress)
		}
		again := d.step("spec.retryFailedCreate")
		if again == nil || again.ID != op.ID || again.Verb != external.VerbCreate || again.Message != "Retrying the creation, 1 of 1." {
			t.Errorf("the retry is %+v", again)
		}
		if progress := d.end(again); !progress.Done || progress.Failure != "" {
			t.Errorf("the retry came to %+v", progress)
		}
		if got := d.object().Status.CreateRetries; got != 1 {
			t.Errorf("%d retries are counted", got)
		}
		d.step()
	}},
	{"import-by-name", func(t *testing.T, w *world) {
		foreignEngine(w)
		_, err := w.cloud.PutResource("cse", "engines", cloudsim.Object{"id": "gone", "name": "main", "status": "Deleted"})
		must(t, err)
		same(t, "found", engineOf(w).adopt(), "theirs")
	}},
	{"import-by-id-from-another-enterprise-project", func(t *testing.T, w *world) {
		foreignEngine(w)
		d := engineOf(w)
		d.object().Status.ID = "theirs"
		d.step()
		if got := d.object().Status.EnterpriseProjectID; got != "ep-2" {
			t.Errorf("the enterprise project is %q", got)
		}
		d.object().Spec.EnterpriseProjectID = "0"
		same(t, "immutable", d.immutable(), "spec.enterpriseProjectID")
	}},
	{"no-op", func(_ *testing.T, w *world) {
		d := engineOf(w)
		d.mustCreate()
		d.step()
	}},
	{"update-description", func(_ *testing.T, w *world) {
		d := engineOf(w)
		d.mustCreate()
		d.object().Spec.Description = new("for the shop")
		d.step("spec.description")
		d.step()
	}},
	{"resize", func(t *testing.T, w *world) {
		d := engineOf(w)
		d.mustCreate()
		d.object().Spec.Description, d.object().Spec.Flavor = new("for the shop"), "cse.s1.medium2"
		op := d.step("spec.description", "spec.flavor")
		if progress := d.end(op); !progress.Done || progress.Failure != "" {
			t.Errorf("the resize came to %+v", progress)
		}
		d.step()
	}},
	{"drift", func(t *testing.T, w *world) {
		d := engineOf(w, func(s *v1alpha1.MicroserviceEngineSpec) { s.Description = new("ours") })
		d.mustCreate()
		_, err := w.cloud.PatchResource("cse", "engines", d.object().Status.ID, cloudsim.Object{"description": "theirs"})
		must(t, err)
		d.step("spec.description")
	}},
	{"immutable-fields", func(t *testing.T, w *world) {
		d := engineOf(w)
		d.mustCreate()
		_, err := w.cloud.PatchResource("cse", "engines", d.object().Status.ID, cloudsim.Object{"auth_type": "NONE", "az_list": []string{"az3"}})
		must(t, err)
		same(t, "immutable", d.immutable(), "spec.authType", "spec.availabilityZones")
	}},
	{"delete", func(t *testing.T, w *world) {
		d := engineOf(w)
		d.mustCreate()
		op, err := d.remove()
		must(t, err)
		if op == nil || op.ID == "" || op.Verb != external.VerbDelete {
			t.Errorf("the operation is %+v, want a job", op)
		}
	}},
	{"delete-in-a-state-that-blocks-it", func(t *testing.T, w *world) {
		d := engineOf(w)
		d.mustCreate()
		_, err := w.cloud.PatchResource("cse", "engines", d.object().Status.ID, cloudsim.Object{"status": "Upgrading"})
		must(t, err)
		_, err = d.remove()
		fails(t, err, clouderr.Busy)
		if !strings.Contains(err.Error(), "the engine is Upgrading") {
			t.Errorf("the error is %v, want one that names the state", err)
		}
	}},
	{"delete-from-another-enterprise-project", func(t *testing.T, w *world) {
		foreignEngine(w)
		d := engineOf(w)
		d.object().Status.ID = "theirs"
		op, err := d.remove()
		must(t, err)
		if op == nil || op.ID == "" {
			t.Errorf("the operation is %+v, want a job: the engine would be left over", op)
		}
	}},
	{"delete-what-is-gone", func(t *testing.T, w *world) {
		d := engineOf(w)
		d.object().Status.ID = "gone"
		_, err := d.remove()
		fails(t, err, clouderr.NotFound)
	}},
	{"throttled", func(t *testing.T, w *world) {
		w.fault(throttled("POST", "/v2/*/enginemgr/engines"))
		_, err := engineOf(w).start()
		fails(t, err, clouderr.Throttled)
		if clouderr.RetryAfter(err) <= 0 {
			t.Errorf("nothing says how long to wait: %v", err)
		}
	}},
}

func TestEngineWaitsForItsPassword(t *testing.T) {
	w := newEngineWorld(t)
	missing := func(s *v1alpha1.MicroserviceEngineSpec) { s.RootPasswordSecretRef.Name = "missing" }
	waitsFor(t, engineOf(w, missing).bindFails(), "spec.rootPasswordSecretRef")
	for name, changes := range map[string]func(*v1alpha1.MicroserviceEngineSpec){
		"without RBAC":  func(s *v1alpha1.MicroserviceEngineSpec) { s.AuthType = v1alpha1.EngineAuthNone },
		"to be adopted": func(s *v1alpha1.MicroserviceEngineSpec) { s.Import = &v1alpha1.Import{ByName: true} },
		"only observed": func(s *v1alpha1.MicroserviceEngineSpec) { s.ManagementPolicy = v1alpha1.ManagementPolicyObserve },
	} {
		if err := engineOf(w, missing, changes).bindFails(); err != nil {
			t.Errorf("an engine %s needs a password: %v", name, err)
		}
	}
	created := engineOf(w, missing)
	created.object().Status.ID = "id"
	if err := created.bindFails(); err != nil {
		t.Errorf("an engine that was created needs its password: %v", err)
	}
	// A password that the cloud would refuse is refused before anything is written down.
	weak := engineOf(w, func(s *v1alpha1.MicroserviceEngineSpec) {
		s.RootPasswordSecretRef = &v1alpha1.SecretKeyReference{Name: "keys", Key: "accessKey"}
	})
	fails(t, weak.bindFails(), clouderr.Invalid)

	// But it does to be created once more.
	if _, err := created.start(); err == nil {
		t.Error("an engine is created again without its password")
	} else {
		waitsFor(t, err, "spec.rootPasswordSecretRef")
	}
}

// Only the list tells how many instances are registered.
func TestEngineTellsItsUse(t *testing.T) {
	w := newEngineWorld(t)
	foreignEngine(w)
	w.fault(cloudsim.Fault{
		Name: "used", Match: cloudsim.Match{Method: "GET", Path: "/v2/*/enginemgr/engines"}, Action: cloudsim.FaultStatus, Status: 200,
		Body: json.RawMessage(`{"total": 2, "data": [{"id": "other", "usedInstance": 1}, {"id": "theirs", "usedInstance": 7}]}`),
	})
	d := engineOf(w, func(s *v1alpha1.MicroserviceEngineSpec) { s.EnterpriseProjectID = "ep-2" })
	must(t, d.get("theirs"))
	if got := d.object().Status.Instances; got == nil || *got != (v1alpha1.EngineInstances{Limit: 100, Used: 7}) {
		t.Errorf("instances are %+v", got)
	}
}

// A cloud may go on showing an engine that it has deleted.
func TestDeletedEngineIsGone(t *testing.T) {
	w := newEngineWorld(t)
	_, err := w.cloud.PutResource("cse", "engines", cloudsim.Object{"id": "gone", "name": "main", "status": "Deleted"})
	must(t, err)
	fails(t, engineOf(w).get("gone"), clouderr.NotFound)
}

// What refers to an engine waits until it was available once, and keeps what it is bound to from then on.
func TestEngineReferences(t *testing.T) {
	for _, tc := range []struct {
		status, id string
		waits      bool
	}{
		{"", "", true}, {"Creating", "id-1", true}, {"CreateFailed", "id-1", true},
		{"Available", "id-1", false}, {"Modifying", "id-1", false}, {"Freezed", "id-1", false}, {"Unavailable", "id-1", false},
	} {
		t.Run(tc.status, func(t *testing.T) {
			main := &v1alpha1.MicroserviceEngine{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "main"}}
			main.Status.ID, main.Status.EngineStatus = tc.id, tc.status
			main.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Message: "2 of 4 phases done."}}
			shop := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "shop"}}
			prod := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "prod"}}
			shop.Status.ID, prod.Status.ID = "app-shop", "env-prod"
			w := newWorld(t, main, shop, prod)

			e := env()
			e.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "cse", EngineRef: &v1alpha1.ObjectReference{Name: "main"}}}
			checkReference(t, environment.Definition(w.accounts, w.api), e, "spec.resources[0].engineRef", tc.waits)

			c := &v1alpha1.Component{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web"}, Spec: v1alpha1.ComponentSpec{
				ResourceSpec: commonSpec(), ApplicationRef: v1alpha1.Reference{Name: "shop"}, EnvironmentRef: v1alpha1.Reference{Name: "prod"},
				References: []v1alpha1.ComponentReference{{Type: "cse", EngineRef: &v1alpha1.ObjectReference{Name: "main"}}},
			}}
			checkReference(t, component.Definition(w.accounts, w.api), c, "spec.references[0].engineRef", tc.waits)
		})
	}
}

func checkReference[O reconciler.Object, R any](t *testing.T, definition reconciler.Definition[O, R], obj O, field string, waits bool) {
	t.Helper()
	_, err := definition.Kind.Bind(t.Context(), obj, external.ForSync)
	if !waits {
		must(t, err)
	} else if waitsFor(t, err, field); err != nil && !strings.Contains(err.Error(), "2 of 4 phases done.") {
		t.Errorf("the error is %v, want it to say what the engine says", err)
	}
	var guarded []string
	for _, r := range definition.References {
		if _, engine := r.To.(*v1alpha1.MicroserviceEngine); engine && r.Guards && r.Input {
			for _, key := range r.Targets(obj) {
				guarded = append(guarded, key.String())
			}
		}
	}
	same(t, "engines that must not go", guarded, "team/main")
}
