// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// meta is what every record has; records embed it.
type meta struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	ProjectID string `json:"project_id"`
	// CreateTime and UpdateTime are epoch milliseconds; UpdateTime grows with every change, also within a millisecond.
	CreateTime int64 `json:"create_time"`
	UpdateTime int64 `json:"update_time"`
}

func (m *meta) header() *meta { return m }

// headed is anything that embeds meta.
type headed interface{ header() *meta }

// record is a pointer to T, a struct that embeds meta. A stored record is never changed in place: update works on a
// shallow copy, so whoever holds a record may read it without a lock. Handlers therefore replace slices and maps.
type record[T any] interface {
	*T
	headed
}

// reference says that a record needs another one.
type reference struct {
	collection string // "service/collection"
	id         string
	// owned records go with what they refer to; others hold it back from deletion.
	owned bool
}

// collection is all records of one kind, of all projects: by id, by lower-cased name, and in sorted order for paging.
type collection[T any, R record[T]] struct {
	state      *state
	path       string
	references func(R) []reference
	slots      map[string]*slot[R]
	projects   map[string]*partition[R]
	seq        uint64
	// changed is told of every change under the state's lock: before is nil for a new record, after for one that goes.
	changed func(before, after R)
}

// slot is a record's place; it stays while the records in it are replaced.
type slot[R headed] struct {
	seq uint64
	rec R
}

// partition is one project's share. An order is sorted when it is first asked for, and kept sorted from then on.
type partition[R headed] struct {
	names  map[string][]*slot[R]
	orders map[sortKey][]*slot[R]
	size   int

	sorting sync.Mutex
}

// sortKey is a field that lists sort by.
type sortKey string

const (
	byCreateTime sortKey = "create_time"
	byUpdateTime sortKey = "update_time"
	byName       sortKey = "name"
)

// newCollection adds a collection to the state. references may be nil.
func newCollection[T any, R record[T]](st *state, path string, references func(R) []reference) *collection[T, R] {
	if references == nil {
		references = func(R) []reference { return nil }
	}
	c := &collection[T, R]{state: st, path: path, references: references}
	c.clear()
	st.collections[path] = c
	return c
}

func (c *collection[T, R]) clear() {
	if c.changed != nil {
		for _, s := range c.slots {
			c.changed(s.rec, nil)
		}
	}
	c.slots = map[string]*slot[R]{}
	c.projects = map[string]*partition[R]{}
}

func (c *collection[T, R]) size() int { return len(c.slots) }

func (c *collection[T, R]) partition(project string) *partition[R] {
	p := c.projects[project]
	if p == nil {
		p = &partition[R]{names: map[string][]*slot[R]{}, orders: map[sortKey][]*slot[R]{}}
		c.projects[project] = p
	}
	return p
}

// get returns a project's record by id.
func (c *collection[T, R]) get(project, id string) (R, bool) {
	s, ok := c.slots[id]
	if !ok || s.rec.header().ProjectID != project {
		return nil, false
	}
	return s.rec, true
}

// find returns a record of any project by id.
func (c *collection[T, R]) find(id string) (R, bool) {
	s, ok := c.slots[id]
	if !ok {
		return nil, false
	}
	return s.rec, true
}

// everywhere returns the records of all projects in the order of their creation.
func (c *collection[T, R]) everywhere() []R {
	slots := slices.SortedFunc(maps.Values(c.slots), func(a, b *slot[R]) int { return cmp.Compare(a.seq, b.seq) })
	records := make([]R, len(slots))
	for i, s := range slots {
		records[i] = s.rec
	}
	return records
}

// count returns how many records a project has.
func (c *collection[T, R]) count(project string) int {
	if p := c.projects[project]; p != nil {
		return p.size
	}
	return 0
}

// named returns a project's records whose name equals name but for case.
func (c *collection[T, R]) named(project, name string) []R {
	p := c.projects[project]
	if p == nil {
		return nil
	}
	var found []R
	for _, s := range p.names[strings.ToLower(name)] {
		found = append(found, s.rec)
	}
	return found
}

// put inserts a record or replaces the one of the same id.
func (c *collection[T, R]) put(rec R) {
	id := rec.header().ID
	s, exists := c.slots[id]
	var before R
	if exists {
		before = s.rec
		c.unlink(s)
	} else {
		c.seq++
		s = &slot[R]{seq: c.seq}
		c.slots[id] = s
	}
	s.rec = rec
	c.link(s)
	if c.changed != nil {
		c.changed(before, rec)
	}
}

// update changes a copy of the record, moves its update time on and stores it.
func (c *collection[T, R]) update(rec R, change func(R)) R {
	copied := *(*T)(rec)
	next := R(&copied)
	change(next)
	next.header().UpdateTime = max(c.state.nowMillis(), rec.header().UpdateTime+1)
	c.put(next)
	return next
}

// remove deletes a record, and with it the records that it owns.
func (c *collection[T, R]) remove(id string) bool {
	s, ok := c.slots[id]
	if !ok {
		return false
	}
	c.unlink(s)
	delete(c.slots, id)
	if c.changed != nil {
		c.changed(s.rec, nil)
	}
	c.state.removeOwned(c.path, id)
	return true
}

func (c *collection[T, R]) link(s *slot[R]) {
	m := s.rec.header()
	p := c.partition(m.ProjectID)
	p.size++
	name := strings.ToLower(m.Name)
	p.names[name] = append(p.names[name], s)
	for key, order := range p.orders {
		at, _ := slices.BinarySearchFunc(order, s, compareBy[R](key))
		p.orders[key] = slices.Insert(order, at, s)
	}
	for _, ref := range c.references(s.rec) {
		c.state.addHolder(ref, c.path, m.ID)
	}
}

