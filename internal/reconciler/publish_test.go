// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/external"
)

// publishAnnotation says where an object publishes its name in the cloud, for example "ConfigMap/shop". That it is no part
// of the spec leaves settled objects fresh.
const publishAnnotation = "example.com/publish"

func published(e *v1alpha1.Environment) Publication {
	target := func(text string) Target {
		kind, name, _ := strings.Cut(text, "/")
		return Target{Kind: kind, Name: name}
	}
	p := Publication{
		Field: "spec.connection", Target: target(e.Annotations[publishAnnotation]), Written: target(e.Status.VPCID),
		Record: func(t Target) { e.Status.VPCID = strings.TrimSuffix(t.Kind+"/"+t.Name, "/") },
	}
	if e.Status.Name != "" {
		p.Data = map[string]string{"NAME": e.Status.Name}
	}
	return p
}

// publishIn is an object that publishes.
func publishIn(target string) func(*v1alpha1.Environment) {
	return func(e *v1alpha1.Environment) { metav1.SetMetaDataAnnotation(&e.ObjectMeta, publishAnnotation, target) }
}

func newPublishingWorld(t *testing.T, target string, others ...client.Object) *world {
	t.Helper()
	return newWorldOf(t, func(d *Definition[*v1alpha1.Environment, thing]) { d.Publish = published }, object(publishIn(target)), others...)
}

// newPublishedWorld is one in which that was done.
func newPublishedWorld(t *testing.T, target string) *world {
	t.Helper()
	w := newPublishingWorld(t, target)
	w.pass()
	w.says("Ready=True/Available")
	w.cloud.took()
	w.recorder.took()
	return w
}

func theirs(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}, Data: map[string]string{"theirs": "1"}}
}

// data is what a ConfigMap or Secret holds; nil where there is none.
func (w *world) data(target string) map[string]string {
	w.t.Helper()
	kind, name, _ := strings.Cut(target, "/")
	key := client.ObjectKey{Namespace: "team", Name: name}
	configMap, secret, data := &corev1.ConfigMap{}, &corev1.Secret{}, map[string]string{}
	var obj client.Object = configMap
	if kind == KindSecret {
		obj = secret
	}
	if err := w.api.Get(w.t.Context(), key, obj); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		w.t.Fatal(err)
	}
	maps.Copy(data, configMap.Data)
	for _, binary := range []map[string][]byte{configMap.BinaryData, secret.Data} {
		for key, value := range binary {
			data[key] = string(value)
		}
	}
	return data
}

func (w *world) holds(target string, want map[string]string) {
	w.t.Helper()
	got := w.data(target)
	if !maps.Equal(got, want) || (got == nil) != (want == nil) {
		w.t.Errorf("%s holds %v, want %v", target, got, want)
	}
}

var ours = map[string]string{"NAME": "dev"}

func TestPublishing(t *testing.T) {
	for _, kind := range []string{KindConfigMap, KindSecret} {
		t.Run(kind, func(t *testing.T) {
			target := kind + "/shop"
			w := newPublishingWorld(t, target)
			resynced(t, w.pass())
			w.wrote("patch", "create "+kind+" shop", "patch status")
			w.holds(target, ours)
			if got := w.object().Status.VPCID; got != target {
				t.Errorf("the status says that it was written to %q", got)
			}

			// At rest, nothing is written and the cloud is not asked.
			w.cloud.took()
			w.pass()
			w.called()
			w.wrote()
		})
	}
}

func TestPublishedObjectsBelongToTheObject(t *testing.T) {
	w := newPublishedWorld(t, "ConfigMap/shop")
	configMap := &corev1.ConfigMap{}
	must(t, w.api.Get(t.Context(), client.ObjectKey{Namespace: "team", Name: "shop"}, configMap))
	owner := metav1.GetControllerOf(configMap)
	if owner == nil || owner.UID != "uid-of-dev" || owner.Kind != "Environment" || (owner.BlockOwnerDeletion != nil && *owner.BlockOwnerDeletion) {
		t.Errorf("owner is %+v", owner)
	}
	if got := configMap.Labels[ManagedByLabel]; got != FieldOwner {
		t.Errorf("labels are %v", configMap.Labels)
	}
}

