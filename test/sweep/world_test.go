// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/inprocess"
)

// subject is the object whose fields are swept, and what the cloud holds of it.
type subject struct {
	*inprocess.World
	ctx  context.Context
	kind string
	name string
	// spec that the object has between two fields, and what the cloud then holds.
	spec  map[string]any
	state tree
	// upgrades made so far, each to a version of its own.
	upgrades int
	// parts of the cloud that were ever seen, by their names in the tree.
	parts map[string]part
}

// part is a record of the cloud, or an object that the operator wrote.
type part struct {
	collection, id string
	record         tree
	published      client.Object
}

// newSubject makes a world with what the kinds refer to, and in it the object, settled.
func newSubject(t *testing.T, kind string, spec map[string]any) (*subject, error) {
	w, err := inprocess.NewWorld(admission)
	if err != nil {
		return nil, err
	}
	t.Cleanup(w.Close)
	// The cloud tells what it may leave out, and moves what it may leave where it is.
	if err := w.Cloud.MergeQuirks([]byte(`{"keepResourceNames": true, "putMovesEnterpriseProject": true}`)); err != nil {
		return nil, err
	}
	s := &subject{World: w, ctx: t.Context(), kind: kind, name: "subject", spec: spec, parts: map[string]part{}}
	if err := s.background(); err != nil {
		return nil, fmt.Errorf("background: %w", err)
	}
	spec = s.resolved(spec)
	s.spec = spec
	// Created first: an import finds nothing to adopt.
	if _, _, err := s.becomes(place{"import"}.with(spec, absent{})); err != nil {
		return nil, fmt.Errorf("create: %w", err)
	}
	if err := s.warmUp(); err != nil {
		return nil, err
	}
	if s.state, _, err = s.becomes(spec); err != nil {
		return nil, fmt.Errorf("create: %w", err)
	}
	return s, nil
}

// resolved puts the addresses of the engine main into a spec.
func (s *subject) resolved(spec map[string]any) map[string]any {
	endpoint, _ := spec["endpoint"].(map[string]any)
	if endpoint == nil {
		return spec
	}
	endpoint = maps.Clone(endpoint)
	for _, engine := range s.Cloud.Engines() {
		if engine.ID != "engine-main" {
			continue
		}
		for key, value := range endpoint {
			endpoint[key] = strings.NewReplacer("{kie}", engine.Kie, "{serviceCenter}", engine.ServiceCenter).Replace(fmt.Sprint(value))
		}
	}
	return place{"endpoint"}.with(spec, endpoint)
}

// warmUp updates a component once: an update repeats what the cloud shows, its own defaults among it, and then holds them.
func (s *subject) warmUp() error {
	if s.kind != "Component" {
		return nil
	}
	_, _, err := s.becomes(place{"description"}.with(place{"import"}.with(s.spec, absent{}), "updated once"))
	return err
}

// background makes what specs refer to.
func (s *subject) background() error {
	for name, data := range map[string]map[string]string{
		"root":    {"password": "Sweep-root-1", "other": "Sweep-root-1"},
		"root2":   {"password": "Sweep-root-1"},
		"login":   {"password": "Sweep-root-1"},
		"login2":  {"username": "root", "password": "Sweep-root-1"},
		"secrets": {"c": "from a Secret", "c2": "another from a Secret"}, "secrets2": {"c": "from another Secret"},
	} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: inprocess.Namespace, Name: name, UID: types.UID(name)}, Data: map[string][]byte{}}
		for key, value := range data {
			secret.Data[key] = []byte(value)
		}
		if err := s.API.Create(s.ctx, secret); err != nil {
			return err
		}
	}
	for name, data := range map[string]map[string]string{
		"settings": {"b": "from a ConfigMap", "b2": "another from a ConfigMap"}, "settings2": {"b": "from another ConfigMap"},
	} {
		configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: inprocess.Namespace, Name: name, UID: types.UID(name)}, Data: data}
		if err := s.API.Create(s.ctx, configMap); err != nil {
			return err
		}
	}
	for _, vpc := range []string{"vpc-1", "vpc-2"} {
		if _, err := s.Cloud.PutResource("vpc", "vpcs", cloudsim.Object{"id": vpc, "name": vpc, "cidr": "10.0.0.0/8"}); err != nil {
			return err
		}
	}
	if _, err := s.Cloud.PutResource("vpc", "subnets", cloudsim.Object{"id": "subnet-1", "name": "subnet-1", "cidr": "10.0.0.0/24", "vpc_id": "vpc-1"}); err != nil {
		return err
	}
	if s.kind == "MicroserviceEngine" {
		return nil
	}
	return errors.Join(s.engines(), s.neighbours())
}

