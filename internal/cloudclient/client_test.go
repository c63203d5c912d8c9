// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
	"servicestage.dev/operator/internal/cloudclient/endpoint/endpointtest"
	"servicestage.dev/operator/internal/cloudclient/sign"
)

func TestDoSendsASignedRequest(t *testing.T) {
	cloud := newFakeCloud(t, replyWith(200, `{"id":"e1"}`))
	client := cloud.client(t, func(cfg *Config) { cfg.Credentials.SecurityToken = "temporary-token" })
	var out struct{ ID string }
	err := client.Do(t.Context(), Request{
		Operation: "UpdateEnvironment", Service: ServiceStage, Method: http.MethodPut,
		Path:   "/v3/{project_id}/cas/environments/e1",
		Query:  url.Values{"name": {"a b+c"}, "empty": {""}, "many": {"2", "1"}},
		Header: http.Header{"x-enterprise-project-id": {"0"}},
		Body:   map[string]string{"name": "dev"}, Out: &out,
	})
	if err != nil || out.ID != "e1" {
		t.Fatalf("Do = %v, out %+v", err, out)
	}
	requests := cloud.requests()
	if len(requests) != 1 {
		t.Fatalf("%d requests, want 1", len(requests))
	}
	r := requests[0]
	if got, want := r.line(), "PUT /v3/"+testProject+"/cas/environments/e1?empty=&many=2&many=1&name=a%20b%2Bc"; got != want {
		t.Errorf("request\n got %s\nwant %s", got, want)
	}
	if got, want := r.Body, `{"name":"dev"}`; got != want {
		t.Errorf("body = %s, want %s", got, want)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json;charset=UTF-8", "Accept": "application/json", "User-Agent": "servicestage-operator",
		"X-Project-Id": testProject, "X-Security-Token": "temporary-token", "X-Enterprise-Project-Id": "0",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	const signed = "SignedHeaders=host;x-enterprise-project-id;x-project-id;x-sdk-date;x-security-token,"
	if got := r.Header.Get("Authorization"); !strings.Contains(got, signed) {
		t.Errorf("Authorization = %s, want %s in it", got, signed)
	}
	key := sign.Key{AccessKey: testAccessKey, SecretKey: testSecretKey, SecurityToken: "temporary-token"}
	if err := signedBy(r, key); err != nil {
		t.Error(err)
	}
}

func TestDoSendsAPayloadUnsigned(t *testing.T) {
	cloud := newFakeCloud(t, replyWith(204, ""))
	request := post()
	request.Body = Payload{ContentType: "multipart/form-data; boundary=b", Data: []byte("--b--")}
	if err := cloud.client(t).Do(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	r := cloud.requests()[0]
	if got := r.Header.Get(sign.HeaderContentHash); got != sign.UnsignedPayload || r.Body != "--b--" {
		t.Errorf("%s = %q, body %q", sign.HeaderContentHash, got, r.Body)
	}
	if err := signedBy(r, sign.Key{AccessKey: testAccessKey, SecretKey: testSecretKey}); err != nil {
		t.Error(err)
	}
}

func TestDoRefusesOversizedBodies(t *testing.T) {
	cloud := newFakeCloud(t, replyWith(200, `{}`))
	request := post()
	request.Body = Payload{ContentType: "text/plain", Data: make([]byte, maxSignedBody+1)}
	if err := cloud.client(t).Do(t.Context(), request); !clouderr.Is(err, clouderr.Invalid) {
		t.Errorf("Do = %v, want class Invalid", err)
	}
	if got := cloud.lines(); len(got) != 0 {
		t.Errorf("sent %v, want nothing", got)
	}
}

func TestBasePathIsKept(t *testing.T) {
	cloud := newFakeCloud(t, replyWith(200, `{}`))
	client := cloud.client(t, func(cfg *Config) { cfg.Endpoints = map[Service]string{ServiceStage: cloud.URL + "/gateway/"} })
	if err := client.Do(t.Context(), get(nil)); err != nil {
		t.Fatal(err)
	}
	if got, want := cloud.lines()[0], "GET /gateway/v3/"+testProject+"/cas/environments/e1"; got != want {
		t.Errorf("request = %q, want %q", got, want)
	}
}

func TestFailureKeepsWhatTheCloudSaid(t *testing.T) {
	cloud := newFakeCloud(t, replyWith(400, `{"error_code":"SVCSTG.00100449","error_msg":"name in use"}`, "X-Request-Id: r-1"))
	err := cloud.client(t).Do(t.Context(), post())
	want := &clouderr.Error{
		Class: clouderr.Exists, Service: "servicestage", Operation: "CreateEnvironment", Status: 400,
		Code: "SVCSTG.00100449", Message: "name in use", RequestID: "r-1",
	}
	if diff := cmp.Diff(want, asError(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestRepliesThatAreNoUse(t *testing.T) {
	long := strings.Repeat("x", maxErrorReply)
	tests := []struct {
		name   string
		reply  http.HandlerFunc
		class  clouderr.Class
		say    string
		silent string // must not be in the message
	}{
		{"empty", replyWith(200, ""), clouderr.Transient, "empty body", ""},
		{"HTML", replyWith(200, "<html>internal dashboard</html>"), clouderr.Transient, "not the expected JSON", "dashboard"},
		{"another type", replyWith(200, `{"id":17}`), clouderr.Transient, "number where string belongs", ""},
		{"cut JSON", replyWith(200, `{"id":"e1"`), clouderr.Transient, "malformed", ""},
		{"error as HTML", replyWith(500, "<html>internal dashboard</html>"), clouderr.Transient, "not JSON", "dashboard"},
		{"error as text", replyWith(400, "plain words"), clouderr.Invalid, "not JSON", "plain words"},
		{"empty error", replyWith(503, ""), clouderr.Transient, "HTTP 503 with an empty body", ""},
		{"error without a message", replyWith(400, `{}`), clouderr.Invalid, "HTTP 400 without a message", ""},
		{"an oversized error", replyWith(400, `{"error_msg":"`+long+`"}`), clouderr.Invalid, "not JSON", "xxx"},
		{"404 that nobody we know says", replyWith(404, "<html>"), clouderr.Transient, "HTTP 404", ""},
		{"404 of the gateway", replyWith(404, `{"error_code":"APIGW.0101","error_msg":"The API does not exist"}`), clouderr.Invalid, "The API does not exist", ""},
		{"too many headers", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Big", strings.Repeat("x", 2*maxResponseHeader))
			replyWith(200, `{}`)(w, r)
		}, clouderr.Transient, "connection", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cloud := newFakeCloud(t, tt.reply)
			var out struct{ ID string }
			err := cloud.client(t).Do(t.Context(), get(&out))
			if !clouderr.Is(err, tt.class) {
				t.Fatalf("Do = %v, want class %s", err, tt.class)
			}
			if got := clouderr.UserMessage(err); !strings.Contains(got, tt.say) {
				t.Errorf("message = %q, want %q in it", got, tt.say)
			}
			if tt.silent != "" && strings.Contains(err.Error(), tt.silent) {
				t.Errorf("the error quotes the body: %v", err)
			}
		})
	}
}

func TestRepliesAreBoundedAfterDecompression(t *testing.T) {
	for size, want := range map[int]clouderr.Class{maxReply - 64: "", maxReply + 1: clouderr.Transient} {
		cloud := newFakeCloud(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			zip := gzip.NewWriter(w)
			_, _ = io.WriteString(zip, `{"id":"e1"}`)
			blank := strings.Repeat(" ", 1<<16)
			for left := size - len(`{"id":"e1"}`); left > 0; left -= len(blank) {
				_, _ = io.WriteString(zip, blank[:min(left, len(blank))])
			}
			_ = zip.Close()
		})
		var out struct{ ID string }
		err := cloud.client(t).Do(t.Context(), get(&out))
		if got := clouderr.ClassOf(err); got != want {
			t.Errorf("%d bytes: class %q (%v), want %q", size, got, err, want)
		}
	}
}

// blanks is a body of 64 MiB or more that counts what is read of it.
type blanks struct{ read int }

func (b *blanks) Read(into []byte) (int, error) {
	if b.read >= 8*maxReply {
		return 0, io.EOF
	}
	for i := range into {
		into[i] = ' '
	}
	b.read += len(into)
	return len(into), nil
}

func TestNoMoreThanTheBoundIsRead(t *testing.T) {
	for status, bound := range map[int]int{200: maxReply + 1, 400: maxErrorReply} {
		body := &blanks{}
		got, err := readReply(&http.Response{StatusCode: status, Body: io.NopCloser(body)})
		if body.read > bound || len(got.body) > bound {
			t.Errorf("%d: %d bytes were read and %d kept, want at most %d", status, body.read, len(got.body), bound)
		}
		if errors.Is(err, errTooLarge) != got.success() {
			t.Errorf("%d: the error is %v", status, err)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	stranger := newFakeCloud(t, replyWith(200, `{"id":"e1"}`))
	for _, status := range []int{301, 302, 303, 307, 308} {
		cloud := newFakeCloud(t, replyWith(status, "", "Location: "+stranger.URL+"/steal"))
		err := cloud.client(t).Do(t.Context(), get(nil))
		if !clouderr.Is(err, clouderr.Invalid) || !strings.Contains(clouderr.UserMessage(err), "redirect") {
			t.Errorf("%d: Do = %v, want class Invalid and a word about the redirect", status, err)
		}
		if got := len(cloud.requests()); got != 1 {
			t.Errorf("%d: %d requests, want 1", status, got)
		}
	}
	if got := stranger.lines(); len(got) != 0 {
		t.Errorf("the target got %v, want nothing", got)
	}
}

func TestRetries(t *testing.T) {
	// failing answers the first n requests with fail, and the others well.
	failing := func(n int, fail http.HandlerFunc) http.HandlerFunc {
		served := make(chan struct{}, 100)
		return func(w http.ResponseWriter, r *http.Request) {
			served <- struct{}{}
			if len(served) <= n {
				fail(w, r)
				return
			}
			replyWith(200, `{"id":"e1"}`)(w, r)
		}
	}
	hangUp := func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = connection.Close()
		}
	}
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"id":`)
	}
	put, remove := post(), post()
	put.Method, remove.Method = http.MethodPut, http.MethodDelete
	tests := []struct {
		name    string
		request Request
		fails   int
		fail    http.HandlerFunc
		want    clouderr.Class
		calls   int
	}{
		{"GET, 503 twice", get(nil), 2, replyWith(503, ""), "", 3},
		{"GET, 502 and 504 count too", get(nil), 2, replyWith(502, "<html>"), "", 3},
		{"GET, 503 for ever", get(nil), 9, replyWith(503, ""), clouderr.Transient, 3},
		{"GET, 503 that says when", get(nil), 1, replyWith(503, "", "Retry-After: 60"), clouderr.Transient, 1},
		{"GET, hung up once", get(nil), 1, hangUp, "", 2},
		{"GET, cut once", get(new(struct{})), 1, cut, "", 2},
		{"GET, 500", get(nil), 1, replyWith(500, `{"error_code":"SVCSTG.00100500"}`), clouderr.Transient, 1},
		{"GET, garbage", get(new(struct{})), 1, replyWith(200, "garbage"), clouderr.Transient, 1},
		{"GET, 400", get(nil), 1, replyWith(400, `{}`), clouderr.Invalid, 1},
		{"GET, 429", get(nil), 1, replyWith(429, ""), clouderr.Throttled, 1},
		{"POST, 503", post(), 1, replyWith(503, ""), clouderr.Transient, 1},
		{"POST, hung up", post(), 1, hangUp, clouderr.Transient, 1},
		{"PUT, 503", put, 1, replyWith(503, ""), clouderr.Transient, 1},
		{"DELETE, hung up", remove, 1, hangUp, clouderr.Transient, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cloud := newFakeCloud(t, failing(tt.fails, tt.fail))
			clock := newFakeClock()
			err := cloud.client(t, withClock(clock)).Do(t.Context(), tt.request)
			if got := clouderr.ClassOf(err); got != tt.want {
				t.Errorf("class = %q (%v), want %q", got, err, tt.want)
			}
			if got := len(cloud.requests()); got != tt.calls {
				t.Errorf("%d calls, want %d", got, tt.calls)
			}
			for i, pause := range clock.slept() {
				low := 100 * time.Millisecond << i
				if pause < low || pause > 3*low {
					t.Errorf("pause %d = %v, want between %v and %v", i, pause, low, 3*low)
				}
			}
		})
	}
}

func TestMessagesOfBrokenConnectionsDoNotChange(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	cloud := newFakeCloud(t, replyWith(200, `{}`))
	client := cloud.client(t, func(cfg *Config) { cfg.Endpoints = map[Service]string{ServiceStage: nobody} })
	err = client.Do(t.Context(), post())
	if got, want := clouderr.UserMessage(err), "the connection was refused"; got != want || !clouderr.Is(err, clouderr.Transient) {
		t.Errorf("message = %q (%v), want %q", got, err, want)
	}
}

func TestCallsAreBoundedInTime(t *testing.T) {
	release := make(chan struct{})
	cloud := newFakeCloud(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	client := cloud.client(t, func(cfg *Config) { cfg.Timeout = 30 * time.Millisecond })
	err := client.Do(t.Context(), get(nil))
	if got, want := clouderr.UserMessage(err), "the cloud did not answer in time"; got != want || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Do = %v, want %q", err, want)
	}
	if got := len(cloud.requests()); got > 1 {
		t.Errorf("%d calls, want no retry after the deadline", got)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client.Do(ctx, get(nil)); !errors.Is(err, context.Canceled) || !clouderr.Is(err, clouderr.Transient) {
		t.Errorf("Do after a cancellation = %v, want Transient around context.Canceled", err)
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(replyWith(200, `{}`))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	cloud := newFakeCloud(t, replyWith(200, `{}`))
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	tests := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"an unknown authority", func(*Config) {}, "unknown authority; name its authority in the account's caBundle"},
		{"a named authority", func(cfg *Config) { cfg.RootCAs = roots }, ""},
		{"verification off", func(cfg *Config) { cfg.InsecureSkipVerify = true }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := cloud.client(t, tt.change, func(cfg *Config) { cfg.Endpoints = map[Service]string{ServiceStage: server.URL} })
			err := client.Do(t.Context(), post())
			if tt.want == "" && err != nil || !strings.Contains(clouderr.UserMessage(err), tt.want) {
				t.Errorf("Do = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestThrottling(t *testing.T) {
	const stated = `{"error_code":"APIGW.0308","error_msg":"The throttling threshold has been reached: policy user over ratelimit,limit:10,time:1 minute"}`
	tests := []struct {
		name   string
		reply  http.HandlerFunc
		hold   time.Duration
		limits []Limit
	}{
		{"the window that the body states", replyWith(429, stated), time.Minute,
			[]Limit{{OperationLimit: OperationLimit{StatedLimit: StatedLimit{Policy: "user", Requests: 10, Window: time.Minute}}}}},
		{"the header first", replyWith(429, stated, "Retry-After: 7"), 7 * time.Second,
			[]Limit{{OperationLimit: OperationLimit{StatedLimit: StatedLimit{Policy: "user", Requests: 10, Window: time.Minute}}}}},
		{"nothing stated, the header", replyWith(429, "", "Retry-After: 9"), 9 * time.Second, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cloud := newFakeCloud(t, tt.reply)
			clock := newFakeClock()
			registry := prometheus.NewRegistry()
			client := cloud.client(t, withClock(clock), func(cfg *Config) { cfg.Metrics = NewMetrics(registry) })
			throttled := func(want map[string]float64) {
				t.Helper()
				if diff := cmp.Diff(want, series(t, registry, "servicestage_cloud_throttled_total")); diff != "" {
					t.Errorf("throttled (-want +got):\n%s", diff)
				}
			}
			err := client.Do(t.Context(), get(nil))
			if !clouderr.Is(err, clouderr.Throttled) || clouderr.RetryAfter(err) != tt.hold {
				t.Fatalf("Do = %v, want Throttled for %v", err, tt.hold)
			}
			for i := range tt.limits {
				tt.limits[i].Endpoint = strings.TrimPrefix(cloud.URL, "http://")
			}
			if diff := cmp.Diff(tt.limits, client.Limits()); diff != "" {
				t.Errorf("Limits (-want +got):\n%s", diff)
			}
			throttled(map[string]float64{"account=team/default api=servicestage by=cloud": 1})

			cloud.answer(replyWith(200, `{}`))
			clock.advance(tt.hold - 2*time.Second)
			err = client.Do(t.Context(), get(nil))
			if !clouderr.Is(err, clouderr.Throttled) || clouderr.RetryAfter(err) != 2*time.Second {
				t.Errorf("Do inside the window = %v, want Throttled for 2s", err)
			}
			if got := len(cloud.requests()); got != 1 {
				t.Errorf("%d calls, want 1: nothing is sent inside the window", got)
			}
			throttled(map[string]float64{
				"account=team/default api=servicestage by=cloud": 1, "account=team/default api=servicestage by=client": 1,
			})
			clock.advance(2 * time.Second)
			if err := client.Do(t.Context(), get(nil)); err != nil {
				t.Errorf("Do after the window = %v", err)
			}
		})
	}
}

func TestNewNamesTheField(t *testing.T) {
	vendor := func(cfg *Config) { cfg.Policy, cfg.Endpoints = nil, nil }
	tests := []struct {
		name   string
		change func(*Config)
		want   string // "" where the configuration is good
	}{
		{"the vendor's hosts", vendor, ""},
		{"no region", func(cfg *Config) { cfg.Region = "" }, "region"},
		{"a region that is a host", func(cfg *Config) { cfg.Region = "evil.example/" }, "region"},
		{"a project id that is a path", func(cfg *Config) { cfg.ProjectID = "../x" }, "projectID"},
		{"no credentials", func(cfg *Config) { cfg.Credentials = Credentials{} }, "credentials are empty"},
		{"a negative rate", func(cfg *Config) { cfg.RateLimit.RequestsPerSecond = -1 }, "rateLimit"},
		{"a host that is not allowed", func(cfg *Config) { cfg.Endpoints = map[Service]string{CSE: "https://evil.example"} },
			`endpoints.cse: endpoint "https://evil.example": host "evil.example" is not allowed; the operator's flag --allow-endpoint-host`},
		{"metadata", func(cfg *Config) { cfg.Endpoints = map[Service]string{IAM: "http://169.254.169.254"} }, "endpoints.iam"},
		{"an unknown service", func(cfg *Config) { cfg.Endpoints = map[Service]string{"obs": "http://127.0.0.1"} }, "endpoints.obs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cloud := newFakeCloud(t, replyWith(200, `{}`))
			_, err := New(cloud.config(t, tt.change))
			if tt.want == "" {
				if err != nil {
					t.Errorf("New = %v, want nil", err)
				}
				return
			}
			if !clouderr.Is(err, clouderr.Invalid) || !strings.Contains(clouderr.UserMessage(err), tt.want) {
				t.Errorf("New = %v, want Invalid with %q", err, tt.want)
			}
		})
	}
}

