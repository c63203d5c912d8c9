// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/faults/tripwire"
	"servicestage.dev/operator/test/rig"
)

// object is an object that stands for a cloud resource.
type object interface {
	client.Object
	CommonStatus() *v1alpha1.ResourceStatus
}

// kind is all that the checks need to know of a kind.
type kind struct {
	name string
	// plural is the resource in the API server, of which every write counts as a step.
	plural string
	// collections of the simulator that hold what belongs to an object, the cloud resource itself first.
	collections []string
	// creates is the path of the call that creates, with ids left out.
	creates string
	// lists are the paths of the calls that list the kind's resources, single is the one that shows one; "" where the lists
	// are all that there is.
	lists  []string
	single string
	// denials are the answers to an id that does not exist.
	denials []denial
	// background makes what the kind's objects refer to. It is there and settled before the first of them.
	background func(namespace string) []client.Object
	// object returns an object as a user creates it, with everything in its spec that takes a call of its own.
	object func(namespace, name string) object
	// makes is how many create calls an object takes; 1 where it is 0.
	makes int
	// records is set where what is about to be made is written down first, after the claim.
	records bool
	// prepare sets up what only this kind needs, before the first manager is started.
	prepare func(w *world)
	// foreign returns a record of the cloud that belongs to nobody here; without it pages do not shift.
	foreign func(w *world, name string) rig.Record
	// slow kinds wait for jobs of the cloud: a short run leaves some checks out for them.
	slow bool
	// update edits it, so that everything that takes a call of its own changes.
	update func(object)
}

// denial is how the cloud says that something does not exist.
type denial struct {
	status int
	body   string
}

// serviceStage fills in how ServiceStage lists, shows and denies resources; missing is the code of its documented 404.
func serviceStage(k kind, missing string) kind {
	collection := strings.ReplaceAll(strings.TrimPrefix(k.creates, "POST "), "{id}", "*")
	k.lists = []string{collection, "/v3/*/cas/" + k.plural} // components are also listed for the whole project
	k.single = collection + "/*"
	body := func(code string) string {
		return `{"error_code":"` + code + `","error_msg":"The resource does not exist."}`
	}
	k.denials = []denial{{http.StatusNotFound, body(missing)}, {http.StatusUnauthorized, body("SVCSTG.00100401")}}
	return k
}

func kinds() []kind {
	return []kind{environmentKind(), applicationKind(), componentKind(), engineKind(), kieConfigKind()}
}

// upToCreation are the steps that an object begins with, up to the first create call.
func (k kind) upToCreation() []any {
	steps := []any{ContainSubstring("PATCH")}
	if k.records {
		steps = append(steps, HaveSuffix("/status"))
	}
	return append(steps, "cloud: "+k.creates)
}

// creations is how many create calls an object takes.
func (k kind) creations() int { return max(1, k.makes) }