// What users do to what was published is set right by a pass that makes no call to the cloud.
func TestPublishedDataIsKeptTrue(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*corev1.ConfigMap)
		wrote  []string
	}{
		{"nothing", func(*corev1.ConfigMap) {}, nil},
		{"a value", func(c *corev1.ConfigMap) { c.Data["NAME"] = "edited" }, []string{"patch ConfigMap shop"}},
		{"a key more", func(c *corev1.ConfigMap) { c.Data["MORE"] = "1" }, []string{"patch ConfigMap shop"}},
		{"binary data", func(c *corev1.ConfigMap) { c.BinaryData = map[string][]byte{"b": {1}} }, []string{"patch ConfigMap shop"}},
		{"no data", func(c *corev1.ConfigMap) { c.Data = nil }, []string{"patch ConfigMap shop"}},
		{"the label", func(c *corev1.ConfigMap) { c.Labels = map[string]string{"own": "1"} }, []string{"patch ConfigMap shop"}},
		{"a label more", func(c *corev1.ConfigMap) { c.Labels["own"] = "1" }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newPublishedWorld(t, "ConfigMap/shop")
			configMap := &corev1.ConfigMap{}
			must(t, w.api.Get(t.Context(), client.ObjectKey{Namespace: "team", Name: "shop"}, configMap))
			tc.change(configMap)
			must(t, w.api.Update(t.Context(), configMap))
			resynced(t, w.pass())
			w.called()
			w.wrote(tc.wrote...)
			w.holds("ConfigMap/shop", ours)
			w.says("Ready=True/Available", "Synced=True/UpToDate", "Stalled=")
		})
	}
	t.Run("deleted", func(t *testing.T) {
		w := newPublishedWorld(t, "ConfigMap/shop")
		must(t, w.api.Delete(t.Context(), theirs("shop")))
		w.pass()
		w.called()
		w.wrote("create ConfigMap shop")
		w.holds("ConfigMap/shop", ours)
	})
}

func TestPublishingElsewhere(t *testing.T) {
	for _, tc := range []struct {
		name, to string
		wrote    []string
	}{
		{"another name", "ConfigMap/other", []string{"delete ConfigMap shop", "create ConfigMap other", "patch status"}},
		{"another kind", "Secret/shop", []string{"delete ConfigMap shop", "create Secret shop", "patch status"}},
		{"nowhere", "", []string{"delete ConfigMap shop", "patch status"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newPublishedWorld(t, "ConfigMap/shop")
			w.annotate(publishAnnotation, tc.to)
			w.pass()
			w.wrote(tc.wrote...)
			w.holds("ConfigMap/shop", nil)
			if tc.to != "" {
				w.holds(tc.to, ours)
			}
			if got := w.object().Status.VPCID; got != tc.to {
				t.Errorf("the status says that it was written to %q, want %q", got, tc.to)
			}
		})
	}
	t.Run("what became someone else's stays", func(t *testing.T) {
		w := newPublishedWorld(t, "ConfigMap/shop")
		must(t, w.api.Delete(t.Context(), theirs("shop")))
		must(t, w.api.Create(t.Context(), theirs("shop")))
		w.annotate(publishAnnotation, "")
		w.pass()
		w.wrote("patch status")
		w.holds("ConfigMap/shop", map[string]string{"theirs": "1"})
	})
}