func TestDefaultEndpoints(t *testing.T) {
	tests := []struct {
		region  string
		service Service
		want    string
	}{
		{"ap-southeast-3", IAM, "iam.ap-southeast-3.myhuaweicloud.com"},
		{"ap-southeast-3", ServiceStage, "servicestage.ap-southeast-3.myhuaweicloud.com"},
		{"cn-north-4", CSE, "cse.cn-north-4.myhuaweicloud.com"},
		{"cn-north-4", VPC, "vpc.cn-north-4.myhuaweicloud.com"},
		{"cn-north-4", EPS, "eps.myhuaweicloud.com"},
		{"eu-west-101", IAM, "iam.eu-west-101.myhuaweicloud.eu"},
		{"eu-west-101", EPS, "eps.eu-west-101.myhuaweicloud.eu"},
		{"eu-west-0", IAM, "iam.eu-west-0.myhuaweicloud.com"},
	}
	for _, tt := range tests {
		if got := defaultHost(tt.service, tt.region); got != tt.want {
			t.Errorf("defaultHost(%s, %s) = %q, want %q", tt.service, tt.region, got, tt.want)
		}
	}
}

func TestAServiceWithoutAnAllowedHostFailsWhenCalled(t *testing.T) {
	cloud := newFakeCloud(t, replyWith(200, `{}`))
	request := get(nil)
	request.Service = CSE
	err := cloud.client(t).Do(t.Context(), request)
	if !clouderr.Is(err, clouderr.Invalid) || !strings.Contains(clouderr.UserMessage(err), "endpoints.cse") {
		t.Errorf("Do = %v, want Invalid with endpoints.cse", err)
	}
}

