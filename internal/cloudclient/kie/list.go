// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/wire"
)

const (
	// maxPage is the largest page that the server gives.
	maxPage = 100
	// maxWait is the longest long poll; the server takes less than 5 minutes.
	maxWait = 290 * time.Second
	// maxRestarts is how often a list is read again from its start because it changed under way.
	maxRestarts = 3
	// maxSnapshot bounds the values of one list, in bytes.
	maxSnapshot = 128 << 20
)

// LongPoll says what a list showed about the server's long polling.
type LongPoll string

const (
	// LongPollUnknown: the list showed nothing; it did not ask, or something had changed already.
	LongPollUnknown LongPoll = ""
	// LongPollSupported: the server held the request.
	LongPollSupported LongPoll = "Supported"
	// LongPollUnsupported: the server refused to wait, or did not wait.
	LongPollUnsupported LongPoll = "Unsupported"
)

// ListOptions say which items are listed. The zero value lists all.
type ListOptions struct {
	// Labels are what items must carry; with Exact these and no others, so that Exact without Labels lists the items
	// without labels.
	Labels map[string]string
	Exact  bool
	// Key lists the items of one key. It does not go with Wait.
	Key string
	// Revision makes the list conditional where not zero: nothing is returned while the engine's revision is this one.
	Revision int64
	// Wait makes the list wait for a change of an item that it covers, and for at most this time. 290 s are the maximum.
	Wait time.Duration
	// Limit and Offset ask for one page of 1 to 100 items. Without a limit all items are returned.
	Limit, Offset int
}

// Snapshot is the items of an engine at one revision.
type Snapshot struct {
	// Revision is the engine's revision, which every write of any item raises.
	Revision int64
	Items    []Item
	// Total is the number of items that the options cover, on all pages.
	Total int
	// NotModified says that nothing has changed since the revision asked for, or while the server waited. There are no
	// items then.
	NotModified bool
	LongPoll    LongPoll
}

// List lists items (8.7.4). Without a limit it takes one request where the reply is of a usual size, and otherwise reads
// pages of the same revision. An error of class Transient also says that the list was incomplete or did not settle.
func (c *Client) List(ctx context.Context, options ListOptions) (*Snapshot, error) {
	switch {
	case options.Limit < 0 || options.Limit > maxPage:
		return nil, clouderr.New(clouderr.Invalid, "limit %d is not within 1 and %d", options.Limit, maxPage)
	case options.Offset < 0 || options.Offset > 0 && options.Limit == 0:
		return nil, clouderr.New(clouderr.Invalid, "offset %d goes with a limit and is not negative", options.Offset)
	case options.Wait > 0 && options.Key != "":
		return nil, clouderr.New(clouderr.Invalid, "a list of one key cannot wait")
	case options.Wait < 0 || options.Revision < 0:
		return nil, clouderr.New(clouderr.Invalid, "wait and revision must not be negative")
	}
	options.Wait = min(options.Wait, maxWait)
	if options.Wait > 0 {
		return c.poll(ctx, options)
	}
	return c.list(ctx, options)
}

// poll makes a list that waits, and finds out whether the server does. A server that refuses to wait is asked again
// without.
func (c *Client) poll(ctx context.Context, options ListOptions) (*Snapshot, error) {
	started := c.cfg.Clock.Now()
	snapshot, err := c.list(ctx, options)
	took := c.cfg.Clock.Now().Sub(started)
	if clouderr.Is(err, clouderr.Invalid) && asError(err).Status == http.StatusBadRequest {
		options.Wait = 0
		if snapshot, err = c.list(ctx, options); err != nil {
			return nil, err
		}
		snapshot.LongPoll = LongPollUnsupported
		return snapshot, nil
	}
	if err != nil {
		return nil, err
	}
	snapshot.LongPoll = judgePoll(options, snapshot, took)
	return snapshot, nil
}

// judgePoll says what the answer to a list that could wait shows. An answer that brings news proves nothing by coming
// early, and one without news has no reason to. Pure.
func judgePoll(options ListOptions, snapshot *Snapshot, took time.Duration) LongPoll {
	const held = 2 * time.Second // longer than a list takes
	news := !snapshot.NotModified && snapshot.Revision != options.Revision
	switch {
	case took >= min(held, options.Wait/2):
		return LongPollSupported
	case news:
		return LongPollUnknown
	default:
		return LongPollUnsupported
	}
}

// list reads a page, or everything.
func (c *Client) list(ctx context.Context, options ListOptions) (*Snapshot, error) {
	snapshot, err := c.page(ctx, options)
	switch {
	case options.Limit > 0:
		return snapshot, err
	case err == nil && (snapshot.NotModified || len(snapshot.Items) >= snapshot.Total):
		return snapshot, nil
	case err == nil || errors.Is(err, cloudclient.ErrReplyTooLarge):
		options.Wait, options.Revision = 0, 0
		return c.pages(ctx, options)
	default:
		return nil, err
	}
}

