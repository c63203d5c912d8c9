// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// shelf is a list on a server that changes while it is read.
type shelf struct {
	ids     []string
	fetched []string // "offset+limit" of every page
	before  func(fetch int, s *shelf)
	spoil   func(fetch int, got *page[string])
}

func newShelf(n int) *shelf {
	s := &shelf{}
	for i := range n {
		s.ids = append(s.ids, fmt.Sprintf("id-%03d", i))
	}
	return s
}

func (s *shelf) fetch(_ context.Context, query url.Values) (page[string], error) {
	limit, _ := strconv.Atoi(query.Get("limit"))
	offset, _ := strconv.Atoi(query.Get("offset"))
	if s.before != nil {
		s.before(len(s.fetched), s)
	}
	s.fetched = append(s.fetched, fmt.Sprintf("%d+%d", offset, limit))
	got := page[string]{count: len(s.ids)}
	for _, id := range s.ids[min(offset, len(s.ids)):min(offset+limit, len(s.ids))] {
		got.items = append(got.items, &id)
	}
	if s.spoil != nil {
		s.spoil(len(s.fetched)-1, &got)
	}
	return got, nil
}

func (s *shelf) read(ctx context.Context, size int) (ids []string, err error) {
	reader := pager[string]{operation: "List", size: size, id: func(id *string) string { return *id }, fetch: s.fetch}
	for id, err := range reader.all(ctx, nil) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, *id)
	}
	return ids, nil
}

func TestPagerReadsEverythingOnce(t *testing.T) {
	for _, size := range []int{2, 3, 10, 100} {
		for _, n := range []int{0, 1, 2, 3, 9, 10, 11, 19, 20, 21, 99, 100, 101, 250} {
			s := newShelf(n)
			got, err := s.read(t.Context(), size)
			if err != nil {
				t.Errorf("%d records in pages of %d: %v", n, size, err)
			}
			if !slices.Equal(got, s.ids) {
				t.Errorf("%d records in pages of %d: read %d", n, size, len(got))
			}
		}
	}
}

func TestPagerStopsOnTheTotal(t *testing.T) {
	for n, want := range map[int][]string{
		0: {"0+100"}, 100: {"0+100"}, 101: {"0+100", "99+100"}, 250: {"0+100", "99+100", "198+100"},
	} {
		s := newShelf(n)
		if _, err := s.read(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, s.fetched); diff != "" {
			t.Errorf("%d records: pages (-want +got):\n%s", n, diff)
		}
	}
}

// Records deleted between two pages shift the others; none that stays may be stepped over.
func TestPagerMissesNothingThatStays(t *testing.T) {
	for _, removed := range []int{1, 2, 9, 10, 15} {
		t.Run(fmt.Sprint(removed, " removed"), func(t *testing.T) {
			s := newShelf(60)
			s.before = func(fetch int, s *shelf) {
				if fetch == 2 {
					s.ids = s.ids[removed:]
				}
			}
			got, err := s.read(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			if want := newShelf(60).ids; !slices.Equal(got, want[:len(got)]) || len(got) != 60 && removed < 10 {
				t.Errorf("read %d records: %v", len(got), got)
			}
			for _, id := range s.ids {
				if !slices.Contains(got, id) {
					t.Errorf("%s was stepped over", id)
				}
			}
		})
	}
}

func TestPagerTakesNewRecords(t *testing.T) {
	s := newShelf(15)
	s.before = func(fetch int, s *shelf) {
		if fetch == 1 {
			s.ids = append(s.ids, "new-1", "new-2")
		}
	}
	got, err := s.read(t.Context(), 10)
	if err != nil || !slices.Equal(got, s.ids) {
		t.Errorf("read %v, %v; want %v", got, err, s.ids)
	}
}

func TestPagerReportsIncompleteLists(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(fetch int, got *page[string])
	}{
		{"an empty page", func(_ int, got *page[string]) { got.items = nil }},
		{"an empty second page", func(fetch int, got *page[string]) {
			if fetch > 0 {
				got.items = nil
			}
		}},
		{"a server that ignores the offset", func(_ int, got *page[string]) { got.items = newShelf(60).pointers()[:10] }},
		{"a list that never settles", func(fetch int, got *page[string]) {
			if fetch > 0 {
				strange := fmt.Sprint("strange-", fetch)
				got.items[0] = &strange
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShelf(60)
			s.spoil = tt.spoil
			_, err := s.read(t.Context(), 10)
			if !clouderr.Is(err, clouderr.Transient) {
				t.Errorf("error = %v, want Transient", err)
			}
			if len(s.fetched) > 20 {
				t.Errorf("%d pages: %v", len(s.fetched), s.fetched)
			}
		})
	}
}

func (s *shelf) pointers() []*string {
	var out []*string
	for _, id := range s.ids {
		out = append(out, &id)
	}
	return out
}

func TestPagerWithoutATotal(t *testing.T) {
	s := newShelf(25)
	s.spoil = func(_ int, got *page[string]) { got.count = 0 }
	got, err := s.read(t.Context(), 10)
	if err != nil || !slices.Equal(got, s.ids) {
		t.Errorf("read %d records, %v; want 25", len(got), err)
	}
}

func TestPagerStopsWithItsReader(t *testing.T) {
	s := newShelf(250)
	reader := pager[string]{size: 100, id: func(id *string) string { return *id }, fetch: s.fetch}
	for range reader.all(t.Context(), nil) {
		break
	}
	if got := len(s.fetched); got != 1 {
		t.Errorf("%d pages, want 1", got)
	}
}

func TestListRequests(t *testing.T) {
	const filtered = "GET /environments?enterprise_project_id=0&environment_id=e1&limit=50&name=dev&offset=0&order=asc&order_by=create_time"
	cloud, client := newScript(t, map[string]http.HandlerFunc{
		filtered:        reply(200, `{"count":1,"environments":[`+environmentJSON+`,null]}`),
		applicationList: reply(200, `{"count":1,"applications":[`+applicationJSON+`]}`),
	})
	for got, err := range client.ListEnvironments(t.Context(), EnvironmentListOptions{
		Name: "dev", EnvironmentID: "e1", EnterpriseProjectID: "0", Limit: 50,
	}) {
		if diff := cmp.Diff(environment, got); diff != "" || err != nil {
			t.Errorf("environment, %v (-want +got):\n%s", err, diff)
		}
	}
	for got, err := range client.ListApplications(t.Context(), ApplicationListOptions{Limit: 5000}) {
		if diff := cmp.Diff(application, got); diff != "" || err != nil {
			t.Errorf("application, %v (-want +got):\n%s", err, diff)
		}
	}
	if diff := cmp.Diff([]string{filtered, applicationList}, cloud.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}
