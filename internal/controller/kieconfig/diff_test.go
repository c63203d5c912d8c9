// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kieconfig

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/kie"
	"servicestage.dev/operator/internal/controller/internal/items"
	"servicestage.dev/operator/internal/external"
)

var minted = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// set is a wanted set of items.
func set(list ...items.Item) wanted {
	w := wanted{items: map[string]items.Item{}}
	for _, item := range list {
		w.items[item.Identity()] = item
	}
	return w
}

func item(key, value string) items.Item {
	return items.Item{Key: key, Value: value, ValueType: "text", Enabled: true}
}

func labelled(i items.Item, name, value string) items.Item {
	i.Labels = map[string]string{name: value}
	return i
}

// holds is an engine that holds the items, made at a time, those of the keys as the object's own.
func holds(own []string, list ...items.Item) *observed {
	o := &observed{items: map[string]items.Fingerprint{}, own: map[string]bool{}}
	for i, item := range list {
		status := kie.StatusDisabled
		if item.Enabled {
			status = kie.StatusEnabled
		}
		o.items[item.Identity()] = items.Of(&kie.Item{
			ID: fmt.Sprint("id-", i), Key: item.Key, Labels: item.Labels, Value: item.Value, ValueType: item.ValueType, Status: status,
			CreateTime: minted.UnixMilli(),
		})
		if slices.Contains(own, item.Key) {
			o.own[item.Identity()] = true
		}
	}
	return o
}

func TestPlan(t *testing.T) {
	disabled, json := item("a", "1"), item("a", "1")
	disabled.Enabled, json.ValueType = false, "json"
	for _, tc := range []struct {
		name  string
		want  wanted
		there *observed
		// does lists what is to be done, and paths what differs.
		does, paths []string
	}{
		{"nothing", set(), holds(nil), nil, nil},
		{"as it should be", set(item("a", "1")), holds([]string{"a"}, item("a", "1")), nil, nil},
		{"a new item", set(item("a", "1")), holds(nil), []string{"create a"}, []string{"spec.items[a]"}},
		{"another value", set(item("a", "2")), holds([]string{"a"}, item("a", "1")), []string{"update a"}, []string{"spec.items[a]"}},
		{"another status", set(disabled), holds([]string{"a"}, item("a", "1")), []string{"update a"}, []string{"spec.items[a]"}},
		{"another type", set(json), holds([]string{"a"}, item("a", "1")), []string{"replace a"}, []string{"spec.items[a]"}},
		{"an empty value", set(item("a", "")), holds([]string{"a"}, item("a", "1")), []string{"replace a"}, []string{"spec.items[a]"}},
		{"an empty value that is there", set(item("a", "")), holds([]string{"a"}, item("a", "")), nil, nil},
		{"a value instead of none", set(item("a", "1")), holds([]string{"a"}, item("a", "")), []string{"update a"}, []string{"spec.items[a]"}},
		{"other labels", set(labelled(item("a", "1"), "x", "2")), holds([]string{"a"}, labelled(item("a", "1"), "x", "1")),
			[]string{"create a{x=2}", "drop a{x=1}"}, []string{"spec.items[a{x=1}]", "spec.items[a{x=2}]"}},
		{"one of two of a key", set(item("a", "1"), labelled(item("a", "2"), "x", "1")), holds([]string{"a"}, item("a", "1"), labelled(item("a", "1"), "x", "1")),
			[]string{"update a{x=1}"}, []string{"spec.items[a{x=1}]"}},
		{"an item that left", set(), holds([]string{"a"}, item("a", "1"), item("foreign", "1")), []string{"drop a"}, []string{"spec.items[a]"}},
		{"a foreign item in the way", set(item("a", "1"), item("b", "1")), holds(nil, item("a", "theirs")),
			[]string{"create b", "conflict a"}, []string{"spec.items[a]", "spec.items[b]"}},
		{"a foreign item that is the same", set(item("a", "1")), holds(nil, item("a", "1")), []string{"conflict a"}, []string{"spec.items[a]"}},
		{"a foreign item to take over", overwriting(set(item("a", "1"))), holds(nil, item("a", "theirs")), []string{"update a"}, []string{"spec.items[a]"}},
		{"an item that another object keeps", kept(set(item("a", "1"), item("b", "1"))), holds(nil), []string{"create b", "conflict a"}, []string{"spec.items[a]", "spec.items[b]"}},
		{"an item that was written before another object asked for it", kept(set(item("a", "1"))), holds([]string{"a"}, item("a", "1")),
			[]string{"conflict a", "drop a"}, []string{"spec.items[a]"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := planOf(tc.want, tc.there)
			var does []string
			for _, step := range p.steps {
				verb := "create "
				if step.Have != nil {
					verb = "update "
					if step.Have.Replaced(step.Item) {
						verb = "replace "
					}
				}
				does = append(does, verb+items.Name(step.Key, step.Labels, true))
			}
			for _, f := range p.conflicts {
				does = append(does, "conflict "+f.key)
				if !clouderr.Is(f.err, clouderr.Exists) {
					t.Errorf("%v is of class %s", f.err, clouderr.ClassOf(f.err))
				}
			}
			for _, have := range p.dropped {
				does = append(does, "drop "+items.Name(have.Key, have.Labels, true))
			}
			if diff := cmp.Diff(tc.does, does); diff != "" {
				t.Errorf("what is to be done (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(external.Changes{Paths: tc.paths}, diff(tc.want, tc.there)); diff != "" {
				t.Errorf("what differs (-want +got):\n%s", diff)
			}
		})
	}
}

func overwriting(w wanted) wanted { w.overwrite = true; return w }

// kept lets another object keep the item a.
func kept(w wanted) wanted {
	w.kept = map[string]string{items.Identity("a", nil): "older"}
	return w
}

func TestOwnership(t *testing.T) {
	claim := external.Claim{Token: "00112233445566778899aabbccddeeff", MintedAt: minted}
	a := items.Identity("a", nil)
	there := func(made time.Time, value string) map[string]items.Fingerprint {
		f := items.Of(&kie.Item{Key: "a", Value: value, ValueType: "text", Status: kie.StatusEnabled})
		f.CreatedAt = made
		return map[string]items.Fingerprint{a: f}
	}
	for _, tc := range []struct {
		name    string
		want    wanted
		there   map[string]items.Fingerprint
		written map[string]bool
		claim   external.Claim
		own     bool
	}{
		{"what was written", set(), there(minted, "1"), map[string]bool{a: true}, external.Claim{}, true},
		{"what was not", set(item("a", "1")), there(minted, "1"), map[string]bool{"other": true}, external.Claim{}, false},
		{"wanted, and made since the claim was minted", set(item("a", "1")), there(minted.Add(time.Hour), "changed"), nil, claim, true},
		{"the clocks differ", set(item("a", "1")), there(minted.Add(-30*time.Second), "1"), nil, claim, true},
		{"wanted, and made before", set(item("a", "1")), there(minted.Add(-time.Hour), "1"), nil, claim, false},
		{"made since, and not wanted", set(), there(minted.Add(time.Hour), "1"), nil, claim, false},
		{"made at an unknown time", set(item("a", "1")), there(time.Time{}, "1"), nil, claim, false},
		{"no claim", set(item("a", "1")), there(minted.Add(time.Hour), "1"), nil, external.Claim{}, false},
		{"a list showed others first", set(item("a", "1")), there(minted.Add(time.Hour), "1"), map[string]bool{"other": true}, claim, true},
		{"the same, to be taken over", overwriting(set(item("a", "1"))), there(minted.Add(-time.Hour), "1"), nil, claim, true},
		{"another, to be taken over", overwriting(set(item("a", "1"))), there(minted.Add(-time.Hour), "2"), nil, claim, false},
		{"the same, that another object keeps", kept(overwriting(set(item("a", "1")))), there(minted.Add(-time.Hour), "1"), nil, claim, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if own := ownership(tc.want, tc.there, tc.written, tc.claim)[a]; own != tc.own {
				t.Errorf("own: %t", own)
			}
		})
	}
}

