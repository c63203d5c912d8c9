// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package items

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/kie"
	"servicestage.dev/operator/internal/inventory"
)

const (
	// Parallel is how many writes are under way at once in one engine, whatever the number of objects.
	Parallel = 8
	// batch is how many items one call deletes.
	batch = 500
)

// Engine is the way to an engine's own address.
type Engine struct {
	client *kie.Client
	// slots are taken by writes that are under way.
	slots chan struct{}
}

var _ Store = Engine{}

// NewEngine returns the way that client has, with so many writes under way at once.
func NewEngine(client *kie.Client, parallel int) Engine {
	return Engine{client: client, slots: make(chan struct{}, parallel)}
}

// List lists all items.
func (e Engine) List(ctx context.Context, since int64, wait time.Duration) (inventory.Listing[Fingerprint], error) {
	snapshot, err := e.client.List(ctx, kie.ListOptions{Revision: since, Wait: wait})
	if err != nil {
		return inventory.Listing[Fingerprint]{}, err
	}
	return inventory.Listing[Fingerprint]{
		Items: listed(snapshot.Items), Revision: snapshot.Revision, Unchanged: snapshot.NotModified,
		Waits: map[kie.LongPoll]inventory.Support{
			kie.LongPollSupported: inventory.Supported, kie.LongPollUnsupported: inventory.Unsupported,
		}[snapshot.LongPoll],
	}, nil
}

// Write writes each item by calls of its own.
func (e Engine) Write(ctx context.Context, steps []Step, told func(Written)) {
	var group errgroup.Group
	group.SetLimit(cap(e.slots))
	var over, full atomic.Bool
	for _, step := range steps {
		group.Go(func() error {
			e.slots <- struct{}{}
			defer func() { <-e.slots }()
			if over.Load() || full.Load() && step.Have == nil {
				return nil
			}
			is, err := e.write(ctx, step)
			if hopeless(err) {
				over.Store(true)
			}
			if clouderr.Is(err, clouderr.Quota) {
				full.Store(true)
			}
			told(Written{Step: step, Is: is, Err: err})
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
}

func (e Engine) write(ctx context.Context, step Step) (Fingerprint, error) {
	item := step.cloud()
	if step.Have != nil && !step.Have.Replaced(step.Item) {
		return fingerprint(e.client.Update(ctx, step.Have.ID, item.Value, item.Status))
	}
	if step.Have != nil {
		if err := e.client.Delete(ctx, step.Have.ID); err != nil && !clouderr.Is(err, clouderr.NotFound) {
			return Fingerprint{}, err
		}
	}
	return fingerprint(e.client.Create(ctx, item))
}

func fingerprint(item *kie.Item, err error) (Fingerprint, error) {
	if err != nil {
		return Fingerprint{}, err
	}
	return Of(item), nil
}

// Remove deletes in batches.
func (e Engine) Remove(ctx context.Context, ids []string) error {
	for len(ids) > 0 {
		n := min(len(ids), batch)
		if err := e.client.DeleteBatch(ctx, ids[:n]); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// Removes is true.
func (e Engine) Removes() bool { return true }

// Close drops idle connections.
func (e Engine) Close() error {
	e.client.Close()
	return nil
}

// statusOf returns the HTTP status of an error, 0 where no reply arrived.
func statusOf(err error) int {
	var failure *clouderr.Error
	if errors.As(err, &failure) {
		return failure.Status
	}
	return 0
}
