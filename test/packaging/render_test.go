// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packaging

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"servicestage.dev/operator/test/rig"
)

// rendered is what helm makes of the chart.
type rendered []*unstructured.Unstructured

// render renders the chart for a release named as config/ names things.
func render(ctx context.Context, args ...string) rendered {
	GinkgoHelper()
	out, err := helm.Run(ctx, append([]string{"template", rig.OperatorServiceAccount, chart, "--namespace", rig.OperatorNamespace}, args...)...)
	Expect(err).NotTo(HaveOccurred())
	objects, err := rig.ParseManifests([]byte(out))
	Expect(err).NotTo(HaveOccurred())
	return objects
}

func (r rendered) kinds() []string {
	var kinds []string
	for _, object := range r {
		kinds = append(kinds, object.GetKind())
	}
	return kinds
}

// only returns the objects of a kind.
func (r rendered) only(kind string) rendered {
	return slices.DeleteFunc(slices.Clone(r), func(o *unstructured.Unstructured) bool { return o.GetKind() != kind })
}

// named returns the one object of a kind and name.
func (r rendered) named(kind, name string) *unstructured.Unstructured {
	GinkgoHelper()
	for _, object := range r.only(kind) {
		if object.GetName() == name {
			return object
		}
	}
	Fail("nothing is rendered as " + kind + " " + name)
	return nil
}

func (r rendered) deployment() *appsv1.Deployment {
	GinkgoHelper()
	found := r.only("Deployment")
	Expect(found).To(HaveLen(1))
	deployment := &appsv1.Deployment{}
	into(found[0], deployment)
	return deployment
}

func into(object *unstructured.Unstructured, typed any) {
	GinkgoHelper()
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, typed, true)).To(Succeed())
}

// manifests reads files of config/.
func manifests(path ...string) rendered {
	GinkgoHelper()
	objects, err := rig.ReadManifests(configFile(path...))
	Expect(err).NotTo(HaveOccurred())
	return objects
}

func configFile(path ...string) string {
	GinkgoHelper()
	root, err := rig.Root()
	Expect(err).NotTo(HaveOccurred())
	return filepath.Join(append([]string{root, "config"}, path...)...)
}

// everything turns on all that values can turn on.
var everything = []string{
	"--api-versions", "monitoring.coreos.com/v1/ServiceMonitor", "--api-versions", "monitoring.coreos.com/v1/PrometheusRule",
	"--set", "metrics.dashboards.enabled=true,connectionSecrets.namespaces={team},podLabels.team=ops,priorityClassName=high",
	"--set-json", `networkPolicy={"metricsFrom":[{"podSelector":{}}],"egress":[{"ports":[{"port":443}]}]}`,
	"--set-json", `image={"digest":"sha256:` + strings.Repeat("0", 64) + `","pullSecrets":[{"name":"registry"}]}`,
}

