// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package items reads and writes sets of configuration items: straight at an engine's own address, or by import and
// export through the cloud's gateway.
package items

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/kie"
	"servicestage.dev/operator/internal/inventory"
)

// Item is an item as it is wanted.
type Item struct {
	Key    string
	Labels map[string]string
	// Value may be a secret.
	Value     string
	ValueType string
	Enabled   bool
}

// Identity is what no two items of an engine share.
func (i Item) Identity() string { return Identity(i.Key, i.Labels) }

// Identity returns 16 characters that stand for a key and labels.
func Identity(key string, labels map[string]string) string {
	sum := sha256.Sum256([]byte(kie.Identity(key, labels)))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Name is how messages and paths call an item: its key, and where they are asked for its labels as {a=b,c=d}.
func Name(key string, labels map[string]string, withLabels bool) string {
	if !withLabels || len(labels) == 0 {
		return key
	}
	pairs := make([]string, 0, len(labels))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, name+"="+labels[name])
	}
	return key + "{" + strings.Join(pairs, ",") + "}"
}

// Fingerprint is what is kept of an item that was listed: everything but the value.
type Fingerprint struct {
	ID     string
	Key    string
	Labels map[string]string
	// Sum is the SHA-256 of the value, and Empty says that it is "".
	Sum       [sha256.Size]byte
	Empty     bool
	ValueType string
	Enabled   bool
	// CreatedAt is zero where it is not known.
	CreatedAt      time.Time
	UpdateRevision int64
}

// Of returns the fingerprint of an item that was observed.
func Of(item *kie.Item) Fingerprint {
	f := Fingerprint{
		ID: item.ID, Key: item.Key, Labels: item.Labels, Sum: sha256.Sum256([]byte(item.Value)), Empty: item.Value == "",
		ValueType: item.ValueType, Enabled: item.Status == kie.StatusEnabled, UpdateRevision: item.UpdateRevision,
	}
	if item.CreateTime > 0 {
		f.CreatedAt = time.UnixMilli(item.CreateTime)
	}
	return f
}

// Same says whether other shows the same content.
func (f Fingerprint) Same(other Fingerprint) bool {
	return f.Sum == other.Sum && f.ValueType == other.ValueType && f.Enabled == other.Enabled
}

// Shows says whether what was observed is what is wanted.
func (f Fingerprint) Shows(want Item) bool {
	return f.Sum == sha256.Sum256([]byte(want.Value)) && f.ValueType == want.ValueType && f.Enabled == want.Enabled
}

// Replaced says whether the item can become what is wanted only by being deleted and created: a type cannot be changed,
// and an empty value is ignored.
func (f Fingerprint) Replaced(want Item) bool {
	return f.ValueType != want.ValueType || want.Value == "" && !f.Empty
}

// Step is one write.
type Step struct {
	Item
	// Have is what is there; nil where nothing is.
	Have *Fingerprint
	// Force is set where the item may be overwritten, should there be one after all.
	Force bool
}

// Written is what an item is after it was written.
type Written struct {
	Step
	Is Fingerprint
	// Err is why it was not written. Its class is that of the refusal.
	Err error
}

// Store is one way to the items of an engine. It is safe for concurrent use.
type Store interface {
	inventory.Lister[Fingerprint]
	// Write carries out steps, and tells of each as it ends; concurrently. Steps that were not tried because others
	// failed are not told of.
	Write(ctx context.Context, steps []Step, told func(Written))
	// Remove deletes items by their ids. It is of class Invalid where this way cannot.
	Remove(ctx context.Context, ids []string) error
	// Removes says whether this way can delete.
	Removes() bool
	// Close drops idle connections.
	Close() error
}

// listed returns a listing's items by identity.
func listed(list []kie.Item) map[string]Fingerprint {
	out := make(map[string]Fingerprint, len(list))
	for i := range list {
		out[Identity(list[i].Key, list[i].Labels)] = Of(&list[i])
	}
	return out
}

func (i Item) cloud() kie.Item {
	status := kie.StatusDisabled
	if i.Enabled {
		status = kie.StatusEnabled
	}
	return kie.Item{Key: i.Key, Value: i.Value, ValueType: i.ValueType, Labels: i.Labels, Status: status}
}

// hopeless says whether, after an error, further calls would fail as well or do harm.
func hopeless(err error) bool {
	switch clouderr.ClassOf(err) {
	case clouderr.Unauthorized, clouderr.Forbidden, clouderr.Throttled:
		return true
	case clouderr.Transient:
		return statusOf(err) == 0 // nobody answered
	default:
		return false
	}
}
