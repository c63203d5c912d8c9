// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"context"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

const (
	// maxPage is the largest page that the service gives, minPage the smallest that can overlap with the next.
	maxPage, minPage = 100, 2
	// maxIdlePages bounds how many pages may bring nothing new before a list counts as unsettled.
	maxIdlePages = 5
)

// page is one page of a list, with the number of all records.
type page[T any] struct {
	items []*T
	count int
}

// pager reads a list page by page, oldest first.
type pager[T any] struct {
	operation string
	size      int
	id        func(*T) string
	fetch     func(ctx context.Context, query url.Values) (page[T], error)
}

// pageSize is what a caller asked for within the bounds, or the largest.
func pageSize(limit int) int {
	if limit <= 0 {
		return maxPage
	}
	return min(max(limit, minPage), maxPage)
}

// all yields every record once.
//
// Records that are deleted while a list is read move the later ones to smaller offsets, where a plain reader would
// step over them. So every page overlaps with the one before by a record, and where a page starts on a record that was
// not seen yet, the reader steps back. New records come last and disturb nothing.
//
// A list that ends before its own total, or that never settles, ends in an error of class Transient, because callers
// take absence from a list that ended well as a sign that something is gone.
func (p pager[T]) all(ctx context.Context, filter url.Values) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		seen := map[string]bool{}
		for offset, idle := 0, 0; ; {
			got, err := p.fetch(ctx, p.query(filter, offset))
			if err != nil {
				yield(nil, err)
				return
			}
			before := len(seen)
			contiguous := offset == 0 || len(got.items) > 0 && seen[p.id(got.items[0])]
			if contiguous {
				for _, item := range got.items {
					if seen[p.id(item)] {
						continue
					}
					seen[p.id(item)] = true
					if !yield(item, nil) {
						return
					}
				}
				if done, err := p.ended(got, offset, len(seen)); done {
					if err != nil {
						yield(nil, err)
					}
					return
				}
			}
			if len(seen) == before {
				if idle++; idle > maxIdlePages {
					yield(nil, p.unsettled(len(seen), got.count))
					return
				}
			}
			offset = p.next(offset, len(got.items), contiguous)
		}
	}
}

// ended says whether a page is the last one, and whether the list ended before its own total.
func (p pager[T]) ended(got page[T], offset, seen int) (bool, error) {
	end := offset + len(got.items)
	switch {
	case len(got.items) > 0 && end < got.count, got.count == 0 && len(got.items) >= p.size:
		return false, nil // more to come; without a total a full page promises more
	case seen < got.count:
		return true, p.unsettled(seen, got.count)
	default:
		return true, nil
	}
}

// next returns the offset of the next page: on the last record of this one, or a page back where records were missed.
func (p pager[T]) next(offset, items int, contiguous bool) int {
	if contiguous {
		return offset + max(1, items-1)
	}
	return max(0, offset-(p.size-1))
}

func (p pager[T]) unsettled(seen, count int) error {
	failure := clouderr.New(clouderr.Transient, "the cloud's list is incomplete: %d records of %d", seen, count)
	failure.Service, failure.Operation = string(cloudclient.ServiceStage), p.operation
	return failure
}

func (p pager[T]) query(filter url.Values, offset int) url.Values {
	query := url.Values{
		"limit":    {strconv.Itoa(p.size)},
		"offset":   {strconv.Itoa(offset)},
		"order_by": {"create_time"},
		"order":    {"asc"},
	}
	maps.Copy(query, filter)
	return query
}

// contains says whether a list that is read to its end, or to the id, holds the id.
func contains[T any](list iter.Seq2[*T, error], id string, idOf func(*T) string) (bool, error) {
	for item, err := range list {
		if err != nil {
			return false, err
		}
		if idOf(item) == id {
			return true, nil
		}
	}
	return false, nil
}

// present drops the nulls from a list.
func present[T any](items []*T) []*T {
	return slices.DeleteFunc(items, func(item *T) bool { return item == nil })
}
