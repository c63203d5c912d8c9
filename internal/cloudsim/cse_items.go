// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"fmt"
	"strings"

	"servicestage.dev/operator/internal/cloudsim/kie"
)

// engineItems shows the configuration items of all engines to the admin API, as a collection whose ids are
// ENGINE:ITEM. A change there is one behind everyone's back: it raises the engine's revision and wakes long polls.
type engineItems struct{ cse *cse }

// itemRecord is an item with its engine; item_id is its id inside the engine.
type itemRecord struct {
	ID       string `json:"id"`
	EngineID string `json:"engine_id"`
	ItemID   string `json:"item_id"`
	kie.Item
}

func recordOf(engineID string, item kie.Item) *itemRecord {
	return &itemRecord{ID: engineID + ":" + item.ID, EngineID: engineID, ItemID: item.ID, Item: item}
}

func (e *engineItems) size() int {
	n := 0
	for _, of := range e.cse.engines.everywhere() {
		if running := e.cse.hosts.find(of.ID); running != nil {
			n += len(running.engine.Items())
		}
	}
	return n
}

// clear has nothing to do: items go with their engines.
func (e *engineItems) clear() {}

// locate finds the engine and the item of an id.
func (e *engineItems) locate(id string) (*kie.Engine, kie.Item, bool) {
	engineID, itemID, _ := strings.Cut(id, ":")
	running := e.cse.hosts.find(engineID)
	if running == nil {
		return nil, kie.Item{}, false
	}
	item, ok := running.engine.Item(itemID)
	return running.engine, item, ok
}

func (e *engineItems) remove(id string) bool {
	inside, item, ok := e.locate(id)
	return ok && inside.Delete(item.ID)
}

func (e *engineItems) adminGet(id string) (any, bool) {
	_, item, ok := e.locate(id)
	if !ok {
		return nil, false
	}
	engineID, _, _ := strings.Cut(id, ":")
	return recordOf(engineID, item), true
}

// adminList: project is the cloud's project, that of the engines.
func (e *engineItems) adminList(project string) []any {
	list := []any{}
	for _, of := range e.cse.engines.everywhere() {
		running := e.cse.hosts.find(of.ID)
		if running == nil || (project != "" && of.ProjectID != project) {
			continue
		}
		for _, item := range running.engine.Items() {
			list = append(list, recordOf(of.ID, item))
		}
	}
	return list
}

// adminPut creates or replaces the item of the document's key and labels; of the id in the path only the engine counts,
// and only where the document does not name it.
func (e *engineItems) adminPut(id, _ string, document []byte) (any, error) {
	var rec itemRecord
	if err := decodeStrict(document, &rec); err != nil {
		return nil, fmt.Errorf("the record does not fit %s: %w", itemsPath, err)
	}
	if rec.EngineID == "" {
		rec.EngineID, _, _ = strings.Cut(id, ":")
	}
	return e.put(rec)
}

func (e *engineItems) put(rec itemRecord) (any, error) {
	running := e.cse.hosts.find(rec.EngineID)
	if running == nil {
		return nil, fmt.Errorf("engine_id: no engine %q with addresses; use ENGINE:ITEM as the id, or set engine_id", rec.EngineID)
	}
	if rec.Key == "" {
		return nil, fmt.Errorf("key: must be set")
	}
	return recordOf(rec.EngineID, running.engine.Put(rec.Item)), nil
}

// adminPatch changes an item in place; with another key or other labels it becomes another item.
func (e *engineItems) adminPatch(id string, patch map[string]any) (any, error) {
	inside, item, _ := e.locate(id)
	engineID, _, _ := strings.Cut(id, ":")
	var rec itemRecord
	if err := decodeStrict(encodeJSON(mergePatch(toObject(recordOf(engineID, item)), patch)), &rec); err != nil {
		return nil, fmt.Errorf("the patched record does not fit %s: %w", itemsPath, err)
	}
	if kie.ItemID(rec.Project, rec.Key, rec.Labels) != item.ID {
		inside.Delete(item.ID)
	}
	return e.put(rec)
}
