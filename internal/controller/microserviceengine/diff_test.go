// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package microserviceengine

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/cse"
	"servicestage.dev/operator/internal/external"
)

func full() wanted {
	return wanted{
		name: "main", description: new("text"), flavor: "cse.s1.small2", availabilityZones: []string{"az1", "az2"}, authType: "RBAC",
		network:    network{vpcID: "vpc-1", vpcName: "net", subnetID: "sub-1", subnetCIDR: "10.0.0.0/24"},
		publicIPID: "ip-1", inputs: map[string]string{"nodeFlavor": "s6"}, enterpriseProjectID: "ep-1", fixedProject: "ep-1", retries: 2,
	}
}

// applied is what the cloud shows of what is wanted: in another order, and with inputs of its own.
func applied(w wanted) *observed {
	o := &observed{}
	o.ID, o.Name, o.Flavor, o.AuthType, o.Status, o.EnterpriseProjectID = "id", w.name, w.flavor, w.authType, cse.StatusAvailable, w.enterpriseProjectID
	o.Description = *w.description
	o.Reference = cse.Reference{
		VPC: "renamed meanwhile", VPCID: w.network.vpcID, NetworkID: w.network.subnetID, SubnetCIDR: "unlike", PublicIPID: w.publicIPID,
		AZList: []string{"az2", "az1"}, Inputs: map[string]string{"nodeFlavor": "s6", "is_arm_cluster": "false"}, InstanceLimit: 100,
	}
	return o
}