func TestPublishingWhereSomethingIsInTheWay(t *testing.T) {
	w := newPublishingWorld(t, "ConfigMap/shop", theirs("shop"))
	resynced(t, w.pass())
	w.called("create dev")
	w.holds("ConfigMap/shop", map[string]string{"theirs": "1"})
	w.says("Ready=False/AlreadyExists", "Synced=True/UpToDate", "Stalled=True/AlreadyExists", "Reconciling=")
	contains(t, w.message("Ready"), `spec.connection: the ConfigMap "shop" exists`, "delete it, or choose another name")
	w.told("Warning AlreadyExists")
	if id := w.object().Status.ID; id != "id-1" {
		t.Errorf("id is %q: what was created is written down all the same", id)
	}
	w.pass()
	w.told()

	must(t, w.api.Delete(t.Context(), theirs("shop")))
	resynced(t, w.pass())
	w.holds("ConfigMap/shop", ours)
	w.says("Ready=True/Available", "Stalled=")

	// In a pass that does not look at the cloud, too.
	must(t, w.api.Delete(t.Context(), theirs("shop")))
	must(t, w.api.Create(t.Context(), theirs("shop")))
	w.cloud.took()
	w.pass()
	w.called()
	w.says("Ready=False/AlreadyExists", "Synced=True/UpToDate", "Stalled=True/AlreadyExists")
}

// A restore from a backup brings back what was published, without its owner.
func TestPublishedObjectsAreTakenBack(t *testing.T) {
	restored := theirs("shop")
	restored.Labels = map[string]string{ManagedByLabel: FieldOwner}
	w := newPublishingWorld(t, "ConfigMap/shop", restored)
	resynced(t, w.pass())
	w.wrote("patch", "patch ConfigMap shop", "patch status")
	w.holds("ConfigMap/shop", ours)
	w.says("Ready=True/Available", "Stalled=")
	configMap := &corev1.ConfigMap{}
	must(t, w.api.Get(t.Context(), client.ObjectKeyFromObject(restored), configMap))
	if !metav1.IsControlledBy(configMap, w.object()) {
		t.Errorf("owners are %v", configMap.OwnerReferences)
	}

	// What belongs to another object of ours is not taken.
	configMap.OwnerReferences[0].UID = "uid-of-another"
	must(t, w.api.Update(t.Context(), configMap))
	w.pass()
	w.says("Ready=False/AlreadyExists", "Stalled=True/AlreadyExists")
}

func TestPublishingThatIsRefused(t *testing.T) {
	secrets := schema.GroupResource{Resource: "secrets"}
	denied := errors.New(`User "system:serviceaccount:operators:stage" cannot create resource "secrets" in API group "" in the namespace "team"`)
	t.Run("no right to Secrets", func(t *testing.T) {
		w := newPublishingWorld(t, "Secret/shop")
		w.beforePublish = func(string) error { return apierrors.NewForbidden(secrets, "shop", denied) }
		within(t, w.pass(), humanInterval, humanInterval)
		w.says("Ready=False/Forbidden", "Synced=True/UpToDate", "Stalled=True/Forbidden")
		contains(t, w.message("Ready"), `spec.connection: the operator may not create the Secret "shop"`,
			"kubectl create rolebinding "+SecretsRole+" --namespace=team --clusterrole="+SecretsRole+" --serviceaccount=operators:stage")
		w.beforePublish = nil
		resynced(t, w.pass())
		w.says("Ready=True/Available", "Stalled=")
		w.holds("Secret/shop", ours)
	})
	t.Run("no right to ConfigMaps", func(t *testing.T) {
		w := newPublishingWorld(t, "ConfigMap/shop")
		w.beforePublish = func(string) error {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "shop", errors.New("no"))
		}
		w.pass()
		w.says("Ready=False/Forbidden", "Stalled=True/Forbidden")
	})
	t.Run("the old one cannot be deleted", func(t *testing.T) {
		w := newPublishedWorld(t, "Secret/shop")
		w.beforePublish = func(write string) error {
			if write == "delete Secret" {
				return apierrors.NewForbidden(secrets, "shop", denied)
			}
			return nil
		}
		w.annotate(publishAnnotation, "ConfigMap/shop")
		w.pass()
		w.says("Ready=False/Forbidden")
		if got := w.object().Status.VPCID; got != "Secret/shop" {
			t.Errorf("the status says %q: what is left over is forgotten", got)
		}
	})
	t.Run("cannot be changed", func(t *testing.T) {
		w := newPublishingWorld(t, "ConfigMap/shop")
		w.beforePublish = func(string) error {
			return apierrors.NewInvalid(schema.GroupKind{Kind: "ConfigMap"}, "shop", field.ErrorList{field.Forbidden(field.NewPath("data"), "field is immutable")})
		}
		w.pass()
		w.says("Ready=False/Rejected", "Stalled=True/Rejected")
		contains(t, w.message("Ready"), "delete it, or choose another name", "field is immutable")
	})
	t.Run("a namespace that ends", func(t *testing.T) {
		w := newPublishingWorld(t, "ConfigMap/shop")
		w.beforePublish = func(string) error {
			err := apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "shop", errors.New("terminating"))
			err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
			return err
		}
		w.pass()
		w.says("Ready=True/Available")
	})
	t.Run("the API server fails", func(t *testing.T) {
		w := newPublishingWorld(t, "ConfigMap/shop")
		w.beforePublish = func(string) error { return apierrors.NewInternalError(errors.New("down")) }
		if _, err := w.try(); err == nil || !strings.Contains(err.Error(), "spec.connection") {
			t.Errorf("the error is %v, want it returned: the queue tries again", err)
		}
		if id := w.object().Status.ID; id != "id-1" {
			t.Errorf("id is %q: what was created must be written down first", id)
		}
	})
}

