// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Words of the status of an item.
const (
	StatusEnabled  = "enabled"
	StatusDisabled = "disabled"

	// domain is the only one that an engine has; revisions count per domain, so per engine.
	domain = "default"

	// maxHistory is how many revisions of an item are kept.
	maxHistory = 100
)

// Errors of writes; match them with errors.Is.
var (
	ErrExists = errors.New("an item of that key and labels exists")
	ErrQuota  = errors.New("the quota of items is used up")
)

// Item is one configuration item. Project, key and labels are its identity, and ID follows from them: it returns when
// the item is deleted and created anew.
type Item struct {
	ID        string            `json:"id"`
	Project   string            `json:"project"`
	Key       string            `json:"key"`
	Value     string            `json:"value"`
	ValueType string            `json:"value_type"`
	Status    string            `json:"status"`
	Priority  int               `json:"priority,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	// CreateRevision and UpdateRevision are the engine's revision after the write.
	CreateRevision int64 `json:"create_revision"`
	UpdateRevision int64 `json:"update_revision"`
	// CreateTime and UpdateTime are epoch seconds.
	CreateTime int64 `json:"create_time"`
	UpdateTime int64 `json:"update_time"`
}

// labelFormat is the labels in one string, "none" for none.
func labelFormat(labels map[string]string) string {
	if len(labels) == 0 {
		return "none"
	}
	pairs := make([]string, 0, len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, key+"="+labels[key])
	}
	return strings.Join(pairs, "::")
}

// ItemID is the id that an item of that identity has.
func ItemID(project, key string, labels map[string]string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{domain, project, key, labelFormat(labels)}, "/")))
	return hex.EncodeToString(sum[:])
}

// selector is the filter of a list, or the topic of a long poll.
type selector struct {
	project string
	key     *regexp.Regexp
	value   string
	status  string
	labels  map[string]string
	// exact wants all labels of an item, so none where labels is empty.
	exact bool
}

func (s selector) matches(item *Item) bool {
	switch {
	case item.Project != s.project,
		s.key != nil && !s.key.MatchString(item.Key),
		s.status != "" && item.Status != s.status,
		!strings.Contains(item.Value, s.value),
		s.exact && len(item.Labels) != len(s.labels):
		return false
	}
	for key, value := range s.labels {
		if has, ok := item.Labels[key]; !ok || has != value {
			return false
		}
	}
	return true
}

// topic is the part of a selector that decides whether a write wakes a long poll.
func (s selector) topic() selector {
	return selector{project: s.project, labels: s.labels, exact: s.exact}
}

// items is the store of one domain. A stored item is never changed in place.
type items struct {
	mu       sync.Mutex
	revision int64
	byID     map[string]*Item
	history  map[string][]*Item
	watchers map[*watcher]struct{}
}

// watcher is a long poll that waits.
type watcher struct {
	topic selector
	woken chan struct{}
}

func newItems() *items {
	return &items{byID: map[string]*Item{}, history: map[string][]*Item{}, watchers: map[*watcher]struct{}{}}
}

// bump raises the revision without a change: some refused writes do that.
func (s *items) bump() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revision++
}

func (s *items) state() (revision int64, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revision, len(s.byID)
}

// get returns an item of a project.
func (s *items) get(project, id string) (Item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(project, id)
}

func (s *items) find(project, id string) (Item, bool) {
	item, ok := s.byID[id]
	if !ok || item.Project != project {
		return Item{}, false
	}
	return *item, true
}

// exists says whether an item of that identity is there.
func (s *items) exists(item Item) bool {
	_, ok := s.get(item.Project, ItemID(item.Project, item.Key, item.Labels))
	return ok
}

// create adds an item. now is in epoch seconds; quota 0 is no quota.
func (s *items) create(item Item, now int64, quota int) (Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	item.ID = ItemID(item.Project, item.Key, item.Labels)
	if _, ok := s.byID[item.ID]; ok {
		return Item{}, ErrExists
	}
	if quota > 0 && len(s.byID) >= quota {
		return Item{}, ErrQuota
	}
	item.CreateTime = now
	item.CreateRevision = s.revision + 1
	return s.store(item, now), nil
}

// store fills in what every write sets, and wakes who waits for it.
func (s *items) store(item Item, now int64) Item {
	if item.ValueType == "" {
		item.ValueType = "text"
	}
	if item.Status == "" {
		item.Status = StatusDisabled
	}
	if len(item.Labels) == 0 {
		item.Labels = nil
	}
	s.revision++
	item.UpdateRevision, item.UpdateTime = s.revision, now
	s.byID[item.ID] = &item
	history := append(s.history[item.ID], &item)
	s.history[item.ID] = history[max(0, len(history)-maxHistory):]
	s.notify(&item)
	return item
}

// update changes value and status; "" leaves either as it is, yet the revision rises.
func (s *items) update(project, id, value, status string, now int64) (Item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	item, ok := s.find(project, id)
	if !ok {
		return Item{}, false
	}
	if value != "" {
		item.Value = value
	}
	if status != "" {
		item.Status = status
	}
	return s.store(item, now), true
}

// remove deletes the ids that a project has with one revision and returns how many there were. A single call that
// finds none of its ids changes nothing; one without ids still raises the revision (both seen in the transcript).
func (s *items) remove(project string, ids []string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var removed []Item
	for _, id := range ids {
		item, ok := s.find(project, id)
		if !ok {
			continue
		}
		removed = append(removed, item)
		delete(s.byID, id)
		delete(s.history, id)
	}
	if len(removed) > 0 || len(ids) == 0 {
		s.revision++
	}
	for i := range removed {
		s.notify(&removed[i])
	}
	return len(removed)
}

// replace stores an item whatever is there: what happens behind everyone's back.
func (s *items) replace(item Item, now int64) Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	item.ID = ItemID(item.Project, item.Key, item.Labels)
	item.CreateTime, item.CreateRevision = now, s.revision+1
	if before, ok := s.byID[item.ID]; ok {
		item.CreateTime, item.CreateRevision = before.CreateTime, before.CreateRevision
	}
	return s.store(item, now)
}

func (s *items) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	removed := s.byID
	s.byID, s.history = map[string]*Item{}, map[string][]*Item{}
	s.revision++
	for _, item := range removed {
		s.notify(item)
	}
}

// notify wakes the long polls whose topic the item is of.
func (s *items) notify(item *Item) {
	for w := range s.watchers {
		if w.topic.matches(item) {
			delete(s.watchers, w)
			close(w.woken)
		}
	}
}

// list returns what a selector finds, in the server's order: priority, then the latest change first.
func (s *items) list(sel selector) ([]Item, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.found(sel), s.revision
}

func (s *items) found(sel selector) []Item {
	found := []Item{}
	for _, item := range s.byID {
		if sel.matches(item) {
			found = append(found, *item)
		}
	}
	slices.SortFunc(found, func(a, b Item) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(b.UpdateRevision, a.UpdateRevision))
	})
	return found
}

// watch registers a long poll, unless the revision known is not the present one: then nothing may be waited for, or a
// write between the client's two requests would be missed. known < 0 is no revision.
func (s *items) watch(sel selector, known int64) (*watcher, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known >= 0 && known != s.revision {
		return nil, false
	}
	w := &watcher{topic: sel.topic(), woken: make(chan struct{})}
	s.watchers[w] = struct{}{}
	return w, true
}

func (s *items) unwatch(w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watchers, w)
}

// revisions returns an item's history, the latest first.
func (s *items) revisions(project, id string) []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Item
	for _, item := range slices.Backward(s.history[id]) {
		if item.Project == project {
			found = append(found, *item)
		}
	}
	return found
}

// The rest is access from within the process, past every check.

// Revision returns the engine's revision.
func (e *Engine) Revision() int64 {
	revision, _ := e.items.state()
	return revision
}

// Items returns the items of all projects, the oldest first.
func (e *Engine) Items() []Item {
	e.items.mu.Lock()
	defer e.items.mu.Unlock()
	all := make([]Item, 0, len(e.items.byID))
	for _, item := range e.items.byID {
		all = append(all, *item)
	}
	slices.SortFunc(all, func(a, b Item) int { return cmp.Compare(a.CreateRevision, b.CreateRevision) })
	return all
}

// Item returns an item of any project.
func (e *Engine) Item(id string) (Item, bool) {
	e.items.mu.Lock()
	defer e.items.mu.Unlock()
	item, ok := e.items.byID[id]
	if !ok {
		return Item{}, false
	}
	return *item, true
}

// Find returns a project's items in the order of a list: those with the labels, exactly those for exact, and of them the
// ids, where there are any.
func (e *Engine) Find(project string, ids []string, labels map[string]string, exact bool) []Item {
	// As in a list, exact without labels finds what has no labels.
	found, _ := e.items.list(selector{project: project, labels: labels, exact: exact})
	if len(ids) == 0 {
		return found
	}
	return slices.DeleteFunc(found, func(item Item) bool { return !slices.Contains(ids, item.ID) })
}

// Put creates or replaces the item of that project, key and labels and wakes the long polls that wait for it. Project
// "" is default; id, revisions and times are the engine's.
func (e *Engine) Put(item Item) Item {
	if item.Project == "" {
		item.Project = "default"
	}
	return e.items.replace(item, e.clock.Now().Unix())
}

// Delete removes an item; false says that there is none.
func (e *Engine) Delete(id string) bool {
	item, ok := e.Item(id)
	return ok && e.items.remove(item.Project, []string{id}) == 1
}

// Clear removes all items.
func (e *Engine) Clear() { e.items.clear() }

// Waiting returns how many long polls wait.
func (e *Engine) Waiting() int {
	e.items.mu.Lock()
	defer e.items.mu.Unlock()
	return len(e.items.watchers)
}
