// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package output

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
)

func TestManifestSaysNothingButWhatIsWanted(t *testing.T) {
	obj := &v1alpha1.Environment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "servicestage.dev/v1alpha1", Kind: "Environment"},
		ObjectMeta: metav1.ObjectMeta{Name: "dev", Namespace: "shop", ResourceVersion: "1", UID: "u", Generation: 3},
	}
	obj.Spec.AccountRef = v1alpha1.AccountReference{Kind: v1alpha1.AccountKindNamespaced, Name: "default"}
	obj.Spec.ManagementPolicy, obj.Spec.Import = v1alpha1.ManagementPolicyObserve, &v1alpha1.Import{ID: "e1"}
	obj.Status.ID = "e1"
	content, err := Clean(obj)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Manifest(content, []string{"A note that is\x1b[31m longer than a line of comments may be, which is one hundred characters and no more\n  a command that stays as long as it is, however much longer than one hundred characters it may be, for copying"})
	if err != nil {
		t.Fatal(err)
	}
	want := `# A note that is [31m longer than a line of comments may be, which is one hundred characters and no
# more
#   a command that stays as long as it is, however much longer than one hundred characters it may be, for copying
apiVersion: servicestage.dev/v1alpha1
kind: Environment
metadata:
  name: dev
  namespace: shop
spec:
  import:
    id: e1
  managementPolicy: Observe
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
}

func TestAnotherAccountIsNamed(t *testing.T) {
	obj := &v1alpha1.Environment{}
	obj.Spec.AccountRef = v1alpha1.AccountReference{Kind: v1alpha1.AccountKindCluster, Name: "default"}
	content, err := Clean(obj)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"kind": "ClusterCloudAccount", "name": "default"}
	if diff := cmp.Diff(want, content["spec"].(map[string]any)["accountRef"]); diff != "" {
		t.Errorf("accountRef (-want +got):\n%s", diff)
	}
}

func TestParseNamesTheWayOut(t *testing.T) {
	if f, err := Parse("json", Text, YAML, JSON); f != JSON || err != nil {
		t.Errorf("Parse = %q, %v", f, err)
	}
	_, err := Parse("xml", Text, YAML, JSON)
	if err == nil || !strings.Contains(err.Error(), `--output is "xml": it must be yaml or json`) {
		t.Errorf("Parse = %v", err)
	}
}
