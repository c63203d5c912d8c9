// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"servicestage.dev/operator/internal/cloudclient/wire"
)

// The states of items.
const (
	StatusEnabled  = "enabled"
	StatusDisabled = "disabled"
)

// DefaultValueType is the type of a value that names none.
const DefaultValueType = "text"

// Item is a configuration item (API reference 8.7, table 8-162). It is printed without its value, which can be a secret,
// and marshals to what a creation or an import takes.
type Item struct {
	// ID is given by the server. It can return after the item was deleted and created again.
	ID  string
	Key string
	// Value is at most 131072 bytes long.
	Value string
	// ValueType is "text", "json", "yaml", "ini", "properties" or "xml".
	ValueType string
	// Status is "enabled" or "disabled".
	Status string
	Labels map[string]string
	// CreateTime and UpdateTime are milliseconds since the epoch, in whole seconds; 0 where the server does not tell.
	CreateTime, UpdateTime int64
	// CreateRevision and UpdateRevision are the engine's revisions at which the item was created and last written.
	CreateRevision, UpdateRevision int64
}

// Identity is what no two items of an engine share: the key with all labels.
func (i Item) Identity() string { return Identity(i.Key, i.Labels) }

// Identity returns a text that is the same for the same key and set of labels, and for no other.
func Identity(key string, labels map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q", key)
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&b, " %q=%q", name, labels[name])
	}
	return b.String()
}

// itemJSON is an item as servers write it. Revisions are called versions in one table of the reference.
type itemJSON struct {
	ID             wire.Text    `json:"id"`
	Key            wire.Text    `json:"key"`
	Value          wire.Text    `json:"value"`
	ValueType      wire.Text    `json:"value_type"`
	Status         wire.Text    `json:"status"`
	Labels         wire.Texts   `json:"labels"`
	CreateTime     wire.Millis  `json:"create_time"`
	UpdateTime     wire.Millis  `json:"update_time"`
	CreateRevision wire.Integer `json:"create_revision"`
	UpdateRevision wire.Integer `json:"update_revision"`
	CreateVersion  wire.Integer `json:"create_version"`
	UpdateVersion  wire.Integer `json:"update_version"`
}

// UnmarshalJSON reads an item, bare or inside a member "kie".
func (i *Item) UnmarshalJSON(data []byte) error {
	var read struct {
		itemJSON
		Kie *itemJSON `json:"kie"`
	}
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	one := read.itemJSON
	if read.Kie != nil && one.Key == "" {
		one = *read.Kie
	}
	*i = Item{
		ID: string(one.ID), Key: string(one.Key), Value: string(one.Value),
		ValueType:  cmp.Or(strings.ToLower(string(one.ValueType)), DefaultValueType),
		Status:     cmp.Or(strings.ToLower(string(one.Status)), StatusDisabled),
		Labels:     one.Labels,
		CreateTime: int64(one.CreateTime), UpdateTime: int64(one.UpdateTime),
		CreateRevision: int64(cmp.Or(one.CreateRevision, one.CreateVersion)),
		UpdateRevision: int64(cmp.Or(one.UpdateRevision, one.UpdateVersion)),
	}
	return nil
}

// MarshalJSON writes what a creation or an import takes. Empty optional members are left out, the value never is.
func (i Item) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Key       string            `json:"key"`
		Value     string            `json:"value"`
		Labels    map[string]string `json:"labels,omitempty"`
		Status    string            `json:"status,omitempty"`
		ValueType string            `json:"value_type,omitempty"`
	}{i.Key, i.Value, i.Labels, i.Status, i.ValueType})
}

// Format keeps the value out of everything that prints an item.
func (i Item) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "kie.Item{%s, id %q, type %q, status %q, %d bytes}", i.Identity(), i.ID, i.ValueType, i.Status, len(i.Value))
}

// LogValue keeps the value out of log/slog.
func (i Item) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(i)) }
