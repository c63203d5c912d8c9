// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
)

func TestRequests(t *testing.T) {
	const path = "/v1/default/kie/kv"
	tests := []struct {
		name   string
		status int
		body   string
		call   func(ctx context.Context, c *Client) error
		want   []string
	}{
		{
			"create", 200, oneItem,
			func(ctx context.Context, c *Client) error {
				_, err := c.Create(ctx, Item{Key: "k1", Value: "a: 1", ValueType: "yaml", Status: "enabled", Labels: map[string]string{"b": "2", "a": "1"}})
				return err
			},
			[]string{"POST " + path + ` {"key":"k1","value":"a: 1","labels":{"a":"1","b":"2"},"status":"enabled","value_type":"yaml"}`},
		},
		{
			"update", 200, oneItem,
			func(ctx context.Context, c *Client) error {
				_, err := c.Update(ctx, "i1", "w", "enabled")
				return err
			},
			[]string{"PUT " + path + `/i1 {"value":"w","status":"enabled"}`},
		},
		{
			"update of the value alone", 200, oneItem,
			func(ctx context.Context, c *Client) error {
				_, err := c.Update(ctx, "i1", "w", "")
				return err
			},
			[]string{"PUT " + path + `/i1 {"value":"w"}`},
		},
		{
			"get", 200, oneItem,
			func(ctx context.Context, c *Client) error {
				_, err := c.Get(ctx, "i1")
				return err
			},
			[]string{"GET " + path + "/i1"},
		},
		{"delete", 204, "", func(ctx context.Context, c *Client) error { return c.Delete(ctx, "i1") }, []string{"DELETE " + path + "/i1"}},
		{"delete, as documented", 200, "", func(ctx context.Context, c *Client) error { return c.Delete(ctx, "i1") }, []string{"DELETE " + path + "/i1"}},
		{
			"delete several", 204, "",
			func(ctx context.Context, c *Client) error { return c.DeleteBatch(ctx, []string{"i1", "i2"}) },
			[]string{"DELETE " + path + ` {"ids":["i1","i2"]}`},
		},
		{"delete none", 204, "", func(ctx context.Context, c *Client) error { return c.DeleteBatch(ctx, nil) }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var header http.Header
			engine := newFakeEngine(t, func(w http.ResponseWriter, r *http.Request) {
				header = r.Header.Clone()
				reply(tt.status, tt.body)(w, r)
			})
			if err := tt.call(t.Context(), engine.client()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, engine.requests()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if tt.want == nil {
				return
			}
			got := []string{header.Get("Authorization"), header.Get("Accept"), header.Get("Content-Type"), header.Get("X-Sdk-Date")}
			want := []string{"Bearer TOKEN-0001", "application/json", "", ""}
			if strings.Contains(tt.want[0], "{") {
				want[2] = "application/json;charset=UTF-8"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIDsThatChangeThePath(t *testing.T) {
	engine := newFakeEngine(t, reply(204, ""))
	client := engine.client()
	for _, id := range []string{"", ".", "..", "a/b", "a?b", "a b", strings.Repeat("a", 65)} {
		_, get := client.Get(t.Context(), id)
		_, put := client.Update(t.Context(), id, "v", "")
		for _, err := range []error{get, put, client.Delete(t.Context(), id), client.DeleteBatch(t.Context(), []string{"i1", id})} {
			if !clouderr.Is(err, clouderr.Invalid) {
				t.Errorf("id %q: %v, want class Invalid", id, err)
			}
		}
	}
	if got := engine.requests(); len(got) != 0 || engine.loginCount() != 0 {
		t.Errorf("requests were sent: %v", got)
	}
}

func TestErrorClasses(t *testing.T) {
	tests := []struct {
		status int
		body   string
		want   clouderr.Class
	}{
		{409, `{"errorCode":"409001","errorMessage":"record already exist","detail":"record already exist(kv already exists)"}`, clouderr.Exists},
		{409, `{"error_code":"SVCSTG.00400107","error_message":"Conflict"}`, clouderr.Exists},
		{409, ``, clouderr.Exists},
		{404, `{"errorCode":"404001","errorMessage":"record does not exist","detail":"can not find any key value"}`, clouderr.NotFound},
		{404, `{"error_code":"SVCSTG.00400106","error_message":"Not Found"}`, clouderr.NotFound},
		{404, `404: Page Not Found`, clouderr.Transient},
		{400, `{"errorCode":"400001","errorMessage":"invalid parameter(s)","detail":"validate failed, field: KVDoc.Key"}`, clouderr.Invalid},
		{400, `{"errorCode":"400100","errorMessage":"Insufficient quota"}`, clouderr.Quota},
		{403, `{"errorCode":"403205","errorMessage":"","detail":"No permission(s)(role has no permissions[config:create])"}`, clouderr.Forbidden},
		{415, `415: Unsupported Media Type`, clouderr.Invalid},
		{429, ``, clouderr.Throttled},
		{500, `server got a panic, plz check log.`, clouderr.Transient},
		{503, ``, clouderr.Transient},
		{302, ``, clouderr.Invalid},
		{304, ``, clouderr.Invalid},
		{200, `{}`, clouderr.Transient},
		{200, ``, clouderr.Transient},
		{200, `[`, clouderr.Transient},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, " ", tt.body), func(t *testing.T) {
			_, client := openEngine(t, reply(tt.status, tt.body))
			_, err := client.Create(t.Context(), Item{Key: "k", Value: "v"})
			if !clouderr.Is(err, tt.want) {
				t.Errorf("Create: %v, want class %s", err, tt.want)
			}
			if tt.status == 429 && clouderr.RetryAfter(err) == 0 {
				t.Error("nothing says when to come back")
			}
		})
	}
}

func TestAThrottledEngineIsLeftAlone(t *testing.T) {
	engine, client := openEngine(t, reply(429, "", "Retry-After: 60"))
	for range 5 {
		if _, err := client.Get(t.Context(), "i1"); !clouderr.Is(err, clouderr.Throttled) {
			t.Errorf("%v, want class Throttled", err)
		}
	}
	if got := len(engine.requests()); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestValuesStayOutOfErrors(t *testing.T) {
	value := "line one, secret\nline \"two\""
	quoted := `{"errorCode":"400001","errorMessage":"bad \"line one, secret\\nline \\\"two\\\"\"","detail":"line one, secret\nline \"two\""}`
	_, client := openEngine(t, reply(400, quoted))
	_, create := client.Create(t.Context(), Item{Key: "k", Value: value})
	_, update := client.Update(t.Context(), "i1", value, "")
	for _, err := range []error{create, update} {
		if text := fmt.Sprintf("%v %s", err, clouderr.UserMessage(err)); strings.Contains(text, "secret") || !strings.Contains(text, "400001") {
			t.Errorf("printed as %s", text)
		}
	}
}

// unreachable is an address that refuses connections.
func unreachable(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return address
}

func TestTheOtherAddressesAreTried(t *testing.T) {
	engine := newFakeEngine(t, reply(200, oneItem))
	dead := unreachable(t)
	client := engine.client(func(cfg *Config) {
		cfg.KieAddresses, cfg.ServiceCenterAddresses = []string{dead, engine.url}, []string{dead, engine.url}
	})
	if _, err := client.Create(t.Context(), Item{Key: "k"}); err != nil {
		t.Fatal(err)
	}
	if at := client.kie.preferred.Load(); at != 1 {
		t.Errorf("address %d is preferred now, want 1", at)
	}
	wantLogins(t, engine, 1)

	client = engine.client(func(cfg *Config) { cfg.KieAddresses = []string{dead, unreachable(t)} })
	if _, err := client.Get(t.Context(), "i1"); !clouderr.Is(err, clouderr.Transient) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v, want class Transient", err)
	}
}

func TestAWriteWithoutAnAnswerIsNotRepeated(t *testing.T) {
	cut := func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = connection.Close()
	}
	first, _ := openEngine(t, cut)
	second, _ := openEngine(t, reply(200, oneItem))
	client := first.client(open, func(cfg *Config) { cfg.KieAddresses = []string{first.url, second.url} })
	if _, err := client.Create(t.Context(), Item{Key: "k"}); !clouderr.Is(err, clouderr.Transient) {
		t.Errorf("Create: %v, want class Transient", err)
	}
	if got := second.requests(); len(got) != 0 {
		t.Errorf("the creation was repeated: %v", got)
	}
	if _, err := client.Get(t.Context(), "i1"); err != nil {
		t.Errorf("Get: %v", err)
	}
}

func TestCertificates(t *testing.T) {
	server := httptest.NewUnstartedServer(reply(200, oneItem))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	loopback, err := endpoint.NewPolicy([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"of nobody", func(*Config) {}, "name its authority in caBundle, or set insecureSkipVerify"},
		{"of a trusted authority", func(cfg *Config) { cfg.RootCAs = trusted }, ""},
		{"not looked at", func(cfg *Config) { cfg.InsecureSkipVerify = true }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Config{KieAddresses: []string{server.URL}, Policy: loopback}
			tt.change(&cfg)
			client, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)
			_, err = client.Get(t.Context(), "i1")
			if tt.want == "" && err != nil || tt.want != "" && !strings.Contains(clouderr.UserMessage(err), tt.want) {
				t.Errorf("Get = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := Config{KieAddresses: []string{"https://192.168.0.169:30110"}, ServiceCenterAddresses: []string{"https://[2407:c080::1]:30100"}, Password: testPassword}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	cloudOnly, err := endpoint.NewPolicy(endpoint.DefaultPatterns())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		change func(*Config)
		want   string
	}{
		{func(cfg *Config) { cfg.KieAddresses = nil }, "(kie) is missing"},
		{func(cfg *Config) { cfg.ServiceCenterAddresses = nil }, "(serviceCenter)"},
		{func(cfg *Config) { cfg.Username, cfg.Password = "root", "" }, "without a password"},
		{func(cfg *Config) { cfg.Password += "\n" }, "line break"},
		{func(cfg *Config) { cfg.KieAddresses = []string{"http://192.168.0.169:30110"} }, "plain http"},
		{func(cfg *Config) { cfg.KieAddresses = []string{"192.168.0.169"} }, "not a URL"},
		{func(cfg *Config) { cfg.KieAddresses = []string{"https://169.254.169.254"} }, "never called"},
		{func(cfg *Config) { cfg.Policy = cloudOnly }, "--allow-endpoint-host"},
		{func(cfg *Config) { cfg.RateLimit = cloudclient.RateLimit{RequestsPerSecond: -1} }, "rateLimit"},
	}
	for _, tt := range tests {
		cfg := good
		tt.change(&cfg)
		_, err := New(cfg)
		if !clouderr.Is(err, clouderr.Invalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New = %v, want class Invalid and %q", err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), testPassword) {
			t.Errorf("the error holds the password: %v", err)
		}
	}
}
