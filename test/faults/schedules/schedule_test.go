// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/test/faults/report"
	"servicestage.dev/operator/test/inprocess"
)

var (
	seed = flag.Int64("seed", 1, "seed of the first schedule; each further one has the next")
	runs = flag.Int("schedules", 300, "how many schedules to run")

	table report.Table
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	code := m.Run()
	if err := table.Write(); err != nil {
		fmt.Fprintln(os.Stderr, "schedules:", err)
		code = 1
	}
	os.Exit(code)
}

// R10: whatever goes wrong, in whatever order, once it is quiet everything settles, and what is deleted goes.
func TestSchedules(t *testing.T) {
	table.Add(t, "R10 random schedules", "all", runs, fmt.Sprintf("seeds %d to %d", *seed, *seed+int64(*runs)-1))
	var (
		mu                      sync.Mutex
		done                    int
		passes, faults, crashes int64
		group                   errgroup.Group
	)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range *runs {
		group.Go(func() error {
			w, err := watched(*seed + int64(i))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("seed %d: %v\n%s", *seed+int64(i), err, again(*seed+int64(i)))
			}
			if done++; done%500 == 0 { // all of them take half an hour
				t.Logf("%d of %d schedules from seed %d", done, *runs, *seed)
			}
			if w != nil {
				passes, faults, crashes = passes+int64(w.passes), faults+w.faults.Load(), crashes+w.crashes.Load()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%d schedules from seed %d: %d passes, %d faults, %d crashes", *runs, *seed, passes, faults, crashes)
}

// hangs is far more than any schedule takes, by the machine's clock.
const hangs = 10 * time.Minute

// watched goes through one schedule. Where that never ends, the process does, with what all of it waits for.
func watched(seed int64) (*world, error) {
	watch := time.AfterFunc(hangs, func() { panic(fmt.Sprintf("seed %d hangs\n%s", seed, again(seed))) })
	defer watch.Stop()
	return run(seed)
}

// again says how to repeat a schedule.
func again(seed int64) string {
	return fmt.Sprintf("  again: go test ./test/faults/schedules -run TestSchedules -schedules 1 -seed %d", seed)
}

const (
	// trouble is how long things go wrong, and quiet how long they may then take: two intervals.
	trouble = 10 * time.Minute
	quiet   = 2*resync + 2*resync/10
)

// run goes through one schedule.
func run(seed int64) (*world, error) {
	w, err := newWorld(seed)
	if err != nil {
		return nil, err
	}
	defer w.close()
	rng := rand.New(&draws{PCG: rand.NewPCG(uint64(seed), 0)})
	w.chance = &chance{Rand: rng, cloud: 0.3 * rng.Float64(), api: 0.1 * rng.Float64(), stale: 0.2 * rng.Float64(), crash: 0.05 * rng.Float64()}
	u := &users{world: w, rng: rng, uids: map[string]int{}}
	for _, base := range [][2]string{{"Environment", "e1"}, {"Environment", "e2"}, {"Application", "a1"}, {"MicroserviceEngine", "eng1"}} {
		if err := u.create(base[0], base[1]); err != nil {
			return w, err
		}
	}
	end := w.clock.Now().Add(trouble)
	for w.clock.Now().Before(end) {
		if err := u.act(); err != nil {
			return w, fmt.Errorf("acting as a user: %w", err)
		}
		if err := w.until(w.clock.Now().Add(time.Duration(1+rng.IntN(90)) * time.Second)); err != nil {
			return w, err
		}
	}
	w.chance = nil
	if err := w.until(w.clock.Now().Add(quiet)); err != nil {
		return w, err
	}
	if err := w.settled(); err != nil {
		return w, fmt.Errorf("after %s of quiet: %w", quiet, err)
	}
	if rng.IntN(2) == 0 { // otherwise the engines go at the same time, with all that is in them
		if err := w.emptied(isConfig); err != nil {
			return w, fmt.Errorf("without KieConfigs: %w", err)
		}
	}
	return w, w.emptied(func(object) bool { return true })
}

func isConfig(o object) bool { return kindOf(o) == "KieConfig" }

// emptied deletes the objects that it is about, and checks that they go and that the rest is settled.
func (w *world) emptied(about func(object) bool) error {
	objects, err := w.objects()
	if err != nil {
		return err
	}
	for _, o := range objects {
		if !about(o) {
			continue
		}
		if err := w.api.Delete(context.Background(), o); client.IgnoreNotFound(err) != nil {
			return err
		}
		w.wake(o)
	}
	if err := w.until(w.clock.Now().Add(quiet)); err != nil {
		return err
	}
	return w.settled()
}

// collection of the simulator that a kind's resources are in.
type collection struct{ service, name string }

var collections = map[string]collection{
	"Environment": {"servicestage", "environments"}, "Application": {"servicestage", "applications"},
	"Component": {"servicestage", "components"}, "MicroserviceEngine": {"cse", "engines"},
}

// settled checks that every object is settled, and that the cloud holds exactly one resource for each and no other.
func (w *world) settled() error {
	objects, err := w.objects()
	if err != nil {
		return err
	}
	var problems []error
	owned, items := map[string]bool{}, map[string]string{}
	for _, o := range objects {
		if o.GetDeletionTimestamp() != nil {
			problems = append(problems, fmt.Errorf("deleted, and still there: %s", describe(o)))
			continue
		}
		for _, condition := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionSynced} {
			c := meta.FindStatusCondition(o.CommonStatus().Conditions, condition)
			if c == nil || c.Status != metav1.ConditionTrue || c.ObservedGeneration != o.GetGeneration() {
				problems = append(problems, fmt.Errorf("not settled: %s", describe(o)))
				break
			}
		}
		if config, is := o.(*v1alpha1.KieConfig); is {
			wantItems(items, config)
			continue
		}
		owned[o.CommonStatus().ID] = true
		at := collections[kindOf(o)]
		record, err := w.sim.GetResource(at.service, at.name, o.CommonStatus().ID)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", describe(o), err))
			continue
		}
		problems = append(problems, w.compare(o, record))
	}
	for kind, at := range collections {
		records, err := w.sim.Resources(at.service, at.name)
		problems = append(problems, err)
		for _, r := range records {
			if id, _ := r["id"].(string); !owned[id] {
				problems = append(problems, fmt.Errorf("an orphaned %s in the cloud: %v", kind, r["name"]))
			}
		}
	}
	return errors.Join(append(problems, w.compareItems(items))...)
}

// wantItems adds the items that a KieConfig says are in its engine, and what is in them.
func wantItems(items map[string]string, o *v1alpha1.KieConfig) {
	for _, item := range o.Spec.Items {
		labels := map[string]any{}
		for _, of := range []map[string]string{o.Spec.Labels, item.Labels} {
			for key, value := range of {
				labels[key] = value
			}
		}
		items[fmt.Sprint(o.Status.ID, " ", item.Key, labels)] = fmt.Sprint(*item.Value, " ", item.ValueType, " enabled")
	}
}

// compareItems says in what the items of all engines differ from those that are wanted. What a user made stays.
func (w *world) compareItems(want map[string]string) error {
	records, err := w.sim.Resources("cse", "items")
	problems := []error{err}
	for _, r := range records {
		if r["key"] == foreignKey {
			continue
		}
		labels, _ := r["labels"].(map[string]any)
		name := fmt.Sprint(r["engine_id"], " ", r["key"], labels)
		switch value, wanted := want[name]; {
		case !wanted:
			problems = append(problems, fmt.Errorf("an orphaned item in an engine: %s", name))
		case value != fmt.Sprint(r["value"], " ", r["value_type"], " ", r["status"]):
			problems = append(problems, fmt.Errorf("item %s: the engine holds %v %v %v, the spec says %s", name, r["value"], r["value_type"], r["status"], value))
		}
		delete(want, name)
	}
	for name := range want {
		problems = append(problems, fmt.Errorf("item %s is not in its engine", name))
	}
	return errors.Join(problems...)
}

// compare says in what the cloud differs from an object's spec.
func (w *world) compare(o object, record cloudsim.Object) error {
	want := map[string]any{"name": o.GetName()}
	switch o := o.(type) {
	case *v1alpha1.Environment:
		want["description"] = *o.Spec.Description
	case *v1alpha1.Application:
		want["description"] = *o.Spec.Description
	case *v1alpha1.Component:
		want["version"] = o.Spec.Version
	case *v1alpha1.MicroserviceEngine:
		want["description"], want["flavor"] = *o.Spec.Description, o.Spec.Flavor
	}
	token, _, _ := strings.Cut(o.GetAnnotations()[v1alpha1.ClaimAnnotation], "@")
	for key, value := range want {
		if record[key] != value {
			return fmt.Errorf("%s: the cloud holds %s %v, the spec says %v", describe(o), key, record[key], value)
		}
	}
	if kindOf(o) == "MicroserviceEngine" {
		return nil // engines carry no claim
	}
	labels, _ := record["labels"].([]any)
	for _, l := range labels {
		if label, _ := l.(map[string]any); label["key"] == external.LabelKey && label["value"] == token {
			return nil
		}
	}
	return fmt.Errorf("%s: its claim is not on the resource: %v", describe(o), labels)
}

func describe(o object) string {
	text := fmt.Sprintf("%s %s (generation %d, id %q)", kindOf(o), o.GetName(), o.GetGeneration(), o.CommonStatus().ID)
	for _, c := range o.CommonStatus().Conditions {
		if c.Type == v1alpha1.ConditionReady || c.Type == v1alpha1.ConditionSynced {
			text += fmt.Sprintf(" %s=%s/%s: %s", c.Type, c.Status, c.Reason, c.Message)
		}
	}
	return text
}

// users do what users do.
type users struct {
	*world
	rng *rand.Rand
	// uids counts the objects that were made of each name.
	uids map[string]int
}

// names of the objects: the first of each kind stay, since others refer to them.
var names = map[string][]string{
	"Environment": {"e1", "e2", "e3"}, "Application": {"a1", "a2"}, "Component": {"c1", "c2"},
	"MicroserviceEngine": {"eng1", "eng2"},
	"KieConfig":          {"k1", "k2", "k3"},
}

// act creates, edits or deletes an object, or changes the cloud behind the operator's back.
func (u *users) act() error {
	kinds := []string{"Environment", "Application", "Component", "MicroserviceEngine", "KieConfig"}
	kind := kinds[u.rng.IntN(len(kinds))]
	i := u.rng.IntN(len(names[kind]))
	name := names[kind][i]
	current := inprocess.New(kind)
	err := u.api.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, current)
	if apierrors.IsNotFound(err) {
		return u.create(kind, name)
	}
	if err != nil {
		return err
	}
	stays := i == 0 && kind != "Component" && kind != "KieConfig" || kind == "Environment" && i == 1
	drifts := !stays || kind == "MicroserviceEngine" // it is made anew, and its items are written again
	switch choice := u.rng.IntN(10); {
	case choice < 5:
		return u.edit(current)
	case choice < 7 && drifts:
		return u.drift(current, false)
	case choice < 9 && !stays:
		if err := u.api.Delete(context.Background(), current); err != nil {
			return client.IgnoreNotFound(err)
		}
		u.wake(current)
		return u.wakeOthers(kind)
	case choice == 9:
		return u.drift(current, drifts)
	}
	return nil
}