func TestWhatASpecMayNotHold(t *testing.T) {
	six := map[string]string{"a": "", "b": "", "c": "", "d": "", "e": "", "f": ""}
	list := func(list ...v1alpha1.KieItem) *v1alpha1.KieConfig {
		return &v1alpha1.KieConfig{Spec: v1alpha1.KieConfigSpec{Items: list}}
	}
	for _, tc := range []struct {
		name   string
		obj    *v1alpha1.KieConfig
		values []string
		says   []string // nothing where it is fine
	}{
		{"two keys", list(v1alpha1.KieItem{Key: "a"}, v1alpha1.KieItem{Key: "b"}), []string{"", ""}, nil},
		{"a key with different labels", list(v1alpha1.KieItem{Key: "a"}, v1alpha1.KieItem{Key: "a", Labels: map[string]string{"x": ""}}), []string{"", ""}, nil},
		{"a key twice", list(v1alpha1.KieItem{Key: "a"}, v1alpha1.KieItem{Key: "b"}, v1alpha1.KieItem{Key: "a", Labels: map[string]string{}}), nil, []string{"spec.items[0]", "spec.items[2]", "remove one"}},
		{"six labels", list(v1alpha1.KieItem{Key: "a", Labels: six}), []string{""}, nil},
		{"seven labels in all", &v1alpha1.KieConfig{Spec: v1alpha1.KieConfigSpec{Labels: map[string]string{"g": ""}, Items: []v1alpha1.KieItem{{Key: "a", Labels: six}}}}, nil, []string{"spec.items[0] (a)", "7 labels"}},
		{"the longest value", list(v1alpha1.KieItem{Key: "a"}), []string{strings.Repeat("x", 131072)}, nil},
		{"a longer value", list(v1alpha1.KieItem{Key: "a"}), []string{strings.Repeat("x", 131073)}, []string{"spec.items[0] (a)", "131073 bytes"}},
		{"no text", list(v1alpha1.KieItem{Key: "a"}), []string{"\xff"}, []string{"spec.items[0] (a)", "UTF-8", "base64"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := checkItems(&tc.obj.Spec)
			if err == nil {
				_, err = wantedOf(tc.obj, tc.values)
			}
			if (err != nil) != (tc.says != nil) || err != nil && !clouderr.Is(err, clouderr.Invalid) {
				t.Fatalf("error %v", err)
			}
			for _, words := range tc.says {
				if !strings.Contains(clouderr.UserMessage(err), words) {
					t.Errorf("%q lacks %q", clouderr.UserMessage(err), words)
				}
			}
		})
	}
}