func TestDiff(t *testing.T) {
	paths := func(p ...string) external.Changes { return external.Changes{Paths: p} }
	immutable := func(p ...string) external.Changes { return external.Changes{Immutable: p} }
	for _, tc := range []struct {
		name   string
		change func(*wanted, *observed)
		want   external.Changes
	}{
		{"nothing", func(*wanted, *observed) {}, external.Changes{}},
		{"a spec that manages nothing", func(w *wanted, _ *observed) { *w = wanted{name: "main"} }, external.Changes{}},

		{"description", func(_ *wanted, o *observed) { o.Description = "" }, paths("spec.description")},
		{"a description that is not managed", func(w *wanted, o *observed) { w.description, o.Description = nil, "theirs" }, external.Changes{}},
		{"flavor", func(w *wanted, _ *observed) { w.flavor = "cse.s1.large2" }, paths("spec.flavor")},
		{"both", func(w *wanted, o *observed) { w.flavor, o.Description = "cse.s1.large2", "" }, paths("spec.description", "spec.flavor")},
		{"a flavor that the cloud does not tell", func(_ *wanted, o *observed) { o.Flavor = "" }, external.Changes{}},

		{"authType", func(_ *wanted, o *observed) { o.AuthType = "NONE" }, immutable("spec.authType")},
		{"zones", func(_ *wanted, o *observed) { o.Reference.AZList = []string{"az1"} }, immutable("spec.availabilityZones")},
		{"zones that the cloud does not tell", func(_ *wanted, o *observed) { o.Reference.AZList = nil }, external.Changes{}},
		{"VPC", func(_ *wanted, o *observed) { o.Reference.VPCID = "vpc-2" }, immutable("spec.network.vpcID")},
		{"subnet", func(_ *wanted, o *observed) { o.Reference.NetworkID = "sub-2" }, immutable("spec.network.subnetID")},
		{"another address", func(_ *wanted, o *observed) { o.Reference.PublicIPID = "ip-2" }, immutable("spec.publicIPID")},
		{"no address", func(_ *wanted, o *observed) { o.Reference.PublicIPID = "" }, immutable("spec.publicIPID")},
		{"an address that is not managed", func(w *wanted, _ *observed) { w.publicIPID = "" }, external.Changes{}},
		{"an input", func(_ *wanted, o *observed) { o.Reference.Inputs["nodeFlavor"] = "s7" }, immutable("spec.inputs[nodeFlavor]")},
		{"an input that is missing", func(_ *wanted, o *observed) { o.Reference.Inputs = nil }, immutable("spec.inputs[nodeFlavor]")},
		{"enterprise project", func(_ *wanted, o *observed) { o.EnterpriseProjectID = "ep-2" }, immutable("spec.enterpriseProjectID")},
		{"the default enterprise project", func(w *wanted, o *observed) { w.fixedProject, o.EnterpriseProjectID = "0", "" }, external.Changes{}},
		{"the account's enterprise project", func(w *wanted, o *observed) { w.fixedProject, o.EnterpriseProjectID = "", "ep-9" }, external.Changes{}},
		{"name", func(_ *wanted, o *observed) { o.Name = "Main" }, immutable("spec.name")},
		{"several", func(_ *wanted, o *observed) { o.Name, o.AuthType, o.Description = "x", "NONE", "" },
			external.Changes{Paths: []string{"spec.description"}, Immutable: []string{"spec.authType", "spec.name"}}},

		{"while it is created", func(_ *wanted, o *observed) { *o = observed{}; o.Status = cse.StatusCreating }, external.Changes{}},
		{"while it is resized", func(w *wanted, o *observed) { w.flavor, o.Status = "cse.s1.large2", cse.StatusModifying }, external.Changes{}},
		{"in a state that is not known", func(w *wanted, o *observed) { w.flavor, o.Status = "cse.s1.large2", "Resizing" }, external.Changes{}},
		{"frozen", func(w *wanted, o *observed) { w.flavor, o.Status = "cse.s1.large2", cse.StatusFreezed }, paths("spec.flavor")},

		{"a failed creation", func(_ *wanted, o *observed) { o.Status, o.Description = cse.StatusCreateFailed, "" }, paths("spec.retryFailedCreate")},
		{"a failed creation that was retried once", func(w *wanted, o *observed) { o.Status, w.retried = cse.StatusCreateFailed, 1 }, paths("spec.retryFailedCreate")},
		{"a failed creation that was retried enough", func(w *wanted, o *observed) { o.Status, w.retried = cse.StatusCreateFailed, 2 }, external.Changes{}},
		{"a failed creation that is not to be retried", func(w *wanted, o *observed) { o.Status, w.retries = cse.StatusCreateFailed, 0 }, external.Changes{}},
		{"a failed upgrade", func(_ *wanted, o *observed) { o.Status = cse.StatusUpgradeFailed }, external.Changes{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := full()
			o := applied(w)
			tc.change(&w, o)
			if diff := cmp.Diff(tc.want, diff(w, o)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWantedOf(t *testing.T) {
	e := &v1alpha1.MicroserviceEngine{ObjectMeta: metav1.ObjectMeta{Name: "main"}}
	equal(t, wanted{name: "main", enterpriseProjectID: "ep-default"}, wantedOf(e, "ep-default"))
	equal(t, wanted{name: "main", enterpriseProjectID: "0"}, wantedOf(e, ""))

	e.Spec = v1alpha1.MicroserviceEngineSpec{
		Name: "Main-1", Description: new("text"), Flavor: "f", AvailabilityZones: []string{"az1"}, AuthType: v1alpha1.EngineAuthNone,
		Network:    &v1alpha1.EngineNetwork{VPCID: "vpc-1", VPCName: "net", SubnetID: "sub-1", SubnetCIDR: "10.0.0.0/24"},
		PublicIPID: "ip-1", Inputs: map[string]string{"a": "1"}, EnterpriseProjectID: "ep-1", RetryFailedCreate: 2,
	}
	e.Status.CreateRetries = 1
	equal(t, wanted{
		name: "Main-1", description: new("text"), flavor: "f", availabilityZones: []string{"az1"}, authType: "NONE",
		network:    network{vpcID: "vpc-1", vpcName: "net", subnetID: "sub-1", subnetCIDR: "10.0.0.0/24"},
		publicIPID: "ip-1", inputs: map[string]string{"a": "1"}, enterpriseProjectID: "ep-1", fixedProject: "ep-1", retries: 2, retried: 1,
	}, wantedOf(e, "ep-default"))
}

func equal(t *testing.T, want, got wanted) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(wanted{}, network{})); diff != "" {
		t.Errorf("wanted (-want +got):\n%s", diff)
	}
}

func TestCreateOf(t *testing.T) {
	w := full()
	want := cse.EngineCreate{
		Name: "main", Description: "text", Flavor: "cse.s1.small2", AZList: []string{"az1", "az2"}, AuthType: "RBAC",
		VPC: "net", VPCID: "vpc-1", NetworkID: "sub-1", SubnetCIDR: "10.0.0.0/24", PublicIPID: "ip-1",
		Inputs: map[string]string{"nodeFlavor": "s6"}, RootPassword: "secret",
	}
	if diff := cmp.Diff(want, createOf(w, w.network, "secret")); diff != "" {
		t.Errorf("creation (-want +got):\n%s", diff)
	}
	bare := createOf(wanted{name: "main", authType: "NONE"}, network{}, "")
	if diff := cmp.Diff(cse.EngineCreate{Name: "main", AuthType: "NONE"}, bare); diff != "" {
		t.Errorf("creation (-want +got):\n%s", diff)
	}
}

func TestCheckPassword(t *testing.T) {
	ref := v1alpha1.SecretKeyReference{Name: "root", Key: "password"}
	for _, tc := range []struct{ password, says string }{
		{"Passw0rd!", ""},
		{"Aa1!aaaa", ""},
		{"Aa1!" + strings.Repeat("x", 28), ""},
		{"Aa1 aaaa", ""},
		{"", "8 to 32 characters"},
		{"Aa1!aaa", "8 to 32 characters"},
		{"Aa1!" + strings.Repeat("x", 29), "8 to 32 characters"},
		{"1Aa!aaaa", "start with a letter"},
		{"!Aa1aaaa", "start with a letter"},
		{"Aaa!aaaa", "must hold a digit"},
		{"aa1!aaaa", "must hold a digit"},
		{"AA1!AAAA", "must hold a digit"},
		{"Aa1aaaaa", "must hold a digit"},
		{"root", "8 to 32 characters"}, // neither the account's name nor its reverse is long enough
		{"Passw0rd!\n", "line break"},
	} {
		err := checkPassword(tc.password, ref)
		if tc.says == "" {
			if err != nil {
				t.Errorf("%q is refused: %v", tc.password, err)
			}
			continue
		}
		if !clouderr.Is(err, clouderr.Invalid) || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), `spec.rootPasswordSecretRef: the password in the Secret "root", key "password"`) {
			t.Errorf("%q: %v, want Invalid, %q", tc.password, err, tc.says)
		}
		if tc.password != "" && tc.password != "root" && strings.Contains(err.Error(), tc.password) {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func TestCheckFlavor(t *testing.T) {
	flavors := []cse.Flavor{{Name: "small"}, {Name: "large"}}
	if err := checkFlavor("small", flavors); err != nil {
		t.Error(err)
	}
	err := checkFlavor("tiny", flavors)
	if !clouderr.Is(err, clouderr.Invalid) || !strings.Contains(err.Error(), `spec.flavor: the cloud has no flavor "tiny" for engines; it has: large, small`) {
		t.Errorf("an unknown flavor: %v", err)
	}
}

func TestResizable(t *testing.T) {
	o := applied(full())
	if err := resizable(o); err != nil {
		t.Error(err)
	}
	o.Status = cse.StatusFreezed
	if err := resizable(o); !clouderr.Is(err, clouderr.Invalid) || !strings.Contains(err.Error(), "spec.flavor: the engine is Freezed") || !strings.Contains(err.Error(), "unfreeze") {
		t.Errorf("a frozen engine: %v", err)
	}
}
