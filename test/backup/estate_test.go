// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/reconciler"
)

func (w *world) named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
}

// account is what every estate needs: the keys, and where the cloud is.
func (w *world) account() []client.Object {
	url := v1alpha1.EndpointURL(w.url)
	return []client.Object{
		&corev1.Secret{ObjectMeta: w.named("keys"), StringData: map[string]string{
			"accessKey": cloudsim.DefaultAccessKey, "secretKey": cloudsim.DefaultSecretKey,
		}},
		&corev1.Secret{ObjectMeta: w.named("root"), StringData: map[string]string{"password": "Backup-root-1"}},
		&v1alpha1.CloudAccount{ObjectMeta: w.named("default"), Spec: v1alpha1.CloudAccountSpec{
			AccountSpec: v1alpha1.AccountSpec{
				Region: cloudsim.DefaultRegion, ProjectID: cloudsim.DefaultProjectID,
				Endpoints: &v1alpha1.Endpoints{IAM: url, ServiceStage: url, CSE: url, VPC: url},
				RateLimit: &v1alpha1.RateLimit{RequestsPerSecond: 10000, Burst: 10000},
			},
			Credentials: v1alpha1.Credentials{SecretRef: v1alpha1.ObjectReference{Name: "keys"}},
		}},
	}
}

// estate is an object of every kind that stands for a cloud resource, with everything in its spec that takes a call of
// its own.
func (w *world) estate() []reconciler.Object {
	return []reconciler.Object{
		&v1alpha1.Environment{ObjectMeta: w.named("dev"), Spec: v1alpha1.EnvironmentSpec{
			VPCID: cloudsim.DefaultVPCID, DeployMode: v1alpha1.DeployModeContainer, Description: new("kept"),
			Labels:    map[string]string{"stage": "dev"},
			Resources: []v1alpha1.EnvironmentResource{{Type: "cce", ID: "cluster-1"}},
		}},
		&v1alpha1.Application{ObjectMeta: w.named("shop"), Spec: v1alpha1.ApplicationSpec{
			Description: new("kept"), Labels: map[string]string{"stage": "dev"},
			Configurations: []v1alpha1.ApplicationConfiguration{{
				EnvironmentRef: v1alpha1.Reference{Name: "dev"}, Env: []v1alpha1.EnvVar{{Name: "LEVEL", Value: new("1")}},
			}},
		}},
		&v1alpha1.Component{ObjectMeta: w.named("web"), Spec: v1alpha1.ComponentSpec{
			ApplicationRef: v1alpha1.Reference{Name: "shop"}, EnvironmentRef: v1alpha1.Reference{Name: "dev"},
			Labels:  map[string]string{"stage": "dev"},
			Version: "1.0.0", Source: v1alpha1.ComponentSource{Image: &v1alpha1.ImageSource{URL: "swr.example.com/shop/web:1.0.0"}},
			Replicas:     new(int32(2)),
			RuntimeStack: v1alpha1.RuntimeStack{Name: "Docker", Type: "Docker", Version: "1.0", DeployMode: v1alpha1.DeployModeContainer},
			References:   []v1alpha1.ComponentReference{{Type: "cce", ID: "cluster-1"}},
		}},
		&v1alpha1.MicroserviceEngine{ObjectMeta: w.named("engine"), Spec: v1alpha1.MicroserviceEngineSpec{
			Description: new("kept"), Flavor: "cse.s1.small2", AvailabilityZones: []string{"az1", "az2"},
			Network:               &v1alpha1.EngineNetwork{VPCID: cloudsim.DefaultVPCID, SubnetID: cloudsim.DefaultSubnetID},
			RootPasswordSecretRef: &v1alpha1.SecretKeyReference{Name: "root"},
			Connection:            &v1alpha1.Connection{ConfigMap: "addresses"},
		}},
		&v1alpha1.KieConfig{ObjectMeta: w.named("settings"), Spec: v1alpha1.KieConfigSpec{
			EngineRef: &v1alpha1.ObjectReference{Name: "engine"}, TLS: &v1alpha1.TLS{InsecureSkipVerify: true},
			Labels: map[string]string{"stage": "dev"},
			Items:  []v1alpha1.KieItem{{Key: "first", Value: new("1")}, {Key: "second", Value: new("2")}},
		}},
	}
}

// settled brings the estate up in a cluster whose manager runs, and returns it as the API server holds it.
func (w *world) settled(c cluster) []reconciler.Object {
	w.t.Helper()
	w.create(c, w.account()...)
	estate := w.estate()
	for _, object := range estate {
		w.create(c, object)
	}
	w.becomes(c, v1alpha1.ReasonAvailable, estate...)
	return estate
}

// backup returns objects as a backup holds them: without status, and without what belongs to one object of one cluster.
func backup(objects []reconciler.Object) []reconciler.Object {
	var kept []reconciler.Object
	for _, object := range objects {
		fresh, ok := object.DeepCopyObject().(reconciler.Object)
		if !ok {
			panic("a copy is no object")
		}
		for _, clear := range []func(){
			func() { fresh.SetUID("") }, func() { fresh.SetResourceVersion("") }, func() { fresh.SetGeneration(0) },
			func() { fresh.SetCreationTimestamp(metav1.Time{}) }, func() { fresh.SetManagedFields(nil) },
		} {
			clear()
		}
		kept = append(kept, fresh)
	}
	return kept
}

// published returns what the operator wrote for Pods, as a backup holds it: without its owner.
func (w *world) published(c cluster) []client.Object {
	w.t.Helper()
	var list corev1.ConfigMapList
	w.Expect(c.List(w.ctx, &list, client.InNamespace(w.namespace), client.HasLabels{reconciler.ManagedByLabel})).To(Succeed())
	w.Expect(list.Items).To(HaveLen(1))
	found := &list.Items[0]
	return []client.Object{&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: found.Namespace, Name: found.Name, Labels: found.Labels}, Data: found.Data,
	}}
}

// lose removes objects and what the operator wrote for Pods behind its back, as a namespace is lost.
func (w *world) lose(c cluster, objects []reconciler.Object) {
	w.t.Helper()
	for _, object := range objects {
		w.edit(c, object, func() { object.SetFinalizers(nil) })
		w.Expect(c.Delete(w.ctx, object)).To(Succeed())
	}
	w.gone(c, objects...)
	w.Expect(c.DeleteAllOf(w.ctx, &corev1.ConfigMap{}, client.InNamespace(w.namespace))).To(Succeed())
}

// ids lists the cloud resources that objects say they stand for.
func ids(objects []reconciler.Object) []string {
	var list []string
	for _, object := range objects {
		list = append(list, object.CommonStatus().ID)
	}
	return list
}