var _ = Describe("The chart", func() {
	It("passes helm's linter", func(ctx context.Context) {
		for _, args := range [][]string{nil, {"--set", "watchNamespaces={a,b}"}, everything[4:]} {
			out, err := helm.Run(ctx, append([]string{"lint", "--strict", chart}, args...)...)
			Expect(err).NotTo(HaveOccurred(), out)
		}
	})

	Describe("is what config/ says", func() {
		It("in its CustomResourceDefinitions", func(ctx context.Context) {
			all := render(ctx)
			want := manifests("crd", "bases")
			Expect(all.only("CustomResourceDefinition")).To(HaveLen(len(want)))
			for _, crd := range want {
				Expect(all.named("CustomResourceDefinition", crd.GetName()).Object["spec"]).To(Equal(crd.Object["spec"]), crd.GetName())
			}
		})

		It("in the roles", func(ctx context.Context) {
			all := render(ctx)
			want := manifests("rbac").only("ClusterRole")
			Expect(want).NotTo(BeEmpty())
			names := map[string]bool{}
			for _, role := range want {
				got := all.named("ClusterRole", role.GetName())
				Expect(got.Object["rules"]).To(Equal(role.Object["rules"]), role.GetName())
				for key, value := range role.GetLabels() {
					Expect(got.GetLabels()).To(HaveKeyWithValue(key, value), role.GetName())
				}
				names[role.GetName()] = true
			}
			for _, role := range all.only("ClusterRole") {
				if rules, _, err := unstructured.NestedSlice(role.Object, "rules"); err == nil && len(rules) == 0 {
					continue // config/ has no role of this name yet
				}
				Expect(names).To(HaveKey(role.GetName()))
			}
			leader := all.named("Role", rig.OperatorServiceAccount+"-leader-election")
			Expect(leader.Object["rules"]).To(Equal(manifests("rbac", "role.yaml").named("Role", rig.OperatorServiceAccount).Object["rules"]))
		})

		It("in the manager's Pod", func(ctx context.Context) {
			got, want := render(ctx).deployment(), manifests("manager", "manager.yaml").deployment()
			Expect(got.Name).To(Equal(want.Name))
			Expect(got.Spec.Replicas).To(Equal(want.Spec.Replicas))
			// The chart tells its releases apart, and names the image that belongs to it.
			for i := range want.Spec.Template.Spec.TopologySpreadConstraints {
				want.Spec.Template.Spec.TopologySpreadConstraints[i].LabelSelector = got.Spec.Selector
			}
			want.Spec.Template.Spec.Containers[0].Image = got.Spec.Template.Spec.Containers[0].Image
			want.Spec.Template.Spec.Containers[0].ImagePullPolicy = corev1.PullIfNotPresent
			Expect(got.Spec.Template.Spec).To(Equal(want.Spec.Template.Spec))
			Expect(got.Spec.Template.Spec.Containers[0].Image).To(Equal("servicestage-operator:" + metadata().AppVersion))
		})

		It("in alert rules and dashboards", func(ctx context.Context) {
			all := render(ctx, everything...)
			rules, err := os.ReadFile(configFile("prometheus", "rules.yaml"))
			if errors.Is(err, fs.ErrNotExist) {
				Expect(all.only("PrometheusRule")).To(BeEmpty())
			} else {
				Expect(err).NotTo(HaveOccurred())
				var want map[string]any
				Expect(yaml.Unmarshal(rules, &want)).To(Succeed())
				Expect(all.named("PrometheusRule", rig.OperatorServiceAccount).Object["spec"]).To(Equal(want))
			}
			dashboards, err := filepath.Glob(configFile("grafana", "*.json"))
			Expect(err).NotTo(HaveOccurred())
			configMaps := all.only("ConfigMap")
			Expect(configMaps).To(HaveLen(len(dashboards)))
			for _, file := range dashboards {
				want, err := os.ReadFile(file)
				Expect(err).NotTo(HaveOccurred())
				Expect(configMaps).To(ContainElement(WithTransform(func(o *unstructured.Unstructured) any {
					data, _, _ := unstructured.NestedString(o.Object, "data", filepath.Base(file))
					return strings.TrimRight(data, "\n")
				}, Equal(strings.TrimRight(string(want), "\n")))), file)
			}
			Expect(render(ctx).only("ConfigMap")).To(BeEmpty(), "dashboards are asked for")
		})
	})

	It("asks Prometheus for nothing that the cluster does not know", func(ctx context.Context) {
		Expect(render(ctx).kinds()).NotTo(ContainElements("ServiceMonitor", "PrometheusRule"))
		all := render(ctx, append(everything, "--set", "metrics.serviceMonitor.interval=15s,metrics.serviceMonitor.labels.release=prometheus")...)
		monitor := all.named("ServiceMonitor", rig.OperatorServiceAccount)
		Expect(monitor.GetLabels()).To(HaveKeyWithValue("release", "prometheus"))
		endpoints, _, err := unstructured.NestedSlice(monitor.Object, "spec", "endpoints")
		Expect(err).NotTo(HaveOccurred())
		Expect(endpoints).To(Equal([]any{map[string]any{"port": "metrics", "interval": "15s"}}))
		Expect(render(ctx, append(everything, "--set", "metrics.serviceMonitor.enabled=false")...).kinds()).NotTo(ContainElement("ServiceMonitor"))
	})

	It("leads the alerts' runbooks where the files of the repository are shown, where that is told", func(ctx context.Context) {
		runbooks := func(more ...string) []string {
			spec, err := yaml.Marshal(render(ctx, append(everything, more...)...).named("PrometheusRule", rig.OperatorServiceAccount).Object["spec"])
			Expect(err).NotTo(HaveOccurred())
			return regexp.MustCompile(`runbook_url: .*`).FindAllString(string(spec), -1)
		}
		inRepository := runbooks()
		Expect(inRepository).NotTo(BeEmpty())
		Expect(inRepository).To(HaveEach(HavePrefix("runbook_url: docs/runbooks.md#")))
		for _, base := range []string{"https://git.example.com/blob/v1", "https://git.example.com/blob/v1/"} {
			got := runbooks("--set", "metrics.prometheusRule.runbookBaseURL="+base)
			Expect(got).To(HaveLen(len(inRepository)))
			Expect(got).To(HaveEach(HavePrefix("runbook_url: https://git.example.com/blob/v1/docs/runbooks.md#")))
		}
	})

	It("keeps CustomResourceDefinitions unless told otherwise", func(ctx context.Context) {
		for _, crd := range render(ctx).only("CustomResourceDefinition") {
			Expect(crd.GetAnnotations()).To(HaveKeyWithValue("helm.sh/resource-policy", "keep"))
		}
		for _, crd := range render(ctx, "--set", "crds.keep=false").only("CustomResourceDefinition") {
			Expect(crd.GetAnnotations()).NotTo(HaveKey("helm.sh/resource-policy"))
		}
		Expect(render(ctx, "--set", "crds.enabled=false").kinds()).NotTo(ContainElement("CustomResourceDefinition"))
	})

	It("grants nothing cluster-wide where it is to work in some namespaces", func(ctx context.Context) {
		all := render(ctx, "--set", "watchNamespaces={a,b},connectionSecrets.namespaces={b}")
		Expect(all.kinds()).NotTo(ContainElements("ClusterRole", "ClusterRoleBinding"))
		var where []string
		for _, binding := range all.only("RoleBinding") {
			where = append(where, binding.GetNamespace()+"/"+binding.GetName())
			var typed rbacv1.RoleBinding
			into(binding, &typed)
			Expect(typed.RoleRef.Kind).To(Equal("Role"))
			all.named("Role", typed.RoleRef.Name)
		}
		Expect(where).To(ConsistOf("a/servicestage-operator", "b/servicestage-operator", "b/servicestage-operator-connection-secrets",
			"servicestage-system/servicestage-operator-leader-election"))
		Expect(all.deployment().Spec.Template.Spec.Containers[0].Args).To(ContainElements("--watch-namespaces=a,b", "--cluster-accounts=false"))
		for _, role := range all.only("Role") {
			var typed rbacv1.Role
			into(role, &typed)
			for right := range rig.RightsOf(typed.Rules...) {
				Expect(right).NotTo(Or(ContainSubstring("namespaces"), ContainSubstring("clustercloudaccounts")), "no Role can grant that")
			}
		}
	})

	It("binds rights on Secrets in the namespaces that are named, and nowhere else", func(ctx context.Context) {
		all := render(ctx, "--set", "connectionSecrets.namespaces={a,b}")
		bound := map[string]string{}
		for _, kind := range []string{"RoleBinding", "ClusterRoleBinding"} {
			for _, binding := range all.only(kind) {
				var typed rbacv1.RoleBinding
				into(binding, &typed)
				if typed.RoleRef.Name == "servicestage-operator-connection-secrets" {
					bound[kind+" in "+binding.GetNamespace()] = typed.RoleRef.Kind
				}
			}
		}
		Expect(bound).To(Equal(map[string]string{"RoleBinding in a": "ClusterRole", "RoleBinding in b": "ClusterRole"}))
	})

	It("passes values on to the manager as flags", func(ctx context.Context) {
		plain := render(ctx).deployment().Spec.Template.Spec.Containers[0].Args
		args := render(ctx, "--set", "manager.allowEndpointHosts={*.example.com,cloud.internal:8443},manager.listInterval=1m,manager.resyncInterval=30m,manager.maxConcurrentReconciles=4,manager.clusterName=eu-1",
			"--set", "manager.logLevel=debug,manager.logFormat=text,manager.extraArgs={--kube-api-qps=7}").deployment().Spec.Template.Spec.Containers[0].Args
		Expect(args).To(Equal(append(plain, "--cluster-name=eu-1", "--allow-endpoint-host=*.example.com,cloud.internal:8443", "--list-interval=1m", "--resync-interval=30m",
			"--max-concurrent-reconciles=4", "--log-level=debug", "--log-format=text", "--kube-api-qps=7")))
	})

	It("describes the kinds to Artifact Hub, each with an example", func() {
		var kinds []struct{ Kind, Version, Name, DisplayName, Description string }
		Expect(yaml.Unmarshal([]byte(metadata().Annotations["artifacthub.io/crds"]), &kinds)).To(Succeed())
		var examples []map[string]any
		Expect(yaml.Unmarshal([]byte(metadata().Annotations["artifacthub.io/crdsExamples"]), &examples)).To(Succeed())
		crds := manifests("crd", "bases")
		Expect(kinds).To(HaveLen(len(crds)))
		Expect(examples).To(HaveLen(len(crds)))
		for i, kind := range kinds {
			Expect(kind).To(And(HaveField("Name", crds[i].GetName()), HaveField("Version", "v1alpha1"), HaveField("Description", HaveSuffix("."))))
			Expect(examples[i]).To(And(HaveKeyWithValue("kind", kind.Kind), HaveKey("spec")))
		}
		Expect(metadata().Annotations).To(HaveKeyWithValue("artifacthub.io/operator", "true"))
	})
})

