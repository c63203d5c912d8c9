// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
)

func TestRedactHidesQuotedForms(t *testing.T) {
	value := "a<secret>\n\"b\""
	for _, text := range []string{
		"bad value " + value, `bad value "a\u003csecret\u003e\n\"b\""`, `bad value "a<secret>\n\"b\""`,
	} {
		if got := Redact(text, "unrelated", value); strings.Contains(got, "secret") || !strings.HasPrefix(got, "bad value ") {
			t.Errorf("Redact(%q) = %q", text, got)
		}
	}
	if got := Redact("a value of on is not allowed", "on", ""); got != "a value of on is not allowed" {
		t.Errorf("a short value was hidden: %q", got)
	}
}

func TestDirect(t *testing.T) {
	cloud := newFakeCloud(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			replyWith(200, `"`+strings.Repeat("x", maxReply)+`"`)(w, r)
		case "/unchanged":
			replyWith(304, "")(w, r)
		case "/quoting":
			replyWith(400, `{"code":"C.1","message":"header Bearer TOKEN-0001, body value-one"}`)(w, r)
		default:
			replyWith(200, `{"ok":true}`, "X-Revision: 7")(w, r)
		}
	})
	policy, err := endpoint.NewPolicy([]string{"http://127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	metrics := NewMetrics(registry)
	direct, err := NewDirect(DirectConfig{Account: "team/e", Policy: policy, Metrics: metrics, Clock: newFakeClock(), Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(direct.Close)
	call := func(path string, change ...func(*DirectRequest)) (DirectReply, error) {
		request := DirectRequest{Operation: "GetThing", Service: Kie, Method: http.MethodGet, Query: url.Values{"a": {"b c"}}}
		request.URL, err = url.Parse(cloud.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range change {
			f(&request)
		}
		return direct.Do(t.Context(), request)
	}

	var out struct{ OK bool }
	reply, err := call("/thing", func(r *DirectRequest) { r.Out = &out })
	if err != nil || reply.Status != 200 || reply.Header.Get("X-Revision") != "7" || !out.OK {
		t.Errorf("%+v, %+v, %v", reply, out, err)
	}
	if got := cloud.lines()[0]; got != "GET /thing?a=b%20c" {
		t.Errorf("request %q", got)
	}
	if got := cloud.requests()[0].Header; got.Get("Authorization") != "" || got.Get("X-Sdk-Date") != "" || got.Get("X-Project-Id") != "" {
		t.Errorf("the account shows in %v", got)
	}
	if reply, err := call("/unchanged", func(r *DirectRequest) { r.NotModified = true }); err != nil || reply.Status != 304 {
		t.Errorf("304 where it is a success: %+v, %v", reply, err)
	}
	if _, err := call("/unchanged"); !clouderr.Is(err, clouderr.Invalid) {
		t.Errorf("304 where it is none: %v, want class Invalid", err)
	}
	if _, err := call("/large"); !errors.Is(err, ErrReplyTooLarge) || !clouderr.Is(err, clouderr.Transient) {
		t.Errorf("a large reply: %v", err)
	}
	_, err = call("/quoting", func(r *DirectRequest) {
		r.Header, r.Sensitive = http.Header{"Authorization": {"Bearer TOKEN-0001"}}, []string{"value-one"}
	})
	if strings.Contains(err.Error(), "TOKEN") || strings.Contains(err.Error(), "value-one") || !strings.Contains(err.Error(), "kie GetThing: ") {
		t.Errorf("the error is %v", err)
	}
	cloud.Close()
	if _, err := call("/thing"); !errors.Is(err, ErrNotSent) || !errors.Is(err, ErrNoReply) {
		t.Errorf("a closed port: %v", err)
	}
	want := map[string]float64{
		"account=team/e api=kie code=200 operation=GetThing":  1,
		"account=team/e api=kie code=304 operation=GetThing":  2,
		"account=team/e api=kie code=400 operation=GetThing":  1,
		"account=team/e api=kie code=none operation=GetThing": 2,
	}
	if diff := cmp.Diff(want, series(t, registry, "servicestage_cloud_requests_total")); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestDirectFollowsNoRedirect(t *testing.T) {
	stranger := newFakeCloud(t, replyWith(200, `{}`))
	cloud := newFakeCloud(t, replyWith(307, "", "Location: "+stranger.URL+"/steal"))
	policy, err := endpoint.NewPolicy([]string{"http://127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	direct, err := NewDirect(DirectConfig{Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(direct.Close)
	target, err := url.Parse(cloud.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = direct.Do(t.Context(), DirectRequest{
		Operation: "GetThing", Service: Kie, Method: http.MethodGet, URL: target, Header: http.Header{"Authorization": {"Bearer TOKEN-0001"}},
	})
	if !clouderr.Is(err, clouderr.Invalid) || !strings.Contains(clouderr.UserMessage(err), "redirect") {
		t.Errorf("Do = %v, want class Invalid and a word about the redirect", err)
	}
	if got := stranger.lines(); len(got) != 0 {
		t.Errorf("the target got %v, want nothing", got)
	}
}

func TestDirectNeedsAPolicy(t *testing.T) {
	if _, err := NewDirect(DirectConfig{}); !clouderr.Is(err, clouderr.Invalid) || !strings.Contains(err.Error(), "policy") {
		t.Errorf("%v, want class Invalid", err)
	}
}
