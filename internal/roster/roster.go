// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package roster observes the cloud resources of a kind by lists of all that an account holds of it (docs/adr/0014). A
// kind declares how it is listed, as Rows; objects are looked at one by one only where their row shows something else
// than their status says was observed.
package roster

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/inventory"
	"servicestage.dev/operator/internal/reconciler"
)

// stagger is the time between two looks that lists cause: five a second, half of what an account may call by default.
const stagger = 200 * time.Millisecond

// Row is what is kept of a cloud resource that a list shows.
type Row struct{ ID, Fingerprint string }

// Rows lists all that an account holds of a kind.
type Rows func(ctx context.Context, cloud *cloudclient.Client) iter.Seq2[Row, error]

// Of makes rows of a list.
func Of[T any](list iter.Seq2[*T, error], id, fingerprint func(*T) string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for item, err := range list {
			row := Row{}
			if err == nil {
				row = Row{ID: id(item), Fingerprint: fingerprint(item)}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// Fingerprint makes a short text of what is to be compared, which must be the same where a detail and a list show it.
func Fingerprint(parts ...any) string {
	hash := fnv.New64a()
	for _, part := range parts {
		_, _ = fmt.Fprintf(hash, "%v\x00", part) // a hash.Hash never returns an error
	}
	return fmt.Sprintf("%016x", hash.Sum64())
}

// mark is a fingerprint. An empty one is like no other.
type mark string

// Same says whether two marks are of the same content.
func (m mark) Same(other mark) bool { return m != "" && m == other }

// lister lists for one account.
type lister struct {
	rows  Rows
	cloud *cloudclient.Client
	// refused tells the account that its credentials were.
	refused func(ctx context.Context)
}

// List returns everything. It cannot wait.
func (l *lister) List(ctx context.Context, _ int64, _ time.Duration) (inventory.Listing[mark], error) {
	items := map[string]mark{}
	for row, err := range l.rows(ctx, l.cloud) {
		if clouderr.Is(err, clouderr.Unauthorized) {
			l.refused(ctx)
		}
		if err != nil {
			return inventory.Listing[mark]{}, err
		}
		items[row.ID] = mark(row.Fingerprint)
	}
	return inventory.Listing[mark]{Items: items}, nil
}

// Options of an Inventory.
type Options struct {
	// Accounts finds whose lists an object is in.
	Accounts *account.Resolver
	// Refusals is told of credentials that the cloud refused.
	Refusals reconciler.Accounts
	// Interval between two lists.
	Interval time.Duration
}

// Inventory is what lists show of one kind, by account.
type Inventory struct {
	*inventory.Inventory[mark, *lister]
	Options
	rows Rows
}

var _ reconciler.Inventory = (*Inventory)(nil)

// New returns the inventory of a kind, which lists nothing before it is added to a manager and objects watch.
func New(o Options, rows Rows) *Inventory {
	lists := inventory.New[mark, *lister](inventory.Options{Polled: true, Stagger: stagger})
	return &Inventory{Inventory: lists, Options: o, rows: rows}
}

// Moved says whether a list showed something of the object's cloud resource that the object has not looked at.
func (i *Inventory) Moved(object inventory.Object) bool { return i.Begin(object) }

// Wake wakes objects whose cloud resources move.
func (i *Inventory) Wake(b *builder.Builder) { b.WatchesRawSource(i.Source()) }

// Watch compares, from now on, what lists show with what the object's status says was observed. An object whose cloud
// resource is not known, or at work, watches nothing: the loop polls it. Nor does one whose account cannot be used: a
// change of the account wakes it.
func (i *Inventory) Watch(ctx context.Context, object reconciler.Object, looked bool) error {
	key, status := client.ObjectKeyFromObject(object), object.CommonStatus()
	if status.ID == "" {
		i.Forget(key)
		return nil
	}
	ref := object.CommonSpec().AccountRef
	session, err := i.Accounts.Resolve(ctx, object.GetNamespace(), ref, external.ForSync)
	var wait *external.WaitError
	if errors.As(err, &wait) {
		i.Forget(key)
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the account whose lists show the object: %w", err)
	}
	of := account.RefKey(object.GetNamespace(), ref).String()
	feed, err := i.Subscribe(key, inventory.Connection{
		// An account whose credentials change lists anew.
		Key: of + " " + session.Version, Label: strings.TrimPrefix(of, "/"), Interval: i.Interval,
	}, func() (*lister, error) {
		return &lister{rows: i.rows, cloud: session.Cloud.Listing(), refused: func(ctx context.Context) {
			i.Refusals.ReportRefused(ctx, object.GetNamespace(), ref)
		}}, nil
	})
	if err != nil {
		return err
	}
	if status.Operation != nil {
		feed.Unwatch(key)
		return nil
	}
	feed.Watch(key, status.ID, mark(status.ObservedFingerprint), looked)
	return nil
}