func TestSound(t *testing.T) {
	for _, tc := range []struct {
		valueType, value string
		want             bool
	}{
		{"text", "{", true},
		{"ini", "{", true},
		{"json", `{"a": [1, null]}`, true},
		{"json", `{"a": }`, false},
		{"json", "", false},
		{"yaml", "a: 1\nb: [x]\n---\nc: 2", true},
		{"yaml", "a: [1", false},
		{"yaml", "a: 1\n---\nb: [", false},
		{"yaml", "", true},
	} {
		if got := sound(tc.valueType, tc.value); got != tc.want {
			t.Errorf("%s %q: %t", tc.valueType, tc.value, got)
		}
	}
}

func TestReportAndGravest(t *testing.T) {
	w := set(item("a", "1"), item("b", "2"), item("c", "3"))
	o := holds([]string{"a", "b"}, item("a", "1"), item("b", "changed"))
	o.count(w)
	o.watch = watchLongPoll
	for i := range 12 {
		o.failures = append(o.failures, failure{key: fmt.Sprint("k", i), err: clouderr.New(clouderr.Exists, "taken")})
	}
	k := &v1alpha1.KieConfig{}
	health := report(k, o)
	if k.Status.Summary != "1/3" || k.Status.Total != 3 || k.Status.SyncedItems != 1 || k.Status.Failed != 12 || len(k.Status.Failures) != 10 || k.Status.Watch != "LongPoll" {
		t.Errorf("status %+v", k.Status)
	}
	if diff := cmp.Diff(v1alpha1.KieItemFailure{Key: "k0", Reason: "AlreadyExists", Message: "taken"}, k.Status.Failures[0]); diff != "" {
		t.Errorf("first failure (-want +got):\n%s", diff)
	}
	if health.State != external.Healthy || health.Message != "1 of 3 items are in the engine as the spec says." {
		t.Errorf("health %+v", health)
	}

	if err := gravest(nil); err != nil {
		t.Errorf("nothing failed: %v", err)
	}
	for _, tc := range []struct {
		classes []clouderr.Class
		want    clouderr.Class
	}{
		{[]clouderr.Class{clouderr.Exists}, clouderr.Exists},
		{[]clouderr.Class{clouderr.Exists, clouderr.Invalid}, clouderr.Invalid},
		{[]clouderr.Class{clouderr.Quota, clouderr.Transient, clouderr.Exists}, clouderr.Transient},
		{[]clouderr.Class{clouderr.Transient, clouderr.Unauthorized}, clouderr.Unauthorized},
	} {
		var failures []failure
		for _, class := range tc.classes {
			failures = append(failures, failure{key: "k", labels: map[string]string{"a": "b"}, err: clouderr.New(class, "why %s", class)})
		}
		err := gravest(failures)
		if !clouderr.Is(err, tc.want) || !strings.HasPrefix(clouderr.UserMessage(err), "item k{a=b}: why "+string(tc.want)) {
			t.Errorf("%v: %v", tc.classes, err)
		}
	}
}

func TestOlder(t *testing.T) {
	at := func(name string, seconds int) *v1alpha1.KieConfig {
		return &v1alpha1.KieConfig{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(minted.Add(time.Duration(seconds) * time.Second))}}
	}
	for _, tc := range []struct {
		a, b *v1alpha1.KieConfig
		want bool
	}{
		{at("z", 0), at("a", 1), true},
		{at("a", 1), at("z", 0), false},
		{at("a", 0), at("b", 0), true},
		{at("b", 0), at("a", 0), false},
	} {
		if got := older(tc.a, tc.b); got != tc.want {
			t.Errorf("%s is older than %s: %t", tc.a.Name, tc.b.Name, got)
		}
	}
}
