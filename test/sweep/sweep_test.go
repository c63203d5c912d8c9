// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sweep goes through every field of every kind, as the schemas of the CustomResourceDefinitions list them: each is
// set, changed, left out, emptied, and changed in the cloud behind the operator's back.
package sweep

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/inprocess"
)

var (
	update = flag.Bool("update", false, "rewrite testdata")

	admission *inprocess.Admission
)

func TestMain(m *testing.M) {
	flag.Parse()
	log.SetLogger(logr.Discard())
	var err error
	if admission, err = inprocess.LoadAdmission("../../config/crd/bases"); err != nil {
		fmt.Fprintln(os.Stderr, "sweep:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func parse(text string) map[string]any {
	spec := map[string]any{}
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		err = json.Unmarshal(raw, &spec) // whole numbers are int64, as in what the API server reads
	}
	if err != nil {
		panic(fmt.Sprintf("%v in:\n%s", err, text))
	}
	return spec
}

// outcome is what came of a step.
type outcome string

const (
	none     outcome = "-"         // there is no such step
	written  outcome = "written"   // the cloud holds it
	created  outcome = "created"   // there is no object without it: it is written with the creation
	kept     outcome = "kept"      // the cloud holds what it held, and nobody compares
	cleared  outcome = "cleared"   // the cloud holds nothing, or its own default
	refused  outcome = "refused"   // by the API server
	noCall   outcome = "no call"   // nothing is written
	repaired outcome = "repaired"  // seen, and set right
	reported outcome = "reported"  // seen, and told: it cannot be set right
	carried  outcome = "next time" // written with the next upgrade
	unseen   outcome = "unseen"    // nobody compares
)

// row is what came of a field.
type row struct {
	field                                string
	record                               []string
	set, changed, left, emptied, drifted outcome
	why                                  string
}

// R12: every field of every kind.
func TestFields(t *testing.T) {
	for _, kind := range slices.Sorted(maps.Keys(tables)) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			sweepKind(t, kind)
		})
	}
}

// sweepKind goes through the fields of a kind, and compares what came of them with the table in testdata.
func sweepKind(t *testing.T, kind string) {
	table := tables[kind]
	spec := admission.Schema(kind).Properties["spec"]
	fields := fieldsOf("spec", &spec, true)
	checkTable(t, table, fields)
	bySpec := make([][]field, len(table.specs))
	for _, f := range fields {
		at := slices.IndexFunc(table.specs, func(text string) bool { _, found := find(parse(text), f.path); return found })
		if exceptionOf(kind, f).mode == never {
			at = 0
		}
		if at < 0 {
			t.Errorf("%s: no spec in the table holds it: add it to one, so that it is swept", f.path)
			continue
		}
		bySpec[at] = append(bySpec[at], f)
	}
	var mu sync.Mutex
	rows := map[string]row{}
	t.Run("specs", func(t *testing.T) {
		for i, fields := range bySpec {
			t.Run(fmt.Sprint(i+1), func(t *testing.T) {
				t.Parallel()
				sweepSpec(t, kind, table.specs[i], fields, func(r row) {
					mu.Lock()
					defer mu.Unlock()
					rows[r.field] = r
				})
			})
		}
	})
	if t.Failed() {
		return
	}
	var ordered []row
	for _, f := range fields {
		ordered = append(ordered, rows[f.path])
	}
	count(t, ordered)
	compare(t, filepath.Join("testdata", strings.ToLower(kind)+".txt"), ordered)
}

// checkTable finds entries that name no field.
func checkTable(t *testing.T, table kindTable, fields []field) {
	t.Helper()
	known := map[string]bool{}
	for _, f := range fields {
		known[f.path] = true
	}
	for _, path := range slices.Concat(slices.Collect(maps.Keys(table.others)), slices.Collect(maps.Keys(table.exceptions))) {
		if !known[path] {
			t.Errorf("%s: the table speaks of a field that there is not", path)
		}
	}
}