var _ = Describe("The chart's values", func() {
	It("are refused where they are unknown or mistyped, with the path", func(ctx context.Context) {
		for _, tc := range []struct{ value, path, says string }{
			{"replica=3", "at ''", "'replica' not allowed"},
			{"image.tagg=1", "at '/image'", "'tagg' not allowed"},
			{"metrics.serviceMonitor.enable=true", "at '/metrics/serviceMonitor'", "'enable' not allowed"},
			{"manager.clusterName=eu/1", "at '/manager/clusterName'", "does not match pattern"},
			{"metrics.prometheusRule.runbookBaseURL=docs", "at '/metrics/prometheusRule/runbookBaseURL'", "does not match pattern"},
			{"replicas=many", "at '/replicas'", "want integer"},
			{"replicas=-1", "at '/replicas'", "minimum"},
			{"crds.keep=maybe", "at '/crds/keep'", "want boolean"},
			{"watchNamespaces=team", "at '/watchNamespaces'", "want array"},
			{"watchNamespaces={Team}", "at '/watchNamespaces/0'", "does not match pattern"},
			{"watchNamespaces={a,a}", "at '/watchNamespaces'", "equal"},
			{"manager.listInterval=soon", "at '/manager/listInterval'", "does not match pattern"},
			{"manager.resyncInterval=soon", "at '/manager/resyncInterval'", "does not match pattern"},
			{"manager.logLevel=loud", "at '/manager/logLevel'", "must be one of"},
			{"manager.maxConcurrentReconciles=0", "at '/manager/maxConcurrentReconciles'", "minimum"},
			{"manager.extraArgs={serve}", "at '/manager/extraArgs/0'", "does not match pattern"},
			{"image.pullPolicy=Sometimes", "at '/image/pullPolicy'", "must be one of"},
			{"image.digest=latest", "at '/image/digest'", "does not match pattern"},
			{"image.repository=", "at '/image/repository'", "minLength"},
			{"image.pullSecrets[0].nam=x", "at '/image/pullSecrets/0'", "'nam' not allowed"},
			{"podDisruptionBudget.maxUnavailable=half", "at '/podDisruptionBudget/maxUnavailable'", "does not match pattern"},
			{"resources.limit.memory=1Gi", "at '/resources'", "'limit' not allowed"},
			{"podLabels.a=1", "at '/podLabels/a'", "want string"},
		} {
			_, err := helm.Run(ctx, "template", "x", chart, "--set", tc.value)
			Expect(err).To(MatchError(And(ContainSubstring("values don't meet the specifications of the schema"),
				ContainSubstring(tc.path+":"), ContainSubstring(tc.says))), tc.value)
		}
		_, err := helm.Run(ctx, "template", "x", chart, "--set", "watchNamespaces={a},connectionSecrets.namespaces={b}")
		Expect(err).To(MatchError(ContainSubstring("connectionSecrets.namespaces: b is not one of watchNamespaces: add it there")))
	})

	It("each have a comment, a place in the schema, and no unknown neighbour", func() {
		text, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
		Expect(err).NotTo(HaveOccurred())
		var values map[string]any
		Expect(yaml.UnmarshalStrict(text, &values)).To(Succeed())
		var schema map[string]any
		content, err := os.ReadFile(filepath.Join(chart, "values.schema.json"))
		Expect(err).NotTo(HaveOccurred())
		Expect(json.Unmarshal(content, &schema)).To(Succeed())
		delete(schema["properties"].(map[string]any), "global") // Helm's own
		lines := strings.Split(string(text), "\n")
		checked := 0
		var check func(path string, depth int, values, schema map[string]any)
		check = func(path string, depth int, values, schema map[string]any) {
			properties, ok := schema["properties"].(map[string]any)
			Expect(ok).To(BeTrue(), path)
			Expect(schema).To(HaveKeyWithValue("additionalProperties", false), path)
			for key := range properties {
				Expect(values).To(HaveKey(key), "%s is in the schema alone", path+key)
			}
			for key, value := range values {
				Expect(properties).To(HaveKey(key), "%s is in values.yaml alone", path+key)
				Expect(commented(lines, depth, key)).To(BeTrue(), "%s has no comment", path+key)
				checked++
				nested, isMap := value.(map[string]any)
				if below, _ := properties[key].(map[string]any); isMap && below["properties"] != nil && key != "resources" {
					check(path+key+".", depth+1, nested, below)
				}
			}
		}
		check("", 0, values, schema)
		Expect(checked).To(BeNumerically(">", 40))
	})
})

// commented says whether every line that begins a value of that name and depth follows a comment.
func commented(lines []string, depth int, key string) bool {
	indent := strings.Repeat("  ", depth)
	found := false
	for i, line := range lines {
		if strings.HasPrefix(line, indent+key+":") {
			found = true
			if i == 0 || !strings.HasPrefix(lines[i-1], indent+"#") {
				return false
			}
		}
	}
	return found
}

// chartMetadata is what of Chart.yaml the specs look at.
type chartMetadata struct {
	Version, AppVersion string
	Annotations         map[string]string
}

func metadata() chartMetadata {
	GinkgoHelper()
	content, err := os.ReadFile(filepath.Join(chart, "Chart.yaml"))
	Expect(err).NotTo(HaveOccurred())
	var m chartMetadata
	Expect(yaml.Unmarshal(content, &m)).To(Succeed())
	return m
}