// TestTheDialIsChecked points a name that a wildcard allows at loopback, where the server listens.
func TestTheDialIsChecked(t *testing.T) {
	cloud := newFakeCloud(t, replyWith(200, `{}`))
	_, port, _ := strings.Cut(strings.TrimPrefix(cloud.URL, "http://"), ":")
	for pattern, want := range map[string]string{
		"*.cloud.example":        `host "x.cloud.example" resolved to 127.0.0.1, which is a loopback address`,
		"http://x.cloud.example": "",
	} {
		policy, err := endpoint.NewPolicy([]string{pattern})
		if err != nil {
			t.Fatal(err)
		}
		scheme, _, _ := strings.Cut(pattern, "x.")
		if want != "" {
			scheme = "https://"
		}
		client := cloud.client(t, func(cfg *Config) {
			cfg.Policy = policy
			cfg.Dialer = &net.Dialer{Resolver: endpointtest.ResolverAnswering("127.0.0.1")}
			cfg.Endpoints = map[Service]string{ServiceStage: scheme + "x.cloud.example:" + port}
		})
		err = client.Do(t.Context(), post())
		if want == "" && err != nil || !strings.HasPrefix(clouderr.UserMessage(err), want) {
			t.Errorf("%s: Do = %v, want %q", pattern, err, want)
		}
		if want != "" && !clouderr.Is(err, clouderr.Invalid) {
			t.Errorf("%s: class %s, want Invalid", pattern, clouderr.ClassOf(err))
		}
	}
	if got := cloud.lines(); len(got) != 1 {
		t.Errorf("the server got %v, want one request", got)
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	metrics := NewMetrics(registry)
	cloud := newFakeCloud(t, replyWith(503, ""))
	client := cloud.client(t, func(cfg *Config) { cfg.Metrics = metrics })
	_ = client.Do(t.Context(), get(nil))
	cloud.answer(replyWith(200, `{}`))
	_ = client.Do(t.Context(), post())
	cloud.Close()
	_ = client.Do(t.Context(), post())

	want := map[string]float64{
		"account=team/default api=servicestage code=200 operation=CreateEnvironment":  1,
		"account=team/default api=servicestage code=503 operation=GetEnvironment":     3,
		"account=team/default api=servicestage code=none operation=CreateEnvironment": 1,
	}
	if diff := cmp.Diff(want, series(t, registry, "servicestage_cloud_requests_total")); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	want = map[string]float64{
		"api=servicestage operation=CreateEnvironment": 2,
		"api=servicestage operation=GetEnvironment":    3,
	}
	if diff := cmp.Diff(want, series(t, registry, "servicestage_cloud_request_duration_seconds")); diff != "" {
		t.Errorf("durations (-want +got):\n%s", diff)
	}
	metrics.throttle("team/default", ServiceStage, throttledByCloud)
	metrics.ForgetAccount("team/default")
	for _, name := range []string{"servicestage_cloud_requests_total", "servicestage_cloud_throttled_total"} {
		if got := series(t, registry, name); len(got) != 0 {
			t.Errorf("series of %s after ForgetAccount: %v, want none", name, got)
		}
	}
}

// series returns the values of a metric by its labels; for a histogram the number of samples.
func series(t *testing.T, registry *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() != name {
				continue
			}
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetName()+"="+label.GetValue())
			}
			values[strings.Join(labels, " ")] = metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		}
	}
	return values
}

