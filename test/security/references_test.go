// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package security

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/rig"
)

// reference is a field by which an object names another one of its cluster.
type reference struct {
	path string
	// to is the resource that it names, as in a URL of the API server.
	to string
	// object refers to {name} and is well otherwise.
	object string
}

const (
	toSecrets    = "secrets"
	toConfigMaps = "configmaps"
	toAccounts   = "cloudaccounts"
)

// references has a row for every reference of every kind.
var references = map[string][]reference{
	"CloudAccount": {
		{"spec.credentials.secretRef", toSecrets, `{region: ap-southeast-3, credentials: {secretRef: {name: {name}}}}`},
		{"spec.tls.caBundleRef.secretKeyRef", toSecrets, `{region: ap-southeast-3, credentials: {secretRef: {name: ours}}, tls: {caBundleRef: {secretKeyRef: {name: {name}, key: value}}}}`},
		{"spec.tls.caBundleRef.configMapKeyRef", toConfigMaps, `{region: ap-southeast-3, credentials: {secretRef: {name: ours}}, tls: {caBundleRef: {configMapKeyRef: {name: {name}, key: value}}}}`},
	},
	"Environment": {
		{"spec.accountRef", toAccounts, `{vpcID: vpc-1, accountRef: {name: {name}}}`},
		{"spec.resources[].engineRef", "microserviceengines", `{vpcID: vpc-1, resources: [{type: cse, engineRef: {name: {name}}}]}`},
	},
	"Application": {
		{"spec.accountRef", toAccounts, `{accountRef: {name: {name}}}`},
		{"spec.configurations[].environmentRef", "environments", `{configurations: [{environmentRef: {name: {name}}, env: []}]}`},
		{"spec.configurations[].env[].valueFrom.secretKeyRef", toSecrets, `{configurations: [{environmentRef: {name: ours}, env: [{name: A, valueFrom: {secretKeyRef: {name: {name}, key: value}}}]}]}`},
		{"spec.configurations[].env[].valueFrom.configMapKeyRef", toConfigMaps, `{configurations: [{environmentRef: {name: ours}, env: [{name: A, valueFrom: {configMapKeyRef: {name: {name}, key: value}}}]}]}`},
	},
	"Component": {
		{"spec.accountRef", toAccounts, component(`applicationRef: {name: ours}, environmentRef: {name: ours}, accountRef: {name: {name}}`)},
		{"spec.applicationRef", "applications", component(`applicationRef: {name: {name}}, environmentRef: {name: ours}`)},
		{"spec.environmentRef", "environments", component(`applicationRef: {name: ours}, environmentRef: {name: {name}}`)},
		{"spec.build.environmentRef", "environments", component(`applicationRef: {name: ours}, environmentRef: {name: ours}, build: {clusterID: cluster-1, environmentRef: {name: {name}}}`)},
		{"spec.references[].engineRef", "microserviceengines", component(`applicationRef: {name: ours}, environmentRef: {name: ours}, references: [{type: cce, id: cluster-1}, {type: cse, engineRef: {name: {name}}}]`)},
	},
	"MicroserviceEngine": {
		{"spec.accountRef", toAccounts, engine(`rootPasswordSecretRef: {name: ours-password}, accountRef: {name: {name}}`)},
		{"spec.rootPasswordSecretRef", toSecrets, engine(`rootPasswordSecretRef: {name: {name}}`)},
	},
	"KieConfig": {
		{"spec.accountRef", toAccounts, `{engineRef: {name: ours}, access: Gateway, accountRef: {name: {name}}, items: [{key: a, value: b}]}`},
		{"spec.engineRef", "microserviceengines", `{engineRef: {name: {name}}, items: [{key: a, value: b}]}`},
		{"spec.authSecretRef", toSecrets, `{engineRef: {name: ours}, authSecretRef: {name: {name}}, items: [{key: a, value: b}]}`},
		{"spec.tls.caBundleRef.secretKeyRef", toSecrets, `{engineRef: {name: ours}, tls: {caBundleRef: {secretKeyRef: {name: {name}, key: value}}}, items: [{key: a, value: b}]}`},
		{"spec.tls.caBundleRef.configMapKeyRef", toConfigMaps, `{engineRef: {name: ours}, tls: {caBundleRef: {configMapKeyRef: {name: {name}, key: value}}}, items: [{key: a, value: b}]}`},
		{"spec.items[].valueFrom.secretKeyRef", toSecrets, `{engineRef: {name: ours}, tls: {insecureSkipVerify: true}, items: [{key: a, valueFrom: {secretKeyRef: {name: {name}, key: value}}}]}`},
		{"spec.items[].valueFrom.configMapKeyRef", toConfigMaps, `{engineRef: {name: ours}, tls: {insecureSkipVerify: true}, items: [{key: a, valueFrom: {configMapKeyRef: {name: {name}, key: value}}}]}`},
	},
}