// pages reads a list that does not fit into one reply. It starts again where a write came between two pages, and takes
// smaller pages where even one of them is too large.
func (c *Client) pages(ctx context.Context, options ListOptions) (*Snapshot, error) {
	options.Limit = maxPage
	for restarts := 0; restarts <= maxRestarts; {
		whole, err := c.readPages(ctx, options)
		switch {
		case errors.Is(err, errChanged):
			restarts++
		case errors.Is(err, cloudclient.ErrReplyTooLarge) && options.Limit > 1:
			options.Limit /= 2
		default:
			return whole, err
		}
	}
	return nil, unsettled("the configuration center's list changed while it was read, %d times", maxRestarts+1)
}

var errChanged = errors.New("the list changed between two pages")

func (c *Client) readPages(ctx context.Context, options ListOptions) (*Snapshot, error) {
	whole := &Snapshot{}
	seen := map[string]bool{}
	size := 0
	for options.Offset = 0; ; options.Offset += options.Limit {
		part, err := c.page(ctx, options)
		if err != nil {
			return nil, err
		}
		if options.Offset > 0 && (part.Revision != whole.Revision || part.Total != whole.Total) {
			return nil, errChanged
		}
		whole.Revision, whole.Total = part.Revision, part.Total
		for _, item := range part.Items {
			if identity := item.Identity(); !seen[identity] {
				seen[identity] = true
				whole.Items = append(whole.Items, item)
				size += len(item.Value)
			}
		}
		switch {
		case size > maxSnapshot:
			return nil, clouderr.New(clouderr.Invalid, "the engine's items hold more than %d MiB", maxSnapshot>>20)
		case len(whole.Items) >= whole.Total:
			return whole, nil
		case len(part.Items) == 0:
			return nil, unsettled("the configuration center's list is incomplete: %d items of %d", len(whole.Items), whole.Total)
		}
	}
}

func unsettled(format string, args ...any) error {
	failure := clouderr.New(clouderr.Transient, format, args...)
	failure.Service, failure.Operation = string(cloudclient.Kie), "ListItems"
	return failure
}

// page makes one request.
func (c *Client) page(ctx context.Context, options ListOptions) (*Snapshot, error) {
	var out struct {
		Total *wire.Integer `json:"total"`
		Data  *[]*Item      `json:"data"`
	}
	operation := "ListItems"
	if options.Wait > 0 {
		operation = "WaitForItems"
	}
	reply, err := c.do(ctx, cloudclient.DirectRequest{
		Operation: operation, Method: http.MethodGet, URL: &url.URL{Path: basePath + "/kv"}, Query: options.query(),
		Out: &out, NotModified: true, Wait: options.Wait,
	})
	if err != nil {
		return nil, err
	}
	if reply.Status == http.StatusNotModified {
		return &Snapshot{Revision: options.Revision, NotModified: true}, nil
	}
	if out.Total == nil && out.Data == nil {
		return nil, unsettled("the configuration center's reply holds no list")
	}
	snapshot := &Snapshot{}
	if out.Data != nil {
		for _, item := range *out.Data {
			if item != nil && item.Key != "" {
				snapshot.Items = append(snapshot.Items, *item)
			}
		}
	}
	snapshot.Total = len(snapshot.Items)
	if out.Total != nil {
		snapshot.Total = int(*out.Total)
	}
	snapshot.Revision = revisionOf(reply.Header, snapshot.Items)
	return snapshot, nil
}

// revisionOf returns the revision of a list: what the header says, else the latest of its items.
func revisionOf(header http.Header, items []Item) int64 {
	if revision, err := strconv.ParseInt(header.Get("X-Kie-Revision"), 10, 64); err == nil {
		return revision
	}
	var latest int64
	for _, item := range items {
		latest = max(latest, item.UpdateRevision)
	}
	return latest
}

func (o ListOptions) query() url.Values {
	query := url.Values{}
	for _, name := range slices.Sorted(maps.Keys(o.Labels)) {
		query.Add("label", name+":"+o.Labels[name])
	}
	if o.Exact {
		query.Set("match", "exact")
	}
	if o.Key != "" {
		query.Set("key", o.Key)
	}
	if o.Revision > 0 {
		query.Set("revision", strconv.FormatInt(o.Revision, 10))
	}
	if o.Wait > 0 {
		query.Set("wait", waitText(o.Wait))
	}
	if o.Limit > 0 {
		query.Set("limit", strconv.Itoa(o.Limit))
		query.Set("offset", strconv.Itoa(o.Offset))
	}
	return query
}

// waitText writes a duration as one number with one unit.
func waitText(wait time.Duration) string {
	if wait >= time.Second {
		return strconv.FormatInt(int64(wait/time.Second), 10) + "s"
	}
	return strconv.FormatInt(max(1, wait.Milliseconds()), 10) + "ms"
}