func (u *users) create(kind, name string) error {
	o := inprocess.New(kind)
	u.uids[name]++
	o.SetNamespace(namespace)
	o.SetName(name)
	o.SetUID(types.UID(fmt.Sprintf("%s-%d", name, u.uids[name])))
	o.SetGeneration(1)
	// What the API server fills in.
	spec := o.CommonSpec()
	spec.AccountRef = v1alpha1.AccountReference{Kind: v1alpha1.AccountKindNamespaced, Name: "default"}
	spec.ManagementPolicy, spec.DeletionPolicy = v1alpha1.ManagementPolicyManage, v1alpha1.DeletionPolicyDelete
	o.CommonStatus().ObservedGeneration = -1
	switch o := o.(type) {
	case *v1alpha1.Environment:
		o.Spec.VPCID, o.Spec.DeployMode = "vpc-1", v1alpha1.DeployModeContainer
		o.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "cce", ID: "cluster-1"}}
	case *v1alpha1.Application:
		value := "1"
		o.Spec.Configurations = []v1alpha1.ApplicationConfiguration{{
			EnvironmentRef: v1alpha1.Reference{Name: "e1"}, Env: []v1alpha1.EnvVar{{Name: "LEVEL", Value: &value}},
		}}
	case *v1alpha1.Component:
		o.Spec.ApplicationRef.Name, o.Spec.EnvironmentRef.Name = "a1", "e1"
		o.Spec.RuntimeStack = v1alpha1.RuntimeStack{Name: "Docker", Type: "Docker", Version: "1.0", DeployMode: v1alpha1.DeployModeContainer}
		o.Spec.References = []v1alpha1.ComponentReference{{Type: "cce", ID: "cluster-1"}}
		o.Spec.Replicas, o.Spec.State = new(int32(2)), "Running"
	case *v1alpha1.MicroserviceEngine:
		o.Spec.AvailabilityZones, o.Spec.AuthType = []string{"az1"}, v1alpha1.EngineAuthRBAC
		o.Spec.RootPasswordSecretRef = &v1alpha1.SecretKeyReference{Name: "root", Key: "password"}
		o.Spec.Network = &v1alpha1.EngineNetwork{VPCID: cloudsim.DefaultVPCID, SubnetID: cloudsim.DefaultSubnetID}
	case *v1alpha1.KieConfig:
		o.Spec.EngineRef = &v1alpha1.ObjectReference{Name: "eng1"}
		o.Spec.TLS = &v1alpha1.TLS{InsecureSkipVerify: true}
		o.Spec.Access, o.Spec.ConflictPolicy = v1alpha1.KieAccessEngine, v1alpha1.KieConflictFail
		if name == "k2" {
			o.Spec.ConflictPolicy = v1alpha1.KieConflictOverwrite
		}
	}
	u.change(o)
	if err := u.api.Create(context.Background(), o); err != nil {
		return err
	}
	u.wake(o)
	return u.wakeOthers(kind)
}