// TestQuotedBodiesKeepTheirSecrets has a cloud quote the body that it got: JSON writes some characters in other ways.
func TestQuotedBodiesKeepTheirSecrets(t *testing.T) {
	const core, secret = "canary-4f1c", `"<>&\\ canary-4f1c "<>&\\`
	cloud := newFakeCloud(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		quoted, _ := json.Marshal("I got " + string(body))
		replyWith(400, `{"error_code":"X.1","error_msg":`+string(quoted)+`}`)(w, r)
	})
	request := post()
	request.Body, request.Sensitive = map[string]string{"value": secret}, []string{secret}
	for name, client := range map[string]*Client{
		"a value":        cloud.client(t),
		"the login body": cloud.client(t, withUser, func(cfg *Config) { cfg.Credentials.Password = secret }),
	} {
		err := client.Do(t.Context(), request)
		if err == nil || !strings.Contains(err.Error(), "I got") || strings.Contains(err.Error(), core) {
			t.Errorf("%s: Do = %v, want the cloud's words without the secret", name, err)
		}
	}
}

// A token that another call has replaced meanwhile is still good for others.
func TestATokenThatWasReplacedStaysIn(t *testing.T) {
	clock := newFakeClock()
	iam := newTokenCloud(clock)
	var client *Client
	cloud := newFakeCloud(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			iam.handle(w, r)
			return
		}
		clock.advance(23 * time.Hour) // due for renewal
		if err := client.Do(r.Context(), get(nil)); err != nil {
			t.Error(err)
		}
		replyWith(400, `{"error_code":"X.1","error_msg":"I got `+r.Header.Get("X-Auth-Token")+`"}`)(w, r)
	})
	client = cloud.client(t, withUser, withClock(clock))
	if err := client.Do(t.Context(), get(nil)); err != nil {
		t.Fatal(err)
	}
	request := post()
	request.Method = http.MethodPut
	err := client.Do(t.Context(), request)
	if err == nil || !strings.Contains(err.Error(), "I got") || strings.Contains(err.Error(), "TOKEN-") {
		t.Errorf("Do = %v, want the cloud's words without the token", err)
	}
	if got := iam.loginCount(); got != 2 {
		t.Errorf("%d logins, want 2", got)
	}
}