func TestPublishingWaits(t *testing.T) {
	t.Run("until there is something to say", func(t *testing.T) {
		w := newPublishingWorld(t, "ConfigMap/shop")
		w.cloud.create = func(external.Claim) (*thing, *external.Operation, error) {
			return nil, nil, clouderr.New(clouderr.Throttled, "later")
		}
		w.pass()
		w.holds("ConfigMap/shop", nil)
	})
	t.Run("while paused", func(t *testing.T) {
		w := newPublishedWorld(t, "ConfigMap/shop")
		w.annotate(v1alpha1.PausedAnnotation, "true")
		w.annotate(publishAnnotation, "ConfigMap/other")
		w.pass()
		w.holds("ConfigMap/shop", ours)
		w.holds("ConfigMap/other", nil)
	})
	t.Run("and leaves the rest to garbage collection when the object is deleted", func(t *testing.T) {
		w := newPublishedWorld(t, "ConfigMap/shop")
		w.delete()
		w.pass()
		w.wrote("patch")
		w.holds("ConfigMap/shop", ours)
	})
}

// A resource that is ill says so, whatever is in the way of publishing.
func TestPublishingDoesNotHideWhatIsWorse(t *testing.T) {
	w := newPublishingWorld(t, "ConfigMap/shop", theirs("shop"))
	w.pass()
	w.cloud.get = func(string) (*thing, error) { return nil, clouderr.New(clouderr.Quota, "no more calls") }
	w.clock.SetTime(now.Add(2 * time.Hour))
	w.pass()
	w.says("Ready=False/QuotaExceeded")
}

func TestPublishedVersion(t *testing.T) {
	meta := func(version, owner string) *metav1.PartialObjectMetadata {
		m := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: "u", ResourceVersion: version}}
		if owner != "" {
			m.OwnerReferences = []metav1.OwnerReference{{APIVersion: owner, Kind: "Environment", Controller: new(true)}}
		}
		return m
	}
	if publishedVersion(meta("1", "servicestage.dev/v1alpha1")) == publishedVersion(meta("2", "servicestage.dev/v1alpha1")) {
		t.Error("an edit of what was published wakes nobody")
	}
	if publishedVersion(meta("1", "")) != publishedVersion(meta("2", "")) || publishedVersion(meta("1", "apps/v1")) != publishedVersion(meta("2", "apps/v1")) {
		t.Error("an edit of what is someone else's wakes objects")
	}
}