// notReferences look like references and are none that could reach into another namespace, each for a reason.
var notReferences = map[string]map[string]string{
	"ClusterCloudAccount": {
		"spec.credentials.secretRef":           "the object is cluster-scoped: only administrators write it",
		"spec.credentials.secretRef.namespace": "the same",
		"spec.allowedNamespaces":               "the namespaces that may use it",
	},
	"MicroserviceEngine": {
		"spec.connection.configMap": "what the operator writes, in the object's own namespace",
		"spec.connection.secret":    "the same",
	},
	"Component": {
		"spec.references[].namespace":          "a namespace of the cluster that the cloud deploys to",
		"spec.env[].valueFrom.configMapKeyRef": "of the cluster that the cloud deploys to",
		"spec.env[].valueFrom.secretKeyRef":    "of the cluster that the cloud deploys to",
		"spec.volumes[].configMap":             "of the cluster that the cloud deploys to",
		"spec.volumes[].secret":                "of the cluster that the cloud deploys to",
		"spec.source.code.ref":                 "a branch or tag",
		"spec.source.code.namespace":           "of the repository's host",
		"spec.build.artifactNamespace":         "an organisation of the cloud's image registry",
	},
}

func component(fields string) string {
	if !strings.Contains(fields, "references:") {
		fields += ", references: [{type: cce, id: cluster-1}]"
	}
	source := `source: {image: {url: "swr.example.com/a:1"}}, `
	if strings.Contains(fields, "build:") {
		source = `source: {code: {repoType: GitHub, repoURL: "https://example.com/a.git"}}, `
	}
	return `{version: 1.0.0, runtimeStack: {name: Docker, type: Docker, version: "1.0", deployMode: container}, ` + source + fields + `}`
}

func engine(fields string) string {
	return fmt.Sprintf(`{flavor: cse.s1.small2, availabilityZones: [ap-southeast-3a, ap-southeast-3b], network: {vpcID: %q, subnetID: %q}, %s}`,
		cloudsim.DefaultVPCID, cloudsim.DefaultSubnetID, fields)
}

// manifest is an object of the kind.
func manifest(kind, name, spec string) string {
	return fmt.Sprintf("kind: %s\nmetadata: {name: %q}\nspec: %s\n", kind, name, spec)
}