// TestSecretsStayIn has a cloud quote everything it got.
func TestSecretsStayIn(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 429, 500} {
		for name, change := range map[string]func(*Config){
			"temporary key": func(cfg *Config) { cfg.Credentials.SecurityToken = "security-token-canary" },
			"user":          withUser,
		} {
			t.Run(fmt.Sprint(name, " ", status), func(t *testing.T) {
				clock := newFakeClock()
				iam := newTokenCloud(clock)
				said := testSecretKey // whatever secret the account has
				if name == "user" {
					said = testPassword
				}
				cloud := newFakeCloud(t, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/v3/auth/tokens" {
						iam.handle(w, r)
						return
					}
					body, _ := io.ReadAll(r.Body)
					quoted, _ := json.Marshal(fmt.Sprint("I got ", r.Header, " ", string(body), " with "+said))
					replyWith(status, `{"error_code":"X.`+r.Header.Get("X-Auth-Token")+`","error_msg":`+string(quoted)+`}`,
						"X-Request-Id: "+r.Header.Get("X-Auth-Token")+r.Header.Get("X-Security-Token"))(w, r)
				})
				client := cloud.client(t, change, withClock(clock))
				request := post()
				request.Body = map[string]string{"value": "variable-canary"}
				request.Sensitive = []string{"variable-canary"}
				err := client.Do(t.Context(), request)
				last := cloud.requests()[len(cloud.requests())-1]
				_, signature, _ := strings.Cut(last.Header.Get("Authorization"), "Signature=")
				shown := fmt.Sprintf("%v %+v %s | %v %+v %#v", err, err, clouderr.UserMessage(err), client, client, client)
				for _, secret := range []string{
					testSecretKey, testPassword, "security-token-canary", "variable-canary", "TOKEN-0", signature,
				} {
					if secret != "" && strings.Contains(shown, secret) {
						t.Errorf("%q shows up in %s", secret, shown)
					}
				}
				if err == nil || !strings.Contains(err.Error(), "I got") {
					t.Errorf("Do = %v, want the cloud's words", err)
				}
			})
		}
	}
}

