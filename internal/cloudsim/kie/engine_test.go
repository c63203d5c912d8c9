// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudsim/kie"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const items = "/v1/default/kie/kv"

// call sends a JSON request.
func (s *server) call(method, target, body string) reply {
	s.t.Helper()
	return s.send(recordedRequest{Method: method, URL: target, Body: body, Headers: map[string]string{"Content-Type": "application/json"}})
}

func (s *server) want(method, target, body string, status int) reply {
	s.t.Helper()
	got := s.call(method, target, body)
	if got.status != status {
		s.t.Fatalf("%s %s: %d %s, want %d", method, target, got.status, got.body, status)
	}
	return got
}

func (r reply) field(name string) any {
	var body map[string]any
	if json.Unmarshal([]byte(r.body), &body) != nil {
		return nil
	}
	return body[name]
}

// TestPolls says for each poll and write whether the poll ends with a list, at once or with the write.
func TestPolls(t *testing.T) {
	shop := map[string]string{"app": "shop"}
	put := func(item kie.Item) func(*kie.Engine) { return func(e *kie.Engine) { e.Put(item) } }
	for _, test := range []struct {
		name, query string
		write       func(*kie.Engine) // nil: the poll does not wait
		status      int
	}{
		{"an old revision is answered at once", "?revision=0&wait=1m", nil, 200},
		{"so is a later one", "?revision=9&wait=1m", nil, 200},
		{"a new item", "?revision=1&wait=1m", put(kie.Item{Key: "b", Value: "1"}), 200},
		{"a new item, no revision", "?wait=1m", put(kie.Item{Key: "b", Value: "1"}), 200},
		{"a changed item", "?revision=1&wait=1m", put(kie.Item{Key: "a", Value: "2", Labels: shop}), 200},
		{"an unchanged value", "?revision=1&wait=1m", put(kie.Item{Key: "a", Value: "1", Labels: shop}), 200},
		{"a deleted item", "?revision=1&wait=1m", func(e *kie.Engine) { e.Delete(kie.ItemID("default", "a", shop)) }, 200},
		{"all items deleted", "?revision=1&wait=1m", (*kie.Engine).Clear, 200},
		{"the label", "?revision=1&wait=1m&label=app:shop", put(kie.Item{Key: "b", Labels: map[string]string{"app": "shop", "env": "dev"}}), 200},
		{"another label", "?revision=1&wait=1m&label=app:shop", put(kie.Item{Key: "b", Labels: map[string]string{"app": "web"}}), 304},
		{"exact, more labels", "?revision=1&wait=1m&label=app:shop&match=exact", put(kie.Item{Key: "b", Labels: map[string]string{"app": "shop", "env": "dev"}}), 304},
		{"exact without labels", "?revision=1&wait=1m&match=exact", put(kie.Item{Key: "b", Labels: shop}), 304},
		{"another project", "?revision=1&wait=1m", put(kie.Item{Project: "other", Key: "b"}), 304},
		{"nothing", "?revision=1&wait=1m", func(*kie.Engine) {}, 304},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, start, kie.Options{})
			s.engine.Put(kie.Item{Key: "a", Value: "1", Labels: shop})
			if test.write == nil {
				s.want(http.MethodGet, items+test.query, "", test.status)
				return
			}
			got := make(chan reply, 1)
			go func() { got <- s.call(http.MethodGet, items+test.query, "") }()
			s.clock.BlockUntil(1)
			if n := s.engine.Waiting(); n != 1 {
				t.Errorf("%d polls wait", n)
			}
			test.write(s.engine)
			if test.status == http.StatusNotModified {
				s.clock.Advance(time.Minute)
			}
			answer := <-got
			if answer.status != test.status {
				t.Errorf("%d %s, want %d", answer.status, answer.body, test.status)
			}
			if revision := fmt.Sprint(s.engine.Revision()); test.status == http.StatusOK && answer.header.Get("X-Kie-Revision") != revision {
				t.Errorf("revision %s, want %s", answer.header.Get("X-Kie-Revision"), revision)
			}
			if n := s.engine.Waiting(); n != 0 {
				t.Errorf("%d polls wait afterwards", n)
			}
		})
	}
}