// sweepSpec goes through fields of one spec. After one that failed it begins anew.
func sweepSpec(t *testing.T, kind, text string, fields []field, done func(row)) {
	var s *subject
	where := map[string][]location{}
	for _, f := range fields {
		t.Run(f.path, func(outer *testing.T) {
			if s == nil {
				var err error
				if s, err = newSubject(t, kind, parse(text)); err != nil {
					outer.Fatal(err)
				}
			}
			r, err := s.sweep(outer, f, where)
			if err != nil {
				outer.Errorf("%s: %v", f.path, err)
				s = nil
				return
			}
			done(r)
		})
	}
}

// exceptionOf returns why a field is not like the others, if it is not.
func exceptionOf(kind string, f field) exception {
	for _, table := range []map[string]exception{tables[kind].exceptions, common} {
		for path := f.path; path != "spec"; {
			// Of a list that is shared, and of what is forgotten, no more is an exception than that.
			if e, found := table[path]; found && (path == f.path || !slices.Contains([]mode{shared, forgotten, defaulted}, e.mode)) {
				return e
			}
			path, _, _ = cutLast(path)
			path = strings.TrimSuffix(path, "[]")
		}
	}
	return exception{}
}

// sweep goes through one field, and leaves the object as it was. where collects in which places of the cloud the fields are.
func (s *subject) sweep(t *testing.T, f field, where map[string][]location) (row, error) {
	e := exceptionOf(s.kind, f)
	at, _ := find(s.spec, f.path)
	r := row{field: f.path, set: none, changed: none, left: none, emptied: none, drifted: none, why: e.why}
	c := &course{subject: s, t: t, field: f, at: at, e: e, row: &r}
	var err error
	switch {
	case e.mode == never:
		return r, c.isRefused()
	case f.holds:
		for path, locations := range where {
			if strings.HasPrefix(path, f.path+".") || strings.HasPrefix(path, f.path+"[]") {
				c.where = append(c.where, locations...)
			}
		}
	case e.mode == immutable:
		err = c.cannotChange()
	case e.mode == strategy:
		err = c.changesNextTime()
	default:
		err = c.change()
	}
	if err == nil && e.mode == trust {
		err = c.cannotDoWithout()
	} else if err == nil {
		err = c.leaveOutAndSet()
	}
	if err == nil {
		err = c.empty()
	}
	if err != nil {
		return r, err
	}
	where[f.path] = c.where
	if !f.holds {
		r.record = textsOf(c.where)
	}
	return r, c.judge()
}

// course is the way through one field.
type course struct {
	*subject
	t     *testing.T
	field field
	at    place
	e     exception
	row   *row
	// where the cloud holds the field, and what it held when the field was changed.
	where []location
	other tree
}

// changedSpec is the object's spec with another value of the field.
func (c *course) changedSpec() (map[string]any, error) {
	other, given := tables[c.kind].others[c.field.path]
	if !given {
		other, given = commonOthers[c.field.path]
	}
	if together, more := other.(alongside); more {
		spec := c.spec
		for _, path := range slices.Sorted(maps.Keys(together)) {
			value := together[path]
			at, found := find(spec, path)
			if !found { // beside what is there
				parent, _, _ := cutLast(path)
				if at, found = find(spec, parent); !found {
					return nil, fmt.Errorf("the table's change names %s, which the spec does not hold", path)
				}
				at = append(at, path[len(parent)+1:])
			}
			if value == nil {
				value = absent{}
			}
			spec = at.with(spec, whole(value))
		}
		return spec, nil
	}
	if !given {
		var err error
		if other, err = c.field.another(c.at.at(c.spec)); err != nil {
			return nil, err
		}
	}
	return c.resolved(c.at.with(c.spec, whole(other))), nil
}

// whole makes the numbers of the table such as the API server reads.
func whole(value any) any {
	if n, isInt := value.(int); isInt {
		return int64(n)
	}
	return value
}

func cutLast(path string) (before, after string, found bool) {
	i := strings.LastIndex(path, ".")
	return path[:i], path[i+1:], i >= 0
}