func TestCredentialsHideThemselves(t *testing.T) {
	credentials := Credentials{AccessKey: "AK-canary", SecretKey: "SK-canary", Password: "PW-canary"}
	marshalled, err := json.Marshal(struct{ C Credentials }{credentials})
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "credentials", credentials)
	shown := fmt.Sprintf("%v %+v %#v %s %q %x %v %v", credentials, credentials, credentials, credentials, credentials, credentials,
		&credentials, Config{Credentials: credentials}) + credentials.String() + credentials.GoString() + string(marshalled) + logged.String()
	if strings.Contains(shown, "canary") || strings.Contains(shown, "63616e617279") {
		t.Errorf("credentials show up in %s", shown)
	}
	if !strings.Contains(string(marshalled), redacted) || !strings.Contains(logged.String(), redacted) {
		t.Errorf("marshalled %s, logged %s", marshalled, logged.String())
	}
}

func TestCredentialsValidate(t *testing.T) {
	tests := []struct {
		name        string
		credentials Credentials
		want        string
	}{
		{"a key", Credentials{AccessKey: "a", SecretKey: "s"}, ""},
		{"a temporary key", Credentials{AccessKey: "a", SecretKey: "s", SecurityToken: "t"}, ""},
		{"a user", Credentials{DomainName: "d", Username: "u", Password: "p p é"}, ""},
		{"nothing", Credentials{}, "empty"},
		{"no secretKey", Credentials{AccessKey: "a"}, "lack secretKey"},
		{"no accessKey", Credentials{SecretKey: "s"}, "lack accessKey"},
		{"a token alone", Credentials{SecurityToken: "t"}, "lack accessKey"},
		{"no domainName", Credentials{Username: "u", Password: "p"}, "lack domainName"},
		{"no username", Credentials{DomainName: "d", Password: "p"}, "lack username"},
		{"no password", Credentials{DomainName: "d", Username: "u"}, "lack password"},
		{"both", Credentials{AccessKey: "a", SecretKey: "s", Password: "p"}, "both"},
		{"a trailing newline", Credentials{AccessKey: "a", SecretKey: "canary\n"}, "secretKey holds a line break"},
		{"a newline in the token", Credentials{AccessKey: "a", SecretKey: "s", SecurityToken: "canary\r"}, "securityToken holds a line break"},
		{"a newline in the password", Credentials{DomainName: "d", Username: "u", Password: "canary\n"}, "password holds a line break"},
		{"a space", Credentials{AccessKey: "a b", SecretKey: "s"}, "accessKey holds a space"},
		{"a header inside", Credentials{AccessKey: "a, SignedHeaders=x", SecretKey: "s"}, "accessKey holds"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.credentials.Validate()
			if tt.want == "" {
				if err != nil {
					t.Errorf("Validate = %v, want nil", err)
				}
				return
			}
			if !clouderr.Is(err, clouderr.Invalid) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("Validate = %v, want Invalid with %q", err, tt.want)
			}
		})
	}
}