func TestKeysIgnoreCase(t *testing.T) {
	s := newServer(t, start, kie.Options{})
	for _, key := range []string{"app.a", "APP.A", "appXa", "app.ab"} {
		s.want(http.MethodPost, items, `{"key":"`+key+`","value":"v"}`, 200)
	}
	for filter, want := range map[string]float64{
		"app.a": 2, "App.A": 2, "beginWith(app.)": 3, "wildcard(*.A*)": 3, "wildcard(app*)": 4, "nothing": 0,
	} {
		if got := s.want(http.MethodGet, items+"?key="+filter, "", 200).field("total"); got != want {
			t.Errorf("key=%s: %v, want %v", filter, got, want)
		}
	}
}

func TestLimitsOfItems(t *testing.T) {
	s := newServer(t, start, kie.Options{})
	label := func(key, value string) string {
		return `{"key":"a","value":"v","labels":{"` + key + `":"` + value + `"}}`
	}
	for body, status := range map[string]int{
		`{"key":"` + strings.Repeat("k", 2048) + `","value":"v"}`:            200,
		`{"key":"` + strings.Repeat("k", 2049) + `","value":"v"}`:            400,
		`{"key":"full","value":"` + strings.Repeat("v", 131072) + `"}`:       200,
		`{"key":"wide","value":"` + strings.Repeat("ä", 131072) + `"}`:       200,
		`{"key":"fuller","value":"` + strings.Repeat("v", 131073) + `"}`:     400,
		`{"key":"six","labels":{"a":"","b":"","c":"","d":"","e":"","f":""}}`: 200,
		label(strings.Repeat("l", 32), "v"):                                  200,
		label(strings.Repeat("l", 33), "v"):                                  400,
		label("l", strings.Repeat("v", 160)):                                 200,
		label("l", strings.Repeat("v", 161)):                                 400,
		`{"key":[1],"value":"v"}`:                                            400,
	} {
		if got := s.call(http.MethodPost, items, body); got.status != status {
			t.Errorf("%.60s: %d %s, want %d", body, got.status, got.body, status)
		}
	}
	id := kie.ItemID("default", "full", nil)
	s.want(http.MethodPut, items+"/"+id, `{"value":"`+strings.Repeat("v", 131073)+`"}`, 400)
	s.want(http.MethodGet, items+"?offset=-1", "", 400)
}

// TestLockout: three wrong logins lock for 15 minutes from the third; fewer are forgotten after 20 minutes, and a login
// that succeeds does not help.
func TestLockout(t *testing.T) {
	type try struct {
		after    time.Duration
		password string
		status   int
	}
	for name, tries := range map[string][]try{
		"locked and released": {
			{0, "x", 401}, {0, "x", 401}, {0, "x", 401}, {0, "right", 403}, {14*time.Minute + 59*time.Second, "right", 403},
			{time.Second, "right", 200}, {0, "x", 401}, {0, "x", 401}, {0, "right", 200},
		},
		"success does not clear": {{0, "x", 401}, {0, "x", 401}, {0, "right", 200}, {0, "x", 401}, {0, "right", 403}},
		"forgotten":              {{0, "x", 401}, {0, "x", 401}, {20 * time.Minute, "x", 401}, {0, "x", 401}, {0, "right", 200}},
		"every try counts anew":  {{0, "x", 401}, {19 * time.Minute, "x", 401}, {19 * time.Minute, "x", 401}, {0, "right", 403}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, start, kie.Options{RBAC: true, RootPassword: "right"})
			for i, try := range tries {
				s.clock.Advance(try.after)
				got := s.call(http.MethodPost, "/v4/token", `{"name":"root","password":"`+try.password+`"}`)
				if got.status != try.status {
					t.Fatalf("try %d: %d %s, want %d", i, got.status, got.body, try.status)
				}
			}
		})
	}
}