// change gives the spec a new value.
func (u *users) change(o object) {
	n := u.rng.IntN(1000)
	switch o := o.(type) {
	case *v1alpha1.Environment:
		o.Spec.Description = new(fmt.Sprintf("text %d", n))
	case *v1alpha1.Application:
		o.Spec.Description = new(fmt.Sprintf("text %d", n))
		value := fmt.Sprint(n)
		o.Spec.Configurations[0].Env[0].Value = &value
	case *v1alpha1.Component:
		o.Spec.Version = fmt.Sprintf("1.%d.%d", o.Generation, n)
		o.Spec.Source = v1alpha1.ComponentSource{Image: &v1alpha1.ImageSource{Storage: "swr", URL: "swr.example.com/shop/web:" + o.Spec.Version}}
		o.Spec.Replicas = new(int32(1 + n%4))
	case *v1alpha1.MicroserviceEngine:
		o.Spec.Description = new(fmt.Sprintf("text %d", n))
		o.Spec.Flavor = []string{"cse.s1.small2", "cse.s1.medium2"}[n%2]
	case *v1alpha1.KieConfig:
		u.changeItems(o)
	}
}

// changeItems lists some of five items, some of them with other values, labels or types than before.
func (u *users) changeItems(o *v1alpha1.KieConfig) {
	before := map[string]v1alpha1.KieItem{}
	for _, item := range o.Spec.Items {
		before[item.Key] = item
	}
	if u.rng.IntN(4) == 0 {
		o.Spec.Labels = map[string]string{"stage": fmt.Sprint(u.rng.IntN(2))}
	}
	o.Spec.Items = nil
	for i := range 5 {
		key := fmt.Sprintf("%s.%d", o.Name, i)
		item, listed := before[key]
		switch change := u.rng.IntN(6); {
		case change == 0: // dropped
			continue
		case change < 4 || !listed:
			item = v1alpha1.KieItem{Key: key, Value: new(fmt.Sprintf("%d", u.rng.IntN(1000))), ValueType: v1alpha1.KieValueText}
			if u.rng.IntN(3) == 0 {
				item.ValueType = v1alpha1.KieValueJSON
			}
			if u.rng.IntN(3) == 0 {
				item.Labels = map[string]string{"part": fmt.Sprint(u.rng.IntN(2))}
			}
		}
		o.Spec.Items = append(o.Spec.Items, item)
	}
}