func (c *collection[T, R]) unlink(s *slot[R]) {
	m := s.rec.header()
	p := c.partition(m.ProjectID)
	p.size--
	name := strings.ToLower(m.Name)
	if rest := slices.DeleteFunc(p.names[name], func(other *slot[R]) bool { return other == s }); len(rest) > 0 {
		p.names[name] = rest
	} else {
		delete(p.names, name)
	}
	for key, order := range p.orders {
		if at, found := slices.BinarySearchFunc(order, s, compareBy[R](key)); found {
			p.orders[key] = slices.Delete(order, at, at+1)
		}
	}
	for _, ref := range c.references(s.rec) {
		c.state.removeHolder(ref, c.path, m.ID)
	}
}

// compareBy is a total order: records that agree in the key stay in the order of their creation.
func compareBy[R headed](key sortKey) func(a, b *slot[R]) int {
	return func(a, b *slot[R]) int {
		am, bm := a.rec.header(), b.rec.header()
		var c int
		switch key {
		case byName:
			c = strings.Compare(am.Name, bm.Name)
		case byUpdateTime:
			c = cmp.Compare(am.UpdateTime, bm.UpdateTime)
		case byCreateTime:
			c = cmp.Compare(am.CreateTime, bm.CreateTime)
		}
		if c != 0 {
			return c
		}
		return cmp.Compare(a.seq, b.seq)
	}
}

// sorted returns the project's records in ascending order of key. The caller holds the lock, shared or exclusive.
func (c *collection[T, R]) sorted(project string, key sortKey) []*slot[R] {
	p := c.projects[project]
	if p == nil {
		return nil
	}
	// Readers share the state's lock, so the first to ask for an order must keep the others out while sorting.
	p.sorting.Lock()
	defer p.sorting.Unlock()
	if order, ok := p.orders[key]; ok {
		return order
	}
	order := make([]*slot[R], 0, p.size)
	for _, s := range c.slots {
		if s.rec.header().ProjectID == project {
			order = append(order, s)
		}
	}
	slices.SortFunc(order, compareBy[R](key))
	p.orders[key] = order
	return order
}

// page returns one page of the project's records, and how many there are in all. It costs its own length, however
// many records there are.
func (c *collection[T, R]) page(project string, p paging) ([]R, int) {
	return cutPage(c.sorted(project, p.orderBy), p)
}

// pageOf is page for candidates that were looked up, in any order.
func (c *collection[T, R]) pageOf(candidates []R, p paging) ([]R, int) {
	slots := make([]*slot[R], len(candidates))
	for i, rec := range candidates {
		slots[i] = c.slots[rec.header().ID]
	}
	slices.SortFunc(slots, compareBy[R](p.orderBy))
	return cutPage(slots, p)
}

func cutPage[R headed](order []*slot[R], p paging) ([]R, int) {
	var records []R
	for i := p.offset; i < len(order) && len(records) < p.limit; i++ {
		at := i
		if p.descending {
			at = len(order) - 1 - i
		}
		records = append(records, order[at].rec)
	}
	return records, len(order)
}

// all returns the project's records in no order.
func (c *collection[T, R]) all(project string) []R {
	slots := c.sorted(project, byCreateTime)
	records := make([]R, len(slots))
	for i, s := range slots {
		records[i] = s.rec
	}
	return records
}

// The rest is the view that the admin API has of any collection.

func (c *collection[T, R]) adminGet(id string) (any, bool) {
	s, ok := c.slots[id]
	if !ok {
		return nil, false
	}
	return s.rec, true
}

// adminList returns the records of one project, or of all for "", in the order of their creation.
func (c *collection[T, R]) adminList(project string) []any {
	slots := make([]*slot[R], 0, len(c.slots))
	for _, s := range c.slots {
		if project == "" || s.rec.header().ProjectID == project {
			slots = append(slots, s)
		}
	}
	slices.SortFunc(slots, func(a, b *slot[R]) int { return cmp.Compare(a.seq, b.seq) })
	records := make([]any, len(slots))
	for i, s := range slots {
		records[i] = s.rec
	}
	return records
}

// adminPut stores a document as it is: no rule of the API holds back what a test puts behind everyone's back.
func (c *collection[T, R]) adminPut(id, defaultProject string, document []byte) (any, error) {
	rec := R(new(T))
	if err := decodeStrict(document, rec); err != nil {
		return nil, fmt.Errorf("the record does not fit %s: %w", c.path, err)
	}
	m := rec.header()
	m.ID = id
	if m.ProjectID == "" {
		m.ProjectID = defaultProject
	}
	now := c.state.nowMillis()
	if m.CreateTime == 0 {
		m.CreateTime = now
	}
	if m.UpdateTime == 0 {
		m.UpdateTime = max(now, m.CreateTime)
	}
	c.put(rec)
	return rec, nil
}

// adminPatch applies a JSON merge patch. The update time moves on, as it does for every change in the cloud, unless
// the patch sets it.
func (c *collection[T, R]) adminPatch(id string, patch map[string]any) (any, error) {
	s := c.slots[id]
	merged := mergePatch(toObject(s.rec), patch)
	rec := R(new(T))
	if err := decodeStrict(encodeJSON(merged), rec); err != nil {
		return nil, fmt.Errorf("the patched record does not fit %s: %w", c.path, err)
	}
	rec.header().ID = id
	if _, set := patch["update_time"]; set {
		c.put(rec)
		return rec, nil
	}
	return c.update(s.rec, func(next R) {
		*(*T)(next) = *(*T)(rec)
	}), nil
}