var _ = Describe("References", func() {
	It("are all known to this test: a new field needs a row", func() {
		for kind, schema := range schemas() {
			var found []string
			walk(schema, "", func(path, name string, s *apiextensionsv1.JSONSchemaProps) {
				_, named := s.Properties["name"]
				if suspicious.MatchString(name) && (s.Type == "string" || named || name == "allowedNamespaces" || name == "namespace") {
					found = append(found, path)
				}
			})
			var known []string
			for _, r := range references[kind] {
				known = append(known, r.path)
			}
			for path := range notReferences[kind] {
				known = append(known, path)
			}
			Expect(known).To(ConsistOf(found), "the fields of %s by which it may name another object", kind)
		}
	})

	It("have no namespace", func(ctx context.Context) {
		namespace := newNamespace(ctx, "here-")
		for kind, rows := range references {
			for _, row := range rows {
				object := parse(kind, "subject", strings.ReplaceAll(row.object, "{name}", "theirs"))
				object.SetNamespace(namespace)
				Expect(k8s.Create(ctx, object.DeepCopy(), client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))).
					To(Succeed(), "%s %s", kind, row.path)
				setNamespace(object.Object, strings.Split(row.path, "."))
				Expect(k8s.Create(ctx, object.DeepCopy(), client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))).
					To(MatchError(ContainSubstring("unknown field")), "%s %s takes a namespace", kind, row.path)
				Expect(k8s.Create(ctx, object, client.DryRunAll)).To(Succeed())
				Expect(text(object.Object["spec"])).NotTo(ContainSubstring("kube-system"), "%s %s keeps a namespace", kind, row.path)
			}
		}
	}, SpecTimeout(time.Minute))

	It("reach nothing in another namespace, whatever name they give", func(ctx context.Context) {
		ours, theirs := rig.Keys{AccessKey: "OURKEY", SecretKey: "our-secret-key"}, rig.Keys{AccessKey: "THEIRKEY", SecretKey: "their-secret-key"}
		w := newWorld(ctx, ours)
		Expect(w.sim.Accounts(ctx, accountOf(ours), accountOf(theirs))).To(Succeed())
		here, there := w.namespace, newNamespace(ctx, "there-")
		w.startManager(ctx, []string{here, there}, nil, "--allow-endpoint-host=127.0.0.1")
		settled := func(namespace, name string, keys rig.Keys) {
			GinkgoHelper()
			eventually(ctx, apply(ctx, namespace, whole, "{n}", name, "{accessKey}", keys.AccessKey, "{secretKey}", keys.SecretKey, "{url}", w.way.URL,
				"{engine}", engine("rootPasswordSecretRef: {name: "+name+"-password}, accountRef: {name: "+name+"}"), "{here}", namespace), "True")
		}
		settled(there, "theirs", theirs)
		settled(here, "ours", ours)
		apply(ctx, here, manifest("CloudAccount", "default", `{region: ap-southeast-3, credentials: {secretRef: {name: ours}}, endpoints: {iam: "{url}", servicestage: "{url}", cse: "{url}", vpc: "{url}"}}`), "{url}", w.way.URL)
		Expect(w.sim.ResetCalls(ctx)).To(Succeed())

		// Beside plain names those that would leave the namespace's folder.
		var odd, plain []*unstructured.Unstructured
		refer := func(kind string, row reference, name string) []*unstructured.Unstructured {
			GinkgoHelper()
			subject := fmt.Sprintf("subject-%d", len(odd)+len(plain))
			objects := apply(ctx, here, manifest(kind, subject, strings.ReplaceAll(row.object, "{name}", fmt.Sprintf("%q", name))))
			objects[0].SetAnnotations(map[string]string{"row": row.path + " " + name})
			return objects
		}
		for kind, rows := range references {
			for _, row := range rows {
				for _, name := range []string{there + "/theirs", "../../" + there + "/" + row.to + "/theirs"} {
					odd = append(odd, refer(kind, row, name)...)
				}
			}
		}
		for kind, rows := range references {
			for _, row := range rows {
				plain = append(plain, refer(kind, row, "theirs")...)
			}
		}
		plain = append(plain, apply(ctx, here, manifest("Environment", "cluster", `{vpcID: vpc-1, accountRef: {kind: ClusterCloudAccount, name: {there}}}`), "{there}", there)...)
		for _, object := range plain {
			row := object.GetAnnotations()["row"]
			Eventually(func() (string, error) { return ready(ctx, object) }).WithContext(ctx).
				Should(MatchRegexp(`^False .*((there is no|has no) .*"theirs"|in namespace %s|does not allow namespace %[1]s)`, here), "%s %s", object.GetKind(), row)
		}
		Eventually(func() ([]string, error) { return notRefused(ctx, odd) }).WithContext(ctx).Should(BeEmpty(), "names that were not refused")
		calls, err := w.sim.Calls(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(calls).NotTo(ContainElement(HaveField("Account", theirs.AccessKey)), "a call was made with their key")
	}, SpecTimeout(time.Minute))
})

// notRefused returns the rows of the objects of which no condition says that nothing has such a name.
func notRefused(ctx context.Context, objects []*unstructured.Unstructured) ([]string, error) {
	var rest []string
	for _, object := range objects {
		row := object.GetAnnotations()["row"]
		_, name, _ := strings.Cut(row, " ")
		text, err := ready(ctx, object.DeepCopy())
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(text, "False ") || !strings.Contains(text, strconv.Quote(name)) {
			rest = append(rest, fmt.Sprintf("%s %s: %s", object.GetKind(), row, text))
		}
	}
	return rest, nil
}