// change changes the field, lets the cloud drift back, and changes the field back.
func (c *course) change() error {
	spec, err := c.changedSpec()
	if err != nil {
		return err
	}
	if only, _ := c.at.at(c.spec).(bool); only && c.e.mode == trust {
		return nil // its only other value is the one that leaving it out means
	}
	is, writes, err := c.becomes(spec)
	if err != nil {
		return fmt.Errorf("change: %w", err)
	}
	c.where, c.other = differences(c.state, is, nil), is
	switch {
	case len(c.where) == 0 && len(writes) == 0:
		c.row.changed, c.row.drifted = noCall, unseen
	case !explains(writes, c.where):
		return fmt.Errorf("change: the calls %q, and the cloud differs in %q", writes, textsOf(c.where))
	default:
		c.row.changed = written
		if err := c.drift(spec, is); err != nil {
			return fmt.Errorf("drift: %w", err)
		}
	}
	return c.restore("changed back")
}

// explains says whether calls go with what differs in the cloud. What is published for Pods takes none.
func explains(writes []string, where []location) bool {
	return len(where) > 0 && (len(writes) > 0) != published(where)
}

// published says whether all of it is published for Pods.
func published(where []location) bool {
	return !slices.ContainsFunc(where, func(at location) bool {
		text := at.String()
		return !strings.HasPrefix(text, "ConfigMap/") && !strings.HasPrefix(text, "Secret/")
	})
}

// restore gives the object its spec back: the cloud holds what it held.
func (c *course) restore(doing string) error {
	is, _, err := c.becomes(c.spec)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return same(doing, c.state, is)
}

// same says in what two trees differ.
func same(doing string, want, have tree) error {
	if where := differences(want, have, nil); len(where) > 0 {
		return fmt.Errorf("%s: the cloud holds %v at %s, and held %v before", doing, valueAt(have, where[0]), where[0], valueAt(want, where[0]))
	}
	return nil
}

// drift makes the cloud hold behind the operator's back what it held before the change. Under Observe that is told, naming
// the field, and left so; under Manage it is set right.
func (c *course) drift(spec map[string]any, is tree) error {
	if err := c.behind(reverted(is, c.state, c.where)); err != nil {
		return err
	}
	if !published(c.where) {
		if err := c.seen(spec); err != nil {
			return err
		}
	}
	now, _, err := c.becomes(spec)
	if err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	if err := holds(now, is); err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	c.row.drifted = repaired
	return c.tidy(is, now)
}

// seen looks at the drift under Observe.
func (c *course) seen(spec map[string]any) error {
	if err := c.apply(place{"managementPolicy"}.with(spec, "Observe")); err != nil {
		return err
	}
	o, err := c.next()
	if err != nil {
		return err
	}
	paths := o.CommonStatus().Drift
	if len(paths) == 0 {
		return fmt.Errorf("not seen: the cloud holds %v at %s", valueAt(c.state, c.where[0]), c.where[0])
	}
	called := c.field.path
	if other, as := tables[c.kind].seenAs[called]; as {
		called = other
	}
	for _, path := range paths {
		if !strings.HasPrefix(plain(called)+".", plain(path)+".") {
			return fmt.Errorf("seen as %s", path)
		}
	}
	if writes := c.Writes(); len(writes) > 0 {
		return fmt.Errorf("under Observe the calls %q", writes)
	}
	return nil
}

// tidy removes what others have made meanwhile, such as an item of another name: it is not the object's.
func (c *course) tidy(want, now tree) error {
	if len(differences(want, now, nil)) == 0 {
		return nil
	}
	return c.behind(want)
}