func named(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

func environment(namespace, name string) *v1alpha1.Environment {
	return &v1alpha1.Environment{ObjectMeta: named(namespace, name), Spec: v1alpha1.EnvironmentSpec{
		VPCID: "vpc-1", DeployMode: v1alpha1.DeployModeContainer, Description: new("made"),
		Labels:    map[string]string{"stage": "dev"},
		Resources: []v1alpha1.EnvironmentResource{{Type: "cce", ID: "cluster-1"}},
	}}
}

func environmentKind() kind {
	return serviceStage(kind{
		name: "Environment", plural: "environments",
		collections: []string{"servicestage/environments"},
		creates:     "POST /v3/{id}/cas/environments",
		foreign:     func(_ *world, name string) rig.Record { return rig.Record{"name": name, "vpc_id": "vpc-1"} },
		object:      func(namespace, name string) object { return environment(namespace, name) },
		update: func(o object) {
			spec := &o.(*v1alpha1.Environment).Spec //nolint:forcetypeassert // what object above returns
			spec.Description = new("changed")
			spec.Labels = map[string]string{"stage": "test"}
			spec.Resources = append(spec.Resources, v1alpha1.EnvironmentResource{Type: "ecs", ID: "server-1"})
		},
	}, "SVCSTG.00100411")
}

func applicationKind() kind {
	configured := func(environment, value string) v1alpha1.ApplicationConfiguration {
		return v1alpha1.ApplicationConfiguration{
			EnvironmentRef: v1alpha1.Reference{Name: environment},
			Env:            []v1alpha1.EnvVar{{Name: "LEVEL", Value: &value}},
		}
	}
	return serviceStage(kind{
		name: "Application", plural: "applications",
		collections: []string{"servicestage/applications", "servicestage/configurations"},
		creates:     "POST /v3/{id}/cas/applications",
		foreign:     func(_ *world, name string) rig.Record { return rig.Record{"name": name} },
		background: func(namespace string) []client.Object {
			return []client.Object{environment(namespace, "east"), environment(namespace, "west"), environment(namespace, "north")}
		},
		object: func(namespace, name string) object {
			return &v1alpha1.Application{ObjectMeta: named(namespace, name), Spec: v1alpha1.ApplicationSpec{
				Description: new("made"), Labels: map[string]string{"stage": "dev"},
				Configurations: []v1alpha1.ApplicationConfiguration{configured("east", "1"), configured("west", "1")},
			}}
		},
		// One configuration changes, one goes, one comes.
		update: func(o object) {
			spec := &o.(*v1alpha1.Application).Spec //nolint:forcetypeassert // what object above returns
			spec.Description = new("changed")
			spec.Configurations = []v1alpha1.ApplicationConfiguration{configured("east", "2"), configured("north", "1")}
		},
	}, "SVCSTG.00100403")
}

func componentKind() kind {
	image := func(version string) v1alpha1.ComponentSource {
		return v1alpha1.ComponentSource{Image: &v1alpha1.ImageSource{URL: "swr.example.com/shop/web:" + version}}
	}
	return serviceStage(kind{
		name: "Component", plural: "components",
		collections: []string{"servicestage/components"},
		creates:     "POST /v3/{id}/cas/applications/{id}/components",
		slow:        true,
		foreign: func(w *world, name string) rig.Record {
			shop, dev := &v1alpha1.Application{ObjectMeta: named(w.namespace, "shop")}, environment(w.namespace, "dev")
			w.read(shop)
			w.read(dev)
			return rig.Record{"name": name, "application_id": shop.Status.ID, "environment_id": dev.Status.ID}
		},
		background: func(namespace string) []client.Object {
			return []client.Object{environment(namespace, "dev"), &v1alpha1.Application{ObjectMeta: named(namespace, "shop")}}
		},
		object: func(namespace, name string) object {
			return &v1alpha1.Component{ObjectMeta: named(namespace, name), Spec: v1alpha1.ComponentSpec{
				ApplicationRef: v1alpha1.Reference{Name: "shop"}, EnvironmentRef: v1alpha1.Reference{Name: "dev"},
				Labels:  map[string]string{"stage": "dev"},
				Version: "1.0.0", Source: image("1.0.0"), Replicas: new(int32(2)),
				RuntimeStack: v1alpha1.RuntimeStack{Name: "Docker", Type: "Docker", Version: "1.0", DeployMode: v1alpha1.DeployModeContainer},
				References:   []v1alpha1.ComponentReference{{Type: "cce", ID: "cluster-1"}},
			}}
		},
		// A new version is an update of the whole body; the replicas are an action of their own.
		update: func(o object) {
			spec := &o.(*v1alpha1.Component).Spec //nolint:forcetypeassert // what object above returns
			spec.Version, spec.Source, spec.Replicas = "1.1.0", image("1.1.0"), new(int32(3))
		},
	}, "SVCSTG.00100404")
}

func engineKind() kind {
	return kind{
		name: "MicroserviceEngine", plural: "microserviceengines",
		collections: []string{"cse/engines"},
		creates:     "POST /v2/{id}/enginemgr/engines",
		lists:       []string{"/v2/*/enginemgr/engines"},
		single:      "/v2/*/enginemgr/engines/*",
		denials: []denial{
			{http.StatusBadRequest, `{"errorCode":"SVCSTG.00501116","errorMessage":"The engine does not exist."}`},
			{http.StatusUnauthorized, `{"errorCode":"SVCSTG.00501125","errorMessage":"The engine does not exist."}`},
		},
		slow: true,
		background: func(namespace string) []client.Object {
			return []client.Object{&corev1.Secret{ObjectMeta: named(namespace, "root"), StringData: map[string]string{"password": "Faults-root-1"}}}
		},
		object: func(namespace, name string) object {
			return &v1alpha1.MicroserviceEngine{ObjectMeta: named(namespace, name), Spec: v1alpha1.MicroserviceEngineSpec{
				Description: new("made"), Flavor: "cse.s1.small2", AvailabilityZones: []string{"az1", "az2"},
				Network:               &v1alpha1.EngineNetwork{VPCID: cloudsim.DefaultVPCID, SubnetID: cloudsim.DefaultSubnetID},
				RootPasswordSecretRef: &v1alpha1.SecretKeyReference{Name: "root"},
				Connection:            &v1alpha1.Connection{ConfigMap: name + "-addresses"},
			}}
		},
		// The description is a call of its own; the flavor takes a job.
		update: func(o object) {
			spec := &o.(*v1alpha1.MicroserviceEngine).Spec //nolint:forcetypeassert // what object above returns
			spec.Description, spec.Flavor = new("changed"), "cse.s1.medium2"
		},
	}
}

func kieConfigKind() kind {
	const engine = "kie-engine"
	var addresses sync.Map // of the tripwire in front of the engine, by namespace
	items := func(name string, values ...string) (items []v1alpha1.KieItem) {
		for i, value := range values {
			items = append(items, v1alpha1.KieItem{Key: fmt.Sprintf("%s.%d", name, i), Value: &value})
		}
		return items
	}
	return kind{
		name: "KieConfig", plural: "kieconfigs",
		collections: []string{"cse/items"},
		creates:     "POST /v1/default/kie/kv",
		lists:       []string{"/v1/default/kie/kv"},
		makes:       2,
		records:     true,
		// The engine serves its items on an address of its own: the tripwire stands in front of it as well.
		prepare: func(w *world) {
			w.Expect(w.sim.Put(w.t.Context(), "cse/engines", engine, rig.Record{
				"name": engine, "status": "Available", "spec_type": "CSE2", "flavor": "cse.s1.small2", "auth_type": "NONE",
			})).To(Succeed())
			proxy, err := w.wire.NewProxy(w.kieAddress(), engineTransport(), w.cloudStep)
			w.Expect(err).NotTo(HaveOccurred())
			w.t.Cleanup(proxy.Close)
			w.args = append(w.args, "--allow-endpoint-host="+proxy.URL)
			addresses.Store(w.namespace, proxy.URL)
		},
		object: func(namespace, name string) object {
			address, _ := addresses.Load(namespace)
			return &v1alpha1.KieConfig{ObjectMeta: named(namespace, name), Spec: v1alpha1.KieConfigSpec{
				Endpoint: &v1alpha1.KieEndpoint{Kie: fmt.Sprint(address)}, TLS: &v1alpha1.TLS{InsecureSkipVerify: true},
				Items: items(name, "made", "made"),
			}}
		},
		// One item changes, one goes.
		update: func(o object) {
			spec := &o.(*v1alpha1.KieConfig).Spec //nolint:forcetypeassert // what object above returns
			spec.Items = items(o.GetName(), "changed")
		},
	}
}

// engineTransport connects to a simulated engine on loopback, whose certificate nobody trusts.
func engineTransport() *http.Transport {
	transport := tripwire.OneShotTransport()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	return transport
}

// kieAddress asks the simulator for the address of its only engine's Kie.
func (w *world) kieAddress() string {
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.sim.URL+"/_sim/engines", nil)
	w.Expect(err).NotTo(HaveOccurred())
	response, err := http.DefaultClient.Do(request)
	w.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	var engines []struct {
		Kie string `json:"kie"`
	}
	w.Expect(json.NewDecoder(response.Body).Decode(&engines)).To(Succeed())
	w.Expect(engines).To(HaveLen(1))
	return engines[0].Kie
}
