// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apivalidation

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/openapi3"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
)

// defaulted names what else of its own spec a kind gives a default.
var defaulted = map[string][]string{component: {"state"}, engine: {"authType", "retryFailedCreate"}, kieConfig: {"access", "conflictPolicy"}}

var _ = Describe("Defaults of", func() {
	for _, kind := range cloudResources {
		for before, after := range map[string]map[string]any{
			`{}`:                                {"kind": "CloudAccount", "name": "default"},
			`spec: {accountRef: {}}`:            {"kind": "CloudAccount", "name": "default"},
			`spec: {accountRef: {name: other}}`: {"kind": "CloudAccount", "name": "other"},
			`spec: {accountRef: {kind: ClusterCloudAccount}}`: {"kind": "ClusterCloudAccount", "name": "default"},
		} {
			It(kind+" accountRef: "+before, func(ctx SpecContext) {
				obj := newObject(kind, minimal[kind], before)
				Expect(create(ctx, obj)).To(Succeed())
				Expect(specOf(obj)).To(HaveKeyWithValue("accountRef", after))
			})
		}
		It(kind+" policies, and of nothing else", func(ctx SpecContext) {
			obj := newObject(kind, minimal[kind])
			before := slices.Collect(maps.Keys(specOf(obj)))
			Expect(create(ctx, obj)).To(Succeed())
			Expect(specOf(obj)).To(HaveKeyWithValue("managementPolicy", "Manage"))
			Expect(specOf(obj)).To(HaveKeyWithValue("deletionPolicy", "Delete"))
			Expect(slices.Collect(maps.Keys(specOf(obj)))).To(ConsistOf(slices.Concat(before, []string{"accountRef", "deletionPolicy", "managementPolicy"}, defaulted[kind])))
		})
	}
	for _, kind := range everyKind {
		It(kind+" status: observedGeneration -1, whatever a creation says", func(ctx SpecContext) {
			for _, before := range []string{minimal[kind], complete[kind]} {
				obj := newObject(kind, before)
				Expect(create(ctx, obj)).To(Succeed())
				Expect(obj.Object).To(HaveKeyWithValue("status", map[string]any{"observedGeneration": int64(-1)}))
			}
		})
	}
})

func specOf(obj *unstructured.Unstructured) map[string]any {
	content, _, err := unstructured.NestedMap(obj.Object, "spec")
	Expect(err).NotTo(HaveOccurred())
	return content
}

var _ = Describe("The name in the cloud", func() {
	for _, kind := range slices.DeleteFunc(slices.Clone(cloudResources), nameless) {
		for before, after := range map[string]string{
			`metadata: {name: shop}`:                         "shop",
			`{metadata: {name: shop}, spec: {name: Shop_2}}`: "Shop_2",
		} {
			It(kind+" "+before, func() {
				named := map[string]interface {
					client.Object
					CloudName() string
				}{environment: &v1alpha1.Environment{}, application: &v1alpha1.Application{}, component: &v1alpha1.Component{}, engine: &v1alpha1.MicroserviceEngine{}}[kind]
				obj := newObject(kind, minimal[kind], before)
				Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, named)).To(Succeed())
				Expect(named.CloudName()).To(Equal(after))
			})
		}
	}
})

// printed is what kubectl get prints of the complete object, Age left out; -o wide adds the columns in brackets.
var printed = map[string]string{
	cloudAccount:        "Name=subject Ready=True Reason=Available Region=ap-southeast-3 Project=0a1b2c3d",
	clusterCloudAccount: "Name=subject Ready=True Reason=Available Region=ap-southeast-3 Project=0a1b2c3d",
	environment:         "Name=subject Ready=True Reason=Available Synced=False Mode=container VPC=vpc-1 [ID]=id-1",
	application:         "Name=subject Ready=True Reason=Available Synced=False Cloud Name=shop Components=1 [ID]=id-1",
	component:           "Name=subject Ready=True Reason=Available Synced=False Version=1.0.0 Replicas=2/3 Phase=Upgrading [ID]=id-1",
	engine:              "Name=subject Ready=True Reason=Available Synced=False Engine Status=Available Flavor=cse.s1.small2 [ID]=id-1",
	kieConfig:           "Name=subject Ready=True Reason=Available Synced=False Items=2/3 Engine=<nil> [ID]=id-1",
}