// plain leaves the elements of lists and maps out of a path.
func plain(path string) string {
	var out strings.Builder
	depth := 0
	for _, r := range path {
		switch {
		case r == '[':
			depth++
		case r == ']':
			depth--
		case depth == 0:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// leaveOutAndSet leaves the field out, and sets it again.
func (c *course) leaveOutAndSet() error {
	spec := c.at.with(c.spec, absent{})
	is, writes, err := c.becomes(spec)
	switch {
	case err != nil && isRefusal(err):
		c.row.left, c.row.set = refused, created
		return nil
	case err != nil:
		return fmt.Errorf("left out: %w", err)
	}
	where := differences(c.state, is, nil)
	switch {
	case len(where) > 0:
		c.row.left = cleared
		c.where = merged(c.where, where)
	case len(writes) > 0:
		return fmt.Errorf("left out: the calls %q change nothing", writes)
	case len(c.where) == 0 || c.e.mode == strategy || c.e.mode == immutable:
		c.row.left = noCall
	default:
		c.row.left = kept
		if err := c.notManaged(); err != nil {
			return fmt.Errorf("left out: %w", err)
		}
	}
	now, writes, err := c.becomes(c.spec)
	if err != nil {
		return fmt.Errorf("set: %w", err)
	}
	c.row.set = written
	if len(writes) == 0 && len(where) == 0 {
		c.row.set = noCall
	}
	return same("set", c.state, now)
}

// merged adds locations that are not yet there.
func merged(where, more []location) []location {
	for _, at := range more {
		if !slices.ContainsFunc(where, func(have location) bool { return reflect.DeepEqual(have, at) }) {
			where = append(where, at)
		}
	}
	return where
}

// notManaged removes from the cloud what the spec leaves out, or changes it: nobody sees it.
func (c *course) notManaged() error {
	gone := without(c.state, c.where)
	if c.e.mode == forgotten {
		gone = reverted(c.state, c.other, c.where)
	}
	if err := c.behind(gone); err != nil {
		return err
	}
	if err := c.rests(); err != nil {
		return fmt.Errorf("it is not managed, and yet: %w", err)
	}
	now, err := c.look()
	if err != nil {
		return err
	}
	return same("not managed", gone, now)
}

// theirs lets others add to the cloud what the list held: nobody sees it.
func (c *course) theirs(is tree, where []location) error {
	if err := c.behind(reverted(is, c.state, where)); err != nil {
		return err
	}
	c.row.drifted = unseen
	if err := c.rests(); err != nil {
		return err
	}
	return c.behind(is)
}

// empty sets the field to its empty value, where it has one.
func (c *course) empty() error {
	value, has := c.field.emptiable()
	if !has || c.e.mode == immutable || c.e.mode == strategy {
		return nil
	}
	is, writes, err := c.becomes(c.at.with(c.spec, value))
	switch {
	case err != nil && isRefusal(err):
		c.row.emptied = refused
		return nil
	case err != nil:
		return fmt.Errorf("emptied: %w", err)
	}
	where := differences(c.state, is, nil)
	switch {
	case len(where) == 0 && len(writes) == 0:
		c.row.emptied = noCall
	case !explains(writes, where):
		return fmt.Errorf("emptied: the calls %q, and the cloud differs in %q", writes, textsOf(where))
	default:
		c.row.emptied = cleared
		c.where = merged(c.where, where)
		switch {
		case c.e.mode == shared:
			err = c.theirs(is, where)
		case c.field.holds:
			err = c.drift(c.at.with(c.spec, value), is)
		}
		if err != nil {
			return fmt.Errorf("drift while empty: %w", err)
		}
	}
	return c.restore("set after it was empty")
}

// cannotChange tries to change what cannot be changed, and lets the cloud differ.
func (c *course) cannotChange() error {
	spec, err := c.changedSpec()
	if err != nil {
		return err
	}
	switch err := c.apply(spec); {
	case err == nil && c.field.path != "spec.authType":
		return errors.New("change: the API server takes it")
	case err == nil:
		if err := c.stalls(); err != nil {
			return fmt.Errorf("change: %w", err)
		}
		if err := c.restore("changed back"); err != nil {
			return err
		}
	case !strings.Contains(err.Error(), "immutable"):
		return fmt.Errorf("change: %w", err)
	}
	c.row.changed, c.row.drifted = refused, unseen
	if c.e.record == "" {
		return nil
	}
	at := location{"record"}
	for _, key := range strings.Split(c.e.record, ".") {
		at = append(at, key)
	}
	c.where = []location{at}
	drifted, _ := replaced(c.state, at, c.at.at(spec)).(tree)
	if err := c.behind(drifted); err != nil {
		return fmt.Errorf("drift: %w", err)
	}
	c.Cloud.ResetCalls()
	if _, err := c.next(); err != nil {
		return err
	}
	if err := c.stalls(); err != nil {
		return fmt.Errorf("drift: %w", err)
	}
	c.row.drifted = reported
	if err := c.behind(c.state); err != nil {
		return err
	}
	return c.restore("undone in the cloud")
}

// names says whether a message names a field, or what holds it.
func names(message, path string) bool {
	for strings.Count(path, ".") > 0 {
		if strings.Contains(message, path+" ") || strings.Contains(message, path+",") || strings.Contains(message, path+"[") {
			return true
		}
		path, _, _ = cutLast(path)
	}
	return false
}

// stalls checks that the object says that the field cannot be changed, and that nothing was written.
func (c *course) stalls() error {
	var why error
	_, err := c.Until(c.ctx, c.kind, c.name, func(o inprocess.Object) error {
		stalled := meta.FindStatusCondition(o.CommonStatus().Conditions, v1alpha1.ConditionStalled)
		if stalled == nil || stalled.Reason != v1alpha1.ReasonImmutableField || !names(stalled.Message, c.field.path) {
			why = fmt.Errorf("it says %+v", o.CommonStatus().Conditions)
			return why
		}
		return nil
	})
	if writes := c.Writes(); err == nil && len(writes) > 0 {
		return fmt.Errorf("the calls %q", writes)
	}
	return err
}

// isRefused tries to set a field that is refused.
func (c *course) isRefused() error {
	var value any = "id-1"
	switch c.field.schema.Type {
	case "boolean":
		value = true
	case "object":
		value = map[string]any{"byName": true}
	}
	keys := strings.Split(strings.TrimPrefix(c.field.path, "spec."), ".")
	spec := place{keys[0]}.with(c.spec, value)
	if len(keys) > 1 {
		spec = place{keys[0]}.with(c.spec, map[string]any{keys[1]: value})
	}
	if err := c.apply(spec); !isRefusal(err) {
		return fmt.Errorf("set: %w, want a refusal", err)
	}
	c.row.set = refused
	return nil
}

// cannotDoWithout leaves out whom to trust: the object says which field to set. Then it is set again.
func (c *course) cannotDoWithout() error {
	switch err := c.apply(c.at.with(c.spec, absent{})); {
	case isRefusal(err):
		c.row.left, c.row.set = refused, created
		return nil
	case err != nil:
		return err
	}
	if _, err := c.Until(c.ctx, c.kind, c.name, func(o inprocess.Object) error {
		ready := meta.FindStatusCondition(o.CommonStatus().Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Status == metav1.ConditionTrue || !strings.Contains(ready.Message, "spec.tls") {
			return fmt.Errorf("it says %+v", ready)
		}
		return nil
	}); err != nil {
		return fmt.Errorf("left out: %w", err)
	}
	c.row.left, c.row.set = reported, noCall
	return c.restore("set")
}

// changesNextTime changes a field that only the next upgrade carries, which it does then.
func (c *course) changesNextTime() error {
	spec, err := c.changedSpec()
	if err != nil {
		return err
	}
	is, writes, err := c.becomes(spec)
	switch {
	case err != nil:
		return fmt.Errorf("change: %w", err)
	case len(writes) > 0:
		return fmt.Errorf("change: the calls %q", writes)
	}
	upgraded, err := c.upgrade(spec)
	if err != nil {
		return fmt.Errorf("next upgrade: %w", err)
	}
	version := location{"record", "version"}
	for _, at := range differences(is, upgraded, nil) {
		if !reflect.DeepEqual(at, version) {
			c.where = append(c.where, at)
		}
	}
	if len(c.where) == 0 {
		return errors.New("the next upgrade does not carry it")
	}
	c.row.changed = carried
	if err := c.behind(reverted(upgraded, is, c.where)); err != nil {
		return fmt.Errorf("drift: %w", err)
	}
	if err := c.rests(); err != nil {
		return fmt.Errorf("drift: %w", err)
	}
	c.row.drifted = unseen
	now, err := c.upgrade(c.spec)
	if err != nil {
		return fmt.Errorf("upgrade back: %w", err)
	}
	for _, at := range differences(c.state, now, nil) {
		if !reflect.DeepEqual(at, version) {
			return fmt.Errorf("upgrade back: the cloud holds %v at %s, and held %v before", valueAt(now, at), at, valueAt(c.state, at))
		}
	}
	c.subject.state = now
	return nil
}

// upgrade gives the object the spec with a new version, which it keeps.
func (c *course) upgrade(spec map[string]any) (tree, error) {
	c.upgrades++
	version := fmt.Sprintf("1.0.%d", c.upgrades)
	c.subject.spec = place{"version"}.with(c.spec, version)
	is, _, err := c.becomes(place{"version"}.with(spec, version))
	return is, err
}

// isRefusal says whether the API server refused a spec.
func isRefusal(err error) bool { return errors.Is(err, inprocess.ErrRefused) }

// judge says whether what came of a field is what the documentation says.
func (c *course) judge() error {
	r := c.row
	want := func(what string, is outcome, one ...outcome) error {
		if slices.Contains(one, is) {
			return nil
		}
		return fmt.Errorf("%s came to %q, want one of %q (%s)", what, is, one, c.e.mode)
	}
	switch c.e.mode {
	case operator, creation:
		return errors.Join(want("a change", r.changed, noCall, none), want("leaving it out", r.left, noCall, refused), want("a drift", r.drifted, unseen, none))
	case trust:
		return errors.Join(want("a change", r.changed, noCall, none), want("leaving it out", r.left, reported, refused))
	case immutable:
		return errors.Join(want("a change", r.changed, refused, none), want("leaving it out", r.left, refused, noCall, kept))
	case strategy:
		return errors.Join(want("a change", r.changed, carried, none), want("leaving it out", r.left, noCall, refused), want("a drift", r.drifted, unseen, none))
	}
	return errors.Join(
		want("setting", r.set, written, created), want("leaving it out", r.left, kept, cleared, refused), want("emptying", r.emptied, cleared, refused, none, map[bool]outcome{true: noCall}[slices.Contains([]mode{forgotten, shared, defaulted}, c.e.mode)]),
		func() error {
			if c.field.holds {
				return want("a drift", r.drifted, repaired, none, map[bool]outcome{true: unseen}[c.e.mode == shared])
			}
			return errors.Join(want("a change", r.changed, written), want("a drift", r.drifted, repaired))
		}())
}

// count logs how many fields came to what.
func count(t *testing.T, rows []row) {
	t.Helper()
	counts := map[string]int{}
	for _, r := range rows {
		for what, is := range map[string]outcome{"set": r.set, "changed": r.changed, "left out": r.left, "emptied": r.emptied, "drifted": r.drifted} {
			counts[fmt.Sprintf("%s: %s", what, is)]++
		}
	}
	text := fmt.Sprintf("%d fields", len(rows))
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		text += fmt.Sprintf("\n  %4d %s", counts[what], what)
	}
	t.Log(text)
}

// compare compares the rows with the table in testdata, or rewrites it.
func compare(t *testing.T, path string, rows []row) {
	t.Helper()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FIELD\tSET\tCHANGED\tLEFT OUT\tEMPTY\tDRIFT\tIN THE CLOUD\tWHY")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.field, r.set, r.changed, r.left, r.emptied, r.drifted, strings.Join(r.record, " "), r.why)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(text.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	got := strings.Join(lines, "\n")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("what came of the fields differs from %s; if it is meant to, go test ./test/sweep -update rewrites it (-file +now):\n%s", path, diff)
	}
}
