// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// without authentication on both sides.
func openEngine(t testing.TB, handler http.HandlerFunc) (*fakeEngine, *Client) {
	t.Helper()
	engine := newFakeEngine(t, handler)
	engine.password = ""
	return engine, engine.client(open)
}

const emptyList = `{"total":0,"data":[]}`

func TestListRequests(t *testing.T) {
	tests := []struct {
		name    string
		options ListOptions
		want    string
	}{
		{"all", ListOptions{}, "/v1/default/kie/kv"},
		{"unlabelled items only", ListOptions{Exact: true}, "/v1/default/kie/kv?match=exact"},
		{
			"one item", ListOptions{Key: "a.b:c", Labels: map[string]string{"version": "1.0.0", "app": "shop", "env": ""}, Exact: true},
			"/v1/default/kie/kv?key=a.b%3Ac&label=app%3Ashop&label=env%3A&label=version%3A1.0.0&match=exact",
		},
		{"since a revision", ListOptions{Revision: 14}, "/v1/default/kie/kv?revision=14"},
		{"waiting", ListOptions{Revision: 14, Wait: 90 * time.Second}, "/v1/default/kie/kv?revision=14&wait=90s"},
		{"waiting shortly", ListOptions{Wait: 250 * time.Millisecond}, "/v1/default/kie/kv?wait=250ms"},
		{"waiting for longer than the server takes", ListOptions{Wait: time.Hour}, "/v1/default/kie/kv?wait=290s"},
		{"a page", ListOptions{Limit: 100, Offset: 200}, "/v1/default/kie/kv?limit=100&offset=200"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			engine, client := openEngine(t, reply(200, emptyList))
			if _, err := client.List(t.Context(), tt.options); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"GET " + tt.want}, engine.requests()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestListRefusesWhatCannotBe(t *testing.T) {
	engine, client := openEngine(t, nil)
	for _, options := range []ListOptions{
		{Limit: 101}, {Limit: -1}, {Offset: 5}, {Limit: 5, Offset: -5}, {Key: "k", Wait: time.Second}, {Wait: -1}, {Revision: -1},
	} {
		if _, err := client.List(t.Context(), options); !clouderr.Is(err, clouderr.Invalid) {
			t.Errorf("List(%+v) = %v, want class Invalid", options, err)
		}
	}
	if got := engine.requests(); len(got) != 0 {
		t.Errorf("requests were sent: %v", got)
	}
}

func TestListReplies(t *testing.T) {
	item := Item{ID: "i1", Key: "k1", Value: "v1", ValueType: "text", Status: "enabled", CreateRevision: 1, UpdateRevision: 2}
	tests := []struct {
		name    string
		options ListOptions
		answer  http.HandlerFunc
		want    *Snapshot
		class   clouderr.Class
	}{
		{
			"items", ListOptions{}, reply(200, `{"total":1,"data":[`+oneItem+`,null]}`, "X-Kie-Revision: 14"),
			&Snapshot{Revision: 14, Total: 1, Items: []Item{item}}, "",
		},
		{
			"wrapped items without a revision", ListOptions{}, reply(200, `{"total":"1","data":[{"kie":`+oneItem+`}]}`),
			&Snapshot{Revision: 2, Total: 1, Items: []Item{item}}, "",
		},
		{"without a total", ListOptions{}, reply(200, `{"data":[`+oneItem+`]}`), &Snapshot{Revision: 2, Total: 1, Items: []Item{item}}, ""},
		{"no items", ListOptions{Revision: 3}, reply(200, emptyList, "X-Kie-Revision: 15"), &Snapshot{Revision: 15}, ""},
		{"no items, null", ListOptions{}, reply(200, `{"total":0,"data":null}`, "X-Kie-Revision: 15"), &Snapshot{Revision: 15}, ""},
		{"nothing new", ListOptions{Revision: 14}, reply(304, ""), &Snapshot{Revision: 14, NotModified: true}, ""},
		{
			"a page", ListOptions{Limit: 1}, reply(200, `{"total":8,"data":[`+oneItem+`]}`, "X-Kie-Revision: 14"),
			&Snapshot{Revision: 14, Total: 8, Items: []Item{item}}, "",
		},
		{"an object that is no list", ListOptions{}, reply(200, `{}`), nil, clouderr.Transient},
		{"null", ListOptions{}, reply(200, `null`), nil, clouderr.Transient},
		{"HTML", ListOptions{}, reply(200, `<html>`), nil, clouderr.Transient},
		{"nothing", ListOptions{}, reply(200, ``), nil, clouderr.Transient},
		{"cut", ListOptions{}, reply(200, `{"total":1,"data":[{"id":`), nil, clouderr.Transient},
		{"fewer items than it says, and no more", ListOptions{}, reply(200, `{"total":2,"data":[`+oneItem+`]}`), nil, clouderr.Transient},
		{"throttled", ListOptions{}, reply(429, ""), nil, clouderr.Throttled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, client := openEngine(t, func(w http.ResponseWriter, r *http.Request) {
				if offset := r.URL.Query().Get("offset"); offset != "" && offset != "0" {
					reply(200, `{"total":2,"data":[]}`)(w, r)
					return
				}
				tt.answer(w, r)
			})
			got, err := client.List(t.Context(), tt.options)
			if clouderr.ClassOf(err) != tt.class {
				t.Fatalf("List = %v, want class %q", err, tt.class)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("snapshot (-want +got):\n%s", diff)
			}
		})
	}
}

// store is a list of items that is served in pages.
type store struct {
	mu       sync.Mutex
	revision int
	items    []Item
	// whole says that a list without a limit is answered in full; otherwise with its first page.
	whole bool
	// write happens before a page is served.
	write func(s *store, offset int)
}

func newStore(n int, value string) *store {
	s := &store{revision: n, whole: true}
	for i := range n {
		s.items = append(s.items, Item{Key: fmt.Sprint("k", i), Value: value, ID: fmt.Sprint("i", i)})
	}
	return s
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	query := r.URL.Query()
	offset, limit := number(query.Get("offset")), number(query.Get("limit"))
	if limit == 0 {
		limit = 100
		if s.whole {
			limit = len(s.items)
		}
	}
	if s.write != nil {
		s.write(s, offset)
	}
	offset = min(offset, len(s.items))
	page := s.items[offset:min(len(s.items), offset+limit)]
	body, err := json.Marshal(map[string]any{"total": len(s.items), "data": page})
	if err != nil {
		reply(500, "")(w, r)
		return
	}
	reply(200, string(body), "X-Kie-Revision: "+strconv.Itoa(s.revision))(w, r)
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

func TestListOfManyItems(t *testing.T) {
	t.Run("in one reply", func(t *testing.T) {
		engine, client := openEngine(t, newStore(1000, "v").ServeHTTP)
		got, err := client.List(t.Context(), ListOptions{})
		if err != nil || len(got.Items) != 1000 || got.Total != 1000 || got.Revision != 1000 {
			t.Fatalf("%d items of %d at %d, %v", len(got.Items), got.Total, got.Revision, err)
		}
		if n := len(engine.requests()); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	})
	t.Run("from a server that pages on its own account", func(t *testing.T) {
		items := newStore(250, "v")
		items.whole = false
		engine, client := openEngine(t, items.ServeHTTP)
		got, err := client.List(t.Context(), ListOptions{})
		if err != nil || len(got.Items) != 250 {
			t.Fatalf("%d items, %v", len(got.Items), err)
		}
		if n := len(engine.requests()); n != 4 {
			t.Errorf("%d requests, want 4: %v", n, engine.requests())
		}
	})
	t.Run("too large for one reply, and for a large page", func(t *testing.T) {
		engine, client := openEngine(t, newStore(120, strings.Repeat("x", 100_000)).ServeHTTP)
		got, err := client.List(t.Context(), ListOptions{})
		if err != nil || len(got.Items) != 120 {
			t.Fatalf("%v", err)
		}
		if n := len(engine.requests()); n != 5 {
			t.Errorf("%d requests, want 5: %v", n, engine.requests())
		}
	})
	t.Run("changed between two pages, once", func(t *testing.T) {
		items := newStore(150, "v")
		items.whole = false
		items.write = func(s *store, offset int) {
			if offset == 100 && s.revision == 150 {
				s.revision, s.items = 151, s.items[1:]
			}
		}
		_, client := openEngine(t, items.ServeHTTP)
		got, err := client.List(t.Context(), ListOptions{})
		if err != nil || len(got.Items) != 149 || got.Revision != 151 {
			t.Fatalf("%+v, %v", got, err)
		}
	})
	t.Run("changing all the time", func(t *testing.T) {
		items := newStore(150, "v")
		items.whole = false
		items.write = func(s *store, _ int) { s.revision++ }
		engine, client := openEngine(t, items.ServeHTTP)
		if _, err := client.List(t.Context(), ListOptions{}); !clouderr.Is(err, clouderr.Transient) {
			t.Errorf("%v, want class Transient", err)
		}
		if n := len(engine.requests()); n != 1+2*(maxRestarts+1) {
			t.Errorf("%d requests", n)
		}
	})
}

func TestLongPollIsFoundOut(t *testing.T) {
	const wait = 30 * time.Second
	asked := ListOptions{Revision: 14, Wait: wait}
	news := reply(200, `{"total":1,"data":[`+oneItem+`]}`, "X-Kie-Revision: 15")
	tests := []struct {
		name        string
		took        time.Duration
		answer      http.HandlerFunc
		want        LongPoll
		notModified bool
	}{
		{"it waits to the end", wait, reply(304, ""), LongPollSupported, true},
		{"it waits for a write", 7 * time.Second, news, LongPollSupported, false},
		{"there was news already", time.Millisecond, news, LongPollUnknown, false},
		{"it does not wait", time.Millisecond, reply(304, ""), LongPollUnsupported, true},
		{
			"it knows neither waiting nor revisions", time.Millisecond, reply(200, `{"total":1,"data":[`+oneItem+`]}`, "X-Kie-Revision: 14"),
			LongPollUnsupported, false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var engine *fakeEngine
			engine, client := openEngine(t, func(w http.ResponseWriter, r *http.Request) {
				engine.clock.advance(tt.took)
				tt.answer(w, r)
			})
			got, err := client.List(t.Context(), asked)
			if err != nil {
				t.Fatal(err)
			}
			if got.LongPoll != tt.want || got.NotModified != tt.notModified {
				t.Errorf("long poll %q, not modified %v; want %q, %v", got.LongPoll, got.NotModified, tt.want, tt.notModified)
			}
			if n := len(engine.requests()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}

	t.Run("it refuses to wait", func(t *testing.T) {
		engine, client := openEngine(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("wait") {
				reply(400, `{"error_code":"SVCSTG.00400100","error_message":"wait"}`)(w, r)
				return
			}
			news(w, r)
		})
		got, err := client.List(t.Context(), asked)
		if err != nil || got.LongPoll != LongPollUnsupported || got.Revision != 15 || len(got.Items) != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		want := []string{"GET /v1/default/kie/kv?revision=14&wait=30s", "GET /v1/default/kie/kv?revision=14"}
		if diff := cmp.Diff(want, engine.requests()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
	t.Run("the request is wrong in another way", func(t *testing.T) {
		_, client := openEngine(t, reply(400, `{"errorCode":"400001","errorMessage":"invalid parameter(s)"}`))
		if got, err := client.List(t.Context(), asked); !clouderr.Is(err, clouderr.Invalid) {
			t.Errorf("%+v, %v, want class Invalid", got, err)
		}
	})
	t.Run("without waiting", func(t *testing.T) {
		_, client := openEngine(t, reply(304, ""))
		if got, err := client.List(t.Context(), ListOptions{Revision: 14}); err != nil || got.LongPoll != LongPollUnknown {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