var _ = Describe("kubectl get", func() {
	for _, kind := range everyKind {
		It("prints "+kind, func(ctx SpecContext) {
			obj := newObject(kind, complete[kind])
			store(ctx, obj)
			status := parse(complete[kind])["status"].(map[string]any)
			status["conditions"] = append(status["conditions"].([]any), map[string]any{"type": "Synced", "status": "False",
				"reason": "Drifted", "message": "", "lastTransitionTime": "2026-01-02T03:04:05Z"})
			obj.Object["status"] = status
			Expect(server.Status().Update(ctx, obj)).To(Succeed())

			names := crds[kind].Spec.Names
			path := "/apis/servicestage.dev/v1alpha1/namespaces/" + namespace + "/" + names.Plural
			if kind == clusterCloudAccount {
				path = "/apis/servicestage.dev/v1alpha1/" + names.Plural
			}
			reply, err := discoveryClient().RESTClient().Get().AbsPath(path, obj.GetName()).
				SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(ctx)
			Expect(err).NotTo(HaveOccurred())
			var table metav1.Table
			Expect(json.Unmarshal(reply, &table)).To(Succeed())
			Expect(table.Rows).To(HaveLen(1))
			var got []string
			for i, column := range table.ColumnDefinitions {
				switch {
				case column.Name == "Age":
					Expect(table.Rows[0].Cells[i]).NotTo(BeEmpty())
				case column.Priority > 0:
					got = append(got, fmt.Sprintf("[%s]=%v", column.Name, table.Rows[0].Cells[i]))
				default:
					got = append(got, fmt.Sprintf("%s=%v", column.Name, table.Rows[0].Cells[i]))
				}
			}
			Expect(strings.Join(got, " ")).To(Equal(printed[kind]))
			Expect(table.ColumnDefinitions[len(table.ColumnDefinitions)-1].Name).To(Equal("Age"))
		})
	}

	It("knows the short names, the category and the scopes", func() {
		list, err := discoveryClient().ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
		Expect(err).NotTo(HaveOccurred())
		got := map[string]string{}
		for _, r := range list.APIResources {
			got[r.Name] = fmt.Sprintf("%s %v %v namespaced=%t", r.Kind, r.ShortNames, r.Categories, r.Namespaced)
			if _, subresource, is := strings.Cut(r.Name, "/"); is {
				got[r.Name] = subresource
			}
		}
		Expect(got).To(Equal(map[string]string{
			"cloudaccounts":               "CloudAccount [ssacct] [servicestage] namespaced=true",
			"cloudaccounts/status":        "status",
			"clustercloudaccounts":        "ClusterCloudAccount [ssclacct] [servicestage] namespaced=false",
			"clustercloudaccounts/status": "status",
			"environments":                "Environment [ssenv] [servicestage] namespaced=true",
			"environments/status":         "status",
			"applications":                "Application [ssapp] [servicestage] namespaced=true",
			"applications/status":         "status",
			"components":                  "Component [sscomp] [servicestage] namespaced=true",
			"components/scale":            "scale",
			"components/status":           "status",
			"microserviceengines":         "MicroserviceEngine [cseng] [servicestage] namespaced=true",
			"microserviceengines/status":  "status",
			"kieconfigs":                  "KieConfig [kie] [servicestage] namespaced=true",
			"kieconfigs/status":           "status",
		}))
	})
})

var _ = Describe("kubectl scale", func() {
	It("sets spec.replicas of a Component", func(ctx SpecContext) {
		obj := newObject(component, minimal[component], `spec: {replicas: 2}`)
		store(ctx, obj)
		scale := &unstructured.Unstructured{}
		scale.SetGroupVersionKind(autoscalingv1.SchemeGroupVersion.WithKind("Scale"))
		Expect(server.SubResource("scale").Get(ctx, obj, scale)).To(Succeed())
		Expect(specOf(scale)).To(HaveKeyWithValue("replicas", int64(2)))

		Expect(unstructured.SetNestedField(scale.Object, int64(5), "spec", "replicas")).To(Succeed())
		Expect(server.SubResource("scale").Update(ctx, obj, client.WithSubResourceBody(scale))).To(Succeed())
		Expect(server.Get(ctx, client.ObjectKeyFromObject(obj), obj)).To(Succeed())
		Expect(specOf(obj)).To(HaveKeyWithValue("replicas", int64(5)))
	})
})

var _ = Describe("kubectl explain", func() {
	for _, kind := range everyKind {
		It("describes every field of "+kind, func() {
			root := openapi3.NewRoot(discoveryClient().OpenAPIV3())
			var schema *spec.Schema
			Eventually(func(g Gomega) { // published a moment after the CRD is
				document, err := root.GVSpec(v1alpha1.GroupVersion)
				g.Expect(err).NotTo(HaveOccurred())
				schema = document.Components.Schemas["dev.servicestage.v1alpha1."+kind]
				g.Expect(schema).NotTo(BeNil())
			}).WithTimeout(30 * time.Second).Should(Succeed())
			Expect(schema.Description).To(HavePrefix(kind + " is "))
			Expect(undescribed(schema, kind)).To(BeEmpty())
		})
	}
})

// undescribed lists the properties below the schema that have no description.
func undescribed(schema *spec.Schema, path string) []string {
	var out []string
	for name, property := range schema.Properties {
		if strings.TrimSpace(property.Description) == "" {
			out = append(out, path+"."+name)
		}
		out = append(out, undescribed(&property, path+"."+name)...)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		out = append(out, undescribed(schema.Items.Schema, path+"[]")...)
	}
	return out
}

func discoveryClient() *discovery.DiscoveryClient {
	GinkgoHelper()
	c, err := discovery.NewDiscoveryClientForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	return c
}
