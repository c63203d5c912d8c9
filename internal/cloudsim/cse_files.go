// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"servicestage.dev/operator/internal/cloudsim/kie"
)

const (
	headerEngineID = "X-Engine-Id"
	// itemsProject is the only project inside an engine.
	itemsProject = "default"

	maxItemKey   = 2048
	maxItemValue = 131072
)

// itemError is a refusal of the gateway's import and export, with one of the codes of table 12-3.
func itemError(number, format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "SVCSTG." + number, message: fmt.Sprintf(format, args...), shape: shapeItems}
}

// engineOf finds the engine that x-engine-id names. The codes are inferred but for the missing engine's.
func (s *cse) engineOf(c *call) (*kie.Engine, error) {
	id := c.request.Header.Get(headerEngineID)
	if id == "" {
		return nil, itemError("00400100", "The header x-engine-id is mandatory.")
	}
	found, err := s.find(c, id)
	var refused *apiError
	if errors.As(err, &refused) {
		refused.shape = shapeItems
		return nil, refused
	}
	running := s.hosts.find(found.ID)
	if running == nil || !found.serves() {
		return nil, &apiError{
			status: http.StatusInternalServerError, code: "SVCSTG.00300605", message: "Failed to connect the configuration center to ETCD.", shape: shapeItems,
		}
	}
	return running.engine, nil
}

// labelFilter reads label=KEY:VALUE; nil is none.
func labelFilter(c *call) (map[string]string, error) {
	if !c.query.Has("label") || c.query.Get("label") == "" {
		return nil, nil
	}
	labels := map[string]string{}
	for _, text := range c.query["label"] {
		key, value, ok := strings.Cut(text, ":")
		if !ok || key == "" {
			return nil, itemError("00400653", "label must be {label key}:{label value}.")
		}
		labels[key] = value
	}
	return labels, nil
}

// importItems is 7.2.1. That what table 12-3 has a code for fails the whole file, anything else only its own item, is
// inferred.
func (s *cse) importItems(c *call) (reply, error) {
	inside, err := s.engineOf(c)
	if err != nil {
		return reply{}, err
	}
	override := kie.Override(c.query.Get("override"))
	switch override {
	case kie.OverrideForce, kie.OverrideSkip, kie.OverrideAbort:
	default:
		return reply{}, itemError("00400100", "override must be force, skip or abort.")
	}
	labels, err := labelFilter(c)
	if err != nil {
		return reply{}, err
	}
	file, err := uploadedFile(c)
	if err != nil {
		return reply{}, err
	}
	list, err := readItems(file)
	if err != nil {
		return reply{}, err
	}
	for i := range list {
		if labels != nil {
			list[i].Labels = labels
		}
	}
	success, failures := inside.Import(list, override)
	return reply{status: http.StatusOK, body: map[string]any{"success": importedItems(success), "failure": failedItems(failures, c.quirks)}}, nil
}

// uploadedFile returns the form field upload_file.
func uploadedFile(c *call) ([]byte, error) {
	mediaType, params, err := mime.ParseMediaType(c.request.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/form-data" {
		return nil, itemError("00400650", "Invalid configuration file: the body must be multipart/form-data.")
	}
	form := multipart.NewReader(bytes.NewReader(c.body), params["boundary"])
	for {
		part, err := form.NextPart()
		if err != nil {
			return nil, itemError("00400650", "Invalid configuration file: the form has no field upload_file.")
		}
		if part.FormName() != "upload_file" {
			continue
		}
		if !strings.HasSuffix(part.FileName(), ".json") {
			return nil, itemError("00400650", "Invalid configuration file: the file's name must end in .json.")
		}
		file, err := io.ReadAll(part)
		if err != nil {
			return nil, itemError("00400650", "Invalid configuration file: it breaks off.")
		}
		return file, nil
	}
}

// readItems reads the file of 7.2.1.
func readItems(file []byte) ([]kie.Item, error) {
	var document struct {
		Data []map[string]json.RawMessage `json:"data"`
	}
	if len(file) == 0 || json.Unmarshal(file, &document) != nil {
		return nil, itemError("00400651", "The file is empty or in an incorrect format.")
	}
	list := make([]kie.Item, 0, len(document.Data))
	for i, fields := range document.Data {
		item, err := readItem(fields)
		if err != nil {
			err.message = fmt.Sprintf("data[%d]: %s", i, err.message)
			return nil, err
		}
		list = append(list, item)
	}
	return list, nil
}

func readItem(fields map[string]json.RawMessage) (kie.Item, *apiError) {
	item := kie.Item{Project: itemsProject}
	for name, into := range map[string]*string{"key": &item.Key, "value": &item.Value} {
		var text *string
		if json.Unmarshal(fields[name], &text) != nil || text == nil {
			return item, itemError("00400652", "The %s is empty or is not a string.", name)
		}
		*into = *text
	}
	if utf8.RuneCountInString(item.Key) > maxItemKey || utf8.RuneCountInString(item.Value) > maxItemValue {
		return item, itemError("00400649", "Too long key or value.")
	}
	for name, into := range map[string]any{"status": &item.Status, "value_type": &item.ValueType, "labels": &item.Labels} {
		if raw, ok := fields[name]; ok && json.Unmarshal(raw, into) != nil {
			return item, itemError("00400653", "Invalid label or body: %s.", name)
		}
	}
	return item, nil
}

// importedItems is KVDoc of table 7-6.
func importedItems(list []kie.Item) []map[string]any {
	items := make([]map[string]any, len(list))
	for i, item := range list {
		items[i] = map[string]any{
			"id": item.ID, "key": item.Key, "value": item.Value, "value_type": item.ValueType, "status": item.Status,
			"create_revision": item.CreateRevision, "update_revision": item.UpdateRevision, "create_time": item.CreateTime,
			"update_time": item.UpdateTime, "labels": item.Labels,
		}
	}
	return items
}

// failedItems has error_code as a string, as table 7-7 does; the engine itself writes a number.
func failedItems(list []kie.Failure, quirks Quirks) []map[string]any {
	items := make([]map[string]any, len(list))
	for i, failure := range list {
		var code any = strconv.Itoa(failure.Code)
		if quirks.NumericImportCodes {
			code = failure.Code
		}
		items[i] = map[string]any{"key": failure.Key, "labels": failure.Labels, "error_code": code, "error_message": failure.Message}
	}
	return items
}

// exportItems is 7.2.2.
func (s *cse) exportItems(c *call) (reply, error) {
	inside, err := s.engineOf(c)
	if err != nil {
		return reply{}, err
	}
	labels, err := labelFilter(c)
	if err != nil {
		return reply{}, err
	}
	var input struct {
		IDs []string `json:"ids"`
	}
	if err := c.decode(&input); err != nil {
		return reply{}, itemError("00400653", "Invalid label or body: %s.", err)
	}
	data := []map[string]any{}
	for _, item := range inside.Find(itemsProject, input.IDs, labels, c.query.Get("match") == "exact") {
		data = append(data, map[string]any{
			"id": item.ID, "key": item.Key, "value": item.Value, "labels": item.Labels, "status": item.Status, "value_type": item.ValueType,
		})
	}
	return reply{status: http.StatusOK, body: map[string]any{"metadata": map[string]any{"version": "2.0.0", "annotations": map[string]any{}}, "data": data}}, nil
}