// whole is one object of everything that can be referred to, all of one name.
const whole = `
{kind: Secret, apiVersion: v1, metadata: {name: {n}}, stringData: {accessKey: "{accessKey}", secretKey: "{secretKey}", value: a}}
---
{kind: Secret, apiVersion: v1, metadata: {name: "{n}-password"}, stringData: {password: "Passw0rd-1"}}
---
{kind: ConfigMap, apiVersion: v1, metadata: {name: {n}}, data: {value: a}}
---
{kind: CloudAccount, metadata: {name: {n}}, spec: {region: ap-southeast-3, credentials: {secretRef: {name: {n}}}, endpoints: {iam: "{url}", servicestage: "{url}", cse: "{url}", vpc: "{url}"}, rateLimit: {requestsPerSecond: 1000}}}
---
{kind: ClusterCloudAccount, metadata: {name: "{here}"}, spec: {region: ap-southeast-3, credentials: {secretRef: {namespace: "{here}", name: {n}}}, endpoints: {iam: "{url}", servicestage: "{url}"}, allowedNamespaces: {names: ["{here}"]}}}
---
{kind: Environment, metadata: {name: {n}}, spec: {name: "{here}", vpcID: vpc-1, accountRef: {name: {n}}, resources: [{type: cce, id: cluster-1}]}}
---
{kind: Application, metadata: {name: {n}}, spec: {name: "{here}", accountRef: {name: {n}}}}
---
{kind: MicroserviceEngine, metadata: {name: {n}}, spec: {engine}}
`

func accountOf(keys rig.Keys) cloudsim.Account {
	return cloudsim.Account{AccessKey: keys.AccessKey, SecretKey: keys.SecretKey, ProjectID: project, Region: "ap-southeast-3"}
}

// suspicious are names of fields that may lead to another object.
var suspicious = regexp.MustCompile(`(?i)(ref|secret|configmap|namespaces?)$`)

// schemas are the specs of every kind.
func schemas() map[string]*apiextensionsv1.JSONSchemaProps {
	GinkgoHelper()
	root, err := rig.Root()
	Expect(err).NotTo(HaveOccurred())
	objects, err := rig.ReadManifests(filepath.Join(root, "config", "crd", "bases"))
	Expect(err).NotTo(HaveOccurred())
	out := map[string]*apiextensionsv1.JSONSchemaProps{}
	for _, object := range objects {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, crd)).To(Succeed())
		spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
		out[crd.Spec.Names.Kind] = &apiextensionsv1.JSONSchemaProps{Properties: map[string]apiextensionsv1.JSONSchemaProps{"spec": spec}}
	}
	Expect(out).To(HaveLen(7))
	return out
}

// walk visits every field below a schema, with its path and its name.
func walk(schema *apiextensionsv1.JSONSchemaProps, path string, visit func(path, name string, s *apiextensionsv1.JSONSchemaProps)) {
	for name, property := range schema.Properties {
		at := strings.TrimPrefix(path+"."+name, ".")
		visit(at, name, &property)
		walk(&property, at, visit)
		if property.Items != nil {
			walk(property.Items.Schema, at+"[]", visit)
		}
		if property.AdditionalProperties != nil && property.AdditionalProperties.Schema != nil {
			walk(property.AdditionalProperties.Schema, at+"{}", visit)
		}
	}
}

// parse makes an object that is not created yet.
func parse(kind, name, spec string) *unstructured.Unstructured {
	GinkgoHelper()
	objects, err := rig.ParseManifests([]byte("apiVersion: servicestage.dev/v1alpha1\n" + manifest(kind, name, spec)))
	Expect(err).NotTo(HaveOccurred())
	Expect(objects).To(HaveLen(1))
	return objects[0]
}

// setNamespace adds a namespace to the reference at the path; of a list to that of its last element.
func setNamespace(object map[string]any, path []string) {
	GinkgoHelper()
	for _, step := range path {
		name, list := strings.CutSuffix(step, "[]")
		next := object[name]
		if list {
			items, ok := next.([]any)
			Expect(ok).To(BeTrue(), "%v", path)
			next = items[len(items)-1]
		}
		field, ok := next.(map[string]any)
		Expect(ok).To(BeTrue(), "%v", path)
		object = field
	}
	object["namespace"] = "kube-system"
}