func TestTokens(t *testing.T) {
	lifetime := time.Duration(0)
	s := newServer(t, start, kie.Options{RBAC: true, RootPassword: "right", Quirks: func() kie.Quirks { return kie.Quirks{TokenLifetime: lifetime} }})
	list := func(token string) (int, string) {
		got := s.send(recordedRequest{Method: http.MethodGet, URL: "/v4/default/registry/microservices", Headers: map[string]string{"Authorization": "Bearer " + token}})
		return got.status, fmt.Sprint(got.field("detail"))
	}
	token := s.login("root", "right")
	for _, test := range []struct {
		name, token string
		after       time.Duration
		status      int
		detail      string
	}{
		{"fresh", token, 0, 200, "<nil>"},
		{"at its end", token, 12*time.Hour - time.Second, 200, "<nil>"},
		{"over", token, time.Second, 401, "token is expired"},
		{"forged", token + "x", 0, 401, "signature is invalid"},
	} {
		s.clock.Advance(test.after)
		if status, detail := list(test.token); status != test.status || detail != test.detail {
			t.Errorf("%s: %d %s, want %d %s", test.name, status, detail, test.status, test.detail)
		}
	}
	lifetime = time.Minute
	short := s.login("root", "right")
	if short == token {
		t.Error("the same token twice")
	}
	s.clock.Advance(time.Minute)
	if status, _ := list(short); status != 401 {
		t.Errorf("a short-lived token: %d", status)
	}
	lifetime = 0
	token = s.login("root", "right")
	s.engine.RevokeTokens()
	if status, _ := list(token); status != 401 {
		t.Errorf("a revoked token: %d", status)
	}
	s.engine.SetAuth(false, "")
	if status, _ := list(""); status != 200 {
		t.Errorf("without RBAC: %d", status)
	}
	if got := s.want(http.MethodPost, "/v4/token", `{"name":"root","password":"right"}`, 404); got.body != "404 page not found\n" {
		t.Errorf("token without RBAC: %q", got.body)
	}
}

func TestQuirks(t *testing.T) {
	var quirks kie.Quirks
	s := newServer(t, start, kie.Options{Quirks: func() kie.Quirks { return quirks }})
	s.want(http.MethodPost, items, `{"key":"a","value":"1"}`, 200)
	one := items + "/" + kie.ItemID("default", "a", nil)

	quirks = kie.Quirks{NoWait: true}
	s.want(http.MethodGet, items+"?revision=1&wait=1m", "", 304)
	s.want(http.MethodGet, items+"?wait=1m", "", 200)

	for times, want := range map[string]any{"": 1767323045.0, "string": "1767323045", "millis": 1767323045000.0} {
		quirks = kie.Quirks{Times: times}
		if got := s.want(http.MethodGet, one, "", 200).field("create_time"); got != want {
			t.Errorf("times %q: %v, want %v", times, got, want)
		}
	}
	quirks = kie.Quirks{Wrap: true}
	if got, ok := s.want(http.MethodPut, one, `{"value":"2"}`, 200).field("kie").(map[string]any); !ok || got["value"] != "2" {
		t.Errorf("wrapped: %v", got)
	}
	quirks = kie.Quirks{SnakeErrors: true}
	if got := s.want(http.MethodGet, items+"/nothing", "", 404); got.field("error_code") != "404001" || got.field("error_message") == nil || got.field("errorCode") != nil {
		t.Errorf("snake: %s", got.body)
	}
	quirks = kie.Quirks{ItemQuota: 1}
	if got := s.want(http.MethodPost, items, `{"key":"b","value":"1"}`, 422); got.field("errorCode") != "422001" {
		t.Errorf("quota: %s", got.body)
	}
	quirks = kie.Quirks{DeleteOK: true}
	s.want(http.MethodDelete, one, "", 200)
}

func TestOperationNames(t *testing.T) {
	for target, want := range map[string]string{
		"GET /v1/default/kie/kv":             "GET /v1/{project}/kie/kv",
		"PUT /v1/default/kie/kv/abc":         "PUT /v1/{project}/kie/kv/{kv_id}",
		"POST /v4/token":                     "POST /v4/token",
		"GET /v4/default/registry/health":    "GET /v4/{project}/registry/health",
		"PATCH /v1/default/kie/kv/abc":       "",
		"GET /v1/default/kie/kv/abc/nothing": "",
	} {
		method, path, _ := strings.Cut(target, " ")
		r, err := http.NewRequestWithContext(t.Context(), method, "http://engine"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := kie.Operation(r); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

// TestComponentsApart: each handler has its own operations only.
func TestComponentsApart(t *testing.T) {
	engine := kie.New(kie.Options{RBAC: true, RootPassword: "right"})
	for _, test := range []struct {
		handler http.Handler
		path    string
		status  int
	}{
		{engine.KieHandler(), "/v1/health", 200}, {engine.KieHandler(), "/version", 404},
		{engine.ServiceCenterHandler(), "/v1/health", 404}, {engine.ServiceCenterHandler(), "/version", 200},
	} {
		status := record(t, test.handler, test.path)
		if status != test.status {
			t.Errorf("%s: %d, want %d", test.path, status, test.status)
		}
	}
}

func record(t *testing.T, handler http.Handler, path string) int {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return recorder.Code
}