// engines are two that are there already, as objects and in the cloud.
func (s *subject) engines() error {
	auth := "NONE"
	if s.kind == "KieConfig" {
		auth = "RBAC"
	}
	var errs []error
	for _, name := range []string{"main", "other"} {
		_, err := s.Cloud.PutResource("cse", "engines", cloudsim.Object{
			"id": "engine-" + name, "name": name, "status": "Available", "flavor": "cse.s1.small2", "spec_type": "CSE2", "auth_type": auth,
			"root_password": "Sweep-root-1", "enterprise_project_id": "0", "project_id": cloudsim.DefaultProjectID,
		})
		errs = append(errs, err, s.made("MicroserviceEngine", name, parse(
			`{import: {byName: true}, authType: `+auth+`, rootPasswordSecretRef: {name: root}, managementPolicy: Observe}`)))
	}
	for _, name := range []string{"ca", "ca2"} {
		pem := string(s.Cloud.EngineCA())
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: inprocess.Namespace, Name: name, UID: types.UID(name)}, Data: map[string][]byte{"ca.crt": []byte(pem), "other.crt": []byte(pem)}}
		configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: inprocess.Namespace, Name: name, UID: types.UID(name)}, Data: map[string]string{"ca.crt": pem, "other.crt": pem}}
		errs = append(errs, s.API.Create(s.ctx, secret), s.API.Create(s.ctx, configMap))
	}
	return errors.Join(errs...)
}