func (u *users) edit(o object) error {
	if o.GetDeletionTimestamp() != nil {
		return nil
	}
	u.change(o)
	o.SetGeneration(o.GetGeneration() + 1)
	if err := u.api.Update(context.Background(), o); err != nil {
		return err
	}
	u.wake(o)
	return nil
}

// drift changes the cloud resource behind the operator's back, or removes it.
func (u *users) drift(o object, remove bool) error {
	if isConfig(o) {
		return u.driftItem(o, remove)
	}
	id := o.CommonStatus().ID
	if id == "" {
		return nil
	}
	at := collections[kindOf(o)]
	var err error
	if remove {
		err = u.sim.DeleteResource(at.service, at.name, id)
	} else {
		_, err = u.sim.PatchResource(at.service, at.name, id, cloudsim.Object{"description": "changed behind your back"})
	}
	if errors.Is(err, cloudsim.ErrNotFound) {
		return nil
	}
	return err
}

// foreignKey is the key of the item that a user makes in the engine.
const foreignKey = "foreign"

// driftItem changes or removes one of an object's items behind the operator's back, or makes one that is nobody's.
func (u *users) driftItem(o object, remove bool) error {
	records, err := u.sim.Resources("cse", "items")
	if err != nil {
		return err
	}
	records = slices.DeleteFunc(records, func(r cloudsim.Object) bool { return !strings.HasPrefix(fmt.Sprint(r["key"]), o.GetName()+".") })
	if len(records) == 0 {
		return nil
	}
	slices.SortFunc(records, func(a, b cloudsim.Object) int { return cmp.Compare(fmt.Sprint(a["id"]), fmt.Sprint(b["id"])) })
	record := records[u.rng.IntN(len(records))]
	id := fmt.Sprint(record["id"])
	switch {
	case remove:
		err = u.sim.DeleteResource("cse", "items", id)
	case u.rng.IntN(4) == 0:
		_, err = u.sim.PutResource("cse", "items", cloudsim.Object{"engine_id": record["engine_id"], "id": fmt.Sprint(record["engine_id"], ":x"), "key": foreignKey, "value": "mine", "value_type": "text", "status": "enabled"})
	case u.rng.IntN(2) == 0:
		_, err = u.sim.PatchResource("cse", "items", id, cloudsim.Object{"status": "disabled"})
	default:
		_, err = u.sim.PatchResource("cse", "items", id, cloudsim.Object{"value": "changed behind your back"})
	}
	return err
}
