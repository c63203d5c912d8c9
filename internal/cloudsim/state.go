// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"
)

// state is everything that the cloud remembers. Handlers run under mu; see route.changes.
type state struct {
	mu          sync.RWMutex
	clock       Clock
	collections map[string]adminCollection
	// holders answers "who refers to this record": target -> collection of the referrers -> their ids.
	holders map[target]map[string]*holders
}

// target names a record that others refer to.
type target struct{ collection, id string }

type holders struct {
	owned bool
	ids   map[string]struct{}
}

// adminCollection is a collection without its type.
type adminCollection interface {
	size() int
	clear()
	remove(id string) bool
	adminGet(id string) (any, bool)
	adminList(project string) []any
	adminPut(id, defaultProject string, document []byte) (any, error)
	adminPatch(id string, patch map[string]any) (any, error)
}

func newState(clock Clock) *state {
	return &state{clock: clock, collections: map[string]adminCollection{}, holders: map[target]map[string]*holders{}}
}

func (s *state) nowMillis() int64 { return s.clock.Now().UnixMilli() }

func (s *state) addHolder(ref reference, collection, id string) {
	if ref.id == "" {
		return
	}
	t := target{ref.collection, ref.id}
	if s.holders[t] == nil {
		s.holders[t] = map[string]*holders{}
	}
	h := s.holders[t][collection]
	if h == nil {
		h = &holders{owned: ref.owned, ids: map[string]struct{}{}}
		s.holders[t][collection] = h
	}
	h.ids[id] = struct{}{}
}

func (s *state) removeHolder(ref reference, collection, id string) {
	t := target{ref.collection, ref.id}
	h := s.holders[t][collection]
	if h == nil {
		return
	}
	delete(h.ids, id)
	if len(h.ids) == 0 {
		delete(s.holders[t], collection)
	}
	if len(s.holders[t]) == 0 {
		delete(s.holders, t)
	}
}

// referrers counts the records of a collection that refer to a record.
func (s *state) referrers(collection, id, from string) int {
	h := s.holders[target{collection, id}][from]
	if h == nil {
		return 0
	}
	return len(h.ids)
}

// referrerIDs returns the ids of the records of a collection that refer to a record, in no order.
func (s *state) referrerIDs(collection, id, from string) []string {
	h := s.holders[target{collection, id}][from]
	if h == nil {
		return nil
	}
	return slices.Collect(maps.Keys(h.ids))
}

// inUse says whether anything that would not go with the record refers to it.
func (s *state) inUse(collection, id string) bool {
	for _, h := range s.holders[target{collection, id}] {
		if !h.owned {
			return true
		}
	}
	return false
}

// removeOwned removes the records that go with one that has been removed.
func (s *state) removeOwned(collection, id string) {
	type owned struct{ collection, id string }
	var found []owned
	for from, h := range s.holders[target{collection, id}] {
		if !h.owned {
			continue
		}
		for held := range h.ids {
			found = append(found, owned{from, held})
		}
	}
	for _, o := range found {
		s.collections[o.collection].remove(o.id)
	}
}

func (s *state) clear() {
	for _, c := range s.collections {
		c.clear()
	}
	clear(s.holders)
}

// paths lists the collections by name.
func (s *state) paths() []string {
	paths := make([]string, 0, len(s.collections))
	for path := range s.collections {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// mergePatch applies an RFC 7396 patch: null removes, objects merge, anything else replaces.
func mergePatch(into, patch map[string]any) map[string]any {
	if into == nil {
		into = map[string]any{}
	}
	for name, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(into, name)
		case map[string]any:
			inner, _ := into[name].(map[string]any)
			into[name] = mergePatch(inner, value)
		default:
			into[name] = value
		}
	}
	return into
}

// toObject turns a record into the form that the admin API shows.
func toObject(rec any) Object {
	var object Object
	if err := json.Unmarshal(encodeJSON(rec), &object); err != nil {
		panic("cloudsim: a record is not a JSON object: " + err.Error())
	}
	return object
}