// neighbours are environments and an application that the objects of other kinds belong to.
func (s *subject) neighbours() error {
	if s.kind != "Component" && s.kind != "Application" {
		return nil
	}
	resources := `resources: [{type: cce, id: cluster-1}, {type: cce, id: cluster-2}, {type: ecs, id: server-1}, {type: ecs, id: server-2}]`
	var errs []error
	for _, name := range []string{"east", "west"} {
		errs = append(errs, s.made("Environment", name, parse(`{vpcID: vpc-1, deployMode: mixed, `+resources+`}`)))
	}
	for _, name := range []string{"shop", "bank"} {
		errs = append(errs, s.made("Application", name, map[string]any{}))
	}
	for collection, ids := range map[string][]string{"environments": {"env-1", "env-2"}, "applications": {"app-1", "app-2"}} {
		for _, id := range ids {
			record := cloudsim.Object{"id": id, "name": id}
			if collection == "environments" {
				record["vpc_id"], record["deploy_mode"] = "vpc-1", "mixed"
				record["resources"] = []any{map[string]any{"id": "cluster-1", "type": "cce"}}
			}
			_, err := s.Cloud.PutResource("servicestage", collection, record)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// made makes another object and waits for it.
func (s *subject) made(kind, name string, spec map[string]any) error {
	if err := s.Apply(s.ctx, kind, name, spec); err != nil {
		return err
	}
	_, err := s.Until(s.ctx, kind, name, isSettled)
	return err
}

// isSettled says what an object lacks until it is settled.
func isSettled(o inprocess.Object) error {
	status := o.CommonStatus()
	for _, wanted := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionSynced} {
		c := meta.FindStatusCondition(status.Conditions, wanted)
		switch {
		case c == nil:
			return fmt.Errorf("no condition %s", wanted)
		case c.Status != metav1.ConditionTrue:
			return fmt.Errorf("not %s: %s: %s", wanted, c.Reason, c.Message)
		case c.ObservedGeneration != o.GetGeneration():
			return fmt.Errorf("%s in generation %d, not %d", wanted, c.ObservedGeneration, o.GetGeneration())
		}
	}
	if status.Operation != nil {
		return fmt.Errorf("an operation runs: %+v", *status.Operation)
	}
	return nil
}

// apply gives the object a spec, and begins to count calls.
func (s *subject) apply(spec map[string]any) error {
	s.Cloud.ResetCalls()
	return s.Apply(s.ctx, s.kind, s.name, spec)
}

// settle waits until the object is settled, and returns what the cloud holds then.
func (s *subject) settle() (tree, error) {
	if _, err := s.Until(s.ctx, s.kind, s.name, isSettled); err != nil {
		return nil, err
	}
	return s.look()
}

// becomes gives the object a spec and waits until it is settled; once more, nothing happens.
func (s *subject) becomes(spec map[string]any) (is tree, writes []string, err error) {
	if err := s.apply(spec); err != nil {
		return nil, nil, err
	}
	if is, err = s.settle(); err != nil {
		return nil, nil, err
	}
	writes = s.Writes()
	return is, writes, s.rests()
}

// rests looks once more after the resync interval: the object stays settled, and no call changes anything.
func (s *subject) rests() error {
	s.Cloud.ResetCalls()
	o, err := s.next()
	if err != nil {
		return err
	}
	if err := isSettled(o); err != nil {
		return fmt.Errorf("one interval later: %w", err)
	}
	if writes := s.Writes(); len(writes) > 0 {
		return fmt.Errorf("one interval later it is written once more: %q", writes)
	}
	return nil
}

// next lets the resync interval pass, and makes the pass that is due.
func (s *subject) next() (inprocess.Object, error) {
	s.Clock.Advance(inprocess.Resync + inprocess.Resync/5)
	if _, err := s.Pass(s.ctx, s.kind, s.name); err != nil {
		return nil, err
	}
	return s.Get(s.ctx, s.kind, s.name)
}

// look returns what the cloud holds of the object.
func (s *subject) look() (tree, error) {
	o, err := s.Get(s.ctx, s.kind, s.name)
	if err != nil {
		return nil, err
	}
	now, err := s.read(o)
	if err != nil {
		return nil, err
	}
	all := tree{}
	for name, p := range now {
		all[name] = p.record
		s.parts[name] = p
	}
	return all, nil
}

// read reads the parts.
func (s *subject) read(o inprocess.Object) (map[string]part, error) {
	parts := map[string]part{}
	add := func(name, collection string, record cloudsim.Object) {
		id, _ := record["id"].(string)
		parts[name] = part{collection: collection, id: id, record: stable(record)}
	}
	main := map[string]string{
		"Environment": "servicestage/environments", "Application": "servicestage/applications", "Component": "servicestage/components",
		"MicroserviceEngine": "cse/engines",
	}[s.kind]
	if main != "" {
		record, err := s.Cloud.GetResource(cut(main), tail(main), o.CommonStatus().ID)
		if err != nil {
			return nil, err
		}
		add("record", main, record)
	}
	switch o := o.(type) {
	case *v1alpha1.Application:
		return parts, s.each("servicestage/configurations", func(record cloudsim.Object) error {
			if record["application_id"] != o.Status.ID {
				return nil
			}
			id, _ := record["environment_id"].(string)
			environment, err := s.Cloud.GetResource("servicestage", "environments", id)
			add(fmt.Sprint("configuration/", environment["name"]), "servicestage/configurations", record)
			return err
		})
	case *v1alpha1.KieConfig:
		return parts, s.each("cse/items", func(record cloudsim.Object) error {
			name := fmt.Sprint("item/", record["key"])
			labels, _ := record["labels"].(map[string]any)
			for _, key := range slices.Sorted(maps.Keys(labels)) {
				name += fmt.Sprintf(",%s=%v", key, labels[key])
			}
			add(name, "cse/items", record)
			return nil
		})
	case *v1alpha1.MicroserviceEngine:
		return parts, s.addPublished(parts, o)
	}
	return parts, nil
}

// addPublished adds what the engine's object had written for Pods.
func (s *subject) addPublished(parts map[string]part, o *v1alpha1.MicroserviceEngine) error {
	configMaps, secrets := &corev1.ConfigMapList{}, &corev1.SecretList{}
	if err := errors.Join(s.API.List(s.ctx, configMaps), s.API.List(s.ctx, secrets)); err != nil {
		return err
	}
	for _, m := range configMaps.Items {
		if metav1.IsControlledBy(&m, o) {
			parts["ConfigMap/"+m.Name] = part{published: &m, record: texts(m.Data)}
		}
	}
	for _, m := range secrets.Items {
		if metav1.IsControlledBy(&m, o) {
			data := map[string]string{}
			for key, value := range m.Data {
				data[key] = string(value)
			}
			parts["Secret/"+m.Name] = part{published: &m, record: texts(data)}
		}
	}
	return nil
}

func texts(data map[string]string) tree {
	all := tree{}
	for key, value := range data {
		all[key] = value
	}
	return all
}

func (s *subject) each(collection string, do func(cloudsim.Object) error) error {
	records, err := s.Cloud.Resources(cut(collection), tail(collection))
	for _, record := range records {
		err = errors.Join(err, do(record))
	}
	return err
}

func cut(path string) string  { before, _, _ := strings.Cut(path, "/"); return before }
func tail(path string) string { _, after, _ := strings.Cut(path, "/"); return after }

// stable leaves out of a record what changes by itself.
func stable(record map[string]any) tree {
	kept := tree{}
	for key, value := range record {
		switch key {
		case "create_time", "update_time", "create_revision", "update_revision", "last_job_id", "latest_job_id", "item_id":
			continue
		}
		if inner, isObject := value.(map[string]any); isObject {
			value = stable(inner)
		}
		kept[key] = value
	}
	return kept
}

// behind makes the cloud hold something else behind the operator's back.
func (s *subject) behind(target tree) error {
	now, err := s.look()
	if err != nil {
		return err
	}
	moved := false
	for _, name := range keysOf(now, target) {
		was, is := recordIn(now, name), recordIn(target, name)
		p := s.parts[name]
		if len(differences(was, is, nil)) == 0 {
			continue
		}
		moved = true
		var err error
		switch {
		case p.published != nil:
			err = s.publishedBehind(p, is)
		case is == nil:
			err = s.Cloud.DeleteResource(cut(p.collection), tail(p.collection), p.id)
		case was == nil:
			_, err = s.Cloud.PutResource(cut(p.collection), tail(p.collection), is)
		default:
			_, err = s.Cloud.PatchResource(cut(p.collection), tail(p.collection), p.id, mergePatch(was, is))
		}
		if err != nil {
			return fmt.Errorf("behind the operator's back, %s: %w", name, err)
		}
	}
	if !moved {
		return errors.New("nothing was changed behind the operator's back")
	}
	if s.kind == "KieConfig" {
		// A long poll tells of it in earnest. Here it seems to end at once, when the time jumps: the engine is asked instead.
		return s.Ask(s.ctx, s.kind, s.name)
	}
	return nil
}

func recordIn(t tree, name string) tree {
	record, _ := t[name].(tree)
	return record
}

func (s *subject) publishedBehind(p part, is tree) error {
	data, bytes := map[string]string{}, map[string][]byte{}
	for key, value := range is {
		data[key], bytes[key] = fmt.Sprint(value), []byte(fmt.Sprint(value))
	}
	var now client.Object
	switch o := p.published.DeepCopyObject().(type) {
	case *corev1.ConfigMap:
		o.Data, now = data, o
	case *corev1.Secret:
		o.Data, now = bytes, o
	}
	now.SetResourceVersion("") // whatever it was
	err := s.API.Delete(s.ctx, now)
	if client.IgnoreNotFound(err) != nil || is == nil {
		return err
	}
	return s.API.Create(s.ctx, now)
}
