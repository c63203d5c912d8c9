// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package security

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/rig"
)

// canaries are random values, with what each is. A value is searched for by its core, so that no part of it may be left
// over; what stands around the core is what JSON, HTML and URLs write in other ways.
type canaries map[string]string

// plant makes a canary, and returns a value that holds it.
func (c canaries) plant(what, before, after string) string {
	GinkgoHelper()
	random := make([]byte, 8)
	_, err := rand.Read(random)
	Expect(err).NotTo(HaveOccurred())
	core := hex.EncodeToString(random)
	c[core] = what
	return before + core + after
}

// in returns what of the canaries a text holds, as it is or in a common encoding.
func (c canaries) in(text string) []string {
	var found []string
	for core, what := range c {
		raw := []byte(core)
		for form, written := range map[string]string{
			"": core, "in base64": base64.StdEncoding.EncodeToString(raw), "in hex": hex.EncodeToString(raw),
		} {
			if strings.Contains(text, written) {
				found = append(found, strings.TrimSpace(what+" "+form))
				break
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// quotable is what must be written otherwise in JSON, in HTML, and by Go.
const quotable = `"<&>\ '`

const canaryManifests = `
{kind: Secret, apiVersion: v1, metadata: {name: keys}, stringData: {accessKey: "{accessKey}", secretKey: "{secretKey}", securityToken: "{securityToken}"}}
---
{kind: Secret, apiVersion: v1, metadata: {name: user}, stringData: {domainName: acme, username: bot, password: {password}}}
---
{kind: Secret, apiVersion: v1, metadata: {name: root}, stringData: {password: {rootPassword}}}
---
{kind: Secret, apiVersion: v1, metadata: {name: login}, stringData: {username: root, password: {otherPassword}}}
---
{kind: Secret, apiVersion: v1, metadata: {name: values}, stringData: {env: {secretEnv}, item: {secretItem}}}
---
{kind: CloudAccount, metadata: {name: default}, spec: {region: ap-southeast-3, credentials: {secretRef: {name: keys}}, endpoints: {endpoints}, rateLimit: {rate}}}
---
{kind: CloudAccount, metadata: {name: by-token}, spec: {region: ap-southeast-3, credentials: {secretRef: {name: user}}, endpoints: {endpoints}, rateLimit: {rate}}}
---
{kind: Environment, metadata: {name: dev}, spec: {vpcID: vpc-1, resources: [{type: cce, id: cluster-1}]}}
---
{kind: Environment, metadata: {name: by-token}, spec: {vpcID: vpc-1, accountRef: {name: by-token}}}
---
kind: Application
metadata: {name: shop}
spec:
  configurations:
  - environmentRef: {name: dev}
    env: [{name: PLAIN, value: {plainEnv}}, {name: SECRET, valueFrom: {secretKeyRef: {name: values, key: env}}}]
---
kind: Component
metadata: {name: web}
spec:
  applicationRef: {name: shop}
  environmentRef: {name: dev}
  version: 1.0.0
  runtimeStack: {name: Docker, type: Docker, version: "1.0", deployMode: container}
  source: {image: {url: "swr.example.com/shop/web:1.0.0"}}
  references: [{type: cce, id: cluster-1}]
  env: [{name: PLAIN, value: {componentEnv}}]
---
kind: MicroserviceEngine
metadata: {name: engine}
spec:
  flavor: cse.s1.small2
  availabilityZones: [ap-southeast-3a, ap-southeast-3b]
  network: {vpcID: {vpc}, subnetID: {subnet}}
  rootPasswordSecretRef: {name: root}
  connection: {configMap: addresses}
---
kind: KieConfig
metadata: {name: in-engine}
spec:
  engineRef: {name: engine}
  tls: {insecureSkipVerify: true}
  items: [{key: plain, value: {plainItem}}, {key: secret, valueFrom: {secretKeyRef: {name: values, key: item}}}]
---
kind: KieConfig
metadata: {name: through-gateway}
spec:
  engineRef: {name: engine}
  access: Gateway
  items: [{key: far.plain, value: {plainItem}}, {key: far.secret, valueFrom: {secretKeyRef: {name: values, key: item}}}]
---
kind: KieConfig
metadata: {name: at-address}
spec:
  endpoint: {kie: "{way}", serviceCenter: "{way}"}
  authSecretRef: {name: login}
  items: [{key: plain, value: {plainItem}}, {key: secret, valueFrom: {secretKeyRef: {name: values, key: item}}}]
`

// late are objects whose first call quotes what authenticates it: they are made once the cloud quotes everything.
const late = `
{kind: CloudAccount, metadata: {name: late}, spec: {region: ap-southeast-3, credentials: {secretRef: {name: keys}}, endpoints: {endpoints}, rateLimit: {rate}}}
---
{kind: CloudAccount, metadata: {name: late-by-token}, spec: {region: ap-southeast-3, credentials: {secretRef: {name: user}}, endpoints: {endpoints}, rateLimit: {rate}}}
---
{kind: Secret, apiVersion: v1, metadata: {name: late-login}, stringData: {username: root, password: {otherPassword}}}
---
kind: KieConfig
metadata: {name: late}
spec:
  endpoint: {kie: "{way}", serviceCenter: "{way}"}
  authSecretRef: {name: late-login}
  items: [{key: late, valueFrom: {secretKeyRef: {name: values, key: item}}}]
---
kind: MicroserviceEngine
metadata: {name: late}
spec:
  flavor: cse.s1.small2
  availabilityZones: [ap-southeast-3a, ap-southeast-3b]
  network: {vpcID: {vpc}, subnetID: {subnet}}
  rootPasswordSecretRef: {name: root}
`

var _ = Describe("No secret", func() {
	It("is in anything that the manager emits, whatever the cloud says", func(ctx context.Context) {
		secret, plain := canaries{}, canaries{}
		account := cloudsim.Account{
			AccessKey: "CANARYTESTKEY", SecretKey: secret.plant("the secret key", "", ""), SecurityToken: secret.plant("the security token", "", ""),
			ProjectID: project, Region: "ap-southeast-3",
		}
		user := cloudsim.Account{
			DomainName: "acme", Username: "bot", Password: secret.plant("the IAM user's password", "", quotable), ProjectID: project, Region: "ap-southeast-3",
		}
		otherPassword := secret.plant("the password of the engine at an address", "Cn1", `"<&>\`)
		w := newWorld(ctx, rig.Keys{AccessKey: account.AccessKey, SecretKey: account.SecretKey})
		Expect(w.sim.Accounts(ctx, account, user)).To(Succeed())
		w.putEngine(ctx, otherPassword)
		w.startManager(ctx, []string{w.namespace}, nil, "--allow-endpoint-host=127.0.0.1", "--resync-interval=5s")
		quoted := func(value string) string { return fmt.Sprintf("%q", value) }
		replace := []string{
			"{accessKey}", account.AccessKey, "{secretKey}", account.SecretKey, "{securityToken}", account.SecurityToken,
			"{password}", quoted(user.Password), "{otherPassword}", quoted(otherPassword),
			"{rootPassword}", quoted(secret.plant("the root password", "Cn1", `"<&>\`)),
			"{secretEnv}", quoted(secret.plant("a variable from a Secret", quotable, quotable)),
			"{secretItem}", quoted(secret.plant("an item from a Secret", quotable, quotable)),
			"{plainEnv}", quoted(plain.plant("a variable in a spec", quotable, quotable)),
			"{componentEnv}", quoted(plain.plant("a component's variable", quotable, quotable)),
			"{plainItem}", quoted(plain.plant("an item in a spec", quotable, quotable)),
			"{endpoints}", fmt.Sprintf("{iam: %[1]q, servicestage: %[1]q, cse: %[1]q, vpc: %[1]q}", w.way.URL),
			"{rate}", "{requestsPerSecond: 1000}", "{way}", w.way.URL, "{vpc}", cloudsim.DefaultVPCID, "{subnet}", cloudsim.DefaultSubnetID,
		}

		By("Bringing one object of every kind up")
		objects := apply(ctx, w.namespace, canaryManifests, replace...)
		eventually(ctx, objects, "True")

		By("Letting the cloud quote the body of every write in an error, and touching every object")
		var faults []cloudsim.Fault
		for _, method := range []string{http.MethodPost, http.MethodPut} {
			faults = append(faults, cloudsim.Fault{Action: cloudsim.FaultEcho, Match: cloudsim.Match{Method: method}})
		}
		Expect(w.sim.Faults(ctx, faults...)).To(Succeed())
		values := &corev1.Secret{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "values"}, values)).To(Succeed())
		values.StringData = map[string]string{
			"env": secret.plant("a variable from a changed Secret", quotable, quotable), "item": secret.plant("an item from a changed Secret", quotable, quotable),
		}
		Expect(k8s.Update(ctx, values)).To(Succeed())
		touched := slices.Clone(objects)
		for _, object := range objects {
			switch object.GetKind() {
			case "Component":
				setVariable(ctx, object, plain.plant("a component's changed variable", quotable, quotable))
			case "Environment", "MicroserviceEngine":
				setDescription(ctx, object, "changed")
			}
		}
		touched = append(touched, apply(ctx, w.namespace, late, replace...)...)
		for _, object := range touched {
			switch object.GetKind() + " " + object.GetName() {
			case "CloudAccount default", "CloudAccount by-token", "CloudAccount late", "Environment by-token": // they only read
			default:
				eventuallyTold(ctx, object, "Cannot read [^AX]")
			}
		}
		search := func() {
			GinkgoHelper()
			for token, what := range w.way.secrets() {
				secret[token] = what
			}
			Expect(w.leaks(ctx, secret, plain)).To(BeEmpty())
		}
		search()

		By("Letting it quote what authenticates every read")
		Expect(w.sim.Faults(ctx, cloudsim.Fault{Action: cloudsim.FaultEcho})).To(Succeed())
		for _, object := range touched {
			if object.GroupVersionKind().Group != "servicestage.dev" {
				continue
			}
			edit(ctx, object, func() {
				Expect(unstructured.SetNestedField(object.Object, "now", "metadata", "annotations", v1alpha1.ReconcileRequestedAtAnnotation)).To(Succeed())
			})
			switch object.GetKind() + " " + object.GetName() {
			case "CloudAccount late-by-token", "KieConfig late": // they have no token to read with
			default:
				eventuallyTold(ctx, object, "Cannot read (Authorization|X-Auth-Token): ")
			}
		}
		Expect(slices.Collect(maps.Values(w.way.secrets()))).To(ContainElements("a signature", "a token of IAM", "the token of an engine"))
		search()

		By("Deleting everything, and searching again")
		Expect(w.sim.Faults(ctx)).To(Succeed())
		for _, object := range touched {
			if object.GroupVersionKind().Group == "servicestage.dev" && object.GetKind() != "CloudAccount" {
				Expect(k8s.Delete(ctx, object)).To(Succeed())
			}
		}
		for _, object := range touched {
			if object.GroupVersionKind().Group == "servicestage.dev" && object.GetKind() != "CloudAccount" {
				eventuallyGone(ctx, []*unstructured.Unstructured{object})
			}
		}
		search()
	}, SpecTimeout(90*time.Second))
})

// eventuallyTold waits until an object says what the cloud quoted.
func eventuallyTold(ctx context.Context, object *unstructured.Unstructured, pattern string) {
	GinkgoHelper()
	if object.GroupVersionKind().Group == "servicestage.dev" {
		Eventually(conditions(ctx, object)).WithContext(ctx).Should(MatchRegexp(pattern), "%s %s", object.GetKind(), object.GetName())
	}
}

// putEngine makes an engine that no object stands for, and leads the way to it.
func (w *world) putEngine(ctx context.Context, password string) {
	GinkgoHelper()
	Expect(w.sim.Put(ctx, "cse/engines", "at-address", rig.Record{
		"name": "at-address", "status": "Available", "spec_type": "CSE2", "flavor": "cse.s1.small2", "auth_type": "RBAC", "root_password": password,
	})).To(Succeed())
	engines, err := w.sim.Engines(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(engines).To(HaveLen(1))
	w.way.kie, err = url.Parse(engines[0].Kie)
	Expect(err).NotTo(HaveOccurred())
	w.way.serviceCenter, err = url.Parse(engines[0].ServiceCenter)
	Expect(err).NotTo(HaveOccurred())
}

func setVariable(ctx context.Context, component *unstructured.Unstructured, value string) {
	GinkgoHelper()
	edit(ctx, component, func() {
		Expect(unstructured.SetNestedSlice(component.Object, []any{map[string]any{"name": "PLAIN", "value": value}}, "spec", "env")).To(Succeed())
	})
}

func setDescription(ctx context.Context, object *unstructured.Unstructured, text string) {
	GinkgoHelper()
	edit(ctx, object, func() { Expect(unstructured.SetNestedField(object.Object, text, "spec", "description")).To(Succeed()) })
}

// edit changes an object as a user does.
func edit(ctx context.Context, object *unstructured.Unstructured, change func()) {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
	before := object.DeepCopy()
	change()
	Expect(k8s.Patch(ctx, object, client.MergeFrom(before))).To(Succeed())
}

// conditions returns a function that reads the conditions of an object anew.
func conditions(ctx context.Context, object *unstructured.Unstructured) func() (string, error) {
	return func() (string, error) {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return "", err
		}
		found, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
		return fmt.Sprint(found), err
	}
}

// leaks searches all that the manager emits. What a user wrote into a spec may stand there, and nowhere else.
func (w *world) leaks(ctx context.Context, secret, plain canaries) []string {
	GinkgoHelper()
	var leaks []string
	search := func(where, text string, all ...canaries) {
		for _, one := range all {
			for _, what := range one.in(text) {
				leaks = append(leaks, what+" is in "+where)
			}
		}
	}
	log, err := w.manager.Log()
	Expect(err).NotTo(HaveOccurred())
	Expect(log).To(ContainSubstring(`"level":"DEBUG"`))
	search("the log", log, secret, plain)

	for _, path := range []string{"/metrics", "/debug/pprof/heap", "/debug/vars", "/"} {
		search("what is served at "+path, w.served(ctx, strings.TrimSuffix(w.manager.MetricsURL, "/metrics")+path), secret, plain)
	}
	for _, path := range []string{"/healthz?verbose", "/readyz?verbose", "/"} {
		search("what is served at "+path, w.served(ctx, w.manager.ProbeURL+path), secret, plain)
	}

	events := &eventsv1.EventList{}
	Expect(k8s.List(ctx, events, client.InNamespace(w.namespace))).To(Succeed())
	Expect(events.Items).NotTo(BeEmpty())
	search("an event", text(events), secret, plain)

	for _, kind := range []schema.GroupVersionKind{
		ours("CloudAccount"), ours("Environment"), ours("Application"), ours("Component"), ours("MicroserviceEngine"), ours("KieConfig"),
		{Version: "v1", Kind: "ConfigMap"},
	} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		Expect(k8s.List(ctx, list, client.InNamespace(w.namespace))).To(Succeed())
		for _, object := range list.Items {
			where := "the " + object.GetKind() + " " + object.GetName()
			search(where, text(object.Object), secret)
			delete(object.Object, "spec")
			search(where+" but for its spec", text(object.Object), plain)
		}
	}
	return leaks
}

func ours(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "servicestage.dev", Version: "v1alpha1", Kind: kind}
}

// text is an object as JSON, with nothing escaped that need not be.
func text(object any) string {
	GinkgoHelper()
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	Expect(encoder.Encode(object)).To(Succeed())
	return b.String()
}

// served is what a GET returns, whatever its status.
func (w *world) served(ctx context.Context, url string) string {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	Expect(err).NotTo(HaveOccurred())
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	return string(body)
}
