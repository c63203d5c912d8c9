// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package estate

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cli/secret"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/cse"
	"servicestage.dev/operator/internal/cloudclient/kie"
)

// What one KieConfig holds at most: items, and bytes of their values, since an object has to fit into the cluster.
const (
	maxItems = 1024
	maxBytes = 512 << 10
)

// set is items of one engine that carry the same labels.
type set struct {
	engineID, engine string
	labels           map[string]string
	items            []kie.Item
	// part counts the sets of one engine.
	part int
}

// KieConfigs reads the configuration items of the engines that objects stand for, through the cloud's gateway: an object for
// all items of an engine that carry the same labels.
func KieConfigs(ctx context.Context, e *Estate) iter.Seq2[*Item, error] {
	return items(ctx, e, collection[set]{
		kind: "KieConfig", plural: "configuration items", list: e.sets(ctx),
		id:   func(s *set) string { return fmt.Sprintf("%s/%d", s.engineID, s.part) },
		name: func(s *set) string { return s.title() },
		read: func(_ context.Context, s *set) (*Item, error) { return e.kieConfig(s), nil },
	})
}

// title is how messages call a set: its engine and labels.
func (s *set) title() string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(s.labels)) {
		pairs = append(pairs, key+"="+s.labels[key])
	}
	return strings.TrimSpace(s.engine + " " + strings.Join(pairs, ","))
}

// sets yields the items of every engine that an object stands for. One that cannot be read is left out.
func (e *Estate) sets(ctx context.Context) iter.Seq2[*set, error] {
	return func(yield func(*set, error) bool) {
		cloud := cse.New(e.Session.Cloud)
		for engine, err := range cloud.ListEngines(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			name, known := e.refs["MicroserviceEngine"][engine.ID]
			if !known {
				continue
			}
			e.told("the configuration items of " + engine.Name)
			exported, err := cloud.ExportKie(ctx, engine.EnterpriseProjectID, engine.ID, nil)
			if clouderr.Is(err, clouderr.Unauthorized) || ctx.Err() != nil {
				yield(nil, err)
				return
			}
			if err != nil {
				e.LeaveOut(fmt.Sprintf("configuration items of MicroserviceEngine %q (id %s)", engine.Name, engine.ID), clouderr.UserMessage(err))
				continue
			}
			for part, s := range group(e.sayable(name, exported)) {
				s.engineID, s.engine, s.part = engine.ID, name, part
				if !yield(&s, nil) {
					return
				}
			}
		}
	}
}

// keyPattern is what the keys of items are in a spec.
var keyPattern = regexp.MustCompile(`^[a-zA-Z0-9._:-]+$`)

// sayable leaves out the items that no spec can say, and those that an object lists already.
func (e *Estate) sayable(engine string, all []kie.Item) []kie.Item {
	listed := map[string]string{}
	for _, obj := range e.Objects {
		k, ok := obj.(*v1alpha1.KieConfig)
		if !ok || k.Spec.EngineRef == nil || k.Spec.EngineRef.Name != engine {
			continue
		}
		for _, item := range k.Spec.Items {
			labels := maps.Clone(k.Spec.Labels)
			if labels == nil {
				labels = map[string]string{}
			}
			maps.Copy(labels, item.Labels)
			listed[kie.Identity(item.Key, labels)] = k.Name
		}
	}
	present := map[string]int{}
	left := slices.DeleteFunc(slices.Clone(all), func(item kie.Item) bool {
		what := fmt.Sprintf("item %q of MicroserviceEngine %s", item.Key, engine)
		if name, there := listed[item.Identity()]; there {
			present[name]++
			return true
		}
		if !keyPattern.MatchString(item.Key) {
			e.LeaveOut(what, "a spec takes letters, digits and . _ : - in a key")
			return true
		}
		return false
	})
	for _, name := range slices.Sorted(maps.Keys(present)) {
		e.Present = append(e.Present, fmt.Sprintf("items of MicroserviceEngine %s: %d of them are in KieConfig/%s", engine, present[name], name))
	}
	return left
}

// group sorts items into sets of the same labels that fit into an object each.
func group(all []kie.Item) []set {
	slices.SortStableFunc(all, func(a, b kie.Item) int {
		return slices.Compare([]string{kie.Identity("", a.Labels), a.Key}, []string{kie.Identity("", b.Labels), b.Key})
	})
	var sets []set
	bytes := 0
	for _, item := range all {
		last := len(sets) - 1
		size := len(item.Key) + len(item.Value)
		if last < 0 || !maps.Equal(sets[last].labels, item.Labels) || len(sets[last].items) == maxItems || bytes+size > maxBytes {
			sets, bytes = append(sets, set{labels: item.Labels}), 0
			last++
		}
		sets[last].items = append(sets[last].items, item)
		bytes += size
	}
	return sets
}

func (e *Estate) kieConfig(s *set) *Item {
	var values []string
	for _, key := range slices.Sorted(maps.Keys(s.labels)) {
		values = append(values, s.labels[key])
	}
	h := e.head("KieConfig", "", s.engine+"-"+strings.Join(values, "-"), "", false)
	obj := &v1alpha1.KieConfig{ObjectMeta: h.meta}
	obj.Spec.ResourceSpec = h.spec
	obj.Spec.Import = nil // a KieConfig adopts by its conflict policy
	obj.Spec.EngineRef = &v1alpha1.ObjectReference{Name: s.engine}
	obj.Spec.Access, obj.Spec.ConflictPolicy, obj.Spec.Labels = v1alpha1.KieAccessGateway, v1alpha1.KieConflictOverwrite, s.labels
	item := &Item{Object: obj, Notes: append(h.notes,
		"It was read through the cloud's gateway, and is looked at that way. access: Engine notices changes sooner and can delete "+
			"items; it needs an address that the operator reaches, and a password where the engine asks for one.")}
	held := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: obj.Namespace, Name: obj.Name + "-items"}, Type: corev1.SecretTypeOpaque, Data: map[string][]byte{},
	}
	for _, from := range s.items {
		to := v1alpha1.KieItem{Key: from.Key, ValueType: v1alpha1.KieValueType(from.ValueType)}
		if from.Status == kie.StatusDisabled {
			to.Enabled = new(false)
		}
		if secret.Is(from.Key, from.Value) || secret.In(from.Value) {
			key := strings.ReplaceAll(from.Key, ":", "_")
			held.Data[key] = []byte(from.Value)
			to.ValueFrom = &v1alpha1.ValueSource{SecretKeyRef: &v1alpha1.KeySelector{Name: held.Name, Key: key}}
		} else {
			to.Value = &from.Value
		}
		obj.Spec.Items = append(obj.Spec.Items, to)
	}
	item.take("", held)
	return item
}
